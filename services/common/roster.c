#include "common/roster.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/random.h"
#include "common/roster_copy.h"
#include "common/roster_scripts.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEY_COUNT     5
#define EPOCH_BYTES   12
#define SCAN_COUNT    "512"
#define RESTORE_BATCH 256

enum state {
    STATE_IDLE,
    STATE_POLLING,
    STATE_RESTORING, /* writing our copy to a Redis that lost it */
    STATE_LOADING,   /* reading all of it */
};

struct change { /* asked by our own process */
    struct gh_roster *roster;
    struct change *next;
    gh_roster_done_fn fn;
    void *ctx;
    uint64_t version; /* known once Redis has answered */
    bool changed;
};

struct gh_roster {
    struct gh_roster_config config;
    char keys[KEY_COUNT][64];
    struct gh_script add, lift, poll, raise;
    uv_timer_t timer;
    bool closed; /* the timer's close callback has run */
    bool dead;   /* freed by its owner; the last answer frees the memory */
    unsigned pending;

    enum state state;
    bool again; /* poll as soon as the running one is done */
    bool loaded;
    uint64_t version;
    char epoch[GH_B64URL_LEN(EPOCH_BYTES) + 1];
    struct roster_copy copy;

    struct roster_copy loading;
    uint64_t loading_version;
    char loading_epoch[GH_B64URL_LEN(EPOCH_BYTES) + 1];
    size_t restore_at;
    unsigned restore_left;
    bool restore_failed;

    struct change *asked;   /* Redis has not answered */
    struct change *waiting; /* done in Redis, our copy has not got there */
};

static void poll_now(struct gh_roster *roster);

/* ---- small helpers ---- */

static enum gh_err run(struct gh_roster *roster, struct gh_script *script, gh_redis_fn fn,
                       void *ctx, int argc, const char *const *argv, const size_t *argv_len)
{
    const char *all[KEY_COUNT + 5];
    size_t lens[KEY_COUNT + 5];
    enum gh_err err;

    for (int i = 0; i < KEY_COUNT; i++) {
        all[i] = roster->keys[i];
        lens[i] = strlen(all[i]);
    }
    for (int i = 0; i < argc; i++) {
        all[KEY_COUNT + i] = argv[i];
        lens[KEY_COUNT + i] = argv_len != NULL ? argv_len[i] : strlen(argv[i]);
    }
    err = gh_redis_script(roster->config.redis, script, fn, ctx, KEY_COUNT, KEY_COUNT + argc, all,
                          lens);
    if (err == GH_OK) roster->pending++;
    return err;
}

static void release(struct gh_roster *roster)
{
    if (!roster->dead || !roster->closed || roster->pending > 0) return;
    roster_copy_done(&roster->copy);
    roster_copy_done(&roster->loading);
    free(roster);
}

/* Every answer begins with this. True: the owner is gone, and maybe the memory with it. */
static bool answered(struct gh_roster *roster)
{
    roster->pending--;
    if (!roster->dead) return false;
    release(roster);
    return true;
}

static void unlink_change(struct change **list, struct change *change)
{
    while (*list != change)
        list = &(*list)->next;
    *list = change->next;
}

static void finish(struct change *change, enum gh_err err)
{
    if (change->fn != NULL) change->fn(change->ctx, err, change->version, change->changed);
    free(change);
}

/* Tells those whose change is in the copy now; all: those whose is not, too. */
static void tell_waiting(struct gh_roster *roster, bool all)
{
    struct change *list = roster->waiting, **keep = &roster->waiting;

    roster->waiting = NULL;
    while (list != NULL) {
        struct change *change = list;

        list = change->next;
        change->next = NULL;
        if (all || change->version <= roster->version) {
            finish(change, GH_OK);
        } else {
            *keep = change;
            keep = &change->next;
        }
    }
}

static void go_idle(struct gh_roster *roster)
{
    roster->state = STATE_IDLE;
    if (roster->again) poll_now(roster);
}

static void poll_failed(struct gh_roster *roster)
{
    roster->again = false;
    roster->state = STATE_IDLE;
    roster_copy_done(&roster->loading);
    /* What waits is in Redis; the copy will get it when Redis answers again. */
    tell_waiting(roster, true);
}

/* "EXPIRES VALUE", as it stands in Redis. */
static bool parse_stored(const char *text, size_t len, struct gh_roster_item *item)
{
    const char *space = memchr(text, ' ', len);
    char *end;

    if (space == NULL || space == text || space - text > 20) return false;
    item->expires_ms = strtoull(text, &end, 10);
    if (end != space) return false;
    item->value = space + 1;
    item->value_len = len - (size_t)(space + 1 - text);
    return true;
}

static bool is_text(const redisReply *reply)
{
    return reply->type == REDIS_REPLY_STRING || reply->type == REDIS_REPLY_STATUS;
}

/* ---- reading all ---- */

static void on_scan(void *ctx, enum gh_err err, const redisReply *reply);

static enum gh_err scan(struct gh_roster *roster, const char *cursor)
{
    const char *argv[] = { "HSCAN", roster->keys[0], cursor, "COUNT", SCAN_COUNT };
    enum gh_err err = gh_redis_command(roster->config.redis, on_scan, roster, 5, argv, NULL);

    if (err == GH_OK) roster->pending++;
    return err;
}

static void loaded(struct gh_roster *roster)
{
    struct roster_copy old = roster->copy;

    roster_copy_sort(&roster->loading);
    roster->copy = roster->loading;
    roster->loading = (struct roster_copy){ 0 };
    roster_copy_done(&old);
    roster->version = roster->loading_version;
    memcpy(roster->epoch, roster->loading_epoch, sizeof(roster->epoch));
    roster->loaded = true;
    if (roster->config.on_reload != NULL)
        roster->config.on_reload(roster->config.ctx, roster->version);
    /* What changed while it was read is in the log after that version. */
    roster->again = true;
    tell_waiting(roster, false);
    go_idle(roster);
}

static void on_scan(void *ctx, enum gh_err err, const redisReply *reply)
{
    struct gh_roster *roster = ctx;

    if (answered(roster)) return;
    if (err != GH_OK || reply->type != REDIS_REPLY_ARRAY || reply->elements != 2 ||
        reply->element[1]->type != REDIS_REPLY_ARRAY) {
        poll_failed(roster);
        return;
    }
    for (size_t i = 0; i + 1 < reply->element[1]->elements; i += 2) {
        const redisReply *key = reply->element[1]->element[i];
        const redisReply *value = reply->element[1]->element[i + 1];
        struct gh_roster_item item = { .key = key->str, .key_len = key->len };

        if (!parse_stored(value->str, value->len, &item)) continue; /* not ours */
        if (roster_copy_append(&roster->loading, &item) != GH_OK) {
            poll_failed(roster);
            return;
        }
    }
    if (strcmp(reply->element[0]->str, "0") == 0)
        loaded(roster);
    else if (scan(roster, reply->element[0]->str) != GH_OK)
        poll_failed(roster);
}

static void load(struct gh_roster *roster, uint64_t version, const char *epoch)
{
    roster_copy_done(&roster->loading);
    roster->loading_version = version;
    (void)snprintf(roster->loading_epoch, sizeof(roster->loading_epoch), "%s", epoch);
    roster->state = STATE_LOADING;
    if (scan(roster, "0") != GH_OK) poll_failed(roster);
}

/* ---- giving back to Redis what it lost ---- */

static void restore_some(struct gh_roster *roster);

static void on_restored(void *ctx, enum gh_err err, const redisReply *reply)
{
    struct gh_roster *roster = ctx;

    (void)reply;
    if (answered(roster)) return;
    if (err != GH_OK) roster->restore_failed = true;
    if (--roster->restore_left > 0) return;
    if (roster->restore_failed) {
        poll_failed(roster);
    } else if (roster->restore_at < roster->copy.count) {
        restore_some(roster);
    } else {
        /* An epoch of nobody's: the next poll finds another and reads all. */
        roster->epoch[0] = '\0';
        roster->again = true;
        go_idle(roster);
    }
}

static enum gh_err send_add(struct gh_roster *roster, const struct gh_roster_item *item,
                            gh_redis_fn fn, void *ctx)
{
    char expires[24], max[24], log_max[24];
    const char *argv[] = { item->key, item->value, expires, max, log_max };
    size_t lens[] = { item->key_len, item->value_len,
                      (size_t)snprintf(expires, sizeof(expires), "%" PRIu64, item->expires_ms),
                      (size_t)snprintf(max, sizeof(max), "%zu", roster->config.max_items),
                      (size_t)snprintf(log_max, sizeof(log_max), "%u", GH_ROSTER_LOG_MAX) };

    return run(roster, &roster->add, fn, ctx, 5, argv, lens);
}

static void restore_some(struct gh_roster *roster)
{
    const uint64_t now_ms = (uint64_t)gh_clock_wall_ms();

    roster->restore_left = 1; /* this function itself */
    while (roster->restore_at < roster->copy.count && roster->restore_left <= RESTORE_BATCH) {
        const struct gh_roster_item *item = roster->copy.items[roster->restore_at++];

        if (item->expires_ms != 0 && item->expires_ms <= now_ms) continue;
        if (send_add(roster, item, on_restored, roster) != GH_OK) {
            roster->restore_failed = true;
            break;
        }
        roster->restore_left++;
    }
    roster->pending++; /* on_restored counts it down */
    on_restored(roster, GH_OK, NULL);
}

static void on_raised(void *ctx, enum gh_err err, const redisReply *reply)
{
    struct gh_roster *roster = ctx;

    (void)reply;
    if (answered(roster)) return;
    if (err != GH_OK)
        poll_failed(roster);
    else
        restore_some(roster);
}

static void restore(struct gh_roster *roster)
{
    char version[24], epoch[GH_B64URL_LEN(EPOCH_BYTES) + 1];
    const char *argv[] = { version, epoch };

    gh_log(GH_LOG_WARN, "roster_restored", "name=%s items=%zu version=%" PRIu64,
           roster->config.name, roster->copy.count, roster->version);
    (void)snprintf(version, sizeof(version), "%" PRIu64, roster->version);
    gh_random_token(EPOCH_BYTES, epoch);
    roster->state = STATE_RESTORING;
    roster->restore_at = 0;
    roster->restore_failed = false;
    if (run(roster, &roster->raise, on_raised, roster, 2, argv, NULL) != GH_OK) poll_failed(roster);
}

/* ---- following the log ---- */

/* One stream entry: [id, [k, KEY]] lifted, [id, [k, KEY, v, STORED]] added. */
static bool apply(struct gh_roster *roster, const redisReply *entry)
{
    struct gh_roster_item item = { 0 };
    const redisReply *fields;
    bool lifted;

    if (entry->type != REDIS_REPLY_ARRAY || entry->elements != 2 || !is_text(entry->element[0]) ||
        entry->element[1]->type != REDIS_REPLY_ARRAY)
        return false;
    if (strtoull(entry->element[0]->str, NULL, 10) != roster->version + 1) return false;
    fields = entry->element[1];
    lifted = fields->elements == 2;
    if (!lifted && (fields->elements != 4 ||
                    !parse_stored(fields->element[3]->str, fields->element[3]->len, &item)))
        return false;
    item.key = fields->element[1]->str;
    item.key_len = fields->element[1]->len;
    if (lifted)
        roster_copy_remove(&roster->copy, item.key, item.key_len);
    else if (roster_copy_put(&roster->copy, &item) != GH_OK)
        return false;
    roster->version++;
    if (roster->config.on_change != NULL)
        roster->config.on_change(roster->config.ctx, roster->version, &item, lifted);
    return true;
}

static void on_poll(void *ctx, enum gh_err err, const redisReply *reply)
{
    struct gh_roster *roster = ctx;
    const char *epoch;
    uint64_t version;
    bool same;

    if (answered(roster)) return;
    if (err != GH_OK || reply->type != REDIS_REPLY_ARRAY || reply->elements < 2 ||
        reply->element[0]->type != REDIS_REPLY_INTEGER || !is_text(reply->element[1]) ||
        reply->element[1]->len >= sizeof(roster->epoch)) {
        poll_failed(roster);
        return;
    }
    version = (uint64_t)reply->element[0]->integer;
    epoch = reply->element[1]->str;
    same = strcmp(epoch, roster->epoch) == 0;
    if (!roster->loaded || roster->epoch[0] == '\0') {
        load(roster, version, epoch);
    } else if (!same || version < roster->version) {
        restore(roster);
    } else if (reply->elements < 3) {
        load(roster, version, epoch);
    } else {
        for (size_t i = 0; i < reply->element[2]->elements; i++) {
            if (!apply(roster, reply->element[2]->element[i])) {
                load(roster, version, epoch);
                return;
            }
        }
        if (roster->version < version) roster->again = true;
        tell_waiting(roster, false);
        go_idle(roster);
    }
}

static void poll_now(struct gh_roster *roster)
{
    char version[24], log_max[24], epoch[GH_B64URL_LEN(EPOCH_BYTES) + 1];
    const char *argv[] = { version, log_max, epoch };

    if (roster->state != STATE_IDLE) {
        roster->again = true;
        return;
    }
    roster->again = false;
    if (!gh_redis_up(roster->config.redis)) {
        poll_failed(roster);
        return;
    }
    (void)snprintf(version, sizeof(version), "%" PRIu64, roster->version);
    (void)snprintf(log_max, sizeof(log_max), "%u", GH_ROSTER_LOG_MAX);
    gh_random_token(EPOCH_BYTES, epoch);
    roster->state = STATE_POLLING;
    if (run(roster, &roster->poll, on_poll, roster, 3, argv, NULL) != GH_OK) poll_failed(roster);
}

static void on_timer(uv_timer_t *timer)
{
    struct gh_roster *roster = timer->data;

    if (roster->state == STATE_IDLE) poll_now(roster);
}

/* ---- changes of our own ---- */

static void on_change_answer(void *ctx, enum gh_err err, const redisReply *reply)
{
    struct change *change = ctx;
    struct gh_roster *roster = change->roster;

    if (roster->dead) { /* was told when the roster was freed */
        free(change);
        (void)answered(roster);
        return;
    }
    (void)answered(roster);
    unlink_change(&roster->asked, change);
    if (err == GH_OK && (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2)) err = GH_ERR_IO;
    if (err == GH_OK && reply->element[1]->integer < 0) err = GH_ERR_LIMIT;
    if (err != GH_OK) {
        finish(change, err);
        return;
    }
    change->version = (uint64_t)reply->element[0]->integer;
    change->changed = reply->element[1]->integer == 1;
    change->next = roster->waiting;
    roster->waiting = change;
    poll_now(roster);
}

static enum gh_err ask(struct gh_roster *roster, gh_roster_done_fn fn, void *ctx,
                       struct change **ret_change)
{
    struct change *change = calloc(1, sizeof(*change));

    if (change == NULL) return GH_ERR_NOMEM;
    *change = (struct change){ .roster = roster, .fn = fn, .ctx = ctx, .next = roster->asked };
    roster->asked = change;
    *ret_change = change;
    return GH_OK;
}

static enum gh_err asked(struct gh_roster *roster, struct change *change, enum gh_err err)
{
    if (err != GH_OK) {
        unlink_change(&roster->asked, change);
        free(change);
    }
    return err;
}

enum gh_err gh_roster_add(struct gh_roster *roster, const struct gh_roster_item *item,
                          gh_roster_done_fn fn, void *ctx)
{
    struct change *change = NULL;
    enum gh_err err;

    if (item->key_len == 0 || item->key_len > GH_ROSTER_KEY_MAX_BYTES ||
        item->value_len > GH_ROSTER_VALUE_MAX_BYTES ||
        (item->expires_ms != 0 && item->expires_ms <= (uint64_t)gh_clock_wall_ms()))
        return GH_ERR_BAD_MESSAGE;
    err = ask(roster, fn, ctx, &change);
    if (err != GH_OK) return err;
    return asked(roster, change, send_add(roster, item, on_change_answer, change));
}

enum gh_err gh_roster_lift(struct gh_roster *roster, const void *key, size_t key_len,
                           gh_roster_done_fn fn, void *ctx)
{
    char log_max[24];
    const char *argv[] = { key, log_max };
    size_t lens[] = { key_len,
                      (size_t)snprintf(log_max, sizeof(log_max), "%u", GH_ROSTER_LOG_MAX) };
    struct change *change = NULL;
    enum gh_err err;

    if (key_len == 0 || key_len > GH_ROSTER_KEY_MAX_BYTES) return GH_ERR_BAD_MESSAGE;
    err = ask(roster, fn, ctx, &change);
    if (err != GH_OK) return err;
    return asked(roster, change,
                 run(roster, &roster->lift, on_change_answer, change, 2, argv, lens));
}

/* ---- reading and life ---- */

bool gh_roster_loaded(const struct gh_roster *roster)
{
    return roster->loaded;
}

uint64_t gh_roster_version(const struct gh_roster *roster)
{
    return roster->version;
}

size_t gh_roster_count(const struct gh_roster *roster)
{
    return roster->copy.count;
}

const struct gh_roster_item *gh_roster_find(const struct gh_roster *roster, const void *key,
                                            size_t key_len, uint64_t now_ms)
{
    bool found;
    size_t at = roster_copy_find(&roster->copy, key, key_len, &found);
    const struct gh_roster_item *item = found ? roster->copy.items[at] : NULL;

    if (item != NULL && item->expires_ms != 0 && item->expires_ms <= now_ms) return NULL;
    return item;
}

const struct gh_roster_item *gh_roster_after(const struct gh_roster *roster, const void *key,
                                             size_t key_len)
{
    bool found = false;
    size_t at = key_len > 0 ? roster_copy_find(&roster->copy, key, key_len, &found) : 0;

    if (found) at++;
    return at < roster->copy.count ? roster->copy.items[at] : NULL;
}

enum gh_err gh_roster_new(const struct gh_roster_config *config, struct gh_roster **ret_roster)
{
    static const char *const parts[KEY_COUNT] = { "items", "exp", "version", "log", "epoch" };
    struct gh_roster *roster = calloc(1, sizeof(*roster));

    if (roster == NULL) return GH_ERR_NOMEM;
    roster->config = *config;
    for (int i = 0; i < KEY_COUNT; i++)
        (void)snprintf(roster->keys[i], sizeof(roster->keys[i]), "gh:{%.32s}:%s", config->name,
                       parts[i]);
    roster->add = (struct gh_script){ .name = "roster_add", .source = ROSTER_ADD };
    roster->lift = (struct gh_script){ .name = "roster_lift", .source = ROSTER_LIFT };
    roster->poll = (struct gh_script){ .name = "roster_poll", .source = ROSTER_POLL };
    roster->raise = (struct gh_script){ .name = "roster_raise", .source = ROSTER_RAISE };
    (void)uv_timer_init(config->loop, &roster->timer);
    roster->timer.data = roster;
    (void)uv_timer_start(&roster->timer, on_timer, 0, config->poll_ms);
    *ret_roster = roster;
    return GH_OK;
}

static void on_closed(uv_handle_t *handle)
{
    struct gh_roster *roster = handle->data;

    roster->closed = true;
    release(roster);
}

void gh_roster_free(struct gh_roster *roster)
{
    if (roster == NULL) return;
    roster->dead = true;
    tell_waiting(roster, true);
    for (struct change *change = roster->asked; change != NULL; change = change->next) {
        if (change->fn != NULL) change->fn(change->ctx, GH_ERR_UNAVAILABLE, 0, false);
        change->fn = NULL; /* its answer frees it */
    }
    uv_close((uv_handle_t *)&roster->timer, on_closed);
}
