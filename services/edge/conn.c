#include "conn.h"

#include "app_link.h"
#include "batcher.h"
#include "delivery.h"
#include "edge.h"
#include "events.h"
#include "handshake.h"
#include "http.h"
#include "inbound.h"
#include "latest.h"
#include "outbound.h"
#include "pmd.h"
#include "refusal.h"
#include "replies.h"
#include "resume.h"
#include "session_link.h"

#include "common/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CONTROL_ROOM 1024         /* control frames may exceed the queue's cap by this */
#define WRITE_MAX    (256u << 10) /* one write; the rest stays ours */

/* --- life ------------------------------------------------------------------------------------- */

static void conn_free(struct conn *conn)
{
    struct edge *edge = conn->edge;

    wheel_clear(&edge->wheel, &conn->timer);
    if (conn->dirty_at != NULL) {
        *conn->dirty_at = conn->dirty_next;
        if (conn->dirty_next != NULL) conn->dirty_next->dirty_at = conn->dirty_at;
    }
    if ((conn->paused & CONN_PAUSE_ANSWERED) != 0) edge->answered--;
    address_leave(&edge->addresses, conn->address_entry);
    conn_table_remove(&edge->conns, conn->id);
    handshake_free(conn->handshake);
    resume_free(conn->resume);
    outbox_drop(&conn->outbox, &edge->pool);
    free(conn->assembly);
    pmd_peer_free(conn->pmd);
    if (conn->identity != NULL) {
        free(conn->identity->renewed);
        free(conn->identity->origin);
    }
    free(conn->identity);
    free(conn);
}

static void handshake_begins(struct conn *conn)
{
    conn->edge->handshakes++;
    if (conn->address_entry != NULL) conn->address_entry->handshakes++;
}

static void handshake_ends(struct conn *conn)
{
    conn->edge->handshakes--;
    if (conn->address_entry != NULL) conn->address_entry->handshakes--;
}

void conn_accept(struct edge *edge, const struct conn_socket *socket)
{
    struct conn *conn = calloc(1, sizeof *conn);
    struct lws *wsi;
    uint64_t id;

    if (conn == NULL || conn_table_add(&edge->conns, conn, &conn->id) != GH_OK) {
        free(conn);
        address_leave(&edge->addresses, socket->address_entry);
        events_handshake_failed(edge, &socket->addr);
        (void)close(socket->fd);
        return;
    }
    conn->edge = edge;
    conn->tls = socket->tls;
    conn->addr = socket->addr;
    conn->port = socket->port;
    conn->refuse = (uint8_t)socket->refuse;
    conn->plain_on_tls = socket->plain_on_tls;
    conn->address_entry = socket->address_entry;
    conn->opened_ms = edge_now(edge);
    conn->close_due_ms = socket->accepted_ms + (int64_t)edge->config.handshake_timeout_ms;
    gh_request_id(conn->request_id);
    handshake_begins(conn);
    id = conn->id;
    wsi = transport_adopt(edge->transport, socket->fd, socket->tls, conn);
    /* An adoption that ends at once (the client has gone) may have told conn_on_closed, which has
     * freed conn then: not a byte of it may be touched before this look. */
    if (conn_table_find(&edge->conns, id) == NULL) return;
    conn->wsi = wsi;
    if (wsi == NULL) {
        handshake_ends(conn);
        events_handshake_failed(edge, &conn->addr);
        conn_free(conn);
        return;
    }
    transport_own_deadlines(wsi);
    conn_rearm(conn);
}

void conn_leave(struct conn *conn)
{
    struct edge *edge = conn->edge;

    if (conn->left || conn->identity == NULL) return;
    conn->left = true;
    batcher_forget(conn);
    delivery_forget(conn);
    outbound_forget(conn);
    app_link_leave(conn);
    if (!resume_leave(conn)) session_link_end(edge->session_link, conn);
    directory_leave(&edge->directory, conn);
    if (conn->counted) {
        edge->open--;
        (*conn->route->active)--;
        (*edge->stats.closed[conn->code < GH_CODE_COUNT ? conn->code : GH_CODE_INTERNAL])++;
    }
    events_closed(conn);
}

void conn_on_closed(void *ctx, void *user)
{
    struct conn *conn = user;
    struct edge *edge = ctx;

    if (conn->state == CONN_HEAD || conn->state == CONN_ADMITTING) {
        handshake_ends(conn);
        events_handshake_failed(edge, &conn->addr);
        handshake_abandon(conn);
    }
    conn_leave(conn);
    conn->wsi = NULL;
    conn_free(conn);
}

void conn_kill(struct conn *conn)
{
    conn->killed = true;
    conn_mark_dirty(conn);
}

/* --- reading ---------------------------------------------------------------------------------- */

void conn_on_rx(void *ctx, void *user, uint8_t *data, size_t len)
{
    struct conn *conn = user;

    (void)ctx;
    if (conn->killed) return;
    conn->bytes_in += len;
    switch ((enum conn_state)conn->state) {
    case CONN_HEAD: handshake_rx(conn, data, len); break;
    case CONN_ADMITTING:
        conn_refuse(conn, GH_CODE_BAD_REQUEST, 0, "bytes before the answer");
        break;
    case CONN_OPEN:
    case CONN_CLOSING: inbound_rx(conn, data, len); break;
    case CONN_LINGER: break; /* read only so that the peer gets our last word */
    }
}

void conn_pause(struct conn *conn, unsigned why)
{
    if (conn->paused == 0) {
        (*conn->edge->stats.pauses)++;
        transport_pause(conn->wsi, true);
    }
    conn->paused |= (uint8_t)why;
}

void conn_resume(struct conn *conn, unsigned why)
{
    if ((conn->paused & why) == 0) return;
    conn->paused &= (uint8_t)~why;
    if (conn->paused == 0) transport_pause(conn->wsi, false);
}

/* --- writing ---------------------------------------------------------------------------------- */

void conn_mark_dirty(struct conn *conn)
{
    struct edge *edge = conn->edge;

    if (conn->dirty_at != NULL) return;
    conn->dirty_next = edge->dirty;
    conn->dirty_at = &edge->dirty;
    if (edge->dirty != NULL) edge->dirty->dirty_at = &conn->dirty_next;
    edge->dirty = conn;
}

static void linger(struct conn *conn, uint8_t paused)
{
    conn->state = CONN_LINGER;
    conn->close_due_ms = edge_now(conn->edge) + (int64_t)conn->edge->config.close_timeout_ms;
    conn->paused = paused;
    transport_pause(conn->wsi, paused != 0);
    conn_rearm(conn);
    conn_mark_dirty(conn);
}

void conn_flush(struct conn *conn)
{
    struct outbox *outbox = &conn->outbox;

    if (conn->killed) {
        transport_kill(conn->edge->transport, conn->wsi);
        return;
    }
    while (outbox->len > 0) {
        size_t n = outbox->len < WRITE_MAX ? outbox->len : WRITE_MAX;

        if (transport_choked(conn->wsi)) {
            transport_want_writable(conn->wsi);
            return;
        }
        if (!transport_write(conn->wsi, outbox->data + outbox->start, n)) {
            conn->killed = true;
            transport_kill(conn->edge->transport, conn->wsi);
            return;
        }
        conn->bytes_out += n;
        outbox_consume(outbox, &conn->edge->pool, n);
        if (outbox->len > 0 || conn->state != CONN_OPEN) continue;
        if (conn->resume != NULL) (void)resume_pump(conn);
        if (conn->latest != NULL) latest_pump(conn);
    }
    if (conn->state == CONN_CLOSING && conn->close_seen) linger(conn, 0);
    if (conn->state != CONN_LINGER || conn->finished) return;
    if (transport_choked(conn->wsi)) {
        transport_want_writable(conn->wsi);
        return;
    }
    conn->finished = true;
    transport_finish(conn->wsi);
}

void conn_on_writable(void *ctx, void *user)
{
    (void)ctx;
    conn_flush(user);
}

/* A message as it goes out; len is the message's own length. */
static void queue_message(struct conn *conn, const uint8_t *payload, size_t payload_len,
                          bool deflated, size_t len, bool binary)
{
    struct edge *edge = conn->edge;
    enum gh_err err = outbox_frame(&conn->outbox, &edge->pool, binary ? FRAME_BINARY : FRAME_TEXT,
                                   deflated, payload, payload_len, edge->config.max_queue_bytes);

    if (err != GH_OK) {
        conn_close(conn, err == GH_ERR_LIMIT ? GH_CODE_SLOW_CONSUMER : GH_CODE_INTERNAL, 0,
                   err == GH_ERR_LIMIT ? "queue full" : "no memory");
        return;
    }
    conn->messages_out++;
    (*conn->route->messages_out)++;
    *conn->route->bytes_out += len;
    conn_mark_dirty(conn);
}

void conn_send(struct conn *conn, const void *data, size_t len, bool binary)
{
    struct edge *edge = conn->edge;
    const uint8_t *deflated;
    size_t n;

    if (conn->state != CONN_OPEN || conn->close_sent) return;
    if (conn->pmd == NULL || !pmd_deflate(edge->pmd, conn->pmd, data, len, &deflated, &n)) {
        queue_message(conn, data, len, false, len, binary);
        return;
    }
    (*edge->stats.deflated_out)++;
    *edge->stats.deflated_out_plain += len;
    *edge->stats.deflated_out_wire += n;
    queue_message(conn, deflated, n, true, len, binary);
}

void conn_send_plain(struct conn *conn, const void *data, size_t len, bool binary)
{
    if (conn->state != CONN_OPEN || conn->close_sent) return;
    queue_message(conn, data, len, false, len, binary);
}

void conn_deliver(struct conn *conn, const void *data, size_t len, bool binary)
{
    if (conn->resume != NULL)
        resume_send(conn, data, len, binary);
    else
        conn_send(conn, data, len, binary);
}

void conn_send_control(struct conn *conn, uint8_t opcode, const void *data, size_t len)
{
    struct edge *edge = conn->edge;

    if (outbox_frame(&conn->outbox, &edge->pool, opcode, false, data, len,
                     edge->config.max_queue_bytes + CONTROL_ROOM) != GH_OK) {
        conn_kill(conn);
        return;
    }
    conn_mark_dirty(conn);
}

/* --- ends ------------------------------------------------------------------------------------- */

void conn_refuse(struct conn *conn, uint32_t code, uint64_t retry_after_ms, const char *reason)
{
    struct edge *edge = conn->edge;
    struct refusal refusal = { .code = code,
                               .request_id = conn->request_id,
                               .retry_after_ms = retry_after_ms,
                               .tls = conn->tls };
    char answer[REFUSAL_MAX];

    if (http_refuse(conn, code, retry_after_ms, reason)) return;
    (*edge->stats.refused[code < GH_CODE_COUNT ? code : GH_CODE_INTERNAL])++;
    events_refused(conn, code, reason);
    conn->code = (uint8_t)code;
    conn_answer(conn, answer, refusal_write(&refusal, answer));
}

void conn_answer(struct conn *conn, const void *answer, size_t len)
{
    struct edge *edge = conn->edge;

    handshake_ends(conn);
    handshake_abandon(conn);
    if (outbox_bytes(&conn->outbox, &edge->pool, answer, len, len) != GH_OK) {
        conn->state = CONN_LINGER;
        conn_kill(conn);
        return;
    }
    /* Thousands that are refused may hang up together, and the loop takes all that is ready in one
     * turn. So it is not told of these: the wheel, which does a few in a turn, looks after them. */
    edge->answered++;
    linger(conn, CONN_PAUSE_ANSWERED);
}

void conn_close(struct conn *conn, uint32_t code, uint16_t ws_code, const char *reason)
{
    const struct gh_code_info *info = gh_code_info(code);
    uint8_t payload[2 + 64];
    size_t len = strlen(info->name);

    if (conn->state != CONN_OPEN || conn->close_sent) return;
    if (ws_code == 0) ws_code = info->close_code != 0 ? info->close_code : 1008;
    conn->ws_code = ws_code;
    conn->code = (uint8_t)code;
    if (reason != NULL && gh_log_enabled(GH_LOG_DEBUG))
        gh_log(GH_LOG_DEBUG, "closing", "request_id=%s close_code=%u code=%s reason=\"%s\"",
               conn->request_id, ws_code, info->name, reason);
    events_closing(conn, reason);
    payload[0] = (uint8_t)(ws_code >> 8);
    payload[1] = (uint8_t)ws_code;
    if (len > sizeof payload - 2) len = sizeof payload - 2;
    memcpy(payload + 2, info->name, len);
    conn->close_sent = true;
    conn->state = CONN_CLOSING;
    conn->close_due_ms = edge_now(conn->edge) + (int64_t)conn->edge->config.close_timeout_ms;
    conn->paused = 0;
    transport_pause(conn->wsi, false); /* its Close frame is wanted */
    free(conn->assembly);
    conn->assembly = NULL;
    conn->assembly_due_ms = 0;
    conn_send_control(conn, FRAME_CLOSE, payload, 2 + len);
    conn_leave(conn);
    conn_rearm(conn);
}

void conn_rotate_csrf(struct conn *conn, const char *csrf)
{
    struct identity *who = conn->identity;

    memcpy(who->csrf_previous, who->csrf, sizeof who->csrf_previous);
    (void)snprintf(who->csrf, sizeof who->csrf, "%s", csrf);
    who->csrf_until_ms = edge_now(conn->edge) + IDENTITY_OVERLAP_MS;
    replies_csrf_rotated(conn);
}

void conn_open(struct conn *conn)
{
    struct edge *edge = conn->edge;
    int64_t now = edge_now(edge);

    handshake_ends(conn);
    edge->open++;
    conn->counted = true;
    conn->state = CONN_OPEN;
    conn->opened_ms = conn->last_rx_ms = conn->ping_ms = now;
    conn->close_due_ms = 0;
    (*conn->route->opened)++;
    (*conn->route->active)++;
    handshake_answer(conn);
    handshake_free(conn->handshake);
    conn->handshake = NULL;
    replies_welcome(conn);
    events_opened(conn);
    if (conn->resume != NULL) {
        resume_wipe_secret(conn->resume);
        (void)resume_pump(conn);
        if (conn->left) return;
    }
    app_link_join(conn);
    delivery_prefetch(conn);
    conn_rearm(conn);
}
