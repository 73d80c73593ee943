/*
 * auth - what the service holds, and the judgement of one credential.
 */
#ifndef AUTH_AUTH_H
#define AUTH_AUTH_H

#include "certificate.h"
#include "config.h"
#include "issuer.h"
#include "keyset.h"
#include "own.h"
#include "revocations.h"
#include "roles.h"
#include "verify.h"

#include "common/client.h"
#include "common/clients/audit_client.h"
#include "common/metrics.h"
#include "common/redis.h"
#include "common/server.h"

#include <auth.pb-c.h>
#include <uv.h>

#define AUTH_RETRY_MS 1000 /* told when Redis is away; the edge adds jitter */

/* What comes from the configuration and is replaced as a whole by a reload. Parts point into
 * others: never moved once loaded. */
struct auth_rules {
    struct auth_config cfg;
    struct gh_config *config; /* owned; NULL: the service's own */
    struct issuers issuers;
    struct verifier *verifier;
    struct role_table *roles;
    struct own_issuer *own;            /* NULL: auth.tokens is not set */
    struct certificates *certificates; /* NULL: none are taken */
};

GH_NODISCARD enum gh_err auth_rules_load(struct gh_config *config, struct auth_rules *ret_rules);
void auth_rules_done(struct auth_rules *rules);

struct auth {
    struct auth_rules *rules; /* one of the two */
    struct auth_rules places[2];
    const char *config_path;
    const char *instance;
    uv_loop_t *loop;
    struct fetcher *fetcher; /* NULL: the rules alone */
    struct keyset_counters jwks;
    struct gh_redis *redis;
    struct revocations *revocations;
    struct gh_client *sessions; /* the session service; NULL: nobody to tell (tests) */
    struct gh_server *server;   /* set once bound */
    struct gh_audit *audit;     /* NULL: nobody is told */
    uint64_t *verdicts[AUTH_REASON_COUNT];
    uint64_t *unavailable, *tickets_made, *tokens_made, *refreshed, *reused;
};

/* Loads the rules. config and instance must outlive it. redis NULL: the rules alone, for a check.
 */
GH_NODISCARD enum gh_err auth_new(uv_loop_t *loop, struct gh_config *config, const char *instance,
                                  const struct gh_redis_config *redis, struct gh_metrics *metrics,
                                  struct auth **ret_auth);
void auth_free(struct auth *auth); /* closes handles: run the loop once more */

bool auth_ready(void *auth); /* for the ready check: the revocations were read */

/* Loads the file again; a bad one is reported and changes nothing. Tells edges of a new role table.
 */
void auth_reload(void *auth);

/* Judges a JWT, as bearer or in a token_refresh message, revocations included. On AUTH_OK *identity
 * is filled; else only identity->issuer and identity->missing are defined. */
GH_NODISCARD enum auth_reason auth_judge(struct auth *auth, const Gh__AuthVerify *msg,
                                         int64_t now_ms, struct identity *identity);
/* The token of an Authorization header ("Bearer ..."). */
GH_NODISCARD enum auth_reason auth_judge_bearer(struct auth *auth, ProtobufCBinaryData header,
                                                int64_t now_ms, struct identity *identity);

struct auth_roles { /* borrows from the identity and the role table */
    struct role_set set;
    ProtobufCBinaryData roles[ROLES_MAX];
    ProtobufCBinaryData grants[VERIFY_GRANTS_MAX];
};
/* Fills a yes. Errors: GH_ERR_LIMIT when the roles are too many. */
GH_NODISCARD enum gh_err auth_verdict_fill(const struct auth *auth, const struct identity *identity,
                                           struct auth_roles *roles, Gh__AuthVerdict *verdict);

/* Ends sessions through the session service. Exactly one of user and session_id is not empty.
 * Errors as gh_client_call; fn gets a Gh__SessionEnded. */
GH_NODISCARD enum gh_err auth_end_sessions(struct auth *auth, ProtobufCBinaryData user,
                                           ProtobufCBinaryData session_id,
                                           ProtobufCBinaryData reason, ProtobufCBinaryData by,
                                           gh_answer_fn fn, void *ctx);

#endif
