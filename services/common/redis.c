#include "common/redis_internal.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/random.h"
#include "common/redis_poll.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RETRY_MIN_MS      50
#define RETRY_MAX_MS      2000
#define COMPLAIN_EVERY_MS 30000
#define PING_IDLE_MS      5000
#define TIMEOUT_MS        1000

static void begin(struct gh_redis *redis);
static void on_timer(uv_timer_t *timer);

/* The life of the struct: it outlives its timer and a getaddrinfo that cannot be stopped. */

static void release(struct gh_redis *redis)
{
    if (!redis->timer_closed || redis->resolving) return;
    if (redis->secret != NULL) explicit_bzero(redis->secret, redis->secret_len);
    if (redis->sentinel_secret != NULL)
        explicit_bzero(redis->sentinel_secret, redis->sentinel_secret_len);
    free(redis->secret);
    free(redis->sentinel_secret);
    free(redis->sentinels);
    free(redis->master);
    free(redis->unix_path);
    free(redis->user);
    free(redis->loaded);
    free(redis);
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct gh_redis *redis = handle->data;

    redis->timer_closed = true;
    release(redis);
}

void redis_timer_at(struct gh_redis *redis, int64_t due_ms)
{
    const int64_t now_ms = gh_clock_mono_ms();

    if (redis->closing ||
        (uv_is_active((uv_handle_t *)&redis->timer) && redis->timer_due_ms <= due_ms))
        return;
    redis->timer_due_ms = due_ms;
    uv_update_time(redis->loop);
    uv_timer_start(&redis->timer, on_timer, due_ms > now_ms ? (uint64_t)(due_ms - now_ms) : 0, 0);
}

static void timer_set(struct gh_redis *redis, int64_t due_ms)
{
    uv_timer_stop(&redis->timer);
    redis_timer_at(redis, due_ms);
}

/* Down: the doubling wait is jittered over its upper half, so that the services of a host do not
 * come back in step. */
static void wait_to_retry(struct gh_redis *redis)
{
    const unsigned doublings = redis->attempts < 10 ? (unsigned)redis->attempts : 10;
    uint64_t wait_ms = (uint64_t)RETRY_MIN_MS << doublings;

    if (wait_ms > RETRY_MAX_MS) wait_ms = RETRY_MAX_MS;
    wait_ms = wait_ms / 2 + gh_random_u64() % (wait_ms / 2 + 1);
    redis->state = REDIS_WAITING;
    redis->attempts++;
    if (!redis->closing) timer_set(redis, gh_clock_mono_ms() + (int64_t)wait_ms);
}

static void complain(struct gh_redis *redis, const char *why)
{
    const int64_t now_ms = gh_clock_mono_ms();

    if (redis->closing) return;
    if (redis->state != REDIS_UP && redis->complained_ms != 0 &&
        now_ms - redis->complained_ms < COMPLAIN_EVERY_MS)
        return;
    redis->complained_ms = now_ms;
    gh_log(GH_LOG_WARN, "redis_down", "reason=\"%s\" was_up=%s", why,
           redis->state == REDIS_UP ? "yes" : "no");
}

void redis_drop(struct gh_redis *redis, const char *why)
{
    redisAsyncContext *context = redis->context;
    struct redis_pending *pending = redis->first;
    const int64_t now_ms = gh_clock_mono_ms();

    complain(redis, why);
    redis->first = NULL;
    redis->tail = &redis->first;
    redis->pending_count = 0;
    redis->context = NULL;
    redis_forget_scripts(redis);
    wait_to_retry(redis);
    if (context != NULL) {
        context->data = NULL;    /* what hiredis still calls for it is not for us */
        redisAsyncFree(context); /* inside one of its callbacks: once that returns */
    }
    while (pending != NULL) {
        struct redis_pending *next = pending->next;
        const enum gh_err err =
            pending->deadline_ms <= now_ms ? GH_ERR_TIMEOUT : GH_ERR_UNAVAILABLE;

        if (pending->fn != NULL) pending->fn(pending->ctx, err, NULL);
        redis_pending_free(pending);
        pending = next;
    }
}

/* Greeting. */

static void on_auth(void *ctx, enum gh_err err, const redisReply *reply)
{
    struct gh_redis *redis = ctx;

    (void)reply;
    if (err == GH_ERR_IO) redis_drop(redis, "it refused our user or password");
}

static void on_first_pong(void *ctx, enum gh_err err, const redisReply *reply)
{
    struct gh_redis *redis = ctx;

    (void)reply;
    if (redis->closing || redis->state != REDIS_GREETING) return;
    if (err != GH_OK) {
        redis_drop(redis, "it is not ready to serve");
        return;
    }
    redis->state = REDIS_UP;
    redis->connects++;
    gh_log(GH_LOG_INFO, "redis_up", "at=%s%s%s attempts=%llu",
           redis->address.unix_path != NULL ? redis->address.unix_path : redis->address.host,
           redis->address.unix_path != NULL ? "" : ":",
           redis->address.unix_path != NULL ? "" : redis->address.port,
           (unsigned long long)redis->attempts);
    redis->attempts = 0;
    redis->complained_ms = 0;
}

static enum gh_err greet(struct gh_redis *redis)
{
    const char *password = (const char *)(redis->asking ? redis->sentinel_secret : redis->secret);
    const size_t password_len = redis->asking ? redis->sentinel_secret_len : redis->secret_len;
    const char *user = redis->asking ? NULL : redis->user;
    const char *named[] = { "AUTH", user, password };
    const size_t named_len[] = { 4, user != NULL ? strlen(user) : 0, password_len };
    const char *plain[] = { "AUTH", password };
    const size_t plain_len[] = { 4, password_len };
    const char *ping[] = { "PING" };
    const size_t ping_len[] = { 4 };
    enum gh_err err = GH_OK;

    redis->state = REDIS_GREETING;
    if (password != NULL && user != NULL)
        err = redis_send(redis, on_auth, redis, 3, named, named_len);
    else if (password != NULL)
        err = redis_send(redis, on_auth, redis, 2, plain, plain_len);
    if (err == GH_OK && redis->asking) return redis_ask_sentinel(redis);
    if (err == GH_OK && redis->sentinel_count > 0) err = redis_check_role(redis);
    if (err == GH_OK) err = redis_send(redis, on_first_pong, redis, 1, ping, ping_len);
    return err;
}

/* Connecting. */

static const char *reason(const redisAsyncContext *context, const char *otherwise)
{
    return context->c.errstr[0] != '\0' ? context->c.errstr : otherwise;
}

static void on_connect(const redisAsyncContext *context, int status)
{
    struct gh_redis *redis = context->data;

    if (redis == NULL) return;
    if (status != REDIS_OK) {
        redis->context = NULL; /* hiredis frees it when this returns */
        redis_drop(redis, reason(context, "refused"));
    } else if (greet(redis) != GH_OK) {
        redis_timer_at(redis, 0); /* not from in here: hiredis goes on using the context */
    }
}

static void on_disconnect(const redisAsyncContext *context, int status)
{
    struct gh_redis *redis = context->data;

    (void)status;
    if (redis == NULL) return;
    redis->context = NULL;
    redis_drop(redis, reason(context, "connection closed"));
}

static void connect_to(struct gh_redis *redis, const char *address)
{
    redisAsyncContext *context = redis->address.unix_path != NULL
                                     ? redisAsyncConnectUnix(redis->address.unix_path)
                                     : redisAsyncConnect(address, redis->address.port_number);

    if (context == NULL || context->err != 0 || redis_poll_attach(redis->loop, context) != GH_OK) {
        redis_drop(redis, context != NULL && context->err != 0 ? context->errstr : "out of memory");
        if (context != NULL) redisAsyncFree(context);
        return;
    }
    redis->state = REDIS_CONNECTING;
    redis->context = context;
    context->data = redis;
    timer_set(redis, gh_clock_mono_ms() + redis->timeout_ms);
    redisAsyncSetDisconnectCallback(context, on_disconnect);
    redisAsyncSetConnectCallback(context, on_connect); /* starts to wait for the socket */
    if (redis->address.unix_path == NULL) (void)redisEnableKeepAlive(&context->c);
}

static void on_resolved(uv_getaddrinfo_t *request, int status, struct addrinfo *list)
{
    struct gh_redis *redis = request->data;
    char address[64] = "";

    redis->resolving = false;
    if (redis->closing) {
        uv_freeaddrinfo(list);
        release(redis);
        return;
    }
    if (status == 0 && list != NULL) {
        struct addrinfo *entry = list;

        /* a name with several addresses: the next one at each attempt */
        for (uint64_t skip = redis->attempts; skip > 0; skip--)
            entry = entry->ai_next != NULL ? entry->ai_next : list;
        if (entry->ai_family == AF_INET6)
            uv_ip6_name((const struct sockaddr_in6 *)(const void *)entry->ai_addr, address,
                        sizeof address);
        else
            uv_ip4_name((const struct sockaddr_in *)(const void *)entry->ai_addr, address,
                        sizeof address);
    }
    uv_freeaddrinfo(list);
    if (address[0] != '\0')
        connect_to(redis, address);
    else
        redis_drop(redis, status != 0 ? uv_strerror(status) : "its name has no address");
}

static void go_to(struct gh_redis *redis)
{
    const struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM };
    struct in6_addr binary;

    if (redis->address.unix_path != NULL ||
        uv_inet_pton(AF_INET, redis->address.host, &binary) == 0 ||
        uv_inet_pton(AF_INET6, redis->address.host, &binary) == 0) {
        connect_to(redis, redis->address.host);
        return;
    }
    redis->state = REDIS_RESOLVING;
    redis->resolve.data = redis;
    const int started = uv_getaddrinfo(redis->loop, &redis->resolve, on_resolved,
                                       redis->address.host, redis->address.port, &hints);
    if (started == 0)
        redis->resolving = true;
    else
        redis_drop(redis, uv_strerror(started));
}

static void begin(struct gh_redis *redis)
{
    if (redis->sentinel_count > 0) redis_next_sentinel(redis);
    go_to(redis);
}

void redis_go_on(struct gh_redis *redis, const struct redis_address *address)
{
    redisAsyncContext *context = redis->context;

    redis->asking = false;
    redis->address = *address;
    redis->context = NULL;
    context->data = NULL;
    redisAsyncFree(context); /* we are in one of its callbacks: once that returns */
    go_to(redis);
}

static void on_timer_up(struct gh_redis *redis)
{
    const char *ping[] = { "PING" };
    const size_t ping_len[] = { 4 };

    /* When this process itself was held up, the answers wait in the socket: read before judging. */
    if (redis->first != NULL && redis->first->deadline_ms <= gh_clock_mono_ms())
        redisAsyncHandleRead(redis->context);
    if (redis->closing || redis->state != REDIS_UP) return;

    const int64_t now_ms = gh_clock_mono_ms();
    if (redis->first != NULL && redis->first->deadline_ms <= now_ms) {
        redis_drop(redis, "a command was not answered in time");
        return;
    }
    if (redis->first == NULL && now_ms - redis->heard_ms >= PING_IDLE_MS &&
        redis_send(redis, NULL, NULL, 1, ping, ping_len) != GH_OK) {
        redis_drop(redis, "it takes no more commands");
        return;
    }
    redis_timer_at(redis, redis->first != NULL ? redis->first->deadline_ms
                                               : redis->heard_ms + PING_IDLE_MS);
}

static void on_timer(uv_timer_t *timer)
{
    struct gh_redis *redis = timer->data;

    switch (redis->state) {
    case REDIS_WAITING: begin(redis); break;
    case REDIS_RESOLVING: break;
    case REDIS_CONNECTING:
    case REDIS_GREETING: redis_drop(redis, "no connection in time"); break;
    case REDIS_UP: on_timer_up(redis); break;
    }
}

/* The public life. */

enum gh_err gh_redis_new(uv_loop_t *loop, const struct gh_redis_config *config,
                         struct gh_redis **ret_redis)
{
    struct gh_redis *redis = calloc(1, sizeof *redis);
    enum gh_err err = GH_OK;

    if (redis == NULL) return GH_ERR_NOMEM;
    redis->loop = loop;
    redis->tail = &redis->first;
    redis->timeout_ms = config->timeout_ms > 0 ? (int64_t)config->timeout_ms : TIMEOUT_MS;
    redis->timer_closed = true;
    err = config->sentinel_count > 0 ? redis_sentinels_set(redis, config)
                                     : redis_parse_url(redis, config->url);
    if (err == GH_OK && config->user != NULL && config->user[0] != '\0') {
        redis->user = strdup(config->user);
        if (redis->user == NULL) err = GH_ERR_NOMEM;
    }
    if (err == GH_OK && config->secret != NULL && config->secret_len > 0) {
        redis->secret = malloc(config->secret_len);
        if (redis->secret == NULL)
            err = GH_ERR_NOMEM;
        else
            memcpy(redis->secret, config->secret, config->secret_len);
        redis->secret_len = redis->secret != NULL ? config->secret_len : 0;
    }
    if (err == GH_OK && config->sentinel_secret != NULL && config->sentinel_secret_len > 0) {
        redis->sentinel_secret = malloc(config->sentinel_secret_len);
        if (redis->sentinel_secret == NULL)
            err = GH_ERR_NOMEM;
        else
            memcpy(redis->sentinel_secret, config->sentinel_secret, config->sentinel_secret_len);
        redis->sentinel_secret_len =
            redis->sentinel_secret != NULL ? config->sentinel_secret_len : 0;
    }
    if (err == GH_OK && uv_timer_init(loop, &redis->timer) != 0) err = GH_ERR_IO;
    if (err != GH_OK) {
        release(redis);
        return err;
    }
    redis->timer_closed = false;
    redis->timer.data = redis;
    redis->state = REDIS_WAITING;
    timer_set(redis, gh_clock_mono_ms());
    *ret_redis = redis;
    return GH_OK;
}

void gh_redis_free(struct gh_redis *redis)
{
    if (redis == NULL || redis->closing) return;
    redis->closing = true;
    if (redis->resolving) (void)uv_cancel((uv_req_t *)&redis->resolve);
    uv_close((uv_handle_t *)&redis->timer, on_timer_closed);
    redis_drop(redis, "closed by us");
}

uint64_t gh_redis_connects(const struct gh_redis *redis)
{
    return redis->connects;
}

bool gh_redis_up(const struct gh_redis *redis)
{
    return !redis->closing && redis->state == REDIS_UP;
}
