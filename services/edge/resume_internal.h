/*
 * resume_internal - what resume.c (one connection) and resume_link.c (the way to the session
 * service) share.
 */
#ifndef EDGE_RESUME_INTERNAL_H
#define EDGE_RESUME_INTERNAL_H

#include "app_link.h"
#include "directory.h"
#include "resume.h"

struct resume_entry { /* a message */
    struct resume_entry *next;
    uint32_t len;
    bool binary;
    char data[];
};

struct resume_change { /* of topics */
    struct resume_change *next;
    bool leave;
    uint8_t len;
    char name[DIRECTORY_TOPIC_MAX];
};

struct resume_lane { /* where the session is with an instance, when that is not where the lane is */
    const struct app_lane *lane;
    uint64_t cursor;
    bool behind;
};

struct resume_known { /* a cursor as the session's record had it */
    char origin[APP_ORIGIN_MAX + 1];
    uint64_t number;
};

struct resume {
    struct conn *conn;
    struct resume *dirty_next, **dirty_at; /* has something to be kept; dirty_at NULL: not listed */
    uint64_t generation, turn;
    uint64_t seq;   /* of the last message that went to the client */
    uint64_t seen;  /* what it had when it came */
    uint64_t acked; /* by the client */
    /* Messages in order: those kept that the client's queue had no room for yet, those under way to
     * be kept, those that wait. */
    struct resume_entry *first, *last;
    struct resume_entry *unkept; /* the first that is not known to be kept */
    uint32_t queued, ready, in_flight;
    size_t bytes;
    struct resume_change *changes, *changes_last;
    uint32_t changes_in_flight;
    bool flying;        /* an append is under way */
    int64_t stalled_ms; /* since when nothing can be kept; 0: it can */
    bool resumed, lost, held;
    struct resume_lane *lanes;
    size_t n_lanes;
    uint32_t n_behind;
    struct resume_topic_name {
        uint8_t len;
        char name[DIRECTORY_TOPIC_MAX];
    } * topics; /* it was in when it came */
    size_t n_topics;
    struct resume_known *cursors; /* it came with */
    size_t n_cursors;
    char secret[RESUME_SECRET_BYTES + 1];
};

void resume_dirty(struct resume *resume);
void resume_undirty(struct resume *resume);
/* The next n are in the stream. */
void resume_kept(struct conn *conn, uint32_t n);
/* It goes on without: what waits is sent, the client is told. */
void resume_lose(struct conn *conn, const char *why);
void resume_detach(struct conn *conn);
void resume_count_lost(struct resume_link *link);

#endif
