#include "common/roster_internal.h"

#include "common/roster_scripts.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- answers ---- */

enum gh_err roster_run(struct gh_roster *roster, struct gh_script *script, gh_redis_fn fn,
                       void *ctx, int argc, const char *const *argv, const size_t *argv_len)
{
    const char *all[ROSTER_KEYS + 5];
    size_t lens[ROSTER_KEYS + 5];
    enum gh_err err;

    for (int i = 0; i < ROSTER_KEYS; i++) {
        all[i] = roster->keys[i];
        lens[i] = strlen(all[i]);
    }
    for (int i = 0; i < argc; i++) {
        all[ROSTER_KEYS + i] = argv[i];
        lens[ROSTER_KEYS + i] = argv_len != NULL ? argv_len[i] : strlen(argv[i]);
    }
    err = gh_redis_script(roster->config.redis, script, fn, ctx, ROSTER_KEYS, ROSTER_KEYS + argc,
                          all, lens);
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

bool roster_answered(struct gh_roster *roster)
{
    roster->pending--;
    if (!roster->dead) return false;
    release(roster);
    return true;
}

void roster_go_idle(struct gh_roster *roster)
{
    roster->state = ROSTER_IDLE;
    if (roster->again) roster_poll(roster);
}

void roster_poll_failed(struct gh_roster *roster)
{
    roster->again = false;
    roster->state = ROSTER_IDLE;
    roster_copy_done(&roster->loading);
    /* What waits is in Redis; the copy will get it when Redis answers again. */
    roster_tell_waiting(roster, true);
}

/* ---- following the log ---- */

static bool is_text(const redisReply *reply)
{
    return reply->type == REDIS_REPLY_STRING || reply->type == REDIS_REPLY_STATUS;
}

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
                    !roster_parse_stored(fields->element[3]->str, fields->element[3]->len, &item)))
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

    if (roster_answered(roster)) return;
    if (err != GH_OK || reply->type != REDIS_REPLY_ARRAY || reply->elements < 2 ||
        reply->element[0]->type != REDIS_REPLY_INTEGER || !is_text(reply->element[1]) ||
        reply->element[1]->len >= sizeof(roster->epoch)) {
        roster_poll_failed(roster);
        return;
    }
    version = (uint64_t)reply->element[0]->integer;
    epoch = reply->element[1]->str;
    same = strcmp(epoch, roster->epoch) == 0;
    if (!roster->loaded || roster->epoch[0] == '\0') {
        roster_load(roster, version, epoch);
    } else if (!same || version < roster->version) {
        roster_restore(roster);
    } else if (reply->elements < 3) {
        roster_load(roster, version, epoch);
    } else {
        for (size_t i = 0; i < reply->element[2]->elements; i++) {
            if (!apply(roster, reply->element[2]->element[i])) {
                roster_load(roster, version, epoch);
                return;
            }
        }
        if (roster->version < version) roster->again = true;
        roster_tell_waiting(roster, false);
        roster_go_idle(roster);
    }
}

void roster_poll(struct gh_roster *roster)
{
    char version[24], log_max[24], epoch[GH_B64URL_LEN(ROSTER_EPOCH_BYTES) + 1];
    const char *argv[] = { version, log_max, epoch };

    if (roster->state != ROSTER_IDLE) {
        roster->again = true;
        return;
    }
    roster->again = false;
    if (!gh_redis_up(roster->config.redis)) {
        roster_poll_failed(roster);
        return;
    }
    (void)snprintf(version, sizeof(version), "%" PRIu64, roster->version);
    (void)snprintf(log_max, sizeof(log_max), "%u", GH_ROSTER_LOG_MAX);
    gh_random_token(ROSTER_EPOCH_BYTES, epoch);
    roster->state = ROSTER_POLLING;
    if (roster_run(roster, &roster->poll, on_poll, roster, 3, argv, NULL) != GH_OK)
        roster_poll_failed(roster);
}

static void on_timer(uv_timer_t *timer)
{
    struct gh_roster *roster = timer->data;

    if (roster->state == ROSTER_IDLE) roster_poll(roster);
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
    static const char *const parts[ROSTER_KEYS] = { "items", "exp", "version", "log", "epoch" };
    struct gh_roster *roster = calloc(1, sizeof(*roster));

    if (roster == NULL) return GH_ERR_NOMEM;
    roster->config = *config;
    for (int i = 0; i < ROSTER_KEYS; i++)
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
    roster_tell_waiting(roster, true);
    for (struct roster_change *change = roster->asked; change != NULL; change = change->next) {
        if (change->fn != NULL) change->fn(change->ctx, GH_ERR_UNAVAILABLE, 0, false);
        change->fn = NULL; /* its answer frees it */
    }
    uv_close((uv_handle_t *)&roster->timer, on_closed);
}
