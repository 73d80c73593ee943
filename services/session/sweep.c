/*
 * The walk over the index that finds what nobody touches any more: sessions of an edge that died,
 * entries that name nothing. One page at a time; a whole walk takes about half the idle time, so
 * what is dead is gone after one and a half.
 */
#include "session.h"

#include "common/clock.h"
#include "common/code.h"
#include "common/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGE 256u

struct session_sweep {
    struct session *session;
    unsigned shard;
    size_t after_len;
    char after[SESSION_ENTRY_MAX];
    bool full_page;
    unsigned left; /* answers to come; 0: no page is being looked at */
    size_t walked; /* entries in this walk so far */
    size_t budget; /* entries each step may look at */
    size_t step_left;
    uint32_t ended;
};

struct group {
    struct session_sweep *sweep;
    struct session_user user;
};

static void read_page(struct session_sweep *sweep);

enum gh_err session_sweep_new(struct session *session)
{
    struct session_sweep *sweep = calloc(1, sizeof(*sweep));

    if (sweep == NULL) return GH_ERR_NOMEM;
    sweep->session = session;
    sweep->budget = PAGE;
    session->sweep = sweep;
    return GH_OK;
}

void session_sweep_free(struct session_sweep *sweep)
{
    free(sweep);
}

static void walk_done(struct session_sweep *sweep)
{
    const struct session_config *cfg = &sweep->session->cfg;
    uint64_t steps = cfg->idle_ms / 2 / cfg->sweep_ms;

    if (sweep->ended > 0) {
        gh_log(GH_LOG_INFO, "sessions_swept", "ended=%u of=%zu", sweep->ended, sweep->walked);
        gh_audit_emit(
            sweep->session->audit, GH_SEV_INFO, "session.swept",
            &(struct gh_audit_event){ .fields = { { "count", .number = sweep->ended } } });
    }
    sweep->budget = steps > 0 ? sweep->walked / steps + PAGE : sweep->walked + PAGE;
    sweep->walked = 0;
    sweep->ended = 0;
    sweep->shard = 0;
}

static void page_done(struct session_sweep *sweep, bool failed)
{
    if (--sweep->left > 0 || failed) return;
    if (!sweep->full_page) {
        sweep->after_len = 0;
        if (++sweep->shard == SESSION_SHARDS) {
            walk_done(sweep);
            return;
        }
    }
    if (sweep->step_left > 0) read_page(sweep);
}

static void on_swept(void *ctx, enum gh_err err, const redisReply *reply)
{
    struct group *group = ctx;
    struct session_sweep *sweep = group->sweep;

    if (err == GH_OK) sweep->ended += session_ended(sweep->session, &group->user, reply, true);
    free(group);
    page_done(sweep, err != GH_OK);
}

static int by_user(const void *a, const void *b)
{
    const struct session_entry *x = a, *y = b;

    if (x->user_len != y->user_len) return x->user_len < y->user_len ? -1 : 1;
    return memcmp(x->user, y->user, x->user_len);
}

static void look_at(struct session_sweep *sweep, const struct session_entry *entries, size_t count)
{
    struct session *session = sweep->session;
    struct group *group = malloc(sizeof(*group));
    const int64_t stale_ms = (int64_t)session->cfg.stale_ms;
    char stale[SESSION_STAMP_LEN + 1];
    struct args args;
    enum gh_err err;

    if (group == NULL) return;
    group->sweep = sweep;
    if (session_user_make(gh_bytes(entries[0].user, entries[0].user_len), &group->user) != GH_OK) {
        free(group);
        return;
    }
    session_stamp_make(gh_clock_wall_ms() - stale_ms, stale);
    session_args_begin(session, &group->user.keys, &args);
    args_bytes(&args, stale, SESSION_STAMP_LEN);
    for (size_t i = 0; i < count; i++) {
        args_bytes(&args, entries[i].session_id, SESSION_ID_LEN);
        args_bytes(&args, entries[i].stamp, SESSION_STAMP_LEN);
    }
    err = args_script(&args, session->redis, &session_script_sweep, 2, on_swept, group);
    args_done(&args);
    if (err == GH_OK)
        sweep->left++;
    else
        free(group);
}

static void on_page(void *ctx, enum gh_err err, const redisReply *reply)
{
    struct session_sweep *sweep = ctx;
    struct session_entry entries[PAGE];
    size_t count = 0;

    if (err != GH_OK || reply->type != REDIS_REPLY_ARRAY || reply->elements > PAGE) {
        page_done(sweep, true);
        return;
    }
    sweep->full_page = reply->elements == PAGE;
    sweep->walked += reply->elements;
    sweep->step_left -= reply->elements < sweep->step_left ? reply->elements : sweep->step_left;
    for (size_t i = 0; i < reply->elements; i++) {
        const redisReply *entry = reply->element[i];

        if (session_entry_parse(entry->str, entry->len, &entries[count]) == GH_OK) count++;
        if (entry->len > 0 && entry->len <= SESSION_ENTRY_MAX) {
            memcpy(sweep->after, entry->str, entry->len);
            sweep->after_len = entry->len;
        }
    }
    qsort(entries, count, sizeof(entries[0]), by_user);
    for (size_t i = 0, n; i < count; i += n) {
        for (n = 1; i + n < count && by_user(&entries[i], &entries[i + n]) == 0; n++)
            ;
        look_at(sweep, &entries[i], n);
    }
    page_done(sweep, false);
}

static void read_page(struct session_sweep *sweep)
{
    char key[SESSION_KEY_BYTES], from[SESSION_ENTRY_MAX + 1];
    struct args args;

    from[0] = sweep->after_len > 0 ? '(' : '-';
    memcpy(from + 1, sweep->after, sweep->after_len);
    session_key_of_shard(sweep->shard, key);
    args_init(&args);
    args_str(&args, "ZRANGEBYLEX");
    args_str(&args, key);
    args_bytes(&args, from, sweep->after_len + 1);
    args_str(&args, "+");
    args_str(&args, "LIMIT");
    args_str(&args, "0");
    args_u64(&args, PAGE);
    if (args_command(&args, sweep->session->redis, on_page, sweep) == GH_OK) sweep->left++;
    args_done(&args);
}

void session_sweep_step(struct session *session)
{
    struct session_sweep *sweep = session->sweep;

    if (sweep->left > 0 || !gh_redis_up(session->redis)) return;
    sweep->step_left = sweep->budget;
    read_page(sweep);
}
