/* The session service's handlers over the bus, with a real Redis. */
#include "handlers.h"
#include "session.h"

#include "common/clock.h"
#include "common/code.h"
#include "support/stage.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EDGES    4
#define SERVICES 2

struct fixture {
    struct stage stage;
    struct gh_config *config;
    struct session_config cfg;
    struct session *services[SERVICES];
    struct stage_caller *edges[EDGES];
    struct stage_caller *ctl;
    /* of the last answer */
    uint32_t code, count;
    uint64_t expires_ms, retry_ms, orders_version;
    char id[SESSION_ID_LEN + 1], csrf[SESSION_CSRF_LEN + 1];
    size_t gone, rotated, listed;
    uint32_t gone_code;
    char gone_id[SESSION_ID_LEN + 1];
    char cursor[512], user[300];
    uint64_t messages_in;
    /* orders pushed to edge 3 */
    unsigned orders, ordered;
    uint32_t ordered_code;
};

static bool ready(void *ctx)
{
    struct fixture *f = ctx;

    for (int i = 0; i < SERVICES; i++) {
        if (!session_ready(f->services[i])) return false;
    }
    return true;
}

static void on_push(void *ctx, uint32_t arm, const void *body)
{
    const Gh__SessionOrder *msg = body;
    struct fixture *f = ctx;

    assert_int_equal(arm, GH__ENVELOPE__BODY_SESSION_ORDER);
    f->orders++;
    f->ordered += msg->n_gone;
    if (msg->n_gone > 0) f->ordered_code = msg->gone[0]->code;
}

static void open_all(struct fixture *f, const char *text, const char *const *redis_extra)
{
    struct gh_redis_config redis;

    stage_init(&f->stage, true, redis_extra);
    f->config = stage_config(&f->stage, text);
    assert_int_equal(session_config_load(f->config, &f->cfg), GH_OK);
    stage_redis_config(&f->stage, &redis);
    redis.timeout_ms = 500;
    for (int i = 0; i < SERVICES; i++) {
        assert_int_equal(
            session_new(&f->stage.loop, &f->cfg, &redis, f->stage.metrics, &f->services[i]), GH_OK);
        f->services[i]->slack_ms = 0; /* as if it had been up for long */
        f->services[i]->server = stage_serve(&f->stage, "session", session_routes, f->services[i]);
    }
    stage_spin(&f->stage, ready, f);
    for (int i = 0; i < EDGES; i++) {
        char name[16];

        (void)snprintf(name, sizeof(name), "edge-%d", i);
        f->edges[i] = stage_call_as(&f->stage, "session", GH_ROLE_EDGE, GH_ROLE_SESSION, name);
    }
    f->ctl = stage_call_as(&f->stage, "session", GH_ROLE_CTL, GH_ROLE_SESSION, "ctl");
    f->edges[3]->on_push = on_push;
    f->edges[3]->ctx = f;
}

#define CONFIG(limit, policy, idle)                                                                \
    "session:\n  max_age: 1h\n  max_per_user: " limit "\n  on_limit: " policy "\n  idle: " idle    \
    "\n  sweep: 10ms\n"

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    open_all(f, CONFIG("3", "refuse", "2m"), NULL);
    *state = f;
    return 0;
}

static int setup_oldest(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    open_all(f, CONFIG("3", "end_oldest", "2m"), NULL);
    *state = f;
    return 0;
}

static int setup_idle(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    open_all(f, CONFIG("3", "refuse", "4s"), NULL);
    *state = f;
    return 0;
}

static int setup_rotate(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    open_all(f, CONFIG("3", "refuse", "2m") "  csrf_rotate: 2s\n", NULL);
    *state = f;
    return 0;
}

static int setup_many(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    open_all(f, CONFIG("1000", "refuse", "2m"), NULL);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    for (int i = 0; i < SERVICES; i++)
        session_free(f->services[i]);
    stage_done(&f->stage);
    gh_config_free(f->config);
    free(f);
    return 0;
}

/* ---- asking ---- */

static uint64_t in_ms(int64_t ms)
{
    return (uint64_t)(gh_clock_wall_ms() + ms);
}

static void on_created(void *ctx, enum gh_err err, const void *body)
{
    const Gh__SessionCreated *msg = body;
    struct fixture *f = ctx;

    if (err != GH_OK) return;
    f->code = msg->code;
    f->retry_ms = msg->retry_after_ms;
    f->expires_ms = msg->expires_ms;
    if (msg->code != GH_CODE_OK) return;
    assert_int_equal(gh_bytes_copy(msg->session_id, f->id, sizeof(f->id)), GH_OK);
    assert_int_equal(gh_bytes_copy(msg->csrf_token, f->csrf, sizeof(f->csrf)), GH_OK);
}

static void fill_create(Gh__SessionCreate *msg, const char *user, const char *address, int edge,
                        uint64_t expires_ms)
{
    static const char *const names[EDGES] = { "edge-0", "edge-1", "edge-2", "edge-3" };

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

static uint32_t create_at(struct fixture *f, const char *user, const char *address, int edge,
                          uint64_t expires_ms)
{
    Gh__SessionCreate msg;

    fill_create(&msg, user, address, edge, expires_ms);
    assert_int_equal(stage_ask(f->edges[edge], GH__ENVELOPE__BODY_SESSION_CREATE, &msg,
                               GH__ENVELOPE__BODY_SESSION_CREATED, on_created, f),
                     GH_OK);
    return f->code;
}

static uint32_t create(struct fixture *f, const char *user)
{
    return create_at(f, user, "192.0.2.1", 0, in_ms(600000));
}

static void on_touched(void *ctx, enum gh_err err, const void *body)
{
    const Gh__SessionTouched *msg = body;
    struct fixture *f = ctx;

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

struct live {
    const char *id, *user;
};

static enum gh_err touch(struct fixture *f, int edge, uint64_t boot, const struct live *live,
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
    struct fixture *f = ctx;

    if (err == GH_OK) f->count = ((const Gh__SessionEnded *)body)->count;
}

static enum gh_err end(struct fixture *f, struct stage_caller *by, const char *id, const char *user,
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
    struct fixture *f = ctx;

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

/* All pages. */
static size_t list(struct fixture *f, const char *user, uint32_t limit)
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

static long long count_keys(struct fixture *f)
{
    redisReply *reply = redis_server_call(f->stage.redis, "DBSIZE");
    long long n = reply->integer;

    freeReplyObject(reply);
    return n;
}

/* ---- tests ---- */

static void test_create(void **state)
{
    struct fixture *f = *state;
    char id[SESSION_ID_LEN + 1], csrf[SESSION_CSRF_LEN + 1];
    uint64_t cred = in_ms(600000);

    assert_int_equal(create_at(f, "alice", "192.0.2.1", 0, cred), GH_CODE_OK);
    assert_true(session_id_valid(f->id, strlen(f->id)));
    assert_int_equal(strlen(f->csrf), SESSION_CSRF_LEN);
    assert_int_equal(f->expires_ms, cred); /* the credential ends before the session's age */
    memcpy(id, f->id, sizeof(id));
    memcpy(csrf, f->csrf, sizeof(csrf));
    assert_int_equal(create_at(f, "alice", "192.0.2.1", 1, in_ms(86400000)), GH_CODE_OK);
    assert_true(f->expires_ms <= in_ms(3600000) && f->expires_ms > in_ms(3500000));
    assert_string_not_equal(id, f->id);
    assert_string_not_equal(csrf, f->csrf);
    assert_int_equal(create_at(f, "alice", "192.0.2.1", 0, in_ms(-1)), GH_CODE_TOKEN_EXPIRED);
    assert_int_equal(list(f, "alice", 10), 2);
}

static void test_create_bounds_and_authority(void **state)
{
    struct fixture *f = *state;
    Gh__SessionCreate msg;
    char user[SESSION_USER_MAX + 2], agent[2000];

    memset(user, 'u', sizeof(user));
    memset(agent, 'a', sizeof(agent));
#define ASK(who)                                                                                   \
    stage_ask(who, GH__ENVELOPE__BODY_SESSION_CREATE, &msg, GH__ENVELOPE__BODY_SESSION_CREATED,    \
              on_created, f)
    fill_create(&msg, "", "192.0.2.1", 0, in_ms(60000));
    assert_int_equal(ASK(f->edges[0]), GH_ERR_BAD_MESSAGE);
    msg.user = gh_bytes(user, SESSION_USER_MAX + 1);
    assert_int_equal(ASK(f->edges[0]), GH_ERR_BAD_MESSAGE);
    msg.user = gh_bytes(user, SESSION_USER_MAX);
    msg.agent = gh_bytes(agent, sizeof(agent)); /* cut, not refused */
    assert_int_equal(ASK(f->edges[0]), GH_OK);
    assert_int_equal(f->code, GH_CODE_OK);
    msg.user = gh_bytes("a\0{}\xff", 5); /* any bytes are a name of their own */
    assert_int_equal(ASK(f->edges[0]), GH_OK);
    assert_int_equal(f->code, GH_CODE_OK);
    msg.address = gh_bytes_str("");
    assert_int_equal(ASK(f->edges[0]), GH_ERR_BAD_MESSAGE);
    fill_create(&msg, "alice", "192.0.2.1", 0, in_ms(60000));
    assert_int_equal(ASK(f->ctl), GH_ERR_FORBIDDEN);
#undef ASK
}

static void test_limit_refuses(void **state)
{
    struct fixture *f = *state;
    char first[SESSION_ID_LEN + 1];

    assert_int_equal(create(f, "alice"), GH_CODE_OK);
    memcpy(first, f->id, sizeof(first));
    assert_int_equal(create(f, "alice"), GH_CODE_OK);
    assert_int_equal(create(f, "alice"), GH_CODE_OK);
    assert_int_equal(create(f, "alice"), GH_CODE_SESSION_LIMIT);
    assert_true(f->retry_ms >= 1000);
    assert_int_equal(create(f, "bob"), GH_CODE_OK); /* his own limit */
    assert_int_equal(end(f, f->edges[0], first, "alice", "", true), GH_OK);
    assert_int_equal(f->count, 1);
    assert_int_equal(create(f, "alice"), GH_CODE_OK);
    assert_int_equal(create(f, "alice"), GH_CODE_SESSION_LIMIT);
    assert_int_equal(list(f, "", 2), 4);
}

static bool ordered(void *ctx)
{
    return ((struct fixture *)ctx)->ordered > 0;
}

static void test_limit_ends_the_oldest(void **state)
{
    struct fixture *f = *state;
    char ids[5][SESSION_ID_LEN + 1];

    for (int i = 0; i < 5; i++) {
        assert_int_equal(create(f, "alice"), GH_CODE_OK);
        memcpy(ids[i], f->id, sizeof(ids[i]));
    }
    stage_spin(&f->stage, ordered, f);
    assert_int_equal(f->ordered_code, GH_CODE_SUPERSEDED);
    assert_int_equal(list(f, "alice", 10), 3);
    assert_int_equal(touch(f, 0, 77, (struct live[]){ { ids[0], "alice" } }, 1), GH_OK);
    assert_int_equal(f->gone, 1);
    assert_int_equal(f->gone_code, GH_CODE_SUPERSEDED);
    assert_int_equal(
        touch(f, 0, 77, (struct live[]){ { ids[2], "alice" }, { ids[4], "alice" } }, 2), GH_OK);
    assert_int_equal(f->gone, 0);
}

/* Admissions follow each other within a millisecond: each ends the one that is really the oldest.
 */
static void test_oldest_within_a_moment(void **state)
{
    struct fixture *f = *state;
    enum { ROUNDS = 200, LIMIT = 3 };
    char ids[ROUNDS][SESSION_ID_LEN + 1];

    for (int i = 0; i < ROUNDS; i++) {
        assert_int_equal(create(f, "alice"), GH_CODE_OK);
        memcpy(ids[i], f->id, sizeof(ids[i]));
        if (i < LIMIT) continue;
        assert_int_equal(touch(f, 0, 77, (struct live[]){ { ids[i - LIMIT], "alice" } }, 1), GH_OK);
        assert_int_equal(f->gone, 1);
        assert_int_equal(f->gone_code, GH_CODE_SUPERSEDED);
        assert_int_equal(touch(f, 0, 77, (struct live[]){ { ids[i - LIMIT + 1], "alice" } }, 1),
                         GH_OK);
        assert_int_equal(f->gone, 0);
    }
}

static void test_touch(void **state)
{
    struct fixture *f = *state;
    char a[SESSION_ID_LEN + 1], b[SESSION_ID_LEN + 1];

    assert_int_equal(create(f, "alice"), GH_CODE_OK);
    memcpy(a, f->id, sizeof(a));
    assert_int_equal(create(f, "bob"), GH_CODE_OK);
    memcpy(b, f->id, sizeof(b));
    assert_int_equal(touch(f, 0, 77, (struct live[]){ { a, "alice" }, { b, "bob" } }, 2), GH_OK);
    assert_int_equal(f->gone, 0);
    assert_int_equal(touch(f, 0, 77, (struct live[]){ { a, "alice" } }, 1), GH_OK);
    assert_int_equal(list(f, "alice", 1), 1);
    assert_int_equal(f->messages_in, 10);
    /* Never begun, of somebody else, on another edge, in another life of the edge. */
    assert_int_equal(touch(f, 0, 77, (struct live[]){ { "AAAAAAAAAAAAAAAAAAAAAA", "alice" } }, 1),
                     GH_OK);
    assert_int_equal(f->gone_code, GH_CODE_SESSION_ENDED);
    f->gone = 0;
    assert_int_equal(touch(f, 0, 77, (struct live[]){ { a, "bob" } }, 1), GH_OK);
    assert_int_equal(f->gone, 1);
    assert_int_equal(touch(f, 1, 77, (struct live[]){ { a, "alice" } }, 1), GH_OK);
    assert_int_equal(f->gone_code, GH_CODE_SUPERSEDED);
    assert_int_equal(touch(f, 0, 78, (struct live[]){ { a, "alice" } }, 1), GH_OK);
    assert_int_equal(f->gone, 1);
    assert_int_equal(touch(f, 0, 77, (struct live[]){ { a, "alice" } }, 1), GH_OK);
    assert_int_equal(f->gone, 0);
    assert_int_equal(touch(f, 0, 77, (struct live[]){ { "short", "alice" } }, 1),
                     GH_ERR_BAD_MESSAGE);
    assert_int_equal(touch(f, 0, 77, (struct live[]){ { a, "" } }, 1), GH_ERR_BAD_MESSAGE);
    assert_int_equal(touch(f, 0, 77, NULL, 0), GH_OK); /* asks for the version alone */
}

static void test_end_everywhere(void **state)
{
    struct fixture *f = *state;
    char id[SESSION_ID_LEN + 1];

    for (int i = 0; i < 3; i++)
        assert_int_equal(create_at(f, "alice", i == 0 ? "192.0.2.9" : "192.0.2.1", i, in_ms(60000)),
                         GH_CODE_OK);
    assert_int_equal(create_at(f, "bob", "192.0.2.9", 0, in_ms(60000)), GH_CODE_OK);
    memcpy(id, f->id, sizeof(id));

    assert_int_equal(end(f, f->ctl, "", "", "192.0.2.9", false), GH_OK);
    assert_int_equal(f->count, 2);
    assert_int_equal(touch(f, 0, 77, (struct live[]){ { id, "bob" } }, 1), GH_OK);
    assert_int_equal(f->gone_code, GH_CODE_SESSION_ENDED);
    assert_int_equal(end(f, f->ctl, "", "alice", "", false), GH_OK);
    assert_int_equal(f->count, 2);
    assert_int_equal(create(f, "carol"), GH_CODE_OK);
    memcpy(id, f->id, sizeof(id));
    assert_int_equal(end(f, f->ctl, id, "", "", false), GH_OK); /* by id alone */
    assert_int_equal(f->count, 1);
    assert_int_equal(end(f, f->ctl, id, "", "", false), GH_OK);
    assert_int_equal(f->count, 0);
    assert_int_equal(list(f, "", 100), 0);
    stage_spin_ms(&f->stage, 50);
    assert_int_equal(f->ordered, 5);
    /* One version for each order, as every heartbeat says. */
    assert_int_equal(touch(f, 3, 77, NULL, 0), GH_OK);
    assert_int_equal(f->orders_version, f->orders);

    assert_int_equal(end(f, f->edges[0], "", "alice", "", false), GH_ERR_BAD_MESSAGE);
    assert_int_equal(end(f, f->edges[0], "", "", "192.0.2.1", false), GH_ERR_BAD_MESSAGE);
    assert_int_equal(end(f, f->ctl, "", "", "", false), GH_ERR_BAD_MESSAGE);
    assert_int_equal(end(f, f->ctl, "", "alice", "192.0.2.1", false), GH_ERR_BAD_MESSAGE);
}

static void test_end_leaves_nothing_but_tombstones(void **state)
{
    struct fixture *f = *state;
    long long before = count_keys(f);
    char id[SESSION_ID_LEN + 1];
    redisReply *reply;

    assert_int_equal(create(f, "alice"), GH_CODE_OK);
    memcpy(id, f->id, sizeof(id));
    assert_int_equal(end(f, f->edges[0], id, "alice", "", true), GH_OK);
    stage_spin_ms(&f->stage, 50);
    assert_int_equal(f->orders, 0); /* quiet */
    assert_int_equal(count_keys(f), before + 2);
    reply = redis_server_call(f->stage.redis, "KEYS *:t:*");
    assert_int_equal(reply->elements, 1);
    freeReplyObject(reply);
    /* and where the token was seen, as long as it is good */
    reply = redis_server_call(f->stage.redis, "KEYS *:k:*");
    assert_int_equal(reply->elements, 1);
    freeReplyObject(reply);
}

static bool nobody_left(void *ctx)
{
    return list(ctx, "", 100) == 0;
}

static void test_idle_sessions_are_swept(void **state)
{
    struct fixture *f = *state;
    char kept[SESSION_ID_LEN + 1];

    assert_int_equal(create(f, "bob"), GH_CODE_OK);
    assert_int_equal(create(f, "alice"), GH_CODE_OK);
    memcpy(kept, f->id, sizeof(kept));
    for (int i = 0; i < 20; i++) {
        stage_spin_ms(&f->stage, 350);
        assert_int_equal(touch(f, 0, 77, (struct live[]){ { kept, "alice" } }, 1), GH_OK);
        assert_int_equal(f->gone, 0);
    }
    assert_int_equal(list(f, "bob", 10), 0);
    assert_int_equal(list(f, "alice", 10), 1);
    assert_int_equal(f->ordered, 1); /* should its edge live after all, it is told */
    assert_int_equal(f->ordered_code, GH_CODE_IDLE);
    stage_spin(&f->stage, nobody_left, f);
    stage_spin_ms(&f->stage, 50);
    {
        redisReply *reply = redis_server_call(f->stage.redis, "KEYS gh:{i*");

        assert_int_equal(reply->elements, 0); /* the index is empty too */
        freeReplyObject(reply);
    }
}

static void test_limit_counts_only_the_living(void **state)
{
    struct fixture *f = *state;

    for (int i = 0; i < 3; i++)
        assert_int_equal(create(f, "alice"), GH_CODE_OK);
    assert_int_equal(create(f, "alice"), GH_CODE_SESSION_LIMIT);
    stage_spin_ms(&f->stage, 4100);
    for (int i = 0; i < 3; i++)
        assert_int_equal(create(f, "alice"), GH_CODE_OK);
    assert_int_equal(create(f, "alice"), GH_CODE_SESSION_LIMIT);
}

static void test_expiry_of_the_credential(void **state)
{
    struct fixture *f = *state;
    char id[SESSION_ID_LEN + 1];

    assert_int_equal(create_at(f, "alice", "192.0.2.1", 0, in_ms(3000)), GH_CODE_OK);
    memcpy(id, f->id, sizeof(id));
    stage_spin_ms(&f->stage, 3100);
    assert_int_equal(touch(f, 0, 77, (struct live[]){ { id, "alice" } }, 1), GH_OK);
    assert_int_equal(f->gone, 1);
    assert_int_equal(f->gone_code, GH_CODE_TOKEN_EXPIRED);
}

static void on_renewed(void *ctx, enum gh_err err, const void *body)
{
    const Gh__SessionRenewed *msg = body;
    struct fixture *f = ctx;

    if (err != GH_OK) return;
    f->code = msg->code;
    f->expires_ms = msg->expires_ms;
    if (msg->code == GH_CODE_OK)
        assert_int_equal(gh_bytes_copy(msg->csrf_token, f->csrf, sizeof(f->csrf)), GH_OK);
}

static uint32_t renew(struct fixture *f, const char *id, const char *user, uint64_t expires_ms)
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

static void test_renew(void **state)
{
    struct fixture *f = *state;
    char id[SESSION_ID_LEN + 1], csrf[SESSION_CSRF_LEN + 1];
    uint64_t later = in_ms(900000);

    assert_int_equal(create_at(f, "alice", "192.0.2.1", 0, in_ms(4000)), GH_CODE_OK);
    memcpy(id, f->id, sizeof(id));
    memcpy(csrf, f->csrf, sizeof(csrf));
    assert_int_equal(renew(f, id, "alice", later), GH_CODE_OK);
    assert_int_equal(f->expires_ms, later);
    assert_string_not_equal(csrf, f->csrf); /* C2: rotated with the credential */
    stage_spin_ms(&f->stage, 4100);
    assert_int_equal(touch(f, 0, 77, (struct live[]){ { id, "alice" } }, 1), GH_OK);
    assert_int_equal(f->gone, 0);
    assert_int_equal(renew(f, id, "alice", in_ms(86400000)), GH_CODE_OK);
    assert_true(f->expires_ms <= in_ms(3600000)); /* never past the session's age */
    assert_int_equal(renew(f, id, "bob", later), GH_CODE_SESSION_ENDED);
    assert_int_equal(end(f, f->ctl, id, "alice", "", false), GH_OK);
    assert_int_equal(renew(f, id, "alice", later), GH_CODE_SESSION_ENDED);
}

static void test_csrf_rotates_on_schedule(void **state)
{
    struct fixture *f = *state;
    char id[SESSION_ID_LEN + 1], csrf[SESSION_CSRF_LEN + 1];

    assert_int_equal(create(f, "alice"), GH_CODE_OK);
    memcpy(id, f->id, sizeof(id));
    memcpy(csrf, f->csrf, sizeof(csrf));
    assert_int_equal(touch(f, 0, 77, (struct live[]){ { id, "alice" } }, 1), GH_OK);
    assert_int_equal(f->rotated, 0);
    stage_spin_ms(&f->stage, 2100);
    assert_int_equal(touch(f, 0, 77, (struct live[]){ { id, "alice" } }, 1), GH_OK);
    assert_int_equal(f->rotated, 1);
    assert_int_equal(strlen(f->csrf), SESSION_CSRF_LEN);
    assert_string_not_equal(csrf, f->csrf);
    assert_int_equal(touch(f, 0, 77, (struct live[]){ { id, "alice" } }, 1), GH_OK);
    assert_int_equal(f->rotated, 0);
}

static void test_list_in_pages(void **state)
{
    struct fixture *f = *state;
    char user[16];

    for (int i = 0; i < 300; i++) {
        (void)snprintf(user, sizeof(user), "user%d", i % 100);
        assert_int_equal(create(f, user), GH_CODE_OK);
    }
    for (int i = 0; i < 25; i++)
        assert_int_equal(create(f, "busy"), GH_CODE_OK);
    assert_int_equal(list(f, "", 1000), 325);
    assert_int_equal(list(f, "", 7), 325);
    assert_int_equal(list(f, "busy", 4), 25);
    assert_string_equal(f->user, "busy");
    assert_int_equal(list(f, "nobody", 10), 0);
}

/* ---- Redis away ---- */

static void test_redis_away(void **state)
{
    struct fixture *f = *state;
    char id[SESSION_ID_LEN + 1];

    assert_int_equal(create(f, "alice"), GH_CODE_OK);
    memcpy(id, f->id, sizeof(id));
    redis_server_kill(f->stage.redis);
    stage_spin_ms(&f->stage, 50);
    assert_int_equal(create(f, "alice"), GH_CODE_UNAVAILABLE);
    assert_true(f->retry_ms > 0);
    assert_int_equal(touch(f, 0, 77, (struct live[]){ { id, "alice" } }, 1), GH_ERR_UNAVAILABLE);
    assert_int_equal(renew(f, id, "alice", in_ms(60000)), GH_CODE_UNAVAILABLE);
    assert_int_equal(end(f, f->ctl, id, "alice", "", false), GH_ERR_UNAVAILABLE);
    assert_true(redis_server_restart(f->stage.redis)); /* empty */
    stage_spin(&f->stage, ready, f);
    assert_int_equal(create(f, "alice"), GH_CODE_OK);
    stage_spin_ms(&f->stage, 100);
    {
        /* The end that Redis did not hear of was done when it came back. */
        redisReply *reply = redis_server_call(f->stage.redis, "KEYS *:t:%s", id);

        assert_int_equal(reply->elements, 1);
        freeReplyObject(reply);
    }
}

static bool touched(void *ctx)
{
    struct fixture *f = ctx;
    static const char *id;

    if (id == NULL) id = strdup(f->id);
    return touch(f, 0, 77, (struct live[]){ { id, "alice" } }, 1) == GH_OK;
}

/* An outage longer than the idle time ends nobody who is still there. */
static void test_outage_is_not_idleness(void **state)
{
    struct fixture *f = *state;
    redisReply *reply;

    assert_int_equal(create(f, "alice"), GH_CODE_OK);
    /* From a connection of its own: Redis hangs for longer than the time-out and the idle time. */
    reply = redis_server_call(f->stage.redis, "CLIENT PAUSE 5000 ALL");
    freeReplyObject(reply);
    stage_spin_ms(&f->stage, 5100);
    stage_spin(&f->stage, ready, f);
    stage_spin(&f->stage, touched, f);
    assert_int_equal(f->gone, 0);
    assert_int_equal(list(f, "alice", 10), 1);
}

static void test_connections_killed(void **state)
{
    struct fixture *f = *state;
    char id[SESSION_ID_LEN + 1];

    assert_int_equal(create(f, "alice"), GH_CODE_OK);
    memcpy(id, f->id, sizeof(id));
    for (int i = 0; i < 5; i++) {
        redisReply *reply = redis_server_call(f->stage.redis, "CLIENT KILL TYPE normal SKIPME yes");

        freeReplyObject(reply);
        stage_spin_ms(&f->stage, 30);
        stage_spin(&f->stage, ready, f);
        assert_int_equal(touch(f, 0, 77, (struct live[]){ { id, "alice" } }, 1), GH_OK);
        assert_int_equal(f->gone, 0);
    }
}

int main(void)
{
#define T(fn, how) cmocka_unit_test_setup_teardown(fn, how, teardown)
    const struct CMUnitTest tests[] = {
        T(test_create, setup),
        T(test_create_bounds_and_authority, setup),
        T(test_limit_refuses, setup),
        T(test_limit_ends_the_oldest, setup_oldest),
        T(test_oldest_within_a_moment, setup_oldest),
        T(test_touch, setup),
        T(test_end_everywhere, setup),
        T(test_end_leaves_nothing_but_tombstones, setup),
        T(test_idle_sessions_are_swept, setup_idle),
        T(test_limit_counts_only_the_living, setup_idle),
        T(test_expiry_of_the_credential, setup),
        T(test_renew, setup),
        T(test_csrf_rotates_on_schedule, setup_rotate),
        T(test_list_in_pages, setup_many),
        T(test_redis_away, setup),
        T(test_outage_is_not_idleness, setup_idle),
        T(test_connections_killed, setup),
    };

    return cmocka_run_group_tests_name("session", tests, NULL, NULL);
}
