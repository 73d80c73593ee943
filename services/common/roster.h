/*
 * roster - a versioned set of names with values and expiries, shared through Redis: bans,
 * revocations.
 *
 * Redis holds the truth; every process that opens a roster keeps a copy in memory, so a look-up
 * costs no round trip. Each change raises the version by one and stands in a log of the last
 * ROSTER_LOG_MAX changes, which every process reads every poll_ms (and at once after a change of
 * its own), so all see the same changes in the same order; who has fallen behind the log reads the
 * set anew. What expires is taken out by whichever process comes first.
 *
 * Redis away: the copy goes on being used. Redis back with less than we know (a failover, a restart
 * without its data): what our copy holds is written there again before anything else; entries are
 * never dropped because Redis forgot them.
 *
 * Keys (one slot in a cluster): gh:{NAME}:items, :exp, :version, :log, :epoch. Times are wall clock
 * milliseconds; expiry in Redis goes by Redis time. Single-threaded, on the loop.
 */
#ifndef GH_ROSTER_H
#define GH_ROSTER_H

#include "common/err.h"
#include "common/redis.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#define GH_ROSTER_KEY_MAX_BYTES   512u
#define GH_ROSTER_VALUE_MAX_BYTES 2048u
#define GH_ROSTER_LOG_MAX         4096u

struct gh_roster;

struct gh_roster_item {
    const char *key; /* NUL-ended beyond key_len when it comes from a roster */
    size_t key_len;
    const char *value;
    size_t value_len;
    uint64_t expires_ms; /* 0: never */
};

struct gh_roster_config {
    uv_loop_t *loop;
    struct gh_redis *redis; /* borrowed */
    const char *name;       /* static; the hash tag */
    uint64_t poll_ms;
    size_t max_items; /* more are refused: GH_ERR_LIMIT */
    void *ctx;
    /* One change, in order of versions, whoever made it. lifted: taken out (value is empty then).
     */
    void (*on_change)(void *ctx, uint64_t version, const struct gh_roster_item *item, bool lifted);
    /* The copy was replaced as a whole: look at all of it. */
    void (*on_reload)(void *ctx, uint64_t version);
};

GH_NODISCARD enum gh_err gh_roster_new(const struct gh_roster_config *config,
                                       struct gh_roster **ret_roster);
/* Before its redis is freed. Closes a handle: run the loop once more after. Asked changes whose
 * answer is still out are told GH_ERR_UNAVAILABLE. NULL is a no-op. */
void gh_roster_free(struct gh_roster *roster);

bool gh_roster_loaded(const struct gh_roster *roster); /* a copy was read since the start */
uint64_t gh_roster_version(const struct gh_roster *roster);
size_t gh_roster_count(const struct gh_roster *roster);

/* By exact key; NULL when it is not there or has expired at now_ms. Valid until the loop turns. */
const struct gh_roster_item *gh_roster_find(const struct gh_roster *roster, const void *key,
                                            size_t key_len, uint64_t now_ms);
/* In ascending order of keys: the first item after key (key_len 0: the first of all), or NULL. */
const struct gh_roster_item *gh_roster_after(const struct gh_roster *roster, const void *key,
                                             size_t key_len);

/* changed: false when the same entry was there already, or was not there to lift. Called exactly
 * once, never from inside. The copy has the change by then, and on_change was called for it. */
typedef void (*gh_roster_done_fn)(void *ctx, enum gh_err err, uint64_t version, bool changed);

/* fn may be NULL. Errors at once (fn is not called): GH_ERR_UNAVAILABLE, GH_ERR_NOMEM,
 * GH_ERR_BAD_MESSAGE (size, already expired by our clock). To fn also: GH_ERR_LIMIT (full). */
GH_NODISCARD enum gh_err gh_roster_add(struct gh_roster *roster, const struct gh_roster_item *item,
                                       gh_roster_done_fn fn, void *ctx);
GH_NODISCARD enum gh_err gh_roster_lift(struct gh_roster *roster, const void *key, size_t key_len,
                                        gh_roster_done_fn fn, void *ctx);

#endif
