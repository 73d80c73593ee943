#include "outbox.h"

#include "frame.h"

#include <stdlib.h>
#include <string.h>

#define POOL_KEEP 256

static uint8_t *chunk_take(struct outbox_pool *pool)
{
    void *chunk = pool->free_chunks;

    if (chunk == NULL) return malloc(OUTBOX_CHUNK);
    memcpy(&pool->free_chunks, chunk, sizeof pool->free_chunks);
    pool->n_free--;
    return chunk;
}

static void buffer_give(struct outbox_pool *pool, uint8_t *data, size_t cap)
{
    if (cap != OUTBOX_CHUNK || pool->n_free >= POOL_KEEP) {
        free(data);
        return;
    }
    memcpy(data, &pool->free_chunks, sizeof pool->free_chunks);
    pool->free_chunks = data;
    pool->n_free++;
}

void outbox_pool_done(struct outbox_pool *pool)
{
    while (pool->free_chunks != NULL)
        free(chunk_take(pool));
}

static enum gh_err reserve(struct outbox *outbox, struct outbox_pool *pool, size_t more, size_t max)
{
    size_t need = outbox->len + more, cap = OUTBOX_CHUNK;
    uint8_t *data;

    if (need > max) return GH_ERR_LIMIT;
    if (outbox->start + need <= outbox->cap) return GH_OK;
    if (need <= outbox->cap) { /* room enough once the sent part is gone */
        memmove(outbox->data, outbox->data + outbox->start, outbox->len);
        outbox->start = 0;
        return GH_OK;
    }
    while (cap < need)
        cap *= 2;
    data = cap == OUTBOX_CHUNK ? chunk_take(pool) : malloc(cap);
    if (data == NULL) return GH_ERR_NOMEM;
    if (outbox->data != NULL) {
        memcpy(data, outbox->data + outbox->start, outbox->len);
        buffer_give(pool, outbox->data, outbox->cap);
    }
    pool->bytes += cap - outbox->cap;
    outbox->data = data;
    outbox->start = 0;
    outbox->cap = (uint32_t)cap;
    return GH_OK;
}

enum gh_err outbox_frame(struct outbox *outbox, struct outbox_pool *pool, uint8_t opcode,
                         bool deflated, const void *payload, size_t len, size_t max)
{
    enum gh_err err = reserve(outbox, pool, FRAME_HEAD_MAX + len, max);
    uint8_t *at;
    size_t head;

    if (err != GH_OK) return err;
    at = outbox->data + outbox->start + outbox->len;
    head = frame_encode_head(opcode, deflated, len, at);
    if (len > 0) memcpy(at + head, payload, len);
    outbox->len += (uint32_t)(head + len);
    return GH_OK;
}

enum gh_err outbox_bytes(struct outbox *outbox, struct outbox_pool *pool, const void *bytes,
                         size_t len, size_t max)
{
    enum gh_err err = reserve(outbox, pool, len, max);

    if (err != GH_OK) return err;
    memcpy(outbox->data + outbox->start + outbox->len, bytes, len);
    outbox->len += (uint32_t)len;
    return GH_OK;
}

void outbox_drop(struct outbox *outbox, struct outbox_pool *pool)
{
    if (outbox->data == NULL) return;
    pool->bytes -= outbox->cap;
    buffer_give(pool, outbox->data, outbox->cap);
    memset(outbox, 0, sizeof *outbox);
}

void outbox_consume(struct outbox *outbox, struct outbox_pool *pool, size_t len)
{
    outbox->start += (uint32_t)len;
    outbox->len -= (uint32_t)len;
    if (outbox->len == 0) outbox_drop(outbox, pool);
}
