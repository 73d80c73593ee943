/*
 * vscan - an expression's tree written out for Vectorscan. Private to schema/.
 *
 * Every set goes over as explicit code points, so that only the operators are left to its syntax.
 */
#ifndef VALIDATOR_SCHEMA_VSCAN_H
#define VALIDATOR_SCHEMA_VSCAN_H

#include "validator/schema/ecma.h"

struct vscan;
struct vscan_scratch;

/* construct: what our own automaton could not do, for the message, or NULL when it was size.
 * Errors: GH_ERR_CONFIG with why, GH_ERR_NOMEM. */
GH_NODISCARD enum gh_err vscan_new(const struct ecma *re, struct vscan **ret_vscan,
                                   const char *construct, char *why, size_t why_size);
void vscan_free(struct vscan *vscan); /* NULL is a no-op */

GH_NODISCARD enum gh_err vscan_fit(const struct vscan *vscan, struct vscan_scratch **scratch);
void vscan_scratch_free(struct vscan_scratch *scratch);

bool vscan_match(const struct vscan *vscan, struct vscan_scratch *scratch, const char *text,
                 size_t len);

/* The text Vectorscan gets, NUL-ended, for tests: GH_ERR_CONFIG with why for a construct it cannot
 * do. The caller frees it. */
GH_NODISCARD enum gh_err vscan_print(const struct ecma *re, char **ret_text, char *why,
                                     size_t why_size);

#endif
