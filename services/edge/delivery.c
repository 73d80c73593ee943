#include "delivery.h"

#include "app_link.h"
#include "charge.h"
#include "edge.h"
#include "events.h"
#include "message_id.h"
#include "refresh.h"
#include "replies.h"
#include "resume.h"

#include <stdlib.h>
#include <string.h>

struct held { /* an accepted message that waits; its parts lie behind each other in bytes */
    struct held *next;
    uint32_t data_len;
    uint16_t type_len, id_len, class_len;
    bool binary;
    bool charged;
    char bytes[];
};

/* --- holding ---------------------------------------------------------------------------------- */

static struct app_message held_view(const struct held *held)
{
    const char *at = held->bytes;

    return (struct app_message){
        .type = { at, held->type_len },
        .id = { at + held->type_len, held->id_len },
        .rate_class = { at + held->type_len + held->id_len, held->class_len },
        .data = { at + held->type_len + held->id_len + held->class_len, held->data_len },
        .binary = held->binary,
    };
}

static void hold(struct conn *conn, const struct app_message *m, bool charged)
{
    size_t len = m->type.len + m->id.len + m->rate_class.len + m->data.len;
    struct held *held = malloc(sizeof *held + len);
    char *at;

    if (held == NULL) {
        delivery_refused(conn, GH_CODE_INTERNAL, m->id.data, m->id.len, 0);
        return;
    }
    held->next = NULL;
    held->type_len = (uint16_t)m->type.len;
    held->id_len = (uint16_t)m->id.len;
    held->class_len = (uint16_t)m->rate_class.len;
    held->data_len = (uint32_t)m->data.len;
    held->binary = m->binary;
    held->charged = charged;
    at = held->bytes;
    for (size_t i = 0; i < 4; i++) {
        struct span part = i == 0 ? m->type : i == 1 ? m->id : i == 2 ? m->rate_class : m->data;

        if (part.len > 0) memcpy(at, part.data, part.len);
        at += part.len;
    }
    if (conn->held_last != NULL)
        conn->held_last->next = held;
    else
        conn->held = held;
    conn->held_last = held;
    conn->held_bytes += (uint32_t)len;
    conn_pause(conn, CONN_PAUSE_HELD);
}

void delivery_wait(struct conn *conn, struct conn **list)
{
    if (conn->wait_at != NULL) return;
    conn->wait_next = *list;
    conn->wait_at = list;
    if (*list != NULL) (*list)->wait_at = &conn->wait_next;
    *list = conn;
}

static void stop_waiting(struct conn *conn)
{
    if (conn->wait_at == NULL) return;
    *conn->wait_at = conn->wait_next;
    if (conn->wait_next != NULL) conn->wait_next->wait_at = conn->wait_at;
    conn->wait_at = NULL;
    conn->wait_next = NULL;
}

/* --- passing on ------------------------------------------------------------------------------- */

enum pass { PASS_DONE, PASS_WAIT };

/* One message towards the application: handed over or answered (PASS_DONE), or the connection is
 * on the list of what it waits for. */
static enum pass pass_on(struct conn *conn, const struct app_message *m, bool *charged)
{
    struct lease *lease = NULL;
    uint64_t retry_ms = 0;

    if (!*charged) {
        switch (charge_take(conn, m->rate_class.data, m->rate_class.len, &lease, &retry_ms)) {
        case LEASE_WAIT: delivery_wait(conn, &lease->waiters); return PASS_WAIT;
        case LEASE_NO:
            delivery_refused(conn, GH_CODE_RATE_LIMITED, m->id.data, m->id.len, retry_ms);
            return PASS_DONE;
        case LEASE_YES: *charged = true; break;
        }
    }
    switch (app_link_message(conn, m)) {
    case GH_OK: return PASS_DONE;
    case GH_ERR_BUSY: return PASS_WAIT; /* it has put the connection on its list */
    default:
        delivery_refused(conn, GH_CODE_UNAVAILABLE, m->id.data, m->id.len, 0);
        return PASS_DONE;
    }
}

static void pump(struct conn *conn)
{
    while (conn->held != NULL && conn->state == CONN_OPEN) {
        struct held *held = conn->held;
        struct app_message m = held_view(held);

        if (pass_on(conn, &m, &held->charged) == PASS_WAIT) return;
        if (conn->held != held) return; /* the connection left */
        conn->held = held->next;
        if (conn->held == NULL) conn->held_last = NULL;
        conn->held_bytes -= (uint32_t)(m.type.len + m.id.len + m.rate_class.len + m.data.len);
        free(held);
    }
    if (conn->held == NULL) conn_resume(conn, CONN_PAUSE_HELD);
}

void delivery_wake(struct conn **list)
{
    struct conn *waiters = *list;

    /* Onto a list of our own first: what must wait again joins the old one anew. */
    *list = NULL;
    if (waiters != NULL) waiters->wait_at = &waiters;
    while (waiters != NULL) {
        struct conn *conn = waiters;

        stop_waiting(conn);
        pump(conn);
    }
}

/* --- verdicts --------------------------------------------------------------------------------- */

void delivery_refused(struct conn *conn, uint32_t code, const void *id, size_t id_len,
                      uint64_t retry_after_ms)
{
    replies_error(conn, NULL, code, id, id_len, retry_after_ms);
}

void delivery_unread(struct conn *conn, uint32_t code, const void *data, size_t len, bool binary)
{
    char id[MESSAGE_ID_TEXT_MAX];
    size_t id_len = 0;
    bool found =
        !binary && message_id_find(&conn->edge->tape, (const char *)data, len, id, &id_len);

    delivery_refused(conn, code, found ? id : NULL, id_len, 0);
}

static void refused_by_validator(struct conn *conn, const Gh__Verdict *verdict)
{
    char request_id[GH_REQUEST_ID_LEN + 1];

    gh_request_id(request_id);
    events_verdict(conn, request_id, verdict);
    replies_error(conn, request_id, verdict->code, verdict->id.data, verdict->id.len, 0);
    if (verdict->code == GH_CODE_BAD_UTF8) conn_close(conn, GH_CODE_BAD_UTF8, 0, "bad UTF-8");
}

static struct span span_of(ProtobufCBinaryData bytes)
{
    return (struct span){ (const char *)bytes.data, bytes.len };
}

void delivery_verdict(struct conn *conn, const Gh__Verdict *verdict, bool binary)
{
    struct app_message m;
    bool charged = false;

    if (conn->state != CONN_OPEN) return;
    if (verdict->code != GH_CODE_OK) {
        refused_by_validator(conn, verdict);
        return;
    }
    if (verdict->score > 0) events_verdict(conn, NULL, verdict);
    if (gh_bytes_eq(verdict->type, "health-check")) {
        replies_health(conn, verdict->id.data, verdict->id.len);
        return;
    }
    if (gh_bytes_eq(verdict->type, "token_refresh")) {
        refresh_start(conn, verdict);
        return;
    }
    if (gh_bytes_eq(verdict->type, "ack") && resume_ack(conn, verdict)) return;
    m = (struct app_message){ .type = span_of(verdict->type),
                              .id = span_of(verdict->id),
                              .rate_class = span_of(verdict->rate_class),
                              .data = span_of(verdict->output),
                              .binary = binary };
    if (conn->held != NULL) {
        hold(conn, &m, false);
        return;
    }
    if (pass_on(conn, &m, &charged) == PASS_WAIT) hold(conn, &m, charged);
}

void delivery_prefetch(struct conn *conn)
{
    charge_prefetch(conn);
}

void delivery_forget(struct conn *conn)
{
    stop_waiting(conn);
    charge_forget(conn);
    while (conn->held != NULL) {
        struct held *held = conn->held;

        conn->held = held->next;
        free(held);
    }
    conn->held_last = NULL;
    conn->held_bytes = 0;
}

void delivery_flush(struct edge *edge)
{
    app_links_flush(edge->apps);
}

bool delivery_idle(const struct conn *conn)
{
    return conn->unanswered == 0 && conn->held == NULL && conn->app_unanswered == 0 &&
           conn->out_first == NULL && resume_idle(conn);
}
