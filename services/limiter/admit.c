/* Shared connection tiers: a handshake costs one token of its address and one of its user. */
#include "limiter.h"

#include "common/clock.h"
#include "common/code.h"
#include "common/log.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum tier { TIER_ADDRESS, TIER_USER, TIER_COUNT };

static const char *const tier_names[] = { "address", "user" };

struct admission;

struct part {
    struct admission *admission;
    enum tier tier;
};

struct admission {
    struct limiter *limiter;
    struct gh_reply *reply;
    unsigned left;
    enum gh_err err;
    struct part parts[TIER_COUNT];
    bool asked[TIER_COUNT];
    bool granted[TIER_COUNT];
    uint64_t retry_ms[TIER_COUNT];
    char keys[TIER_COUNT][LIMITER_REDIS_KEY_BYTES];
    char address[64], user[SUBJECT_MAX_BYTES + 1], request_id[65], route[65];
};

static const struct limiter_rate *rate_of(const struct limiter *limiter, enum tier tier)
{
    return tier == TIER_ADDRESS ? &limiter->cfg.admit.address : &limiter->cfg.admit.user;
}

static void answer(struct gh_reply *reply, uint32_t code, uint64_t retry_after_ms)
{
    Gh__AdmitReply admit = GH__ADMIT_REPLY__INIT;

    admit.code = code;
    admit.retry_after_ms = retry_after_ms;
    gh_reply_send(reply, GH__ENVELOPE__BODY_ADMIT_REPLY, &admit);
}

static void on_given_back(void *ctx, enum gh_err err, const redisReply *reply)
{
    (void)ctx, (void)err, (void)reply; /* lost: one token less, until it refills */
}

static void give_back(struct admission *a, enum tier tier)
{
    char interval[24];
    const char *argv[] = { a->keys[tier], interval, "1" };

    (void)snprintf(interval, sizeof(interval), "%" PRId64,
                   rate_of(a->limiter, tier)->rate.interval);
    if (gh_redis_script(a->limiter->redis, &gcra_return_script, on_given_back, NULL, 1, 3, argv,
                        NULL) != GH_OK)
        return;
}

static void tell_limited(struct admission *a, enum tier tier, uint64_t retry_ms)
{
    gh_log(GH_LOG_INFO, "admission_limited",
           "request_id=%s tier=%s address=%s user=\"%s\" retry_after_ms=%" PRIu64, a->request_id,
           tier_names[tier], a->address, a->user, retry_ms);
    gh_audit_emit(
        a->limiter->audit, GH_SEV_NOTICE, "limit.reached",
        &(struct gh_audit_event){ .request_id = gh_bytes_str(a->request_id),
                                  .user = gh_bytes_str(a->user),
                                  .address = gh_bytes_str(a->address),
                                  .code = gh_code_info(GH_CODE_RATE_LIMITED)->name,
                                  .fields = { { "tier", gh_bytes_str(tier_names[tier]) },
                                              { "route", gh_bytes_str(a->route) },
                                              { "retry_after_ms", .number = retry_ms } } });
}

static void decide(struct admission *a)
{
    struct limiter *limiter = a->limiter;
    uint64_t retry_ms = 0;
    int refused = -1;

    if (--a->left > 0) return;
    for (int tier = 0; tier < TIER_COUNT; tier++) {
        if (a->asked[tier] && !a->granted[tier]) {
            if (refused < 0) refused = tier;
            if (a->retry_ms[tier] > retry_ms) retry_ms = a->retry_ms[tier];
        }
    }
    if (a->err != GH_OK || refused >= 0) {
        for (int tier = 0; tier < TIER_COUNT; tier++) {
            if (a->granted[tier]) give_back(a, (enum tier)tier);
        }
    }
    if (a->err != GH_OK) {
        (*limiter->redis_failed)++;
        answer(a->reply, GH_CODE_UNAVAILABLE, LIMITER_RETRY_MS);
    } else if (refused >= 0) {
        (*(refused == TIER_ADDRESS ? limiter->refused_address : limiter->refused_user))++;
        tell_limited(a, (enum tier)refused, retry_ms);
        answer(a->reply, GH_CODE_RATE_LIMITED, retry_ms);
    } else {
        (*limiter->admitted)++;
        answer(a->reply, GH_CODE_OK, 0);
    }
    free(a);
}

static void on_taken(void *ctx, enum gh_err err, const redisReply *reply)
{
    struct part *part = ctx;
    struct admission *a = part->admission;

    if (err == GH_OK && (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2)) err = GH_ERR_IO;
    if (err != GH_OK) {
        a->err = err;
    } else {
        a->granted[part->tier] = reply->element[0]->integer == 1;
        a->retry_ms[part->tier] = (uint64_t)reply->element[1]->integer;
    }
    decide(a);
}

static void ask(struct admission *a, enum tier tier, const void *principal, size_t len)
{
    const struct limiter_rate *rate = rate_of(a->limiter, tier);
    char interval[24], burst[24];
    const char *argv[] = { a->keys[tier], interval, burst, "1" };

    (void)snprintf(interval, sizeof(interval), "%" PRId64, rate->rate.interval);
    (void)snprintf(burst, sizeof(burst), "%" PRId64, rate->rate.burst);
    limiter_redis_key(principal, len, 'a', tier_names[tier], strlen(tier_names[tier]),
                      a->keys[tier]);
    a->parts[tier] = (struct part){ a, tier };
    a->asked[tier] = true;
    if (a->err == GH_OK)
        a->err = gh_redis_script(a->limiter->redis, &gcra_take_script, on_taken, &a->parts[tier], 1,
                                 4, argv, NULL);
    if (a->err == GH_OK) a->left++;
}

static void refuse_banned(struct limiter *limiter, const Gh__AdmitRequest *msg,
                          struct gh_reply *reply)
{
    (*limiter->refused_banned)++;
    gh_audit_emit(limiter->audit, GH_SEV_NOTICE, "admission.banned",
                  &(struct gh_audit_event){ .request_id = msg->request_id,
                                            .user = msg->user,
                                            .address = msg->address,
                                            .code = gh_code_info(GH_CODE_BANNED)->name,
                                            .fields = { { "route", msg->route } } });
    answer(reply, GH_CODE_BANNED, 0);
}

enum gh_err limiter_on_admit(void *ctx, const struct gh_peer *peer, const void *body,
                             struct gh_reply *reply)
{
    const Gh__AdmitRequest *msg = body;
    struct limiter *limiter = ctx;
    struct subject_address address;
    struct admission *a;
    char network[64];
    unsigned prefix;

    (void)peer;
    if (msg->user.len == 0 || msg->token_id.len > SUBJECT_MAX_BYTES ||
        subject_address_parse(msg->address.data, msg->address.len, &address) != GH_OK)
        return GH_ERR_BAD_MESSAGE;
    a = calloc(1, sizeof(*a));
    if (a == NULL) return GH_ERR_NOMEM;
    if (gh_bytes_copy(msg->address, a->address, sizeof(a->address)) != GH_OK ||
        gh_bytes_copy(msg->user, a->user, sizeof(a->user)) != GH_OK ||
        gh_bytes_copy(msg->request_id, a->request_id, sizeof(a->request_id)) != GH_OK ||
        gh_bytes_copy(msg->route, a->route, sizeof(a->route)) != GH_OK) {
        free(a);
        return GH_ERR_BAD_MESSAGE;
    }
    if (bans_check(limiter->bans, msg->address, msg->user, msg->token_id,
                   (uint64_t)gh_clock_wall_ms())) {
        free(a);
        refuse_banned(limiter, msg, reply);
        return GH_OK;
    }
    a->limiter = limiter;
    a->reply = reply;
    a->left = 1;
    prefix = address.family_bits == 32 ? 32 : limiter->cfg.admit.ipv6_prefix;
    subject_address_text(&address, prefix, network, sizeof(network));
    ask(a, TIER_ADDRESS, network, strlen(network));
    ask(a, TIER_USER, msg->user.data, msg->user.len);
    decide(a);
    return GH_OK;
}
