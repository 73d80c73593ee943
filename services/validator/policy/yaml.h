/*
 * yaml - one policy file as a tree that knows its line numbers.
 *
 * A plain subset: one document, no anchors, aliases or tags, no key twice, keys are scalars. Caps:
 * depth 16, 50000 values. Pure; memory comes from the arena given and lives as long as it.
 */
#ifndef VALIDATOR_POLICY_YAML_H
#define VALIDATOR_POLICY_YAML_H

#include "common/arena.h"
#include "policy/report.h"

#include <stdbool.h>

enum ykind { Y_SCALAR, Y_SEQUENCE, Y_MAPPING };

struct ynode {
    enum ykind kind;
    uint32_t line;
    uint32_t count;  /* children */
    bool plain;      /* a scalar without quotes */
    const char *key; /* in a mapping: the key that leads here */
    uint32_t key_line;
    const char *text;           /* scalar; NUL-ended */
    uint32_t len;               /* of text, which may hold NUL */
    struct ynode *first, *next; /* children in order; next sibling */
    struct ynode *last, *parent;
};

/* Errors: GH_ERR_CONFIG with the report filled; GH_ERR_NOMEM. An empty file is an empty mapping. */
GH_NODISCARD enum gh_err yaml_tree(struct gh_arena *arena, const char *file, const char *text,
                                   size_t len, struct report *report,
                                   const struct ynode **ret_root);

/* NULL: not there, or no mapping. */
const struct ynode *yaml_find(const struct ynode *mapping, const char *key);

/* The JSON pointer of a node, escaped, cut to fit. Returns dst. */
const char *yaml_pointer(const struct ynode *node, char *dst, size_t size);

#endif
