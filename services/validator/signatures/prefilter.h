/*
 * prefilter - which rules a text could possibly hit, in one pass of a few look-ups a byte.
 *
 * Private to signatures/. Built from what each rule requires (required.h); exact: a rule it leaves
 * out cannot match.
 */
#ifndef VALIDATOR_SIGNATURES_PREFILTER_H
#define VALIDATOR_SIGNATURES_PREFILTER_H

#include "validator/signatures/required.h"

struct prefilter;

/* required: one for each of n rules. */
GH_NODISCARD enum gh_err prefilter_new(const struct required *required, uint32_t n,
                                       struct prefilter **ret_prefilter);
void prefilter_free(struct prefilter *prefilter); /* NULL is a no-op */

/* Sets the bit of each rule that could match; others are left. True when any bit was set. */
bool prefilter_run(const struct prefilter *prefilter, const char *text, size_t len,
                   uint64_t *rules);

/* The same without the best instruction set, for tests. */
bool prefilter_run_plain(const struct prefilter *prefilter, const char *text, size_t len,
                         uint64_t *rules);

#endif
