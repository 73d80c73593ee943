/*
 * cache - compiled signatures kept in a file, so that a start need not compile them again.
 *
 * Only a file that its owner alone can write, and whose owner we are, is read: the regular
 * expression library trusts what is in it (signatures/compiled.h). Anything else is as if there
 * were none. The file is replaced whole, so that readers and other writers never see half of one.
 */
#ifndef VALIDATOR_POLICY_CACHE_H
#define VALIDATOR_POLICY_CACHE_H

#include "common/json/buf.h"
#include "validator/signatures/signatures.h"

#define CACHE_MAX_BYTES (64u << 20)

/* Into an initialised buffer. False: nothing to be had, and the buffer is empty. */
bool cache_read(const char *path, struct gh_buf *ret_bytes);

/* What the rules became, with what else is in the file while there is room. Errors: GH_ERR_IO,
 * GH_ERR_NOMEM; nothing has changed then. */
GH_NODISCARD enum gh_err cache_write(const char *path, const struct signatures *signatures);

#endif
