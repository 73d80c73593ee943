/*
 * ledger - ends that Redis may not know of.
 *
 * Two cases: Redis was away when an edge said that a session is over, and Redis came back (a
 * restart, a failover) with less than it had acknowledged. Every end is noted here for
 * LEDGER_KEEP_MS, and all that is noted is done again each time the connection comes up: ending is
 * idempotent and leaves a tombstone even where there is nothing to end, so no session is revived
 * after its end. Bounded: the oldest note gives way. Pure; times are monotonic milliseconds.
 */
#ifndef SESSION_LEDGER_H
#define SESSION_LEDGER_H

#include "keys.h"

#include "common/err.h"

#define LEDGER_MAX     65536u
#define LEDGER_KEEP_MS (2 * 60 * 1000)

struct ledger;

struct ledger_note {
    int64_t time_ms;
    uint32_t code;
    char session_id[SESSION_ID_LEN];
    uint16_t user_len;
    const char *user;
};

GH_NODISCARD enum gh_err ledger_new(struct ledger **ret_ledger);
void ledger_free(struct ledger *ledger);

/* Without memory the note is lost: the session then ends when it is idle. */
void ledger_add(struct ledger *ledger, const void *session_id, const void *user, size_t user_len,
                uint32_t code, int64_t now_ms);
void ledger_trim(struct ledger *ledger, int64_t now_ms); /* forgets what is older than KEEP */
size_t ledger_count(const struct ledger *ledger);
/* The oldest first; NULL at the end. Valid until the next add or trim. */
const struct ledger_note *ledger_at(const struct ledger *ledger, size_t index);

#endif
