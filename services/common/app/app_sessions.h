/*
 * app_sessions - resumable connections by session, and those whose client is away; private to the
 * application SDK.
 *
 * A detached connection is on no edge: what is said to it is only kept (app_log.h). It ends when
 * its client has not come back in time.
 */
#ifndef GH_APP_SESSIONS_H
#define GH_APP_SESSIONS_H

#include "common/app/app.h"

struct gh_app_sessions {
    struct gh_app_conn **buckets;
    size_t bucket_count, count;
    struct gh_app_conn *oldest, *newest; /* detached, by when */
};

void gh_app_sessions_done(struct gh_app_sessions *sessions);
GH_NODISCARD enum gh_err gh_app_sessions_add(struct gh_app_sessions *sessions,
                                             struct gh_app_conn *conn);
/* Also takes it off the list of detached ones. */
void gh_app_sessions_remove(struct gh_app_sessions *sessions, struct gh_app_conn *conn);
struct gh_app_conn *gh_app_sessions_find(const struct gh_app_sessions *sessions,
                                         ProtobufCBinaryData session_id);

void gh_app_sessions_detach(struct gh_app_sessions *sessions, struct gh_app_conn *conn,
                            int64_t now_ms);
void gh_app_sessions_attach(struct gh_app_sessions *sessions, struct gh_app_conn *conn);
/* The one detached longest if that was before before_ms, else NULL. */
struct gh_app_conn *gh_app_sessions_overdue(const struct gh_app_sessions *sessions,
                                            int64_t before_ms);

#endif
