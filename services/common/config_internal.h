/*
 * config_internal - what the parts of config share; nobody else includes it.
 *
 *   config_parse   YAML bytes -> a tree of nodes with line numbers
 *   config_env     GATEHOUSE_* variables by the path of the key they override
 *   config_scalar  text -> numbers, durations, sizes, and back for messages
 *   config_text    ${...}, paths, secret files
 *   config_report  messages, nearest known word, memory
 *   config_value   one field from environment, file or default
 *   config_bind    the walk over field tables
 *   config_load    the file, its top level, the life of a gh_config
 */
#ifndef GH_CONFIG_INTERNAL_H
#define GH_CONFIG_INTERNAL_H

#include "common/config.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CFG_FILE_MAX_BYTES   (1024 * 1024)
#define CFG_SECRET_MAX_BYTES (64 * 1024)
#define CFG_DEPTH_MAX        16
#define CFG_NODES_MAX        50000
#define CFG_KEYS_MAX         4096 /* in one mapping */
#define CFG_KEY_MAX_BYTES    256
#define CFG_VALUE_MAX_BYTES  (64 * 1024)
#define CFG_PATH_MAX_BYTES   512 /* a key path like edge.tls.cert_file */

enum cfg_node_kind { CFG_SCALAR, CFG_SEQUENCE, CFG_MAPPING };

struct cfg_node {
    enum cfg_node_kind kind;
    unsigned line;
    const char *key; /* in a mapping: the key that leads here */
    const char *text;
    size_t text_len;
    bool plain; /* scalar without quotes */
    struct cfg_node *first, *last, *next;
    size_t count;
};

struct cfg_env {
    char *name;
    char *value;
    bool used, warned;
    unsigned best_distance;
    char best[128]; /* the nearest name a field table would have taken */
};

struct cfg_block; /* one allocation, see config_report.c */

struct gh_config {
    const char *path, *dir, *instance, *run_dir, *state_dir;
    struct cfg_node *root; /* a mapping */
    struct cfg_block *blocks;
    struct cfg_env *env;
    size_t env_count;
};

/* Where a value stands, for messages. */
struct cfg_where {
    const char *path; /* key path; NULL: the file as a whole */
    unsigned line;    /* 0: unknown */
    const struct cfg_env *env;
};

/* config_report */
void *cfg_alloc(struct gh_config *config, size_t size, bool wipe); /* zeroed; NULL: no memory */
char *cfg_strndup(struct gh_config *config, const char *text, size_t len);
void cfg_free_all(struct gh_config *config);
void cfg_report(const struct gh_config *config, const struct cfg_where *where, const char *fmt, ...)
    GH_PRINTF(3, 4);
const char *cfg_quote(char dst[128], const char *text, size_t len);

struct cfg_names { /* a list of known words, and the nearest to the one that was found */
    const char *wanted;
    const char *best;
    unsigned best_distance;
    char list[1024];
    size_t list_len;
};
void cfg_names_init(struct cfg_names *names, const char *wanted);
void cfg_names_add(struct cfg_names *names, const char *name);
/* "; did you mean X" or "" */
const char *cfg_names_hint(const struct cfg_names *names, char dst[160]);
unsigned cfg_distance(const char *a, const char *b); /* edits, at most 64 bytes looked at */

/* config_parse */
enum gh_err cfg_parse(struct gh_config *config, const unsigned char *bytes, size_t len);
const struct cfg_node *cfg_find(const struct cfg_node *mapping, const char *key);

/* config_env */
enum gh_err cfg_env_collect(struct gh_config *config);
const struct cfg_env *cfg_env_find(struct gh_config *config, const char *path);
const struct cfg_env *cfg_env_used(const struct gh_config *config, const char *path);
void cfg_env_free(struct gh_config *config);
bool cfg_env_in_section(const struct cfg_env *env, const char *section);
/* Warn, once each, of variables nobody took: those of one section after it was bound, and at load
 * those of no section at all. */
void cfg_env_warn_section(struct gh_config *config, const char *section);
void cfg_env_warn_unplaced(struct gh_config *config, const char *const *sections);

/* config_scalar: false when text is not of the kind or overflows */
bool cfg_scan_u64(const char *text, uint64_t *ret_value);
bool cfg_scan_ms(const char *text, uint64_t *ret_ms);
bool cfg_scan_bytes(const char *text, uint64_t *ret_bytes);
const char *cfg_show(enum gh_config_kind kind, uint64_t value, char dst[32]);

/* config_text: report what is wrong and return GH_ERR_CONFIG */
enum gh_err cfg_expand(struct gh_config *config, const struct cfg_where *where, const char *text,
                       const char **ret_text);
enum gh_err cfg_path(struct gh_config *config, const struct cfg_where *where, const char *text,
                     const char **ret_path);
enum gh_err cfg_secret(struct gh_config *config, const struct cfg_where *where, const char *text,
                       struct gh_config_secret *ret_secret);

/* config_value */
struct cfg_bind {
    struct gh_config *config;
    unsigned errors;
    bool out_of_memory;
};

struct cfg_slot { /* one field to fill */
    const struct gh_config_field *field;
    void *out;
    struct cfg_where where;
    bool env_ok; /* not inside a list of structs */
};

#define CFG_REPORT(b, slot, ...)                                                                   \
    do {                                                                                           \
        cfg_report((b)->config, &(slot)->where, __VA_ARGS__);                                      \
        (b)->errors++;                                                                             \
    } while (0)

void cfg_bind_failed(struct cfg_bind *b, enum gh_err err);
bool cfg_in_range(struct cfg_bind *b, const struct cfg_slot *slot, uint64_t value,
                  const char *what);
bool cfg_is_empty(const struct cfg_node *node);          /* `key:` with nothing, ~ or null */
const char *cfg_shape_name(const struct cfg_node *node); /* "a list" */
/* Any kind but structs and maps of structs. */
void cfg_bind_value(struct cfg_bind *b, struct cfg_slot *slot, const struct cfg_node *node);

#endif
