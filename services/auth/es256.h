/*
 * es256 - ECDSA on P-256 verified with a table of the public key's multiples.
 *
 * An issuer's key verifies many tokens. OpenSSL has a table of the multiples of the curve's
 * generator, with which u1*G takes a sixth of the time of u2*Q; with a table of Q's too, a whole
 * verification takes half of EVP_PKEY_verify's. The arithmetic is OpenSSL's; what is done here is
 * the equation of SEC 1 section 4.1.4 over public values. A table is 150 KiB and 25 ms to make; at
 * most ES256_TABLES_MAX are made in a process.
 *
 * Not thread-safe: it holds its scratch values.
 */
#ifndef AUTH_ES256_H
#define AUTH_ES256_H

#include "common/err.h"

#include <openssl/evp.h>
#include <stdbool.h>

#define ES256_TABLES_MAX 64u

struct es256;

/* pkey is on P-256. Errors: GH_ERR_LIMIT (enough tables), GH_ERR_NOMEM, GH_ERR_CRYPTO. */
GH_NODISCARD enum gh_err es256_new(EVP_PKEY *pkey, struct es256 **ret_es256);
void es256_free(struct es256 *es256); /* NULL is a no-op */

/* signature is r and s, 32 bytes each, both in 1..n-1 (the caller checks). Errors: GH_ERR_CRYPTO,
 * out of memory among them; *ret_good is then untouched. */
GH_NODISCARD enum gh_err es256_verify(struct es256 *es256, const unsigned char digest[32],
                                      const unsigned char signature[64], bool *ret_good);

#endif
