/* The limiter's handlers over the bus, with a real Redis: limits across edges, bans, authority. */
#include "handlers.h"
#include "limiter.h"

#include "common/clock.h"
#include "common/code.h"
#include "support/stage.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EDGES 20

static const char config_text[] = "limiter:\n"
                                  "  lease: 2s\n"
                                  "  poll: 20ms\n"
                                  "  classes:\n"
                                  "    fast: { per_s: 1000, burst: 500 }\n"
                                  "    slow: { per_min: 1, burst: 100 }\n"
                                  "  admit:\n"
                                  "    address: { per_min: 1, burst: 6 }\n"
                                  "    user: { per_min: 1, burst: 4 }\n";

struct fixture {
    struct stage stage;
    struct gh_config *config;
    struct limiter_config cfg;
    struct limiter *limiters[2];
    struct stage_caller *edges[EDGES];
    struct stage_caller *ctl;
    /* of the last answer */
    uint32_t code, tokens, known;
    uint64_t retry_ms, version, lease_ms;
    bool changed;
    size_t bans;
    char cursor[512];
    char first_ban[300];
    /* sums */
    uint64_t granted, admitted;
    unsigned failed;
    unsigned added, lifted, gaps;
    uint64_t seen_version;
};

static bool both_ready(void *ctx)
{
    struct fixture *f = ctx;

    return limiter_ready(f->limiters[0]) && limiter_ready(f->limiters[1]);
}

static void open_limiter(struct fixture *f, int i)
{
    struct gh_redis_config redis;

    stage_redis_config(&f->stage, &redis);
    assert_int_equal(
        limiter_new(&f->stage.loop, &f->cfg, &redis, f->stage.metrics, &f->limiters[i]), GH_OK);
    f->limiters[i]->server = stage_serve(&f->stage, "limiter", limiter_routes, f->limiters[i]);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    stage_init(&f->stage, true, NULL);
    f->config = stage_config(&f->stage, config_text);
    assert_int_equal(limiter_config_load(f->config, &f->cfg), GH_OK);
    open_limiter(f, 0);
    open_limiter(f, 1);
    stage_spin(&f->stage, both_ready, f);
    stage_call_as_edges(&f->stage, "limiter", GH_ROLE_LIMITER, f->edges, EDGES);
    f->ctl = stage_call_as(&f->stage, "limiter", GH_ROLE_CTL, GH_ROLE_LIMITER, "ctl");
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    f->limiters[0]->server = f->limiters[1]->server = NULL;
    limiter_free(f->limiters[0]);
    limiter_free(f->limiters[1]);
    stage_done(&f->stage);
    gh_config_free(f->config);
    free(f);
    return 0;
}

/* ---- leases ---- */

static void on_lease(void *ctx, enum gh_err err, const void *body)
{
    const Gh__LeaseReply *msg = body;
    struct fixture *f = ctx;

    if (err != GH_OK) {
        f->failed++;
        return;
    }
    f->tokens = msg->grants[0]->tokens;
    f->retry_ms = msg->grants[0]->retry_after_ms;
    f->lease_ms = msg->grants[0]->lease_ms;
    f->known = msg->grants[0]->known;
    for (size_t i = 0; i < msg->n_grants; i++)
        f->granted += msg->grants[i]->tokens;
}

struct ask {
    const char *class, *key;
    uint32_t tokens;
};

static void make_asks(const struct ask *from, size_t n, Gh__LeaseAsk *asks, Gh__LeaseAsk **list)
{
    for (size_t i = 0; i < n; i++) {
        gh__lease_ask__init(&asks[i]);
        asks[i].rate_class = gh_bytes_str(from[i].class);
        asks[i].key = gh_bytes_str(from[i].key);
        asks[i].tokens = from[i].tokens;
        list[i] = &asks[i];
    }
}

static enum gh_err lease(struct fixture *f, struct stage_caller *edge, const struct ask *from,
                         size_t n)
{
    Gh__LeaseRequest msg = GH__LEASE_REQUEST__INIT;
    Gh__LeaseAsk asks[300];
    Gh__LeaseAsk *list[300];

    make_asks(from, n, asks, list);
    msg.n_asks = n;
    msg.asks = list;
    return stage_ask(edge, GH__ENVELOPE__BODY_LEASE_REQUEST, &msg, GH__ENVELOPE__BODY_LEASE_REPLY,
                     on_lease, f);
}

static void test_lease_valid_then_bounds(void **state)
{
    struct fixture *f = *state;
    struct stage_caller *edge = f->edges[0];
    struct ask ask = { "slow", "alice", 10 };
    struct ask many[LIMITER_ASKS_MAX + 1];
    char long_key[LIMITER_KEY_MAX_BYTES + 2];

    assert_int_equal(lease(f, edge, &ask, 1), GH_OK);
    assert_int_equal(f->tokens, 10);
    assert_int_equal(f->known, 1);
    assert_int_equal(f->lease_ms, 2000);

    assert_int_equal(lease(f, edge, &(struct ask){ "nosuch", "alice", 10 }, 1), GH_OK);
    assert_int_equal(f->known, 0);
    assert_int_equal(lease(f, edge, &ask, 0), GH_ERR_BAD_MESSAGE);
    assert_int_equal(lease(f, edge, &(struct ask){ "slow", "alice", 0 }, 1), GH_ERR_BAD_MESSAGE);
    assert_int_equal(lease(f, edge, &(struct ask){ "slow", "a", GCRA_TAKE_MAX + 1 }, 1),
                     GH_ERR_BAD_MESSAGE);
    assert_int_equal(lease(f, edge, &(struct ask){ "", "alice", 1 }, 1), GH_ERR_BAD_MESSAGE);
    memset(long_key, 'k', sizeof(long_key) - 1);
    long_key[sizeof(long_key) - 1] = '\0';
    assert_int_equal(lease(f, edge, &(struct ask){ "slow", long_key, 1 }, 1), GH_ERR_BAD_MESSAGE);
    long_key[LIMITER_KEY_MAX_BYTES] = '\0';
    assert_int_equal(lease(f, edge, &(struct ask){ "slow", long_key, 1 }, 1), GH_OK);
    for (size_t i = 0; i < LIMITER_ASKS_MAX + 1; i++)
        many[i] = (struct ask){ "fast", "many", 1 };
    assert_int_equal(lease(f, edge, many, LIMITER_ASKS_MAX), GH_OK);
    assert_int_equal(lease(f, edge, many, LIMITER_ASKS_MAX + 1), GH_ERR_BAD_MESSAGE);
    assert_int_equal(lease(f, f->ctl, &ask, 1), GH_ERR_FORBIDDEN);
}

static void test_lease_batch_keeps_order(void **state)
{
    struct fixture *f = *state;
    /* Known and unknown, of one principal and of several, the same bucket twice. */
    const struct ask asks[] = { { "slow", "bob", 60 }, { "nosuch", "bob", 1 }, { "slow", "eve", 5 },
                                { "slow", "bob", 60 }, { "fast", "bob", 7 },   { "slow", "", 3 } };

    f->granted = 0;
    assert_int_equal(lease(f, f->edges[0], asks, 6), GH_OK);
    assert_int_equal(f->granted, 60 + 5 + 40 + 7 + 3);
    assert_int_equal(f->tokens, 60);
}

static void test_lease_return(void **state)
{
    struct fixture *f = *state;
    Gh__LeaseReturn msg = GH__LEASE_RETURN__INIT;
    struct ask ask = { "slow", "alice", 100 }, back = { "slow", "alice", 30 };
    Gh__LeaseAsk unspent;
    Gh__LeaseAsk *list[1];

    assert_int_equal(lease(f, f->edges[0], &ask, 1), GH_OK);
    assert_int_equal(f->tokens, 100);
    assert_int_equal(lease(f, f->edges[1], &ask, 1), GH_OK);
    assert_int_equal(f->tokens, 0);
    assert_true(f->retry_ms > 0);
    make_asks(&back, 1, &unspent, list);
    msg.n_unspent = 1;
    msg.unspent = list;
    stage_tell(f->edges[0], GH__ENVELOPE__BODY_LEASE_RETURN, &msg);
    stage_spin_ms(&f->stage, 50);
    assert_int_equal(lease(f, f->edges[1], &ask, 1), GH_OK);
    assert_int_equal(f->tokens, 30);
}

/* R2: whatever many edges ask at once, through two limiters, all together get no more than the
 * bucket held and what came in since. */
static void test_all_edges_together_stay_within(void **state)
{
    struct fixture *f = *state;
    const uint64_t per_s = 1000, burst = 500;
    int64_t began = gh_clock_mono_us();
    unsigned asked = 0, rounds = 0;
    uint64_t limit, elapsed_us;

    f->granted = 0;
    srand(7);
    while (gh_clock_mono_us() - began < 3000000) {
        for (int e = 0; e < EDGES; e++) {
            Gh__LeaseRequest msg = GH__LEASE_REQUEST__INIT;
            struct ask from = { "fast", "shared", 1 + (uint32_t)rand() % 200 };
            Gh__LeaseAsk ask;
            Gh__LeaseAsk *list[1];

            make_asks(&from, 1, &ask, list);
            msg.n_asks = 1;
            msg.asks = list;
            stage_send(f->edges[e], (size_t)rand(), GH__ENVELOPE__BODY_LEASE_REQUEST, &msg,
                       GH__ENVELOPE__BODY_LEASE_REPLY, on_lease, f);
            asked++;
        }
        if (++rounds % 3 == 0) stage_settle(&f->stage);
    }
    stage_settle(&f->stage);
    elapsed_us = (uint64_t)(gh_clock_mono_us() - began);
    limit = burst + per_s * elapsed_us / 1000000 + 1;
    print_message("asks %u, tokens granted %llu of at most %llu in %.2f s\n", asked,
                  (unsigned long long)f->granted, (unsigned long long)limit,
                  (double)elapsed_us / 1e6);
    assert_int_equal(f->failed, 0);
    assert_true(f->granted <= limit);
    assert_true(f->granted >= limit * 9 / 10); /* and the limit can be used */
}

/* R3: what Redis is asked for a hundred thousand messages of fifty users. */
static void test_redis_operations_per_message(void **state)
{
    struct fixture *f = *state;
    redisReply *before, *after;
    uint64_t messages = 0, scripts;
    double ops;

#define COMMANDS(reply) strtoull(strstr((reply)->str, "total_commands_processed:") + 25, NULL, 10)
    before = redis_server_call(f->stage.redis, "INFO stats");
    scripts = *f->limiters[0]->scripts;
    for (int round = 0; round < 10; round++) {
        for (int user = 0; user < 50; user++) {
            char name[16];

            (void)snprintf(name, sizeof(name), "u%d", user);
            f->granted = 0;
            assert_int_equal(
                lease(f, f->edges[user % EDGES], (struct ask[]){ { "fast", name, 200 } }, 1),
                GH_OK);
            messages += f->granted;
        }
    }
    after = redis_server_call(f->stage.redis, "INFO stats");
    ops = (double)(COMMANDS(after) - COMMANDS(before)) / (double)messages;
    print_message("messages %llu, scripts %llu, Redis commands per message %.4f (with what the "
                  "scripts call and the polls)\n",
                  (unsigned long long)messages,
                  (unsigned long long)(*f->limiters[0]->scripts - scripts), ops);
    freeReplyObject(before);
    freeReplyObject(after);
    assert_true((double)(*f->limiters[0]->scripts - scripts) / (double)messages < 0.02);
}

/* ---- admission ---- */

static void on_admit(void *ctx, enum gh_err err, const void *body)
{
    const Gh__AdmitReply *msg = body;
    struct fixture *f = ctx;

    if (err != GH_OK) return;
    f->code = msg->code;
    f->retry_ms = msg->retry_after_ms;
    if (msg->code == GH_CODE_OK) f->admitted++;
}

static enum gh_err admit(struct fixture *f, const char *address, const char *user,
                         const char *token_id)
{
    Gh__AdmitRequest msg = GH__ADMIT_REQUEST__INIT;

    msg.address = gh_bytes_str(address);
    msg.user = gh_bytes_str(user);
    msg.token_id = gh_bytes_str(token_id);
    msg.route = gh_bytes_str("main");
    msg.request_id = gh_bytes_str("r1");
    return stage_ask(f->edges[0], GH__ENVELOPE__BODY_ADMIT_REQUEST, &msg,
                     GH__ENVELOPE__BODY_ADMIT_REPLY, on_admit, f);
}

static void test_admission_tiers(void **state)
{
    struct fixture *f = *state;

    for (int i = 0; i < 4; i++) {
        assert_int_equal(admit(f, "192.0.2.1", "alice", "t"), GH_OK);
        assert_int_equal(f->code, GH_CODE_OK);
    }
    /* The user's four are spent; the address has two left and must not lose them to refusals. */
    for (int i = 0; i < 5; i++) {
        assert_int_equal(admit(f, "192.0.2.1", "alice", "t"), GH_OK);
        assert_int_equal(f->code, GH_CODE_RATE_LIMITED);
        assert_true(f->retry_ms > 50000 && f->retry_ms <= 60000);
    }
    stage_spin_ms(&f->stage, 50); /* what was given back arrives */
    for (int i = 0; i < 2; i++) {
        assert_int_equal(admit(f, "192.0.2.1", "bob", "t"), GH_OK);
        assert_int_equal(f->code, GH_CODE_OK);
    }
    assert_int_equal(admit(f, "192.0.2.1", "carol", "t"), GH_OK);
    assert_int_equal(f->code, GH_CODE_RATE_LIMITED);
    /* carol's own tokens came back: four elsewhere. */
    stage_spin_ms(&f->stage, 50);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(admit(f, "192.0.2.9", "carol", "t"), GH_OK);
        assert_int_equal(f->code, GH_CODE_OK);
    }
}

static void test_admission_counts_ipv6_networks(void **state)
{
    struct fixture *f = *state;
    char address[64], user[16];

    f->admitted = 0;
    for (int i = 0; i < 20; i++) {
        (void)snprintf(address, sizeof(address), "2001:db8:0:1::%x", i + 1);
        (void)snprintf(user, sizeof(user), "user%d", i);
        assert_int_equal(admit(f, address, user, ""), GH_OK);
    }
    assert_int_equal(f->admitted, 6); /* one /64 is one address */
    assert_int_equal(admit(f, "2001:db8:0:2::1", "other", ""), GH_OK);
    assert_int_equal(f->code, GH_CODE_OK);
    assert_int_equal(admit(f, "not an address", "x", ""), GH_ERR_BAD_MESSAGE);
    assert_int_equal(admit(f, "192.0.2.1", "", ""), GH_ERR_BAD_MESSAGE);
}

static void test_redis_away(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(admit(f, "192.0.2.1", "alice", ""), GH_OK);
    assert_int_equal(f->code, GH_CODE_OK);
    redis_server_kill(f->stage.redis);
    stage_spin_ms(&f->stage, 50);
    assert_int_equal(admit(f, "192.0.2.1", "alice", ""), GH_OK);
    assert_int_equal(f->code, GH_CODE_UNAVAILABLE);
    assert_true(f->retry_ms > 0);
    assert_int_equal(lease(f, f->edges[0], &(struct ask){ "fast", "a", 1 }, 1), GH_ERR_UNAVAILABLE);
    assert_true(redis_server_restart(f->stage.redis));
    stage_spin(&f->stage, both_ready, f);
    assert_int_equal(admit(f, "192.0.2.1", "alice", ""), GH_OK);
    assert_int_equal(f->code, GH_CODE_OK);
}

/* ---- bans ---- */

static void on_changed(void *ctx, enum gh_err err, const void *body)
{
    const Gh__BanChanged *msg = body;
    struct fixture *f = ctx;

    if (err != GH_OK) return;
    f->changed = msg->changed;
    f->version = msg->version;
}

static enum gh_err ban(struct fixture *f, struct stage_caller *by, Gh__BanKind kind,
                       const char *subject, uint64_t expires_ms)
{
    Gh__BanAdd msg = GH__BAN_ADD__INIT;
    Gh__Ban it = GH__BAN__INIT;

    it.kind = kind;
    it.subject = gh_bytes_str(subject);
    it.reason = gh_bytes_str("test");
    it.expires_ms = expires_ms;
    msg.ban = &it;
    return stage_ask(by, GH__ENVELOPE__BODY_BAN_ADD, &msg, GH__ENVELOPE__BODY_BAN_CHANGED,
                     on_changed, f);
}

static enum gh_err lift(struct fixture *f, struct stage_caller *by, Gh__BanKind kind,
                        const char *subject)
{
    Gh__BanLift msg = GH__BAN_LIFT__INIT;

    msg.kind = kind;
    msg.subject = gh_bytes_str(subject);
    return stage_ask(by, GH__ENVELOPE__BODY_BAN_LIFT, &msg, GH__ENVELOPE__BODY_BAN_CHANGED,
                     on_changed, f);
}

static void on_push(void *ctx, uint32_t arm, const void *body)
{
    const Gh__BanOrder *msg = body;
    struct fixture *f = ctx;

    assert_int_equal(arm, GH__ENVELOPE__BODY_BAN_ORDER);
    if (msg->version <= f->seen_version) return; /* the other limiter said so already */
    if (f->seen_version != 0 && msg->version != f->seen_version + 1) f->gaps++;
    f->seen_version = msg->version;
    f->added += msg->n_added;
    f->lifted += msg->n_lifted;
}

static bool order_seen(void *ctx)
{
    struct fixture *f = ctx;

    return f->seen_version >= f->version;
}

static bool settled(void *ctx)
{
    struct fixture *f = ctx;

    return bans_version(f->limiters[0]->bans) == f->version &&
           bans_version(f->limiters[1]->bans) == f->version;
}

static void expect_admission(struct fixture *f, const char *address, const char *user,
                             const char *token, uint32_t code)
{
    stage_spin(&f->stage, settled, f);
    assert_int_equal(admit(f, address, user, token), GH_OK);
    assert_int_equal(f->code, code);
}

static void test_ban_refuses_and_is_pushed(void **state)
{
    struct fixture *f = *state;

    f->edges[3]->on_push = on_push;
    f->edges[3]->ctx = f;
    expect_admission(f, "203.0.113.7", "mallory", "tok1", GH_CODE_OK);
    assert_int_equal(ban(f, f->ctl, GH__BAN_KIND__BAN_ADDRESS, "203.0.113.0/24", 0), GH_OK);
    assert_true(f->changed);
    stage_spin(&f->stage, order_seen, f);
    expect_admission(f, "203.0.113.7", "mallory", "tok1", GH_CODE_BANNED);
    expect_admission(f, "::ffff:203.0.113.7", "mallory", "tok1", GH_CODE_BANNED);
    expect_admission(f, "203.0.112.7", "mallory", "tok1", GH_CODE_OK);
    assert_int_equal(ban(f, f->ctl, GH__BAN_KIND__BAN_USER, "mallory", 0), GH_OK);
    expect_admission(f, "203.0.112.7", "mallory", "tok1", GH_CODE_BANNED);
    expect_admission(f, "203.0.112.7", "mallor", "tok1", GH_CODE_OK);
    assert_int_equal(ban(f, f->ctl, GH__BAN_KIND__BAN_TOKEN, "tok2", 0), GH_OK);
    expect_admission(f, "203.0.112.7", "oscar", "tok2", GH_CODE_BANNED);
    /* the same again, in another spelling, is no change */
    assert_int_equal(ban(f, f->ctl, GH__BAN_KIND__BAN_ADDRESS, "2001:DB8::1", 0), GH_OK);
    assert_true(f->changed);
    assert_int_equal(lift(f, f->ctl, GH__BAN_KIND__BAN_ADDRESS, "2001:db8:0::0:1"), GH_OK);
    assert_true(f->changed);
    assert_int_equal(lift(f, f->ctl, GH__BAN_KIND__BAN_ADDRESS, "203.0.113.99/24"), GH_OK);
    assert_true(f->changed);
    expect_admission(f, "203.0.113.7", "walter", "tok1", GH_CODE_OK);
    assert_int_equal(lift(f, f->ctl, GH__BAN_KIND__BAN_ADDRESS, "203.0.113.0/24"), GH_OK);
    assert_false(f->changed);
    stage_spin(&f->stage, order_seen, f);
    assert_int_equal(f->added, 4);
    assert_int_equal(f->lifted, 2);
    assert_int_equal(f->gaps, 0);
}

static bool expired(void *ctx)
{
    struct fixture *f = ctx;

    return f->lifted == 1;
}

static void test_ban_expires(void **state)
{
    struct fixture *f = *state;

    f->edges[0]->on_push = on_push;
    f->edges[0]->ctx = f;
    assert_int_equal(
        ban(f, f->ctl, GH__BAN_KIND__BAN_USER, "eve", (uint64_t)gh_clock_wall_ms() + 4000), GH_OK);
    expect_admission(f, "192.0.2.1", "eve", "", GH_CODE_BANNED);
    stage_spin(&f->stage, expired, f); /* edges are told */
    assert_int_equal(admit(f, "192.0.2.1", "eve", ""), GH_OK);
    assert_int_equal(f->code, GH_CODE_OK);
}

static void test_ban_bounds_and_authority(void **state)
{
    struct fixture *f = *state;
    Gh__BanAdd none = GH__BAN_ADD__INIT;

    assert_int_equal(ban(f, f->ctl, GH__BAN_KIND__BAN_ADDRESS, "0.0.0.0/0", 0), GH_ERR_BAD_MESSAGE);
    assert_int_equal(ban(f, f->ctl, GH__BAN_KIND__BAN_USER, "", 0), GH_ERR_BAD_MESSAGE);
    assert_int_equal(ban(f, f->ctl, GH__BAN_KIND__BAN_USER, "x", 1), GH_ERR_BAD_MESSAGE);
    assert_int_equal(stage_ask(f->ctl, GH__ENVELOPE__BODY_BAN_ADD, &none,
                               GH__ENVELOPE__BODY_BAN_CHANGED, NULL, NULL),
                     GH_ERR_BAD_MESSAGE);
    assert_int_equal(ban(f, f->edges[0], GH__BAN_KIND__BAN_USER, "alice", 0), GH_ERR_FORBIDDEN);
    assert_int_equal(lift(f, f->edges[0], GH__BAN_KIND__BAN_USER, "alice"), GH_ERR_FORBIDDEN);
}

static void on_listed(void *ctx, enum gh_err err, const void *body)
{
    const Gh__BanListed *msg = body;
    struct fixture *f = ctx;

    if (err != GH_OK) return;
    f->bans += msg->n_bans;
    assert_int_equal(gh_bytes_copy(msg->cursor, f->cursor, sizeof(f->cursor)), GH_OK);
    if (msg->n_bans > 0)
        assert_int_equal(gh_bytes_copy(msg->bans[0]->subject, f->first_ban, sizeof(f->first_ban)),
                         GH_OK);
}

static void test_ban_list_in_pages(void **state)
{
    struct fixture *f = *state;
    Gh__BanList msg = GH__BAN_LIST__INIT;
    unsigned pages = 0;

    for (int i = 0; i < 1203; i++) {
        char name[16];

        (void)snprintf(name, sizeof(name), "user%04d", i);
        assert_int_equal(ban(f, f->ctl, GH__BAN_KIND__BAN_USER, name, 0), GH_OK);
    }
    do {
        msg.cursor = gh_bytes_str(f->cursor);
        assert_int_equal(stage_ask(f->edges[pages % EDGES], GH__ENVELOPE__BODY_BAN_LIST, &msg,
                                   GH__ENVELOPE__BODY_BAN_LISTED, on_listed, f),
                         GH_OK);
        if (pages == 0) assert_string_equal(f->first_ban, "user0000");
        pages++;
    } while (f->cursor[0] != '\0');
    assert_int_equal(f->bans, 1203);
    assert_int_equal(pages, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
        T(test_lease_valid_then_bounds),
        T(test_lease_batch_keeps_order),
        T(test_lease_return),
        T(test_all_edges_together_stay_within),
        T(test_redis_operations_per_message),
        T(test_admission_tiers),
        T(test_admission_counts_ipv6_networks),
        T(test_redis_away),
        T(test_ban_refuses_and_is_pushed),
        T(test_ban_expires),
        T(test_ban_bounds_and_authority),
        T(test_ban_list_in_pages),
    };

    return cmocka_run_group_tests_name("limiter", tests, NULL, NULL);
}
