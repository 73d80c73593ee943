/* What resumable sessions are sent: kept in their streams before the client gets it. */
#include "session.h"

#include "common/code.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ITEMS_MAX   1024u
#define ENTRIES_MAX 65536u
#define CURSOR_MAX  (GH_BUS_INSTANCE_MAX + 32u)                /* bytes of an origin */
#define PACKED_MAX  (SESSION_CURSORS_MAX * (CURSOR_MAX + 24u)) /* "origin=number;" each */

struct appending { /* one SessionAppend */
    struct session *session;
    struct gh_reply *reply;
    unsigned left; /* answers of Redis to come, and 1 while they are asked for */
    enum gh_err err;
    size_t count;
    uint32_t codes[];
};

struct group { /* its items of one user */
    struct appending *appending;
    size_t count;
    size_t index[]; /* which items, in the order they were sent */
};

static void done(struct appending *a)
{
    Gh__SessionAppendReply reply = GH__SESSION_APPEND_REPLY__INIT;

    if (--a->left > 0) return;
    if (a->err == GH_OK) {
        reply.n_codes = a->count;
        reply.codes = a->codes;
        gh_reply_send(a->reply, GH__ENVELOPE__BODY_SESSION_APPEND_REPLY, &reply);
    } else {
        (*a->session->redis_failed)++;
        gh_reply_fail(a->reply, GH_ERR_UNAVAILABLE);
    }
    free(a);
}

static void on_appended(void *ctx, enum gh_err err, const redisReply *reply)
{
    struct group *group = ctx;
    struct appending *a = group->appending;

    if (err == GH_OK && (reply->type != REDIS_REPLY_ARRAY || reply->elements != group->count))
        err = GH_ERR_IO;
    for (size_t i = 0; err == GH_OK && i < group->count; i++) {
        const int64_t code = reply->element[i]->integer;

        a->codes[group->index[i]] =
            code >= 0 && code < GH_CODE_COUNT ? (uint32_t)code : GH_CODE_INTERNAL;
    }
    if (err != GH_OK) a->err = err;
    free(group);
    done(a);
}

static bool valid_cursors(Gh__SessionCursor *const *cursors, size_t n)
{
    if (n > SESSION_CURSORS_MAX) return false;
    for (size_t i = 0; i < n; i++) {
        const ProtobufCBinaryData origin = cursors[i]->origin;

        if (origin.len == 0 || origin.len > CURSOR_MAX || memchr(origin.data, '=', origin.len) ||
            memchr(origin.data, ';', origin.len))
            return false;
    }
    return true;
}

static size_t pack_cursors(Gh__SessionCursor *const *cursors, size_t n, char *dst)
{
    size_t len = 0;

    for (size_t i = 0; i < n; i++) {
        memcpy(dst + len, cursors[i]->origin.data, cursors[i]->origin.len);
        len += cursors[i]->origin.len;
        len += (size_t)snprintf(dst + len, PACKED_MAX - len, "=%llu;",
                                (unsigned long long)cursors[i]->number);
    }
    return len;
}

static bool valid(const Gh__SessionAppend *msg)
{
    if (msg->n_items > ITEMS_MAX || !valid_cursors(msg->cursors, msg->n_cursors)) return false;
    for (size_t i = 0; i < msg->n_items; i++) {
        const Gh__SessionAppendItem *item = msg->items[i];

        if (!session_id_valid(item->session_id.data, item->session_id.len) || item->user.len == 0 ||
            item->user.len > SESSION_USER_MAX || item->first_seq == 0 ||
            item->first_seq > SESSION_SEQ_MAX || item->acked > SESSION_SEQ_MAX ||
            item->turn > SESSION_SEQ_MAX || item->n_entries > ENTRIES_MAX ||
            item->n_topics > ENTRIES_MAX || !valid_cursors(item->cursors, item->n_cursors))
            return false;
        for (size_t t = 0; t < item->n_topics; t++)
            if (item->topics[t]->topic.len == 0 || item->topics[t]->topic.len > 128) return false;
    }
    return true;
}

static int by_user(const void *a, const void *b, void *ctx)
{
    const Gh__SessionAppend *msg = ctx;
    const size_t i = *(const size_t *)a, j = *(const size_t *)b;
    const ProtobufCBinaryData x = msg->items[i]->user, y = msg->items[j]->user;
    int order;

    if (x.len != y.len) return x.len < y.len ? -1 : 1;
    order = memcmp(x.data, y.data, x.len);
    return order != 0 ? order : i < j ? -1 : i > j;
}

static bool same_user(const Gh__SessionAppendItem *a, const Gh__SessionAppendItem *b)
{
    return a->user.len == b->user.len && memcmp(a->user.data, b->user.data, a->user.len) == 0;
}

static void item_args(struct args *args, const Gh__SessionAppendItem *item, const char *shared,
                      size_t shared_len, char *own)
{
    args_data(args, item->session_id);
    args_u64(args, item->generation);
    args_u64(args, item->turn);
    args_u64(args, item->first_seq);
    args_u64(args, item->acked);
    args_str(args, item->detach ? "1" : "0");
    if (item->own_cursors)
        args_bytes(args, own, pack_cursors(item->cursors, item->n_cursors, own));
    else
        args_bytes(args, shared, shared_len);
    args_u64(args, item->n_entries);
    args_u64(args, item->n_topics);
    for (size_t i = 0; i < item->n_entries; i++) {
        args_str(args, item->entries[i]->binary ? "1" : "0");
        args_data(args, item->entries[i]->data);
    }
    for (size_t i = 0; i < item->n_topics; i++) {
        args_str(args, item->topics[i]->leave ? "1" : "0");
        args_data(args, item->topics[i]->topic);
    }
}

static enum gh_err send_group(struct appending *a, const Gh__SessionAppend *msg,
                              const size_t *index, size_t count)
{
    struct group *group = malloc(sizeof(*group) + count * sizeof(group->index[0]));
    char shared[PACKED_MAX], *own = NULL;
    size_t shared_len = pack_cursors(msg->cursors, msg->n_cursors, shared), owners = 0;
    struct session_user user;
    struct args args;
    enum gh_err err = group != NULL ? GH_OK : GH_ERR_NOMEM;

    for (size_t i = 0; i < count; i++)
        owners += msg->items[index[i]]->own_cursors;
    if (err == GH_OK && owners > 0 && (own = malloc(owners * PACKED_MAX)) == NULL)
        err = GH_ERR_NOMEM;
    if (err == GH_OK) err = session_user_make(msg->items[index[0]]->user, &user);
    if (err == GH_OK) {
        char *at = own;

        group->appending = a;
        group->count = count;
        memcpy(group->index, index, count * sizeof(index[0]));
        session_args_begin(a->session, &user.keys, &args);
        for (size_t i = 0; i < count; i++) {
            const Gh__SessionAppendItem *item = msg->items[index[i]];

            item_args(&args, item, shared, shared_len, at);
            if (item->own_cursors) at += PACKED_MAX;
            *a->session->appended += item->n_entries;
            if (item->detach) (*a->session->detached)++;
        }
        err = args_script(&args, a->session->redis, &session_script_append, 2, on_appended, group);
        args_done(&args);
    }
    free(own);
    if (err == GH_OK)
        a->left++;
    else
        free(group);
    return err;
}

enum gh_err session_on_append(void *ctx, const struct gh_peer *peer, const void *body,
                              struct gh_reply *reply)
{
    const Gh__SessionAppend *msg = body;
    size_t index[ITEMS_MAX];
    struct appending *a;

    (void)peer;
    if (!valid(msg)) return GH_ERR_BAD_MESSAGE;
    a = calloc(1, sizeof(*a) + msg->n_items * sizeof(a->codes[0]));
    if (a == NULL) return GH_ERR_NOMEM;
    a->session = ctx;
    a->reply = reply;
    a->left = 1;
    a->count = msg->n_items;
    for (size_t i = 0; i < msg->n_items; i++)
        index[i] = i;
    qsort_r(index, msg->n_items, sizeof(index[0]), by_user, (void *)(uintptr_t)msg);
    for (size_t i = 0, n; i < msg->n_items && a->err == GH_OK; i += n) {
        for (n = 1;
             i + n < msg->n_items && same_user(msg->items[index[i]], msg->items[index[i + n]]); n++)
            ;
        a->err = send_group(a, msg, &index[i], n);
    }
    done(a);
    return GH_OK;
}
