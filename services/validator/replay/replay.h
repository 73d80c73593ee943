/*
 * replay - has this message been here before?
 *
 * A message that must not be replayed carries a timestamp and an id. It is fresh when its timestamp
 * is within `window_ms` of now, either way; and it is new when nothing of the same session, type
 * and id has been noted within the window. What was noted is kept until its timestamp alone would
 * refuse it, REPLAY_SKEW_MS longer for edges whose clocks differ: within the window nothing is
 * forgotten, so the answer is exact.
 *
 * The table is a fixed piece of memory, shared by the workers of a pool and kept by their monitor:
 * a worker's death or a new policy forgets nothing. It is divided into lots; a session always
 * falls into the same, so one that floods can fill its own lot and no other. A full lot refuses
 * (REPLAY_FULL): nothing live is ever thrown out to make room. Keys are keyed 128-bit hashes.
 *
 * A robust mutex guards it: a worker that dies inside leaves at most one entry half written, which
 * then matches nothing. Times are the caller's.
 */
#ifndef VALIDATOR_REPLAY_H
#define VALIDATOR_REPLAY_H

#include "common/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define REPLAY_SKEW_MS       5000u
#define REPLAY_LOT_ENTRIES   4096u
#define REPLAY_LOT_BYTES     (REPLAY_LOT_ENTRIES * 32u)
#define REPLAY_WINDOW_MAX_MS 3600000u

enum replay_verdict {
    REPLAY_NEW,     /* and now it is noted */
    REPLAY_AGAIN,   /* the very same item, sent again by the edge: as new */
    REPLAY_SEEN,    /* refuse */
    REPLAY_TOO_OLD, /* outside the window; refuse */
    REPLAY_TOO_NEW, /* its timestamp lies in the future; refuse */
    REPLAY_FULL,    /* refuse: this session has no room left */
};

struct replay_message {
    const void *session;
    size_t session_len;
    const char *type;
    size_t type_len;
    const void *id;
    size_t id_len;
    uint64_t timestamp_ms;
    uint64_t now_ms;
    uint64_t window_ms;
    uint64_t owner; /* names the item, see proto/validator.proto; 0: nothing does */
};

/* Memory for `lots` lots in a memfd, with a fresh key; close-on-exec. */
GH_NODISCARD enum gh_err replay_create(uint32_t lots, int *ret_fd);

struct replay;
/* Maps what replay_create made. The descriptor may be closed after. */
GH_NODISCARD enum gh_err replay_map(int fd, struct replay **ret_replay);
void replay_unmap(struct replay *replay); /* NULL is a no-op */

enum replay_verdict replay_judge(struct replay *replay, const struct replay_message *message);

/* Entries that are live at now_ms; for metrics. Not exact while others write. */
uint64_t replay_count(const struct replay *replay, uint64_t now_ms);

#endif
