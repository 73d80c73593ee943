/*
 * batch - the messages of one ValidateBatch, with what is needed when their verdicts come.
 *
 * Bytes are copied into the batch's arena, so that it can be sent again to another validator when
 * the first is lost. Batches are kept warm in a pool. What they mean is batcher.h's business.
 */
#ifndef EDGE_BATCH_H
#define EDGE_BATCH_H

#include "common/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <validator.pb-c.h>

#define BATCH_CONTEXTS_MAX 1024
#define BATCH_ITEMS_MAX    4096
#define BATCH_BYTES_MAX    (4u << 20)

struct batcher;
struct conn;
struct outgoing;
struct route;
struct validator_lane;

struct batch_item {            /* whose it is: one of the two */
    uint64_t conn_id;          /* a client's message */
    struct outgoing *outgoing; /* one on its way to clients; NULL: not that */
};

struct batch {
    struct batch *next; /* in the pool, or in its lane's queue of those that wait */
    struct batcher *batcher;
    struct validator_lane *lane;
    uint64_t number;
    unsigned tries;
    struct gh_arena *arena; /* message bytes */
    size_t bytes;
    uint32_t n_contexts, n_items, cap_contexts, cap_items;
    Gh__ValidateContext *contexts, **context_ptrs;
    Gh__ValidateItem *items, **item_ptrs;
    struct batch_item *meta;
    const struct route *out_route; /* the outbound context last added is this route's */
    uint32_t out_context;
};

struct batch_pool {
    struct batch *free;
    size_t n_free;
    uint64_t next_number;
    uint64_t next_serial; /* of items */
};

/* An empty batch with the next number. NULL: no memory. */
struct batch *batch_take(struct batch_pool *pool);
void batch_give(struct batch_pool *pool, struct batch *batch);
void batch_free(struct batch *batch);
void batch_pool_done(struct batch_pool *pool);

bool batch_has_room(const struct batch *batch, size_t len);
/* False: no memory, nothing was added. */
GH_NODISCARD bool batch_add_inbound(struct batch *batch, struct batch_pool *pool, struct conn *conn,
                                    const void *data, size_t len, bool binary);
GH_NODISCARD bool batch_add_outbound(struct batch *batch, struct batch_pool *pool,
                                     struct outgoing *outgoing, const struct route *route,
                                     const void *data, size_t len, bool binary);

#endif
