/*
 * bind - YAML mappings to C structs by field tables, every mistake named.
 *
 * Strings and lists stay in the loader's arena. On GH_ERR_CONFIG the report says what is wrong and
 * the target is half filled; the walk goes on after a mistake so that one run shows them all.
 */
#ifndef VALIDATOR_POLICY_BIND_H
#define VALIDATOR_POLICY_BIND_H

#include "policy/yaml.h"

struct bind {
    struct gh_arena *arena;
    const char *file;
    struct report *report;
    void *ctx; /* for P_FN */
};

enum pkind {
    P_BOOL,
    P_U32,   /* uint32_t, min..max */
    P_BYTES, /* uint32_t; 4096, 64KiB, 1MiB; min..max */
    P_MS,    /* uint64_t; 250ms 10s 5m 2h 1d; min..max */
    P_TEXT,  /* const char *, min..max bytes */
    P_ENUM,  /* uint32_t, index into choices */
    P_FN,    /* fn does it */
};

typedef enum gh_err (*pfield_fn)(struct bind *bind, const struct ynode *node, void *target);

struct pfield {
    const char *key; /* NULL ends the table */
    enum pkind kind;
    size_t offset;
    uint64_t min, max;
    const char *const *choices; /* NULL-ended */
    pfield_fn fn;               /* target + offset */
};

GH_NODISCARD enum gh_err bind_mapping(struct bind *bind, const struct ynode *mapping,
                                      const struct pfield *fields, void *target);

/* One value, as the table row says; the row's offset counts from target. */
GH_NODISCARD enum gh_err bind_value(struct bind *bind, const struct ynode *node,
                                    const struct pfield *field, void *target);

/* Reports at the node; returns GH_ERR_CONFIG. */
enum gh_err bind_fail(struct bind *bind, const struct ynode *node, const char *fmt, ...)
    GH_PRINTF(3, 4);

/* Is it a scalar without NUL? Reports when not. */
GH_NODISCARD enum gh_err bind_text(struct bind *bind, const struct ynode *node,
                                   const char **ret_text);
GH_NODISCARD enum gh_err bind_choice(struct bind *bind, const struct ynode *node,
                                     const char *const *choices, uint32_t *ret_index);

#endif
