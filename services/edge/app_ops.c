#include "app_ops.h"

#include "edge.h"

#include "common/json/utf8.h"
#include "common/log.h"

#include <string.h>

static bool is_theirs(const struct conn *conn, const struct app_link *link)
{
    return conn != NULL && conn->state == CONN_OPEN && conn->route->link == link;
}

static void send_to_user(struct edge *edge, struct app_link *link, const Gh__AppOp *op)
{
    struct user_entry *entry = directory_user(&edge->directory, op->user.data, op->user.len);
    struct identity *identity = entry != NULL ? entry->first : NULL;

    while (identity != NULL) {
        struct identity *next = identity->user_next;

        if (is_theirs(identity->conn, link) && identity->conn->id != op->except_conn)
            conn_send(identity->conn, op->data.data, op->data.len, op->binary);
        identity = next; /* a slow one left the list while being sent to */
    }
}

static void send_to_topic(struct edge *edge, struct app_link *link, const Gh__AppOp *op)
{
    struct topic *topic = directory_topic(&edge->directory, link, op->topic.data, op->topic.len);
    struct subscription *sub = topic != NULL ? topic->first : NULL;

    while (sub != NULL) {
        struct subscription *next = sub->next;

        if (sub->conn->id != op->except_conn)
            conn_send(sub->conn, op->data.data, op->data.len, op->binary);
        sub = next;
    }
}

static void run_send(struct edge *edge, struct app_link *link, const Gh__AppOp *op)
{
    struct conn *conn;

    if (!op->binary && !gh_utf8_valid(op->data.data, op->data.len)) {
        gh_log(GH_LOG_WARN, "app_sent_bad_text", "bytes=%zu next=dropped", op->data.len);
        return;
    }
    if (op->conn != 0) {
        conn = conn_table_find(&edge->conns, op->conn);
        if (is_theirs(conn, link)) conn_send(conn, op->data.data, op->data.len, op->binary);
    } else if (op->session_id.len > 0) {
        conn = directory_session(&edge->directory, op->session_id.data, op->session_id.len);
        if (is_theirs(conn, link)) conn_send(conn, op->data.data, op->data.len, op->binary);
    } else if (op->user.len > 0) {
        send_to_user(edge, link, op);
    } else if (op->topic.len > 0) {
        send_to_topic(edge, link, op);
    }
}

static void run_disconnect(struct conn *conn, const Gh__AppOp *op)
{
    /* Only codes an application may use: RFC 6455 section 7.4.2, and 1000. */
    bool usable = op->close_code == 1000 || (op->close_code >= 3000 && op->close_code <= 4999);

    conn_close(conn, usable && op->close_code == 1000 ? GH_CODE_OK : GH_CODE_FORBIDDEN,
               usable ? (uint16_t)op->close_code : 0, "by the application");
}

void app_ops_run(struct edge *edge, struct app_link *link, Gh__AppOp **ops, size_t n_ops)
{
    *edge->stats.app_ops += n_ops;
    for (size_t i = 0; i < n_ops; i++) {
        const Gh__AppOp *op = ops[i];
        struct conn *conn;

        if (op->kind == GH__APP_OP_KIND__APP_SEND) {
            run_send(edge, link, op);
            continue;
        }
        conn = conn_table_find(&edge->conns, op->conn);
        if (!is_theirs(conn, link)) continue;
        if (op->kind == GH__APP_OP_KIND__APP_SUBSCRIBE) {
            if (directory_subscribe(&edge->directory, conn, link, op->topic.data, op->topic.len) !=
                GH_OK)
                gh_log(GH_LOG_WARN, "subscribe_refused", "connection=%s topics=%u",
                       conn->request_id, conn->n_subscriptions);
        } else if (op->kind == GH__APP_OP_KIND__APP_UNSUBSCRIBE) {
            directory_unsubscribe(&edge->directory, conn, link, op->topic.data, op->topic.len);
        } else if (op->kind == GH__APP_OP_KIND__APP_DISCONNECT) {
            run_disconnect(conn, op);
        }
    }
}
