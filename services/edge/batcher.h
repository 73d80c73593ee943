/*
 * batcher - what the connections read, on its way to the validators and back.
 *
 * Everything one turn of the loop read for one validator leaves as one batch at the end of the
 * turn. A connection stays with its validator (rendezvous hash) while messages of it are unanswered
 * there, so its order is kept; without any it moves to where the hash says.
 *
 * Validation is pure, so a batch whose validator went away goes to another one, in order, and its
 * connections with it. A batch that outlives BATCHER_TRIES validators may be what kills them: its
 * messages are refused instead. With no validator left, messages are refused with `unavailable`.
 *
 * Each validator that comes up is asked what its policy says of messages to clients (outbound.h).
 *
 * Back-pressure: a lane (one validator) has a window of unanswered batches. While it is full,
 * batches wait here and the connections of that lane are not read.
 */
#ifndef EDGE_BATCHER_H
#define EDGE_BATCHER_H

#include "batch.h"

#include "common/err.h"

#include <app.pb-c.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BATCHER_TRIES 3

struct edge;

GH_NODISCARD enum gh_err batcher_new(struct edge *edge, const char *endpoint,
                                     struct batcher **ret_batcher);
void batcher_free(struct batcher *batcher);

/* Copies the message into the batch of the connection's validator. It is answered later by
 * delivery_verdict(), or refused at once. */
void batcher_add(struct conn *conn, const void *data, size_t len, bool binary);
/* The same for a message on its way to clients: its outcome is told by outbound_verdict() or
 * outbound_failed(), perhaps at once. Which validator judges it does not matter: outbound.c keeps
 * the order. */
void batcher_add_outbound(struct batcher *batcher, struct outgoing *outgoing,
                          const struct route *route, const Gh__AppOp *op);
/* The connection leaves: its unanswered messages are of no interest any more. */
void batcher_forget(struct conn *conn);
/* The end of a turn: every batch that has something in it and may be sent leaves. */
void batcher_flush(struct batcher *batcher);
bool batcher_ready(void *batcher);                   /* gh_ready_fn: a validator is up */
size_t batcher_bytes(const struct batcher *batcher); /* message bytes held */

#endif
