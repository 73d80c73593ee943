#include "events.h"

#include "edge.h"
#include "event_cap.h"

#include <stdlib.h>
#include <string.h>

#define NUMBER(field, n)                                                                           \
    {                                                                                              \
        .name = field, .number = (n)                                                               \
    }
#define TEXT(field, str)                                                                           \
    {                                                                                              \
        .name = field, .value = gh_bytes_str(str)                                                  \
    }

#define FAILURES_EVERY_MS 1000
#define FAILURES_MANY     100 /* in that time: somebody means it */

static void describe(const struct conn *conn, struct gh_audit_event *event,
                     char address[ADDR_TEXT_MAX])
{
    const struct identity *who = conn->identity;

    addr_format(&conn->addr, address);
    event->request_id = gh_bytes_str(conn->request_id);
    event->address = gh_bytes_str(address);
    if (who == NULL) return;
    event->session_id = gh_bytes_str(who->session_id);
    event->user = gh_bytes(who->user, who->user_len);
}

void events_refused(struct conn *conn, uint32_t code, const char *reason)
{
    const struct gh_code_info *info = gh_code_info(code);
    char address[ADDR_TEXT_MAX];
    struct gh_audit_event event = {
        .code = info->name,
        .fields = { TEXT("reason", reason),
                    NUMBER("status", info->http_status),
                    { .name = conn->route != NULL ? "route" : NULL } },
    };

    if (conn->route != NULL) event.fields[2].value = gh_bytes_str(conn->route->name);
    describe(conn, &event, address);
    gh_audit_emit(conn->edge->audit, info->severity, "handshake.refused", &event);
}

void events_http_refused(struct conn *conn, const char *path, uint32_t code, const char *reason)
{
    const struct gh_code_info *info = gh_code_info(code);
    char address[ADDR_TEXT_MAX];
    struct gh_audit_event event = {
        .code = info->name,
        .fields = { TEXT("reason", reason), NUMBER("status", info->http_status),
                    TEXT("path", path) },
    };

    describe(conn, &event, address);
    gh_audit_emit(conn->edge->audit, info->severity, "http.refused", &event);
}

void events_handshake_failed(struct edge *edge, const struct addr *addr)
{
    (*edge->stats.handshakes_failed)++;
    edge->failures.count++;
    edge->failures.addr = *addr;
}

void events_opened(struct conn *conn)
{
    char address[ADDR_TEXT_MAX];
    struct gh_audit_event event = { .fields = { TEXT("route", conn->route->name) } };

    describe(conn, &event, address);
    gh_audit_emit(conn->edge->audit, GH_SEV_INFO, "connection.opened", &event);
}

void events_closing(struct conn *conn, const char *reason)
{
    const struct gh_code_info *info = gh_code_info(conn->code);
    char address[ADDR_TEXT_MAX];
    struct gh_audit_event event = {
        .code = info->name,
        .fields = { NUMBER("close_code", conn->ws_code), TEXT("route", conn->route->name),
                    TEXT("reason", reason != NULL ? reason : "") },
    };

    if (info->severity < GH_SEV_NOTICE) return; /* connection.closed says it all */
    describe(conn, &event, address);
    gh_audit_emit(conn->edge->audit, info->severity, "connection.ended", &event);
}

/* --- refused messages --------------------------------------------------------------------------
 */

struct refusals { /* of one connection, in the second that goes on */
    struct event_cap cap;
    struct conn *conn;
    struct refusals *next, **at; /* in edge.refusals */
};

static void tell_suppressed(const struct refusals *refusals)
{
    struct conn *conn = refusals->conn;
    char address[ADDR_TEXT_MAX];

    for (uint32_t code = 0; refusals->cap.suppressed > 0 && code < GH_CODE_COUNT; code++) {
        const struct gh_code_info *info = gh_code_info(code);
        struct gh_audit_event event = {
            .code = info->name,
            .fields = { TEXT("route", conn->route->name),
                        NUMBER("suppressed", refusals->cap.counts[code]),
                        TEXT("connection", conn->request_id) },
        };

        if (refusals->cap.counts[code] == 0) continue;
        describe(conn, &event, address);
        gh_audit_emit(conn->edge->audit, info->severity, "message.refused", &event);
    }
}

static void end_refusals(struct refusals *refusals)
{
    tell_suppressed(refusals);
    *refusals->at = refusals->next;
    if (refusals->next != NULL) refusals->next->at = refusals->at;
    refusals->conn->refusals = NULL;
    free(refusals);
}

static struct refusals *begin_refusals(struct conn *conn)
{
    struct refusals *refusals = calloc(1, sizeof *refusals);
    struct edge *edge = conn->edge;

    if (refusals == NULL) return NULL;
    refusals->conn = conn;
    refusals->next = edge->refusals;
    refusals->at = &edge->refusals;
    if (edge->refusals != NULL) edge->refusals->at = &refusals->next;
    edge->refusals = refusals;
    conn->refusals = refusals;
    event_cap_begin(&refusals->cap, edge_now(edge));
    return refusals;
}

static void tell_all_suppressed(struct edge *edge, int64_t now_ms)
{
    struct refusals *next;

    for (struct refusals *refusals = edge->refusals; refusals != NULL; refusals = next) {
        next = refusals->next;
        if (event_cap_over(&refusals->cap, now_ms)) end_refusals(refusals);
    }
}

static bool may_tell(struct conn *conn, uint32_t code)
{
    struct refusals *refusals = conn->refusals;

    if (refusals != NULL && event_cap_over(&refusals->cap, edge_now(conn->edge))) {
        end_refusals(refusals);
        refusals = NULL;
    }
    if (refusals == NULL) refusals = begin_refusals(conn);
    return refusals == NULL || event_cap_take(&refusals->cap, code);
}

void events_closed(struct conn *conn)
{
    char address[ADDR_TEXT_MAX];
    struct gh_audit_event event = {
        .code = gh_code_info(conn->code)->name,
        .fields = { NUMBER("close_code", conn->ws_code != 0 ? conn->ws_code : 1006),
                    NUMBER("messages_in", conn->messages_in),
                    NUMBER("messages_out", conn->messages_out), NUMBER("bytes_in", conn->bytes_in),
                    NUMBER("bytes_out", conn->bytes_out), NUMBER("refused", conn->refused),
                    NUMBER("latency_us", (uint64_t)conn->latency_us),
                    NUMBER("open_ms", (uint64_t)(edge_now(conn->edge) - conn->opened_ms)),
                    TEXT("route", conn->route->name) },
    };

    if (conn->refusals != NULL) end_refusals(conn->refusals);
    describe(conn, &event, address);
    gh_audit_emit(conn->edge->audit, GH_SEV_INFO, "connection.closed", &event);
}

/* What a verdict says of a message, as the first fields; how many. */
static size_t describe_verdict(const struct route *route, const Gh__Verdict *verdict,
                               struct gh_audit_event *event)
{
    size_t n = 0;

    event->fields[n++] = (struct gh_audit_field)TEXT("route", route->name);
    if (verdict->type.len > 0)
        event->fields[n++] = (struct gh_audit_field){ .name = "type", .value = verdict->type };
    if (verdict->pointer.len > 0)
        event->fields[n++] =
            (struct gh_audit_field){ .name = "pointer", .value = verdict->pointer };
    if (verdict->rule.len > 0)
        event->fields[n++] = (struct gh_audit_field){ .name = "rule", .value = verdict->rule };
    return n;
}

void events_verdict(struct conn *conn, const char *request_id, const Gh__Verdict *verdict)
{
    const struct gh_code_info *info = gh_code_info(verdict->code);
    char address[ADDR_TEXT_MAX];
    struct gh_audit_event event = { .code = info->name };
    size_t n;

    if (verdict->code != 0 && !may_tell(conn, verdict->code)) return;
    describe(conn, &event, address);
    if (request_id != NULL) event.request_id = gh_bytes_str(request_id);
    n = describe_verdict(conn->route, verdict, &event);
    if (verdict->score > 0)
        event.fields[n++] = (struct gh_audit_field)NUMBER("score", verdict->score);
    event.fields[n] = (struct gh_audit_field)TEXT("connection", conn->request_id);
    gh_audit_emit(conn->edge->audit, verdict->code != 0 ? info->severity : GH_SEV_NOTICE,
                  verdict->code != 0 ? "message.refused" : "message.suspicious", &event);
}

void events_withheld(struct edge *edge, const struct route *route, uint32_t code,
                     const Gh__Verdict *verdict)
{
    const struct gh_code_info *info = gh_code_info(code);
    struct gh_audit_event event = { .code = info->name };
    char request_id[GH_REQUEST_ID_LEN + 1];

    gh_request_id(request_id);
    event.request_id = gh_bytes_str(request_id);
    (void)describe_verdict(route, verdict, &event);
    gh_audit_emit(edge->audit, info->severity > GH_SEV_NOTICE ? info->severity : GH_SEV_WARNING,
                  "message.withheld", &event);
}

/* --- the tick ----------------------------------------------------------------------------------
 */

static void tell_failures(struct edge *edge)
{
    struct edge_failures *failures = &edge->failures;
    char address[ADDR_TEXT_MAX];
    struct gh_audit_event event = { .fields = { NUMBER("count", failures->count) } };

    if (failures->count == 0 || edge_now(edge) < failures->told_ms + FAILURES_EVERY_MS) return;
    addr_format(&failures->addr, address);
    event.address = gh_bytes_str(address);
    gh_audit_emit(edge->audit, failures->count < FAILURES_MANY ? GH_SEV_NOTICE : GH_SEV_WARNING,
                  "handshakes.failed", &event);
    failures->count = 0;
    failures->told_ms = edge_now(edge);
}

void events_tick(struct edge *edge)
{
    tell_failures(edge);
    tell_all_suppressed(edge, edge_now(edge));
}
