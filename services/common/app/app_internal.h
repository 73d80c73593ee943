/*
 * app_internal - what the parts of the application SDK share; private to it.
 */
#ifndef GH_APP_INTERNAL_H
#define GH_APP_INTERNAL_H

#include "common/app/app.h"
#include "common/app/app_conns.h"
#include "common/app/app_log.h"
#include "common/app/app_ops.h"
#include "common/app/app_sessions.h"

struct gh_app_edge {
    uint64_t peer_id;
    struct gh_app_conns conns;
    struct gh_app_ops ops;
    bool behind; /* something said to it was lost */
    struct gh_app_edge *next;
};

struct gh_app {
    struct gh_server *server;
    struct gh_app_handlers handlers;
    void *ctx;
    uv_loop_t *loop;
    struct gh_app_edge *edges;
    struct gh_arena *arena; /* of the operations that wait */
    bool waiting;           /* some edge has operations */
    bool ending;
    size_t conn_count;
    uv_prepare_t *flusher; /* sends what was said outside a batch, before the loop sleeps */

    /* For sessions that come back. */
    uint64_t keep_ms; /* 0: no edge has resumable routes */
    uint64_t number;  /* of the last operation kept */
    uint64_t flushed; /* up to here all has left: it cannot be taken back */
    struct gh_app_log log;
    struct gh_app_sessions sessions;
    uv_timer_t *trimmer;

    uint64_t *metric_conns;
    uint64_t *metric_messages;
    uint64_t *metric_lost;
    uint64_t *metric_strays;
    uint64_t *metric_detached, *metric_kept, *metric_again;
};

/* app.c. op lies in app->arena; NULL counts as lost. */
void gh_app_edge_add(struct gh_app *app, struct gh_app_edge *edge, Gh__AppOp *op);
/* Ends those whose client has not come back since. */
void gh_app_end_overdue(struct gh_app *app, int64_t before_ms);

/* app_resume.c */
/* An edge has routes whose sessions may come back within window_ms. */
void gh_app_keep_for(struct gh_app *app, uint64_t window_ms);
/* Says again, to the connection of item, what its session missed; then that this was all, or that
 * it is not there any more. */
void gh_app_catch_up(struct gh_app *app, struct gh_app_edge *edge, const Gh__AppItem *item);
void gh_app_resume_done(struct gh_app *app);

#endif
