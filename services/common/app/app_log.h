/*
 * app_log - what the application said of late, for sessions that come back; private to the SDK.
 *
 * Every operation that can concern a resumable session is kept under its number: for so long, and
 * for so many bytes. A connection's number means nothing to the next edge, so what was addressed to
 * one is kept under its session. Pure but for memory.
 */
#ifndef GH_APP_LOG_H
#define GH_APP_LOG_H

#include "common/err.h"

#include <app.pb-c.h>
#include <stdbool.h>

#define GH_APP_LOG_BYTES_MAX (64u << 20)

struct gh_app_kept {
    struct gh_app_kept *next;
    int64_t at_ms;
    size_t bytes;
    Gh__AppOp op;               /* conn is 0; session_id instead */
    ProtobufCBinaryData except; /* session, of except_conn */
};

struct gh_app_log {
    struct gh_app_kept *first, *last;
    size_t bytes, max_bytes;
    uint64_t from; /* everything with this number and above is here */
};

void gh_app_log_init(struct gh_app_log *log, size_t max_bytes);
void gh_app_log_done(struct gh_app_log *log);

/* Keeps a copy of op, which has its number. session: of its conn, empty for none. Without memory
 * the log begins anew behind it: nothing is ever missing in the middle. */
void gh_app_log_keep(struct gh_app_log *log, const Gh__AppOp *op, ProtobufCBinaryData session,
                     ProtobufCBinaryData except, int64_t now_ms);
void gh_app_log_trim(struct gh_app_log *log, int64_t before_ms);
/* Forgets what has a greater number: it was never said. */
void gh_app_log_undo(struct gh_app_log *log, uint64_t number);
/* Is everything after cursor here? */
bool gh_app_log_reaches(const struct gh_app_log *log, uint64_t cursor);

/* Which topics a session is in, while the log is walked for it. */
struct gh_app_topics {
    ProtobufCBinaryData *list; /* borrows */
    size_t count, size;
};
/* Does this concern the session? Its own joining and leaving changes topics on the way. */
bool gh_app_log_concerns(const struct gh_app_kept *kept, ProtobufCBinaryData session,
                         ProtobufCBinaryData user, struct gh_app_topics *topics);

#endif
