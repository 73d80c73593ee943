/* gh_redis against a server that misbehaves: a pipe on the same loop that answers as the row says.
 */
#include "common/clock.h"
#include "common/redis.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define GUARD_MS   30000 /* only against hanging for ever */
#define BYTES_MAX  65536
#define READS_MAX  16
#define CLIENT_MAX 64

struct fake {
    uv_loop_t loop;
    uv_pipe_t listener;
    uv_pipe_t clients[CLIENT_MAX];
    unsigned client_count;
    char dir[32], path[64], url[72];
    const char *reply; /* to what comes after the greeting; NULL: close the connection */
    bool greeted;
    unsigned reads; /* after the greeting */
    char bytes[BYTES_MAX];
    size_t len;
    struct gh_redis *redis;
    uv_timer_t tick;
};

struct got {
    unsigned calls;
    enum gh_err err;
};

static void note(void *ctx, enum gh_err err, const redisReply *reply)
{
    struct got *got = ctx;

    (void)reply;
    got->calls++;
    got->err = err;
}

static void say(uv_stream_t *stream, const char *text)
{
    const uv_buf_t buf = uv_buf_init((char *)text, (unsigned)strlen(text));

    assert_int_equal(uv_try_write(stream, &buf, 1), strlen(text));
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct fake *fake = handle->data;

    (void)suggested;
    *buf = uv_buf_init(fake->bytes + fake->len, (unsigned)(BYTES_MAX - fake->len));
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct fake *fake = stream->data;

    (void)buf;
    if (n <= 0) {
        if (n < 0) uv_read_stop(stream);
        return;
    }
    if (!fake->greeted) {
        fake->greeted = true;
        say(stream, "+PONG\r\n");
        return;
    }
    fake->reads++;
    fake->len += (size_t)n;
    if (fake->reply != NULL)
        say(stream, fake->reply);
    else
        uv_close((uv_handle_t *)stream, NULL);
}

static void on_client(uv_stream_t *listener, int status)
{
    struct fake *fake = listener->data;
    uv_pipe_t *client = &fake->clients[fake->client_count++];

    assert_int_equal(status, 0);
    assert_in_range(fake->client_count, 1, CLIENT_MAX - 1);
    uv_pipe_init(&fake->loop, client, 0);
    client->data = fake;
    fake->greeted = false;
    assert_int_equal(uv_accept(listener, (uv_stream_t *)client), 0);
    uv_read_start((uv_stream_t *)client, on_alloc, on_read);
}

static void on_tick(uv_timer_t *timer)
{
    (void)timer;
}

static int setup(void **state)
{
    struct fake *fake = calloc(1, sizeof *fake);

    if (fake == NULL) return -1;
    strcpy(fake->dir, "/tmp/gatehouse-fake-XXXXXX");
    if (mkdtemp(fake->dir) == NULL) return -1;
    (void)snprintf(fake->path, sizeof fake->path, "%s/s", fake->dir);
    (void)snprintf(fake->url, sizeof fake->url, "unix:%s", fake->path);
    uv_loop_init(&fake->loop);
    uv_timer_init(&fake->loop, &fake->tick);
    uv_timer_start(&fake->tick, on_tick, 10, 10);
    uv_pipe_init(&fake->loop, &fake->listener, 0);
    fake->listener.data = fake;
    if (uv_pipe_bind(&fake->listener, fake->path) != 0 ||
        uv_listen((uv_stream_t *)&fake->listener, 8, on_client) != 0)
        return -1;
    const struct gh_redis_config config = { .url = fake->url, .timeout_ms = 2000 };
    *state = fake;
    return gh_redis_new(&fake->loop, &config, &fake->redis) == GH_OK ? 0 : -1;
}

static void close_handle(uv_handle_t *handle, void *ctx)
{
    struct fake *fake = ctx;
    const bool ours = handle == (uv_handle_t *)&fake->listener ||
                      handle == (uv_handle_t *)&fake->tick || handle->type == UV_NAMED_PIPE;

    if (ours && !uv_is_closing(handle)) uv_close(handle, NULL);
}

static int teardown(void **state)
{
    struct fake *fake = *state;

    gh_redis_free(fake->redis);
    uv_walk(&fake->loop, close_handle, fake);
    /* not UV_RUN_DEFAULT: after a failed test something may be left that never ends */
    for (int i = 0; i < 5000 && uv_loop_alive(&fake->loop); i++) {
        uv_run(&fake->loop, UV_RUN_NOWAIT);
        usleep(1000);
    }
    const int rc = uv_loop_close(&fake->loop);
    rmdir(fake->dir);
    free(fake);
    return rc;
}

static void spin_up(struct fake *fake, bool up)
{
    const int64_t until_ms = gh_clock_mono_ms() + GUARD_MS;

    while (gh_redis_up(fake->redis) != up) {
        uv_run(&fake->loop, UV_RUN_ONCE);
        assert_true(gh_clock_mono_ms() < until_ms);
    }
}

static void spin_calls(struct fake *fake, const struct got *got)
{
    const int64_t until_ms = gh_clock_mono_ms() + GUARD_MS;

    while (got->calls == 0) {
        uv_run(&fake->loop, UV_RUN_ONCE);
        assert_true(gh_clock_mono_ms() < until_ms);
    }
}

static enum gh_err ping(struct fake *fake, struct got *got)
{
    const char *argv[] = { "PING" };
    const size_t len[] = { 4 };

    memset(got, 0, sizeof *got);
    return gh_redis_command(fake->redis, note, got, 1, argv, len);
}

static void sends_one_turn_in_one_write(void **state)
{
    struct fake *fake = *state;
    struct got got[100];

    fake->reply = "";
    spin_up(fake, true);
    for (int i = 0; i < 100; i++)
        assert_int_equal(ping(fake, &got[i]), GH_OK);
    while (fake->reads == 0)
        uv_run(&fake->loop, UV_RUN_ONCE);
    assert_int_equal(fake->reads, 1);
    assert_int_equal(fake->len, 100 * strlen("*1\r\n$4\r\nPING\r\n"));
    gh_redis_free(fake->redis); /* their answers go to this stack */
    fake->redis = NULL;
    for (int i = 0; i < 100; i++)
        assert_int_equal(got[i].calls, 1);
}

static void bounds_the_unanswered(void **state)
{
    struct fake *fake = *state;
    static struct got got[65536];
    struct got extra;

    spin_up(fake, true);
    for (size_t i = 0; i < 65536; i++)
        assert_int_equal(ping(fake, &got[i]), GH_OK);
    assert_int_equal(ping(fake, &extra), GH_ERR_BUSY);
    assert_int_equal(extra.calls, 0);
    spin_up(fake, false);
    for (size_t i = 0; i < 65536; i++)
        assert_int_equal(got[i].calls, 1);
}

struct row {
    const char *name;
    const char *reply;
    enum gh_err err;
    bool stays_up;
};

static const struct row rows[] = {
    { "fake: a good answer", "+PONG\r\n", GH_OK, true },
    { "fake: nil is an answer", "$-1\r\n", GH_OK, true },
    { "fake: an error", "-ERR no\r\n", GH_ERR_IO, true },
    { "fake: WRONGTYPE", "-WRONGTYPE no\r\n", GH_ERR_IO, true },
    { "fake: LOADING passes", "-LOADING wait\r\n", GH_ERR_UNAVAILABLE, true },
    { "fake: BUSY passes", "-BUSY script\r\n", GH_ERR_UNAVAILABLE, true },
    { "fake: BUSYKEY does not", "-BUSYKEY name\r\n", GH_ERR_IO, true },
    { "fake: OOM passes", "-OOM used memory\r\n", GH_ERR_UNAVAILABLE, true },
    { "fake: a replica is left", "-READONLY replica\r\n", GH_ERR_UNAVAILABLE, false },
    { "fake: not a reply", "HTTP/1.1 200 OK\r\n\r\n", GH_ERR_UNAVAILABLE, false },
    { "fake: a length that is no number", "$x\r\n", GH_ERR_UNAVAILABLE, false },
    { "fake: a length below -1", "$-2\r\n", GH_ERR_UNAVAILABLE, false },
    { "fake: an array too long to be true", "*2147483648\r\n", GH_ERR_UNAVAILABLE, false },
    { "fake: half a reply", "$5\r\nab", GH_ERR_TIMEOUT, false },
    { "fake: silence", "", GH_ERR_TIMEOUT, false },
    { "fake: closes", NULL, GH_ERR_UNAVAILABLE, false },
    { "fake: control characters in an error", "-ERR a\x01\x1b[2J\r\n", GH_ERR_IO, true },
};

static void answer_row(void **state)
{
    struct fake *fake = ((void **)*state)[0];
    const struct row *row = ((void **)*state)[1];
    struct got got;

    fake->reply = row->reply;
    spin_up(fake, true);
    assert_int_equal(ping(fake, &got), GH_OK);
    spin_calls(fake, &got);
    assert_int_equal(got.calls, 1);
    assert_int_equal(got.err, row->err);
    assert_int_equal(gh_redis_up(fake->redis), row->stays_up);
    if (!row->stays_up) spin_up(fake, true); /* and comes back by itself */
    assert_int_equal(got.calls, 1);
}

static int setup_row(void **state)
{
    void **pair = calloc(2, sizeof *pair);

    if (pair == NULL) return -1;
    pair[1] = *state; /* the row */
    *state = pair;
    return setup(&pair[0]);
}

static int teardown_row(void **state)
{
    void **pair = *state;
    const int rc = teardown(&pair[0]);

    free(pair);
    return rc;
}

int main(void)
{
    enum { ROWS = sizeof rows / sizeof rows[0] };
    struct CMUnitTest tests[ROWS + 2] = {
        cmocka_unit_test_setup_teardown(sends_one_turn_in_one_write, setup, teardown),
        cmocka_unit_test_setup_teardown(bounds_the_unanswered, setup, teardown),
    };

    for (size_t i = 0; i < ROWS; i++)
        tests[i + 2] = (struct CMUnitTest){ rows[i].name, answer_row, setup_row, teardown_row,
                                            (void *)&rows[i] };
    signal(SIGPIPE, SIG_IGN); /* as every service does */
    return cmocka_run_group_tests_name("redis_fake", tests, NULL, NULL);
}
