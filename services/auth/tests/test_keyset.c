/* Who waits for a key set: how many, who is refused, and that each hears once. The source is a
 * socket that takes connections and never says a word. */
#include "keyset.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

struct bench {
    uv_loop_t loop;
    int fd;
    char url[64];
    struct fetcher *fetcher;
    struct issuer issuer;
    struct keyset *keyset;
    uint64_t counts[4];
    unsigned heard, unavailable;
};

static void on_keys(void *ctx, enum gh_err err)
{
    struct bench *b = ctx;

    b->heard++;
    if (err == GH_ERR_UNAVAILABLE) b->unavailable++;
}

static void open_bench(struct bench *b, uint64_t timeout_ms)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof(at);
    struct keyset_config config = { .url = b->url,
                                    .file = "",
                                    .ca_file = "",
                                    .timeout_ms = timeout_ms,
                                    .min_age_ms = 60000,
                                    .max_age_ms = 60000,
                                    .unknown_kid_ms = 60000,
                                    .max_bytes = 4096,
                                    .allowed = { [TOKEN_ES256] = true } };
    struct keyset_counters counters = { &b->counts[0], &b->counts[1], &b->counts[2],
                                        &b->counts[3] };
    const char *why = NULL;

    memset(b, 0, sizeof(*b));
    b->issuer.rule.name = "https://x.example";
    b->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(b->fd, (struct sockaddr *)&at, sizeof(at)), 0);
    assert_int_equal(listen(b->fd, 8), 0);
    assert_int_equal(getsockname(b->fd, (struct sockaddr *)&at, &len), 0);
    (void)snprintf(b->url, sizeof(b->url), "https://127.0.0.1:%u/", ntohs(at.sin_port));
    assert_int_equal(uv_loop_init(&b->loop), 0);
    assert_int_equal(fetcher_new(&b->loop, &b->fetcher), GH_OK);
    assert_int_equal(keyset_new(&b->issuer, &config, &b->keyset, &why), GH_OK);
    /* before it runs: nobody could be told */
    assert_int_equal(keyset_wait(b->keyset, on_keys, b), GH_ERR_NOT_FOUND);
    assert_int_equal(keyset_start(b->keyset, &b->loop, b->fetcher, &counters), GH_OK);
}

static void close_bench(struct bench *b)
{
    keyset_free(b->keyset);
    fetcher_free(b->fetcher);
    close(b->fd);
    while (uv_run(&b->loop, UV_RUN_DEFAULT) != 0)
        ;
    assert_int_equal(uv_loop_close(&b->loop), 0);
}

static void test_waiting_is_bounded(void **state)
{
    struct bench b;

    (void)state;
    open_bench(&b, 30000);
    for (unsigned i = 0; i < KEYSET_WAITERS_MAX; i++)
        assert_int_equal(keyset_wait(b.keyset, on_keys, &b), GH_OK);
    assert_int_equal(keyset_wait(b.keyset, on_keys, &b), GH_ERR_LIMIT);
    assert_int_equal(b.counts[2], KEYSET_WAITERS_MAX);
    assert_int_equal(b.counts[3], 1);
    assert_int_equal(b.heard, 0);
    close_bench(&b); /* its end is told to all */
    assert_int_equal(b.heard, KEYSET_WAITERS_MAX);
    assert_int_equal(b.unavailable, KEYSET_WAITERS_MAX);
}

static void test_silence_ends_and_opens_the_breaker(void **state)
{
    struct bench b;

    (void)state;
    open_bench(&b, 150);
    assert_int_equal(keyset_wait(b.keyset, on_keys, &b), GH_OK);
    while (b.heard == 0)
        (void)uv_run(&b.loop, UV_RUN_ONCE);
    assert_int_equal(b.unavailable, 1);
    assert_int_equal(b.counts[1], 1);
    assert_false(b.issuer.keys_loaded);
    /* it failed just now: nobody makes it try before it is due */
    assert_int_equal(keyset_wait(b.keyset, on_keys, &b), GH_ERR_UNAVAILABLE);
    close_bench(&b);
    assert_int_equal(b.heard, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_waiting_is_bounded),
        cmocka_unit_test(test_silence_ends_and_opens_the_breaker),
    };

    return cmocka_run_group_tests_name("keyset", tests, NULL, NULL);
}
