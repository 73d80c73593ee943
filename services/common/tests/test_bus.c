/* Server and client over real ipc and tcp+CURVE sockets, in one loop. */
#include "common/bus_internal.h"
#include "common/bus_zap.h"
#include "common/client.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/server.h"

#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define WAIT_MS 10000 /* a lost event shows as a failed test, not a hung one */

struct fixture {
    uv_loop_t loop;
    struct gh_metrics *metrics;
    char dir[64];
    char endpoint[128];
    struct gh_server *server;
    struct gh_client *client;
    /* what the service side saw */
    struct gh_reply *held[64];
    unsigned held_count;
    bool hold;
    unsigned peers_up, peers_down;
    struct gh_peer last_peer;
    unsigned returned;
    /* what the caller side saw */
    unsigned up, down, room, pushes;
    unsigned answers;
    enum gh_err errs[64];
    uint64_t values[64];
};

static void on_wake(uv_timer_t *timer)
{
    (void)timer; /* the loop only had to turn */
}

static void spin(struct fixture *f, bool (*done)(const struct fixture *))
{
    int64_t end = gh_clock_mono_ms() + WAIT_MS;
    uv_timer_t wake;

    (void)uv_timer_init(&f->loop, &wake);
    while (!done(f) && gh_clock_mono_ms() < end) {
        (void)uv_timer_start(&wake, on_wake, 20, 0);
        (void)uv_run(&f->loop, UV_RUN_ONCE);
    }
    uv_close((uv_handle_t *)&wake, NULL);
    (void)uv_run(&f->loop, UV_RUN_NOWAIT);
    assert_true(done(f));
}

/* --- service side ----------------------------------------------------------------------------- */

static enum gh_err on_lease(void *ctx, const struct gh_peer *peer, const void *body,
                            struct gh_reply *reply)
{
    struct fixture *f = ctx;
    const Gh__LeaseRequest *msg = body;
    Gh__LeaseReply answer = GH__LEASE_REPLY__INIT;
    Gh__LeaseGrant grant = GH__LEASE_GRANT__INIT;
    Gh__LeaseGrant *grants[] = { &grant };

    f->last_peer = *peer;
    if (msg->n_asks != 1) return GH_ERR_BAD_MESSAGE;
    if (f->hold) {
        f->held[f->held_count++] = reply;
        return GH_OK;
    }
    grant.tokens = msg->asks[0]->tokens + 1;
    answer.n_grants = 1;
    answer.grants = grants;
    gh_reply_send(reply, GH__ENVELOPE__BODY_LEASE_REPLY, &answer);
    return GH_OK;
}

static enum gh_err on_return(void *ctx, const struct gh_peer *peer, const void *body,
                             struct gh_reply *reply)
{
    struct fixture *f = ctx;

    (void)peer;
    (void)body;
    f->returned++;
    gh_reply_fail(reply, GH_ERR_INTERNAL); /* one-way: nothing may leave */
    return GH_OK;
}

static enum gh_err on_ban(void *ctx, const struct gh_peer *peer, const void *body,
                          struct gh_reply *reply)
{
    (void)ctx;
    (void)peer;
    (void)body;
    (void)reply;
    return GH_ERR_INTERNAL;
}

static const struct gh_route routes[] = {
    { GH__ENVELOPE__BODY_LEASE_REQUEST, GH_ROLE_EDGE, on_lease },
    { GH__ENVELOPE__BODY_LEASE_RETURN, GH_ROLE_EDGE, on_return },
    { GH__ENVELOPE__BODY_BAN_ADD, GH_ROLE_CTL, on_ban },
    { 0 },
};

static void peer_up(void *ctx, const struct gh_peer *peer)
{
    struct fixture *f = ctx;

    f->peers_up++;
    f->last_peer = *peer;
}

static void peer_down(void *ctx, const struct gh_peer *peer)
{
    (void)peer;
    ((struct fixture *)ctx)->peers_down++;
}

/* --- caller side ------------------------------------------------------------------------------ */

static void on_up(void *ctx, struct gh_client_peer *peer, uint64_t version)
{
    (void)peer;
    (void)version;
    ((struct fixture *)ctx)->up++;
}

static void on_down(void *ctx, struct gh_client_peer *peer)
{
    (void)peer;
    ((struct fixture *)ctx)->down++;
}

static void on_room(void *ctx, struct gh_client_peer *peer)
{
    (void)peer;
    ((struct fixture *)ctx)->room++;
}

static void on_push(void *ctx, struct gh_client_peer *peer, uint32_t arm, const void *body)
{
    struct fixture *f = ctx;

    (void)peer;
    assert_int_equal(arm, GH__ENVELOPE__BODY_BAN_ORDER);
    f->values[0] = ((const Gh__BanOrder *)body)->version;
    f->pushes++;
}

static void on_answer(void *ctx, enum gh_err err, const void *body)
{
    struct fixture *f = ctx;

    f->errs[f->answers] = err;
    f->values[f->answers] = err == GH_OK ? ((const Gh__LeaseReply *)body)->grants[0]->tokens : 0;
    f->answers++;
}

static enum gh_err call(struct fixture *f, uint32_t tokens, uint64_t timeout_ms)
{
    Gh__LeaseRequest request = GH__LEASE_REQUEST__INIT;
    Gh__LeaseAsk ask = GH__LEASE_ASK__INIT;
    Gh__LeaseAsk *asks[] = { &ask };

    ask.tokens = tokens;
    request.n_asks = 1;
    request.asks = asks;
    return gh_client_call(f->client, gh_client_peer_at(f->client, 0),
                          GH__ENVELOPE__BODY_LEASE_REQUEST, &request,
                          GH__ENVELOPE__BODY_LEASE_REPLY, timeout_ms, on_answer, f);
}

/* --- fixture ---------------------------------------------------------------------------------- */

static void start_server(struct fixture *f, const struct gh_bus_keys *keys)
{
    struct gh_server_config config = { .endpoint = f->endpoint,
                                       .instance = "limiter-1",
                                       .boot_id = 7,
                                       .keys = keys,
                                       .metrics = f->metrics,
                                       .routes = routes,
                                       .ctx = f };

    assert_int_equal(gh_server_new(&f->loop, &config, &f->server), GH_OK);
    gh_server_on_peer(f->server, peer_up, peer_down);
}

static void start_client(struct fixture *f, const char *endpoint, enum gh_role self,
                         const struct gh_bus_keys *keys)
{
    struct gh_client_config config = { .endpoint = endpoint,
                                       .self = self,
                                       .service = GH_ROLE_LIMITER,
                                       .instance = "edge-1",
                                       .boot_id = 9,
                                       .keys = keys,
                                       .metrics = f->metrics,
                                       .max_in_flight = 4,
                                       .ctx = f,
                                       .on_up = on_up,
                                       .on_down = on_down,
                                       .on_push = on_push,
                                       .on_room = on_room };

    assert_int_equal(gh_client_new(&f->loop, &config, &f->client), GH_OK);
}

static bool is_up(const struct fixture *f)
{
    return f->up > 0 && f->peers_up > 0;
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    assert_non_null(f);
    gh_log_set_level(GH_LOG_ERROR);
    assert_int_equal(uv_loop_init(&f->loop), 0);
    assert_int_equal(gh_metrics_new(&f->metrics), GH_OK);
    (void)snprintf(f->dir, sizeof f->dir, "/tmp/gh-bus-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    (void)snprintf(f->endpoint, sizeof f->endpoint, "ipc://%s/limiter.limiter-1", f->dir);
    *state = f;
    return 0;
}

static void remove_dir(const char *dir)
{
    char pattern[128];
    glob_t found;

    (void)snprintf(pattern, sizeof pattern, "%s/*", dir);
    if (glob(pattern, 0, NULL, &found) == 0) {
        for (size_t i = 0; i < found.gl_pathc; i++)
            (void)unlink(found.gl_pathv[i]);
        globfree(&found);
    }
    (void)rmdir(dir);
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    gh_client_free(f->client);
    gh_server_free(f->server);
    for (unsigned i = 0; i < f->held_count; i++)
        gh_reply_fail(f->held[i], GH_ERR_INTERNAL); /* after the server: must be safe */
    for (int i = 0; i < 100 && uv_loop_close(&f->loop) != 0; i++)
        (void)uv_run(&f->loop, UV_RUN_NOWAIT);
    gh_metrics_free(f->metrics);
    remove_dir(f->dir);
    free(f);
    return 0;
}

static void connect_pair(struct fixture *f)
{
    char spec[160];

    (void)snprintf(spec, sizeof spec, "ipc://%s/limiter.*", f->dir);
    start_server(f, NULL);
    start_client(f, spec, GH_ROLE_EDGE, NULL);
    spin(f, is_up);
}

static bool answered(const struct fixture *f)
{
    return f->answers >= 1;
}

/* --- tests ------------------------------------------------------------------------------------ */

static void a_call_is_answered(void **state)
{
    struct fixture *f = *state;

    connect_pair(f);
    assert_int_equal(call(f, 41, 1000), GH_OK);
    spin(f, answered);
    assert_int_equal(f->errs[0], GH_OK);
    assert_int_equal(f->values[0], 42);
    assert_string_equal(f->last_peer.instance, "edge-1");
    assert_int_equal(f->last_peer.role, GH_ROLE_EDGE);
    assert_int_equal(f->last_peer.boot_id, 9);
}

static bool returned(const struct fixture *f)
{
    return f->returned == 1;
}

static void one_way_is_taken_and_not_answered(void **state)
{
    struct fixture *f = *state;
    Gh__LeaseReturn body = GH__LEASE_RETURN__INIT;

    connect_pair(f);
    assert_int_equal(gh_client_tell(f->client, gh_client_peer_at(f->client, 0),
                                    GH__ENVELOPE__BODY_LEASE_RETURN, &body),
                     GH_OK);
    spin(f, returned);
    assert_int_equal(call(f, 1, 1000), GH_OK);
    spin(f, answered);
    assert_int_equal(f->errs[0], GH_OK);
}

static void a_malformed_request_gets_its_error(void **state)
{
    struct fixture *f = *state;
    Gh__LeaseRequest empty = GH__LEASE_REQUEST__INIT;

    connect_pair(f);
    assert_int_equal(gh_client_call(f->client, gh_client_peer_at(f->client, 0),
                                    GH__ENVELOPE__BODY_LEASE_REQUEST, &empty,
                                    GH__ENVELOPE__BODY_LEASE_REPLY, 1000, on_answer, f),
                     GH_OK);
    spin(f, answered);
    assert_int_equal(f->errs[0], GH_ERR_BAD_MESSAGE);
}

static void a_role_may_only_send_what_its_route_says(void **state)
{
    struct fixture *f = *state;
    Gh__BanAdd ban = GH__BAN_ADD__INIT;

    connect_pair(f);
    assert_int_equal(gh_client_call(f->client, gh_client_peer_at(f->client, 0),
                                    GH__ENVELOPE__BODY_BAN_ADD, &ban,
                                    GH__ENVELOPE__BODY_BAN_CHANGED, 1000, on_answer, f),
                     GH_OK);
    spin(f, answered);
    assert_int_equal(f->errs[0], GH_ERR_FORBIDDEN);
}

static void an_unrouted_message_is_answered(void **state)
{
    struct fixture *f = *state;
    Gh__AuditTail tail = GH__AUDIT_TAIL__INIT;

    connect_pair(f);
    assert_int_equal(gh_client_call(f->client, gh_client_peer_at(f->client, 0),
                                    GH__ENVELOPE__BODY_AUDIT_TAIL, &tail,
                                    GH__ENVELOPE__BODY_AUDIT_TAILED, 1000, on_answer, f),
                     GH_OK);
    spin(f, answered);
    assert_int_equal(f->errs[0], GH_ERR_BAD_MESSAGE);
}

static void silence_is_a_timeout(void **state)
{
    struct fixture *f = *state;

    connect_pair(f);
    f->hold = true;
    assert_int_equal(call(f, 1, 60), GH_OK);
    spin(f, answered);
    assert_int_equal(f->errs[0], GH_ERR_TIMEOUT);
}

static bool has_room(const struct fixture *f)
{
    return f->room > 0;
}

static bool held_four(const struct fixture *f)
{
    return f->held_count == 4;
}

static void a_full_window_refuses_and_tells_when_there_is_room(void **state)
{
    struct fixture *f = *state;

    connect_pair(f);
    f->hold = true;
    for (int i = 0; i < 4; i++)
        assert_int_equal(call(f, 1, 5000), GH_OK);
    assert_int_equal(call(f, 1, 5000), GH_ERR_BUSY);
    assert_null(gh_client_peer_any(f->client));
    spin(f, held_four);
    gh_reply_fail(f->held[--f->held_count], GH_ERR_LIMIT);
    spin(f, has_room);
    assert_int_equal(f->errs[0], GH_ERR_LIMIT);
    assert_int_equal(call(f, 1, 5000), GH_OK);
}

static bool down_once(const struct fixture *f)
{
    return f->down == 1;
}

static bool up_twice(const struct fixture *f)
{
    return f->up == 2;
}

static void a_lost_peer_fails_its_calls_in_order_and_comes_back(void **state)
{
    struct fixture *f = *state;

    connect_pair(f);
    f->hold = true;
    for (uint32_t i = 0; i < 3; i++)
        assert_int_equal(call(f, i, 60000), GH_OK);
    gh_server_free(f->server);
    f->server = NULL;
    spin(f, down_once);
    assert_int_equal(f->answers, 3);
    for (int i = 0; i < 3; i++)
        assert_int_equal(f->errs[i], GH_ERR_UNAVAILABLE);
    assert_int_equal(call(f, 1, 1000), GH_ERR_UNAVAILABLE);

    f->hold = false;
    f->answers = 0;
    start_server(f, NULL);
    spin(f, up_twice);
    assert_int_equal(call(f, 1, 1000), GH_OK);
    spin(f, answered);
    assert_int_equal(f->values[0], 2);
}

static bool pushed(const struct fixture *f)
{
    return f->pushes == 2;
}

static void orders_are_pushed_to_roles_and_peers(void **state)
{
    struct fixture *f = *state;
    Gh__BanOrder order = GH__BAN_ORDER__INIT;

    connect_pair(f);
    order.version = 5;
    assert_int_equal(
        gh_server_push_all(f->server, GH_ROLE_CTL, GH__ENVELOPE__BODY_BAN_ORDER, &order), 0);
    assert_int_equal(
        gh_server_push_all(f->server, GH_ROLE_EDGE, GH__ENVELOPE__BODY_BAN_ORDER, &order), 0);
    order.version = 6;
    assert_int_equal(
        gh_server_push(f->server, f->last_peer.id, GH__ENVELOPE__BODY_BAN_ORDER, &order), GH_OK);
    assert_int_equal(gh_server_push(f->server, 1, GH__ENVELOPE__BODY_BAN_ORDER, &order),
                     GH_ERR_NOT_FOUND);
    spin(f, pushed);
    assert_int_equal(f->values[0], 6);
}

static bool superseded(const struct fixture *f)
{
    return f->peers_down == 1 && f->peers_up == 2;
}

static void a_restarted_caller_replaces_its_old_self(void **state)
{
    struct fixture *f = *state;
    struct gh_client *old;
    char spec[160];

    connect_pair(f);
    old = f->client;
    (void)snprintf(spec, sizeof spec, "ipc://%s/limiter.*", f->dir);
    start_client(f, spec, GH_ROLE_EDGE, NULL);
    spin(f, superseded);
    gh_client_free(old);
}

static void garbage_is_counted_and_the_peer_ignored_in_the_end(void **state)
{
    struct fixture *f = *state;
    static const unsigned char garbage[] = { 0xff, 0xfe, 0x00, 0x80 };
    char address[160];
    zsock_t *raw;
    zmsg_t *reply;

    connect_pair(f);
    (void)snprintf(address, sizeof address, "ipc://%s/limiter.limiter-1.edge.sock", f->dir);
    raw = zsock_new(ZMQ_DEALER);
    assert_non_null(raw);
    zsock_set_linger(raw, 0);
    assert_int_equal(zmq_connect(zsock_resolve(raw), address), 0);
    for (int i = 0; i < GH_SERVER_BAD_MAX + 10; i++)
        assert_true(zmq_send(zsock_resolve(raw), garbage, sizeof garbage, 0) >= 0);
    assert_true(zstr_sendx(raw, "two", "frames", NULL) == 0);
    assert_int_equal(call(f, 1, 5000), GH_OK); /* others are served all the while */
    spin(f, answered);
    assert_int_equal(f->errs[0], GH_OK);
    reply = zmsg_recv_nowait(raw);
    assert_null(reply); /* call_id 0 in garbage: nothing to answer */
    zsock_destroy(&raw);
}

static void curve_gives_the_role_of_the_key(void **state)
{
    struct fixture *f = *state;
    struct gh_bus_keys *server_keys = NULL, *client_keys = NULL;
    struct gh_bus_zap *zap = NULL;
    uv_tcp_t probe;
    struct sockaddr_in any;
    int len = sizeof any;

    assert_int_equal(gh_bus_keys_init(f->dir), GH_OK);
    assert_int_equal(gh_bus_keys_init(f->dir), GH_OK); /* keeps what is there */
    assert_int_equal(gh_bus_keys_load(f->dir, GH_ROLE_LIMITER, &server_keys), GH_OK);
    assert_int_equal(gh_bus_keys_load(f->dir, GH_ROLE_EDGE, &client_keys), GH_OK);
    assert_int_equal(gh_bus_zap_new(&f->loop, server_keys, &zap), GH_OK);

    assert_int_equal(uv_tcp_init(&f->loop, &probe), 0); /* a free port */
    assert_int_equal(uv_ip4_addr("127.0.0.1", 0, &any), 0);
    assert_int_equal(uv_tcp_bind(&probe, (struct sockaddr *)&any, 0), 0);
    assert_int_equal(uv_tcp_getsockname(&probe, (struct sockaddr *)&any, &len), 0);
    uv_close((uv_handle_t *)&probe, NULL);
    (void)uv_run(&f->loop, UV_RUN_NOWAIT);
    (void)snprintf(f->endpoint, sizeof f->endpoint, "tcp://127.0.0.1:%d", ntohs(any.sin_port));

    start_server(f, server_keys);
    start_client(f, f->endpoint, GH_ROLE_EDGE, client_keys);
    spin(f, is_up);
    assert_int_equal(f->last_peer.role, GH_ROLE_EDGE);
    assert_int_equal(call(f, 1, 1000), GH_OK);
    spin(f, answered);
    assert_int_equal(f->errs[0], GH_OK);

    gh_client_free(f->client);
    f->client = NULL;
    gh_server_free(f->server);
    f->server = NULL;
    gh_bus_zap_free(zap);
    gh_bus_keys_free(server_keys);
    gh_bus_keys_free(client_keys);
}

static void tcp_without_keys_is_refused(void **state)
{
    struct fixture *f = *state;
    struct gh_server_config config = {
        .endpoint = "tcp://127.0.0.1:1", .instance = "x", .metrics = f->metrics, .routes = routes
    };
    struct gh_client_config caller = { .endpoint = "tcp://127.0.0.1:1",
                                       .instance = "x",
                                       .metrics = f->metrics };

    assert_int_equal(gh_server_new(&f->loop, &config, &f->server), GH_ERR_CONFIG);
    assert_int_equal(gh_client_new(&f->loop, &caller, &f->client), GH_ERR_CONFIG);
    caller.endpoint = "http://example";
    assert_int_equal(gh_client_new(&f->loop, &caller, &f->client), GH_ERR_CONFIG);
}

static void rendezvous_is_stable_and_spreads(void **state)
{
    struct fixture *f = *state;
    char spec[160];

    (void)snprintf(spec, sizeof spec, "ipc://%s/limiter.*", f->dir);
    start_server(f, NULL);
    start_client(f, spec, GH_ROLE_EDGE, NULL);
    assert_null(gh_client_peer_for(f->client, 1));
    spin(f, is_up);
    for (uint64_t key = 0; key < 100; key++)
        assert_ptr_equal(gh_client_peer_for(f->client, key), gh_client_peer_at(f->client, 0));
}

static void every_arm_survives_the_codec(void **state)
{
    struct gh_arena *arena = NULL;
    uint64_t call_id = 0;
    uint32_t arm = 0;
    const void *body = NULL;
    zmq_msg_t msg;
    Gh__Hello hello = GH__HELLO__INIT;

    (void)state;
    assert_int_equal(gh_arena_new(1u << 20, &arena), GH_OK);
    hello.instance = gh_bytes_str("x");
    assert_int_equal(gh_bus_encode(3, GH__ENVELOPE__BODY_HELLO, &hello, &msg), GH_OK);
    assert_int_equal(
        gh_bus_decode(arena, zmq_msg_data(&msg), zmq_msg_size(&msg), &call_id, &arm, &body), GH_OK);
    assert_int_equal(call_id, 3);
    assert_int_equal(arm, GH__ENVELOPE__BODY_HELLO);
    assert_true(gh_bytes_eq(((const Gh__Hello *)body)->instance, "x"));
    for (size_t cut = 1; cut < zmq_msg_size(&msg); cut++)
        assert_int_not_equal(gh_bus_decode(arena, zmq_msg_data(&msg), cut, &call_id, &arm, &body),
                             GH_ERR_NOMEM);
    assert_int_equal(gh_bus_decode(arena, "", 0, &call_id, &arm, &body), GH_ERR_BAD_MESSAGE);
    zmq_msg_close(&msg);
    gh_arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_arm_survives_the_codec),
        cmocka_unit_test_setup_teardown(a_call_is_answered, setup, teardown),
        cmocka_unit_test_setup_teardown(one_way_is_taken_and_not_answered, setup, teardown),
        cmocka_unit_test_setup_teardown(a_malformed_request_gets_its_error, setup, teardown),
        cmocka_unit_test_setup_teardown(a_role_may_only_send_what_its_route_says, setup, teardown),
        cmocka_unit_test_setup_teardown(an_unrouted_message_is_answered, setup, teardown),
        cmocka_unit_test_setup_teardown(silence_is_a_timeout, setup, teardown),
        cmocka_unit_test_setup_teardown(a_full_window_refuses_and_tells_when_there_is_room, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_lost_peer_fails_its_calls_in_order_and_comes_back, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(orders_are_pushed_to_roles_and_peers, setup, teardown),
        cmocka_unit_test_setup_teardown(a_restarted_caller_replaces_its_old_self, setup, teardown),
        cmocka_unit_test_setup_teardown(garbage_is_counted_and_the_peer_ignored_in_the_end, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(curve_gives_the_role_of_the_key, setup, teardown),
        cmocka_unit_test_setup_teardown(rendezvous_is_stable_and_spreads, setup, teardown),
        cmocka_unit_test_setup_teardown(tcp_without_keys_is_refused, setup, teardown),
    };
    int failed;

    (void)setenv("ZSYS_SIGHANDLER", "false", 1);
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    zsys_shutdown();
    return failed;
}
