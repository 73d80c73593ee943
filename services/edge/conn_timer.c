/* A connection's one timer on the wheel: whichever of its deadlines comes first. */
#include "conn.h"
#include "edge.h"
#include "handshake.h"
#include "pmd.h"
#include "replies.h"

#include "common/clock.h"

#include <string.h>

static int64_t sooner(int64_t a, int64_t b)
{
    return b != 0 && b < a ? b : a;
}

/* Wall-clock moments on the monotonic axis. */
static int64_t wall_to_mono(const struct conn *conn, uint64_t wall_ms)
{
    return edge_now(conn->edge) + ((int64_t)wall_ms - gh_clock_wall_ms());
}

/* For one that has its answer and is not read: soon, and each time later, as its client shows no
 * haste. */
static int64_t next_look(const struct conn *conn)
{
    const int64_t now = edge_now(conn->edge);
    const int64_t since = conn->close_due_ms - (int64_t)conn->edge->config.close_timeout_ms;

    return sooner(conn->close_due_ms, now > since ? now + (now - since) : now);
}

static int64_t next_deadline(const struct conn *conn)
{
    const struct edge_config *config = &conn->edge->config;
    int64_t due, expiry;

    if ((conn->paused & CONN_PAUSE_ANSWERED) != 0) return next_look(conn);
    if (conn->state != CONN_OPEN) return conn->close_due_ms;
    due = conn->last_rx_ms + (int64_t)config->idle_timeout_ms;
    due = sooner(due, conn->ping_ms + (int64_t)(conn->ping_waiting ? config->pong_timeout_ms
                                                                   : config->ping_interval_ms));
    due = sooner(due, conn->assembly_due_ms);
    expiry = wall_to_mono(conn, conn->identity->expires_ms);
    due = sooner(due, expiry);
    if (!conn->expiry_warned) due = sooner(due, expiry - (int64_t)config->expiry_warning_ms);
    return due;
}

void conn_rearm(struct conn *conn)
{
    wheel_set(&conn->edge->wheel, &conn->timer, next_deadline(conn));
}

static void send_ping(struct conn *conn, int64_t now_ms)
{
    uint8_t payload[8];

    if (conn->pmd != NULL) pmd_peer_rest(conn->pmd);
    conn->ping_us = gh_clock_mono_us();
    memcpy(payload, &conn->ping_us, sizeof payload);
    conn->ping_ms = now_ms;
    conn->ping_waiting = true;
    conn_send_control(conn, FRAME_PING, payload, sizeof payload);
}

static void open_timer(struct conn *conn, int64_t now_ms)
{
    const struct edge_config *config = &conn->edge->config;
    int64_t left = (int64_t)conn->identity->expires_ms - gh_clock_wall_ms();

    if (left <= 0) {
        conn_close(conn, GH_CODE_TOKEN_EXPIRED, 0, "expired");
        return;
    }
    if (conn->ping_waiting && now_ms >= conn->ping_ms + (int64_t)config->pong_timeout_ms) {
        (*conn->edge->stats.health_failed)++;
        conn_close(conn, GH_CODE_TIMEOUT, 0, "no pong");
        return;
    }
    if (conn->assembly_due_ms != 0 && now_ms >= conn->assembly_due_ms) {
        conn_close(conn, GH_CODE_TIMEOUT, 0, "message too slow");
        return;
    }
    /* Not while it is our turn: a connection whose messages wait is not idle. */
    if (now_ms >= conn->last_rx_ms + (int64_t)config->idle_timeout_ms) {
        if (conn->paused == 0) {
            conn_close(conn, GH_CODE_IDLE, 0, "idle");
            return;
        }
        conn->last_rx_ms = now_ms;
    }
    if (!conn->expiry_warned && left <= (int64_t)config->expiry_warning_ms) {
        conn->expiry_warned = true;
        replies_token_expiring(conn);
    }
    if (!conn->ping_waiting && now_ms >= conn->ping_ms + (int64_t)config->ping_interval_ms)
        send_ping(conn, now_ms);
    if (conn->state == CONN_OPEN) conn_rearm(conn);
}

void conn_on_timer(struct conn *conn, int64_t now_ms)
{
    switch ((enum conn_state)conn->state) {
    case CONN_HEAD:
        /* Without a byte of HTTP there is nobody to answer: TLS is not done, or nothing was sent.
         */
        if (handshake_begun(conn))
            conn_refuse(conn, GH_CODE_TIMEOUT, 0, "head too slow");
        else
            conn_kill(conn);
        break;
    case CONN_ADMITTING: conn_refuse(conn, GH_CODE_UNAVAILABLE, 1000, "no verdict in time"); break;
    case CONN_OPEN: open_timer(conn, now_ms); break;
    case CONN_CLOSING: conn_kill(conn); break;
    case CONN_LINGER:
        if ((conn->paused & CONN_PAUSE_ANSWERED) == 0 || now_ms >= conn->close_due_ms ||
            transport_over(conn->wsi))
            conn_kill(conn);
        else
            conn_rearm(conn);
        break;
    }
}
