/*
 * audit_hash - the one thing the writer and the verifier of the audit log share.
 *
 * The log is a chain: hash(n) = SHA-256(hash(n-1) || line(n)), the line without its line feed, the
 * hash before the first record all zeros. Each line carries hash(n-1) in hex as `prev`.
 * Source: FIPS 180-4.
 */
#ifndef GH_AUDIT_HASH_H
#define GH_AUDIT_HASH_H

#include "common/err.h"

#include <stddef.h>
#include <stdint.h>

#define GH_AUDIT_HASH_BYTES 32u
#define GH_AUDIT_HASH_HEX   64u

struct gh_audit_hash {
    uint8_t bytes[GH_AUDIT_HASH_BYTES];
};

/* next may be prev. Errors: GH_ERR_CRYPTO. */
GH_NODISCARD enum gh_err gh_audit_hash_next(const struct gh_audit_hash *prev, const void *line,
                                            size_t len, struct gh_audit_hash *ret_next);

void gh_audit_hash_hex(const struct gh_audit_hash *hash, char dst[GH_AUDIT_HASH_HEX + 1]);
/* Lower case only, exactly GH_AUDIT_HASH_HEX digits. Errors: GH_ERR_BAD_MESSAGE. */
GH_NODISCARD enum gh_err gh_audit_hash_parse(const char *hex, size_t len,
                                             struct gh_audit_hash *ret_hash);

#endif
