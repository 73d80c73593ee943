/*
 * Memory that runs out: each allocation of a call fails once, the first, the second ... until it
 * succeeds. Every time the call must say so and leave nothing behind (a sanitizer build looks).
 */
#include "common/admin.h"
#include "common/config.h"
#include "common/log.h"
#include "common/redis.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static long fail_at = -1; /* allocations until one fails; -1: none */

static bool fails(void)
{
    return fail_at >= 0 && fail_at-- == 0;
}

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *block, size_t size);
char *__real_strdup(const char *text);
char *__real_strndup(const char *text, size_t len);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *block, size_t size);
char *__wrap_strdup(const char *text);
char *__wrap_strndup(const char *text, size_t len);

void *__wrap_malloc(size_t size)
{
    return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *block, size_t size)
{
    return fails() ? NULL : __real_realloc(block, size);
}

char *__wrap_strdup(const char *text)
{
    return fails() ? NULL : __real_strdup(text);
}

char *__wrap_strndup(const char *text, size_t len)
{
    return fails() ? NULL : __real_strndup(text, len);
}

struct route {
    const char *path;
    struct gh_config_list origins;
};

struct bound {
    const char *listen;
    struct gh_config_secret key;
    struct gh_config_list list;
    struct gh_config_structs routes, apps;
};

static const struct gh_config_field route_fields[] = {
    { .key = "path", .kind = GH_CFG_PATH, .offset = offsetof(struct route, path) },
    { .key = "origins", .kind = GH_CFG_LIST, .offset = offsetof(struct route, origins) },
    { 0 },
};

static const struct gh_config_field fields[] = {
    { .key = "listen", .kind = GH_CFG_STRING, .offset = offsetof(struct bound, listen) },
    { .key = "key_file", .kind = GH_CFG_SECRET_FILE, .offset = offsetof(struct bound, key) },
    { .key = "list",
      .kind = GH_CFG_LIST,
      .offset = offsetof(struct bound, list),
      .dflt = "[a, b]" },
    { .key = "routes",
      .kind = GH_CFG_STRUCTS,
      .offset = offsetof(struct bound, routes),
      .fields = route_fields,
      .item_size = sizeof(struct route) },
    { .key = "apps",
      .kind = GH_CFG_MAP,
      .offset = offsetof(struct bound, apps),
      .fields = route_fields,
      .item_size = sizeof(struct route) },
    { 0 },
};

static char dir[40], config_path[64], secret_path[64];

static void put(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static int setup(void **state)
{
    (void)state;
    strcpy(dir, "/tmp/gatehouse-nomem-XXXXXX");
    if (mkdtemp(dir) == NULL) return -1;
    (void)snprintf(config_path, sizeof config_path, "%s/g.yaml", dir);
    (void)snprintf(secret_path, sizeof secret_path, "%s/key", dir);
    umask(077);
    put(secret_path, "secret\n");
    put(config_path, "edge:\n"
                     "  listen: ${run_dir}/x\n"
                     "  key_file: key\n"
                     "  routes: [{path: a, origins: [b, c]}, {path: d}]\n"
                     "  apps: {chat: {path: /e}}\n");
    setenv("GATEHOUSE_EDGE_APPS_CHAT_ORIGINS", "x,y", 1);
    gh_log_set_level(GH_LOG_ERROR);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    unlink(config_path);
    unlink(secret_path);
    return rmdir(dir);
}

static void config_runs_out(void **state)
{
    long n = 0;

    (void)state;
    for (bool done = false; !done; n++) {
        struct gh_config *config = NULL;
        struct bound bound = { 0 };

        fail_at = n;
        enum gh_err err = gh_config_load(config_path, "edge-1", &config);
        if (err == GH_OK) err = gh_config_bind(config, "edge", fields, &bound);
        done = fail_at >= 0; /* it asked for fewer than n */
        fail_at = -1;
        assert_int_equal(err, done ? GH_OK : GH_ERR_NOMEM);
        if (err == GH_OK) {
            assert_int_equal(bound.key.len, 6);
            assert_int_equal(bound.list.count, 2);
            assert_int_equal(bound.routes.count, 2);
            assert_int_equal(bound.apps.count, 1);
        }
        gh_config_free(config);
    }
    assert_true(n > 40); /* it really was the allocations of the whole way */
}

static void redis_runs_out(void **state)
{
    const struct gh_redis_config config = { .url = "unix:/nonexistent/redis.sock",
                                            .user = "user",
                                            .secret = (const unsigned char *)"secret",
                                            .secret_len = 6 };
    uv_loop_t loop;
    long n = 0;

    (void)state;
    uv_loop_init(&loop);
    for (bool done = false; !done; n++) {
        struct gh_redis *redis = NULL;

        fail_at = n;
        const enum gh_err err = gh_redis_new(&loop, &config, &redis);
        done = fail_at >= 0;
        fail_at = -1;
        assert_int_equal(err, done ? GH_OK : GH_ERR_NOMEM);
        gh_redis_free(redis);
        uv_run(&loop, UV_RUN_NOWAIT);
    }
    assert_int_equal(n, 5); /* itself, the path, the user, the secret, and once all are there */
    assert_int_equal(uv_loop_close(&loop), 0);
}

static void admin_runs_out(void **state)
{
    struct gh_metrics *metrics = NULL;
    char endpoint[80];
    uv_loop_t loop;
    long n = 0;

    (void)state;
    uv_loop_init(&loop);
    fail_at = 0;
    assert_int_equal(gh_metrics_new(&metrics), GH_ERR_NOMEM);
    fail_at = -1;
    assert_int_equal(gh_metrics_new(&metrics), GH_OK);
    (void)snprintf(endpoint, sizeof endpoint, "unix:%s/admin", dir);
    for (bool done = false; !done; n++) {
        struct gh_admin *admin = NULL;

        fail_at = n;
        const enum gh_err err = gh_admin_new(&loop, endpoint, metrics, &admin);
        done = fail_at >= 0;
        fail_at = -1;
        assert_int_equal(err, done ? GH_OK : GH_ERR_NOMEM);
        gh_admin_free(admin);
        uv_run(&loop, UV_RUN_NOWAIT);
    }
    assert_true(n >= 2);
    assert_int_equal(uv_loop_close(&loop), 0);
    gh_metrics_free(metrics);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(config_runs_out),
        cmocka_unit_test(redis_runs_out),
        cmocka_unit_test(admin_runs_out),
    };

    return cmocka_run_group_tests_name("nomem", tests, setup, teardown);
}
