/*
 * issuer - who may have signed a token, with which keys, and what its tokens must say.
 *
 * The table is built once at load; an issuer's keys may be replaced as a whole later (keyset.h).
 * Keys belong to exactly one issuer: a token is judged with the keys of the issuer it names and no
 * other (RFC 8725 section 3.8). Not thread-safe.
 */
#ifndef AUTH_ISSUER_H
#define AUTH_ISSUER_H

#include "key.h"
#include "reason.h"
#include "token.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ISSUER_MAX_KEYS 64u

struct issuer_texts { /* borrowed; lives as long as the configuration */
    const char *const *items;
    size_t count;
};

struct issuer_rule {
    const char *name;              /* exact `iss` */
    struct issuer_texts audiences; /* at least one must be in `aud` */
    struct issuer_texts types;     /* accepted `typ`, without regard to case (RFC 7515 4.1.9) */
    bool type_required;            /* a token without `typ` is refused */
    struct issuer_texts required;  /* further claims that must be there and not null */
    const char *subject_claim;     /* NULL: sub */
    const char *roles_claim;       /* a member's name, or a JSON pointer when it begins with '/' */
    uint64_t leeway_ms;
    uint64_t max_lifetime_ms; /* exp - iat; 0: any. Makes iat required */
};

struct keyset;

struct issuer {
    struct issuer_rule rule;
    struct key *keys[ISSUER_MAX_KEYS];
    size_t key_count;
    bool keys_loaded;      /* false: a JWKS was never fetched; its tokens cannot be judged yet */
    struct keyset *keyset; /* owned; NULL: the keys are those of the configuration */
};

struct issuers {
    struct issuer *items;
    size_t count;
};

/* Takes the key over. Errors: GH_ERR_EXISTS (it has a key of this kid, or a
 * second one without), GH_ERR_LIMIT. On failure the key stays the caller's. */
GH_NODISCARD enum gh_err issuer_add_key(struct issuer *issuer, struct key *key);
void issuer_clear_keys(struct issuer *issuer);
void issuers_done(struct issuers *issuers);

struct issuer *issuers_find(const struct issuers *issuers, const char *name, size_t len);

/* The one key of this issuer for the token's kid and alg.
 * AUTH_OK, AUTH_KEYS_AWAY, AUTH_KEY_UNKNOWN, AUTH_KEY_AMBIGUOUS or AUTH_ALG_NOT_OF_KEY. */
GH_NODISCARD enum auth_reason issuer_choose_key(const struct issuer *issuer,
                                                const struct token *token, struct key **ret_key);

#endif
