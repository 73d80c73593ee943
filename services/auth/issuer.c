#include "issuer.h"

#include "keyset.h"

#include <stdlib.h>
#include <string.h>

static bool same_kid(const char *a, const char *b)
{
    if (a == NULL || b == NULL) return a == b;
    return strcmp(a, b) == 0;
}

enum gh_err issuer_add_key(struct issuer *issuer, struct key *key)
{
    if (issuer->key_count == ISSUER_MAX_KEYS) return GH_ERR_LIMIT;
    for (size_t i = 0; i < issuer->key_count; i++) {
        /* One kid names one key; were it two of different algorithms, the token's header would
         * choose between them. */
        if (same_kid(key_kid(issuer->keys[i]), key_kid(key))) return GH_ERR_EXISTS;
    }
    issuer->keys[issuer->key_count++] = key;
    issuer->keys_loaded = true;
    return GH_OK;
}

void issuer_clear_keys(struct issuer *issuer)
{
    for (size_t i = 0; i < issuer->key_count; i++)
        key_free(issuer->keys[i]);
    issuer->key_count = 0;
}

void issuers_done(struct issuers *issuers)
{
    for (size_t i = 0; i < issuers->count; i++) {
        keyset_free(issuers->items[i].keyset);
        issuer_clear_keys(&issuers->items[i]);
    }
    free(issuers->items);
    issuers->items = NULL;
    issuers->count = 0;
}

struct issuer *issuers_find(const struct issuers *issuers, const char *name, size_t len)
{
    for (size_t i = 0; i < issuers->count; i++) {
        const char *known = issuers->items[i].rule.name;

        if (strlen(known) == len && memcmp(known, name, len) == 0) return &issuers->items[i];
    }
    return NULL;
}

enum auth_reason issuer_choose_key(const struct issuer *issuer, const struct token *token,
                                   struct key **ret_key)
{
    struct key *found = NULL;

    if (!issuer->keys_loaded) return AUTH_KEYS_AWAY;
    if (token->kid_len > 0) {
        for (size_t i = 0; i < issuer->key_count; i++) {
            const char *kid = key_kid(issuer->keys[i]);

            if (kid != NULL && strlen(kid) == token->kid_len &&
                memcmp(kid, token->kid, token->kid_len) == 0)
                found = issuer->keys[i];
        }
        /* An issuer whose only key was configured without a kid: the token's says nothing. */
        if (found == NULL && issuer->key_count == 1 && key_kid(issuer->keys[0]) == NULL)
            found = issuer->keys[0];
    } else {
        /* Without a kid only an issuer with a single key leaves no choice. */
        if (issuer->key_count > 1) return AUTH_KEY_AMBIGUOUS;
        found = issuer->key_count == 1 ? issuer->keys[0] : NULL;
    }
    if (found == NULL) return AUTH_KEY_UNKNOWN;
    if (key_alg(found) != token->alg) return AUTH_ALG_NOT_OF_KEY;
    *ret_key = found;
    return AUTH_OK;
}
