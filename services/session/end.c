/* Ends: by the edge whose connection closed, by an operator, by auth, by the anomaly service. */
#include "session.h"

#include "common/clock.h"
#include "common/code.h"
#include "common/log.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define BY_ADDRESS_MAX 10000 /* sessions looked at in one request */

struct ending {
    struct session *session;
    struct gh_reply *reply;
    unsigned left; /* scripts to come, and 1 while they are sent */
    enum gh_err err;
    uint32_t count;
    uint32_t code;
    bool quiet;
    char id[SESSION_ID_LEN];
    size_t address_len;
    char address[64];
    char selector[SESSION_USER_MAX + 1]; /* what it was asked by, for the record */
    char by[GH_BUS_INSTANCE_MAX + 1];
    char reason[257];
};

struct part { /* one user of an ending */
    struct ending *ending;
    struct session_user user;
};

static void tell(struct ending *e)
{
    gh_log(GH_LOG_INFO, "sessions_ended", "selector=\"%s\" count=%" PRIu32 " code=%s by=%s",
           e->selector, e->count, gh_code_info(e->code)->name, e->by);
    gh_audit_emit(e->session->audit, GH_SEV_WARNING, "session.ended",
                  &(struct gh_audit_event){ .code = gh_code_info(e->code)->name,
                                            .fields = { { "selector", gh_bytes_str(e->selector) },
                                                        { "by", gh_bytes_str(e->by) },
                                                        { "reason", gh_bytes_str(e->reason) },
                                                        { "count", .number = e->count } } });
}

static void done(struct ending *e)
{
    Gh__SessionEnded ended = GH__SESSION_ENDED__INIT;

    if (--e->left > 0) return;
    if (e->err == GH_OK) {
        ended.count = e->count;
        if (!e->quiet) tell(e);
        gh_reply_send(e->reply, GH__ENVELOPE__BODY_SESSION_ENDED, &ended);
    } else {
        (*e->session->redis_failed)++;
        gh_reply_fail(e->reply, e->err == GH_ERR_NOMEM ? GH_ERR_NOMEM : GH_ERR_UNAVAILABLE);
    }
    free(e);
}

static void on_ended(void *ctx, enum gh_err err, const redisReply *reply)
{
    struct part *part = ctx;
    struct ending *e = part->ending;

    if (err != GH_OK)
        e->err = err;
    else
        e->count += session_ended(e->session, &part->user, reply, !e->quiet);
    free(part);
    done(e);
}

static void end_user(struct ending *e, ProtobufCBinaryData user, const char *const *ids,
                     size_t count)
{
    struct part *part = malloc(sizeof(*part));
    enum gh_err err = part != NULL ? session_user_make(user, &part->user) : GH_ERR_NOMEM;

    if (err == GH_OK) {
        part->ending = e;
        err = session_end_of_user(e->session, &part->user, e->code,
                                  gh_bytes(e->address, e->address_len), ids, count, on_ended, part);
    }
    if (err == GH_OK) {
        e->left++;
        return;
    }
    free(part);
    e->err = err;
}

/* The end of one session must not be lost for want of Redis: it is noted, and done when Redis is
 * back. */
static void end_one(struct ending *e, ProtobufCBinaryData user)
{
    const char *id = e->id;

    if (user.len <= SESSION_USER_MAX)
        ledger_add(e->session->ledger, e->id, user.data, user.len, e->code, gh_clock_mono_ms());
    end_user(e, user, &id, 1);
}

static void on_who(void *ctx, enum gh_err err, const redisReply *reply)
{
    struct ending *e = ctx;

    if (err != GH_OK)
        e->err = err;
    else if (reply->type == REDIS_REPLY_STRING)
        end_one(e, gh_bytes(reply->str, reply->len));
    done(e); /* nobody: it is over already */
}

static void find_user(struct ending *e)
{
    char key[SESSION_KEY_BYTES];
    const char *argv[] = { "GET", key };

    session_key_of_id(e->id, key);
    e->err = gh_redis_command(e->session->redis, on_who, e, 2, argv, NULL);
    if (e->err == GH_OK) e->left++;
}

static int by_user(const void *a, const void *b)
{
    const struct session_entry *x = a, *y = b;

    if (x->user_len != y->user_len) return x->user_len < y->user_len ? -1 : 1;
    return memcmp(x->user, y->user, x->user_len);
}

static void on_entries(void *ctx, enum gh_err err, const redisReply *reply)
{
    struct ending *e = ctx;
    struct session_entry *entries = NULL;
    const char **ids = NULL;
    size_t count = 0;

    if (err == GH_OK && reply->type == REDIS_REPLY_ARRAY && reply->elements > 0) {
        entries = calloc(reply->elements, sizeof(*entries));
        ids = calloc(reply->elements, sizeof(*ids));
        if (entries == NULL || ids == NULL) err = GH_ERR_NOMEM;
    }
    if (err != GH_OK) {
        e->err = err;
    } else if (entries != NULL) {
        for (size_t i = 0; i < reply->elements; i++) {
            const redisReply *entry = reply->element[i];

            if (session_entry_parse(entry->str, entry->len, &entries[count]) == GH_OK) count++;
        }
        if (count > 0) qsort(entries, count, sizeof(*entries), by_user);
        for (size_t i = 0; i < count; i++)
            ids[i] = entries[i].session_id;
        for (size_t i = 0, n; i < count; i += n) {
            for (n = 1; i + n < count && by_user(&entries[i], &entries[i + n]) == 0; n++)
                ;
            end_user(e, gh_bytes(entries[i].user, entries[i].user_len), &ids[i], n);
        }
    }
    free(entries);
    free(ids);
    done(e);
}

static void find_address(struct ending *e)
{
    char key[SESSION_KEY_BYTES];
    struct args args;

    session_key_of_address(e->address, e->address_len, key);
    args_init(&args);
    args_str(&args, "ZRANGE");
    args_str(&args, key);
    args_str(&args, "0");
    args_u64(&args, BY_ADDRESS_MAX - 1);
    e->err = args_command(&args, e->session->redis, on_entries, e);
    args_done(&args);
    if (e->err == GH_OK) e->left++;
}

static bool valid(const Gh__SessionEnd *msg, const struct gh_peer *peer)
{
    bool by_id = msg->session_id.len > 0, by_address = msg->address.len > 0;

    if (msg->code >= GH_CODE_COUNT || msg->user.len > SESSION_USER_MAX || msg->address.len > 63)
        return false;
    if (by_id) return session_id_valid(msg->session_id.data, msg->session_id.len) && !by_address;
    return by_address != (msg->user.len > 0) && peer->role != GH_ROLE_EDGE;
}

enum gh_err session_on_end(void *ctx, const struct gh_peer *peer, const void *body,
                           struct gh_reply *reply)
{
    const Gh__SessionEnd *msg = body;
    ProtobufCBinaryData by = msg->by.len > 0 ? msg->by : gh_bytes_str(peer->instance);
    ProtobufCBinaryData selector = msg->session_id.len > 0 ? msg->session_id
                                   : msg->user.len > 0     ? msg->user
                                                           : msg->address;
    struct ending *e;

    if (!valid(msg, peer)) return GH_ERR_BAD_MESSAGE;
    e = calloc(1, sizeof(*e));
    if (e == NULL) return GH_ERR_NOMEM;
    if (gh_bytes_copy(by, e->by, sizeof(e->by)) != GH_OK ||
        gh_bytes_copy(msg->reason, e->reason, sizeof(e->reason)) != GH_OK ||
        gh_bytes_copy(selector, e->selector, sizeof(e->selector)) != GH_OK) {
        free(e);
        return GH_ERR_BAD_MESSAGE;
    }
    e->session = ctx;
    e->reply = reply;
    e->left = 1;
    e->code = msg->code == GH_CODE_OK ? GH_CODE_SESSION_ENDED : msg->code;
    e->quiet = msg->quiet;
    if (msg->session_id.len > 0) {
        memcpy(e->id, msg->session_id.data, SESSION_ID_LEN);
        if (msg->user.len > 0)
            end_one(e, msg->user);
        else
            find_user(e);
    } else if (msg->user.len > 0) {
        end_user(e, msg->user, NULL, 0);
    } else {
        e->address_len = msg->address.len;
        memcpy(e->address, msg->address.data, msg->address.len);
        find_address(e);
    }
    done(e);
    return GH_OK;
}
