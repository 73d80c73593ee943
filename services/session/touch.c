/* Heartbeats: an edge says which sessions are alive, and is told which are not. */
#include "session.h"

#include "common/code.h"
#include "common/random.h"

#include <stdlib.h>
#include <string.h>

#define ITEMS_MAX 1024u

struct touching { /* one heartbeat */
    struct session *session;
    struct gh_reply *reply;
    unsigned left; /* answers of Redis to come, and 1 while they are asked for */
    enum gh_err err;
    uint64_t orders_version;
    size_t gone_count, rotated_count;
    Gh__SessionGone gone[ITEMS_MAX];
    Gh__SessionGone *gone_list[ITEMS_MAX];
    char gone_ids[ITEMS_MAX][SESSION_ID_LEN];
    Gh__SessionCsrf rotated[ITEMS_MAX];
    Gh__SessionCsrf *rotated_list[ITEMS_MAX];
    char rotated_ids[ITEMS_MAX][SESSION_ID_LEN];
    char csrf[ITEMS_MAX][SESSION_CSRF_LEN + 1];
};

struct group { /* of one user */
    struct touching *touching;
    struct session_user user;
};

static void done(struct touching *t)
{
    Gh__SessionTouched touched = GH__SESSION_TOUCHED__INIT;

    if (--t->left > 0) return;
    if (t->err == GH_OK) {
        touched.n_gone = t->gone_count;
        touched.gone = t->gone_list;
        touched.n_rotated = t->rotated_count;
        touched.rotated = t->rotated_list;
        touched.orders_version = t->orders_version;
        gh_reply_send(t->reply, GH__ENVELOPE__BODY_SESSION_TOUCHED, &touched);
    } else {
        (*t->session->redis_failed)++;
        gh_reply_fail(t->reply, GH_ERR_UNAVAILABLE);
    }
    explicit_bzero(t->csrf, sizeof(t->csrf[0]) * t->rotated_count);
    free(t);
}

static void on_version(void *ctx, enum gh_err err, const redisReply *reply)
{
    struct touching *t = ctx;

    if (err == GH_OK && reply->type == REDIS_REPLY_STRING)
        t->orders_version = strtoull(reply->str, NULL, 10);
    else if (err != GH_OK)
        t->err = err;
    done(t);
}

static void add_gone(struct touching *t, const struct session_user *user, const redisReply *row)
{
    struct session_ended_row ended;
    size_t at = t->gone_count;

    if (at == ITEMS_MAX || session_row_parse(row, &ended) != GH_OK) return;
    gh__session_gone__init(&t->gone[at]);
    memcpy(t->gone_ids[at], ended.id, SESSION_ID_LEN);
    t->gone[at].session_id = gh_bytes(t->gone_ids[at], SESSION_ID_LEN);
    t->gone[at].code = ended.code;
    t->gone_list[at] = &t->gone[at];
    t->gone_count++;
    /* A stamp: this touch found it dead and ended it; without, it had ended before. Only its own
     * edge holds it, and that is being told: no order. */
    if (ended.stamp != NULL) session_ended_one(t->session, user, &ended, false);
}

static void add_rotated(struct touching *t, const redisReply *id)
{
    size_t at = t->rotated_count;

    if (at == ITEMS_MAX || id->type != REDIS_REPLY_STRING || id->len != SESSION_ID_LEN) return;
    gh__session_csrf__init(&t->rotated[at]);
    memcpy(t->rotated_ids[at], id->str, SESSION_ID_LEN);
    gh_random_token(SESSION_CSRF_BYTES, t->csrf[at]);
    t->rotated[at].session_id = gh_bytes(t->rotated_ids[at], SESSION_ID_LEN);
    t->rotated[at].csrf_token = gh_bytes(t->csrf[at], SESSION_CSRF_LEN);
    t->rotated_list[at] = &t->rotated[at];
    t->rotated_count++;
}

static void on_touched(void *ctx, enum gh_err err, const redisReply *reply)
{
    struct group *group = ctx;
    struct touching *t = group->touching;
    const redisReply *gone, *due;

    if (err == GH_OK && (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2 ||
                         reply->element[0]->type != REDIS_REPLY_ARRAY ||
                         reply->element[1]->type != REDIS_REPLY_ARRAY))
        err = GH_ERR_IO;
    if (err != GH_OK) {
        t->err = err;
    } else {
        gone = reply->element[0];
        due = reply->element[1];
        for (size_t i = 0; i < gone->elements; i++)
            add_gone(t, &group->user, gone->element[i]);
        for (size_t i = 0; i < due->elements; i++)
            add_rotated(t, due->element[i]);
    }
    free(group);
    done(t);
}

static int by_user(const void *a, const void *b)
{
    const Gh__SessionTouchItem *x = *(Gh__SessionTouchItem *const *)a;
    const Gh__SessionTouchItem *y = *(Gh__SessionTouchItem *const *)b;

    if (x->user.len != y->user.len) return x->user.len < y->user.len ? -1 : 1;
    return memcmp(x->user.data, y->user.data, x->user.len);
}

static enum gh_err send_group(struct touching *t, const Gh__SessionTouch *msg,
                              Gh__SessionTouchItem *const *items, size_t count)
{
    struct group *group = malloc(sizeof(*group));
    struct args args;
    enum gh_err err;

    if (group == NULL) return GH_ERR_NOMEM;
    group->touching = t;
    err = session_user_make(items[0]->user, &group->user);
    if (err != GH_OK) {
        free(group);
        return err;
    }
    session_args_begin(t->session, &group->user.keys, &args);
    args_u64(&args, t->session->cfg.idle_ms);
    args_data(&args, msg->edge);
    args_u64(&args, msg->edge_boot_id);
    args_u64(&args, t->session->cfg.csrf_rotate_ms);
    for (size_t i = 0; i < count; i++) {
        args_data(&args, items[i]->session_id);
        args_u64(&args, items[i]->messages_in);
        args_u64(&args, items[i]->messages_out);
    }
    err = args_script(&args, t->session->redis, &session_script_touch, 2, on_touched, group);
    args_done(&args);
    if (err == GH_OK)
        t->left++;
    else
        free(group);
    return err;
}

static bool valid(const Gh__SessionTouch *msg)
{
    if (msg->n_items > ITEMS_MAX || msg->edge.len == 0 || msg->edge.len > GH_BUS_INSTANCE_MAX)
        return false;
    for (size_t i = 0; i < msg->n_items; i++) {
        const Gh__SessionTouchItem *item = msg->items[i];

        if (!session_id_valid(item->session_id.data, item->session_id.len) || item->user.len == 0 ||
            item->user.len > SESSION_USER_MAX || item->messages_in > INT64_MAX ||
            item->messages_out > INT64_MAX)
            return false;
    }
    return true;
}

enum gh_err session_on_touch(void *ctx, const struct gh_peer *peer, const void *body,
                             struct gh_reply *reply)
{
    static const char *const get_version[] = { "GET", SESSION_ORDERS_KEY };
    const Gh__SessionTouch *msg = body;
    struct session *session = ctx;
    Gh__SessionTouchItem *items[ITEMS_MAX];
    struct touching *t;

    (void)peer;
    if (!valid(msg)) return GH_ERR_BAD_MESSAGE;
    t = malloc(sizeof(*t));
    if (t == NULL) return GH_ERR_NOMEM;
    t->session = session;
    t->reply = reply;
    t->left = 1;
    t->err = GH_OK;
    t->orders_version = 0;
    t->gone_count = t->rotated_count = 0;
    *session->touched += msg->n_items;
    if (msg->n_items > 0) {
        memcpy(items, msg->items, msg->n_items * sizeof(items[0]));
        qsort(items, msg->n_items, sizeof(items[0]), by_user);
    }
    for (size_t i = 0, n; i < msg->n_items && t->err == GH_OK; i += n) {
        for (n = 1; i + n < msg->n_items && by_user(&items[i], &items[i + n]) == 0; n++)
            ;
        t->err = send_group(t, msg, &items[i], n);
    }
    if (t->err == GH_OK)
        t->err = gh_redis_command(session->redis, on_version, t, 2, get_version, NULL);
    if (t->err == GH_OK) t->left++;
    done(t);
    return GH_OK;
}
