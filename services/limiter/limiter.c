#include "limiter.h"

#include "common/random.h"

#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DIGEST_BYTES 16

void limiter_redis_key(const void *principal, size_t len, char kind, const char *name,
                       size_t name_len, char dst[LIMITER_REDIS_KEY_BYTES])
{
    unsigned char digest[SHA256_DIGEST_LENGTH];
    char tag[GH_B64URL_LEN(DIGEST_BYTES) + 1];

    SHA256(principal, len, digest);
    gh_b64url_encode(digest, DIGEST_BYTES, tag);
    (void)snprintf(dst, LIMITER_REDIS_KEY_BYTES, "gh:{%s}:%c:%.*s", tag, kind, (int)name_len, name);
}

static void push_order(void *ctx, Gh__BanOrder *order)
{
    struct limiter *limiter = ctx;

    if (limiter->server == NULL) return;
    gh_server_set_orders_version(limiter->server, order->version);
    (void)gh_server_push_all(limiter->server, GH_ROLE_EDGE, GH__ENVELOPE__BODY_BAN_ORDER, order);
}

static uint64_t read_bans(void *ctx)
{
    return bans_count(((struct limiter *)ctx)->bans);
}

static uint64_t read_redis_up(void *ctx)
{
    return gh_redis_up(((struct limiter *)ctx)->redis);
}

static void make_metrics(struct limiter *l, struct gh_metrics *metrics)
{
#define COUNTER(name, labels, help)                                                                \
    gh_metrics_counter(metrics, "gatehouse_limiter_" name, labels, help)
    l->asks = COUNTER("lease_asks_total", NULL, "Leases asked for.");
    l->scripts = COUNTER("lease_scripts_total", NULL, "Scripts run in Redis for leases.");
    l->granted = COUNTER("lease_tokens_total", NULL, "Tokens given out.");
    l->short_asks = COUNTER("lease_short_total", NULL, "Leases given fewer tokens than asked.");
    l->admitted = COUNTER("admissions_total", "code=\"ok\"", "Handshakes judged.");
    l->refused_address = COUNTER(
        "admissions_total", "code=\"rate_limit_exceeded\",tier=\"address\"", "Handshakes judged.");
    l->refused_user = COUNTER("admissions_total", "code=\"rate_limit_exceeded\",tier=\"user\"",
                              "Handshakes judged.");
    l->refused_banned = COUNTER("admissions_total", "code=\"banned\"", "Handshakes judged.");
    l->redis_failed = COUNTER("redis_failures_total", NULL, "Answers not given for want of Redis.");
#undef COUNTER
    gh_metrics_gauge_fn(metrics, "gatehouse_limiter_bans", NULL, "Bans in force.", read_bans, l);
    gh_metrics_gauge_fn(metrics, "gatehouse_limiter_redis_up", NULL, "1 while Redis answers.",
                        read_redis_up, l);
}

enum gh_err limiter_new(uv_loop_t *loop, const struct limiter_config *cfg,
                        const struct gh_redis_config *redis, struct gh_metrics *metrics,
                        struct limiter **ret_limiter)
{
    struct limiter *limiter = calloc(1, sizeof(*limiter));
    enum gh_err err;

    if (limiter == NULL) return GH_ERR_NOMEM;
    limiter->cfg = *cfg;
    err = gh_redis_new(loop, redis, &limiter->redis);
    if (err == GH_OK)
        err = bans_new(
            &(struct bans_config){
                .loop = loop,
                .redis = limiter->redis,
                .poll_ms = cfg->poll_ms,
                .max = cfg->max_bans,
                .ctx = limiter,
                .on_order = push_order,
            },
            &limiter->bans);
    if (err != GH_OK) {
        limiter_free(limiter);
        return err;
    }
    make_metrics(limiter, metrics);
    *ret_limiter = limiter;
    return GH_OK;
}

void limiter_free(struct limiter *limiter)
{
    if (limiter == NULL) return;
    bans_free(limiter->bans);
    gh_redis_free(limiter->redis);
    free(limiter);
}

bool limiter_ready(void *ctx)
{
    const struct limiter *limiter = ctx;

    return gh_redis_up(limiter->redis) && bans_loaded(limiter->bans);
}
