/*
 * vectorscan - the one way this service compiles and scans with the Vectorscan library.
 *
 * Debian's 5.4.9 misses matches in its code for AVX-512: whether "/???n/c?t " is found depends on
 * where in memory the text lies, and an attacker chooses that by padding. Its AVX2 code does not.
 * Which of them runs is the library's choice by processor, but in the static archive each has a
 * name of its own: linked with that (schema/CMakeLists.txt), AVX2's is called by name, on databases
 * made for it. vectorscan_check() says whether matches are missed, whatever the library.
 */
#ifndef VALIDATOR_SCHEMA_VECTORSCAN_H
#define VALIDATOR_SCHEMA_VECTORSCAN_H

#include "common/err.h"

#include <hs/hs.h>
#include <stdbool.h>
#include <stddef.h>

/* hs_compile() in block mode for the code that will run it. */
hs_error_t vectorscan_compile(const char *pattern, unsigned flags, hs_database_t **ret_db,
                              hs_compile_error_t **ret_error);

/* Does it match anywhere? scratch fits the database. A failure of the library counts as a match:
 * it is closed, not open. */
bool vectorscan_matches(const hs_database_t *db, const char *text, size_t len,
                        hs_scratch_t *scratch);

/* Scans a text that is known to match, at every place in a cache line. Errors: GH_ERR_UNAVAILABLE
 * when the library misses it anywhere; GH_ERR_NOMEM. A good answer is remembered. */
GH_NODISCARD enum gh_err vectorscan_check(void);

#endif
