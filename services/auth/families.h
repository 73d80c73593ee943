/*
 * families - refresh tokens: rotated at each use, stored as digests, dead as a whole when one that
 * was spent is seen again.
 *
 * A refresh token is FAMILY.SECRET: 22 and 43 characters of base64url. Redis holds, under the
 * family, the digest of the one secret that is good now. Whoever brings another secret of a living
 * family has had it before (nobody else knows the family), so one of two holders is a thief and
 * neither can be told from the other: the family dies. Times are Redis'.
 *
 * Source: RFC 9700 section 4.14.2, RFC 6749 section 6.
 */
#ifndef AUTH_FAMILIES_H
#define AUTH_FAMILIES_H

#include "common/redis.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FAMILY_ID_LEN    22u
#define FAMILY_PROOF_LEN 22u
#define FAMILY_TOKEN_LEN (FAMILY_ID_LEN + 1 + FAMILY_PROOF_LEN + 43)

enum family_outcome {
    FAMILY_OK,
    FAMILY_UNKNOWN, /* not there, or expired and forgotten */
    FAMILY_EXPIRED, /* idle or too old */
    FAMILY_DEAD,    /* revoked before */
    FAMILY_REUSED,  /* it died of this */
    FAMILY_AWAY,    /* Redis did not answer */
};

struct family_answer {
    enum family_outcome outcome;
    char id[FAMILY_ID_LEN + 1];
    /* OK and REUSED: */
    const char *user, *client, *grants; /* grants: divided by line breaks */
    uint64_t number;                    /* of the rotation; makes the access token's id */
    uint64_t refresh_left_ms;           /* until it ends if not used */
    char token[FAMILY_TOKEN_LEN + 1];   /* OK: the next refresh token */
};
typedef void (*family_fn)(void *ctx, const struct family_answer *answer);

struct family_lives {
    uint64_t idle_ms, max_ms;
};

/* user, client and grants hold neither NUL nor, but for the divider, line breaks. Errors at once:
 * GH_ERR_UNAVAILABLE, GH_ERR_NOMEM; then fn is not called. */
GH_NODISCARD enum gh_err family_begin(struct gh_redis *redis, const struct family_lives *lives,
                                      const char *user, const char *client, const char *grants,
                                      family_fn fn, void *ctx);
/* Errors also: GH_ERR_BAD_MESSAGE for what is no refresh token. */
GH_NODISCARD enum gh_err family_rotate(struct gh_redis *redis, const struct family_lives *lives,
                                       const char *token, size_t len, family_fn fn, void *ctx);
/* By its id, whatever the secret: the caller knows that the holder may. */
GH_NODISCARD enum gh_err family_revoke(struct gh_redis *redis, const char *id, family_fn fn,
                                       void *ctx);

#endif
