#include "batcher.h"

#include "delivery.h"
#include "edge.h"
#include "outbound.h"

#include "common/clock.h"
#include "common/log.h"

#include <stdlib.h>
#include <string.h>

#define KEY_SEED 14 /* beside those of the directory */

struct validator_lane { /* one per validator seen; lives as long as its gh_client_peer */
    struct validator_lane *next;
    struct gh_client_peer *peer; /* NULL: gone */
    struct batch *open;          /* being filled this turn */
    struct batch *queue, *queue_last;
    struct conn *paused; /* connections not read because of this lane */
    bool listed;         /* in batcher.busy */
    struct validator_lane *busy_next;
};

struct batcher {
    struct edge *edge;
    struct gh_client *client;
    struct validator_lane *lanes;
    struct validator_lane *busy; /* lanes with an open batch */
    struct batch_pool pool;
    struct batch *orphans, *orphans_last; /* unanswered batches of a validator that went away */
    uint64_t epoch;                       /* goes up when a validator comes or goes */
    size_t bytes;
};

/* --- sending ---------------------------------------------------------------------------------- */

static void on_verdicts(void *ctx, enum gh_err err, const void *body);

static void give(struct batch *batch)
{
    struct batcher *batcher = batch->batcher;

    batcher->bytes -= batch->bytes;
    batch_give(&batcher->pool, batch);
}

/* Whose item it is. NULL: nobody's any more, or one on its way to clients. */
static struct conn *sender_of(const struct batch *batch, uint32_t i)
{
    if (batch->meta[i].outgoing != NULL) return NULL;
    return conn_table_find(&batch->batcher->edge->conns, batch->meta[i].conn_id);
}

static void refuse_items(struct batch *batch, uint32_t code)
{
    for (uint32_t i = 0; i < batch->n_items; i++) {
        struct conn *conn = sender_of(batch, i);

        if (batch->meta[i].outgoing != NULL) outbound_failed(batch->meta[i].outgoing, code);
        if (conn == NULL || conn->left) continue;
        conn->unanswered--;
        delivery_unread(conn, code, batch->items[i].data.data, batch->items[i].data.len,
                        batch->items[i].binary);
    }
    give(batch);
}

/* GH_ERR_BUSY: it stays the caller's, for later. Anything else: it is on its way or dealt with. */
static enum gh_err send_batch(struct batch *batch)
{
    struct batcher *batcher = batch->batcher;
    Gh__ValidateBatch message = GH__VALIDATE_BATCH__INIT;
    enum gh_err err;

    message.contexts = batch->context_ptrs;
    message.n_contexts = batch->n_contexts;
    message.items = batch->item_ptrs;
    message.n_items = batch->n_items;
    message.now_ms = (uint64_t)gh_clock_wall_ms();
    err = gh_client_call(batcher->client, batch->lane->peer, GH__ENVELOPE__BODY_VALIDATE_BATCH,
                         &message, GH__ENVELOPE__BODY_VERDICT_BATCH,
                         batcher->edge->config.call_timeout_ms, on_verdicts, batch);
    if (err == GH_ERR_BUSY) return err;
    if (err != GH_OK) {
        refuse_items(batch, GH_CODE_UNAVAILABLE);
        return GH_OK;
    }
    batch->tries++;
    (*batcher->edge->stats.batches)++;
    *batcher->edge->stats.batch_items += batch->n_items;
    return GH_OK;
}

static void queue_batch(struct validator_lane *lane, struct batch *batch)
{
    batch->next = NULL;
    if (lane->queue_last != NULL)
        lane->queue_last->next = batch;
    else
        lane->queue = batch;
    lane->queue_last = batch;
}

static void resume_lane(struct validator_lane *lane)
{
    struct conn *conn = lane->paused;

    lane->paused = NULL;
    while (conn != NULL) {
        struct conn *next = conn->lane_next;

        conn->lane_next = NULL;
        conn->lane_listed = false;
        conn_resume(conn, CONN_PAUSE_VALIDATOR);
        conn = next;
    }
}

static void drain_queue(struct validator_lane *lane)
{
    while (lane->queue != NULL) {
        struct batch *batch = lane->queue;
        struct batch *next = batch->next;

        if (send_batch(batch) == GH_ERR_BUSY) return;
        lane->queue = next;
        if (next == NULL) lane->queue_last = NULL;
    }
    resume_lane(lane);
}

/* --- answers ---------------------------------------------------------------------------------- */

static void deliver(struct batch *batch, const Gh__VerdictBatch *verdicts)
{
    struct edge *edge = batch->batcher->edge;

    for (uint32_t i = 0; i < batch->n_items; i++) {
        struct conn *conn = sender_of(batch, i);

        if (batch->meta[i].outgoing != NULL)
            outbound_verdict(batch->meta[i].outgoing, verdicts->verdicts[i]);
        if (conn == NULL || conn->left) continue;
        conn->unanswered--;
        delivery_verdict(conn, verdicts->verdicts[i], batch->items[i].binary);
    }
    delivery_flush(edge);
    give(batch);
}

static void on_verdicts(void *ctx, enum gh_err err, const void *body)
{
    struct batch *batch = ctx;
    struct batcher *batcher = batch->batcher;
    const Gh__VerdictBatch *verdicts = body;

    if (err == GH_OK && verdicts->n_verdicts == batch->n_items) {
        deliver(batch, verdicts);
        return;
    }
    if (err == GH_ERR_UNAVAILABLE) { /* the validator went away: on_down sends it elsewhere */
        batch->next = NULL;
        if (batcher->orphans_last != NULL)
            batcher->orphans_last->next = batch;
        else
            batcher->orphans = batch;
        batcher->orphans_last = batch;
        return;
    }
    gh_log(GH_LOG_ERROR, "batch_failed", "items=%u error=\"%s\" next=\"its messages are refused\"",
           batch->n_items, err == GH_OK ? "wrong count of verdicts" : gh_err_text(err));
    refuse_items(batch, err == GH_ERR_TIMEOUT ? GH_CODE_UNAVAILABLE : GH_CODE_INTERNAL);
}

/* --- validators come and go ------------------------------------------------------------------- */

static struct validator_lane *lane_of(struct batcher *batcher, struct gh_client_peer *peer)
{
    struct validator_lane *lane = gh_client_peer_user(peer);

    if (lane != NULL) return lane;
    lane = calloc(1, sizeof *lane);
    if (lane == NULL) return NULL;
    lane->peer = peer;
    lane->next = batcher->lanes;
    batcher->lanes = lane;
    gh_client_peer_set_user(peer, lane);
    return lane;
}

static void ask_rules(struct batcher *batcher, struct gh_client_peer *peer);

static void on_rules(void *ctx, enum gh_err err, const void *body)
{
    struct batcher *batcher = ctx;

    if (err == GH_OK) {
        outbound_adopt(batcher->edge->outbound, body);
        return;
    }
    if (err == GH_ERR_UNAVAILABLE) return; /* it went away; whoever comes is asked */
    gh_log(GH_LOG_ERROR, "policy_rules_missing", "error=\"%s\"", gh_err_text(err));
    if (err == GH_ERR_TIMEOUT) ask_rules(batcher, gh_client_peer_any(batcher->client));
}

static void ask_rules(struct batcher *batcher, struct gh_client_peer *peer)
{
    Gh__PolicyAsk ask = GH__POLICY_ASK__INIT;

    if (gh_client_call(batcher->client, peer, GH__ENVELOPE__BODY_POLICY_ASK, &ask,
                       GH__ENVELOPE__BODY_POLICY_RULES, batcher->edge->config.call_timeout_ms,
                       on_rules, batcher) != GH_OK)
        gh_log(GH_LOG_WARN, "policy_rules_not_asked", "next=\"the next validator is\"");
}

static void on_up(void *ctx, struct gh_client_peer *peer, uint64_t orders_version)
{
    struct batcher *batcher = ctx;

    (void)orders_version;
    batcher->epoch++;
    (void)lane_of(batcher, peer);
    ask_rules(batcher, peer);
}

/* The batch and the connections in it belong to `lane` from now on. */
static void move_batch(struct batch *batch, struct validator_lane *lane)
{
    for (uint32_t i = 0; i < batch->n_items; i++) {
        struct conn *conn = sender_of(batch, i);

        if (conn == NULL || conn->left) continue;
        conn->lane = lane;
        conn->lane_epoch = batch->batcher->epoch;
    }
    batch->lane = lane;
}

static void lane_unlink(struct batcher *batcher, struct validator_lane *lane)
{
    struct validator_lane **at = &batcher->lanes;

    while (*at != lane)
        at = &(*at)->next;
    *at = lane->next;
    at = &batcher->busy;
    while (*at != NULL && *at != lane)
        at = &(*at)->busy_next;
    if (*at != NULL) *at = lane->busy_next;
}

/* All that waited for this validator, in the order it was read: what had been sent, what waited for
 * the window, what this turn read. */
static struct batch *collect(struct batcher *batcher, struct validator_lane *lane)
{
    struct batch *first = batcher->orphans;
    struct batch **at = &first;

    batcher->orphans = batcher->orphans_last = NULL;
    while (*at != NULL)
        at = &(*at)->next;
    *at = lane->queue;
    while (*at != NULL)
        at = &(*at)->next;
    *at = lane->open;
    lane->queue = lane->queue_last = lane->open = NULL;
    return first;
}

static void on_down(void *ctx, struct gh_client_peer *peer)
{
    struct batcher *batcher = ctx;
    struct validator_lane *lane = gh_client_peer_user(peer), *other = NULL;
    struct gh_client_peer *heir;
    struct batch *batch;

    batcher->epoch++;
    if (lane == NULL) return;
    resume_lane(lane); /* they are paused again if the heir is full, too */
    heir = gh_client_peer_for(batcher->client, (uint64_t)(uintptr_t)peer);
    if (heir != NULL) other = lane_of(batcher, heir);
    batch = collect(batcher, lane);
    while (batch != NULL) {
        struct batch *next = batch->next;

        batch->next = NULL;
        if (other == NULL || batch->tries >= BATCHER_TRIES) {
            refuse_items(batch, GH_CODE_UNAVAILABLE);
        } else {
            if (batch->tries > 0) (*batcher->edge->stats.resent)++;
            move_batch(batch, other);
            queue_batch(other, batch);
        }
        batch = next;
    }
    /* Behind what the heir has open already: its connections are others, so no order is touched. */
    if (other != NULL) drain_queue(other);
    gh_client_peer_set_user(peer, NULL);
    lane_unlink(batcher, lane);
    free(lane);
}

static void on_room(void *ctx, struct gh_client_peer *peer)
{
    struct validator_lane *lane = gh_client_peer_user(peer);

    (void)ctx;
    if (lane != NULL) drain_queue(lane);
}

/* --- adding ----------------------------------------------------------------------------------- */

static struct validator_lane *choose_lane(struct batcher *batcher, struct conn *conn)
{
    struct gh_client_peer *peer;

    /* lane is only good while the epoch is: a lane that went away raised it. */
    if (conn->lane != NULL && (conn->lane_epoch == batcher->epoch || conn->unanswered > 0))
        return conn->lane;
    peer = gh_client_peer_for(batcher->client, conn->id);
    conn->lane = peer != NULL ? lane_of(batcher, peer) : NULL;
    conn->lane_epoch = batcher->epoch;
    return conn->lane;
}

static void close_open(struct validator_lane *lane)
{
    struct batch *batch = lane->open;

    lane->open = NULL;
    if (lane->queue != NULL || send_batch(batch) == GH_ERR_BUSY) queue_batch(lane, batch);
}

static void pause_on(struct validator_lane *lane, struct conn *conn)
{
    if (conn->lane_listed) return;
    conn->lane_listed = true;
    conn->lane_next = lane->paused;
    lane->paused = conn;
    conn_pause(conn, CONN_PAUSE_VALIDATOR);
}

static struct batch *open_batch(struct batcher *batcher, struct validator_lane *lane, size_t len)
{
    struct batch *batch = lane->open;

    if (batch != NULL && !batch_has_room(batch, len)) {
        close_open(lane);
        batch = NULL;
    }
    if (batch != NULL) return batch;
    batch = batch_take(&batcher->pool);
    if (batch == NULL) return NULL;
    batch->batcher = batcher;
    batch->lane = lane;
    lane->open = batch;
    if (!lane->listed) {
        lane->listed = true;
        lane->busy_next = batcher->busy;
        batcher->busy = lane;
    }
    return batch;
}

void batcher_add(struct conn *conn, const void *data, size_t len, bool binary)
{
    struct batcher *batcher = conn->edge->batcher;
    struct validator_lane *lane = choose_lane(batcher, conn);
    struct batch *batch = lane != NULL ? open_batch(batcher, lane, len) : NULL;

    if (lane == NULL) {
        delivery_unread(conn, GH_CODE_UNAVAILABLE, data, len, binary);
        return;
    }
    if (batch == NULL || !batch_add_inbound(batch, &batcher->pool, conn, data, len, binary)) {
        delivery_unread(conn, GH_CODE_INTERNAL, data, len, binary);
        return;
    }
    batcher->bytes += len;
    conn->unanswered++;
    if (lane->queue != NULL) pause_on(lane, conn);
}

/* The same receiver, the same validator: its batches are larger then. */
static uint64_t key_of(const Gh__AppOp *op)
{
    ProtobufCBinaryData name = op->session_id.len > 0 ? op->session_id
                               : op->user.len > 0     ? op->user
                                                      : op->topic;

    return op->conn != 0 ? op->conn : hmap_hash(name.data, name.len, KEY_SEED);
}

void batcher_add_outbound(struct batcher *batcher, struct outgoing *outgoing,
                          const struct route *route, const Gh__AppOp *op)
{
    struct gh_client_peer *peer = gh_client_peer_for(batcher->client, key_of(op));
    struct validator_lane *lane = peer != NULL ? lane_of(batcher, peer) : NULL;
    struct batch *batch = lane != NULL ? open_batch(batcher, lane, op->data.len) : NULL;

    if (lane == NULL) {
        outbound_failed(outgoing, GH_CODE_UNAVAILABLE);
        return;
    }
    if (batch == NULL || !batch_add_outbound(batch, &batcher->pool, outgoing, route, op->data.data,
                                             op->data.len, op->binary)) {
        outbound_failed(outgoing, GH_CODE_INTERNAL);
        return;
    }
    batcher->bytes += op->data.len;
}

void batcher_forget(struct conn *conn)
{
    struct conn **at;

    if (!conn->lane_listed) return;
    conn->lane_listed = false;
    for (at = &conn->lane->paused; *at != NULL; at = &(*at)->lane_next) {
        if (*at != conn) continue;
        *at = conn->lane_next;
        return;
    }
}

void batcher_flush(struct batcher *batcher)
{
    while (batcher->busy != NULL) {
        struct validator_lane *lane = batcher->busy;

        batcher->busy = lane->busy_next;
        lane->listed = false;
        if (lane->open != NULL) close_open(lane);
    }
}

bool batcher_ready(void *batcher)
{
    return gh_client_up_count(((struct batcher *)batcher)->client) > 0;
}

size_t batcher_bytes(const struct batcher *batcher)
{
    return batcher->bytes;
}

/* --- life ------------------------------------------------------------------------------------- */

enum gh_err batcher_new(struct edge *edge, const char *endpoint, struct batcher **ret_batcher)
{
    struct batcher *batcher = calloc(1, sizeof *batcher);
    struct gh_client_config config;
    enum gh_err err;

    if (batcher == NULL) return GH_ERR_NOMEM;
    batcher->edge = edge;
    batcher->epoch = 1;
    gh_service_client_init(edge->service, endpoint, GH_ROLE_VALIDATOR, &config);
    config.max_in_flight = edge->config.validator_window;
    config.ctx = batcher;
    config.on_up = on_up;
    config.on_down = on_down;
    config.on_room = on_room;
    err = gh_client_new(edge->loop, &config, &batcher->client);
    if (err != GH_OK) {
        free(batcher);
        return err;
    }
    *ret_batcher = batcher;
    return GH_OK;
}

void batcher_free(struct batcher *batcher)
{
    if (batcher == NULL) return;
    gh_client_free(batcher->client);
    while (batcher->lanes != NULL) {
        struct validator_lane *lane = batcher->lanes;
        struct batch *batch = collect(batcher, lane);

        while (batch != NULL) {
            struct batch *next = batch->next;

            refuse_items(batch, GH_CODE_UNAVAILABLE);
            batch = next;
        }
        batcher->lanes = lane->next;
        free(lane);
    }
    batch_pool_done(&batcher->pool);
    free(batcher);
}
