/* A section "edge" with a field of every kind, and a folder with secrets of every fault. */
#ifndef GH_TESTS_CONFIG_FIXTURE_H
#define GH_TESTS_CONFIG_FIXTURE_H

#include "common/config.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "capture.h"

#define ENV_YAML                                                                                   \
    "edge: {count: 9, list: [z], classes: {user: {rate: 1}}, items: [{label: a, rate: 3}]}\n"

struct inner {
    bool on;
    const char *path;
};

struct item {
    const char *name;
    uint32_t rate;
    struct gh_config_list tags;
};

struct bound {
    bool flag;
    uint32_t count;
    uint64_t big, wait_ms, size_bytes;
    const char *text;
    uint32_t mode;
    const char *path;
    struct gh_config_secret secret;
    struct gh_config_list list;
    struct inner inner;
    struct gh_config_structs items, map;
};

static const char *const modes[] = { "refuse", "allow", "end_oldest", NULL };

static const struct gh_config_field inner_fields[] = {
    { .key = "on", .kind = GH_CFG_BOOL, .offset = offsetof(struct inner, on), .dflt = "true" },
    { .key = "path", .kind = GH_CFG_PATH, .offset = offsetof(struct inner, path) },
    { 0 },
};

static const struct gh_config_field item_fields[] = {
    { .key = "label",
      .kind = GH_CFG_STRING,
      .offset = offsetof(struct item, name),
      .required = true },
    { .key = "rate",
      .kind = GH_CFG_U32,
      .offset = offsetof(struct item, rate),
      .dflt = "7",
      .min = 1,
      .max = 100 },
    { .key = "tags", .kind = GH_CFG_LIST, .offset = offsetof(struct item, tags), .dflt = "[x, y]" },
    { 0 },
};

static const struct gh_config_field map_fields[] = {
    { .key = "rate", .kind = GH_CFG_U32, .offset = offsetof(struct item, rate), .dflt = "7" },
    { .key = "tags", .kind = GH_CFG_LIST, .offset = offsetof(struct item, tags) },
    { 0 },
};

static const struct gh_config_field fields[] = {
    { .key = "flag", .kind = GH_CFG_BOOL, .offset = offsetof(struct bound, flag) },
    { .key = "count",
      .kind = GH_CFG_U32,
      .offset = offsetof(struct bound, count),
      .dflt = "3",
      .min = 2,
      .max = 5000000000 },
    { .key = "big", .kind = GH_CFG_U64, .offset = offsetof(struct bound, big), .min = 1 },
    { .key = "wait",
      .kind = GH_CFG_MS,
      .offset = offsetof(struct bound, wait_ms),
      .dflt = "5s",
      .min = 100,
      .max = 3600000,
      .help = "how long to wait" },
    { .key = "max_bytes",
      .kind = GH_CFG_BYTES,
      .offset = offsetof(struct bound, size_bytes),
      .dflt = "64KiB",
      .min = 1024,
      .max = 1 << 30 },
    { .key = "text",
      .kind = GH_CFG_STRING,
      .offset = offsetof(struct bound, text),
      .dflt = "dflt",
      .max = 40 },
    { .key = "mode",
      .kind = GH_CFG_ENUM,
      .offset = offsetof(struct bound, mode),
      .choices = modes,
      .dflt = "allow" },
    { .key = "path", .kind = GH_CFG_PATH, .offset = offsetof(struct bound, path) },
    { .key = "key_file", .kind = GH_CFG_SECRET_FILE, .offset = offsetof(struct bound, secret) },
    { .key = "list", .kind = GH_CFG_LIST, .offset = offsetof(struct bound, list), .max = 4 },
    { .key = "tls",
      .kind = GH_CFG_STRUCT,
      .offset = offsetof(struct bound, inner),
      .fields = inner_fields },
    { .key = "items",
      .kind = GH_CFG_STRUCTS,
      .offset = offsetof(struct bound, items),
      .fields = item_fields,
      .item_size = sizeof(struct item),
      .max = 3 },
    { .key = "classes",
      .kind = GH_CFG_MAP,
      .offset = offsetof(struct bound, map),
      .fields = map_fields,
      .item_size = sizeof(struct item) },
    { 0 },
};

static char dir[32];
static char file[64];

static inline void write_bytes(const char *name, const char *bytes, size_t len, mode_t mode)
{
    char path[96];

    (void)snprintf(path, sizeof path, "%s/%s", dir, name);
    unlink(path);
    const int fd = open(path, O_CREAT | O_WRONLY | O_TRUNC, mode);
    assert_true(fd >= 0);
    assert_int_equal(fchmod(fd, mode), 0);
    assert_int_equal(write(fd, bytes, len), (ssize_t)len);
    close(fd);
}

/* Loads yaml and binds its section edge; what was said is in *capture. */
static inline enum gh_err bind_yaml(const char *yaml, size_t len, struct capture *capture,
                                    struct bound *bound, struct gh_config **ret_config)
{
    struct gh_config *config = NULL;

    write_bytes("gatehouse.yaml", yaml, len, 0644);
    memset(bound, 0, sizeof *bound);
    capture_begin(capture);
    enum gh_err err = gh_config_load(file, "edge-1", &config);
    if (err == GH_OK) err = gh_config_bind(config, "edge", fields, bound);
    capture_end(capture);
    *ret_config = config;
    return err;
}

static inline int make_files(void **state)
{
    static char large[64 * 1024 + 1];
    char path[64];

    (void)state;
    strcpy(dir, "/tmp/gatehouse-config-XXXXXX");
    if (mkdtemp(dir) == NULL) return -1;
    (void)snprintf(file, sizeof file, "%s/gatehouse.yaml", dir);
    memset(large, 'x', sizeof large);
    write_bytes("secret", "p\0w\n\xff\n", 6, 0600);
    write_bytes("open", "pw", 2, 0644);
    write_bytes("group", "pw", 2, 0660);
    write_bytes("empty", "", 0, 0400);
    write_bytes("newline", "\n", 1, 0400);
    write_bytes("large", large, sizeof large, 0400);
    (void)snprintf(path, sizeof path, "%s/fifo", dir);
    return mkfifo(path, 0600);
}

static inline int remove_files(void **state)
{
    static const char *const names[] = { "secret", "open", "group",  "empty",         "newline",
                                         "large",  "fifo", "shared", "gatehouse.yaml" };
    char path[64];

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", dir, names[i]);
        unlink(path);
    }
    return rmdir(dir);
}

#endif
