#include "common/clients/event_pack.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

_Static_assert(GH_AUDIT_KIND_MAX + 5 * (GH_AUDIT_ID_MAX + 8) +
                       GH_AUDIT_FIELDS_MAX * (GH_AUDIT_NAME_MAX + GH_AUDIT_VALUE_MAX + 16) + 64 <
                   GH_SPOOL_PAYLOAD_MAX,
               "the largest event fits a record");

size_t gh_text_cut(const uint8_t *text, size_t len, size_t max)
{
    if (len <= max) return len;
    size_t keep = max;
    /* text[keep] exists; while it continues a character, that character began before the cut. */
    while (keep > 0 && max - keep < 4 && (text[keep] & 0xc0) == 0x80)
        keep--;
    return (text[keep] & 0xc0) == 0x80 ? max : keep; /* not UTF-8: cut anywhere */
}

static ProtobufCBinaryData cut(ProtobufCBinaryData value, size_t max)
{
    if (value.data == NULL) value.len = 0;
    value.len = gh_text_cut(value.data, value.len, max);
    return value;
}

static ProtobufCBinaryData clean_name(const char *name, size_t max, char *dst)
{
    size_t len = strnlen(name, max);

    for (size_t i = 0; i < len; i++) {
        char c = name[i];
        bool ok = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '.';
        dst[i] = ok ? c : '_';
    }
    return (ProtobufCBinaryData){ .len = len, .data = (uint8_t *)dst };
}

size_t gh_event_pack(uint8_t dst[GH_SPOOL_PAYLOAD_MAX], enum gh_severity severity, const char *kind,
                     const struct gh_audit_event *event, struct gh_event_stamp stamp)
{
    static const struct gh_audit_event none = { 0 };
    Gh__AuditEvent msg = GH__AUDIT_EVENT__INIT;
    Gh__AuditField fields[GH_AUDIT_FIELDS_MAX];
    Gh__AuditField *pointers[GH_AUDIT_FIELDS_MAX];
    char kind_text[GH_AUDIT_KIND_MAX];
    char names[GH_AUDIT_FIELDS_MAX][GH_AUDIT_NAME_MAX];
    char numbers[GH_AUDIT_FIELDS_MAX][24];

    if (event == NULL) event = &none;
    msg.time_ms = stamp.time_ms > 0 ? (uint64_t)stamp.time_ms : 0;
    msg.severity = (Gh__Severity)severity;
    msg.kind = clean_name(kind, GH_AUDIT_KIND_MAX, kind_text);
    msg.request_id = cut(event->request_id, GH_AUDIT_ID_MAX);
    msg.session_id = cut(event->session_id, GH_AUDIT_ID_MAX);
    msg.user = cut(event->user, GH_AUDIT_ID_MAX);
    msg.address = cut(event->address, GH_AUDIT_ID_MAX);
    if (event->code != NULL) msg.code = cut(gh_bytes_str(event->code), GH_AUDIT_ID_MAX);
    msg.count = stamp.count > 1 ? stamp.count : 0;
    msg.fields = pointers;
    for (size_t i = 0; i < GH_AUDIT_FIELDS_MAX && event->fields[i].name != NULL; i++) {
        const struct gh_audit_field *field = &event->fields[i];

        gh__audit_field__init(&fields[i]);
        fields[i].name = clean_name(field->name, GH_AUDIT_NAME_MAX, names[i]);
        for (size_t c = 0; c < fields[i].name.len; c++)
            if (fields[i].name.data[c] == '.') fields[i].name.data[c] = '_';
        if (field->value.data != NULL) {
            fields[i].value = cut(field->value, GH_AUDIT_VALUE_MAX);
        } else {
            int n = snprintf(numbers[i], sizeof(numbers[i]), "%" PRIu64, field->number);
            fields[i].value = gh_bytes(numbers[i], (size_t)n);
        }
        pointers[msg.n_fields++] = &fields[i];
    }
    return gh__audit_event__pack(&msg, dst);
}
