/* A client wants its session back: on another edge, or on the same one again. */
#include "create.h"

#include "common/clock.h"
#include "common/code.h"
#include "common/log.h"
#include "common/random.h"

#include <stdlib.h>
#include <string.h>

#define GRACE_MS    10000 /* two heartbeats of an edge */
#define ENTRIES_MAX 65536u

static void tell(struct creation *c, enum gh_severity severity, const char *kind, uint32_t code,
                 const char *why)
{
    gh_log(severity >= GH_SEV_WARNING ? GH_LOG_WARN : GH_LOG_INFO, "session_resume",
           "request_id=%.*s session=%.*s what=%s code=%s reason=\"%s\"", (int)c->request_id_len,
           c->request_id, (int)SESSION_ID_LEN, c->id, kind, gh_code_info(code)->name, why);
    gh_audit_emit(
        c->session->audit, severity, kind,
        &(struct gh_audit_event){ .request_id = gh_bytes(c->request_id, c->request_id_len),
                                  .session_id = gh_bytes(c->id, SESSION_ID_LEN),
                                  .user = gh_bytes(c->user.name, c->user.len),
                                  .address = gh_bytes(c->address, c->address_len),
                                  .code = gh_code_info(code)->name,
                                  .fields = { { "reason", gh_bytes_str(why) } } });
}

static void refuse(struct creation *c, uint32_t code, const char *why)
{
    (*c->session->resume_refused)++;
    tell(c, GH_SEV_WARNING, "session.resume_refused", code, why);
    creation_refuse(c, code, 0);
}

static void fresh(struct creation *c, uint32_t code)
{
    (*c->session->resume_late)++;
    tell(c, GH_SEV_INFO, "session.resume_late", code, "over; a new one instead");
    creation_begin(c, c->msg);
}

/* ---- the answer ---- */

struct back { /* what the script says of a resumed session */
    const redisReply *expires, *generation, *last, *stamp, *detached;
    const redisReply *cursors, *topics, *entries;
};

static bool is_array(const redisReply *reply, size_t max)
{
    return reply->type == REDIS_REPLY_ARRAY && reply->elements <= max;
}

static bool take_back(const redisReply *reply, struct back *ret_back)
{
    redisReply *const *e = reply->element;

    if (reply->elements != 11 || e[3]->type != REDIS_REPLY_INTEGER ||
        e[4]->type != REDIS_REPLY_INTEGER || e[5]->type != REDIS_REPLY_INTEGER ||
        e[6]->type != REDIS_REPLY_STRING || e[7]->type != REDIS_REPLY_INTEGER ||
        e[8]->type != REDIS_REPLY_STRING || !is_array(e[9], 4096) || !is_array(e[10], ENTRIES_MAX))
        return false;
    *ret_back = (struct back){ e[3], e[4], e[5], e[6], e[7], e[8], e[9], e[10] };
    return true;
}

/* "origin=number;" each, as append.c packed them. */
static size_t unpack_cursors(const redisReply *packed, Gh__SessionCursor *cursors,
                             Gh__SessionCursor **list)
{
    const char *at = packed->str, *end = packed->str + packed->len;
    size_t n = 0;

    while (at < end && n < SESSION_CURSORS_MAX) {
        const char *eq = memchr(at, '=', (size_t)(end - at));
        const char *stop = eq != NULL ? memchr(eq, ';', (size_t)(end - eq)) : NULL;

        if (stop == NULL) break;
        gh__session_cursor__init(&cursors[n]);
        cursors[n].origin = gh_bytes(at, (size_t)(eq - at));
        cursors[n].number = strtoull(eq + 1, NULL, 10);
        list[n] = &cursors[n];
        n++;
        at = stop + 1;
    }
    return n;
}

static size_t unpack_entries(const redisReply *rows, Gh__SessionEntry *entries,
                             Gh__SessionEntry **list)
{
    size_t n = 0;

    for (size_t i = 0; i < rows->elements; i++) {
        const redisReply *row = rows->element[i];

        if (!is_array(row, 2) || row->elements != 2) return 0;
        gh__session_entry__init(&entries[n]);
        entries[n].binary = row->element[0]->len == 1 && row->element[0]->str[0] == '1';
        entries[n].data = gh_bytes(row->element[1]->str, row->element[1]->len);
        list[n] = &entries[n];
        n++;
    }
    return n;
}

static enum gh_err answer(struct creation *c, const struct back *back)
{
    Gh__SessionCreated created = GH__SESSION_CREATED__INIT;
    Gh__SessionCursor cursors[SESSION_CURSORS_MAX], *cursor_list[SESSION_CURSORS_MAX];
    const size_t n = back->entries->elements, n_topics = back->topics->elements;
    Gh__SessionEntry *entries = calloc(n + 1, sizeof(*entries));
    Gh__SessionEntry **entry_list = calloc(n + 1, sizeof(*entry_list));
    ProtobufCBinaryData *topics = calloc(n_topics + 1, sizeof(*topics));
    char csrf[SESSION_CSRF_LEN + 1];
    enum gh_err err = GH_ERR_NOMEM;

    if (entries != NULL && entry_list != NULL && topics != NULL) {
        for (size_t i = 0; i < n_topics; i++)
            topics[i] = gh_bytes(back->topics->element[i]->str, back->topics->element[i]->len);
        gh_random_token(SESSION_CSRF_BYTES, csrf);
        created.code = GH_CODE_OK;
        created.session_id = gh_bytes(c->id, SESSION_ID_LEN);
        created.csrf_token = gh_bytes(csrf, SESSION_CSRF_LEN);
        created.expires_ms = (uint64_t)back->expires->integer;
        created.resume_secret = gh_bytes(c->secret, CREATION_SECRET_LEN);
        created.generation = (uint64_t)back->generation->integer;
        created.resumed = true;
        created.last_seq = (uint64_t)back->last->integer;
        created.n_entries = unpack_entries(back->entries, entries, entry_list);
        created.entries = entry_list;
        created.n_topics = n_topics;
        created.topics = topics;
        created.n_cursors = unpack_cursors(back->cursors, cursors, cursor_list);
        created.cursors = cursor_list;
        err = created.n_entries == n ? GH_OK : GH_ERR_IO;
    }
    if (err == GH_OK) gh_reply_send(c->reply, GH__ENVELOPE__BODY_SESSION_CREATED, &created);
    explicit_bzero(csrf, sizeof(csrf));
    free(entries);
    free(entry_list);
    free(topics);
    return err;
}

static void resumed(struct creation *c, const redisReply *reply)
{
    struct session *session = c->session;
    struct back back;
    enum gh_err err = take_back(reply, &back) ? answer(c, &back) : GH_ERR_IO;

    if (err != GH_OK) {
        creation_refuse(c, GH_CODE_UNAVAILABLE, SESSION_RETRY_MS);
        return;
    }
    (*session->resumed)++;
    if (back.stamp->len == SESSION_STAMP_LEN)
        session_index_add(session, &c->user, c->id, back.stamp->str, c->msg->address,
                          c->msg->expires_ms);
    /* Whoever holds it still: the edge it was on, which may not know that its client has gone. */
    if (back.detached->integer == 0)
        session_order_moved(session, c->id, (uint64_t)back.generation->integer);
    tell(c, GH_SEV_INFO, "session.resumed", GH_CODE_OK, "");
    creation_free(c);
}

/* ---- asking ---- */

/* Nothing is known of it with this user. With another one, it is not theirs to have. */
static void on_who(void *ctx, enum gh_err err, const redisReply *reply)
{
    struct creation *c = ctx;

    if (err != GH_OK)
        creation_refuse(c, GH_CODE_UNAVAILABLE, SESSION_RETRY_MS);
    else if (reply->type == REDIS_REPLY_STRING &&
             (reply->len != c->user.len || memcmp(reply->str, c->user.name, c->user.len) != 0))
        refuse(c, GH_CODE_FORBIDDEN, "another user's");
    else
        fresh(c, GH_CODE_SESSION_ENDED);
}

static void ask_who(struct creation *c)
{
    char key[SESSION_KEY_BYTES];
    const char *argv[] = { "GET", key };

    session_key_of_id(c->id, key);
    if (gh_redis_command(c->session->redis, on_who, c, 2, argv, NULL) != GH_OK)
        creation_refuse(c, GH_CODE_UNAVAILABLE, SESSION_RETRY_MS);
}

static void on_resumed(void *ctx, enum gh_err err, const redisReply *reply)
{
    struct creation *c = ctx;
    uint32_t code;

    if (err == GH_OK && (reply->type != REDIS_REPLY_ARRAY || reply->elements < 3 ||
                         reply->element[0]->type != REDIS_REPLY_STRING ||
                         reply->element[1]->type != REDIS_REPLY_INTEGER))
        err = GH_ERR_IO;
    if (err != GH_OK) {
        creation_refuse(c, GH_CODE_UNAVAILABLE, SESSION_RETRY_MS);
        return;
    }
    code = (uint32_t)reply->element[1]->integer;
    (void)session_ended(c->session, &c->user, reply->element[2], true);
    if (strcmp(reply->element[0]->str, "resumed") == 0)
        resumed(c, reply);
    else if (strcmp(reply->element[0]->str, "fresh") == 0)
        fresh(c, code);
    else if (strcmp(reply->element[0]->str, "unknown") == 0)
        ask_who(c);
    else
        refuse(c, code, code == GH_CODE_FORBIDDEN ? "wrong or used secret" : "was ended");
}

static Gh__SessionCreate *copy_message(const Gh__SessionCreate *msg)
{
    const size_t size = gh__session_create__get_packed_size(msg);
    uint8_t *packed = malloc(size + 1);
    Gh__SessionCreate *copy = NULL;

    if (packed != NULL)
        copy = gh__session_create__unpack(NULL, gh__session_create__pack(msg, packed), packed);
    if (packed != NULL) explicit_bzero(packed, size);
    free(packed);
    return copy;
}

enum gh_err session_resume(struct creation *c, const Gh__SessionCreate *msg)
{
    const struct session_config *cfg = &c->session->cfg;
    char roles[CREATION_ROLES_MAX], digest[CREATION_DIGEST_LEN + 1], shown[CREATION_DIGEST_LEN + 1];
    struct args args;
    enum gh_err err;

    c->msg = copy_message(msg);
    if (c->msg == NULL) return GH_ERR_NOMEM;
    memcpy(c->id, msg->resume->session_id.data, SESSION_ID_LEN);
    creation_digest(msg->resume->secret.data, msg->resume->secret.len, shown);
    session_args_begin(c->session, &c->user.keys, &args);
    args_bytes(&args, c->id, SESSION_ID_LEN);
    args_u64(&args, cfg->idle_ms);
    args_u64(&args, cfg->max_age_ms);
    args_u64(&args, msg->expires_ms);
    args_str(&args, shown);
    args_u64(&args, msg->resume->last_seq);
    args_u64(&args, GRACE_MS);
    creation_who_args(c, msg, &args);
    args_bytes(&args, roles, creation_roles(msg, roles));
    creation_keep_args(c, msg, &args, digest);
    err = args_script(&args, c->session->redis, &session_script_resume, 2, on_resumed, c);
    args_done(&args);
    return err;
}
