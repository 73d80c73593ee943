/*
 * outbound - messages of applications on their way to clients.
 *
 * The policy says who may receive a type, and which types need a verdict (an outbound schema,
 * something to redact); the edge knows it from the validators (policy_rules.h). What needs none
 * goes straight on. What does is judged once for each route it goes to, however many members a
 * topic has, since nothing in that verdict depends on the receiver; who may receive it is looked at
 * here. The application names the type, and its word is taken only when the message begins with
 * it: {"type":"NAME"; everything else is judged, and found by its own bytes.
 *
 * Order per connection is kept: behind a message that waits for its verdict, everything else for
 * that connection waits, the end by the application too. Whom a message goes to is settled when
 * the application says it, not when the verdict comes.
 *
 * Closed where it cannot be known: without the policy, or without a validator for what needs one,
 * a message is withheld: counted by code and logged; one that a verdict withheld is in the audit
 * log, too. What waits is bounded, for each connection by its queue and in all by
 * OUTBOUND_BYTES_MAX.
 *
 * The edge's own messages (welcome, error, health-check ...) do not come through here.
 */
#ifndef EDGE_OUTBOUND_H
#define EDGE_OUTBOUND_H

#include "common/code.h"
#include "common/err.h"

#include <app.pb-c.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <validator.pb-c.h>

#define OUTBOUND_BYTES_MAX (64u << 20)

struct app_lane;
struct conn;
struct edge;
struct outbound;
struct outgoing; /* a message that waits for its verdict, or behind one that does */
struct policy_type_rules;
struct route;

GH_NODISCARD enum gh_err outbound_new(struct edge *edge, struct outbound **ret_outbound);
void outbound_free(struct outbound *outbound); /* after the connections and the batcher */

/* What a validator that came up has for a policy; replaces what was known. */
void outbound_adopt(struct outbound *outbound, const Gh__PolicyRules *message);

/* One message: begin, then each receiver, then end. */
struct outbound_send {
    struct outbound *outbound;
    const Gh__AppOp *op;
    const struct app_lane *lane; /* of the instance that said it */
    const struct route *route;   /* what follows is settled for this route */
    const struct policy_type_rules *type;
    enum gh_code code;         /* not GH_CODE_OK: withheld on this route */
    struct outgoing *judged;   /* on this route */
    struct outgoing *copy;     /* for those on this route with something before it */
    struct outgoing *sendings; /* all made for this message */
};

void outbound_begin(struct outbound_send *send, struct outbound *outbound, const Gh__AppOp *op);
void outbound_to(struct outbound_send *send, struct conn *conn);
void outbound_end(struct outbound_send *send);

/* The application ends a connection: behind what waits for it. */
void outbound_close(struct outbound *outbound, struct conn *conn, uint32_t close_code);
void outbound_forget(struct conn *conn); /* it leaves */

/* From the batcher: the verdict, or why there is none. Both consume the outgoing. */
void outbound_verdict(struct outgoing *outgoing, const Gh__Verdict *verdict);
void outbound_failed(struct outgoing *outgoing, uint32_t code);

bool outbound_ready(void *outbound); /* gh_ready_fn: the policy is known */
/* Bytes of messages that wait; for /metrics. */
size_t outbound_bytes(const struct outbound *outbound);

#endif
