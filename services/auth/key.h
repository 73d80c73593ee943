/*
 * key - one verification key and its one algorithm.
 *
 * A key is refused at load when it is too weak to rely on: RSA under 2048 or over 8192 bits or with
 * an exponent under 65537, an EC key not on P-256 or not on its curve, a shared secret under 256
 * bits (counted by what its characters can hold, so 32 hex digits are 128 bits) or that looks like
 * a password. `ret_why` then says what to do, for the error message of the configuration; it points
 * to static text. The key is parsed once; verifying allocates next to nothing.
 *
 * Why not libjwt's own verification: 1.10.2 parses the PEM anew for every token (measured: 1,900
 * RS256/s; what we do stands in README.md), it refuses `typ: at+jwt` (RFC 9068), and it
 * takes `alg` in any case and base64 of any kind. It signs our own tokens and is the oracle of the
 * tests.
 *
 * Source: RFC 7518 sections 3.2 to 3.4, RFC 8725 sections 3.2 and 3.5.
 */
#ifndef AUTH_KEY_H
#define AUTH_KEY_H

#include "reason.h"
#include "token.h"

#include "common/err.h"

#include <openssl/evp.h>
#include <stddef.h>

#define KEY_SECRET_MAX_BYTES 512u
#define KEY_PEM_MAX_BYTES    16384u

struct key;

/* kid may be NULL. Errors: GH_ERR_CRYPTO with *ret_why; GH_ERR_NOMEM. */
GH_NODISCARD enum gh_err key_from_secret(const void *secret, size_t len, const char *kid,
                                         struct key **ret_key, const char **ret_why);
GH_NODISCARD enum gh_err key_from_pem(const void *pem, size_t len, enum token_alg alg,
                                      const char *kid, struct key **ret_key, const char **ret_why);
/* Takes its own reference of pkey. */
GH_NODISCARD enum gh_err key_from_pkey(EVP_PKEY *pkey, enum token_alg alg, const char *kid,
                                       struct key **ret_key, const char **ret_why);
void key_free(struct key *key); /* NULL is a no-op; a secret is wiped */

enum token_alg key_alg(const struct key *key);
const char *key_kid(const struct key *key); /* NULL: it has none */

/* AUTH_OK, AUTH_SIGNATURE*, AUTH_NO_MEMORY. The token's alg must be the key's: checked by caller.
 */
GH_NODISCARD enum auth_reason key_verify(struct key *key, const struct token *token);

/* NULL when a shared secret is strong enough, else why not. */
const char *key_secret_weakness(const void *secret, size_t len);

#endif
