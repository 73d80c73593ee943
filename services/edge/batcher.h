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
 * Back-pressure: a lane (one validator) has a window of unanswered batches. While it is full,
 * batches wait here and the connections of that lane are not read.
 */
#ifndef EDGE_BATCHER_H
#define EDGE_BATCHER_H

#include "common/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BATCHER_CONTEXTS_MAX 1024
#define BATCHER_ITEMS_MAX    4096
#define BATCHER_BYTES_MAX    (4u << 20)
#define BATCHER_TRIES        3

struct batcher;
struct conn;
struct edge;

GH_NODISCARD enum gh_err batcher_new(struct edge *edge, const char *endpoint,
                                     struct batcher **ret_batcher);
void batcher_free(struct batcher *batcher);

/* Copies the message into the batch of the connection's validator. It is answered later by
 * delivery_verdict(), or refused at once. */
void batcher_add(struct conn *conn, const void *data, size_t len, bool binary);
/* The connection leaves: its unanswered messages are of no interest any more. */
void batcher_forget(struct conn *conn);
/* The end of a turn: every batch that has something in it and may be sent leaves. */
void batcher_flush(struct batcher *batcher);
bool batcher_ready(void *batcher);                   /* gh_ready_fn: a validator is up */
size_t batcher_bytes(const struct batcher *batcher); /* message bytes held */

#endif
