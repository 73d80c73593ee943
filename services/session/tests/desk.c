#include "desk.h"

#include "common/clock.h"
#include "common/code.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool desk_ready(void *ctx)
{
    struct desk *f = ctx;

    for (int i = 0; i < DESK_SERVICES; i++) {
        if (!session_ready(f->services[i])) return false;
    }
    return true;
}

static void on_push(void *ctx, uint32_t arm, const void *body)
{
    const Gh__SessionOrder *msg = body;
    struct desk *f = ctx;

    assert_int_equal(arm, GH__ENVELOPE__BODY_SESSION_ORDER);
    f->orders++;
    f->ordered += msg->n_gone;
    if (msg->n_gone > 0) f->ordered_code = msg->gone[0]->code;
}

static int begin(void **state, const char *text)
{
    struct desk *f = calloc(1, sizeof(*f));
    struct gh_redis_config redis;

    assert_non_null(f);
    stage_init(&f->stage, true, NULL);
    f->config = stage_config(&f->stage, text);
    assert_int_equal(session_config_load(f->config, &f->cfg), GH_OK);
    stage_redis_config(&f->stage, &redis);
    redis.timeout_ms = 500;
    for (int i = 0; i < DESK_SERVICES; i++) {
        assert_int_equal(
            session_new(&f->stage.loop, &f->cfg, &redis, f->stage.metrics, &f->services[i]), GH_OK);
        f->services[i]->slack_ms = 0; /* as if it had been up for long */
        f->services[i]->server = stage_serve(&f->stage, "session", session_routes, f->services[i]);
    }
    stage_spin(&f->stage, desk_ready, f);
    stage_call_as_edges(&f->stage, "session", GH_ROLE_SESSION, f->edges, DESK_EDGES);
    f->ctl = stage_call_as(&f->stage, "session", GH_ROLE_CTL, GH_ROLE_SESSION, "ctl");
    f->edges[3]->on_push = on_push;
    f->edges[3]->ctx = f;
    *state = f;
    return 0;
}

#define CONFIG(limit, policy, idle)                                                                \
    "session:\n  max_age: 1h\n  max_per_user: " limit "\n  on_limit: " policy "\n  idle: " idle    \
    "\n  sweep: 10ms\n"

int desk_setup(void **state)
{
    return begin(state, CONFIG("3", "refuse", "2m"));
}

int desk_setup_oldest(void **state)
{
    return begin(state, CONFIG("3", "end_oldest", "2m"));
}

int desk_setup_idle(void **state)
{
    return begin(state, CONFIG("3", "refuse", "4s"));
}

int desk_setup_rotate(void **state)
{
    return begin(state, CONFIG("3", "refuse", "2m") "  csrf_rotate: 2s\n");
}

int desk_setup_many(void **state)
{
    return begin(state, CONFIG("1000", "refuse", "2m"));
}

int desk_teardown(void **state)
{
    struct desk *f = *state;

    for (int i = 0; i < DESK_SERVICES; i++)
        session_free(f->services[i]);
    stage_done(&f->stage);
    gh_config_free(f->config);
    free(f);
    return 0;
}

/* ---- asking ---- */

uint64_t desk_in_ms(int64_t ms)
{
    return (uint64_t)(gh_clock_wall_ms() + ms);
}

void desk_on_created(void *ctx, enum gh_err err, const void *body)
{
    const Gh__SessionCreated *msg = body;
    struct desk *f = ctx;

    if (err != GH_OK) return;
    f->code = msg->code;
    f->retry_ms = msg->retry_after_ms;
    f->expires_ms = msg->expires_ms;
    if (msg->code != GH_CODE_OK) return;
    assert_int_equal(gh_bytes_copy(msg->session_id, f->id, sizeof(f->id)), GH_OK);
    assert_int_equal(gh_bytes_copy(msg->csrf_token, f->csrf, sizeof(f->csrf)), GH_OK);
}

void desk_fill_create(Gh__SessionCreate *msg, const char *user, const char *address, int edge,
                      uint64_t expires_ms)
{
    static const char *const names[DESK_EDGES] = { "edge-0", "edge-1", "edge-2", "edge-3" };

    gh__session_create__init(msg);
    msg->user = gh_bytes_str(user);
    msg->address = gh_bytes_str(address);
    msg->agent = gh_bytes_str("test/1.0");
    msg->route = gh_bytes_str("main");
    msg->token_id = gh_bytes_str("jti");
    msg->edge = gh_bytes_str(names[edge]);
    msg->edge_boot_id = 77;
    msg->request_id = gh_bytes_str("r1");
    msg->expires_ms = expires_ms;
}

uint32_t desk_create_at(struct desk *f, const char *user, const char *address, int edge,
                        uint64_t expires_ms)
{
    Gh__SessionCreate msg;

    desk_fill_create(&msg, user, address, edge, expires_ms);
    assert_int_equal(stage_ask(f->edges[edge], GH__ENVELOPE__BODY_SESSION_CREATE, &msg,
                               GH__ENVELOPE__BODY_SESSION_CREATED, desk_on_created, f),
                     GH_OK);
    return f->code;
}

uint32_t desk_create(struct desk *f, const char *user)
{
    return desk_create_at(f, user, "192.0.2.1", 0, desk_in_ms(600000));
}

static void on_touched(void *ctx, enum gh_err err, const void *body)
{
    const Gh__SessionTouched *msg = body;
    struct desk *f = ctx;

    if (err != GH_OK) return;
    f->gone = msg->n_gone;
    f->rotated = msg->n_rotated;
    f->orders_version = msg->orders_version;
    if (msg->n_gone > 0) {
        f->gone_code = msg->gone[0]->code;
        assert_int_equal(gh_bytes_copy(msg->gone[0]->session_id, f->gone_id, sizeof(f->gone_id)),
                         GH_OK);
    }
    if (msg->n_rotated > 0)
        assert_int_equal(gh_bytes_copy(msg->rotated[0]->csrf_token, f->csrf, sizeof(f->csrf)),
                         GH_OK);
}

enum gh_err desk_touch(struct desk *f, int edge, uint64_t boot, const struct desk_live *live,
                       size_t n)
{
    Gh__SessionTouch msg = GH__SESSION_TOUCH__INIT;
    Gh__SessionTouchItem items[8];
    Gh__SessionTouchItem *list[8];
    char name[16];

    (void)snprintf(name, sizeof(name), "edge-%d", edge);
    for (size_t i = 0; i < n; i++) {
        gh__session_touch_item__init(&items[i]);
        items[i].session_id = gh_bytes_str(live[i].id);
        items[i].user = gh_bytes_str(live[i].user);
        items[i].messages_in = 5;
        items[i].messages_out = 7;
        list[i] = &items[i];
    }
    msg.edge = gh_bytes_str(name);
    msg.edge_boot_id = boot;
    msg.n_items = n;
    msg.items = list;
    return stage_ask(f->edges[edge], GH__ENVELOPE__BODY_SESSION_TOUCH, &msg,
                     GH__ENVELOPE__BODY_SESSION_TOUCHED, on_touched, f);
}

static void on_ended(void *ctx, enum gh_err err, const void *body)
{
    struct desk *f = ctx;

    if (err == GH_OK) f->count = ((const Gh__SessionEnded *)body)->count;
}

enum gh_err desk_end(struct desk *f, struct stage_caller *by, const char *id, const char *user,
                     const char *address, bool quiet)
{
    Gh__SessionEnd msg = GH__SESSION_END__INIT;

    msg.session_id = gh_bytes_str(id);
    msg.user = gh_bytes_str(user);
    msg.address = gh_bytes_str(address);
    msg.reason = gh_bytes_str("test");
    msg.quiet = quiet;
    f->count = 99;
    return stage_ask(by, GH__ENVELOPE__BODY_SESSION_END, &msg, GH__ENVELOPE__BODY_SESSION_ENDED,
                     on_ended, f);
}

static void on_listed(void *ctx, enum gh_err err, const void *body)
{
    const Gh__SessionListed *msg = body;
    struct desk *f = ctx;

    if (err != GH_OK) return;
    f->listed += msg->n_sessions;
    assert_int_equal(gh_bytes_copy(msg->cursor, f->cursor, sizeof(f->cursor)), GH_OK);
    if (msg->n_sessions > 0) {
        const Gh__SessionRecord *record = msg->sessions[0];

        assert_int_equal(gh_bytes_copy(record->user, f->user, sizeof(f->user)), GH_OK);
        assert_int_equal(gh_bytes_copy(record->session_id, f->id, sizeof(f->id)), GH_OK);
        f->messages_in = record->messages_in;
        assert_true(record->created_ms > 0 && record->expires_ms > record->created_ms);
        assert_true(gh_bytes_eq(record->agent, "test/1.0"));
        assert_true(gh_bytes_eq(record->state, "active"));
    }
}

size_t desk_list(struct desk *f, const char *user, uint32_t limit)
{
    Gh__SessionList msg = GH__SESSION_LIST__INIT;

    f->listed = 0;
    f->cursor[0] = '\0';
    do {
        msg.user = gh_bytes_str(user);
        msg.cursor = gh_bytes_str(f->cursor);
        msg.limit = limit;
        assert_int_equal(stage_ask(f->ctl, GH__ENVELOPE__BODY_SESSION_LIST, &msg,
                                   GH__ENVELOPE__BODY_SESSION_LISTED, on_listed, f),
                         GH_OK);
    } while (f->cursor[0] != '\0');
    return f->listed;
}

long long desk_count_keys(struct desk *f)
{
    redisReply *reply = redis_server_call(f->stage.redis, "DBSIZE");
    long long n = reply->integer;

    freeReplyObject(reply);
    return n;
}

static void on_renewed(void *ctx, enum gh_err err, const void *body)
{
    const Gh__SessionRenewed *msg = body;
    struct desk *f = ctx;

    if (err != GH_OK) return;
    f->code = msg->code;
    f->expires_ms = msg->expires_ms;
    if (msg->code == GH_CODE_OK)
        assert_int_equal(gh_bytes_copy(msg->csrf_token, f->csrf, sizeof(f->csrf)), GH_OK);
}

uint32_t desk_renew(struct desk *f, const char *id, const char *user, uint64_t expires_ms)
{
    Gh__SessionRenew msg = GH__SESSION_RENEW__INIT;

    msg.session_id = gh_bytes_str(id);
    msg.user = gh_bytes_str(user);
    msg.token_id = gh_bytes_str("jti2");
    msg.expires_ms = expires_ms;
    assert_int_equal(stage_ask(f->edges[0], GH__ENVELOPE__BODY_SESSION_RENEW, &msg,
                               GH__ENVELOPE__BODY_SESSION_RENEWED, on_renewed, f),
                     GH_OK);
    return f->code;
}
