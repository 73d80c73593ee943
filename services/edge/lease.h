/*
 * lease - tokens of shared limits, taken in advance and spent here.
 *
 * One entry per (rate class, key). Tokens are the limiter's until granted, so whatever the edge
 * spends was deducted before: all edges together never admit more than the limit. What is left when
 * a lease ends goes back. How much to ask for follows demand: enough for the lease's time at the
 * rate of the last one, so a busy key asks a few times per lease and an idle one not at all.
 *
 * While the limiter is away an entry lives on its own share: a token bucket at 1/share of the
 * class's configured rate (R8).
 *
 * Pure: no I/O; now_ms is monotonic milliseconds. The table has a cap; what has not been used for
 * LEASE_IDLE_MS makes room.
 */
#ifndef EDGE_LEASE_H
#define EDGE_LEASE_H

#include "hmap.h"

#include <stdbool.h>

#define LEASE_CLASS_MAX   64
#define LEASE_KEY_MAX     256
#define LEASE_IDLE_MS     60000
#define LEASE_TABLE_MAX   200000
#define LEASE_ASK_MIN     8
#define LEASE_ASK_MAX     65536
#define LEASE_UNKNOWN_MS  10000 /* how long "no such class" is believed */
#define LEASE_REFUSAL_MIN 10    /* ms for which a refusal is believed at least */

struct conn;

struct lease_class { /* a class's configured limit, for the local share; may be absent */
    const char *name;
    uint32_t per_s;
    uint32_t burst;
};

struct lease {
    struct hmap_node node;
    struct lease *newer, *older; /* by last use */
    int64_t used_ms;
    int64_t ends_ms;    /* tokens lapse */
    int64_t refused_ms; /* until then the answer is no */
    uint32_t tokens;
    uint32_t spent;       /* in this lease */
    uint32_t granted;     /* in this lease */
    uint32_t pins;        /* holders of a pointer: not to be evicted */
    struct conn *waiters; /* the caller's: who waits for this entry's next answer */
    double share;         /* local bucket: tokens */
    int64_t share_ms;     /* local bucket: when filled last */
    bool asking;          /* an ask is with the limiter */
    bool unlimited;       /* the limiter knows no such class, believed until ends_ms */
    bool has_share;
    uint8_t class_len;
    uint16_t key_len;
    char name[]; /* class, then key */
};

struct lease_table;

enum lease_answer {
    LEASE_YES,
    LEASE_WAIT, /* an answer is on its way, or must be asked for */
    LEASE_NO,   /* refused until refused_ms */
};

/* classes is borrowed. Errors: GH_ERR_NOMEM. */
GH_NODISCARD enum gh_err lease_table_new(const struct lease_class *classes, size_t n_classes,
                                         uint32_t away_share, struct lease_table **ret_table);
void lease_table_free(struct lease_table *table);

/* Finds or makes the entry and pins it: it stays until lease_unpin. NULL: no memory, or the table
 * is full of pinned entries. */
struct lease *lease_pin(struct lease_table *table, const void *class_name, size_t class_len,
                        const void *key, size_t key_len, int64_t now_ms);
void lease_unpin(struct lease_table *table, struct lease *lease); /* NULL is a no-op */

/* Spends cost tokens if they are there. away: the limiter cannot be asked. */
enum lease_answer lease_spend(struct lease_table *table, struct lease *lease, uint32_t cost,
                              bool away, int64_t now_ms);
/* Gives back what lease_spend took, when the message was not let through after all. */
void lease_unspend(struct lease *lease, uint32_t cost);

/* How many tokens to ask for now: 0 when there is enough, or an ask is out already. The caller who
 * asks says so with lease_asked. */
uint32_t lease_wants(const struct lease *lease, int64_t now_ms);
void lease_asked(struct lease *lease);
/* The limiter's answer. tokens 0: no, until retry_after_ms. */
void lease_granted(struct lease *lease, uint32_t tokens, uint64_t retry_after_ms, uint64_t lease_ms,
                   bool known, int64_t now_ms);
void lease_ask_failed(struct lease *lease);
/* Milliseconds until a refused entry may be tried again; at least 1. */
uint64_t lease_retry_ms(const struct lease *lease, int64_t now_ms);

/* Entries that end: those past ends_ms with tokens left are handed to fn (which returns them to the
 * limiter) and emptied; unpinned idle ones are freed. Looks at `max` entries at most and goes on
 * there the next time. */
typedef void (*lease_return_fn)(void *ctx, const struct lease *lease, uint32_t tokens);
void lease_sweep(struct lease_table *table, size_t max, int64_t now_ms, lease_return_fn fn,
                 void *ctx);
/* At the end of the process: every unspent token that has not lapsed. */
void lease_return_all(struct lease_table *table, int64_t now_ms, lease_return_fn fn, void *ctx);
size_t lease_count(const struct lease_table *table);

#endif
