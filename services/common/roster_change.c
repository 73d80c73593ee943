/* What our own process adds to a roster and lifts from it. */
#include "common/roster_internal.h"

#include "common/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void unlink_change(struct roster_change **list, struct roster_change *change)
{
    while (*list != change)
        list = &(*list)->next;
    *list = change->next;
}

static void finish(struct roster_change *change, enum gh_err err)
{
    if (change->fn != NULL) change->fn(change->ctx, err, change->version, change->changed);
    free(change);
}

void roster_tell_waiting(struct gh_roster *roster, bool all)
{
    struct roster_change *list = roster->waiting, **keep = &roster->waiting;

    roster->waiting = NULL;
    while (list != NULL) {
        struct roster_change *change = list;

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

enum gh_err roster_send_add(struct gh_roster *roster, const struct gh_roster_item *item,
                            gh_redis_fn fn, void *ctx)
{
    char expires[24], max[24], log_max[24];
    const char *argv[] = { item->key, item->value, expires, max, log_max };
    size_t lens[] = { item->key_len, item->value_len,
                      (size_t)snprintf(expires, sizeof(expires), "%" PRIu64, item->expires_ms),
                      (size_t)snprintf(max, sizeof(max), "%zu", roster->config.max_items),
                      (size_t)snprintf(log_max, sizeof(log_max), "%u", GH_ROSTER_LOG_MAX) };

    return roster_run(roster, &roster->add, fn, ctx, 5, argv, lens);
}

static void on_change_answer(void *ctx, enum gh_err err, const redisReply *reply)
{
    struct roster_change *change = ctx;
    struct gh_roster *roster = change->roster;

    if (roster->dead) { /* was told when the roster was freed */
        free(change);
        (void)roster_answered(roster);
        return;
    }
    (void)roster_answered(roster);
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
    roster_poll(roster);
}

static enum gh_err ask(struct gh_roster *roster, gh_roster_done_fn fn, void *ctx,
                       struct roster_change **ret_change)
{
    struct roster_change *change = calloc(1, sizeof(*change));

    if (change == NULL) return GH_ERR_NOMEM;
    *change =
        (struct roster_change){ .roster = roster, .fn = fn, .ctx = ctx, .next = roster->asked };
    roster->asked = change;
    *ret_change = change;
    return GH_OK;
}

static enum gh_err asked(struct gh_roster *roster, struct roster_change *change, enum gh_err err)
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
    struct roster_change *change = NULL;
    enum gh_err err;

    if (item->key_len == 0 || item->key_len > GH_ROSTER_KEY_MAX_BYTES ||
        item->value_len > GH_ROSTER_VALUE_MAX_BYTES ||
        (item->expires_ms != 0 && item->expires_ms <= (uint64_t)gh_clock_wall_ms()))
        return GH_ERR_BAD_MESSAGE;
    err = ask(roster, fn, ctx, &change);
    if (err != GH_OK) return err;
    return asked(roster, change, roster_send_add(roster, item, on_change_answer, change));
}

enum gh_err gh_roster_lift(struct gh_roster *roster, const void *key, size_t key_len,
                           gh_roster_done_fn fn, void *ctx)
{
    char log_max[24];
    const char *argv[] = { key, log_max };
    size_t lens[] = { key_len,
                      (size_t)snprintf(log_max, sizeof(log_max), "%u", GH_ROSTER_LOG_MAX) };
    struct roster_change *change = NULL;
    enum gh_err err;

    if (key_len == 0 || key_len > GH_ROSTER_KEY_MAX_BYTES) return GH_ERR_BAD_MESSAGE;
    err = ask(roster, fn, ctx, &change);
    if (err != GH_OK) return err;
    return asked(roster, change,
                 roster_run(roster, &roster->lift, on_change_answer, change, 2, argv, lens));
}
