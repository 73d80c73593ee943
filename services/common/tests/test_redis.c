/* gh_redis against a real redis-server. */
#include "common/clock.h"
#include "common/redis.h"
#include "support/redis_server.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define GUARD_MS 30000 /* only against hanging for ever */

struct fixture {
    struct redis_server *server;
    uv_loop_t loop;
    uv_timer_t tick;
    struct gh_redis *redis;
};

struct got { /* what a callback was told */
    unsigned calls;
    enum gh_err err;
    char text[64];
    long long integer;
    unsigned order;
};

static unsigned order_next;

static void note(void *ctx, enum gh_err err, const redisReply *reply)
{
    struct got *got = ctx;

    got->calls++;
    got->err = err;
    got->order = order_next++;
    assert_int_equal(err == GH_OK, reply != NULL);
    if (reply == NULL) return;
    assert_int_not_equal(reply->type, REDIS_REPLY_ERROR);
    if (reply->type == REDIS_REPLY_INTEGER) got->integer = reply->integer;
    if (reply->str != NULL && (size_t)reply->len < sizeof got->text)
        memcpy(got->text, reply->str, (size_t)reply->len);
}

static void on_tick(uv_timer_t *timer)
{
    (void)timer;
}

static struct gh_redis_config config_for(const char *url)
{
    return (struct gh_redis_config){ .url = url, .timeout_ms = 20000 };
}

static void open_redis(struct fixture *f, const struct gh_redis_config *config)
{
    assert_int_equal(gh_redis_new(&f->loop, config, &f->redis), GH_OK);
}

/* Turns the loop until *flag >= wanted. */
static void spin_calls(struct fixture *f, const unsigned *calls, unsigned wanted)
{
    const int64_t until_ms = gh_clock_mono_ms() + GUARD_MS;

    while (*calls < wanted) {
        uv_run(&f->loop, UV_RUN_ONCE);
        assert_true(gh_clock_mono_ms() < until_ms);
    }
}

static void spin_up(struct fixture *f, bool up)
{
    const int64_t until_ms = gh_clock_mono_ms() + GUARD_MS;

    while (gh_redis_up(f->redis) != up) {
        uv_run(&f->loop, UV_RUN_ONCE);
        assert_true(gh_clock_mono_ms() < until_ms);
    }
}

static void spin_ms(struct fixture *f, int64_t ms)
{
    const int64_t until_ms = gh_clock_mono_ms() + ms;

    while (gh_clock_mono_ms() < until_ms)
        uv_run(&f->loop, UV_RUN_ONCE);
}

/* Words separated by one space. */
static enum gh_err command(struct fixture *f, struct got *got, const char *words)
{
    const char *argv[16];
    size_t len[16];
    int argc = 0;

    memset(got, 0, sizeof *got);
    for (const char *at = words; at != NULL; argc++) {
        const char *space = strchr(at, ' ');

        argv[argc] = at;
        len[argc] = space != NULL ? (size_t)(space - at) : strlen(at);
        at = space != NULL ? space + 1 : NULL;
    }
    const enum gh_err err = gh_redis_command(f->redis, note, got, argc, argv, len);
    assert_int_equal(got->calls, 0); /* never from inside */
    return err;
}

static void ask(struct fixture *f, struct got *got, const char *words)
{
    assert_int_equal(command(f, got, words), GH_OK);
    spin_calls(f, &got->calls, 1);
}

static void call_server(struct fixture *f, const char *words)
{
    redisReply *reply = redis_server_call(f->server, words);

    assert_non_null(reply);
    assert_int_not_equal(reply->type, REDIS_REPLY_ERROR);
    freeReplyObject(reply);
}

static int start(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    if (f == NULL) return -1;
    f->server = redis_server_start(NULL);
    *state = f;
    return f->server != NULL ? 0 : -1;
}

static int stop(void **state)
{
    struct fixture *f = *state;

    redis_server_stop(f->server);
    free(f);
    return 0;
}

static int setup_loop(void **state)
{
    struct fixture *f = *state;

    order_next = 0;
    f->redis = NULL;
    uv_loop_init(&f->loop);
    uv_timer_init(&f->loop, &f->tick);
    uv_timer_start(&f->tick, on_tick, 10, 10);
    return 0;
}

static int setup(void **state)
{
    struct fixture *f = *state;
    const struct gh_redis_config config = config_for(redis_server_url(f->server));

    setup_loop(state);
    open_redis(f, &config);
    spin_up(f, true);
    return 0;
}

/* The loop must be empty at the end: no handle is left open. */
static int teardown(void **state)
{
    struct fixture *f = *state;

    gh_redis_free(f->redis);
    uv_close((uv_handle_t *)&f->tick, NULL);
    /* not UV_RUN_DEFAULT: after a failed test something may be left that never ends */
    for (int i = 0; i < 5000 && uv_loop_alive(&f->loop); i++) {
        uv_run(&f->loop, UV_RUN_NOWAIT);
        usleep(1000);
    }
    return uv_loop_close(&f->loop);
}

static void takes_binary_arguments(void **state)
{
    struct fixture *f = *state;
    const char *argv[] = { "SET", "k\0\r\n", "v\0\xff\r\n" };
    const size_t len[] = { 3, 4, 5 };
    struct got set = { 0 }, length = { 0 };

    assert_int_equal(gh_redis_command(f->redis, note, &set, 3, argv, len), GH_OK);
    assert_int_equal(gh_redis_command(f->redis, note, &length, 2,
                                      (const char *[]){ "STRLEN", "k\0\r\n" },
                                      (const size_t[]){ 6, 4 }),
                     GH_OK);
    spin_calls(f, &length.calls, 1);
    assert_string_equal(set.text, "OK");
    assert_int_equal(length.integer, 5);
}

static void answers_in_order(void **state)
{
    struct fixture *f = *state;
    static struct got got[5000];
    char words[32];

    call_server(f, "DEL n");
    for (unsigned i = 0; i < 5000; i++) {
        (void)snprintf(words, sizeof words, "INCR n");
        assert_int_equal(command(f, &got[i], words), GH_OK);
    }
    spin_calls(f, &got[4999].calls, 1);
    for (unsigned i = 0; i < 5000; i++) {
        assert_int_equal(got[i].calls, 1);
        assert_int_equal(got[i].order, i);
        assert_int_equal(got[i].integer, i + 1);
    }
}

static void turns_error_replies_into_errors(void **state)
{
    struct fixture *f = *state;
    struct got got;

    ask(f, &got, "SET text abc");
    ask(f, &got, "INCR text");
    assert_int_equal(got.err, GH_ERR_IO);
    ask(f, &got, "NOSUCHCOMMAND secret");
    assert_int_equal(got.err, GH_ERR_IO);
    ask(f, &got, "GET text");
    assert_int_equal(got.err, GH_OK);
    assert_string_equal(got.text, "abc");
}

static struct gh_script add_script = {
    .name = "add",
    .source = "return redis.call('INCRBY', KEYS[1], ARGV[1])",
};

static enum gh_err add(struct fixture *f, struct got *got, const char *by)
{
    const char *argv[] = { "sum", by };
    const size_t len[] = { 3, strlen(by) };

    memset(got, 0, sizeof *got);
    const enum gh_err err = gh_redis_script(f->redis, &add_script, note, got, 1, 2, argv, len);
    assert_int_equal(got->calls, 0);
    return err;
}

static void runs_scripts_by_name(void **state)
{
    struct fixture *f = *state;
    struct got one, two;

    call_server(f, "DEL sum");
    assert_int_equal(add(f, &one, "5"), GH_OK);
    assert_int_equal(add(f, &two, "6"), GH_OK);
    spin_calls(f, &two.calls, 1);
    assert_int_equal(one.integer, 5);
    assert_int_equal(two.integer, 11);
    assert_int_equal(strlen(add_script.sha), 40);
}

static void loads_scripts_again_when_they_are_gone(void **state)
{
    struct fixture *f = *state;
    struct got got[50];

    call_server(f, "DEL sum");
    assert_int_equal(add(f, &got[0], "1"), GH_OK);
    spin_calls(f, &got[0].calls, 1);
    for (int round = 0; round < 3; round++) {
        call_server(f, "SCRIPT FLUSH");
        call_server(f, "SET sum 0");
        for (int i = 0; i < 50; i++)
            assert_int_equal(add(f, &got[i], "1"), GH_OK);
        for (int i = 0; i < 50; i++) {
            spin_calls(f, &got[i].calls, 1);
            assert_int_equal(got[i].err, GH_OK);
        }
        uint64_t seen = 0;
        for (int i = 0; i < 50; i++) {
            assert_int_equal(got[i].calls, 1);
            assert_in_range(got[i].integer, 1, 50);
            seen |= 1ull << got[i].integer;
        }
        assert_int_equal(seen, ((1ull << 50) - 1) << 1); /* each ran exactly once */
    }
}

static void takes_many_script_arguments(void **state)
{
    struct fixture *f = *state;
    static struct gh_script count = { .name = "count", .source = "return #ARGV + #KEYS * 10000" };
    const char *argv[3000];
    size_t len[3000];
    struct got got = { 0 };

    for (size_t i = 0; i < 3000; i++) {
        argv[i] = "x";
        len[i] = 1;
    }
    assert_int_equal(gh_redis_script(f->redis, &count, note, &got, 2, 3000, argv, len), GH_OK);
    spin_calls(f, &got.calls, 1);
    assert_int_equal(got.integer, 22998);
}

static void reports_a_script_that_cannot_be(void **state)
{
    struct fixture *f = *state;
    static struct gh_script bad = { .name = "bad", .source = "return (" };
    static struct gh_script fails = { .name = "fails", .source = "return redis.call('NOPE')" };
    struct got one = { 0 }, two = { 0 };

    assert_int_equal(gh_redis_script(f->redis, &bad, note, &one, 0, 0, NULL, NULL), GH_OK);
    assert_int_equal(gh_redis_script(f->redis, &fails, note, &two, 0, 0, NULL, NULL), GH_OK);
    spin_calls(f, &two.calls, 1);
    spin_calls(f, &one.calls, 1);
    assert_int_equal(one.err, GH_ERR_IO);
    assert_int_equal(two.err, GH_ERR_IO);
    assert_true(gh_redis_up(f->redis));
}

static void comes_back_after_client_kill(void **state)
{
    struct fixture *f = *state;
    struct got got, sum;

    for (int i = 0; i < 3; i++) {
        ask(f, &got, "PING");
        assert_int_equal(got.err, GH_OK);
        call_server(f, "CLIENT KILL TYPE normal SKIPME yes");
        spin_up(f, false);
        assert_int_equal(command(f, &got, "PING"), GH_ERR_UNAVAILABLE);
        spin_up(f, true);
        assert_int_equal(add(f, &sum, "1"), GH_OK); /* scripts are loaded anew */
        spin_calls(f, &sum.calls, 1);
        assert_int_equal(sum.err, GH_OK);
    }
}

static void survives_kill_9_with_commands_in_flight(void **state)
{
    struct fixture *f = *state;
    struct got sleeper, got[100];

    assert_int_equal(command(f, &sleeper, "DEBUG SLEEP 20"), GH_OK);
    for (int i = 0; i < 100; i++)
        assert_int_equal(command(f, &got[i], "INCR in_flight"), GH_OK);
    spin_ms(f, 50); /* on their way */
    redis_server_kill(f->server);
    spin_up(f, false);
    assert_int_equal(sleeper.calls, 1);
    assert_int_equal(sleeper.err, GH_ERR_UNAVAILABLE);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(got[i].calls, 1);
        assert_int_equal(got[i].err, GH_ERR_UNAVAILABLE);
    }
    spin_ms(f, 300); /* some attempts fail */
    assert_int_equal(command(f, &got[0], "PING"), GH_ERR_UNAVAILABLE);
    assert_int_equal(add(f, &got[0], "1"), GH_ERR_UNAVAILABLE);
    assert_true(redis_server_restart(f->server));
    spin_up(f, true);
    ask(f, &got[0], "SET after restart");
    assert_int_equal(got[0].err, GH_OK);
    assert_int_equal(got[99].calls, 1);
}

static void times_out_and_starts_afresh(void **state)
{
    struct fixture *f = *state;
    struct gh_redis_config config = config_for(redis_server_url(f->server));
    struct got first, later, got;

    config.timeout_ms = 200;
    open_redis(f, &config);
    spin_up(f, true);
    ask(f, &got, "PING");
    assert_int_equal(command(f, &first, "DEBUG SLEEP 1"), GH_OK);
    spin_ms(f, 120);
    assert_int_equal(command(f, &later, "SET later 1"), GH_OK);
    spin_calls(f, &first.calls, 1);
    assert_int_equal(first.err, GH_ERR_TIMEOUT);
    assert_int_equal(later.calls, 1); /* goes with the connection */
    assert_true(later.err == GH_ERR_UNAVAILABLE || later.err == GH_ERR_TIMEOUT);
    assert_false(gh_redis_up(f->redis));
    spin_up(f, true);
    ask(f, &got, "PING");
    assert_int_equal(got.err, GH_OK);
}

static void forgives_its_own_pause(void **state)
{
    struct fixture *f = *state;
    struct gh_redis_config config = config_for(redis_server_url(f->server));
    struct got got;

    config.timeout_ms = 100;
    open_redis(f, &config);
    spin_up(f, true);
    assert_int_equal(command(f, &got, "PING"), GH_OK);
    uv_run(&f->loop, UV_RUN_NOWAIT); /* sent */
    usleep(1000000);                 /* the answer is there long before we look */
    spin_calls(f, &got.calls, 1);
    assert_int_equal(got.err, GH_OK);
    assert_true(gh_redis_up(f->redis));
}

static void gives_every_answer_when_freed(void **state)
{
    struct fixture *f = *state;
    struct got got[10];

    for (int i = 0; i < 10; i++)
        assert_int_equal(command(f, &got[i], "PING"), GH_OK);
    gh_redis_free(f->redis);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(got[i].calls, 1);
        assert_int_equal(got[i].err, GH_ERR_UNAVAILABLE);
    }
    uv_run(&f->loop, UV_RUN_NOWAIT);
    f->redis = NULL;
    for (int i = 0; i < 10; i++)
        assert_int_equal(got[i].calls, 1);
}

struct nested {
    struct fixture *f;
    struct got inner;
    enum gh_err again;
    unsigned calls;
};

static void free_inside(void *ctx, enum gh_err err, const redisReply *reply)
{
    struct nested *nested = ctx;
    const char *ping[] = { "PING" };
    const size_t len[] = { 4 };

    (void)reply;
    assert_int_equal(err, GH_OK);
    nested->calls++;
    gh_redis_free(nested->f->redis);
    assert_int_equal(nested->inner.calls, 1); /* told before free returned */
    nested->again = gh_redis_command(nested->f->redis, note, &nested->inner, 1, ping, len);
    nested->f->redis = NULL;
}

static void may_be_freed_inside_a_callback(void **state)
{
    struct fixture *f = *state;
    struct nested nested = { .f = f };
    const char *ping[] = { "PING" };
    const size_t len[] = { 4 };

    assert_int_equal(gh_redis_command(f->redis, free_inside, &nested, 1, ping, len), GH_OK);
    assert_int_equal(command(f, &nested.inner, "PING"), GH_OK);
    spin_calls(f, &nested.calls, 1);
    assert_int_equal(nested.inner.err, GH_ERR_UNAVAILABLE);
    assert_int_equal(nested.again, GH_ERR_UNAVAILABLE);
    assert_int_equal(nested.calls, 1);
}

static void issue_inside(void *ctx, enum gh_err err, const redisReply *reply)
{
    struct nested *nested = ctx;

    (void)reply;
    nested->calls++;
    if (err == GH_OK) nested->again = command(nested->f, &nested->inner, "PING");
}

static void may_issue_inside_a_callback(void **state)
{
    struct fixture *f = *state;
    struct nested nested = { .f = f };
    const char *ping[] = { "PING" };
    const size_t len[] = { 4 };

    assert_int_equal(gh_redis_command(f->redis, issue_inside, &nested, 1, ping, len), GH_OK);
    spin_calls(f, &nested.inner.calls, 1);
    assert_int_equal(nested.inner.err, GH_OK);
    assert_string_equal(nested.inner.text, "PONG");
}

static void authenticates(void **state)
{
    struct fixture *f = *state;
    struct gh_redis_config config = config_for(redis_server_url(f->server));
    struct got got;

    call_server(f, "ACL SETUSER gate on >s3cret ~* +@all");
    config.user = "gate";
    config.secret = (const unsigned char *)"s3cret";
    config.secret_len = 6;
    open_redis(f, &config);
    spin_up(f, true);
    ask(f, &got, "ACL WHOAMI");
    assert_string_equal(got.text, "gate");
    gh_redis_free(f->redis);

    config.secret_len = 5; /* wrong */
    open_redis(f, &config);
    spin_ms(f, 400);
    assert_false(gh_redis_up(f->redis));
    assert_int_equal(command(f, &got, "PING"), GH_ERR_UNAVAILABLE);
}

static void authenticates_with_a_password_alone(void **state)
{
    struct fixture *f = *state;
    const char *extra[] = { "--requirepass", "pw", NULL };
    struct redis_server *server = redis_server_start(extra);
    struct got got;

    assert_non_null(server);
    struct gh_redis_config config = config_for(redis_server_url(server));
    open_redis(f, &config);
    spin_ms(f, 300);
    assert_false(gh_redis_up(f->redis)); /* NOAUTH */
    gh_redis_free(f->redis);
    config.secret = (const unsigned char *)"pw";
    config.secret_len = 2;
    open_redis(f, &config);
    spin_up(f, true);
    ask(f, &got, "PING");
    assert_int_equal(got.err, GH_OK);
    redis_server_stop(server);
}

static unsigned free_port(void)
{
    struct sockaddr_in address = { .sin_family = AF_INET };
    socklen_t len = sizeof address;
    const int fd = socket(AF_INET, SOCK_STREAM, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    close(fd);
    return ntohs(address.sin_port);
}

static void waits_for_a_refused_tcp_port(void **state)
{
    struct fixture *f = *state;
    const char *const hosts[] = { "127.0.0.1", "localhost" };
    char url[64], port[8];
    struct got got;

    for (size_t i = 0; i < 2; i++) {
        const char *extra[] = { "--port", port, "--bind", "127.0.0.1", NULL };

        (void)snprintf(port, sizeof port, "%u", free_port());
        (void)snprintf(url, sizeof url, "tcp:%s:%s", hosts[i], port);
        const struct gh_redis_config config = config_for(url);
        open_redis(f, &config);
        spin_ms(f, 300); /* refused */
        assert_false(gh_redis_up(f->redis));
        struct redis_server *server = redis_server_start(extra);
        assert_non_null(server);
        spin_up(f, true);
        ask(f, &got, "SET tcp yes");
        assert_int_equal(got.err, GH_OK);
        gh_redis_free(f->redis);
        f->redis = NULL;
        redis_server_stop(server);
    }
}

static void may_be_freed_before_it_is_up(void **state)
{
    struct fixture *f = *state;
    const char *const urls[] = { "unix:/nonexistent/redis.sock", "tcp:localhost:1",
                                 "tcp:127.0.0.1:1", redis_server_url(f->server) };

    for (size_t i = 0; i < 4; i++) {
        for (int turns = 0; turns < 4; turns++) {
            const struct gh_redis_config config = config_for(urls[i]);

            open_redis(f, &config);
            for (int t = 0; t < turns; t++)
                uv_run(&f->loop, UV_RUN_ONCE);
            gh_redis_free(f->redis);
            f->redis = NULL;
        }
    }
}

static void refuses_bad_urls(void **state)
{
    struct fixture *f = *state;
    static const char *const bad[] = { "",         "redis",    "unix:",       "unix:relative",
                                       "tcp:",     "tcp::1",   "tcp:host",    "tcp:host:",
                                       "tcp:h:0",  "tcp:h:x",  "tcp:h:65536", "tcp:h:-1",
                                       "tcp:h:1 ", "http:x:1", "tcp:h:+1" };
    struct gh_redis *redis = NULL;

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        const struct gh_redis_config config = config_for(bad[i]);

        assert_int_equal(gh_redis_new(&f->loop, &config, &redis), GH_ERR_CONFIG);
        assert_null(redis);
    }
}

#define WITH_CONNECTION(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
#define WITH_LOOP(fn)       cmocka_unit_test_setup_teardown(fn, setup_loop, teardown)

static void test_sentinel_addresses(void **state)
{
    static const struct {
        const char *sentinel, *master;
        enum gh_err err;
    } rows[] = {
        { "127.0.0.1:26379", "m", GH_OK },        { "[::1]:26379", "m", GH_OK },
        { "sentinel:26379", "m", GH_OK },         { "127.0.0.1", "m", GH_ERR_CONFIG },
        { ":26379", "m", GH_ERR_CONFIG },         { "127.0.0.1:", "m", GH_ERR_CONFIG },
        { "127.0.0.1:0", "m", GH_ERR_CONFIG },    { "127.0.0.1:65536", "m", GH_ERR_CONFIG },
        { "127.0.0.1:1x", "m", GH_ERR_CONFIG },   { "", "m", GH_ERR_CONFIG },
        { "127.0.0.1:26379", "", GH_ERR_CONFIG }, { "127.0.0.1:26379", NULL, GH_ERR_CONFIG },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct gh_redis_config config = { .url = "unix:/nowhere", .timeout_ms = 100 };
        struct gh_redis *redis = NULL;
        uv_loop_t loop;

        config.sentinels = &rows[i].sentinel;
        config.sentinel_count = 1;
        config.master = rows[i].master;
        assert_int_equal(uv_loop_init(&loop), 0);
        assert_int_equal(gh_redis_new(&loop, &config, &redis), rows[i].err);
        gh_redis_free(redis);
        while (uv_run(&loop, UV_RUN_DEFAULT) != 0)
            ;
        assert_int_equal(uv_loop_close(&loop), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sentinel_addresses),
        WITH_CONNECTION(takes_binary_arguments),
        WITH_CONNECTION(answers_in_order),
        WITH_CONNECTION(turns_error_replies_into_errors),
        WITH_CONNECTION(runs_scripts_by_name),
        WITH_CONNECTION(loads_scripts_again_when_they_are_gone),
        WITH_CONNECTION(takes_many_script_arguments),
        WITH_CONNECTION(reports_a_script_that_cannot_be),
        WITH_CONNECTION(comes_back_after_client_kill),
        WITH_CONNECTION(survives_kill_9_with_commands_in_flight),
        WITH_LOOP(times_out_and_starts_afresh),
        WITH_LOOP(forgives_its_own_pause),
        WITH_CONNECTION(gives_every_answer_when_freed),
        WITH_CONNECTION(may_be_freed_inside_a_callback),
        WITH_CONNECTION(may_issue_inside_a_callback),
        WITH_LOOP(authenticates),
        WITH_LOOP(authenticates_with_a_password_alone),
        WITH_LOOP(waits_for_a_refused_tcp_port),
        WITH_LOOP(may_be_freed_before_it_is_up),
        WITH_LOOP(refuses_bad_urls),
    };

    signal(SIGPIPE, SIG_IGN); /* as every service does */
    return cmocka_run_group_tests_name("redis", tests, start, stop);
}
