/*
 * pattern - ECMA-262 regular expressions (with the `u` flag's meaning), matched in linear time.
 *
 * Unanchored, as JSON Schema has it. Compiled to a deterministic automaton of our own when that is
 * small, else to Vectorscan; what neither can do without back-tracking is an error that names the
 * construct: back-references, lookbehind, lookahead inside a repetition.
 */
#ifndef VALIDATOR_SCHEMA_PATTERN_H
#define VALIDATOR_SCHEMA_PATTERN_H

#include "common/err.h"

#include <stdbool.h>
#include <stddef.h>

struct pattern;
struct pattern_scratch;

#define PATTERN_MAX_BYTES 8192

/* Errors: GH_ERR_CONFIG with the reason in why (NUL-ended), GH_ERR_NOMEM. */
GH_NODISCARD enum gh_err pattern_new(const char *text, size_t len, struct pattern **ret_pattern,
                                     char *why, size_t why_size);
void pattern_free(struct pattern *pattern); /* NULL is a no-op */

/* Memory for matching, one per worker, made larger for each pattern it will meet. *scratch may be
 * NULL at first. */
GH_NODISCARD enum gh_err pattern_fit(const struct pattern *pattern,
                                     struct pattern_scratch **scratch);
void pattern_scratch_free(struct pattern_scratch *scratch); /* NULL is a no-op */

/* text is valid UTF-8. */
bool pattern_match(const struct pattern *pattern, struct pattern_scratch *scratch, const char *text,
                   size_t len);

/* Is it a regular expression at all? What format "regex" asks; no compilation. */
bool pattern_is_well_formed(const char *text, size_t len);

/* What it became: "automaton", "vectorscan", for tests and benches. */
const char *pattern_engine(const struct pattern *pattern);

#endif
