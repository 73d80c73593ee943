/* Which server is the master: asked of the sentinels before each connection, and of the server
 * itself once it is connected, since a sentinel that was cut off may name one that is none any
 * more. */
#include "common/log.h"
#include "common/redis_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool text_is(const redisReply *reply, const char *text)
{
    return reply->type == REDIS_REPLY_STRING && reply->len == strlen(text) &&
           memcmp(reply->str, text, reply->len) == 0;
}

static bool take_address(const redisReply *reply, struct redis_address *ret_address)
{
    struct redis_address address = { .unix_path = NULL };
    const redisReply *host, *port;

    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2) return false;
    host = reply->element[0];
    port = reply->element[1];
    if (host->type != REDIS_REPLY_STRING || port->type != REDIS_REPLY_STRING ||
        memchr(host->str, '\0', host->len) != NULL ||
        redis_address_set(&address, host->str, host->len, port->str) != GH_OK)
        return false;
    *ret_address = address;
    return true;
}

static void on_master(void *ctx, enum gh_err err, const redisReply *reply)
{
    struct gh_redis *redis = ctx;
    struct redis_address master;

    if (redis->closing || !redis->asking || err == GH_ERR_UNAVAILABLE || err == GH_ERR_TIMEOUT)
        return; /* the connection ended, which was said already */
    if (err != GH_OK)
        redis_drop(redis, "a sentinel refused to say who is master");
    else if (reply->type == REDIS_REPLY_NIL)
        redis_drop(redis, "a sentinel knows no master of that name");
    else if (!take_address(reply, &master))
        redis_drop(redis, "a sentinel named no address");
    else
        redis_go_on(redis, &master);
}

enum gh_err redis_ask_sentinel(struct gh_redis *redis)
{
    const char *argv[] = { "SENTINEL", "GET-MASTER-ADDR-BY-NAME", redis->master };

    return redis_send(redis, on_master, redis, 3, argv, NULL);
}

static void on_role(void *ctx, enum gh_err err, const redisReply *reply)
{
    struct gh_redis *redis = ctx;

    if (redis->closing || redis->state != REDIS_GREETING || err == GH_ERR_UNAVAILABLE ||
        err == GH_ERR_TIMEOUT)
        return;
    if (err != GH_OK)
        redis_drop(redis, "it does not say its role; its user needs +role");
    else if (reply->type != REDIS_REPLY_ARRAY || reply->elements == 0 ||
             !text_is(reply->element[0], "master"))
        redis_drop(redis, "it is not the master");
}

enum gh_err redis_check_role(struct gh_redis *redis)
{
    const char *argv[] = { "ROLE" };

    return redis_send(redis, on_role, redis, 1, argv, NULL);
}

void redis_next_sentinel(struct gh_redis *redis)
{
    redis->address = redis->sentinels[redis->next_sentinel++ % redis->sentinel_count];
    redis->asking = true;
}

enum gh_err redis_sentinels_set(struct gh_redis *redis, const struct gh_redis_config *config)
{
    if (config->sentinel_count == 0) return GH_OK;
    if (config->master == NULL || config->master[0] == '\0') return GH_ERR_CONFIG;
    redis->sentinels = calloc(config->sentinel_count, sizeof redis->sentinels[0]);
    redis->master = strdup(config->master);
    if (redis->sentinels == NULL || redis->master == NULL) return GH_ERR_NOMEM;
    for (size_t i = 0; i < config->sentinel_count; i++) {
        const enum gh_err err = redis_parse_host(config->sentinels[i], strlen(config->sentinels[i]),
                                                 &redis->sentinels[i]);

        if (err != GH_OK) return err;
        redis->sentinel_count++;
    }
    return GH_OK;
}
