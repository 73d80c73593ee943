#include "session.h"

#include "common/clock.h"
#include "common/code.h"
#include "common/log.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ORDER_MAX     2000u
#define OUTAGE_MIN_MS 500 /* shorter ones cost no heartbeat */
#define REPLAY_MAX    65536u

struct session_orders { /* gathered until the version for them is known */
    size_t count;
    Gh__SessionGone items[ORDER_MAX];
    Gh__SessionGone *list[ORDER_MAX];
    char ids[ORDER_MAX][SESSION_ID_LEN];
    struct session *session; /* NULL: the service has ended */
};

/* ---- orders ---- */

static void push_orders(struct session_orders *orders, uint64_t version)
{
    Gh__SessionOrder order = GH__SESSION_ORDER__INIT;
    struct session *session = orders->session;

    if (version > session->orders_version) session->orders_version = version;
    order.version = version;
    order.n_gone = orders->count;
    order.gone = orders->list;
    if (session->server == NULL) return;
    gh_server_set_orders_version(session->server, session->orders_version);
    (void)gh_server_push_all(session->server, GH_ROLE_EDGE, GH__ENVELOPE__BODY_SESSION_ORDER,
                             &order);
}

static void on_version(void *ctx, enum gh_err err, const redisReply *reply)
{
    struct session_orders *orders = ctx;
    uint64_t version = 0;

    /* Without a number they are told all the same: the edges end what is named, whatever the
     * version. */
    if (err == GH_OK && reply->type == REDIS_REPLY_INTEGER) version = (uint64_t)reply->integer;
    push_orders(orders, version);
    free(orders);
}

static void flush_orders(struct session *session)
{
    const char *argv[] = { "INCR", SESSION_ORDERS_KEY };
    struct session_orders *orders = session->orders;

    if (orders == NULL) return;
    session->orders = NULL;
    orders->session = session;
    if (gh_redis_command(session->redis, on_version, orders, 2, argv, NULL) == GH_OK) return;
    push_orders(orders, 0);
    free(orders);
}

static void order(struct session *session, const char *id, uint32_t code, uint64_t generation)
{
    struct session_orders *orders;
    size_t at;

    if (session->orders == NULL) {
        session->orders = malloc(sizeof(*session->orders));
        if (session->orders == NULL) return; /* the next touch tells its edge */
        session->orders->count = 0;
    }
    orders = session->orders;
    at = orders->count++;
    gh__session_gone__init(&orders->items[at]);
    memcpy(orders->ids[at], id, SESSION_ID_LEN);
    orders->items[at].session_id = gh_bytes(orders->ids[at], SESSION_ID_LEN);
    orders->items[at].code = code;
    orders->items[at].generation = generation;
    orders->list[at] = &orders->items[at];
    if (orders->count == ORDER_MAX) flush_orders(session);
}

/* ---- users, arguments, rows ---- */

enum gh_err session_user_make(ProtobufCBinaryData name, struct session_user *ret_user)
{
    if (name.len == 0 || name.len > SESSION_USER_MAX) return GH_ERR_BAD_MESSAGE;
    memcpy(ret_user->name, name.data, name.len);
    ret_user->len = name.len;
    session_keys_make(name.data, name.len, &ret_user->keys);
    return GH_OK;
}

static uint64_t slack_now(const struct session *session)
{
    return gh_clock_mono_ms() < session->slack_until_ms ? session->slack_ms : 0;
}

void session_args_begin(const struct session *session, const struct session_keys *keys,
                        struct args *args)
{
    args_init(args);
    args_str(args, keys->live);
    args_str(args, keys->born);
    args_str(args, keys->base);
    args_u64(args, session->cfg.tombstone_ms);
    args_u64(args, slack_now(session));
}

enum gh_err session_row_parse(const redisReply *row, struct session_ended_row *ret_row)
{
    if (row->type != REDIS_REPLY_ARRAY || row->elements != 4 ||
        row->element[0]->type != REDIS_REPLY_STRING ||
        !session_id_valid(row->element[0]->str, row->element[0]->len) ||
        row->element[1]->type != REDIS_REPLY_INTEGER ||
        row->element[2]->type != REDIS_REPLY_STRING || row->element[3]->type != REDIS_REPLY_STRING)
        return GH_ERR_BAD_MESSAGE;
    *ret_row = (struct session_ended_row){
        .id = row->element[0]->str,
        .code = (uint32_t)row->element[1]->integer,
        .address = row->element[2]->str,
        .address_len = row->element[2]->len,
        .stamp = row->element[3]->len == SESSION_STAMP_LEN ? row->element[3]->str : NULL,
    };
    return GH_OK;
}

/* ---- indexes ---- */

static void run(struct session *session, struct args *args)
{
    /* Not waited for: an index may name too much, and the sweep mends it. */
    if (args_command(args, session->redis, NULL, NULL) != GH_OK) (*session->redis_failed)++;
    args_done(args);
}

void session_index_add(struct session *session, const struct session_user *user, const char *id,
                       const char *stamp, ProtobufCBinaryData address, uint64_t expires_ms)
{
    const uint64_t life_ms = session->cfg.max_age_ms + session->cfg.tombstone_ms;
    char key[SESSION_KEY_BYTES], entry[SESSION_ENTRY_MAX];
    size_t entry_len = session_entry_make(id, stamp, user->name, user->len, entry);
    struct args args;

    args_init(&args);
    session_key_of_id(id, key);
    args_str(&args, "SET");
    args_str(&args, key);
    args_bytes(&args, user->name, user->len);
    args_str(&args, "PX");
    args_u64(&args, life_ms);
    run(session, &args);

    session_key_of_shard(user->keys.shard, key);
    args_str(&args, "ZADD");
    args_str(&args, key);
    args_str(&args, "0");
    args_bytes(&args, entry, entry_len);
    run(session, &args);

    session_key_of_address(address.data, address.len, key);
    args_str(&args, "ZADD");
    args_str(&args, key);
    args_u64(&args, expires_ms);
    args_bytes(&args, entry, entry_len);
    run(session, &args);
    args_str(&args, "PEXPIRE");
    args_str(&args, key);
    args_u64(&args, life_ms);
    run(session, &args);
}

void session_index_remove(struct session *session, const struct session_user *user, const char *id,
                          const char *stamp, const char *address, size_t address_len)
{
    char key[SESSION_KEY_BYTES], entry[SESSION_ENTRY_MAX];
    size_t entry_len = session_entry_make(id, stamp, user->name, user->len, entry);
    struct args args;

    args_init(&args);
    session_key_of_id(id, key);
    args_str(&args, "DEL");
    args_str(&args, key);
    run(session, &args);

    session_key_of_shard(user->keys.shard, key);
    args_str(&args, "ZREM");
    args_str(&args, key);
    args_bytes(&args, entry, entry_len);
    run(session, &args);

    if (address_len == 0) return; /* its set expires by itself */
    session_key_of_address(address, address_len, key);
    args_str(&args, "ZREM");
    args_str(&args, key);
    args_bytes(&args, entry, entry_len);
    run(session, &args);
}

/* ---- ends ---- */

void session_ended_one(struct session *session, const struct session_user *user,
                       const struct session_ended_row *row, bool push)
{
    if (row->stamp != NULL)
        session_index_remove(session, user, row->id, row->stamp, row->address, row->address_len);
    if (row->code == GH_CODE_OK) return; /* only an index entry that named nothing */
    ledger_add(session->ledger, row->id, user->name, user->len, row->code, gh_clock_mono_ms());
    if (row->code < GH_CODE_COUNT) (*session->ended[row->code])++;
    if (push) order(session, row->id, row->code, 0);
}

void session_order_moved(struct session *session, const char *id, uint64_t generation)
{
    order(session, id, GH_CODE_SUPERSEDED, generation);
    flush_orders(session);
}

uint32_t session_ended(struct session *session, const struct session_user *user,
                       const redisReply *rows, bool push)
{
    uint32_t count = 0;

    if (rows->type != REDIS_REPLY_ARRAY) return 0;
    for (size_t i = 0; i < rows->elements; i++) {
        struct session_ended_row row;

        if (session_row_parse(rows->element[i], &row) != GH_OK) continue;
        session_ended_one(session, user, &row, push);
        if (row.code != GH_CODE_OK) count++;
    }
    flush_orders(session);
    return count;
}

enum gh_err session_end_of_user(struct session *session, const struct session_user *user,
                                uint32_t code, ProtobufCBinaryData address, const char *const *ids,
                                size_t count, gh_redis_fn fn, void *ctx)
{
    struct args args;
    enum gh_err err;

    session_args_begin(session, &user->keys, &args);
    args_u64(&args, code);
    args_u64(&args, session->cfg.max_age_ms);
    args_data(&args, address);
    for (size_t i = 0; i < count; i++)
        args_bytes(&args, ids[i], SESSION_ID_LEN);
    err = args_script(&args, session->redis, &session_script_end, 2, fn, ctx);
    args_done(&args);
    return err;
}

/* ---- Redis comes back ---- */

struct replay {
    struct session *session;
    struct session_user user;
};

static void on_replayed(void *ctx, enum gh_err err, const redisReply *reply)
{
    struct replay *replay = ctx;

    if (err == GH_OK) (void)session_ended(replay->session, &replay->user, reply, true);
    free(replay);
}

/* Everything that ended of late ends again: what Redis forgot of it must not come back to life. */
static void replay_ledger(struct session *session)
{
    size_t count = ledger_count(session->ledger), done = 0;

    /* Backwards: what replaying notes anew is behind and is not replayed again. */
    for (size_t i = count; i-- > 0 && done < REPLAY_MAX; done++) {
        const struct ledger_note *note = ledger_at(session->ledger, i);
        struct replay *replay = malloc(sizeof(*replay));
        const char *id = note->session_id;

        if (replay == NULL) return;
        replay->session = session;
        if (session_user_make(gh_bytes(note->user, note->user_len), &replay->user) != GH_OK ||
            session_end_of_user(session, &replay->user, note->code, gh_bytes("", 0), &id, 1,
                                on_replayed, replay) != GH_OK) {
            free(replay);
            return; /* gone again; the next connect starts over */
        }
    }
    if (count > 0) gh_log(GH_LOG_INFO, "ends_replayed", "count=%zu", count);
}

static void watch_redis(struct session *session)
{
    const int64_t now_ms = gh_clock_mono_ms();

    if (!gh_redis_up(session->redis)) {
        if (session->down_since_ms == 0) session->down_since_ms = now_ms;
        return;
    }
    if (session->down_since_ms != 0) {
        uint64_t outage_ms = (uint64_t)(now_ms - session->down_since_ms);

        session->down_since_ms = 0;
        /* No edge could touch while Redis was away: nobody is dead for that. */
        if (outage_ms >= OUTAGE_MIN_MS) {
            uint64_t slack_ms = outage_ms + slack_now(session);

            session->slack_ms = slack_ms;
            session->slack_until_ms = now_ms + (int64_t)session->cfg.idle_ms;
        }
    }
    if (gh_redis_connects(session->redis) != session->connects) {
        session->connects = gh_redis_connects(session->redis);
        replay_ledger(session);
    }
    ledger_trim(session->ledger, now_ms);
}

/* ---- life ---- */

static void on_timer(uv_timer_t *timer)
{
    struct session *session = timer->data;

    watch_redis(session);
    session_sweep_step(session);
}

static uint64_t read_redis_up(void *ctx)
{
    return gh_redis_up(((struct session *)ctx)->redis);
}

static void make_metrics(struct session *s, struct gh_metrics *metrics)
{
#define COUNTER(name, labels, help)                                                                \
    gh_metrics_counter(metrics, "gatehouse_session_" name, labels, help)
    s->created = COUNTER("created_total", NULL, "Sessions begun.");
    s->refused_limit = COUNTER("refused_total", "code=\"session_limit\"", "Sessions refused.");
    s->hijack = COUNTER("hijack_suspected_total", NULL, "Signs of a session in other hands.");
    s->touched = COUNTER("touched_total", NULL, "Heartbeats of sessions.");
    s->renewed = COUNTER("renewed_total", NULL, "Sessions given a new credential.");
    s->resumed = COUNTER("resumed_total", NULL, "Sessions had back by their clients.");
    s->resume_refused = COUNTER("resume_refused_total", NULL, "Wrong secrets and ended sessions.");
    s->resume_late = COUNTER("resume_late_total", NULL, "Asked for too late; a new one was begun.");
    s->appended = COUNTER("appended_total", NULL, "Messages kept for clients that may resume.");
    s->detached = COUNTER("detached_total", NULL, "Sessions whose connection went away.");
    s->redis_failed = COUNTER("redis_failures_total", NULL, "What Redis did not do.");
    for (uint32_t code = 0; code < GH_CODE_COUNT; code++) {
        char labels[64];

        (void)snprintf(labels, sizeof(labels), "code=\"%s\"", gh_code_info(code)->name);
        s->ended[code] = COUNTER("ended_total", labels, "Sessions ended, by reason.");
    }
#undef COUNTER
    gh_metrics_gauge_fn(metrics, "gatehouse_session_redis_up", NULL, "1 while Redis answers.",
                        read_redis_up, s);
}

enum gh_err session_new(uv_loop_t *loop, const struct session_config *cfg,
                        const struct gh_redis_config *redis, struct gh_metrics *metrics,
                        struct session **ret_session)
{
    struct session *session = calloc(1, sizeof(*session));
    enum gh_err err;

    if (session == NULL) return GH_ERR_NOMEM;
    session->cfg = *cfg;
    /* While this service was away nobody could touch either. */
    session->slack_ms = cfg->idle_ms;
    session->slack_until_ms = gh_clock_mono_ms() + (int64_t)cfg->idle_ms;
    make_metrics(session, metrics);
    err = ledger_new(&session->ledger);
    if (err == GH_OK) err = session_sweep_new(session);
    if (err == GH_OK) err = gh_redis_new(loop, redis, &session->redis);
    if (err != GH_OK) {
        session_free(session);
        return err;
    }
    (void)uv_timer_init(loop, &session->timer);
    session->timer.data = session;
    session->timer_open = true;
    (void)uv_timer_start(&session->timer, on_timer, cfg->sweep_ms, cfg->sweep_ms);
    *ret_session = session;
    return GH_OK;
}

static void free_now(struct session *session)
{
    session_sweep_free(session->sweep);
    ledger_free(session->ledger);
    free(session->orders);
    free(session);
}

static void on_closed(uv_handle_t *handle)
{
    free_now(handle->data);
}

void session_free(struct session *session)
{
    if (session == NULL) return;
    session->server = NULL;
    gh_redis_free(session->redis); /* what is pending is answered here and now */
    if (session->timer_open)
        uv_close((uv_handle_t *)&session->timer, on_closed);
    else
        free_now(session);
}

bool session_ready(void *ctx)
{
    return gh_redis_up(((struct session *)ctx)->redis);
}
