/*
 * Resumed sessions. Everything that may concern a resumable session is kept under a number that
 * counts up, and a session's stream says up to which number it has all of ours. So coming back
 * needs no agreement: in one go, what has a greater number is said again to its new connection, and
 * then that this was all. What is said after that goes to the connection like to any other; what
 * was said before and reached the new edge by another way is passed over there. Both leave in one
 * order, so nothing is missing and nothing comes twice.
 */
#include "common/app/app_internal.h"
#include "common/clock.h"
#include "common/log.h"

#include <inttypes.h>
#include <stdlib.h>

/* Beyond the window: the last heartbeat before an edge died may be two of them old, and its death
 * is noticed late. */
#define KEEP_GRACE_MS 15000
#define TRIM_MS       1000

static void on_trim(uv_timer_t *timer)
{
    struct gh_app *app = timer->data;
    const int64_t before_ms = gh_clock_mono_ms() - (int64_t)app->keep_ms;

    gh_app_end_overdue(app, before_ms);
    gh_app_log_trim(&app->log, before_ms);
    *app->metric_kept = app->log.bytes;
    *app->metric_detached = 0;
    for (const struct gh_app_conn *conn = app->sessions.oldest; conn != NULL; conn = conn->newer)
        (*app->metric_detached)++;
}

void gh_app_keep_for(struct gh_app *app, uint64_t window_ms)
{
    if (window_ms + KEEP_GRACE_MS > app->keep_ms) app->keep_ms = window_ms + KEEP_GRACE_MS;
    if (app->trimmer != NULL) return;
    app->trimmer = malloc(sizeof(*app->trimmer));
    if (app->trimmer == NULL) return; /* the log's cap holds; the next batch tries again */
    (void)uv_timer_init(app->loop, app->trimmer);
    app->trimmer->data = app;
    (void)uv_timer_start(app->trimmer, on_trim, TRIM_MS, TRIM_MS);
}

static void add(struct gh_app *app, struct gh_app_edge *edge, uint64_t conn, const Gh__AppOp *op)
{
    Gh__AppOp *copy = gh_app_op_copy(app->arena, op);

    if (copy != NULL) {
        copy->conn = conn;
        copy->session_id.len = copy->user.len = 0;
        if (copy->kind == GH__APP_OP_KIND__APP_SEND) copy->topic.len = 0;
    }
    gh_app_edge_add(app, edge, copy);
}

void gh_app_catch_up(struct gh_app *app, struct gh_app_edge *edge, const Gh__AppItem *item)
{
    const Gh__AppIdentity *who = item->identity;
    const Gh__AppResume *resume = item->resume;
    Gh__AppOp end = GH__APP_OP__INIT;
    struct gh_app_topics topics = { 0 };
    uint64_t again = 0;

    topics.size = resume->n_topics + GH_APP_TOPICS_MAX;
    topics.list = calloc(topics.size, sizeof(*topics.list));
    end.kind = GH__APP_OP_KIND__APP_LOST;
    if (topics.list != NULL && gh_app_log_reaches(&app->log, resume->cursor)) {
        for (; topics.count < resume->n_topics; topics.count++)
            topics.list[topics.count] = resume->topics[topics.count];
        for (const struct gh_app_kept *kept = app->log.first; kept != NULL; kept = kept->next) {
            if (kept->op.number <= resume->cursor ||
                !gh_app_log_concerns(kept, who->session_id, who->user, &topics))
                continue;
            add(app, edge, item->conn, &kept->op);
            again++;
        }
        end.kind = GH__APP_OP_KIND__APP_ATTACHED;
    }
    end.number = app->number;
    add(app, edge, item->conn, &end);
    *app->metric_again += again;
    if (end.kind == GH__APP_OP_KIND__APP_LOST)
        gh_log(GH_LOG_WARN, "resume_too_late", "cursor=%" PRIu64 " kept_from=%" PRIu64,
               resume->cursor, app->log.from);
    free(topics.list);
}

static void trimmer_closed(uv_handle_t *handle)
{
    free(handle);
}

void gh_app_resume_done(struct gh_app *app)
{
    if (app->trimmer != NULL) uv_close((uv_handle_t *)app->trimmer, trimmer_closed);
    gh_app_sessions_done(&app->sessions);
    gh_app_log_done(&app->log);
}
