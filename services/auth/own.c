#include "own.h"

#include <jansson.h>
#include <jwt.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdlib.h>
#include <string.h>

#define CLIENT_SECRET_MIN 16

struct own_issuer {
    const struct auth_tokens_config *cfg;
    enum token_alg alg;
    unsigned char key[KEY_PEM_MAX_BYTES + 1];
    size_t key_len;
    const char *audiences[1];
    const char *types[1];
};

static jwt_alg_t jwt_alg_of(enum token_alg alg)
{
    switch (alg) {
    case TOKEN_HS256: return JWT_ALG_HS256;
    case TOKEN_RS256: return JWT_ALG_RS256;
    default: return JWT_ALG_ES256;
    }
}

/* The key that verifies what this one signs. */
static enum gh_err public_half(const struct own_issuer *own, struct key **ret_key,
                               const char **ret_why)
{
    EVP_PKEY *pkey;
    BIO *bio;
    enum gh_err err;

    if (own->alg == TOKEN_HS256)
        return key_from_secret(own->key, own->key_len, own->cfg->kid, ret_key, ret_why);
    bio = BIO_new_mem_buf(own->key, (int)own->key_len);
    if (bio == NULL) return GH_ERR_NOMEM;
    pkey = PEM_read_bio_PrivateKey(bio, NULL, NULL, (void *)"");
    BIO_free(bio);
    if (pkey == NULL) {
        ERR_clear_error();
        *ret_why = "not a PEM private key without a pass phrase";
        return GH_ERR_CRYPTO;
    }
    err = key_from_pkey(pkey, own->alg, own->cfg->kid, ret_key, ret_why);
    EVP_PKEY_free(pkey);
    return err;
}

enum gh_err own_new(struct gh_config *config, const struct auth_tokens_config *cfg,
                    struct own_issuer **ret_own)
{
    struct own_issuer *own;
    struct key *key = NULL;
    const char *why = "out of memory";
    enum gh_err err;

    *ret_own = NULL;
    if (cfg->issuer[0] == '\0') return GH_OK;
    own = calloc(1, sizeof(*own));
    if (own == NULL) return GH_ERR_NOMEM;
    own->cfg = cfg;
    if (token_alg_parse(cfg->algorithm, strlen(cfg->algorithm), &own->alg) != GH_OK) {
        own_free(own);
        return gh_config_fail(config, "auth", "tokens.algorithm",
                              "\"%s\" is not HS256, RS256 or ES256", cfg->algorithm);
    }
    for (size_t i = 0; i < cfg->clients.count; i++) {
        const struct auth_client_config *client =
            &((const struct auth_client_config *)cfg->clients.items)[i];

        if (client->secret.len < CLIENT_SECRET_MIN) {
            own_free(own);
            return gh_config_fail(config, "auth", "tokens.clients",
                                  "the secret of \"%s\" is shorter than %d bytes; use random "
                                  "bytes (openssl rand -base64 32)",
                                  client->name, CLIENT_SECRET_MIN);
        }
    }
    err = auth_config_read_key(cfg->key_file, true, own->key, &own->key_len, &why);
    if (err == GH_OK) err = public_half(own, &key, &why);
    key_free(key);
    if (err != GH_OK) {
        own_free(own);
        return gh_config_fail(config, "auth", "tokens.key_file", "\"%s\": %s", cfg->key_file, why);
    }
    own->key[own->key_len] = '\0';
    own->audiences[0] = cfg->audience;
    own->types[0] = "JWT"; /* all that libjwt writes */
    *ret_own = own;
    return GH_OK;
}

void own_free(struct own_issuer *own)
{
    if (own == NULL) return;
    OPENSSL_cleanse(own->key, sizeof(own->key));
    free(own);
}

enum gh_err own_trust(struct own_issuer *own, uint64_t leeway_ms, struct issuers *issuers)
{
    struct issuer *issuer = &issuers->items[issuers->count];
    struct key *key = NULL;
    const char *why;
    enum gh_err err;

    if (issuers_find(issuers, own->cfg->issuer, strlen(own->cfg->issuer)) != NULL)
        return GH_ERR_EXISTS;
    err = public_half(own, &key, &why);
    if (err == GH_OK) err = issuer_add_key(issuer, key);
    if (err != GH_OK) {
        key_free(key);
        return err;
    }
    issuer->rule = (struct issuer_rule){
        .name = own->cfg->issuer,
        .audiences = { own->audiences, 1 },
        .types = { own->types, 1 },
        .type_required = true,
        .roles_claim = "roles",
        .leeway_ms = leeway_ms,
    };
    issuers->count++;
    return GH_OK;
}

/* ---- signing ---- */

static int add_lists(jwt_t *jwt, const struct own_issuer *own, const struct own_claims *claims)
{
    json_t *lists = json_object(), *roles = json_array();
    char *text;
    int failed = 1;

    for (size_t i = 0; roles != NULL && i < claims->grant_count; i++)
        (void)json_array_append_new(roles, json_string(claims->grants[i]));
    if (lists != NULL && json_object_set_new(lists, "roles", roles) == 0 &&
        json_object_set_new(lists, "aud", json_pack("[s]", own->cfg->audience)) == 0) {
        text = json_dumps(lists, JSON_COMPACT);
        failed = text == NULL ? 1 : jwt_add_grants_json(jwt, text);
        free(text);
    }
    json_decref(lists);
    return failed;
}

static int add_claims(jwt_t *jwt, const struct own_issuer *own, const struct own_claims *claims,
                      int64_t now_ms)
{
    const struct auth_tokens_config *cfg = own->cfg;
    int failed = jwt_add_header(jwt, "kid", cfg->kid);

    failed |= jwt_add_grant(jwt, "iss", cfg->issuer);
    failed |= jwt_add_grant(jwt, "sub", claims->user);
    failed |= jwt_add_grant(jwt, "jti", claims->token_id);
    failed |= jwt_add_grant(jwt, "client_id", claims->client);
    failed |= jwt_add_grant_int(jwt, "iat", (long)(now_ms / 1000));
    failed |= jwt_add_grant_int(jwt, "exp", (long)((now_ms + (int64_t)cfg->access_ttl_ms) / 1000));
    return failed | add_lists(jwt, own, claims);
}

enum gh_err own_sign(struct own_issuer *own, const struct own_claims *claims, int64_t now_ms,
                     char **ret_token)
{
    jwt_t *jwt = NULL;
    char *token = NULL;

    if (jwt_new(&jwt) != 0) return GH_ERR_NOMEM;
    if (add_claims(jwt, own, claims, now_ms) == 0 &&
        jwt_set_alg(jwt, jwt_alg_of(own->alg), own->key, (int)own->key_len) == 0)
        token = jwt_encode_str(jwt);
    jwt_free(jwt);
    ERR_clear_error();
    if (token == NULL) return GH_ERR_CRYPTO;
    if (strlen(token) > OWN_TOKEN_MAX) {
        free(token);
        return GH_ERR_LIMIT;
    }
    *ret_token = token;
    return GH_OK;
}

const struct auth_tokens_config *own_config(const struct own_issuer *own)
{
    return own->cfg;
}

const struct auth_client_config *own_client(const struct own_issuer *own, const char *name,
                                            size_t len)
{
    const struct auth_client_config *clients = own->cfg->clients.items;

    for (size_t i = 0; i < own->cfg->clients.count; i++) {
        if (strlen(clients[i].name) == len && memcmp(clients[i].name, name, len) == 0)
            return &clients[i];
    }
    return NULL;
}
