/*
 * limiter - leases, admission and bans, answered from Redis.
 *
 * Redis keys: gh:{T}:l:CLASS for leases and gh:{T}:a:TIER for admission, where T is a digest of
 * what is limited, so all buckets of one principal are in one slot of a cluster and no byte of a
 * client's choosing stands in a key.
 */
#ifndef LIMITER_LIMITER_H
#define LIMITER_LIMITER_H

#include "bans.h"
#include "config.h"

#include "common/clients/audit_client.h"
#include "common/metrics.h"
#include "common/redis.h"
#include "common/server.h"

#include <uv.h>

#define LIMITER_KEY_MAX_BYTES 256u
#define LIMITER_ASKS_MAX      256u
#define LIMITER_RETRY_MS      1000 /* told when Redis is away */

struct limiter {
    struct limiter_config cfg;
    struct gh_redis *redis;
    struct bans *bans;
    struct gh_server *server; /* set once bound */
    struct gh_audit *audit;   /* NULL: nobody is told */
    uint64_t *asks;
    uint64_t *scripts; /* calls of Redis for leases */
    uint64_t *granted;
    uint64_t *short_asks; /* asked for more than was there */
    uint64_t *admitted;
    uint64_t *refused_address;
    uint64_t *refused_user;
    uint64_t *refused_banned;
    uint64_t *redis_failed;
};

GH_NODISCARD enum gh_err limiter_new(uv_loop_t *loop, const struct limiter_config *cfg,
                                     const struct gh_redis_config *redis,
                                     struct gh_metrics *metrics, struct limiter **ret_limiter);
void limiter_free(struct limiter *limiter); /* closes handles: run the loop once more */

bool limiter_ready(void *limiter); /* for the ready check: Redis is up and the bans were read */

/* "gh:{DIGEST}:KIND:NAME" into dst. */
#define LIMITER_REDIS_KEY_BYTES 128
void limiter_redis_key(const void *principal, size_t len, char kind, const char *name,
                       size_t name_len, char dst[LIMITER_REDIS_KEY_BYTES]);

/* lease.c, admit.c; contracts as gh_handler_fn. */
enum gh_err limiter_on_lease(void *ctx, const struct gh_peer *peer, const void *body,
                             struct gh_reply *reply);
enum gh_err limiter_on_return(void *ctx, const struct gh_peer *peer, const void *body,
                              struct gh_reply *reply);
enum gh_err limiter_on_admit(void *ctx, const struct gh_peer *peer, const void *body,
                             struct gh_reply *reply);

#endif
