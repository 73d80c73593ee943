/* A roster's copy and Redis brought together as a whole, whichever of the two lost something. */
#include "common/roster_internal.h"

#include "common/clock.h"
#include "common/log.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SCAN_COUNT    "512"
#define RESTORE_BATCH 256

bool roster_parse_stored(const char *text, size_t len, struct gh_roster_item *item)
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
    roster_tell_waiting(roster, false);
    roster_go_idle(roster);
}

static void on_scan(void *ctx, enum gh_err err, const redisReply *reply)
{
    struct gh_roster *roster = ctx;

    if (roster_answered(roster)) return;
    if (err != GH_OK || reply->type != REDIS_REPLY_ARRAY || reply->elements != 2 ||
        reply->element[1]->type != REDIS_REPLY_ARRAY) {
        roster_poll_failed(roster);
        return;
    }
    for (size_t i = 0; i + 1 < reply->element[1]->elements; i += 2) {
        const redisReply *key = reply->element[1]->element[i];
        const redisReply *value = reply->element[1]->element[i + 1];
        struct gh_roster_item item = { .key = key->str, .key_len = key->len };

        if (!roster_parse_stored(value->str, value->len, &item)) continue; /* not ours */
        if (roster_copy_append(&roster->loading, &item) != GH_OK) {
            roster_poll_failed(roster);
            return;
        }
    }
    if (strcmp(reply->element[0]->str, "0") == 0)
        loaded(roster);
    else if (scan(roster, reply->element[0]->str) != GH_OK)
        roster_poll_failed(roster);
}

void roster_load(struct gh_roster *roster, uint64_t version, const char *epoch)
{
    roster_copy_done(&roster->loading);
    roster->loading_version = version;
    (void)snprintf(roster->loading_epoch, sizeof(roster->loading_epoch), "%s", epoch);
    roster->state = ROSTER_LOADING;
    if (scan(roster, "0") != GH_OK) roster_poll_failed(roster);
}

/* ---- giving back to Redis what it lost ---- */

static void restore_some(struct gh_roster *roster);

static void on_restored(void *ctx, enum gh_err err, const redisReply *reply)
{
    struct gh_roster *roster = ctx;

    (void)reply;
    if (roster_answered(roster)) return;
    if (err != GH_OK) roster->restore_failed = true;
    if (--roster->restore_left > 0) return;
    if (roster->restore_failed) {
        roster_poll_failed(roster);
    } else if (roster->restore_at < roster->copy.count) {
        restore_some(roster);
    } else {
        /* An epoch of nobody's: the next poll finds another and reads all. */
        roster->epoch[0] = '\0';
        roster->again = true;
        roster_go_idle(roster);
    }
}

static void restore_some(struct gh_roster *roster)
{
    const uint64_t now_ms = (uint64_t)gh_clock_wall_ms();

    roster->restore_left = 1; /* this function itself */
    while (roster->restore_at < roster->copy.count && roster->restore_left <= RESTORE_BATCH) {
        const struct gh_roster_item *item = roster->copy.items[roster->restore_at++];

        if (item->expires_ms != 0 && item->expires_ms <= now_ms) continue;
        if (roster_send_add(roster, item, on_restored, roster) != GH_OK) {
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
    if (roster_answered(roster)) return;
    if (err != GH_OK)
        roster_poll_failed(roster);
    else
        restore_some(roster);
}

void roster_restore(struct gh_roster *roster)
{
    char version[24], epoch[GH_B64URL_LEN(ROSTER_EPOCH_BYTES) + 1];
    const char *argv[] = { version, epoch };

    gh_log(GH_LOG_WARN, "roster_restored", "name=%s items=%zu version=%" PRIu64,
           roster->config.name, roster->copy.count, roster->version);
    (void)snprintf(version, sizeof(version), "%" PRIu64, roster->version);
    gh_random_token(ROSTER_EPOCH_BYTES, epoch);
    roster->state = ROSTER_RESTORING;
    roster->restore_at = 0;
    roster->restore_failed = false;
    if (roster_run(roster, &roster->raise, on_raised, roster, 2, argv, NULL) != GH_OK)
        roster_poll_failed(roster);
}
