/*
 * group - what of the log becomes durable together: lines, who waits for them, which sender's
 * events they carry. No I/O.
 */
#ifndef AUDIT_GROUP_H
#define AUDIT_GROUP_H

#include "ledger.h"
#include "line.h"

typedef void (*group_done_fn)(void *ctx, enum gh_err err);

struct group_waiter {
    group_done_fn fn;
    void *ctx;
};

struct group_pin {
    struct ledger_mark *mark;
    uint64_t number;
};

struct group {
    struct gh_buf lines;
    uint64_t first_seq, last_seq; /* 0: no lines */
    struct gh_audit_hash hash;    /* of the last line */
    struct group_waiter *waiters;
    size_t waiter_count, waiter_cap;
    struct group_pin *pins;
    size_t pin_count, pin_cap;
};

void group_init(struct group *group);
void group_done(struct group *group);
bool group_empty(const struct group *group);

/* Adds a line; with mark, number is the sender's that it carries. Errors: of line_write. */
GH_NODISCARD enum gh_err group_append(struct group *group, uint64_t seq,
                                      const struct gh_audit_hash *before,
                                      const struct line_source *source, const Gh__AuditEvent *event,
                                      struct ledger_mark *mark);
GH_NODISCARD enum gh_err group_wait(struct group *group, group_done_fn fn, void *ctx);

/* The lines are on disk: their senders' events are. */
void group_settle(struct group *group);
/* Forgets the lines and pins, not who waits. */
void group_reset(struct group *group);
/* Tells who waits, once. They may append and wait again meanwhile. */
void group_tell(struct group *group, enum gh_err err);

#endif
