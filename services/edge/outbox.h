/*
 * outbox - frames waiting for one client, as one run of bytes.
 *
 * Frames are appended whole; what one turn of the loop queued leaves in one write. An empty outbox
 * holds no memory: buffers come from a pool that is shared by all connections and kept small.
 * Single-threaded.
 */
#ifndef EDGE_OUTBOX_H
#define EDGE_OUTBOX_H

#include "common/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OUTBOX_CHUNK 4096 /* the smallest buffer; kept in the pool when given back */

struct outbox_pool {
    void *free_chunks; /* of OUTBOX_CHUNK */
    size_t n_free;
    size_t bytes; /* held by all outboxes */
};

struct outbox {
    uint8_t *data;
    uint32_t start, len; /* bytes [start, start + len) wait */
    uint32_t cap;
};

void outbox_pool_done(struct outbox_pool *pool);

/* Appends a frame whose payload is given whole; deflated: it is compressed (RSV1). max: bytes that
 * may wait in all. Errors: GH_ERR_LIMIT past max, GH_ERR_NOMEM; nothing is appended then. */
GH_NODISCARD enum gh_err outbox_frame(struct outbox *outbox, struct outbox_pool *pool,
                                      uint8_t opcode, bool deflated, const void *payload,
                                      size_t len, size_t max);
/* Raw bytes: an HTTP answer. */
GH_NODISCARD enum gh_err outbox_bytes(struct outbox *outbox, struct outbox_pool *pool,
                                      const void *bytes, size_t len, size_t max);
void outbox_consume(struct outbox *outbox, struct outbox_pool *pool, size_t len);
void outbox_drop(struct outbox *outbox, struct outbox_pool *pool); /* forgets everything */

#endif
