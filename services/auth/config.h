/*
 * config - the `auth:` section, and the issuers with their keys made from it.
 *
 * What is wrong is reported with file and line (common/config.h): a weak key, a key of the wrong
 * kind, an issuer named twice. Nothing is started then.
 */
#ifndef AUTH_CONFIG_H
#define AUTH_CONFIG_H

#include "issuer.h"

#include "common/config.h"

struct auth_key_config {
    const char *kid;
    const char *algorithm;
    const char *file;
};

struct auth_jwks_config { /* as struct keyset_config */
    const char *url;
    const char *file;
    const char *ca_file;
    struct gh_config_list algorithms;
    uint64_t timeout_ms, min_age_ms, max_age_ms, unknown_kid_ms, keep_ms;
    uint64_t max_bytes;
};

struct auth_issuer_config {
    const char *name;
    struct gh_config_list audiences;
    const char *algorithm; /* of key_file */
    const char *key_file;
    const char *kid;
    struct gh_config_structs keys; /* struct auth_key_config */
    struct auth_jwks_config jwks;
    struct gh_config_list types;
    bool type_required;
    struct gh_config_list required_claims;
    const char *subject_claim;
    const char *roles_claim;
    const char *leeway; /* "": auth.leeway */
    uint64_t max_lifetime_ms;
};

struct auth_client_config { /* who may ask for tokens */
    const char *name;
    struct gh_config_secret secret;
    struct gh_config_list roles; /* it may give; empty: any */
};

struct auth_tokens_config { /* our own issuer */
    const char *issuer;     /* "": there is none */
    const char *algorithm;
    const char *key_file; /* private PEM, or for HS256 the secret */
    const char *kid;
    const char *audience;
    uint64_t access_ttl_ms;
    uint64_t refresh_idle_ms;
    uint64_t refresh_max_ms;
    struct gh_config_structs clients; /* struct auth_client_config */
};

struct auth_certificates_config { /* client certificates as a credential */
    const char *ca_file;          /* "": not taken */
    const char *name;             /* stands for the issuer */
    uint32_t user;                /* enum certificate_user */
    const char *user_prefix;
    struct gh_config_list roles;
    uint32_t roles_from; /* enum certificate_roles */
};

struct auth_config {
    const char *bind;
    struct gh_config_structs issuers; /* struct auth_issuer_config */
    struct gh_config_structs roles;   /* struct role_config */
    struct auth_tokens_config tokens;
    struct auth_certificates_config certificates;
    uint64_t leeway_ms;
    uint64_t max_token_bytes;
    uint64_t revocation_age_ms;
    uint32_t max_revocations;
    uint64_t poll_ms;
    uint64_t ticket_ttl_ms;
};

GH_NODISCARD enum gh_err auth_config_load(struct gh_config *config, struct auth_config *ret_cfg);

/* Reads every key. cfg must outlive *ret_issuers (issuers_done). Has room for one issuer more: our
 * own. */
GH_NODISCARD enum gh_err auth_config_issuers(struct gh_config *config,
                                             const struct auth_config *cfg,
                                             struct issuers *ret_issuers);

/* Reads a key file of at most KEY_PEM_MAX_BYTES into dst of one byte more, without one final
 * newline. A secret must be the service's alone. *ret_why: static text. Errors: GH_ERR_IO. */
GH_NODISCARD enum gh_err auth_config_read_key(const char *path, bool secret, unsigned char *dst,
                                              size_t *ret_len, const char **ret_why);

#endif
