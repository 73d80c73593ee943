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

struct auth_issuer_config {
    const char *name;
    struct gh_config_list audiences;
    const char *algorithm; /* of key_file */
    const char *key_file;
    const char *kid;
    struct gh_config_structs keys; /* struct auth_key_config */
    struct gh_config_list types;
    bool type_required;
    struct gh_config_list required_claims;
    const char *subject_claim;
    const char *roles_claim;
    const char *leeway; /* "": auth.leeway */
    uint64_t max_lifetime_ms;
};

struct auth_config {
    const char *bind;
    struct gh_config_structs issuers; /* struct auth_issuer_config */
    uint64_t leeway_ms;
    uint64_t max_token_bytes;
};

GH_NODISCARD enum gh_err auth_config_load(struct gh_config *config, struct auth_config *ret_cfg);

/* Reads every key. cfg must outlive *ret_issuers (issuers_done). */
GH_NODISCARD enum gh_err auth_config_issuers(struct gh_config *config,
                                             const struct auth_config *cfg,
                                             struct issuers *ret_issuers);

#endif
