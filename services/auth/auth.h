/*
 * auth - what the service holds: issuers with their keys, the verifier, where events go.
 */
#ifndef AUTH_AUTH_H
#define AUTH_AUTH_H

#include "config.h"
#include "issuer.h"
#include "verify.h"

#include "common/clients/audit_client.h"
#include "common/metrics.h"

#include <auth.pb-c.h>

struct auth {
    struct auth_config cfg;
    struct issuers issuers;
    struct verifier *verifier;
    struct gh_audit *audit; /* NULL: nobody is told (offline, tests) */
    uint64_t *verdicts[AUTH_REASON_COUNT];
};

/* Loads the section and every key. Frees itself on failure. Errors: as auth_config_load. */
GH_NODISCARD enum gh_err auth_new(struct gh_config *config, struct gh_metrics *metrics,
                                  struct auth **ret_auth);
void auth_free(struct auth *auth);

/* Judges one credential. On AUTH_OK *identity is filled; else only identity->issuer is defined. */
GH_NODISCARD enum auth_reason auth_judge(struct auth *auth, const Gh__AuthVerify *msg,
                                         int64_t now_ms, struct identity *identity);

#endif
