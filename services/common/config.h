/*
 * config - one YAML file for the suite, bound to C structs by field tables.
 *
 * Each service binds its own sections. What is wrong is reported on the log as
 *   FILE:LINE: edge.max_message_bytes: "64 kilo" is not a size; write a number of bytes or 64KiB,
 * 1MiB and the bind fails with GH_ERR_CONFIG. An unknown key in a bound section is an error that
 * lists the known ones; an unknown top-level section is an error from gh_config_load. The file is a
 * plain subset of YAML: one document, no anchors, aliases or tags, no key twice, at most 1 MiB.
 *
 * A value may be overridden by the environment: GATEHOUSE_<SECTION>_<KEY> in capitals, '.' and '-'
 * as '_' (scalars, and string lists comma-separated; also under a GH_CFG_MAP name that is in the
 * file, as GATEHOUSE_APPS_CHAT_ENDPOINT; not inside lists of structs). It is checked as if it stood
 * in the file. A GATEHOUSE_ variable that nothing takes is a warning.
 *
 * ${run_dir}, ${state_dir}, ${config_dir} and ${instance} are expanded in strings, lists and paths;
 * "$${" stands for "${". A key whose kind is GH_CFG_SECRET_FILE names a file: its content (without
 * one final newline, at most 64 KiB, not empty) is the value. Its mode must be 0400 or 0600; a
 * file of root's may also give its group to read (0440, 0640).
 *
 * Everything bound stays owned by the gh_config and lives as long as it.
 */
#ifndef GH_CONFIG_H
#define GH_CONFIG_H

#include "common/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct gh_config;

struct gh_config_secret { /* bytes may hold NUL; data is NUL-ended beyond len */
    const char *path;
    const unsigned char *data;
    size_t len;
};

struct gh_config_list {
    const char **items;
    size_t count;
};

struct gh_config_structs { /* items: count structs of the field's item_size */
    void *items;
    size_t count;
};

enum gh_config_kind {
    GH_CFG_BOOL,   /* bool */
    GH_CFG_U32,    /* uint32_t, min..max */
    GH_CFG_U64,    /* uint64_t, min..max */
    GH_CFG_MS,     /* uint64_t; "250ms", "10s", "5m", "2h", "1d"; min..max in ms */
    GH_CFG_BYTES,  /* uint64_t; 4096, "64KiB", "1MiB", "1GiB"; min..max in bytes */
    GH_CFG_STRING, /* const char *; "" unless required; min..max in bytes */
    GH_CFG_ENUM,   /* uint32_t index into choices */
    GH_CFG_PATH, /* const char *; relative paths are relative to the configuration file's folder */
    GH_CFG_SECRET_FILE, /* struct gh_config_secret */
    GH_CFG_LIST,        /* struct gh_config_list of strings */
    GH_CFG_STRUCT,      /* nested mapping bound by fields, at offset */
    GH_CFG_STRUCTS,     /* struct gh_config_structs: sequence of mappings bound by fields */
    GH_CFG_MAP,         /* struct gh_config_structs: mapping name -> mapping; the name goes into the
                           item's first member, a const char * */
};

/* A row with this key: other keys of the section are another service's to know. For a reader of a
 * part of somebody else's section; its owner still refuses unknown keys. */
#define GH_CFG_OTHERS "*"

struct gh_config_field {
    const char *key; /* NULL ends the table */
    enum gh_config_kind kind;
    size_t offset;
    const char *dflt;           /* as it would stand in the file; NULL with !required: zero value */
    bool required;              /* missing is an error */
    uint64_t min, max;          /* numbers; list counts and string lengths when max > 0 */
    const char *const *choices; /* GH_CFG_ENUM: NULL-ended */
    const struct gh_config_field *fields;
    size_t item_size; /* GH_CFG_STRUCTS, GH_CFG_MAP */
    const char *help; /* what to write, for the error message */
};

/* Reads and parses the file, checks top-level sections. At most 1 MiB. instance may be NULL. */
GH_NODISCARD enum gh_err gh_config_load(const char *path, const char *instance,
                                        struct gh_config **ret_config);
void gh_config_free(struct gh_config *config); /* NULL is a no-op; secrets are wiped */

/* Another YAML file of the suite (a policy, a rule file) with top-level keys of its own,
 * NULL-ended. As above, but no environment and no ${...} except ${config_dir}; bind it with section
 * NULL. */
GH_NODISCARD enum gh_err gh_config_load_other(const char *path, const char *const *sections,
                                              struct gh_config **ret_config);

/* Fills *out (caller's struct) from section. NULL: fields are top-level keys, of any kind (`routes`
 * is a GH_CFG_STRUCTS, `apps` a GH_CFG_MAP). A missing section binds the defaults. Reports every
 * error it finds before failing; *out is then half filled. */
GH_NODISCARD enum gh_err gh_config_bind(struct gh_config *config, const char *section,
                                        const struct gh_config_field *fields, void *out);

/* For checks that need more than a table: reports FILE:LINE: section.key: text. key may be a path
 * like "routes[1].path". Returns GH_ERR_CONFIG so that callers can `return gh_config_fail(...)`. */
GH_NODISCARD enum gh_err gh_config_fail(const struct gh_config *config, const char *section,
                                        const char *key, const char *fmt, ...) GH_PRINTF(4, 5);
const char *gh_config_path(const struct gh_config *config);

#endif
