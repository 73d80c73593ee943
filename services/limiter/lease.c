/* Leases: asks of one principal go to Redis in one script, those of different ones in one write. */
#include "limiter.h"

#include "common/code.h"
#include "common/log.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct ask {
    const struct limiter_rate *rate;
    uint32_t index; /* in the request */
    uint32_t tokens;
    char key[LIMITER_REDIS_KEY_BYTES];
};

struct call { /* one request of an edge */
    struct limiter *limiter;
    struct gh_reply *reply; /* NULL: a return, nobody waits */
    unsigned left;          /* scripts unanswered, and 1 while they are being sent */
    enum gh_err err;
    size_t count;
    Gh__LeaseGrant *grants;
    Gh__LeaseGrant **list;
};

struct group { /* one script */
    struct call *call;
    size_t count;
    uint32_t index[];
};

static int by_key(const void *a, const void *b)
{
    return strcmp(((const struct ask *)a)->key, ((const struct ask *)b)->key);
}

/* "gh:{TAG}": the part of a key that names its slot. */
static size_t slot_len(const char *key)
{
    return (size_t)(strchr(key, '}') - key) + 1;
}

static bool ask_valid(const Gh__LeaseAsk *ask)
{
    return ask->rate_class.len > 0 && ask->rate_class.len <= LIMITER_CLASS_MAX_BYTES &&
           ask->key.len <= LIMITER_KEY_MAX_BYTES && ask->tokens > 0 && ask->tokens <= GCRA_TAKE_MAX;
}

/* Those of a known class, in order of keys. Errors: GH_ERR_BAD_MESSAGE, GH_ERR_NOMEM. */
static enum gh_err collect(const struct limiter *limiter, Gh__LeaseAsk *const *from, size_t n,
                           struct ask **ret_asks, size_t *ret_count)
{
    struct ask *asks;
    size_t count = 0;

    if (n == 0 || n > LIMITER_ASKS_MAX) return GH_ERR_BAD_MESSAGE;
    for (size_t i = 0; i < n; i++) {
        if (!ask_valid(from[i])) return GH_ERR_BAD_MESSAGE;
    }
    asks = calloc(n, sizeof(*asks));
    if (asks == NULL) return GH_ERR_NOMEM;
    for (size_t i = 0; i < n; i++) {
        struct ask *ask = &asks[count];

        ask->rate =
            limiter_config_class(&limiter->cfg, from[i]->rate_class.data, from[i]->rate_class.len);
        if (ask->rate == NULL) continue;
        ask->index = (uint32_t)i;
        ask->tokens = from[i]->tokens;
        limiter_redis_key(from[i]->key.data, from[i]->key.len, 'l', ask->rate->name,
                          strlen(ask->rate->name), ask->key);
        count++;
    }
    qsort(asks, count, sizeof(*asks), by_key);
    *ret_asks = asks;
    *ret_count = count;
    return GH_OK;
}

static void call_done(struct call *call)
{
    Gh__LeaseReply reply = GH__LEASE_REPLY__INIT;

    if (--call->left > 0) return;
    if (call->reply != NULL && call->err == GH_OK) {
        reply.n_grants = call->count;
        reply.grants = call->list;
        gh_reply_send(call->reply, GH__ENVELOPE__BODY_LEASE_REPLY, &reply);
    } else if (call->reply != NULL) {
        /* What other scripts of this request took lapses: less is admitted, never more. */
        gh_reply_fail(call->reply, GH_ERR_UNAVAILABLE);
    }
    if (call->err != GH_OK) (*call->limiter->redis_failed)++;
    free(call->grants);
    free(call->list);
    free(call);
}

static void on_taken(void *ctx, enum gh_err err, const redisReply *reply)
{
    struct group *group = ctx;
    struct call *call = group->call;

    if (err == GH_OK && call->reply != NULL &&
        (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2 * group->count))
        err = GH_ERR_IO;
    if (err != GH_OK) {
        call->err = err;
    } else if (call->reply != NULL) {
        for (size_t i = 0; i < group->count; i++) {
            Gh__LeaseGrant *grant = &call->grants[group->index[i]];
            uint32_t wanted = grant->tokens;

            grant->tokens = (uint32_t)reply->element[2 * i]->integer;
            grant->retry_after_ms = (uint64_t)reply->element[2 * i + 1]->integer;
            *call->limiter->granted += grant->tokens;
            if (grant->tokens < wanted) (*call->limiter->short_asks)++;
        }
    }
    free(group);
    call_done(call);
}

/* asks[0..n) share a slot. */
static enum gh_err send_group(struct call *call, struct gh_script *script, const struct ask *asks,
                              size_t n)
{
    const bool taking = call->reply != NULL;
    const size_t per_key = taking ? 3 : 2;
    const size_t argc = n * (1 + per_key);
    struct group *group = malloc(sizeof(*group) + n * sizeof(group->index[0]));
    char(*numbers)[24] = malloc(n * per_key * sizeof(*numbers));
    const char **argv = malloc(argc * sizeof(*argv));
    enum gh_err err = GH_ERR_NOMEM;

    if (group == NULL || numbers == NULL || argv == NULL) goto out;
    group->call = call;
    group->count = n;
    for (size_t i = 0; i < n; i++) {
        char(*mine)[24] = &numbers[i * per_key];

        group->index[i] = asks[i].index;
        argv[i] = asks[i].key;
        (void)snprintf(mine[0], 24, "%" PRId64, asks[i].rate->rate.interval);
        if (taking) (void)snprintf(mine[1], 24, "%" PRId64, asks[i].rate->rate.burst);
        (void)snprintf(mine[per_key - 1], 24, "%" PRIu32, asks[i].tokens);
        for (size_t k = 0; k < per_key; k++)
            argv[n + i * per_key + k] = mine[k];
    }
    err = gh_redis_script(call->limiter->redis, script, on_taken, group, (int)n, (int)argc, argv,
                          NULL);
    if (err == GH_OK) {
        call->left++;
        (*call->limiter->scripts)++;
        group = NULL; /* on_taken frees it */
    }
out:
    free(group);
    free(numbers);
    free(argv);
    return err;
}

static void send_all(struct call *call, struct gh_script *script, const struct ask *asks,
                     size_t count)
{
    for (size_t i = 0, n; i < count && call->err == GH_OK; i += n) {
        size_t slot = slot_len(asks[i].key);

        for (n = 1; i + n < count && strncmp(asks[i].key, asks[i + n].key, slot) == 0; n++)
            ;
        call->err = send_group(call, script, &asks[i], n);
    }
}

static struct call *make_call(struct limiter *limiter, struct gh_reply *reply, size_t count)
{
    struct call *call = calloc(1, sizeof(*call));

    if (call == NULL) return NULL;
    call->limiter = limiter;
    call->left = 1;
    call->count = count;
    call->reply = reply;
    call->grants = calloc(count, sizeof(*call->grants));
    call->list = calloc(count, sizeof(Gh__LeaseGrant *));
    if (call->grants == NULL || call->list == NULL) {
        free(call->grants);
        free(call->list);
        free(call);
        return NULL;
    }
    for (size_t i = 0; i < count; i++) {
        gh__lease_grant__init(&call->grants[i]);
        call->list[i] = &call->grants[i];
    }
    return call;
}

enum gh_err limiter_on_lease(void *ctx, const struct gh_peer *peer, const void *body,
                             struct gh_reply *reply)
{
    const Gh__LeaseRequest *msg = body;
    struct limiter *limiter = ctx;
    struct ask *asks = NULL;
    struct call *call;
    size_t count = 0;
    enum gh_err err = collect(limiter, msg->asks, msg->n_asks, &asks, &count);

    (void)peer;
    if (err != GH_OK) return err;
    call = make_call(limiter, reply, msg->n_asks);
    if (call == NULL) {
        free(asks);
        return GH_ERR_NOMEM;
    }
    *limiter->asks += msg->n_asks;
    for (size_t i = 0; i < count; i++) {
        Gh__LeaseGrant *grant = &call->grants[asks[i].index];

        grant->known = 1;
        grant->tokens = asks[i].tokens; /* wanted, until Redis has answered */
        grant->lease_ms = limiter->cfg.lease_ms;
    }
    send_all(call, &gcra_take_script, asks, count);
    free(asks);
    call_done(call);
    return GH_OK;
}

enum gh_err limiter_on_return(void *ctx, const struct gh_peer *peer, const void *body,
                              struct gh_reply *reply)
{
    const Gh__LeaseReturn *msg = body;
    struct limiter *limiter = ctx;
    struct ask *asks = NULL;
    struct call *call;
    size_t count = 0;
    enum gh_err err = collect(limiter, msg->unspent, msg->n_unspent, &asks, &count);

    (void)peer;
    if (err != GH_OK) return err;
    call = make_call(limiter, NULL, msg->n_unspent);
    if (call != NULL) {
        send_all(call, &gcra_return_script, asks, count);
        call_done(call);
    }
    free(asks);
    gh_reply_fail(reply, GH_ERR_BAD_MESSAGE); /* a return is one-way: this answers nobody */
    return GH_OK;
}
