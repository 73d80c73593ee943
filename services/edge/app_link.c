#include "app_link.h"

#include "app_ops.h"
#include "delivery.h"
#include "edge.h"
#include "replies.h"

#include "common/arena.h"
#include "common/log.h"

#include <stdlib.h>
#include <string.h>

#define BATCH_SEND_BYTES (1u << 20) /* an open batch this big leaves before the turn ends */
#define BATCH_WAIT_BYTES                                                                           \
    (256u << 10) /* with no room at the instance, no more than this gathers                        \
                  */
#define BATCH_ARENA_MAX (32u << 20)
#define BATCHES_KEPT    16
#define ID_MAX          64

struct item_meta { /* what is needed to answer a client when its batch fails */
    uint64_t conn_id;
    uint8_t id_len;
    bool message;
    char id[ID_MAX];
};

struct app_batch {
    struct app_batch *next;
    struct app_link *link;
    struct gh_arena *arena;
    size_t bytes;
    uint32_t n, cap;
    Gh__AppItem *items, **item_ptrs;
    struct item_meta *meta;
};

struct app_lane {
    struct app_lane *next;
    struct app_link *link;
    struct gh_client_peer *peer;
    struct app_batch *open;
    struct conn *conns;   /* announced here */
    struct conn *waiters; /* with messages that found no room */
};

struct app_link {
    struct app_links *links;
    const char *name;
    struct gh_client *client;
    struct app_lane *lanes;
    struct conn *homeless; /* connections no instance knows */
    struct app_batch *free;
    size_t n_free;
};

struct app_links {
    struct edge *edge;
    size_t count;
    struct app_link links[];
};

/* --- batches ---------------------------------------------------------------------------------- */

static void batch_free(struct app_batch *batch)
{
    if (batch == NULL) return;
    gh_arena_free(batch->arena);
    free(batch->items);
    free(batch->item_ptrs);
    free(batch->meta);
    free(batch);
}

static struct app_batch *batch_take(struct app_link *link)
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
        batch_free(batch);
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

static ProtobufCBinaryData keep(struct app_batch *batch, const void *bytes, size_t len)
{
    void *copy;

    if (len == 0) return gh_bytes(NULL, 0);
    copy = gh_arena_alloc(batch->arena, len);
    if (copy == NULL) return gh_bytes(NULL, 0);
    memcpy(copy, bytes, len);
    batch->bytes += len;
    return gh_bytes(copy, len);
}

static void on_answer(void *ctx, enum gh_err err, const void *body);

/* GH_ERR_BUSY: it stays open. */
static void send_open(struct app_lane *lane)
{
    struct edge *edge = lane->link->links->edge;
    struct app_batch *batch = lane->open;
    Gh__AppBatch message = GH__APP_BATCH__INIT;
    enum gh_err err;

    if (batch == NULL || !gh_client_peer_has_room(lane->peer)) return;
    message.items = batch->item_ptrs;
    message.n_items = batch->n;
    err = gh_client_call(lane->link->client, lane->peer, GH__ENVELOPE__BODY_APP_BATCH, &message,
                         GH__ENVELOPE__BODY_APP_ANSWER, edge->config.call_timeout_ms, on_answer,
                         batch);
    if (err == GH_ERR_BUSY) return;
    lane->open = NULL;
    (*edge->stats.app_batches)++;
    *edge->stats.app_items += batch->n;
    if (err != GH_OK) on_answer(batch, err, NULL);
}

static Gh__AppItem *add_item(struct app_lane *lane, uint64_t conn_id, Gh__AppItemKind kind)
{
    struct app_batch *batch = lane->open;
    Gh__AppItem *item;

    if (batch != NULL && batch->bytes >= BATCH_SEND_BYTES) {
        send_open(lane);
        batch = lane->open;
    }
    if (batch == NULL) batch = lane->open = batch_take(lane->link);
    if (batch == NULL || (batch->n == batch->cap && !grow(batch))) return NULL;
    item = &batch->items[batch->n];
    gh__app_item__init(item);
    item->kind = kind;
    item->conn = conn_id;
    batch->meta[batch->n].conn_id = conn_id;
    batch->meta[batch->n].id_len = 0;
    batch->meta[batch->n].message = kind == GH__APP_ITEM_KIND__APP_MESSAGE;
    batch->n++;
    return item;
}

/* --- answers and pushes ----------------------------------------------------------------------- */

static void settle_item(struct edge *edge, const struct item_meta *meta, bool failed)
{
    struct conn *conn = conn_table_find(&edge->conns, meta->conn_id);

    if (!meta->message || conn == NULL || conn->left) return;
    conn->app_unanswered--;
    if (failed) delivery_refused(conn, GH_CODE_UNAVAILABLE, meta->id, meta->id_len, 0);
}

static void on_answer(void *ctx, enum gh_err err, const void *body)
{
    struct app_batch *batch = ctx;
    struct app_link *link = batch->link;
    struct edge *edge = link->links->edge;
    const Gh__AppAnswer *answer = body;

    if (err != GH_OK)
        gh_log(GH_LOG_WARN, "app_batch_failed", "app=%s items=%u error=\"%s\"", link->name,
               batch->n, gh_err_text(err));
    for (uint32_t i = 0; i < batch->n; i++)
        settle_item(edge, &batch->meta[i], err != GH_OK);
    batch_give(batch);
    if (err == GH_OK) app_ops_run(edge, link, answer->ops, answer->n_ops);
}

static void on_push(void *ctx, struct gh_client_peer *peer, uint32_t arm, const void *body)
{
    struct app_link *link = ctx;
    const Gh__AppPush *push = body;

    (void)peer;
    if (arm == GH__ENVELOPE__BODY_APP_PUSH)
        app_ops_run(link->links->edge, link, push->ops, push->n_ops);
}

/* --- who is announced where ------------------------------------------------------------------- */

static void list_remove(struct conn **list, struct conn *conn)
{
    if (conn->app_prev != NULL)
        conn->app_prev->app_next = conn->app_next;
    else
        *list = conn->app_next;
    if (conn->app_next != NULL) conn->app_next->app_prev = conn->app_prev;
    conn->app_prev = conn->app_next = NULL;
}

static void list_add(struct conn **list, struct conn *conn)
{
    conn->app_prev = NULL;
    conn->app_next = *list;
    if (*list != NULL) (*list)->app_prev = conn;
    *list = conn;
}

static bool announce(struct app_lane *lane, struct conn *conn)
{
    const struct identity *who = conn->identity;
    Gh__AppItem *item = add_item(lane, conn->id, GH__APP_ITEM_KIND__APP_OPEN);
    struct app_batch *batch = lane->open;
    Gh__AppIdentity *identity;
    struct span roles = { who->roles, who->roles_len }, role;
    char address[ADDR_TEXT_MAX];
    size_t n_roles = 0;

    if (item == NULL) return false;
    identity = gh_arena_alloc(batch->arena, sizeof *identity);
    if (identity == NULL) {
        batch->n--;
        return false;
    }
    gh__app_identity__init(identity);
    addr_format(&conn->addr, address);
    identity->session_id = keep(batch, who->session_id, strlen(who->session_id));
    identity->user = keep(batch, who->user, who->user_len);
    identity->route = keep(batch, conn->route->name, strlen(conn->route->name));
    identity->address = keep(batch, address, strlen(address));
    for (size_t i = 0; i < who->roles_len; i++)
        n_roles += who->roles[i] == ',';
    if (who->roles_len > 0)
        identity->roles = gh_arena_alloc(batch->arena, (n_roles + 1) * sizeof *identity->roles);
    while (who->roles_len > 0 && identity->roles != NULL && span_next_item(&roles, ',', &role))
        identity->roles[identity->n_roles++] = keep(batch, role.data, role.len);
    item->identity = identity;
    return true;
}

static struct app_lane *lane_of(struct app_link *link, struct gh_client_peer *peer)
{
    struct app_lane *lane = gh_client_peer_user(peer);

    if (lane != NULL) return lane;
    lane = calloc(1, sizeof *lane);
    if (lane == NULL) return NULL;
    lane->link = link;
    lane->peer = peer;
    lane->next = link->lanes;
    link->lanes = lane;
    gh_client_peer_set_user(peer, lane);
    return lane;
}

/* Gives a connection that is on no list a home, or puts it among the homeless. */
static void settle_conn(struct app_link *link, struct conn *conn)
{
    struct gh_client_peer *peer = gh_client_peer_for(link->client, conn->id);
    struct app_lane *lane = peer != NULL ? lane_of(link, peer) : NULL;

    conn->app_lane = lane != NULL && announce(lane, conn) ? lane : NULL;
    list_add(conn->app_lane != NULL ? &lane->conns : &link->homeless, conn);
}

void app_link_join(struct conn *conn)
{
    conn->announced = true;
    settle_conn(conn->route->link, conn);
}

void app_link_leave(struct conn *conn)
{
    struct app_lane *lane = conn->app_lane;
    Gh__AppItem *item;

    if (!conn->announced) return;
    conn->announced = false;
    conn->app_lane = NULL;
    list_remove(lane != NULL ? &lane->conns : &conn->route->link->homeless, conn);
    if (lane == NULL) return;
    item = add_item(lane, conn->id, GH__APP_ITEM_KIND__APP_CLOSE);
    if (item != NULL) item->close_code = conn->ws_code != 0 ? conn->ws_code : 1006;
}

static void on_up(void *ctx, struct gh_client_peer *peer, uint64_t orders_version)
{
    struct app_link *link = ctx;
    struct conn *conn = link->homeless;

    (void)orders_version;
    if (lane_of(link, peer) == NULL) return;
    link->homeless = NULL;
    while (conn != NULL) {
        struct conn *next = conn->app_next;

        settle_conn(link, conn);
        conn = next;
    }
    app_links_flush(link->links);
}

static void on_down(void *ctx, struct gh_client_peer *peer)
{
    struct app_link *link = ctx;
    struct app_lane *lane = gh_client_peer_user(peer), **at = &link->lanes;
    struct conn *conn;

    if (lane == NULL) return;
    gh_client_peer_set_user(peer, NULL);
    while (*at != lane)
        at = &(*at)->next;
    *at = lane->next;
    conn = lane->conns;
    lane->conns = NULL;
    while (conn != NULL) {
        struct conn *next = conn->app_next;

        settle_conn(link, conn);
        conn = next;
    }
    if (lane->open != NULL) on_answer(lane->open, GH_ERR_UNAVAILABLE, NULL);
    delivery_wake(&lane->waiters); /* to the instance that is theirs now */
    free(lane);
    app_links_flush(link->links);
}

static void on_room(void *ctx, struct gh_client_peer *peer)
{
    struct app_lane *lane = gh_client_peer_user(peer);

    (void)ctx;
    if (lane == NULL) return;
    send_open(lane);
    if (!gh_client_peer_has_room(peer)) return;
    delivery_wake(&lane->waiters);
    send_open(lane);
}

/* --- messages --------------------------------------------------------------------------------- */

enum gh_err app_link_message(struct conn *conn, const struct app_message *message)
{
    struct app_lane *lane = conn->app_lane;
    struct app_batch *batch;
    struct item_meta *meta;
    Gh__AppItem *item;

    if (lane == NULL) return GH_ERR_UNAVAILABLE;
    if (lane->open != NULL && lane->open->bytes >= BATCH_WAIT_BYTES &&
        !gh_client_peer_has_room(lane->peer)) {
        delivery_wait(conn, &lane->waiters);
        return GH_ERR_BUSY;
    }
    item = add_item(lane, conn->id, GH__APP_ITEM_KIND__APP_MESSAGE);
    if (item == NULL) return GH_ERR_NOMEM;
    batch = lane->open;
    item->type = keep(batch, message->type.data, message->type.len);
    item->id = keep(batch, message->id.data, message->id.len);
    item->data = keep(batch, message->data.data, message->data.len);
    item->binary = message->binary;
    if (item->data.len != message->data.len) {
        batch->n--;
        return GH_ERR_NOMEM;
    }
    meta = &batch->meta[batch->n - 1];
    meta->id_len = (uint8_t)(message->id.len <= ID_MAX ? message->id.len : 0);
    if (meta->id_len > 0) memcpy(meta->id, message->id.data, meta->id_len);
    conn->app_unanswered++;
    return GH_OK;
}

void app_links_flush(struct app_links *links)
{
    for (size_t i = 0; i < links->count; i++)
        for (struct app_lane *lane = links->links[i].lanes; lane != NULL; lane = lane->next)
            send_open(lane);
}

/* --- life ------------------------------------------------------------------------------------- */

bool app_link_up(const struct app_link *link)
{
    return gh_client_up_count(link->client) > 0;
}

struct app_link *app_links_find(struct app_links *links, const char *name)
{
    for (size_t i = 0; i < links->count; i++)
        if (strcmp(links->links[i].name, name) == 0) return &links->links[i];
    return NULL;
}

enum gh_err app_links_new(struct edge *edge, struct app_links **ret_links)
{
    const struct edge_app_config *apps = edge->config.app_items.items;
    size_t count = edge->config.app_items.count;
    struct app_links *links = calloc(1, sizeof *links + count * sizeof links->links[0]);

    if (links == NULL) return GH_ERR_NOMEM;
    links->edge = edge;
    for (size_t i = 0; i < count; i++) {
        struct app_link *link = &links->links[i];
        struct gh_client_config config;
        enum gh_err err;

        link->links = links;
        link->name = apps[i].name;
        gh_service_client_init(edge->service, apps[i].endpoint, GH_ROLE_APP, &config);
        config.max_in_flight = edge->config.app_window;
        config.ctx = link;
        config.on_up = on_up;
        config.on_down = on_down;
        config.on_push = on_push;
        config.on_room = on_room;
        err = gh_client_new(edge->loop, &config, &link->client);
        if (err != GH_OK) {
            app_links_free(links);
            return err;
        }
        links->count++;
    }
    *ret_links = links;
    return GH_OK;
}

void app_links_free(struct app_links *links)
{
    if (links == NULL) return;
    for (size_t i = 0; i < links->count; i++) {
        struct app_link *link = &links->links[i];

        gh_client_free(link->client);
        while (link->lanes != NULL) {
            struct app_lane *next = link->lanes->next;

            batch_free(link->lanes->open);
            free(link->lanes);
            link->lanes = next;
        }
        while (link->free != NULL) {
            struct app_batch *next = link->free->next;

            batch_free(link->free);
            link->free = next;
        }
    }
    free(links);
}
