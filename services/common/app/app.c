#include "common/app/app.h"

#include "common/app/app_conns.h"
#include "common/app/app_internal.h"
#include "common/clock.h"
#include "common/log.h"

#include <stdlib.h>
#include <string.h>

#define ARENA_MAX_BYTES (256u << 20)
#define FLUSH_BYTES     (4u << 20) /* well under a bus message */
#define FLUSH_OPS       8192u
#define CLOSED_LOST     1006u /* RFC 6455 section 7.1.5: ended without a close frame */

/* --- leaving ---------------------------------------------------------------------------------- */

static void edge_push(struct gh_app *app, struct gh_app_edge *edge)
{
    Gh__AppPush push = GH__APP_PUSH__INIT;

    if (edge->ops.count == 0) return;
    push.n_ops = edge->ops.count;
    push.ops = edge->ops.list;
    if (gh_server_push(app->server, edge->peer_id, GH__ENVELOPE__BODY_APP_PUSH, &push) != GH_OK) {
        *app->metric_lost += edge->ops.count;
        edge->behind = app->keep_ms > 0;
    }
    app->flushed = app->number;
    gh_app_ops_reset(&edge->ops);
}

static void push_all(struct gh_app *app)
{
    for (struct gh_app_edge *edge = app->edges; edge != NULL; edge = edge->next)
        edge_push(app, edge);
    gh_arena_reset(app->arena);
    app->waiting = false;
}

static void on_prepare(uv_prepare_t *prepare)
{
    struct gh_app *app = prepare->data;

    if (app->waiting) push_all(app);
}

/* Something did not reach it: before anything else it is told, and asks for all its resumable
 * sessions. */
static void tell_behind(struct gh_app *app, struct gh_app_edge *edge)
{
    Gh__AppOp lost = GH__APP_OP__INIT, *copy;

    lost.kind = GH__APP_OP_KIND__APP_LOST;
    copy = gh_app_op_copy(app->arena, &lost);
    if (copy != NULL && gh_app_ops_add(&edge->ops, copy) == GH_OK) edge->behind = false;
}

void gh_app_edge_add(struct gh_app *app, struct gh_app_edge *edge, Gh__AppOp *op)
{
    if (edge->behind) tell_behind(app, edge);
    if (op == NULL || gh_app_ops_add(&edge->ops, op) != GH_OK) {
        (*app->metric_lost)++;
        return;
    }
    app->waiting = true;
    if (edge->ops.bytes >= FLUSH_BYTES || edge->ops.count >= FLUSH_OPS) edge_push(app, edge);
}

static ProtobufCBinaryData session_of(const struct gh_app_conn *conn)
{
    return conn != NULL && conn->resumable ? conn->session_id : (ProtobufCBinaryData){ 0 };
}

/* What may concern a resumable session is kept, under its number. */
static void keep(struct gh_app *app, const struct gh_app_conn *conn,
                 const struct gh_app_conn *except, Gh__AppOp *op)
{
    if (app->keep_ms == 0 || (conn != NULL && !conn->resumable)) return;
    op->number = ++app->number;
    gh_app_log_keep(&app->log, op, session_of(conn), session_of(except), gh_clock_mono_ms());
}

static void tell(struct gh_app *app, const struct gh_app_conn *conn, Gh__AppOp *op)
{
    Gh__AppOp *copy;

    keep(app, conn, NULL, op);
    if (conn != NULL && conn->edge == NULL) return; /* its client is away */
    copy = gh_app_op_copy(app->arena, op);
    if (conn != NULL) {
        gh_app_edge_add(app, conn->edge, copy);
        return;
    }
    for (struct gh_app_edge *edge = app->edges; edge != NULL; edge = edge->next) {
        /* One copy serves all edges, but a connection's number means something on its own edge
         * only. */
        gh_app_edge_add(app, edge, copy);
    }
}

void gh_app_send(struct gh_app *app, struct gh_app_target target, struct gh_app_out out)
{
    Gh__AppOp op = GH__APP_OP__INIT;

    op.kind = GH__APP_OP_KIND__APP_SEND;
    op.data = gh_bytes(out.data, out.len);
    op.type = gh_bytes_str(out.type);
    op.binary = out.binary;
    op.conflatable = out.conflatable;
    if (target.conn != NULL) {
        op.conn = target.conn->id;
        tell(app, target.conn, &op);
        return;
    }
    op.session_id = target.session_id;
    op.user = target.user;
    op.topic = target.topic;
    if (target.except == NULL) {
        tell(app, NULL, &op);
        return;
    }
    keep(app, NULL, target.except, &op);
    for (struct gh_app_edge *edge = app->edges; edge != NULL; edge = edge->next) {
        op.except_conn = edge == target.except->edge ? target.except->id : 0;
        gh_app_edge_add(app, edge, gh_app_op_copy(app->arena, &op));
    }
}

static void topic_op(struct gh_app *app, const struct gh_app_conn *conn, Gh__AppOpKind kind,
                     ProtobufCBinaryData topic)
{
    Gh__AppOp op = GH__APP_OP__INIT;

    op.kind = kind;
    op.conn = conn->id;
    op.topic = topic;
    tell(app, conn, &op);
}

void gh_app_subscribe(struct gh_app *app, const struct gh_app_conn *conn, ProtobufCBinaryData topic)
{
    topic_op(app, conn, GH__APP_OP_KIND__APP_SUBSCRIBE, topic);
}

void gh_app_unsubscribe(struct gh_app *app, const struct gh_app_conn *conn,
                        ProtobufCBinaryData topic)
{
    topic_op(app, conn, GH__APP_OP_KIND__APP_UNSUBSCRIBE, topic);
}

void gh_app_disconnect(struct gh_app *app, const struct gh_app_conn *conn, uint16_t close_code,
                       const char *reason)
{
    Gh__AppOp op = GH__APP_OP__INIT;

    op.kind = GH__APP_OP_KIND__APP_DISCONNECT;
    op.conn = conn->id;
    op.close_code = close_code;
    op.close_reason = gh_bytes_str(reason);
    tell(app, conn, &op);
}

size_t gh_app_conn_count(const struct gh_app *app)
{
    return app->conn_count;
}

/* --- coming in -------------------------------------------------------------------------------- */

static struct gh_app_edge *edge_of(struct gh_app *app, const struct gh_peer *peer)
{
    struct gh_app_edge *edge = app->edges;

    while (edge != NULL && edge->peer_id != peer->id)
        edge = edge->next;
    if (edge != NULL) return edge;
    edge = calloc(1, sizeof(*edge));
    if (edge == NULL) return NULL;
    edge->peer_id = peer->id;
    edge->next = app->edges;
    app->edges = edge;
    return edge;
}

static void conn_end(struct gh_app *app, struct gh_app_conn *conn, uint32_t close_code)
{
    if (conn->edge != NULL) gh_app_conns_remove(&conn->edge->conns, conn);
    if (conn->resumable) gh_app_sessions_remove(&app->sessions, conn);
    app->conn_count--;
    *app->metric_conns = app->conn_count;
    if (app->handlers.on_close != NULL) app->handlers.on_close(app->ctx, conn, close_code);
    gh_app_conn_free(conn);
}

/* Its client may come back. */
static void conn_detach(struct gh_app *app, struct gh_app_conn *conn)
{
    gh_app_conns_remove(&conn->edge->conns, conn);
    conn->edge = NULL;
    conn->id = 0;
    gh_app_sessions_detach(&app->sessions, conn, gh_clock_mono_ms());
}

/* The session is known: whatever edge it was on, it is on this one now. */
static enum gh_err conn_move(struct gh_app *app, struct gh_app_edge *edge, const Gh__AppItem *item,
                             struct gh_app_conn *conn)
{
    enum gh_err err;

    if (conn->edge == edge && conn->id == item->conn) return GH_OK;
    if (conn->edge != NULL) conn_detach(app, conn);
    gh_app_sessions_remove(&app->sessions, conn);
    err = gh_app_conns_move(&edge->conns, edge, item->conn, item->identity, conn);
    if (gh_app_sessions_add(&app->sessions, conn) != GH_OK) conn->resumable = false;
    if (err != GH_OK && conn->resumable)
        gh_app_sessions_detach(&app->sessions, conn, gh_clock_mono_ms());
    return err;
}

static enum gh_err conn_new(struct gh_app *app, struct gh_app_edge *edge, const Gh__AppItem *item)
{
    struct gh_app_conn *conn = NULL;
    enum gh_err err = gh_app_conns_add(&edge->conns, edge, item->conn, item->identity, &conn);

    if (err == GH_ERR_EXISTS) return GH_OK; /* announced again after a doubtful answer */
    if (err != GH_OK) return err;
    if (conn->resumable && gh_app_sessions_add(&app->sessions, conn) != GH_OK)
        conn->resumable = false;
    app->conn_count++;
    *app->metric_conns = app->conn_count;
    if (item->resume != NULL) {
        conn->resumed = true;
        conn->topics = item->resume->topics;
        conn->topic_count = item->resume->n_topics;
    }
    if (app->handlers.on_open != NULL) app->handlers.on_open(app->ctx, conn);
    conn->resumed = false;
    conn->topics = NULL;
    conn->topic_count = 0;
    return GH_OK;
}

static enum gh_err item_open(struct gh_app *app, struct gh_app_edge *edge, const Gh__AppItem *item)
{
    struct gh_app_conn *known;
    enum gh_err err;

    if (item->identity == NULL) return GH_ERR_BAD_MESSAGE;
    known = gh_app_sessions_find(&app->sessions, item->identity->session_id);
    /* What was missed comes first; what on_open says is said now, and so behind it. */
    if (item->resume != NULL) gh_app_catch_up(app, edge, item);
    err = known != NULL && item->identity->resumable ? conn_move(app, edge, item, known)
                                                     : conn_new(app, edge, item);
    return err;
}

static enum gh_err take_item(struct gh_app *app, struct gh_app_edge *edge, const Gh__AppItem *item)
{
    struct gh_app_conn *conn;

    if (item->kind == GH__APP_ITEM_KIND__APP_OPEN) return item_open(app, edge, item);
    if (item->kind == GH__APP_ITEM_KIND__APP_RESUME) {
        if (item->identity == NULL || item->resume == NULL) return GH_ERR_BAD_MESSAGE;
        gh_app_catch_up(app, edge, item);
        return GH_OK;
    }
    conn = gh_app_conns_find(&edge->conns, item->conn);
    if (conn == NULL) {
        (*app->metric_strays)++; /* a close may cross our own restart */
        return GH_OK;
    }
    if (item->kind == GH__APP_ITEM_KIND__APP_CLOSE) {
        if (item->detached && conn->resumable)
            conn_detach(app, conn);
        else
            conn_end(app, conn, item->close_code);
        return GH_OK;
    }
    if (item->kind != GH__APP_ITEM_KIND__APP_MESSAGE) return GH_ERR_BAD_MESSAGE;
    (*app->metric_messages)++;
    app->handlers.on_message(
        app->ctx, conn,
        &(struct gh_app_message){
            .type = item->type, .id = item->id, .data = item->data, .binary = item->binary });
    return GH_OK;
}

static enum gh_err on_batch(void *ctx, const struct gh_peer *peer, const void *body,
                            struct gh_reply *reply)
{
    struct gh_app *app = ctx;
    const Gh__AppBatch *batch = body;
    Gh__AppAnswer answer = GH__APP_ANSWER__INIT;
    struct gh_app_edge *edge = edge_of(app, peer);
    const uint64_t before = app->number;
    enum gh_err err = GH_OK;

    if (edge == NULL) return GH_ERR_NOMEM;
    if (batch->resume_ms > 0) gh_app_keep_for(app, batch->resume_ms);
    for (size_t i = 0; i < batch->n_items && err == GH_OK; i++)
        err = take_item(app, edge, batch->items[i]);
    if (err == GH_OK && app->handlers.on_batch != NULL) err = app->handlers.on_batch(app->ctx);
    if (err == GH_OK) {
        answer.n_ops = edge->ops.count;
        answer.ops = edge->ops.list;
        gh_reply_send(reply, GH__ENVELOPE__BODY_APP_ANSWER, &answer);
        gh_app_ops_reset(&edge->ops);
        app->flushed = app->number;
    } else { /* what it said to others was said in the same breath: it is not true either */
        for (struct gh_app_edge *e = app->edges; e != NULL; e = e->next) {
            *app->metric_lost += e->ops.count;
            gh_app_ops_reset(&e->ops);
        }
        gh_app_log_undo(&app->log, before > app->flushed ? before : app->flushed);
    }
    push_all(app);
    return err;
}

static const struct gh_route app_routes[] = {
    { GH__ENVELOPE__BODY_APP_BATCH, GH_ROLE_EDGE, on_batch },
    { 0 },
};

static void edge_end(struct gh_app *app, struct gh_app_edge *edge)
{
    struct gh_app_conn *conn;

    while ((conn = gh_app_conns_first(&edge->conns)) != NULL) {
        if (conn->resumable && !app->ending)
            conn_detach(app, conn);
        else
            conn_end(app, conn, CLOSED_LOST);
    }
    gh_app_conns_done(&edge->conns);
    gh_app_ops_done(&edge->ops);
    free(edge);
}

/* From its first word on it hears what is said to users and topics: the connection that an APP_OPEN
 * on its way tells of may be meant already. */
static void on_peer_up(void *ctx, const struct gh_peer *peer)
{
    if (peer->role == GH_ROLE_EDGE) (void)edge_of(ctx, peer);
}

static void on_peer_down(void *ctx, const struct gh_peer *peer)
{
    struct gh_app *app = ctx;
    struct gh_app_edge **at = &app->edges;

    while (*at != NULL && (*at)->peer_id != peer->id)
        at = &(*at)->next;
    if (*at != NULL) {
        struct gh_app_edge *edge = *at;

        *at = edge->next; /* first: nothing more is sent to it */
        edge_end(app, edge);
    }
}

/* --- life ------------------------------------------------------------------------------------- */

enum gh_err gh_app_new(struct gh_service *service, const char *endpoint,
                       const struct gh_app_handlers *handlers, void *ctx, struct gh_app **ret_app)
{
    struct gh_metrics *metrics = gh_service_metrics(service);
    struct gh_app *app = calloc(1, sizeof(*app));
    enum gh_err err;

    if (app == NULL) return GH_ERR_NOMEM;
    app->handlers = *handlers;
    app->ctx = ctx;
    app->metric_conns = gh_metrics_gauge(metrics, "gatehouse_app_connections", NULL,
                                         "connections announced by edges");
    app->metric_messages = gh_metrics_counter(metrics, "gatehouse_app_messages_total", NULL,
                                              "validated messages taken");
    app->metric_lost = gh_metrics_counter(metrics, "gatehouse_app_lost_total", NULL,
                                          "operations that could not be sent");
    app->metric_strays = gh_metrics_counter(metrics, "gatehouse_app_strays_total", NULL,
                                            "items of connections never announced");
    app->metric_detached = gh_metrics_gauge(metrics, "gatehouse_app_detached", NULL,
                                            "resumable connections whose client is away");
    app->metric_kept = gh_metrics_gauge(metrics, "gatehouse_app_kept_bytes", NULL,
                                        "what was said of late, for those who come back");
    app->metric_again = gh_metrics_counter(metrics, "gatehouse_app_again_total", NULL,
                                           "operations said again to resumed sessions");
    gh_app_log_init(&app->log, GH_APP_LOG_BYTES_MAX);
    app->loop = gh_service_loop(service);
    err = gh_arena_new(ARENA_MAX_BYTES, &app->arena);
    app->flusher = malloc(sizeof(*app->flusher));
    if (err == GH_OK && app->flusher == NULL) err = GH_ERR_NOMEM;
    if (app->flusher != NULL) {
        (void)uv_prepare_init(gh_service_loop(service), app->flusher);
        app->flusher->data = app;
        (void)uv_prepare_start(app->flusher, on_prepare);
    }
    if (err == GH_OK) err = gh_service_bind(service, endpoint, app_routes, app, &app->server);
    if (err != GH_OK) {
        gh_app_free(app);
        return err;
    }
    gh_server_on_peer(app->server, on_peer_up, on_peer_down);
    *ret_app = app;
    return GH_OK;
}

static void flusher_closed(uv_handle_t *handle)
{
    free(handle);
}

void gh_app_free(struct gh_app *app)
{
    if (app == NULL) return;
    app->ending = true;
    while (app->edges != NULL) {
        struct gh_app_edge *edge = app->edges;

        app->edges = edge->next;
        edge_end(app, edge);
    }
    while (app->sessions.oldest != NULL)
        conn_end(app, app->sessions.oldest, CLOSED_LOST);
    gh_app_resume_done(app);
    if (app->flusher != NULL) uv_close((uv_handle_t *)app->flusher, flusher_closed);
    gh_arena_free(app->arena);
    free(app);
}

void gh_app_end_overdue(struct gh_app *app, int64_t before_ms)
{
    struct gh_app_conn *conn;

    while ((conn = gh_app_sessions_overdue(&app->sessions, before_ms)) != NULL)
        conn_end(app, conn, CLOSED_LOST);
}
