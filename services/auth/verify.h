/*
 * verify - is this token good, and who is it?
 *
 * The order is fixed: shape, header, issuer, key, signature, and only then what the claims say, so
 * nothing an unknown hand wrote is used but to choose the key. The clock is the caller's. Pure but
 * for the keys' scratch contexts; one verifier per thread.
 *
 * Source: RFC 7519 section 7.2, RFC 8725 section 3.
 */
#ifndef AUTH_VERIFY_H
#define AUTH_VERIFY_H

#include "issuer.h"
#include "reason.h"

#include <stddef.h>
#include <stdint.h>

#define VERIFY_USER_MAX_BYTES     256u
#define VERIFY_TOKEN_ID_MAX_BYTES 128u
#define VERIFY_ROLE_MAX_BYTES     64u
#define VERIFY_GRANT_MAX_BYTES    128u
#define VERIFY_GRANTS_MAX         64u

struct identity {
    struct keyset *missing; /* a refusal for want of a key: where it may come from; else NULL */
    const struct issuer *issuer;
    const char *kid; /* of the key that verified it; NULL: the key has none */
    size_t user_len;
    char user[VERIFY_USER_MAX_BYTES + 1];
    size_t token_id_len; /* jti, or "sha256." and a digest of what was signed */
    char token_id[VERIFY_TOKEN_ID_MAX_BYTES + 1];
    int64_t expires_ms;
    int64_t issued_ms; /* -1: not said */
    /* The values of the roles claim, each once; those with control characters or longer than can be
     * in a role table are left out. What they are worth is the role table's to say (roles.h). */
    size_t grant_count;
    char grants[VERIFY_GRANTS_MAX][VERIFY_GRANT_MAX_BYTES + 1];
};

struct verifier;

/* issuers are borrowed. */
GH_NODISCARD enum gh_err verifier_new(const struct issuers *issuers, size_t max_token_bytes,
                                      struct verifier **ret_verifier);
void verifier_free(struct verifier *verifier);

/* On AUTH_OK fills *identity; else *identity is undefined but for issuer, which is NULL until the
 * signature was found good (then a reason about claims can name the issuer in the log). */
GH_NODISCARD enum auth_reason verifier_check(struct verifier *verifier, const char *text,
                                             size_t len, int64_t now_ms, struct identity *identity);

/* A name that may stand in a list of roles: 1..64 of [A-Za-z0-9._:-]. */
bool verify_is_role_name(const char *name, size_t len);

/* No control characters: neither C0, DEL, nor C1 (U+0080..U+009F) in UTF-8. */
bool verify_is_text(const char *text, size_t len);

#endif
