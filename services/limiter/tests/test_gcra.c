/* The arithmetic by table; the script held to it on a real Redis. */
#include "gcra.h"

#include "support/stage.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MS GCRA_UNITS_PER_MS

struct step {
    int64_t at_ms;
    uint32_t want;
    uint32_t tokens;
    uint64_t retry_ms;
};

struct row {
    const char *name;
    uint64_t per_s, per_min, burst;
    struct step steps[6];
};

static const struct row rows[] = {
    { "gcra: starts full, gives what is there, then says when",
      10,
      0,
      5,
      { { 0, 3, 3, 0 }, { 0, 3, 2, 0 }, { 0, 1, 0, 100 }, { 99, 1, 0, 1 }, { 100, 1, 1, 0 } } },
    { "gcra: never more than the burst after a long rest",
      10,
      0,
      5,
      { { 0, 5, 5, 0 }, { 3600000, 100, 5, 0 }, { 3600000, 1, 0, 100 } } },
    { "gcra: refills one by one",
      1,
      0,
      3,
      { { 0, 3, 3, 0 },
        { 999, 1, 0, 1 },
        { 1000, 2, 1, 0 },
        { 3000, 5, 2, 0 },
        { 3000, 1, 0, 1000 } } },
    { "gcra: per minute", 0, 6, 1, { { 0, 1, 1, 0 }, { 1, 1, 0, 9999 }, { 10000, 1, 1, 0 } } },
    { "gcra: a rate that does not divide gives less, never more",
      3,
      0,
      1,
      { { 0, 1, 1, 0 }, { 333, 1, 0, 1 }, { 334, 1, 1, 0 } } },
    { "gcra: the clock going back adds nothing",
      10,
      0,
      1,
      { { 5000, 1, 1, 0 }, { 1000, 1, 0, 4100 }, { 5100, 1, 1, 0 } } },
    { "gcra: the highest rate", 1000000, 0, 1000, { { 0, 2000, 1000, 0 }, { 1, 5000, 1000, 0 } } },
};

static void check_row(void **state)
{
    const struct row *row = *state;
    struct gcra_rate rate;
    int64_t tat = 0;

    assert_int_equal(gcra_rate_make(row->per_s, row->per_min, row->burst, &rate), GH_OK);
    for (const struct step *s = row->steps; s < row->steps + 6 && s->want > 0; s++) {
        /* an epoch: now is never 0 in life */
        struct gcra_taken taken = gcra_take(&rate, (1000000 + s->at_ms) * MS, s->want, &tat);

        assert_int_equal(taken.tokens, s->tokens);
        assert_int_equal(taken.retry_after_ms, s->retry_ms);
    }
}

static void check_rates(void **state)
{
    struct gcra_rate rate = { 7, 7 };

    (void)state;
    assert_int_equal(gcra_rate_make(0, 0, 1, &rate), GH_ERR_CONFIG);
    assert_int_equal(gcra_rate_make(1, 1, 1, &rate), GH_ERR_CONFIG);
    assert_int_equal(gcra_rate_make(1, 0, 0, &rate), GH_ERR_CONFIG);
    assert_int_equal(gcra_rate_make(GCRA_RATE_MAX + 1, 0, 1, &rate), GH_ERR_CONFIG);
    assert_int_equal(gcra_rate_make(0, 1, 10000000, &rate), GH_ERR_CONFIG); /* 19 years */
    assert_int_equal(rate.interval, 7); /* untouched on failure */
    for (uint64_t per_s = 1; per_s <= GCRA_RATE_MAX; per_s += 997) {
        assert_int_equal(gcra_rate_make(per_s, 0, 1, &rate), GH_OK);
        /* rounded up: a second never holds more than per_s intervals */
        assert_true(16000000 / rate.interval <= (int64_t)per_s);
    }
}

/* ---- on Redis ---- */

struct fixture {
    struct stage stage;
    struct gh_redis *redis;
    bool answered;
    long long tokens, retry_ms;
};

static bool is_up(void *ctx)
{
    return gh_redis_up(ctx);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    struct gh_redis_config config;

    stage_init(&f->stage, true, NULL);
    stage_redis_config(&f->stage, &config);
    assert_int_equal(gh_redis_new(&f->stage.loop, &config, &f->redis), GH_OK);
    stage_spin(&f->stage, is_up, f->redis);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    gh_redis_free(f->redis);
    stage_done(&f->stage);
    free(f);
    return 0;
}

static void on_reply(void *ctx, enum gh_err err, const redisReply *reply)
{
    struct fixture *f = ctx;

    assert_int_equal(err, GH_OK);
    if (reply->type == REDIS_REPLY_ARRAY) {
        f->tokens = reply->element[0]->integer;
        f->retry_ms = reply->element[1]->integer;
    }
    f->answered = true;
}

static bool answered(void *ctx)
{
    return ((struct fixture *)ctx)->answered;
}

static void script(struct fixture *f, struct gh_script *script, const char *key, int64_t a,
                   int64_t b, int64_t c)
{
    char numbers[3][24];
    const char *argv[4] = { key, numbers[0], numbers[1], numbers[2] };

    (void)snprintf(numbers[0], 24, "%" PRId64, a);
    (void)snprintf(numbers[1], 24, "%" PRId64, b);
    (void)snprintf(numbers[2], 24, "%" PRId64, c);
    f->answered = false;
    assert_int_equal(gh_redis_script(f->redis, script, on_reply, f, 1, c < 0 ? 3 : 4, argv, NULL),
                     GH_OK);
    stage_spin(&f->stage, answered, f);
}

static void take(struct fixture *f, const char *key, const struct gcra_rate *rate, uint32_t want)
{
    script(f, &gcra_take_script, key, rate->interval, rate->burst, want);
}

static void give_back(struct fixture *f, const char *key, const struct gcra_rate *rate,
                      uint32_t tokens)
{
    script(f, &gcra_return_script, key, rate->interval, tokens, -1);
}

static void test_script_takes_and_says_when(void **state)
{
    struct fixture *f = *state;
    struct gcra_rate rate;
    redisReply *reply;

    assert_int_equal(gcra_rate_make(0, 1, 5, &rate), GH_OK); /* slow: no token comes meanwhile */
    take(f, "k", &rate, 3);
    assert_int_equal(f->tokens, 3);
    take(f, "k", &rate, 3);
    assert_int_equal(f->tokens, 2);
    take(f, "k", &rate, 3);
    assert_int_equal(f->tokens, 0);
    assert_true(f->retry_ms > 50000 && f->retry_ms <= 60000);
    /* The bucket is full again after five minutes, and the key is gone then. */
    reply = redis_server_call(f->stage.redis, "PTTL k");
    assert_true(reply->integer > 290000 && reply->integer <= 300001);
    freeReplyObject(reply);
}

static void test_script_gives_back_up_to_the_burst(void **state)
{
    struct fixture *f = *state;
    struct gcra_rate rate;
    redisReply *reply;

    assert_int_equal(gcra_rate_make(0, 1, 10, &rate), GH_OK);
    take(f, "k", &rate, 10);
    give_back(f, "k", &rate, 4);
    take(f, "k", &rate, 10);
    assert_int_equal(f->tokens, 4);
    give_back(f, "k", &rate, 65536); /* more than was ever taken */
    take(f, "k", &rate, 100);
    assert_int_equal(f->tokens, 10);
    give_back(f, "unknown", &rate, 5);
    reply = redis_server_call(f->stage.redis, "EXISTS unknown");
    assert_int_equal(reply->integer, 0);
    freeReplyObject(reply);
}

static void test_script_after_the_burst_was_cut(void **state)
{
    struct fixture *f = *state;
    struct gcra_rate large, small;

    assert_int_equal(gcra_rate_make(0, 1, 100, &large), GH_OK);
    assert_int_equal(gcra_rate_make(0, 1, 5, &small), GH_OK);
    take(f, "k", &large, 50);
    take(f, "k", &small, 1); /* a new configuration: room is negative */
    assert_int_equal(f->tokens, 0);
    assert_true(f->retry_ms > 45 * 60000);
}

int main(void)
{
    enum { N = sizeof(rows) / sizeof(rows[0]) };
    struct CMUnitTest tests[N + 4];

    for (size_t i = 0; i < N; i++)
        tests[i] = (struct CMUnitTest){ rows[i].name, check_row, NULL, NULL, (void *)&rows[i] };
    tests[N] = (struct CMUnitTest){ "gcra: what a rate may be", check_rates, NULL, NULL, NULL };
#define T(i, fn)                                                                                   \
    tests[N + i] = (struct CMUnitTest)cmocka_unit_test_setup_teardown(fn, setup, teardown)
    T(1, test_script_takes_and_says_when);
    T(2, test_script_gives_back_up_to_the_burst);
    T(3, test_script_after_the_burst_was_cut);
    return cmocka_run_group_tests_name("gcra", tests, NULL, NULL);
}
