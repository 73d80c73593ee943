/*
 * audit_client_internal - what audit_client.c (taking events, time, life) and audit_send.c (batches
 * on their way) share.
 */
#ifndef GH_AUDIT_CLIENT_INTERNAL_H
#define GH_AUDIT_CLIENT_INTERNAL_H

#include "common/arena.h"
#include "common/clients/audit_client.h"
#include "common/clients/event_queue.h"
#include "common/clients/event_sum.h"
#include "common/clients/spool.h"

#define ADOPTED_MAX 8u /* spools of the dead, at once */

struct gh_audit {
    uv_loop_t *loop;
    uv_timer_t timer; /* send, retry, sums */
    uv_timer_t adopt_timer;
    unsigned open_handles;
    bool closing;
    uint64_t due_ms; /* of timer, uv_now; 0: not running */

    struct gh_client *client;
    struct gh_arena *arena;
    char *spool_dir;
    uint64_t spool_max_bytes;
    uint64_t next_number;
    int64_t flush_ms; /* when sums are looked at again; 0: nothing is summed */
    bool full;
    uint64_t dropped_told; /* of dropped, already reported to audit */

    struct gh_spool *spool;
    struct gh_spool *adopted[ADOPTED_MAX];
    unsigned adopted_count;
    bool adopted_turn;           /* own and adopted events take turns */
    struct gh_event_queue infos; /* numbered */
    struct gh_event_queue held;  /* warnings the disk refused, not numbered yet */
    struct gh_event_sum *sum;

    struct { /* the one batch on its way */
        bool active;
        struct gh_spool *spool;
        bool own;
        uint64_t last_number;
        unsigned count;
    } batch;
    bool one_by_one; /* audit refused a batch: find the event it refuses */
    uint64_t retry_ms;

    uint64_t *emitted[GH_SEV_CRITICAL + 1];
    uint64_t *dropped;
    uint64_t *summed;
    uint64_t *refused;
    uint64_t *unspooled;
    uint64_t spare[GH_SEV_CRITICAL + 5]; /* what the pointers name without metrics */
};

/* Calls audit_client_send, and what else is due, in delay_ms at the latest. */
void audit_client_kick(struct gh_audit *audit, uint64_t delay_ms);
/* Sends the next batch, own and adopted events in turn; nothing while one is on its way. */
void audit_client_send(struct gh_audit *audit);
/* After the spool has grown or shrunk. */
void audit_client_check_full(struct gh_audit *audit);
/* The last resort for an event that goes nowhere else: the log gets all of it. */
void audit_client_log_event(struct gh_audit *audit, const char *event, const uint8_t *payload,
                            size_t len);

#endif
