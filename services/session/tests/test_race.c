/*
 * Admissions of one user from fifty edges at once, through two session services, a thousand rounds:
 * never more live than the limit, whatever the policy. An observer of its own looks at Redis while
 * they race.
 */
#include "handlers.h"
#include "session.h"

#include "common/clock.h"
#include "common/code.h"
#include "support/stage.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EDGES    50
#define SERVICES 2
#define ROUNDS   1000
#define LIMIT    5

struct fixture {
    struct stage stage;
    struct gh_config *config;
    struct session_config cfg;
    struct session *services[SERVICES];
    struct stage_caller *edges[EDGES];
    struct gh_redis *observer;
    struct session_keys keys;
    unsigned ok, refused, other, observed;
    long long most;
    unsigned ended; /* told by orders to edge 0, per service only once */
};

static bool ready(void *ctx)
{
    struct fixture *f = ctx;

    return session_ready(f->services[0]) && session_ready(f->services[1]) &&
           gh_redis_up(f->observer);
}

static void on_push(void *ctx, uint32_t arm, const void *body)
{
    struct fixture *f = ctx;

    if (arm == GH__ENVELOPE__BODY_SESSION_ORDER)
        f->ended += ((const Gh__SessionOrder *)body)->n_gone;
}

static void start(struct fixture *f, const char *policy)
{
    struct gh_redis_config redis;
    char text[128];

    memset(f, 0, sizeof(*f));
    stage_init(&f->stage, true, NULL);
    (void)snprintf(text, sizeof(text), "session:\n  max_per_user: %d\n  on_limit: %s\n", LIMIT,
                   policy);
    f->config = stage_config(&f->stage, text);
    assert_int_equal(session_config_load(f->config, &f->cfg), GH_OK);
    stage_redis_config(&f->stage, &redis);
    for (int i = 0; i < SERVICES; i++) {
        assert_int_equal(
            session_new(&f->stage.loop, &f->cfg, &redis, f->stage.metrics, &f->services[i]), GH_OK);
        f->services[i]->server = stage_serve(&f->stage, "session", session_routes, f->services[i]);
    }
    assert_int_equal(gh_redis_new(&f->stage.loop, &redis, &f->observer), GH_OK);
    session_keys_make("alice", 5, &f->keys);
    stage_spin(&f->stage, ready, f);
    stage_call_as_edges(&f->stage, "session", GH_ROLE_SESSION, f->edges, EDGES);
    f->edges[0]->on_push = on_push;
    f->edges[0]->ctx = f;
}

static void stop(struct fixture *f)
{
    for (int i = 0; i < SERVICES; i++)
        session_free(f->services[i]);
    gh_redis_free(f->observer);
    stage_done(&f->stage);
    gh_config_free(f->config);
}

static void on_created(void *ctx, enum gh_err err, const void *body)
{
    const Gh__SessionCreated *msg = body;
    struct fixture *f = ctx;

    if (err != GH_OK)
        f->other++;
    else if (msg->code == GH_CODE_OK)
        f->ok++;
    else if (msg->code == GH_CODE_SESSION_LIMIT)
        f->refused++;
    else
        f->other++;
}

static void on_count(void *ctx, enum gh_err err, const redisReply *reply)
{
    struct fixture *f = ctx;

    if (err != GH_OK) return;
    f->observed++;
    if (reply->integer > f->most) f->most = reply->integer;
}

static void observe(struct fixture *f)
{
    const char *argv[] = { "ZCARD", f->keys.live };

    assert_int_equal(gh_redis_command(f->observer, on_count, f, 2, argv, NULL), GH_OK);
}

static void race(struct fixture *f)
{
    for (int i = 0; i < EDGES; i++) {
        Gh__SessionCreate msg = GH__SESSION_CREATE__INIT;
        char edge[16];

        (void)snprintf(edge, sizeof(edge), "edge-%d", i);
        msg.user = gh_bytes_str("alice");
        msg.address = gh_bytes_str("192.0.2.1");
        msg.edge = gh_bytes_str(edge);
        msg.edge_boot_id = 1;
        msg.expires_ms = (uint64_t)gh_clock_wall_ms() + 600000;
        stage_send(f->edges[i], (size_t)rand(), GH__ENVELOPE__BODY_SESSION_CREATE, &msg,
                   GH__ENVELOPE__BODY_SESSION_CREATED, on_created, f);
        if (i % 10 == 0) observe(f);
    }
    stage_settle(&f->stage);
    observe(f);
}

static void on_ended(void *ctx, enum gh_err err, const void *body)
{
    (void)err;
    *(uint32_t *)ctx = ((const Gh__SessionEnded *)body)->count;
}

static uint32_t end_all(struct fixture *f)
{
    Gh__SessionEnd msg = GH__SESSION_END__INIT;
    uint32_t count = 0;
    struct stage_caller *ctl;

    if (f->stage.caller_count == EDGES)
        (void)stage_call_as(&f->stage, "session", GH_ROLE_CTL, GH_ROLE_SESSION, "ctl");
    ctl = f->stage.callers[EDGES];
    msg.user = gh_bytes_str("alice");
    assert_int_equal(stage_ask(ctl, GH__ENVELOPE__BODY_SESSION_END, &msg,
                               GH__ENVELOPE__BODY_SESSION_ENDED, on_ended, &count),
                     GH_OK);
    return count;
}

static void test_refuse(void **state)
{
    struct fixture f;

    (void)state;
    start(&f, "refuse");
    for (int round = 0; round < ROUNDS; round++) {
        f.ok = f.refused = 0;
        race(&f);
        assert_int_equal(f.ok, LIMIT);
        assert_int_equal(f.refused, EDGES - LIMIT);
        assert_int_equal(end_all(&f), LIMIT);
    }
    print_message("rounds %d, at most %lld live in %u looks\n", ROUNDS, f.most, f.observed);
    assert_int_equal(f.most, LIMIT);
    assert_int_equal(f.other, 0);
    stop(&f);
}

static bool all_told(void *ctx)
{
    struct fixture *f = ctx;

    return f->ended == f->ok - LIMIT;
}

static void test_end_oldest(void **state)
{
    struct fixture f;

    (void)state;
    start(&f, "end_oldest");
    for (int round = 0; round < ROUNDS; round++)
        race(&f);
    print_message("admitted %u, at most %lld live in %u looks\n", f.ok, f.most, f.observed);
    assert_int_equal(f.ok, ROUNDS * EDGES);
    assert_int_equal(f.most, LIMIT);
    assert_int_equal(f.refused + f.other, 0);
    stage_spin(&f.stage, all_told, &f); /* each that gave way was told, once */
    assert_int_equal(end_all(&f), LIMIT);
    stop(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refuse),
        cmocka_unit_test(test_end_oldest),
    };

    srand(11);
    return cmocka_run_group_tests_name("race", tests, NULL, NULL);
}
