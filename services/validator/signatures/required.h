/*
 * required - what a text must hold for an expression to match in it at all.
 *
 * Worked out from the expression's tree, so it is never a guess: every match holds at least one of
 * `literals`, and at least one byte of each of `masks`. Letters are small; the text's must be made
 * small before comparing. Private to signatures/.
 */
#ifndef VALIDATOR_SIGNATURES_REQUIRED_H
#define VALIDATOR_SIGNATURES_REQUIRED_H

#include "common/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define REQUIRED_MAX_LITERALS 96
#define REQUIRED_MAX_BYTES    16 /* of a literal; longer ones are cut */
#define REQUIRED_MAX_MASKS    4

struct required_literal {
    uint8_t len; /* 1 or more */
    char bytes[REQUIRED_MAX_BYTES];
};

struct byte_mask {
    uint64_t bits[2]; /* of ASCII bytes */
};

struct required {
    struct required_literal literals[REQUIRED_MAX_LITERALS];
    uint32_t n_literals; /* 0: nothing is required, the expression must always be tried */
    struct byte_mask masks[REQUIRED_MAX_MASKS];
    uint32_t n_masks;
};

/* Errors: GH_ERR_CONFIG with why when the expression cannot be read; GH_ERR_NOMEM. */
GH_NODISCARD enum gh_err required_find(const char *pattern, struct required *ret_required,
                                       char *why, size_t why_size);

#endif
