#include "line.h"

#include "common/json/builder.h"
#include "common/json/tape.h"

#include <stdio.h>
#include <string.h>

static const char *const severities[] = { "info", "notice", "warning", "error", "critical" };

static void put_text(struct gh_json *j, const char *key, ProtobufCBinaryData text)
{
    if (text.len > 0) gh_json_kv_str_n(j, key, text.data, text.len);
}

static bool named_before(const Gh__AuditEvent *event, size_t i)
{
    const ProtobufCBinaryData *name = &event->fields[i]->name;

    for (size_t k = 0; k < i; k++) {
        const ProtobufCBinaryData *other = &event->fields[k]->name;
        if (other->len == name->len && memcmp(other->data, name->data, name->len) == 0) return true;
    }
    return false;
}

static void put_fields(struct gh_json *j, const Gh__AuditEvent *event)
{
    if (event->n_fields == 0) return;
    gh_json_key(j, "fields");
    gh_json_begin_object(j);
    for (size_t i = 0; i < event->n_fields; i++) {
        const Gh__AuditField *field = event->fields[i];

        if (named_before(event, i)) {
            char name[96];
            int n = snprintf(name, sizeof(name), "%.*s_%zu", (int)field->name.len,
                             (const char *)field->name.data, i + 1);
            gh_json_key_n(j, name, (size_t)n);
        } else {
            gh_json_key_n(j, field->name.data, field->name.len);
        }
        gh_json_str_n(j, field->value.data, field->value.len);
    }
    gh_json_end_object(j);
}

enum gh_err line_write(struct gh_buf *out, uint64_t seq, const struct gh_audit_hash *prev,
                       const struct line_source *source, const Gh__AuditEvent *event,
                       struct gh_audit_hash *ret_hash)
{
    size_t start = out->len;
    char hex[GH_AUDIT_HASH_HEX + 1];
    struct gh_json j;

    gh_audit_hash_hex(prev, hex);
    gh_json_init(&j, out);
    gh_json_begin_object(&j);
    gh_json_kv_uint(&j, "seq", seq);
    gh_json_kv_str_n(&j, "prev", hex, GH_AUDIT_HASH_HEX);
    gh_json_kv_uint(&j, "time", event->time_ms);
    gh_json_kv_int(&j, "taken", source->taken_ms);
    if (source->sender != NULL) {
        gh_json_kv_str(&j, "sender", source->sender);
        gh_json_kv_str(&j, "spool", source->spool);
        gh_json_kv_uint(&j, "number", event->number);
    }
    gh_json_kv_str(&j, "via", source->via);
    gh_json_kv_str(&j, "severity",
                   severities[(unsigned)event->severity <= 4 ? event->severity : 4]);
    gh_json_kv_str_n(&j, "kind", event->kind.data, event->kind.len);
    put_text(&j, "request_id", event->request_id);
    put_text(&j, "session_id", event->session_id);
    put_text(&j, "user", event->user);
    put_text(&j, "address", event->address);
    put_text(&j, "code", event->code);
    if (event->count > 1) gh_json_kv_uint(&j, "count", event->count);
    put_fields(&j, event);
    gh_json_end_object(&j);

    enum gh_err err = gh_json_finish(&j);
    if (err == GH_OK && out->len - start >= AUDIT_LINE_MAX) err = GH_ERR_LIMIT;
    if (err == GH_OK) err = gh_audit_hash_next(prev, out->data + start, out->len - start, ret_hash);
    if (err == GH_OK) err = gh_buf_append(out, "\n", 1);
    if (err != GH_OK) out->len = start;
    return err;
}

static enum gh_err read_text(const struct gh_tape *tape, const char *key, char *dst, size_t size)
{
    char scratch[AUDIT_LINE_MAX / 16];
    uint32_t node = gh_tape_get(tape, 0, key, strlen(key));
    size_t len = 0;

    dst[0] = '\0';
    if (node == GH_TAPE_NONE) return GH_OK;
    if (gh_tape_kind(tape, node) != GH_JSON_STR || gh_tape_str_len(tape, node) >= size)
        return GH_ERR_BAD_MESSAGE;
    const char *text = gh_tape_str(tape, node, scratch, &len);
    if (memchr(text, '\0', len) != NULL) return GH_ERR_BAD_MESSAGE;
    memcpy(dst, text, len);
    dst[len] = '\0';
    return GH_OK;
}

enum gh_err line_read(struct gh_tape *tape, const char *line, size_t len,
                      const struct gh_audit_hash *prev, struct line_view *ret_view)
{
    struct line_view view = { 0 };
    struct gh_audit_hash said;
    char hex[GH_AUDIT_HASH_HEX + 1];

    if (gh_tape_parse(tape, line, len, &gh_json_limits_trusted) != GH_JSON_OK ||
        gh_tape_kind(tape, 0) != GH_JSON_OBJ)
        return GH_ERR_BAD_MESSAGE;
    uint32_t seq = gh_tape_get_lit(tape, 0, "seq");
    uint32_t number = gh_tape_get_lit(tape, 0, "number");
    if (seq == GH_TAPE_NONE || gh_tape_uint64(tape, seq, &view.seq) != GH_OK ||
        read_text(tape, "prev", hex, sizeof(hex)) != GH_OK ||
        gh_audit_hash_parse(hex, strlen(hex), &said) != GH_OK ||
        memcmp(&said, prev, sizeof(said)) != 0 ||
        read_text(tape, "sender", view.sender, sizeof(view.sender)) != GH_OK ||
        read_text(tape, "spool", view.spool, sizeof(view.spool)) != GH_OK ||
        (number != GH_TAPE_NONE && gh_tape_uint64(tape, number, &view.number) != GH_OK))
        return GH_ERR_BAD_MESSAGE;
    enum gh_err err = gh_audit_hash_next(prev, line, len, &view.hash);
    if (err != GH_OK) return err;
    *ret_view = view;
    return GH_OK;
}
