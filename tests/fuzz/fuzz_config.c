/*
 * The configuration file: YAML to a tree, and the tree into a table with every kind of field but
 * secrets (which would read files). The environment is the second half, after a NUL: one override.
 */
#include "common/config_internal.h"
#include "common/log.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

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
    uint32_t count, mode;
    uint64_t wait_ms, size_bytes;
    const char *text;
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
    { .key = "rate", .kind = GH_CFG_U32, .offset = offsetof(struct item, rate), .max = 100 },
    { .key = "tags", .kind = GH_CFG_LIST, .offset = offsetof(struct item, tags), .dflt = "[x, y]" },
    { 0 },
};

static const struct gh_config_field fields[] = {
    { .key = "flag", .kind = GH_CFG_BOOL, .offset = offsetof(struct bound, flag) },
    { .key = "count", .kind = GH_CFG_U32, .offset = offsetof(struct bound, count), .min = 2 },
    { .key = "mode",
      .kind = GH_CFG_ENUM,
      .offset = offsetof(struct bound, mode),
      .choices = modes },
    { .key = "wait", .kind = GH_CFG_MS, .offset = offsetof(struct bound, wait_ms), .max = 5000 },
    { .key = "size", .kind = GH_CFG_BYTES, .offset = offsetof(struct bound, size_bytes) },
    { .key = "text", .kind = GH_CFG_STRING, .offset = offsetof(struct bound, text), .max = 40 },
    { .key = "list", .kind = GH_CFG_LIST, .offset = offsetof(struct bound, list), .max = 4 },
    { .key = "tls",
      .kind = GH_CFG_STRUCT,
      .offset = offsetof(struct bound, inner),
      .fields = inner_fields },
    { .key = "items",
      .kind = GH_CFG_STRUCTS,
      .offset = offsetof(struct bound, items),
      .fields = item_fields,
      .item_size = sizeof(struct item) },
    { .key = "classes",
      .kind = GH_CFG_MAP,
      .offset = offsetof(struct bound, map),
      .fields = item_fields,
      .item_size = sizeof(struct item) },
    { 0 },
};

static void check(const struct bound *b)
{
    const struct item *map = b->map.items;

    if (b->count < 2 && b->count != 0) abort();
    if (b->mode > 2 || b->wait_ms > 5000 || b->list.count > 4) abort();
    if (b->text != NULL && strlen(b->text) > 40) abort();
    if (b->inner.path != NULL && b->inner.path[0] != '/' && b->inner.path[0] != '\0') abort();
    for (size_t i = 0; i < b->map.count; i++)
        if (map[i].name == NULL || map[i].rate > 100) abort();
    for (size_t i = 0; i < b->list.count; i++)
        if (strlen(b->list.items[i]) > CFG_VALUE_MAX_BYTES) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const variables[] = { "GATEHOUSE_EDGE_LIST", "GATEHOUSE_EDGE_TEXT",
                                             "GATEHOUSE_EDGE_WAIT", "GATEHOUSE_EDGE_TLS_PATH",
                                             "GATEHOUSE_EDGE_COUNT" };
    struct gh_config config = {
        .path = "f.yaml", .dir = "/d", .instance = "i", .run_dir = "/run/g", .state_dir = "/var/g"
    };
    struct bound bound = { 0 };
    const uint8_t *nul = memchr(data, 0, size);
    const size_t yaml_len = nul != NULL ? (size_t)(nul - data) : size;
    struct cfg_env env = { 0 };
    char *value = NULL;

    gh_log_set_level((enum gh_log_level)(GH_LOG_ERROR + 1));
    if (nul != NULL && size - yaml_len >= 2) {
        value = strndup((const char *)nul + 2, size - yaml_len - 2);
        env.name = (char *)variables[nul[1] % (sizeof variables / sizeof variables[0])];
        env.value = value;
        config.env = &env;
        config.env_count = 1;
    }
    enum gh_err err = cfg_parse(&config, data, yaml_len);
    if (err == GH_OK) {
        err = gh_config_bind(&config, "edge", fields, &bound);
        if (err == GH_OK) check(&bound);
        /* any key path may be named in a complaint */
        if (value != NULL && gh_config_fail(&config, "edge", value, "no") != GH_ERR_CONFIG) abort();
    }
    if (err == GH_ERR_INTERNAL) abort();
    cfg_free_all(&config);
    free(value);
    return 0;
}
