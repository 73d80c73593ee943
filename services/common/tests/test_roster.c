/* The roster against a real Redis: two processes' worth of copies, expiry, loss and restoration. */
#include "common/clock.h"
#include "common/roster.h"
#include "support/stage.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct watcher {
    struct gh_redis *redis;
    struct gh_roster *roster;
    unsigned changes, lifts, reloads;
    uint64_t last_version;
    bool gap; /* a change whose version was not the last + 1 */
};

struct fixture {
    struct stage stage;
    struct watcher a, b;
    enum gh_err err;
    uint64_t version;
    bool changed, told;
};

static void on_change(void *ctx, uint64_t version, const struct gh_roster_item *item, bool lifted)
{
    struct watcher *w = ctx;

    assert_true(item->key_len > 0);
    w->changes++;
    if (lifted) w->lifts++;
    if (version != w->last_version + 1) w->gap = true;
    w->last_version = version;
}

static void on_reload(void *ctx, uint64_t version)
{
    struct watcher *w = ctx;

    w->reloads++;
    w->last_version = version;
}

static bool is_up(void *ctx)
{
    return gh_redis_up(ctx);
}

static bool is_loaded(void *ctx)
{
    return gh_roster_loaded(ctx);
}

static void open_watcher(struct fixture *f, struct watcher *w, size_t max)
{
    struct gh_redis_config redis;

    memset(w, 0, sizeof(*w));
    stage_redis_config(&f->stage, &redis);
    assert_int_equal(gh_redis_new(&f->stage.loop, &redis, &w->redis), GH_OK);
    assert_int_equal(gh_roster_new(&(struct gh_roster_config){ .loop = &f->stage.loop,
                                                               .redis = w->redis,
                                                               .name = "test",
                                                               .poll_ms = 20,
                                                               .max_items = max,
                                                               .ctx = w,
                                                               .on_change = on_change,
                                                               .on_reload = on_reload },
                                   &w->roster),
                     GH_OK);
    stage_spin(&f->stage, is_up, w->redis);
    stage_spin(&f->stage, is_loaded, w->roster);
}

static void close_watcher(struct watcher *w)
{
    gh_roster_free(w->roster);
    gh_redis_free(w->redis);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    stage_init(&f->stage, true, NULL);
    open_watcher(f, &f->a, 100);
    open_watcher(f, &f->b, 100);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    close_watcher(&f->a);
    close_watcher(&f->b);
    stage_done(&f->stage);
    free(f);
    return 0;
}

static void on_done(void *ctx, enum gh_err err, uint64_t version, bool changed)
{
    struct fixture *f = ctx;

    f->told = true;
    f->err = err;
    f->version = version;
    f->changed = changed;
}

static bool told(void *ctx)
{
    return ((struct fixture *)ctx)->told;
}

static void add(struct fixture *f, struct watcher *w, const char *key, const char *value,
                uint64_t expires_ms)
{
    struct gh_roster_item item = { .key = key,
                                   .key_len = strlen(key),
                                   .value = value,
                                   .value_len = strlen(value),
                                   .expires_ms = expires_ms };

    f->told = false;
    assert_int_equal(gh_roster_add(w->roster, &item, on_done, f), GH_OK);
    stage_spin(&f->stage, told, f);
}

static void lift(struct fixture *f, struct watcher *w, const char *key)
{
    f->told = false;
    assert_int_equal(gh_roster_lift(w->roster, key, strlen(key), on_done, f), GH_OK);
    stage_spin(&f->stage, told, f);
}

static const struct gh_roster_item *find(struct watcher *w, const char *key)
{
    return gh_roster_find(w->roster, key, strlen(key), (uint64_t)gh_clock_wall_ms());
}

struct seen {
    struct watcher *w;
    uint64_t version;
};

static bool has_version(void *ctx)
{
    struct seen *seen = ctx;

    return gh_roster_version(seen->w->roster) >= seen->version;
}

static void wait_version(struct fixture *f, struct watcher *w, uint64_t version)
{
    struct seen seen = { w, version };

    stage_spin(&f->stage, has_version, &seen);
}

static void test_change_reaches_both(void **state)
{
    struct fixture *f = *state;

    add(f, &f->a, "k1", "value one", 0);
    assert_int_equal(f->err, GH_OK);
    assert_true(f->changed);
    /* Whoever asked has it when it is told. */
    assert_non_null(find(&f->a, "k1"));
    wait_version(f, &f->b, f->version);
    assert_string_equal(find(&f->b, "k1")->value, "value one");

    add(f, &f->b, "k1", "value one", 0);
    assert_false(f->changed);
    add(f, &f->b, "k1", "value two", 0);
    assert_true(f->changed);
    wait_version(f, &f->a, f->version);
    assert_string_equal(find(&f->a, "k1")->value, "value two");

    lift(f, &f->a, "k1");
    assert_true(f->changed);
    assert_null(find(&f->a, "k1"));
    wait_version(f, &f->b, f->version);
    assert_null(find(&f->b, "k1"));
    lift(f, &f->b, "k1");
    assert_false(f->changed);
    assert_false(f->a.gap || f->b.gap);
    assert_int_equal(f->a.changes, 3);
    assert_int_equal(f->b.changes, 3);
}

static void test_binary_and_caps(void **state)
{
    struct fixture *f = *state;
    static const char key[] = "a\0b", value[] = "\0 \xff 1";
    struct gh_roster_item item = { key, 3, value, sizeof(value) - 1, 0 };
    char long_key[GH_ROSTER_KEY_MAX_BYTES + 1] = { 0 };

    f->told = false;
    assert_int_equal(gh_roster_add(f->a.roster, &item, on_done, f), GH_OK);
    stage_spin(&f->stage, told, f);
    wait_version(f, &f->b, f->version);
    assert_memory_equal(gh_roster_find(f->b.roster, key, 3, 1)->value, value, sizeof(value) - 1);
    assert_null(gh_roster_find(f->b.roster, key, 2, 1));

    memset(long_key, 'k', sizeof(long_key));
    item = (struct gh_roster_item){ long_key, sizeof(long_key), "", 0, 0 };
    assert_int_equal(gh_roster_add(f->a.roster, &item, NULL, NULL), GH_ERR_BAD_MESSAGE);
    item = (struct gh_roster_item){ long_key, 0, "", 0, 0 };
    assert_int_equal(gh_roster_add(f->a.roster, &item, NULL, NULL), GH_ERR_BAD_MESSAGE);
    item = (struct gh_roster_item){ long_key, 1, "", 0, (uint64_t)gh_clock_wall_ms() - 1 };
    assert_int_equal(gh_roster_add(f->a.roster, &item, NULL, NULL), GH_ERR_BAD_MESSAGE);

    for (int i = 0; i < 99; i++) { /* with the binary one: 100 */
        char name[16];

        (void)snprintf(name, sizeof(name), "n%02d", i);
        add(f, &f->a, name, "", 0);
        assert_int_equal(f->err, GH_OK);
    }
    add(f, &f->a, "one too many", "", 0);
    assert_int_equal(f->err, GH_ERR_LIMIT);
    add(f, &f->a, "n00", "again", 0); /* changing one that is there is no new one */
    assert_int_equal(f->err, GH_OK);
}

static void test_order_of_listing(void **state)
{
    struct fixture *f = *state;
    const struct gh_roster_item *item;

    add(f, &f->a, "b", "", 0);
    add(f, &f->a, "a", "", 0);
    add(f, &f->a, "c", "", 0);
    item = gh_roster_after(f->a.roster, NULL, 0);
    assert_string_equal(item->key, "a");
    item = gh_roster_after(f->a.roster, "a", 1);
    assert_string_equal(item->key, "b");
    item = gh_roster_after(f->a.roster, "bb", 2); /* need not be there */
    assert_string_equal(item->key, "c");
    assert_null(gh_roster_after(f->a.roster, "c", 1));
}

static bool empty(void *ctx)
{
    struct fixture *f = ctx;

    return gh_roster_count(f->a.roster) == 0 && gh_roster_count(f->b.roster) == 0;
}

static void test_expiry_is_a_lift_for_all(void **state)
{
    struct fixture *f = *state;
    uint64_t at = (uint64_t)gh_clock_wall_ms() + 3000;

    add(f, &f->a, "short", "", at);
    assert_non_null(find(&f->a, "short"));
    assert_null(gh_roster_find(f->a.roster, "short", 5, at)); /* at its time it is over */
    stage_spin(&f->stage, empty, f);
    assert_int_equal(f->a.lifts, 1);
    assert_int_equal(f->b.lifts, 1);
}

static bool restored(void *ctx)
{
    struct fixture *f = ctx;
    redisReply *reply;
    bool all;

    if (!gh_redis_up(f->a.redis) || !gh_redis_up(f->b.redis)) return false;
    reply = redis_server_call(f->stage.redis, "HLEN gh:{test}:items");
    all = reply != NULL && reply->integer == 2;
    if (reply != NULL) freeReplyObject(reply);
    return all && f->a.reloads >= 2 && f->b.reloads >= 2 &&
           gh_roster_version(f->a.roster) == gh_roster_version(f->b.roster);
}

static void test_redis_loses_all(void **state)
{
    struct fixture *f = *state;
    uint64_t before;

    add(f, &f->a, "forever", "x", 0);
    add(f, &f->a, "long", "y", (uint64_t)gh_clock_wall_ms() + 3600000);
    wait_version(f, &f->b, f->version);
    before = f->version;

    redis_server_kill(f->stage.redis);
    stage_spin_ms(&f->stage, 100);
    assert_non_null(find(&f->a, "forever")); /* what is known goes on */
    assert_int_equal(
        gh_roster_add(f->a.roster, &(struct gh_roster_item){ "k", 1, "", 0, 0 }, on_done, f),
        GH_ERR_UNAVAILABLE);
    assert_true(redis_server_restart(f->stage.redis)); /* empty */
    stage_spin(&f->stage, restored, f);
    assert_non_null(find(&f->a, "forever"));
    assert_non_null(find(&f->b, "long"));
    assert_true(gh_roster_version(f->a.roster) > before);

    add(f, &f->b, "after", "z", 0); /* and life goes on */
    wait_version(f, &f->a, f->version);
    assert_string_equal(find(&f->a, "after")->value, "z");
}

static void test_falling_behind_the_log(void **state)
{
    struct fixture *f = *state;
    struct watcher late;
    redisReply *reply;

    add(f, &f->a, "one", "", 0);
    /* A version whose log entry is gone: the copy must be read anew, not guessed. */
    reply = redis_server_call(f->stage.redis, "INCRBY gh:{test}:version 5");
    freeReplyObject(reply);
    add(f, &f->a, "two", "", 0);
    wait_version(f, &f->b, f->version);
    assert_true(f->a.reloads >= 2 && f->b.reloads >= 2);
    assert_non_null(find(&f->b, "two"));

    open_watcher(f, &late, 100);
    assert_int_equal(gh_roster_count(late.roster), 2);
    close_watcher(&late);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
        T(test_change_reaches_both),      T(test_binary_and_caps), T(test_order_of_listing),
        T(test_expiry_is_a_lift_for_all), T(test_redis_loses_all), T(test_falling_behind_the_log),
    };

    return cmocka_run_group_tests_name("roster", tests, NULL, NULL);
}
