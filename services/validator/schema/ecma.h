/*
 * ecma - ECMA-262 regular expressions (the grammar under the `u` flag) to a tree. Private to
 * schema/.
 *
 * Every character class, escape and property ends as a set of code point ranges, so what is made
 * of the tree depends on no other engine's idea of \d, \s or \p{...}. As the `u` grammar is strict
 * about letters after a backslash, so is this; like browsers without it, it takes '}' and ']' alone
 * as themselves, and any escaped punctuation.
 */
#ifndef VALIDATOR_SCHEMA_ECMA_H
#define VALIDATOR_SCHEMA_ECMA_H

#include "common/err.h"
#include "validator/schema/vec.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ECMA_NONE      UINT32_MAX
#define ECMA_UNLIMITED UINT32_MAX
#define ECMA_MAX_COUNT 100000u
#define ECMA_MAX_DEPTH 100

enum ecma_op {
    ECMA_EMPTY,
    ECMA_SET,      /* first: range, n: how many */
    ECMA_CAT,      /* first: child */
    ECMA_ALT,      /* first: child */
    ECMA_REPEAT,   /* first: child, min, max */
    ECMA_START,    /* ^ */
    ECMA_END,      /* $ */
    ECMA_WORD,     /* \b */
    ECMA_NOT_WORD, /* \B */
    ECMA_AHEAD,    /* (?=...); first: child */
    ECMA_NOT_AHEAD,
    ECMA_BEHIND,
    ECMA_NOT_BEHIND,
    ECMA_BACKREF,
};

struct ecma_node {
    uint8_t op; /* enum ecma_op */
    uint32_t first;
    uint32_t next; /* sibling, or ECMA_NONE */
    uint32_t n;
    uint32_t min, max;
};

struct ecma_range {
    uint32_t lo, hi; /* code points, both in the range; no surrogates */
};

struct ecma {
    struct vec nodes;  /* struct ecma_node */
    struct vec ranges; /* struct ecma_range: each set sorted, disjoint, merged */
    uint32_t root;
};

/* Errors: GH_ERR_CONFIG with why filled (NUL-ended), GH_ERR_NOMEM. */
GH_NODISCARD enum gh_err ecma_parse(const char *text, size_t len, struct ecma *ret_re, char *why,
                                    size_t why_size);
void ecma_done(struct ecma *re);

static inline const struct ecma_node *ecma_at(const struct ecma *re, uint32_t i)
{
    return VEC_AT(&re->nodes, struct ecma_node, i);
}

/* ecma_set.c: sets in the making. `set` is a vec of struct ecma_range. */
GH_NODISCARD enum gh_err ecma_set_add(struct vec *set, uint32_t lo, uint32_t hi);
void ecma_set_normalise(struct vec *set);                      /* sorts, merges, drops surrogates */
GH_NODISCARD enum gh_err ecma_set_complement(struct vec *set); /* normalises first */
/* 'd', 'w', 's' and their complements in capitals. */
GH_NODISCARD enum gh_err ecma_set_add_class(struct vec *set, char class_letter);
/* \p{name} or \p{name=value}, complemented for \P. GH_ERR_NOT_FOUND for a name we do not know. */
GH_NODISCARD enum gh_err ecma_set_add_property(struct vec *set, const char *name, size_t len,
                                               bool complement);

#endif
