#include "batch.h"

#include "edge.h"

#include "common/arena.h"

#include <stdlib.h>
#include <string.h>

#define BATCHES_KEPT 16 /* emptied batches kept for reuse */

/* --- life ------------------------------------------------------------------------------------- */

void batch_free(struct batch *batch)
{
    if (batch == NULL) return;
    gh_arena_free(batch->arena);
    free(batch->contexts);
    free(batch->context_ptrs);
    free(batch->items);
    free(batch->item_ptrs);
    free(batch->meta);
    free(batch);
}

struct batch *batch_take(struct batch_pool *pool)
{
    struct batch *batch = pool->free;

    if (batch != NULL) {
        pool->free = batch->next;
        pool->n_free--;
    } else {
        batch = calloc(1, sizeof *batch);
        if (batch == NULL) return NULL;
        if (gh_arena_new(BATCH_BYTES_MAX * 2, &batch->arena) != GH_OK) {
            free(batch);
            return NULL;
        }
    }
    batch->next = NULL;
    batch->number = ++pool->next_number;
    batch->tries = 0;
    batch->n_contexts = batch->n_items = 0;
    batch->bytes = 0;
    batch->out_route = NULL;
    return batch;
}

void batch_give(struct batch_pool *pool, struct batch *batch)
{
    if (pool->n_free >= BATCHES_KEPT) {
        batch_free(batch);
        return;
    }
    gh_arena_reset(batch->arena);
    batch->next = pool->free;
    pool->free = batch;
    pool->n_free++;
}

void batch_pool_done(struct batch_pool *pool)
{
    while (pool->free != NULL) {
        struct batch *next = pool->free->next;

        batch_free(pool->free);
        pool->free = next;
    }
}

/* --- filling ---------------------------------------------------------------------------------- */

/* Doubles one array and its array of pointers, which point into it. */
static bool grow(void **array, void ***ptrs, size_t size, uint32_t cap)
{
    void *bigger = realloc(*array, cap * size);
    void **bigger_ptrs;

    if (bigger == NULL) return false;
    *array = bigger;
    bigger_ptrs = realloc(*ptrs, cap * sizeof *bigger_ptrs);
    if (bigger_ptrs == NULL) return false;
    *ptrs = bigger_ptrs;
    for (uint32_t i = 0; i < cap; i++)
        bigger_ptrs[i] = (char *)bigger + i * size;
    return true;
}

static bool room_for_item(struct batch *batch)
{
    uint32_t cap = batch->cap_items == 0 ? 64 : batch->cap_items * 2;
    struct batch_item *meta;

    if (batch->n_items < batch->cap_items) return true;
    meta = realloc(batch->meta, cap * sizeof *meta);
    if (meta == NULL) return false;
    batch->meta = meta;
    if (!grow((void **)&batch->items, (void ***)&batch->item_ptrs, sizeof *batch->items, cap))
        return false;
    for (uint32_t i = batch->cap_items; i < cap; i++)
        gh__validate_item__init(&batch->items[i]);
    batch->cap_items = cap;
    return true;
}

static bool room_for_context(struct batch *batch)
{
    uint32_t cap = batch->cap_contexts == 0 ? 32 : batch->cap_contexts * 2;

    if (batch->n_contexts < batch->cap_contexts) return true;
    if (!grow((void **)&batch->contexts, (void ***)&batch->context_ptrs, sizeof *batch->contexts,
              cap))
        return false;
    for (uint32_t i = batch->cap_contexts; i < cap; i++)
        gh__validate_context__init(&batch->contexts[i]);
    batch->cap_contexts = cap;
    return true;
}

static ProtobufCBinaryData keep(struct batch *batch, const void *bytes, size_t len)
{
    void *copy = len > 0 ? gh_arena_alloc(batch->arena, len) : NULL;

    if (copy == NULL) return gh_bytes(NULL, 0);
    memcpy(copy, bytes, len);
    return gh_bytes(copy, len);
}

/* A context whose optional parts are empty. */
static Gh__ValidateContext *next_context(struct batch *batch, const struct route *route)
{
    Gh__ValidateContext *context;

    if (!room_for_context(batch)) return NULL;
    context = &batch->contexts[batch->n_contexts];
    gh__validate_context__init(context);
    context->route = gh_bytes_str(route->name);
    return context;
}

/* What is known of the connection, once per batch: copied, since it may change or go before the
 * batch is sent again. */
static bool add_context(struct batch *batch, struct conn *conn)
{
    const struct identity *who = conn->identity;
    Gh__ValidateContext *context;

    if (conn->context_batch == batch->number) return true;
    context = next_context(batch, conn->route);
    if (context == NULL) return false;
    context->roles = keep(batch, who->roles, who->roles_len);
    context->csrf = keep(batch, who->csrf, strlen(who->csrf));
    if (edge_now(conn->edge) < who->csrf_until_ms)
        context->csrf_previous = keep(batch, who->csrf_previous, strlen(who->csrf_previous));
    context->session_id = keep(batch, who->session_id, strlen(who->session_id));
    if (context->csrf.len == 0 || context->session_id.len == 0) return false;
    conn->context_batch = batch->number;
    conn->context_index = batch->n_contexts++;
    return true;
}

/* Outbound messages of one route share a context: who may receive them is outbound.c's to see to.
 */
static bool add_route_context(struct batch *batch, const struct route *route)
{
    Gh__ValidateContext *context;

    if (batch->out_route == route) return true;
    context = next_context(batch, route);
    if (context == NULL) return false;
    context->any_receiver = true;
    batch->out_route = route;
    batch->out_context = batch->n_contexts++;
    return true;
}

bool batch_has_room(const struct batch *batch, size_t len)
{
    return batch->n_items < BATCH_ITEMS_MAX && batch->n_contexts < BATCH_CONTEXTS_MAX &&
           batch->bytes + len <= BATCH_BYTES_MAX;
}

static bool add_item(struct batch *batch, struct batch_pool *pool, const void *data, size_t len,
                     bool binary)
{
    Gh__ValidateItem *item = &batch->items[batch->n_items];

    item->data = keep(batch, data, len);
    if (item->data.len != len) return false;
    item->binary = binary;
    item->serial = ++pool->next_serial;
    batch->n_items++;
    batch->bytes += len;
    return true;
}

bool batch_add_inbound(struct batch *batch, struct batch_pool *pool, struct conn *conn,
                       const void *data, size_t len, bool binary)
{
    uint32_t at = batch->n_items;

    if (!room_for_item(batch) || !add_context(batch, conn) ||
        !add_item(batch, pool, data, len, binary))
        return false;
    batch->items[at].context = conn->context_index;
    batch->items[at].direction = GH__DIRECTION__DIRECTION_INBOUND;
    batch->meta[at] = (struct batch_item){ .conn_id = conn->id };
    return true;
}

bool batch_add_outbound(struct batch *batch, struct batch_pool *pool, struct outgoing *outgoing,
                        const struct route *route, const void *data, size_t len, bool binary)
{
    uint32_t at = batch->n_items;

    if (!room_for_item(batch) || !add_route_context(batch, route) ||
        !add_item(batch, pool, data, len, binary))
        return false;
    batch->items[at].context = batch->out_context;
    batch->items[at].direction = GH__DIRECTION__DIRECTION_OUTBOUND;
    batch->meta[at] = (struct batch_item){ .outgoing = outgoing };
    return true;
}
