#include "chat.h"

#include "common/clock.h"
#include "common/code.h"
#include "common/json/builder.h"
#include "common/json/tape.h"
#include "common/log.h"
#include "common/random.h"
#include "rooms.h"

#include <stdlib.h>
#include <string.h>

#define OUT_BYTES_MAX (1u << 20)
#define EVERYBODY     "all"

struct chat {
    struct gh_app *app;
    struct journal *journal;
    struct gh_tape tape;
    struct gh_buf out;
    struct gh_buf scratch; /* decoded names, one message at a time */
};

/* What a handler of one type works on. */
struct said {
    struct chat *chat;
    struct gh_app_conn *conn;
    const struct gh_app_message *msg;
    uint32_t payload; /* node of an object */
};

struct text {
    const char *bytes;
    size_t len;
};

/* --- answers ---------------------------------------------------------------------------------- */

/* The id came escaped for JSON: it goes out between quotes as it is. */
static void put_id(struct gh_json *j, struct gh_buf *scratch, ProtobufCBinaryData id)
{
    size_t start = scratch->len;

    if (gh_buf_append(scratch, "\"", 1) != GH_OK ||
        gh_buf_append(scratch, id.data, id.len) != GH_OK ||
        gh_buf_append(scratch, "\"", 1) != GH_OK) {
        gh_json_null(j);
        return;
    }
    gh_json_raw(j, scratch->data + start, scratch->len - start);
    scratch->len = start;
}

static void begin_message(struct chat *chat, struct gh_json *j, const char *type)
{
    gh_buf_reset(&chat->out);
    gh_json_init(j, &chat->out);
    gh_json_begin_object(j);
    gh_json_kv_str(j, "type", type);
    gh_json_key(j, "payload");
    gh_json_begin_object(j);
}

static void end_message(struct chat *chat, struct gh_json *j, struct gh_app_target target,
                        const char *type)
{
    gh_json_end_object(j);
    gh_json_kv_int(j, "timestamp", gh_clock_wall_ms());
    gh_json_end_object(j);
    if (gh_json_finish(j) != GH_OK) return; /* larger than a message may be: nothing is sent */
    gh_app_send(chat->app, target,
                (struct gh_app_out){ .type = type, .data = chat->out.data, .len = chat->out.len });
}

static void answer_ack(const struct said *said)
{
    struct gh_json j;

    if (said->msg->id.len == 0) return;
    begin_message(said->chat, &j, "ack");
    gh_json_key(&j, "id");
    put_id(&j, &said->chat->scratch, said->msg->id);
    end_message(said->chat, &j, gh_app_to_conn(said->conn), "ack");
}

/* The codes are those of the gate (common/code.h), so that a client has one list to know. */
static void answer_error(const struct said *said, enum gh_code code, const char *message)
{
    const char *name = gh_code_info(code)->name;
    char request_id[GH_REQUEST_ID_LEN + 1];
    struct gh_json j;

    gh_request_id(request_id);
    gh_log(GH_LOG_INFO, "message_refused", "request_id=%s code=%s session=%.*s reason=\"%s\"",
           request_id, name, (int)said->conn->session_id.len,
           (const char *)said->conn->session_id.data, message);
    begin_message(said->chat, &j, "error");
    gh_json_kv_str(&j, "code", name);
    gh_json_kv_str(&j, "message", message);
    gh_json_kv_str(&j, "requestId", request_id);
    if (said->msg->id.len > 0) {
        gh_json_key(&j, "id");
        put_id(&j, &said->chat->scratch, said->msg->id);
    }
    end_message(said->chat, &j, gh_app_to_conn(said->conn), "error");
}

/* --- reading ---------------------------------------------------------------------------------- */

/* A string node's decoded text, valid until the next message; {NULL, 0} without memory. */
static struct text decoded(const struct said *said, uint32_t node)
{
    const struct gh_tape *tape = &said->chat->tape;
    struct gh_buf *scratch = &said->chat->scratch;
    struct text text = { NULL, 0 };

    if (gh_buf_reserve(scratch, gh_tape_str_len(tape, node)) != GH_OK) return text;
    text.bytes = gh_tape_str(tape, node, scratch->data + scratch->len, &text.len);
    if (text.bytes == scratch->data + scratch->len) scratch->len += text.len;
    return text;
}

/* The decoded string member, or {NULL, 0} when it is absent or no string. */
static struct text member(const struct said *said, const char *key)
{
    const struct gh_tape *tape = &said->chat->tape;
    uint32_t node = gh_tape_get(tape, said->payload, key, strlen(key));

    if (node == GH_TAPE_NONE || gh_tape_kind(tape, node) != GH_JSON_STR)
        return (struct text){ NULL, 0 };
    return decoded(said, node);
}

static bool has_text(struct text text)
{
    return text.bytes != NULL && text.len > 0;
}

/* Where a message that names a room or a user goes. GH_ERR_NOT_FOUND: it names neither;
 * GH_ERR_FORBIDDEN: a room its sender is not in. */
static enum gh_err addressed(const struct said *said, char topic[ROOM_TOPIC_MAX],
                             struct gh_app_target *ret_target)
{
    struct text room = member(said, "room");
    struct text to = member(said, "to");

    if (has_text(room)) {
        if (!rooms_has(said->conn->user_data, room.bytes, room.len)) return GH_ERR_FORBIDDEN;
        *ret_target = gh_app_to_topic(gh_bytes(topic, room_topic(room.bytes, room.len, topic)));
        return GH_OK;
    }
    if (!has_text(to)) return GH_ERR_NOT_FOUND;
    *ret_target = gh_app_to_user(gh_bytes(to.bytes, to.len));
    return GH_OK;
}

/* The payload as it came, with `from` in place of whatever it said there. */
static void pass_on_as(const struct said *said, struct gh_app_target target, const char *type,
                       bool conflatable)
{
    const struct gh_tape *tape = &said->chat->tape;
    struct gh_json j;

    gh_buf_reset(&said->chat->out);
    gh_json_init(&j, &said->chat->out);
    gh_json_begin_object(&j);
    gh_json_kv_str(&j, "type", type);
    gh_json_key(&j, "payload");
    gh_json_begin_object(&j);
    gh_json_kv_str_n(&j, "from", said->conn->user.data, said->conn->user.len);
    for (uint32_t key = said->payload + 1; key < tape->nodes[said->payload].next;
         key = tape->nodes[key + 1].next) {
        struct text name = decoded(said, key);

        if (gh_tape_str_eq_lit(tape, key, "from")) continue;
        gh_json_key_n(&j, name.bytes, name.len);
        gh_json_node(&j, tape, key + 1);
    }
    gh_json_end_object(&j);
    if (said->msg->id.len > 0) {
        gh_json_key(&j, "id");
        put_id(&j, &said->chat->scratch, said->msg->id);
    }
    gh_json_kv_int(&j, "timestamp", gh_clock_wall_ms());
    gh_json_end_object(&j);
    if (gh_json_finish(&j) != GH_OK) return;
    gh_app_send(said->chat->app, target,
                (struct gh_app_out){ .type = type,
                                     .data = said->chat->out.data,
                                     .len = said->chat->out.len,
                                     .conflatable = conflatable });
}

static void pass_on(const struct said *said, struct gh_app_target target, const char *type)
{
    pass_on_as(said, target, type, false);
}

/* --- types ------------------------------------------------------------------------------------ */

static enum gh_err on_join(const struct said *said)
{
    struct text room = member(said, "room");
    char topic[ROOM_TOPIC_MAX];
    enum gh_err err;

    if (!has_text(room)) return GH_ERR_BAD_MESSAGE;
    err = rooms_add(said->conn->user_data, room.bytes, room.len);
    if (err == GH_ERR_EXISTS) return GH_OK;
    if (err != GH_OK) return err;
    gh_app_subscribe(said->chat->app, said->conn,
                     gh_bytes(topic, room_topic(room.bytes, room.len, topic)));
    return GH_OK;
}

static enum gh_err on_leave(const struct said *said)
{
    struct text room = member(said, "room");
    char topic[ROOM_TOPIC_MAX];

    if (!has_text(room)) return GH_ERR_BAD_MESSAGE;
    if (rooms_remove(said->conn->user_data, room.bytes, room.len) != GH_OK) return GH_OK;
    gh_app_unsubscribe(said->chat->app, said->conn,
                       gh_bytes(topic, room_topic(room.bytes, room.len, topic)));
    return GH_OK;
}

static enum gh_err on_chat(const struct said *said)
{
    char topic[ROOM_TOPIC_MAX];
    struct gh_app_target target;
    enum gh_err err = addressed(said, topic, &target);

    if (err == GH_ERR_NOT_FOUND)
        target = gh_app_to_conn(said->conn);
    else if (err != GH_OK)
        return err;
    pass_on(said, target, "chat");
    return GH_OK;
}

static enum gh_err on_typing(const struct said *said)
{
    char topic[ROOM_TOPIC_MAX];
    struct gh_app_target target;
    enum gh_err err = addressed(said, topic, &target);

    if (err == GH_ERR_NOT_FOUND) return GH_ERR_BAD_MESSAGE;
    if (err != GH_OK) return err;
    target.except = said->conn;
    pass_on_as(said, target, "typing", true);
    return GH_OK;
}

static enum gh_err on_file_upload(const struct said *said)
{
    char topic[ROOM_TOPIC_MAX];
    struct gh_app_target target;
    enum gh_err err = addressed(said, topic, &target);

    if (err == GH_ERR_NOT_FOUND || !has_text(member(said, "name"))) return GH_ERR_BAD_MESSAGE;
    if (err != GH_OK) return err;
    pass_on(said, target, "file_upload");
    return GH_OK;
}

/* Moderators need not be in the room they speak to; that only they come here is the policy's doing.
 */
static enum gh_err on_notification(const struct said *said)
{
    struct text room = member(said, "room");
    struct text to = member(said, "to");
    char topic[ROOM_TOPIC_MAX];
    struct gh_app_target target = gh_app_to_topic(gh_bytes_str(EVERYBODY));

    if (has_text(room)) {
        if (!room_name_valid(room.bytes, room.len)) return GH_ERR_BAD_MESSAGE;
        target = gh_app_to_topic(gh_bytes(topic, room_topic(room.bytes, room.len, topic)));
    } else if (has_text(to)) {
        target = gh_app_to_user(gh_bytes(to.bytes, to.len));
    }
    pass_on(said, target, "notification");
    return GH_OK;
}

static enum gh_err on_ack(const struct said *said)
{
    struct text to = member(said, "to");

    if (!has_text(to) || !has_text(member(said, "id"))) return GH_ERR_BAD_MESSAGE;
    pass_on(said, gh_app_to_user(gh_bytes(to.bytes, to.len)), "ack");
    return GH_OK;
}

static const struct {
    const char *type;
    enum gh_err (*fn)(const struct said *said);
} types[] = {
    { "chat", on_chat },     { "join", on_join },
    { "leave", on_leave },   { "file_upload", on_file_upload },
    { "ack", on_ack },       { "notification", on_notification },
    { "typing", on_typing },
};

/* --- handlers --------------------------------------------------------------------------------- */

static enum gh_err take(struct said *said)
{
    struct gh_tape *tape = &said->chat->tape;
    enum gh_err err;

    gh_buf_reset(&said->chat->scratch);
    if (said->msg->binary ||
        gh_tape_parse(tape, said->msg->data.data, said->msg->data.len, NULL) != GH_JSON_OK)
        return GH_ERR_BAD_MESSAGE;
    said->payload = gh_tape_get_lit(tape, 0, "payload");
    if (said->payload == GH_TAPE_NONE || gh_tape_kind(tape, said->payload) != GH_JSON_OBJ)
        return GH_ERR_BAD_MESSAGE;
    err = journal_add(said->chat->journal, said->conn->user.data, said->conn->user.len,
                      said->msg->data.data, said->msg->data.len);
    if (err != GH_OK) return err;
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
        if (gh_bytes_eq(said->msg->type, types[i].type)) return types[i].fn(said);
    return GH_ERR_BAD_MESSAGE;
}

static void on_message(void *ctx, struct gh_app_conn *conn, const struct gh_app_message *msg)
{
    struct said said = { .chat = ctx, .conn = conn, .msg = msg };

    switch (take(&said)) {
    case GH_OK: answer_ack(&said); break;
    case GH_ERR_FORBIDDEN: answer_error(&said, GH_CODE_FORBIDDEN, "join the room first"); break;
    case GH_ERR_LIMIT: answer_error(&said, GH_CODE_FORBIDDEN, "in too many rooms"); break;
    case GH_ERR_BAD_MESSAGE:
        answer_error(&said, GH_CODE_SCHEMA, "not a message of this type");
        break;
    default: answer_error(&said, GH_CODE_UNAVAILABLE, "try again"); break;
    }
}

static void on_open(void *ctx, struct gh_app_conn *conn)
{
    struct chat *chat = ctx;

    conn->user_data = calloc(1, sizeof(struct rooms));
    if (conn->user_data == NULL) {
        gh_app_disconnect(chat->app, conn, 1013, "temporarily unavailable");
        return;
    }
    gh_app_subscribe(chat->app, conn, gh_bytes_str(EVERYBODY));
    /* A session that is not new: what it is in is known by its topics. */
    for (size_t i = 0; i < conn->topic_count; i++)
        rooms_restore(conn->user_data, conn->topics[i].data, conn->topics[i].len);
}

static void on_close(void *ctx, struct gh_app_conn *conn, uint32_t close_code)
{
    (void)ctx;
    (void)close_code;
    free(conn->user_data);
    conn->user_data = NULL;
}

static enum gh_err on_batch(void *ctx)
{
    return journal_flush(((struct chat *)ctx)->journal);
}

const struct gh_app_handlers chat_handlers = {
    .on_open = on_open,
    .on_message = on_message,
    .on_close = on_close,
    .on_batch = on_batch,
};

enum gh_err chat_new(struct journal *journal, struct chat **ret_chat)
{
    struct chat *chat = calloc(1, sizeof(*chat));

    if (chat == NULL) return GH_ERR_NOMEM;
    chat->journal = journal;
    gh_tape_init(&chat->tape);
    gh_buf_init(&chat->out, OUT_BYTES_MAX);
    gh_buf_init(&chat->scratch, OUT_BYTES_MAX);
    *ret_chat = chat;
    return GH_OK;
}

void chat_free(struct chat *chat)
{
    if (chat == NULL) return;
    gh_tape_done(&chat->tape);
    gh_buf_done(&chat->out);
    gh_buf_done(&chat->scratch);
    free(chat);
}

void chat_attach(struct chat *chat, struct gh_app *app)
{
    chat->app = app;
}
