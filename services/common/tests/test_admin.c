/* /healthz, /readyz and /metrics over real sockets. */
#include "common/admin.h"
#include "common/clock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#define GUARD_MS 30000 /* only against hanging for ever */

struct fixture {
    char dir[40], path[64], endpoint[72];
    uv_loop_t loop;
    uv_timer_t tick;
    struct gh_metrics *metrics;
    struct gh_admin *admin;
    bool redis_up, peers_up;
    char answer[262144];
    size_t len;
};

static void on_tick(uv_timer_t *timer)
{
    (void)timer;
}

static bool read_flag(void *ctx)
{
    return *(bool *)ctx;
}

static void start_admin(struct fixture *f, const char *endpoint)
{
    assert_int_equal(gh_admin_new(&f->loop, endpoint, f->metrics, &f->admin), GH_OK);
    gh_admin_add_check(f->admin, "redis", read_flag, &f->redis_up);
    gh_admin_add_check(f->admin, "peers", read_flag, &f->peers_up);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    if (f == NULL) return -1;
    strcpy(f->dir, "/tmp/gatehouse-admin-XXXXXX");
    if (mkdtemp(f->dir) == NULL) return -1;
    (void)snprintf(f->path, sizeof f->path, "%s/a.admin", f->dir);
    (void)snprintf(f->endpoint, sizeof f->endpoint, "unix:%s", f->path);
    uv_loop_init(&f->loop);
    uv_timer_init(&f->loop, &f->tick);
    uv_timer_start(&f->tick, on_tick, 10, 10);
    if (gh_metrics_new(&f->metrics) != GH_OK) return -1;
    f->redis_up = f->peers_up = true;
    start_admin(f, f->endpoint);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    gh_admin_free(f->admin);
    uv_close((uv_handle_t *)&f->tick, NULL);
    /* not UV_RUN_DEFAULT: after a failed test something may be left that never ends */
    for (int i = 0; i < 5000 && uv_loop_alive(&f->loop); i++) {
        uv_run(&f->loop, UV_RUN_NOWAIT);
        usleep(1000);
    }
    const int rc = uv_loop_close(&f->loop);
    gh_metrics_free(f->metrics);
    if (rmdir(f->dir) != 0) return -1; /* the socket file has to be gone */
    free(f);
    return rc;
}

static int dial(const struct fixture *f)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    strcpy(address.sun_path, f->path);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    return fd;
}

/* Turns the loop and reads until the peer closes; -1: reset. */
static int read_all(struct fixture *f, int fd)
{
    const int64_t until_ms = gh_clock_mono_ms() + GUARD_MS;

    f->len = 0;
    for (;;) {
        const ssize_t n = recv(fd, f->answer + f->len, sizeof f->answer - 1 - f->len, 0);

        if (n == 0) break;
        if (n < 0 && errno != EAGAIN) return -1;
        if (n > 0) f->len += (size_t)n;
        if (n < 0) uv_run(&f->loop, UV_RUN_ONCE);
        assert_true(gh_clock_mono_ms() < until_ms);
    }
    f->answer[f->len] = '\0';
    return 0;
}

static const char *ask(struct fixture *f, const char *request)
{
    const int fd = dial(f);

    assert_int_equal(write(fd, request, strlen(request)), (ssize_t)strlen(request));
    assert_int_equal(read_all(f, fd), 0);
    close(fd);
    return f->answer;
}

#define assert_starts(text, with) assert_memory_equal(text, with, sizeof(with) - 1)

static const char *body(const char *answer)
{
    const char *end = strstr(answer, "\r\n\r\n");

    assert_non_null(end);
    return end + 4;
}

static void healthz_is_200(void **state)
{
    const char *answer = ask(*state, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");

    assert_starts(answer, "HTTP/1.1 200 OK\r\n");
    assert_non_null(strstr(answer, "Connection: close\r\n"));
    assert_string_equal(body(answer), "ok\n");
}

static void readyz_names_what_fails(void **state)
{
    struct fixture *f = *state;
    const char *request = "GET /readyz HTTP/1.1\r\n\r\n";

    assert_true(gh_admin_ready(f->admin));
    const char *answer = ask(f, request);
    assert_starts(answer, "HTTP/1.1 200 OK\r\n");
    assert_string_equal(body(answer), "ready\n");

    f->redis_up = false;
    assert_false(gh_admin_ready(f->admin));
    answer = ask(f, request);
    assert_starts(answer, "HTTP/1.1 503 Service Unavailable\r\n");
    assert_string_equal(body(answer), "redis\n");

    f->peers_up = false;
    assert_string_equal(body(ask(f, request)), "redis\npeers\n");
    f->redis_up = f->peers_up = true;
    assert_starts(ask(f, request), "HTTP/1.1 200 OK\r\n");
}

static void metrics_are_served_whole(void **state)
{
    struct fixture *f = *state;
    char labels[32], want[64];

    for (int i = 0; i < 5000; i++) {
        (void)snprintf(labels, sizeof labels, "n=\"%d\"", i);
        *gh_metrics_counter(f->metrics, "some_total", labels, "Some.") = (uint64_t)i;
    }
    const char *answer = ask(f, "GET /metrics?x=1 HTTP/1.0\r\n\r\n");
    assert_starts(answer, "HTTP/1.1 200 OK\r\n");
    assert_non_null(strstr(answer, "Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n"));
    assert_starts(body(answer), "# HELP some_total Some.\n# TYPE some_total counter\n");
    (void)snprintf(want, sizeof want, "Content-Length: %zu\r\n", strlen(body(answer)));
    assert_non_null(strstr(answer, want));
    assert_string_equal(answer + f->len - strlen("{n=\"4999\"} 4999\n"), "{n=\"4999\"} 4999\n");
}

static void head_leaves_the_body_out(void **state)
{
    const char *answer = ask(*state, "HEAD /healthz HTTP/1.1\r\n\r\n");

    assert_starts(answer, "HTTP/1.1 200 OK\r\n");
    assert_non_null(strstr(answer, "Content-Length: 3\r\n"));
    assert_string_equal(body(answer), "");
}

struct row {
    const char *name, *request, *want;
};

static const struct row rows[] = {
    { "admin: unknown path", "GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 404 Not Found\r\n" },
    { "admin: longer path", "GET /healthz/ HTTP/1.1\r\n\r\n", "HTTP/1.1 404 Not Found\r\n" },
    { "admin: very long path",
      "GET /healthzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz"
      " HTTP/1.1\r\n\r\n",
      "HTTP/1.1 404 Not Found\r\n" },
    { "admin: path with a long query",
      "GET /healthz?aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
      " HTTP/1.1\r\n\r\n",
      "HTTP/1.1 404 Not Found\r\n" },
    { "admin: escapes are not decoded", "GET /%68ealthz HTTP/1.1\r\n\r\n",
      "HTTP/1.1 404 Not Found\r\n" },
    { "admin: absolute form", "GET http://x/healthz HTTP/1.1\r\n\r\n",
      "HTTP/1.1 404 Not Found\r\n" },
    { "admin: POST", "POST /healthz HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc",
      "HTTP/1.1 405 Method Not Allowed\r\n" },
    { "admin: CONNECT", "CONNECT x:1 HTTP/1.1\r\n\r\n", "HTTP/1.1 405 Method Not Allowed\r\n" },
    { "admin: a body is not read", "GET /healthz HTTP/1.1\r\nContent-Length: 5\r\n\r\nabcde",
      "HTTP/1.1 200 OK\r\n" },
    { "admin: a second request is not read",
      "GET /healthz HTTP/1.1\r\n\r\nGET /readyz HTTP/1.1\r\n\r\n", "HTTP/1.1 200 OK\r\n" },
    { "admin: an upgrade is not one",
      "GET /healthz HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n",
      "HTTP/1.1 200 OK\r\n" },
    { "admin: not HTTP", "\x16\x03\x01\x02\x00\x01", "HTTP/1.1 400 Bad Request\r\n" },
    { "admin: unknown method", "BREW /healthz HTTP/1.1\r\n\r\n", "HTTP/1.1 400 Bad Request\r\n" },
    { "admin: bad version", "GET /healthz HTTP/x\r\n\r\n", "HTTP/1.1 400 Bad Request\r\n" },
    { "admin: bad header", "GET /healthz HTTP/1.1\r\nA\x01: c\r\n\r\n",
      "HTTP/1.1 400 Bad Request\r\n" },
    { "admin: two lengths", "GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
      "HTTP/1.1 400 Bad Request\r\n" },
};

static void answer_row(void **state)
{
    const struct row *row = ((void **)*state)[1];
    const char *answer = ask(((void **)*state)[0], row->request);

    assert_memory_equal(answer, row->want, strlen(row->want));
    assert_null(strstr(body(answer), "HTTP/1.1")); /* one answer */
}

static int setup_row(void **state)
{
    void **pair = calloc(2, sizeof *pair);

    if (pair == NULL) return -1;
    pair[1] = *state;
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

static void takes_a_head_in_single_bytes(void **state)
{
    struct fixture *f = *state;
    const char *request = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
    const int fd = dial(f);

    for (const char *at = request; *at != '\0'; at++) {
        assert_int_equal(write(fd, at, 1), 1);
        uv_run(&f->loop, UV_RUN_ONCE);
    }
    assert_int_equal(read_all(f, fd), 0);
    close(fd);
    assert_starts(f->answer, "HTTP/1.1 200 OK\r\n");
}

static void caps_the_head(void **state)
{
    struct fixture *f = *state;
    char request[4200];

    /* 4 KiB together with the empty line still passes; one byte more does not */
    for (size_t extra = 0; extra <= 1; extra++) {
        const size_t len = 4095 + extra;
        const int n = snprintf(request, sizeof request, "GET /healthz HTTP/1.1\r\nX: ");

        memset(request + n, 'x', len - (size_t)n);
        strcpy(request + len - 4, "\r\n\r\n");
        const char *answer = ask(f, request);
        if (extra == 0) assert_starts(answer, "HTTP/1.1 200 OK\r\n");
    }
    memset(request, 'x', sizeof request - 1);
    memcpy(request, "GET /healthz HTTP/1.1\r\nX: ", 26);
    request[sizeof request - 1] = '\0';
    assert_starts(ask(f, request), "HTTP/1.1 431 Request Header Fields Too Large\r\n");
}

static void cuts_a_silent_client(void **state)
{
    struct fixture *f = *state;
    const int fd = dial(f);
    const int64_t begin_ms = gh_clock_mono_ms();

    assert_int_equal(write(fd, "GET /hea", 8), 8);
    assert_int_equal(read_all(f, fd), 0);
    close(fd);
    assert_int_equal(f->len, 0);
    assert_true(gh_clock_mono_ms() - begin_ms >= 1900); /* not before its 2 s */
}

static void a_crowd_keeps_no_check_out(void **state)
{
    struct fixture *f = *state;
    int idle[40];

    for (size_t i = 0; i < 40; i++) {
        idle[i] = dial(f);
        uv_run(&f->loop, UV_RUN_NOWAIT);
    }
    assert_starts(ask(f, "GET /healthz HTTP/1.1\r\n\r\n"), "HTTP/1.1 200 OK\r\n");
    unsigned closed = 0;
    for (size_t i = 0; i < 40; i++) {
        char byte = 0;

        if (recv(idle[i], &byte, 1, 0) == 0) closed++;
        close(idle[i]);
    }
    assert_true(closed >= 24); /* 16 may stay */
}

static void survives_clients_that_leave(void **state)
{
    struct fixture *f = *state;

    *gh_metrics_counter(f->metrics, "x_total", NULL, NULL) = 1;
    for (int i = 0; i < 100; i++) {
        const int fd = dial(f);
        const char *request = "GET /metrics HTTP/1.1\r\n\r\n";

        if (i % 3 > 0) assert_true(write(fd, request, i % 3 == 1 ? 10 : strlen(request)) > 0);
        if (i % 2 > 0) uv_run(&f->loop, UV_RUN_NOWAIT);
        close(fd);
        uv_run(&f->loop, UV_RUN_NOWAIT);
    }
    assert_starts(ask(f, "GET /healthz HTTP/1.1\r\n\r\n"), "HTTP/1.1 200 OK\r\n");
}

static void answers_a_client_that_shut_its_side(void **state)
{
    struct fixture *f = *state;
    const int fd = dial(f);

    assert_true(write(fd, "GET /healthz HTTP/1.1\r\n\r\n", 25) == 25);
    shutdown(fd, SHUT_WR);
    assert_int_equal(read_all(f, fd), 0);
    close(fd);
    assert_starts(f->answer, "HTTP/1.1 200 OK\r\n");
}

static void may_be_freed_with_clients(void **state)
{
    struct fixture *f = *state;
    int fd[3];

    for (size_t i = 0; i < 3; i++)
        fd[i] = dial(f);
    assert_true(write(fd[1], "GET /healthz", 12) == 12);
    assert_true(write(fd[2], "GET /healthz HTTP/1.1\r\n\r\n", 25) == 25);
    uv_run(&f->loop, UV_RUN_NOWAIT);
    gh_admin_free(f->admin);
    f->admin = NULL;
    for (size_t i = 0; i < 3; i++) {
        (void)read_all(f, fd[i]);
        close(fd[i]);
    }
}

static void keeps_the_socket_private(void **state)
{
    const struct fixture *f = *state;
    struct stat st;

    assert_int_equal(stat(f->path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
}

static void replaces_a_stale_socket_only(void **state)
{
    struct fixture *f = *state;
    struct gh_admin *second = NULL;
    struct sockaddr_un address = { .sun_family = AF_UNIX };

    /* one that answers is somebody's */
    assert_int_equal(gh_admin_new(&f->loop, f->endpoint, f->metrics, &second), GH_ERR_EXISTS);
    gh_admin_free(f->admin);
    uv_run(&f->loop, UV_RUN_NOWAIT);

    /* one that nobody listens on is left from a crash */
    strcpy(address.sun_path, f->path);
    const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    close(fd);
    start_admin(f, f->endpoint);
    assert_starts(ask(f, "GET /healthz HTTP/1.1\r\n\r\n"), "HTTP/1.1 200 OK\r\n");
    gh_admin_free(f->admin);
    f->admin = NULL;
    uv_run(&f->loop, UV_RUN_NOWAIT);

    /* a file is never touched */
    const int file = open(f->path, O_CREAT | O_WRONLY, 0600);
    assert_true(file >= 0);
    close(file);
    assert_int_equal(gh_admin_new(&f->loop, f->endpoint, f->metrics, &second), GH_ERR_EXISTS);
    assert_int_equal(access(f->path, F_OK), 0);
    unlink(f->path);
}

static void refuses_bad_endpoints(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *endpoint;
        enum gh_err err;
    } bad[] = {
        { "", GH_ERR_CONFIG },
        { "/run/x", GH_ERR_CONFIG },
        { "http://x", GH_ERR_CONFIG },
        { "tcp:", GH_ERR_CONFIG },
        { "tcp:localhost:1", GH_ERR_CONFIG }, /* a name could be anywhere */
        { "tcp:127.0.0.1", GH_ERR_CONFIG },
        { "tcp:127.0.0.1:", GH_ERR_CONFIG },
        { "tcp:127.0.0.1:x", GH_ERR_CONFIG },
        { "tcp:127.0.0.1:65536", GH_ERR_CONFIG },
        { "tcp:127.0.0.1:+1", GH_ERR_CONFIG },
        { "unix:/nonexistent/x", GH_ERR_IO },
        { "unix:/tmp/xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
          "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
          GH_ERR_LIMIT },
        { "tcp:203.0.113.7:1", GH_ERR_IO }, /* not an address of ours */
    };
    struct gh_admin *admin = NULL;

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(gh_admin_new(&f->loop, bad[i].endpoint, f->metrics, &admin), bad[i].err);
        assert_null(admin);
    }
}

static void listens_on_tcp(void **state)
{
    struct fixture *f = *state;
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof address;
    char endpoint[40];

    gh_admin_free(f->admin);
    uv_run(&f->loop, UV_RUN_NOWAIT);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    close(fd);
    (void)snprintf(endpoint, sizeof endpoint, "tcp:127.0.0.1:%u", ntohs(address.sin_port));
    start_admin(f, endpoint);

    fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    /* a body nobody reads must not turn the close into a reset that eats the answer */
    const char *request = "POST /healthz HTTP/1.1\r\nContent-Length: 100000\r\n\r\n";
    static char junk[100000];
    assert_true(write(fd, request, strlen(request)) > 0);
    assert_true(write(fd, junk, sizeof junk) > 0);
    uv_run(&f->loop, UV_RUN_NOWAIT);
    shutdown(fd, SHUT_WR);
    assert_int_equal(read_all(f, fd), 0);
    close(fd);
    assert_starts(f->answer, "HTTP/1.1 405 ");

    struct gh_admin *second = NULL;
    const enum gh_err err = gh_admin_new(&f->loop, endpoint, f->metrics, &second);
    assert_true(err == GH_ERR_EXISTS || err == GH_ERR_IO);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    enum { ROWS = sizeof rows / sizeof rows[0], OTHERS = 15 };
    struct CMUnitTest tests[OTHERS + ROWS] = {
        TEST(healthz_is_200),
        TEST(readyz_names_what_fails),
        TEST(metrics_are_served_whole),
        TEST(head_leaves_the_body_out),
        TEST(takes_a_head_in_single_bytes),
        TEST(caps_the_head),
        TEST(cuts_a_silent_client),
        TEST(a_crowd_keeps_no_check_out),
        TEST(survives_clients_that_leave),
        TEST(answers_a_client_that_shut_its_side),
        TEST(may_be_freed_with_clients),
        TEST(keeps_the_socket_private),
        TEST(replaces_a_stale_socket_only),
        TEST(refuses_bad_endpoints),
        TEST(listens_on_tcp),
    };

    for (size_t i = 0; i < ROWS; i++)
        tests[OTHERS + i] = (struct CMUnitTest){ rows[i].name, answer_row, setup_row, teardown_row,
                                                 (void *)&rows[i] };
    signal(SIGPIPE, SIG_IGN); /* as every service does */
    return cmocka_run_group_tests_name("admin", tests, NULL, NULL);
}
