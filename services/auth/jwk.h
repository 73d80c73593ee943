/*
 * jwk - a JWK Set taken apart into verification keys.
 *
 * The document is a strict JSON object (common/json/tape.h: no member twice, valid UTF-8) with an
 * array `keys`; anything else refuses it as a whole. A key in it that cannot be used is skipped and
 * said (RFC 7517 section 5): of another kty, use, key_ops or alg, private, malformed, too weak
 * (key.h), or with the kid of one before it. What is accepted, exactly:
 *
 *   RSA  n, e base64url without leading zero bytes      RS256
 *   EC   crv P-256, x and y of 32 bytes each            ES256
 *   oct  k, and only when the caller allows HS256: from a file, never from the net
 *
 * `alg` may be missing; the kty then names the one algorithm. x5c, x5u and x5t are not looked at:
 * trust in a set is where it came from. Pure but for allocation.
 *
 * Source: RFC 7517, RFC 7518 section 6, RFC 8725 section 3.
 */
#ifndef AUTH_JWK_H
#define AUTH_JWK_H

#include "issuer.h"

#include "common/err.h"

#include <stdbool.h>
#include <stddef.h>

#define JWK_SET_MAX_BYTES 262144u

/* Why a key was skipped. kid is "" when it has none that can be shown; index counts from 0. */
typedef void (*jwk_skip_fn)(void *ctx, size_t index, const char *kid, const char *why);

struct jwk_rules {
    bool allowed[TOKEN_ALG_COUNT]; /* by enum token_alg */
    jwk_skip_fn on_skip;           /* NULL: nobody asks */
    void *ctx;
};

/* Adds what is usable to *issuer, which has no keys; it counts as loaded then.
 * Errors: GH_ERR_BAD_MESSAGE (*ret_why, static text; not a JWK Set), GH_ERR_NOT_FOUND (no usable
 * key in it), GH_ERR_NOMEM. On failure *issuer has no keys. */
GH_NODISCARD enum gh_err jwk_set_parse(const void *json, size_t len, const struct jwk_rules *rules,
                                       struct issuer *issuer, const char **ret_why);

#endif
