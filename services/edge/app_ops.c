#include "app_ops.h"

#include "app_link.h"
#include "edge.h"
#include "outbound.h"
#include "resume.h"

#include "common/json/utf8.h"
#include "common/log.h"

#include <string.h>

static bool is_theirs(const struct conn *conn, const struct app_link *link)
{
    return conn != NULL && conn->state == CONN_OPEN && conn->route->link == link;
}

static void send_to_user(struct edge *edge, struct app_link *link, const Gh__AppOp *op,
                         struct outbound_send *send)
{
    struct user_entry *entry = directory_user(&edge->directory, op->user.data, op->user.len);
    struct identity *identity = entry != NULL ? entry->first : NULL;

    while (identity != NULL) {
        struct identity *next = identity->user_next;

        if (is_theirs(identity->conn, link) && identity->conn->id != op->except_conn &&
            !resume_is_behind(identity->conn, send->lane))
            outbound_to(send, identity->conn);
        identity = next; /* a slow one left the list while being sent to */
    }
}

static void send_to_topic(struct edge *edge, struct app_link *link, const Gh__AppOp *op,
                          struct outbound_send *send)
{
    struct topic *topic = directory_topic(&edge->directory, link, op->topic.data, op->topic.len);
    struct subscription *sub = topic != NULL ? topic->first : NULL;

    while (sub != NULL) {
        struct subscription *next = sub->next;

        if (sub->conn->id != op->except_conn && !resume_is_behind(sub->conn, send->lane))
            outbound_to(send, sub->conn);
        sub = next;
    }
}

static void send_to_one(struct conn *conn, struct app_link *link, struct outbound_send *send)
{
    if (is_theirs(conn, link)) outbound_to(send, conn);
}

static void run_send(struct edge *edge, struct app_link *link, const struct app_lane *lane,
                     const Gh__AppOp *op)
{
    struct outbound_send send;
    struct conn *conn;

    if (!op->binary && !gh_utf8_valid(op->data.data, op->data.len)) {
        gh_log(GH_LOG_WARN, "app_sent_bad_text", "bytes=%zu next=dropped", op->data.len);
        return;
    }
    outbound_begin(&send, edge->outbound, op);
    send.lane = lane;
    if (op->conn != 0)
        send_to_one(conn_table_find(&edge->conns, op->conn), link, &send);
    else if (op->session_id.len > 0) {
        conn = directory_session(&edge->directory, op->session_id.data, op->session_id.len);
        if (conn != NULL && !resume_is_behind(conn, lane)) send_to_one(conn, link, &send);
    } else if (op->user.len > 0)
        send_to_user(edge, link, op, &send);
    else if (op->topic.len > 0)
        send_to_topic(edge, link, op, &send);
    outbound_end(&send);
}

static void run_subscribe(struct edge *edge, struct conn *conn, struct app_link *link,
                          const Gh__AppOp *op)
{
    if (op->kind == GH__APP_OP_KIND__APP_UNSUBSCRIBE)
        directory_unsubscribe(&edge->directory, conn, link, op->topic.data, op->topic.len);
    else if (directory_subscribe(&edge->directory, conn, link, op->topic.data, op->topic.len) !=
             GH_OK) {
        gh_log(GH_LOG_WARN, "subscribe_refused", "connection=%s topics=%u", conn->request_id,
               conn->n_subscriptions);
        return;
    }
    if (conn->resume != NULL)
        resume_topic(conn, op->topic.data, op->topic.len,
                     op->kind == GH__APP_OP_KIND__APP_UNSUBSCRIBE);
}

static void run_one(struct edge *edge, struct app_link *link, struct app_lane *lane,
                    const Gh__AppOp *op)
{
    struct conn *conn;

    if (op->kind == GH__APP_OP_KIND__APP_SEND) {
        run_send(edge, link, lane, op);
        return;
    }
    if (op->kind == GH__APP_OP_KIND__APP_LOST && op->conn == 0) {
        app_lane_ask_again(lane);
        return;
    }
    conn = conn_table_find(&edge->conns, op->conn);
    if (!is_theirs(conn, link)) return;
    switch (op->kind) {
    case GH__APP_OP_KIND__APP_SUBSCRIBE:
    case GH__APP_OP_KIND__APP_UNSUBSCRIBE: run_subscribe(edge, conn, link, op); break;
    case GH__APP_OP_KIND__APP_DISCONNECT:
        outbound_close(edge->outbound, conn, op->close_code);
        break;
    case GH__APP_OP_KIND__APP_ATTACHED:
        if (conn->resume != NULL) resume_attached(conn, lane);
        break;
    case GH__APP_OP_KIND__APP_LOST:
        if (conn->resume != NULL) resume_broken(conn);
        break;
    default: break;
    }
}

void app_ops_run(struct edge *edge, struct app_link *link, struct app_lane *lane, Gh__AppOp **ops,
                 size_t n_ops)
{
    *edge->stats.app_ops += n_ops;
    for (size_t i = 0; i < n_ops; i++) {
        const Gh__AppOp *op = ops[i];
        struct conn *conn;

        run_one(edge, link, lane, op);
        app_lane_passed(lane, op->number);
        /* What is said again to one that is behind has the numbers it had. */
        conn = op->conn != 0 ? conn_table_find(&edge->conns, op->conn) : NULL;
        if (conn != NULL && conn->out_first == NULL && resume_is_behind(conn, lane))
            resume_passed(conn, lane, op->number);
    }
}
