/*
 * own - the issuer of our own access tokens: short-lived, signed with a key that only auth has.
 *
 * Signing goes through libjwt. Verification of what it signs goes the way of all tokens: own_trust
 * adds the public half as one more issuer.
 */
#ifndef AUTH_OWN_H
#define AUTH_OWN_H

#include "config.h"
#include "issuer.h"

#define OWN_TOKEN_MAX 8192u

struct own_issuer;

/* *ret_own is NULL when cfg->issuer is empty. Reports what is wrong with the key, as for any
 * issuer. */
GH_NODISCARD enum gh_err own_new(struct gh_config *config, const struct auth_tokens_config *cfg,
                                 struct own_issuer **ret_own);
void own_free(struct own_issuer *own); /* the key is wiped */

/* Adds our issuer to the table, which has room for it. Errors: GH_ERR_EXISTS: an issuer of that
 * name is there. */
GH_NODISCARD enum gh_err own_trust(struct own_issuer *own, uint64_t leeway_ms,
                                   struct issuers *issuers);

struct own_claims {
    const char *user;
    const char *client;
    const char *token_id;
    const char *const *grants;
    size_t grant_count;
};
/* *ret_token is malloc'd and NUL-ended. Errors: GH_ERR_CRYPTO, GH_ERR_NOMEM. */
GH_NODISCARD enum gh_err own_sign(struct own_issuer *own, const struct own_claims *claims,
                                  int64_t now_ms, char **ret_token);

const struct auth_tokens_config *own_config(const struct own_issuer *own);
/* NULL: no such client. */
const struct auth_client_config *own_client(const struct own_issuer *own, const char *name,
                                            size_t len);

#endif
