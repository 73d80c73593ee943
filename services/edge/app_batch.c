/* Batches of items for an instance of an application: filled in a turn, sent, answered. */
#include "app_link_internal.h"

#include "app_ops.h"
#include "delivery.h"
#include "edge.h"

#include "common/log.h"

#include <stdlib.h>
#include <string.h>

#define BATCH_SEND_BYTES (1u << 20) /* an open batch this big leaves before the turn ends */
#define BATCH_ARENA_MAX  (32u << 20)
#define BATCHES_KEPT     16

/* --- the pool --------------------------------------------------------------------------------- */

void app_batch_free(struct app_batch *batch)
{
    if (batch == NULL) return;
    gh_arena_free(batch->arena);
    free(batch->items);
    free(batch->item_ptrs);
    free(batch->meta);
    free(batch);
}

struct app_batch *app_batch_take(struct app_link *link)
{
    struct app_batch *batch = link->free;

    if (batch != NULL) {
        link->free = batch->next;
        link->n_free--;
    } else {
        batch = calloc(1, sizeof *batch);
        if (batch == NULL) return NULL;
        if (gh_arena_new(BATCH_ARENA_MAX, &batch->arena) != GH_OK) {
            free(batch);
            return NULL;
        }
        batch->link = link;
    }
    batch->n = 0;
    batch->bytes = 0;
    return batch;
}

static void batch_give(struct app_batch *batch)
{
    struct app_link *link = batch->link;

    if (link->n_free >= BATCHES_KEPT) {
        app_batch_free(batch);
        return;
    }
    gh_arena_reset(batch->arena);
    batch->next = link->free;
    link->free = batch;
    link->n_free++;
}

static bool grow(struct app_batch *batch)
{
    uint32_t cap = batch->cap == 0 ? 64 : batch->cap * 2;
    Gh__AppItem *items = realloc(batch->items, cap * sizeof *items);
    Gh__AppItem **ptrs;
    struct item_meta *meta;

    if (items == NULL) return false;
    batch->items = items;
    ptrs = realloc(batch->item_ptrs, cap * sizeof *ptrs);
    if (ptrs == NULL) return false;
    batch->item_ptrs = ptrs;
    meta = realloc(batch->meta, cap * sizeof *meta);
    if (meta == NULL) return false;
    batch->meta = meta;
    batch->cap = cap;
    for (uint32_t i = 0; i < cap; i++)
        ptrs[i] = &items[i];
    return true;
}

ProtobufCBinaryData app_batch_keep(struct app_batch *batch, const void *bytes, size_t len)
{
    void *copy;

    if (len == 0) return gh_bytes(NULL, 0);
    copy = gh_arena_alloc(batch->arena, len);
    if (copy == NULL) return gh_bytes(NULL, 0);
    memcpy(copy, bytes, len);
    batch->bytes += len;
    return gh_bytes(copy, len);
}

/* --- answers ---------------------------------------------------------------------------------- */

static void settle_item(struct edge *edge, const struct item_meta *meta, bool failed)
{
    struct conn *conn = conn_table_find(&edge->conns, meta->conn_id);

    if (conn == NULL || conn->left) return;
    /* What it missed was not asked for, or the answer is lost: its client comes again. */
    if (meta->resume && failed) conn_close(conn, GH_CODE_GOING_AWAY, 0, "resume unanswered");
    if (!meta->message || conn->left) return;
    conn->app_unanswered--;
    if (failed) delivery_refused(conn, GH_CODE_UNAVAILABLE, meta->id, meta->id_len, 0);
}

static void on_answer(void *ctx, enum gh_err err, const void *body)
{
    struct app_batch *batch = ctx;
    struct app_link *link = batch->link;
    struct app_lane *lane = batch->lane;
    struct edge *edge = link->links->edge;
    const Gh__AppAnswer *answer = body;

    if (err != GH_OK)
        gh_log(GH_LOG_WARN, "app_batch_failed", "app=%s items=%u error=\"%s\"", link->name,
               batch->n, gh_err_text(err));
    for (uint32_t i = 0; i < batch->n; i++) {
        /* An instance that is gone owes nothing: on_down looks after its connections. */
        if (err == GH_ERR_UNAVAILABLE) batch->meta[i].resume = false;
        settle_item(edge, &batch->meta[i], err != GH_OK);
    }
    batch_give(batch);
    if (err == GH_OK) app_ops_run(edge, link, lane, answer->ops, answer->n_ops);
}

/* --- filling and sending ---------------------------------------------------------------------- */

/* GH_ERR_BUSY: it stays open. */
void app_batch_send(struct app_lane *lane)
{
    struct edge *edge = lane->link->links->edge;
    struct app_batch *batch = lane->open;
    Gh__AppBatch message = GH__APP_BATCH__INIT;
    enum gh_err err;

    if (batch == NULL || !gh_client_peer_has_room(lane->peer)) return;
    batch->lane = lane;
    message.items = batch->item_ptrs;
    message.n_items = batch->n;
    message.resume_ms = lane->link->keep_ms;
    err = gh_client_call(lane->link->client, lane->peer, GH__ENVELOPE__BODY_APP_BATCH, &message,
                         GH__ENVELOPE__BODY_APP_ANSWER, edge->config.call_timeout_ms, on_answer,
                         batch);
    if (err == GH_ERR_BUSY) return;
    lane->open = NULL;
    (*edge->stats.app_batches)++;
    *edge->stats.app_items += batch->n;
    if (err != GH_OK) on_answer(batch, err, NULL);
}

Gh__AppItem *app_batch_add(struct app_lane *lane, uint64_t conn_id, Gh__AppItemKind kind)
{
    struct app_batch *batch = lane->open;
    Gh__AppItem *item;

    if (batch != NULL && batch->bytes >= BATCH_SEND_BYTES) {
        app_batch_send(lane);
        batch = lane->open;
    }
    if (batch == NULL) batch = lane->open = app_batch_take(lane->link);
    if (batch == NULL || (batch->n == batch->cap && !grow(batch))) return NULL;
    item = &batch->items[batch->n];
    gh__app_item__init(item);
    item->kind = kind;
    item->conn = conn_id;
    batch->meta[batch->n].conn_id = conn_id;
    batch->meta[batch->n].id_len = 0;
    batch->meta[batch->n].resume = false;
    batch->meta[batch->n].message = kind == GH__APP_ITEM_KIND__APP_MESSAGE;
    batch->n++;
    return item;
}

void app_batch_fail(struct app_batch *batch)
{
    on_answer(batch, GH_ERR_UNAVAILABLE, NULL);
}
