#include "common/redis_internal.h"

#include "common/clock.h"
#include "common/log.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ARGV_ON_STACK      64
#define ERROR_LOG_EVERY_MS 1000

static void on_reply(redisAsyncContext *context, void *reply_data, void *unused);

void redis_pending_free(struct redis_pending *pending)
{
    if (pending->command != NULL) redisFreeCommand(pending->command);
    free(pending);
}

static void set_name(struct redis_pending *pending, const char *name, size_t len)
{
    const size_t room = sizeof pending->name - 1;

    memcpy(pending->name, name, len < room ? len : room);
}

/* Puts pending, whose answer is still to come, at the end of the queue and its bytes into hiredis'
 * buffer, which leaves with the next turn of the loop. */
static enum gh_err enqueue(struct gh_redis *redis, struct redis_pending *pending,
                           const char *command, size_t len)
{
    pending->deadline_ms = gh_clock_mono_ms() + redis->timeout_ms;
    pending->seq = ++redis->seq;
    pending->next = NULL;
    if (redisAsyncFormattedCommand(redis->context, on_reply, NULL, command, len) != REDIS_OK)
        return GH_ERR_UNAVAILABLE;
    *redis->tail = pending;
    redis->tail = &pending->next;
    redis->pending_count++;
    redis_timer_at(redis, pending->deadline_ms);
    return GH_OK;
}

static enum gh_err format(int argc, const char *const *argv, const size_t *argv_len,
                          char **ret_command, size_t *ret_len)
{
    char *command = NULL;
    /* hiredis takes them without const but only reads */
    const int len = redisFormatCommandArgv(&command, argc, (const char **)argv, argv_len);

    if (len < 0) return GH_ERR_NOMEM;
    *ret_command = command;
    *ret_len = (size_t)len;
    return GH_OK;
}

enum gh_err redis_send(struct gh_redis *redis, gh_redis_fn fn, void *ctx, int argc,
                       const char *const *argv, const size_t *argv_len)
{
    struct redis_pending *pending = calloc(1, sizeof *pending);
    char *command = NULL;
    size_t len = 0;
    enum gh_err err = GH_ERR_NOMEM;

    if (pending == NULL) return GH_ERR_NOMEM;
    pending->fn = fn;
    pending->ctx = ctx;
    set_name(pending, argv[0], argv_len != NULL ? argv_len[0] : strlen(argv[0]));
    err = format(argc, argv, argv_len, &command, &len);
    if (err == GH_OK) {
        err = enqueue(redis, pending, command, len);
        redisFreeCommand(command);
    }
    if (err != GH_OK) redis_pending_free(pending);
    return err;
}

static enum gh_err usable(const struct gh_redis *redis)
{
    if (redis->closing || redis->state != REDIS_UP) return GH_ERR_UNAVAILABLE;
    return redis->pending_count < REDIS_PENDING_MAX ? GH_OK : GH_ERR_BUSY;
}

enum gh_err gh_redis_command(struct gh_redis *redis, gh_redis_fn fn, void *ctx, int argc,
                             const char *const *argv, const size_t *argv_len)
{
    const enum gh_err err = usable(redis);

    return err == GH_OK ? redis_send(redis, fn, ctx, argc, argv, argv_len) : err;
}

/* Scripts. */

static enum gh_err script_sha(struct gh_script *script)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned len = 0;

    if (script->sha[0] != '\0') return GH_OK;
    if (EVP_Digest(script->source, strlen(script->source), digest, &len, EVP_sha1(), NULL) != 1 ||
        len != 20)
        return GH_ERR_CRYPTO;
    for (unsigned i = 0; i < len; i++)
        (void)snprintf(script->sha + (size_t)2 * i, 3, "%02x", digest[i]);
    return GH_OK;
}

static struct redis_loaded *loaded_find(struct gh_redis *redis, struct gh_script *script)
{
    for (size_t i = 0; i < redis->loaded_count; i++)
        if (redis->loaded[i].script == script) return &redis->loaded[i];

    struct redis_loaded *grown =
        realloc(redis->loaded, (redis->loaded_count + 1) * sizeof *redis->loaded);
    if (grown == NULL) return NULL;
    redis->loaded = grown;
    grown[redis->loaded_count] = (struct redis_loaded){ .script = script };
    return &grown[redis->loaded_count++];
}

void redis_forget_scripts(struct gh_redis *redis)
{
    for (size_t i = 0; i < redis->loaded_count; i++)
        redis->loaded[i].seq = 0;
}

/* Redis runs a connection's commands in order, so what follows may already use the script. A
 * refused SCRIPT LOAD (a syntax error, no permission) is logged by its answer; the EVALSHA fails
 * then. */
static enum gh_err script_load(struct gh_redis *redis, struct redis_loaded *loaded)
{
    const char *argv[] = { "SCRIPT", "LOAD", loaded->script->source };
    const size_t len[] = { 6, 4, strlen(loaded->script->source) };
    const enum gh_err err = redis_send(redis, NULL, NULL, 3, argv, len);

    if (err == GH_OK) loaded->seq = redis->seq;
    return err;
}

static enum gh_err script_format(const struct gh_script *script, int key_count, int argc,
                                 const char *const *argv, const size_t *argv_len,
                                 struct redis_pending *pending)
{
    const char *few[ARGV_ON_STACK];
    size_t few_len[ARGV_ON_STACK];
    const char **all = few;
    size_t *all_len = few_len;
    char keys[12];
    const size_t count = (size_t)argc + 3;
    enum gh_err err = GH_ERR_NOMEM;

    if (count > ARGV_ON_STACK) {
        all = malloc(count * sizeof *all);
        all_len = malloc(count * sizeof *all_len);
    }
    if (all != NULL && all_len != NULL) {
        all[0] = "EVALSHA";
        all_len[0] = 7;
        all[1] = script->sha;
        all_len[1] = 40;
        all[2] = keys;
        all_len[2] = (size_t)snprintf(keys, sizeof keys, "%d", key_count);
        for (int i = 0; i < argc; i++) {
            all[i + 3] = argv[i];
            all_len[i + 3] = argv_len != NULL ? argv_len[i] : strlen(argv[i]);
        }
        err = format((int)count, all, all_len, &pending->command, &pending->command_len);
    }
    if (all != few) {
        free(all);
        free(all_len);
    }
    return err;
}

enum gh_err gh_redis_script(struct gh_redis *redis, struct gh_script *script, gh_redis_fn fn,
                            void *ctx, int key_count, int argc, const char *const *argv,
                            const size_t *argv_len)
{
    struct redis_pending *pending = NULL;
    struct redis_loaded *loaded = NULL;
    enum gh_err err = usable(redis);

    if (err == GH_OK) err = script_sha(script);
    if (err != GH_OK) return err;
    loaded = loaded_find(redis, script);
    pending = calloc(1, sizeof *pending);
    if (loaded == NULL || pending == NULL) {
        free(pending);
        return GH_ERR_NOMEM;
    }
    pending->fn = fn;
    pending->ctx = ctx;
    pending->script = script;
    set_name(pending, script->name, strlen(script->name));
    err = script_format(script, key_count, argc, argv, argv_len, pending);
    if (err == GH_OK && loaded->seq == 0) err = script_load(redis, loaded);
    if (err == GH_OK) err = enqueue(redis, pending, pending->command, pending->command_len);
    if (err != GH_OK) redis_pending_free(pending);
    return err;
}

/* SCRIPT FLUSH, a restart or a fail-over took the script away: load it and ask again. */
static bool script_again(struct gh_redis *redis, struct redis_pending *pending)
{
    if (pending->script == NULL || pending->again || redis->closing || redis->context == NULL)
        return false;

    struct redis_loaded *loaded = loaded_find(redis, pending->script);
    if (loaded == NULL) return false;
    if (loaded->seq < pending->seq && script_load(redis, loaded) != GH_OK) return false;
    pending->again = true;
    return enqueue(redis, pending, pending->command, pending->command_len) == GH_OK;
}

/* Replies. */

static bool starts_with(const redisReply *reply, const char *word)
{
    return strncmp(reply->str, word, strlen(word)) == 0;
}

static void log_error(struct gh_redis *redis, const struct redis_pending *pending,
                      const redisReply *reply)
{
    const int64_t now_ms = gh_clock_mono_ms();
    const char *args = strstr(reply->str, ", with args"); /* "unknown command" echoes them: not ours
                                                             to log */
    char name[64], text[160];

    if (redis->error_logged_ms != 0 && now_ms - redis->error_logged_ms < ERROR_LOG_EVERY_MS) {
        redis->errors_unlogged++;
        return;
    }
    gh_log(GH_LOG_ERROR, "redis_error", "command=%s error=%s more=%u",
           gh_log_quote(name, sizeof name, pending->name, strlen(pending->name)),
           gh_log_quote(text, sizeof text, reply->str,
                        args != NULL ? (size_t)(args - reply->str) : (size_t)reply->len),
           redis->errors_unlogged);
    redis->errors_unlogged = 0;
    redis->error_logged_ms = now_ms;
}

static enum gh_err error_kind(const redisReply *reply)
{
    static const char *const passing[] = { "LOADING ",     "BUSY ",       "MASTERDOWN ",
                                           "READONLY ",    "NOREPLICAS ", "MISCONF ",
                                           "CLUSTERDOWN ", "TRYAGAIN ",   "OOM " };

    for (size_t i = 0; i < sizeof passing / sizeof passing[0]; i++)
        if (starts_with(reply, passing[i])) return GH_ERR_UNAVAILABLE;
    return GH_ERR_IO;
}

static void on_reply(redisAsyncContext *context, void *reply_data, void *unused)
{
    struct gh_redis *redis = context->data;
    const redisReply *reply = reply_data;
    enum gh_err err = GH_OK;

    (void)unused;
    /* Without a reply the connection is ending: redis_drop answers the whole queue. */
    if (redis == NULL || reply == NULL || redis->first == NULL) return;

    struct redis_pending *pending = redis->first;
    redis->first = pending->next;
    if (redis->first == NULL) redis->tail = &redis->first;
    redis->pending_count--;
    redis->heard_ms = gh_clock_mono_ms();

    if (reply->type == REDIS_REPLY_ERROR) {
        if (starts_with(reply, "NOSCRIPT") && script_again(redis, pending)) return;
        log_error(redis, pending, reply);
        err = error_kind(reply);
    }
    /* After a fail-over this server only reads: look for the new one. */
    const bool replica = reply->type == REDIS_REPLY_ERROR && starts_with(reply, "READONLY ");
    if (pending->fn != NULL) pending->fn(pending->ctx, err, err == GH_OK ? reply : NULL);
    redis_pending_free(pending);
    if (replica && context->data == redis) redis_drop(redis, "it became a replica");
}
