/*
 * redis - one asynchronous connection to Redis, kept alive, with scripts by name.
 *
 * Commands given while it is down fail at once with GH_ERR_UNAVAILABLE (callers state what that
 * means: DESIGN section 10); nothing is queued across a reconnect. Reconnects with capped
 * exponential back-off and jitter. A command unanswered for timeout_ms fails with GH_ERR_TIMEOUT
 * and the connection is dropped. Scripts run by EVALSHA, are loaded at their first use on a
 * connection and again on NOSCRIPT (such a call runs after those issued meanwhile). Commands issued
 * in one turn of the loop leave in one write at its end (pipelining; the process ignores SIGPIPE,
 * as gh_service_new sees to); 65,536 may be unanswered, one more is GH_ERR_BUSY. An idle connection
 * is pinged every 5 s, so gh_redis_up stays true to life.
 *
 * With sentinels, one of them is asked who is master before each connection, in turn, and the
 * server must say so too (ROLE). After a failover the connection is lost, or a write is answered
 * READONLY, which ends it: the next one leads to the new master.
 */
#ifndef GH_REDIS_H
#define GH_REDIS_H

#include "common/err.h"

#include <hiredis/hiredis.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

struct gh_redis;

struct gh_redis_config {
    const char *url;             /* "unix:/path.sock" or "tcp:host:port" */
    const char *user;            /* NULL or "": default user */
    const unsigned char *secret; /* password bytes; NULL: no AUTH */
    size_t secret_len;
    uint64_t timeout_ms;
    const char *const *sentinels; /* "host:port" each; none: url is the server */
    size_t sentinel_count;
    const char *master;                   /* what the sentinels call it */
    const unsigned char *sentinel_secret; /* NULL: no AUTH at the sentinels */
    size_t sentinel_secret_len;
};

struct gh_script {
    const char *name; /* for logs */
    const char *source;
    char sha[41]; /* filled by gh_redis; the struct must outlive it */
};

/* reply is NULL unless err is GH_OK; it is never of type REDIS_REPLY_ERROR: those arrive as
 * GH_ERR_IO, or as GH_ERR_UNAVAILABLE when waiting may help (LOADING, READONLY, OOM ...), logged.
 * Valid during the call only. Called exactly once per command, never from inside the function that
 * issued it; it may issue commands or free the gh_redis. */
typedef void (*gh_redis_fn)(void *ctx, enum gh_err err, const redisReply *reply);

/* Starts connecting; GH_OK does not mean connected. */
GH_NODISCARD enum gh_err gh_redis_new(uv_loop_t *loop, const struct gh_redis_config *config,
                                      struct gh_redis **ret_redis);
/* Pending commands get GH_ERR_UNAVAILABLE before it returns; memory goes when the loop runs next.
 */
void gh_redis_free(struct gh_redis *redis);
bool gh_redis_up(const struct gh_redis *redis);
/* How often the connection came up. Another number: what Redis holds may be older than what it last
 * said (a restart, a failover). */
uint64_t gh_redis_connects(const struct gh_redis *redis);

/* Binary-safe arguments. fn may be NULL. On failure fn is not called. */
GH_NODISCARD enum gh_err gh_redis_command(struct gh_redis *redis, gh_redis_fn fn, void *ctx,
                                          int argc, const char *const *argv,
                                          const size_t *argv_len);
/* keys first, then arguments, as EVALSHA takes them. */
GH_NODISCARD enum gh_err gh_redis_script(struct gh_redis *redis, struct gh_script *script,
                                         gh_redis_fn fn, void *ctx, int key_count, int argc,
                                         const char *const *argv, const size_t *argv_len);

/* The `redis:` section of the file, shared by all who hold Redis. */
struct gh_config;
GH_NODISCARD enum gh_err gh_redis_config_load(struct gh_config *config,
                                              struct gh_redis_config *ret_config);

#endif
