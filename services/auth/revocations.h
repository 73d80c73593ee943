/*
 * revocations - what has been taken back before it expired, on a roster shared by all auth
 * processes.
 *
 * A look-up is a few binary searches in memory. The list is followed through Redis (common/roster);
 * while it was never read, nothing can be judged: revocations_loaded is part of readiness, and a
 * verdict before that is `unavailable`.
 */
#ifndef AUTH_REVOCATIONS_H
#define AUTH_REVOCATIONS_H

#include "reason.h"
#include "verify.h"

#include "common/redis.h"
#include "common/roster.h"

#include <auth.pb-c.h>
#include <stdbool.h>
#include <stdint.h>

#define REVOCATION_SUBJECT_MAX 256u
#define REVOCATION_ISSUER_MAX  200u
#define REVOCATION_REASON_MAX  256u
#define REVOCATIONS_PAGE       500u

struct revocations;

struct revocations_config {
    uv_loop_t *loop;
    struct gh_redis *redis;
    uint64_t poll_ms;
    size_t max;
    uint64_t age_ms; /* how long tokens can live: entries of tokens and users lapse after it */
    void *ctx;
    void (*on_order)(void *ctx, Gh__AuthOrder *order); /* as in limiter/bans.h */
};

GH_NODISCARD enum gh_err revocations_new(const struct revocations_config *config,
                                         struct revocations **ret_revocations);
void revocations_free(struct revocations *revocations);

bool revocations_loaded(const struct revocations *revocations);
uint64_t revocations_version(const struct revocations *revocations);
size_t revocations_count(const struct revocations *revocations);

/* AUTH_OK, or AUTH_REVOKED_*. */
GH_NODISCARD enum auth_reason revocations_check(const struct revocations *revocations,
                                                const struct identity *identity, uint64_t now_ms);

/* Errors at once: GH_ERR_BAD_MESSAGE (kind, sizes, a key without its issuer), GH_ERR_UNAVAILABLE,
 * GH_ERR_NOMEM. */
GH_NODISCARD enum gh_err revocations_add(struct revocations *revocations,
                                         const Gh__Revocation *revocation, uint64_t now_ms,
                                         gh_roster_done_fn fn, void *ctx);
GH_NODISCARD enum gh_err revocations_lift(struct revocations *revocations,
                                          const Gh__Revocation *revocation, gh_roster_done_fn fn,
                                          void *ctx);

struct revocations_page {
    Gh__AuthRevocationsReply reply;
    Gh__Revocation *items[REVOCATIONS_PAGE];
    char cursor[GH_ROSTER_KEY_MAX_BYTES];
};
GH_NODISCARD enum gh_err revocations_list(const struct revocations *revocations,
                                          ProtobufCBinaryData cursor, uint64_t now_ms,
                                          struct revocations_page *ret_page);
void revocations_page_free(struct revocations_page *page);

#endif
