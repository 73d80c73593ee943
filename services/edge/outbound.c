#include "outbound.h"

#include "batcher.h"
#include "edge.h"
#include "events.h"
#include "latest.h"
#include "policy_rules.h"
#include "resume.h"

#include "common/log.h"

#include <stdlib.h>
#include <string.h>

#define COMPLAIN_MS 1000 /* between two lines on the log about the same trouble */

/* A place in the row of one connection. */
struct out_entry {
    struct out_entry *next;         /* in the connection, in order */
    struct out_entry *message_next; /* in the outgoing, while it waits */
    struct conn *conn;              /* NULL: gone meanwhile */
    struct outgoing *outgoing;      /* NULL: the application ends the connection here */
    uint32_t bytes;
    uint32_t close_code;
    bool withheld;               /* from this receiver */
    const struct app_lane *lane; /* whose word it is, and its number: resume.h */
    uint64_t number;
};

struct outgoing {
    struct outgoing *next; /* of the same message, on another route */
    struct outbound *outbound;
    const struct route *route;
    struct out_entry *entries; /* while it waits */
    uint32_t refs;             /* entries, and whoever settles it */
    bool waits;                /* for a verdict */
    bool binary;
    enum gh_code code; /* settled: GH_CODE_OK, else it goes nowhere */
    size_t cost;
    uint8_t *data; /* settled, for those who could not have it at once */
    size_t len;
};

struct outbound {
    struct edge *edge;
    struct policy_rules *rules; /* NULL: no validator has told yet */
    uint32_t epoch;             /* of rules */
    size_t bytes;
    int64_t complained_ms;
};

/* --- withholding ------------------------------------------------------------------------------ */

static void withhold(struct outbound *outbound, enum gh_code code, uint64_t n)
{
    *outbound->edge->stats.withheld[code < GH_CODE_COUNT ? code : GH_CODE_INTERNAL] += n;
}

/* Nobody gets it, and not for what it says: the operator should know. */
static void complain(struct outbound *outbound, enum gh_code code, const char *why)
{
    int64_t now = edge_now(outbound->edge);

    if (outbound->complained_ms != 0 && now - outbound->complained_ms < COMPLAIN_MS) return;
    outbound->complained_ms = now;
    gh_log(GH_LOG_WARN, "outbound_withheld", "code=%s reason=\"%s\" next=\"it is dropped\"",
           gh_code_info(code)->name, why);
}

/* --- messages that wait ----------------------------------------------------------------------- */

static void outgoing_unref(struct outgoing *outgoing)
{
    if (outgoing == NULL || --outgoing->refs > 0) return;
    outgoing->outbound->bytes -= outgoing->cost;
    free(outgoing->data);
    free(outgoing);
}

static struct outgoing *outgoing_new(struct outbound *outbound, const struct route *route,
                                     size_t len, bool binary)
{
    struct outgoing *outgoing;

    if (outbound->bytes + len > OUTBOUND_BYTES_MAX) return NULL;
    outgoing = calloc(1, sizeof *outgoing);
    if (outgoing == NULL) return NULL;
    outgoing->outbound = outbound;
    outgoing->route = route;
    outgoing->binary = binary;
    outgoing->refs = 1;
    outgoing->cost = sizeof *outgoing + len;
    outbound->bytes += outgoing->cost;
    return outgoing;
}

static bool outgoing_keep(struct outgoing *outgoing, const void *data, size_t len)
{
    if (outgoing->data != NULL || len == 0) return true;
    outgoing->data = malloc(len);
    if (outgoing->data == NULL) return false;
    memcpy(outgoing->data, data, len);
    outgoing->len = len;
    return true;
}

/* --- the row of a connection ------------------------------------------------------------------ */

static void entry_free(struct outbound *outbound, struct out_entry *entry)
{
    outbound->bytes -= sizeof *entry;
    outgoing_unref(entry->outgoing);
    free(entry);
}

/* outgoing may be NULL. NULL: no room; nothing was done. */
static struct out_entry *row_add(struct outbound *outbound, struct conn *conn,
                                 struct outgoing *outgoing, size_t bytes)
{
    struct out_entry *entry;

    if (outbound->bytes + sizeof *entry > OUTBOUND_BYTES_MAX) return NULL;
    entry = calloc(1, sizeof *entry);
    if (entry == NULL) return NULL;
    outbound->bytes += sizeof *entry;
    entry->conn = conn;
    entry->outgoing = outgoing;
    entry->bytes = (uint32_t)bytes;
    if (outgoing != NULL) outgoing->refs++;
    if (conn->out_last != NULL)
        conn->out_last->next = entry;
    else
        conn->out_first = entry;
    conn->out_last = entry;
    if (conn->resume != NULL) resume_hold(conn);
    conn->out_bytes += entry->bytes;
    /* Who makes so much come back is not read on meanwhile. */
    if (conn->out_bytes > conn->edge->config.max_queue_bytes / 4)
        conn_pause(conn, CONN_PAUSE_OUTBOUND);
    return entry;
}

static void row_pop(struct conn *conn)
{
    struct out_entry *entry = conn->out_first;

    conn->out_first = entry->next;
    if (conn->out_first == NULL) conn->out_last = NULL;
    conn->out_bytes -= entry->bytes;
    if (conn->resume != NULL && entry->lane != NULL)
        resume_passed(conn, entry->lane, entry->number);
    if (conn->resume != NULL && conn->out_first == NULL) resume_release(conn);
    entry_free(conn->edge->outbound, entry);
}

static void end_by_application(struct conn *conn, uint32_t close_code)
{
    /* Only codes an application may use: RFC 6455 section 7.4.2, and 1000. */
    bool usable = close_code == 1000 || (close_code >= 3000 && close_code <= 4999);

    conn_close(conn, usable && close_code == 1000 ? GH_CODE_OK : GH_CODE_FORBIDDEN,
               usable ? (uint16_t)close_code : 0, "by the application");
}

/* Sends what stands before the next message without a verdict. data: of the outgoing at hand, which
 * may not have a copy of its own. A connection that ends on the way has no row any more. */
static void row_pump(struct conn *conn, const struct outgoing *at_hand, const void *data,
                     size_t len)
{
    while (conn->out_first != NULL) {
        const struct out_entry *entry = conn->out_first;
        const struct outgoing *outgoing = entry->outgoing;

        if (outgoing == NULL) {
            end_by_application(conn, entry->close_code); /* forgets the row */
            return;
        }
        if (outgoing->waits) return;
        if (outgoing->code == GH_CODE_OK && !entry->withheld) {
            if (outgoing == at_hand)
                conn_deliver(conn, data, len, outgoing->binary);
            else
                conn_deliver(conn, outgoing->data, outgoing->len, outgoing->binary);
        }
        if (conn->out_first != entry) return; /* it ended */
        row_pop(conn);
    }
    conn_resume(conn, CONN_PAUSE_OUTBOUND);
}

void outbound_forget(struct conn *conn)
{
    latest_forget(conn);
    while (conn->out_first != NULL) {
        struct out_entry *entry = conn->out_first;

        conn->out_first = entry->next;
        entry->conn = NULL;
        /* One that waits is in the list of its message, which frees it. */
        if (entry->outgoing == NULL || !entry->outgoing->waits)
            entry_free(conn->edge->outbound, entry);
    }
    conn->out_last = NULL;
    conn->out_bytes = 0;
}

void outbound_close(struct outbound *outbound, struct conn *conn, uint32_t close_code)
{
    struct out_entry *entry = NULL;

    if (conn->out_first != NULL) entry = row_add(outbound, conn, NULL, 0);
    if (entry != NULL)
        entry->close_code = close_code;
    else
        end_by_application(conn, close_code);
}

/* What waits counts as what is queued: too much of both ends the connection. */
static bool row_has_room(struct conn *conn, size_t len)
{
    uint64_t waiting = (uint64_t)conn->out_bytes + conn->outbox.len + len;

    if (waiting <= conn->edge->config.max_queue_bytes) return true;
    conn_close(conn, GH_CODE_SLOW_CONSUMER, 0, "queue full");
    return false;
}

/* --- sending ---------------------------------------------------------------------------------- */

/* The word of the application is good when the message says the same in its first member. */
static bool begins_with_type(const Gh__AppOp *op)
{
    static const char head[] = "{\"type\":\"";
    const size_t head_len = sizeof head - 1;

    return op->data.len > head_len + op->type.len && memcmp(op->data.data, head, head_len) == 0 &&
           memcmp(op->data.data + head_len, op->type.data, op->type.len) == 0 &&
           op->data.data[head_len + op->type.len] == '"';
}

static void settle_judged(struct outbound_send *send)
{
    const Gh__AppOp *op = send->op;

    if (op->data.len > BATCH_BYTES_MAX) {
        send->code = GH_CODE_TOO_LARGE;
        complain(send->outbound, send->code, "larger than a validator takes");
        return;
    }
    send->judged = outgoing_new(send->outbound, send->route, op->data.len, op->binary);
    if (send->judged == NULL) {
        send->code = GH_CODE_UNAVAILABLE;
        complain(send->outbound, send->code, "too much waits for a verdict");
        return;
    }
    send->judged->waits = true;
    send->judged->next = send->sendings;
    send->sendings = send->judged;
}

/* What becomes of the message on this route. */
static void settle_route(struct outbound_send *send, const struct route *route)
{
    const struct outbound *outbound = send->outbound;
    const struct policy_route_rules *rules =
        outbound->rules != NULL ? policy_rules_route(outbound->rules, route->name) : NULL;

    send->route = route;
    send->type = NULL;
    send->judged = NULL;
    outgoing_unref(send->copy);
    send->copy = NULL;
    send->code = GH_CODE_OK;
    if (rules == NULL) {
        send->code = outbound->rules == NULL ? GH_CODE_UNAVAILABLE : GH_CODE_NOT_FOUND;
        complain(send->outbound, send->code,
                 outbound->rules == NULL ? "no validator has told its policy yet"
                                         : "no policy for the route");
        return;
    }
    for (send->judged = send->sendings; send->judged != NULL; send->judged = send->judged->next)
        if (send->judged->route == route) return;
    if (!send->op->binary && send->op->type.len > 0 && begins_with_type(send->op))
        send->type = policy_rules_type(rules, send->op->type.data, send->op->type.len);
    if (send->type == NULL || send->type->judged) settle_judged(send);
}

static uint64_t roles_of(struct outbound *outbound, struct conn *conn)
{
    struct identity *who = conn->identity;

    if (who->rules_epoch != outbound->epoch) {
        who->rules_epoch = outbound->epoch;
        who->role_bits = policy_rules_roles(outbound->rules, who->roles, who->roles_len);
    }
    return who->role_bits;
}

/* Behind what waits: the message has its verdict, or needs none. */
static void send_behind(struct outbound_send *send, struct conn *conn)
{
    const Gh__AppOp *op = send->op;
    struct out_entry *entry = NULL;

    if (!row_has_room(conn, op->data.len)) return;
    if (send->copy == NULL)
        send->copy = outgoing_new(send->outbound, send->route, op->data.len, op->binary);
    if (send->copy != NULL && outgoing_keep(send->copy, op->data.data, op->data.len))
        entry = row_add(send->outbound, conn, send->copy, op->data.len);
    if (entry != NULL) {
        entry->lane = send->lane;
        entry->number = op->number;
    } else {
        withhold(send->outbound, GH_CODE_UNAVAILABLE, 1);
        complain(send->outbound, GH_CODE_UNAVAILABLE, "too much waits for a verdict");
    }
}

static void send_judged(struct outbound_send *send, struct conn *conn)
{
    struct outgoing *outgoing = send->judged;
    struct out_entry *entry;

    if (!row_has_room(conn, send->op->data.len)) return;
    entry = row_add(send->outbound, conn, outgoing, send->op->data.len);
    if (entry == NULL) {
        withhold(send->outbound, GH_CODE_UNAVAILABLE, 1);
        complain(send->outbound, GH_CODE_UNAVAILABLE, "too much waits for a verdict");
        return;
    }
    entry->lane = send->lane;
    entry->number = send->op->number;
    entry->message_next = outgoing->entries;
    outgoing->entries = entry;
}

void outbound_begin(struct outbound_send *send, struct outbound *outbound, const Gh__AppOp *op)
{
    *send = (struct outbound_send){ .outbound = outbound, .op = op };
}

void outbound_to(struct outbound_send *send, struct conn *conn)
{
    if (conn->state != CONN_OPEN) return;
    if (send->op->conflatable && latest_hold(conn, send->op)) return;
    if (conn->route != send->route) settle_route(send, conn->route);
    if (send->code != GH_CODE_OK)
        withhold(send->outbound, send->code, 1);
    else if (send->judged != NULL)
        send_judged(send, conn);
    else if ((send->type->receive & roles_of(send->outbound, conn)) == 0)
        withhold(send->outbound, GH_CODE_ROLE, 1);
    else if (conn->out_first != NULL)
        send_behind(send, conn);
    else
        conn_deliver(conn, send->op->data.data, send->op->data.len, send->op->binary);
}

void outbound_end(struct outbound_send *send)
{
    outgoing_unref(send->copy);
    while (send->sendings != NULL) {
        struct outgoing *outgoing = send->sendings;

        send->sendings = outgoing->next;
        if (outgoing->entries == NULL)
            outgoing_unref(outgoing); /* nobody is there to have it */
        else
            batcher_add_outbound(send->outbound->edge->batcher, outgoing, outgoing->route,
                                 send->op);
    }
}

/* --- verdicts --------------------------------------------------------------------------------- */

/* Nothing waits for it any more: every receiver gets it now or has it in its row. */
static void settle(struct outgoing *outgoing, const struct policy_type_rules *type,
                   const void *data, size_t len)
{
    struct outbound *outbound = outgoing->outbound;
    struct out_entry *entry = outgoing->entries;
    uint64_t withheld = 0;

    outgoing->waits = false;
    outgoing->entries = NULL;
    while (entry != NULL) {
        struct out_entry *next = entry->message_next;
        struct conn *conn = entry->conn;

        entry->message_next = NULL;
        if (conn == NULL) {
            entry_free(outbound, entry);
            entry = next;
            continue;
        }
        if (outgoing->code != GH_CODE_OK) {
            withhold(outbound, outgoing->code, 1);
        } else if ((type->receive & roles_of(outbound, conn)) == 0) {
            entry->withheld = true;
            withheld++;
        } else if (conn->out_first != entry && !outgoing_keep(outgoing, data, len)) {
            entry->withheld = true;
            withhold(outbound, GH_CODE_INTERNAL, 1);
        }
        if (conn->out_first == entry) row_pump(conn, outgoing, data, len);
        entry = next;
    }
    if (withheld > 0) withhold(outbound, GH_CODE_ROLE, withheld);
    outgoing_unref(outgoing);
}

void outbound_verdict(struct outgoing *outgoing, const Gh__Verdict *verdict)
{
    struct outbound *outbound = outgoing->outbound;
    const struct policy_route_rules *rules =
        policy_rules_route(outbound->rules, outgoing->route->name);
    const struct policy_type_rules *type = NULL;

    (*outbound->edge->stats.judged)++;
    outgoing->code = verdict->code < GH_CODE_COUNT ? (enum gh_code)verdict->code : GH_CODE_INTERNAL;
    if (rules != NULL)
        type = outgoing->binary ? policy_rules_binary(rules)
                                : policy_rules_type(rules, verdict->type.data, verdict->type.len);
    /* The policy changed between the two: the next one will be judged by the new. */
    if (outgoing->code == GH_CODE_OK && type == NULL) outgoing->code = GH_CODE_UNKNOWN_TYPE;
    if (outgoing->code != GH_CODE_OK)
        events_withheld(outbound->edge, outgoing->route, outgoing->code, verdict);
    settle(outgoing, type, verdict->output.data, verdict->output.len);
}

void outbound_failed(struct outgoing *outgoing, uint32_t code)
{
    outgoing->code =
        code > GH_CODE_OK && code < GH_CODE_COUNT ? (enum gh_code)code : GH_CODE_INTERNAL;
    complain(outgoing->outbound, outgoing->code, "no verdict");
    settle(outgoing, NULL, NULL, 0);
}

/* --- life ------------------------------------------------------------------------------------- */

void outbound_adopt(struct outbound *outbound, const Gh__PolicyRules *message)
{
    struct policy_rules *rules = NULL;
    enum gh_err err = policy_rules_new(message, &rules);

    if (err != GH_OK) {
        gh_log(GH_LOG_ERROR, "policy_rules_bad", "error=\"%s\" next=\"those before stay\"",
               gh_err_text(err));
        return;
    }
    if (outbound->rules == NULL ||
        policy_rules_version(outbound->rules) != policy_rules_version(rules))
        gh_log(GH_LOG_INFO, "policy_rules", "policy_version=%016llx",
               (unsigned long long)policy_rules_version(rules));
    policy_rules_free(outbound->rules);
    outbound->rules = rules;
    outbound->epoch++;
}

bool outbound_ready(void *ctx)
{
    return ((const struct outbound *)ctx)->rules != NULL;
}

size_t outbound_bytes(const struct outbound *outbound)
{
    return outbound->bytes;
}

enum gh_err outbound_new(struct edge *edge, struct outbound **ret_outbound)
{
    struct outbound *outbound = calloc(1, sizeof *outbound);

    if (outbound == NULL) return GH_ERR_NOMEM;
    outbound->edge = edge;
    *ret_outbound = outbound;
    return GH_OK;
}

void outbound_free(struct outbound *outbound)
{
    if (outbound == NULL) return;
    policy_rules_free(outbound->rules);
    free(outbound);
}
