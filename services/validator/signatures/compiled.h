/*
 * compiled - Vectorscan databases as bytes, so that an expression is compiled once.
 *
 * An archive is a header and entries, each an expression, its flags and its database as
 * hs_serialize_database() writes it. Reading checks every length; a database is found only by the
 * very expression and flags it was made from, and the library checks its version, platform, length
 * and checksum when it is taken. So whatever is wrong with an archive costs a compilation and
 * nothing else, provided that nobody who may not write the policy may write the archive: the
 * library trusts what a database with a right checksum says. Private to signatures/.
 */
#ifndef VALIDATOR_SIGNATURES_COMPILED_H
#define VALIDATOR_SIGNATURES_COMPILED_H

#include "common/json/buf.h"

#include <hs/hs.h>

struct compiled; /* an archive, indexed */

/* bytes stay the caller's and must outlive it. An archive that ends early or holds nonsense has
 * what came before that. Errors: GH_ERR_NOMEM. */
GH_NODISCARD enum gh_err compiled_new(const void *bytes, size_t len,
                                      struct compiled **ret_compiled);
void compiled_free(struct compiled *compiled); /* NULL is a no-op */

/* A database of the caller's (hs_free_database), or NULL: not there, or not usable here. */
hs_database_t *compiled_take(const struct compiled *compiled, const char *pattern, unsigned flags);

/* Writing: the header to an empty buffer, then entries. */
GH_NODISCARD enum gh_err compiled_begin(struct gh_buf *out);
GH_NODISCARD enum gh_err compiled_add(struct gh_buf *out, const char *pattern, unsigned flags,
                                      const hs_database_t *db);
/* Entries of more that are not in out, while out stays below max_bytes. */
GH_NODISCARD enum gh_err compiled_merge(struct gh_buf *out, const struct compiled *more,
                                        size_t max_bytes);

#endif
