/*
 * dfa - a small deterministic automaton over code points, complete at load. Private to schema/.
 *
 * One table look-up per character, no memory to match with. It takes lookahead anywhere but inside
 * a repetition; not lookbehind, back-references or \b.
 */
#ifndef VALIDATOR_SCHEMA_DFA_H
#define VALIDATOR_SCHEMA_DFA_H

#include "validator/schema/ecma.h"

#define DFA_MAX_STATES 4000u
#define DFA_MAX_CELLS  100000u /* states times classes */

struct dfa;

/* GH_ERR_LIMIT when it would be too large; GH_ERR_NOT_FOUND, with *ret_construct a constant, when
 * the expression has something an automaton of this kind cannot do; GH_ERR_NOMEM. */
GH_NODISCARD enum gh_err dfa_new(const struct ecma *re, struct dfa **ret_dfa,
                                 const char **ret_construct);
void dfa_free(struct dfa *dfa); /* NULL is a no-op */

/* text is valid UTF-8. */
bool dfa_match(const struct dfa *dfa, const char *text, size_t len);

unsigned dfa_states(const struct dfa *dfa);

#endif
