#include "support/stage.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/random.h"

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WAIT_MS 60000 /* a lost event is a failed test, not a hung one */

static void on_wake(uv_timer_t *timer)
{
    (void)timer; /* the loop only had to turn */
}

void stage_init(struct stage *stage, bool redis, const char *const *extra)
{
    memset(stage, 0, sizeof(*stage));
    gh_log_set_level(GH_LOG_ERROR);
    (void)setenv("ZSYS_SIGHANDLER", "false", 1);
    (void)snprintf(stage->dir, sizeof(stage->dir), "/tmp/gh-stage-XXXXXX");
    assert_non_null(mkdtemp(stage->dir));
    assert_int_equal(uv_loop_init(&stage->loop), 0);
    assert_int_equal(gh_metrics_new(&stage->metrics), GH_OK);
    if (redis) {
        stage->redis = redis_server_start(extra);
        assert_non_null(stage->redis);
    }
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

void stage_done(struct stage *stage)
{
    for (size_t i = 0; i < stage->caller_count; i++) {
        gh_client_free(stage->callers[i]->client);
        free(stage->callers[i]);
    }
    for (size_t i = 0; i < stage->server_count; i++)
        gh_server_free(stage->servers[i]);
    for (int i = 0; i < 200 && uv_loop_close(&stage->loop) != 0; i++)
        (void)uv_run(&stage->loop, UV_RUN_NOWAIT);
    redis_server_stop(stage->redis);
    gh_metrics_free(stage->metrics);
    (void)nftw(stage->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

void stage_redis_config(const struct stage *stage, struct gh_redis_config *ret_config)
{
    *ret_config =
        (struct gh_redis_config){ .url = redis_server_url(stage->redis), .timeout_ms = 5000 };
}

struct gh_config *stage_config(struct stage *stage, const char *text)
{
    struct gh_config *config = NULL;
    char path[128];
    FILE *file;

    (void)snprintf(path, sizeof(path), "%s/gatehouse.yaml", stage->dir);
    file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(gh_config_load(path, "test", &config), GH_OK);
    return config;
}

struct gh_server *stage_serve(struct stage *stage, const char *name, const struct gh_route *routes,
                              void *ctx)
{
    char endpoint[128], instance[64];
    struct gh_server_config config = { .endpoint = endpoint,
                                       .instance = instance,
                                       .boot_id = gh_random_u64(),
                                       .metrics = stage->metrics,
                                       .routes = routes,
                                       .ctx = ctx };

    assert_true(stage->server_count < STAGE_SERVERS_MAX);
    (void)snprintf(instance, sizeof(instance), "%s-%zu", name, stage->server_count);
    (void)snprintf(endpoint, sizeof(endpoint), "ipc://%s/%s.%zu", stage->dir, name,
                   stage->server_count);
    assert_int_equal(gh_server_new(&stage->loop, &config, &stage->servers[stage->server_count]),
                     GH_OK);
    return stage->servers[stage->server_count++];
}

static void on_up(void *ctx, struct gh_client_peer *peer, uint64_t orders_version)
{
    struct stage_caller *caller = ctx;

    (void)peer;
    caller->up++;
    caller->orders_version = orders_version;
}

static void on_push(void *ctx, struct gh_client_peer *peer, uint32_t arm, const void *body)
{
    struct stage_caller *caller = ctx;

    (void)peer;
    if (caller->on_push != NULL) caller->on_push(caller->ctx, arm, body);
}

static bool all_up(void *ctx)
{
    struct stage_caller *caller = ctx;

    return gh_client_up_count(caller->client) == caller->stage->server_count;
}

struct stage_caller *stage_call_as(struct stage *stage, const char *name, enum gh_role role,
                                   enum gh_role service, const char *instance)
{
    struct stage_caller *caller = calloc(1, sizeof(*caller));
    char endpoint[128];
    struct gh_client_config config = { .endpoint = endpoint,
                                       .self = role,
                                       .service = service,
                                       .instance = instance,
                                       .boot_id = gh_random_u64(),
                                       .metrics = stage->metrics,
                                       .max_in_flight = 100000,
                                       .ctx = caller,
                                       .on_up = on_up,
                                       .on_push = on_push };

    assert_non_null(caller);
    assert_true(stage->caller_count < STAGE_CALLERS_MAX);
    caller->stage = stage;
    stage->callers[stage->caller_count++] = caller;
    (void)snprintf(endpoint, sizeof(endpoint), "ipc://%s/%s.*", stage->dir, name);
    assert_int_equal(gh_client_new(&stage->loop, &config, &caller->client), GH_OK);
    stage_spin(stage, all_up, caller);
    return caller;
}

void stage_call_as_edges(struct stage *stage, const char *name, enum gh_role service,
                         struct stage_caller **ret_edges, int n)
{
    for (int i = 0; i < n; i++) {
        char instance[16];

        (void)snprintf(instance, sizeof(instance), "edge-%d", i);
        ret_edges[i] = stage_call_as(stage, name, GH_ROLE_EDGE, service, instance);
    }
}

struct wait {
    struct stage_caller *caller;
    gh_answer_fn fn;
    void *ctx;
    enum gh_err *err; /* NULL: nobody waits for it */
};

static void on_answer(void *ctx, enum gh_err err, const void *body)
{
    struct wait *wait = ctx;

    wait->caller->pending--;
    if (wait->fn != NULL) wait->fn(wait->ctx, err, body);
    if (wait->err != NULL) *wait->err = err;
    free(wait);
}

static void call(struct stage_caller *caller, struct gh_client_peer *peer, uint32_t arm, void *body,
                 uint32_t answer_arm, struct wait wait)
{
    struct wait *kept = malloc(sizeof(*kept));

    assert_non_null(kept);
    *kept = wait;
    caller->pending++;
    assert_int_equal(
        gh_client_call(caller->client, peer, arm, body, answer_arm, WAIT_MS, on_answer, kept),
        GH_OK);
}

static bool answered(void *ctx)
{
    return *(enum gh_err *)ctx != GH_ERR_COUNT;
}

enum gh_err stage_ask(struct stage_caller *caller, uint32_t arm, void *body, uint32_t answer_arm,
                      gh_answer_fn fn, void *ctx)
{
    enum gh_err err = GH_ERR_COUNT;

    call(caller, gh_client_peer_any(caller->client), arm, body, answer_arm,
         (struct wait){ caller, fn, ctx, &err });
    stage_spin(caller->stage, answered, &err);
    return err;
}

void stage_send(struct stage_caller *caller, size_t index, uint32_t arm, void *body,
                uint32_t answer_arm, gh_answer_fn fn, void *ctx)
{
    size_t count = gh_client_up_count(caller->client);

    assert_true(count > 0);
    call(caller, gh_client_peer_at(caller->client, index % count), arm, body, answer_arm,
         (struct wait){ caller, fn, ctx, NULL });
}

void stage_tell(struct stage_caller *caller, uint32_t arm, void *body)
{
    assert_int_equal(gh_client_tell(caller->client, gh_client_peer_any(caller->client), arm, body),
                     GH_OK);
}

void stage_spin(struct stage *stage, bool (*done)(void *ctx), void *ctx)
{
    int64_t end = gh_clock_mono_ms() + WAIT_MS;
    uv_timer_t wake;

    (void)uv_timer_init(&stage->loop, &wake);
    while (!done(ctx) && gh_clock_mono_ms() < end) {
        (void)uv_timer_start(&wake, on_wake, 20, 0);
        (void)uv_run(&stage->loop, UV_RUN_ONCE);
    }
    uv_close((uv_handle_t *)&wake, NULL);
    (void)uv_run(&stage->loop, UV_RUN_NOWAIT);
    assert_true(done(ctx));
}

static bool late(void *ctx)
{
    return gh_clock_mono_ms() >= *(int64_t *)ctx;
}

void stage_spin_ms(struct stage *stage, int64_t ms)
{
    int64_t end = gh_clock_mono_ms() + ms;

    stage_spin(stage, late, &end);
}

static bool idle(void *ctx)
{
    struct stage *stage = ctx;

    for (size_t i = 0; i < stage->caller_count; i++) {
        if (stage->callers[i]->pending > 0) return false;
    }
    return true;
}

void stage_settle(struct stage *stage)
{
    stage_spin(stage, idle, stage);
}
