#include "ban_feed.h"

#include "edge.h"
#include "paging.h"

#include "common/clock.h"
#include "common/log.h"

#include <stdlib.h>

#define ASK_TIMEOUT_MS 5000

struct ban_feed {
    struct edge *edge;
    struct gh_client *client;
    struct paging *paging;
    uint64_t version;
    bool ready;
    struct ban_table *next; /* what the pages so far say */
    uint64_t next_version;
};

/* --- enforcing -------------------------------------------------------------------------------- */

static bool is_banned(struct edge *edge, const struct conn *conn, uint64_t wall_ms)
{
    const struct identity *who = conn->identity;

    return ban_table_address(edge->bans, &conn->addr, wall_ms) ||
           ban_table_subject(edge->bans, GH__BAN_KIND__BAN_USER, who->user, who->user_len,
                             wall_ms) ||
           (who->token_id_len > 0 && ban_table_subject(edge->bans, GH__BAN_KIND__BAN_TOKEN,
                                                       who->token_id, who->token_id_len, wall_ms));
}

static void enforce(struct ban_feed *feed)
{
    struct edge *edge = feed->edge;
    uint64_t wall = (uint64_t)gh_clock_wall_ms();
    struct conn *conn;
    uint32_t at = 0;

    if (ban_table_count(edge->bans) == 0) return;
    while ((conn = conn_table_walk(&edge->conns, &at)) != NULL)
        if (conn->state == CONN_OPEN && is_banned(edge, conn, wall))
            conn_close(conn, GH_CODE_BANNED, 0, "banned while connected");
}

static void add(struct ban_table *table, const Gh__Ban *ban)
{
    enum gh_err err =
        ban_table_add(table, ban->kind, ban->subject.data, ban->subject.len, ban->expires_ms);

    if (err != GH_OK)
        gh_log(GH_LOG_ERROR, "ban_not_held", "kind=%d error=\"%s\"", (int)ban->kind,
               gh_err_text(err));
}

/* --- snapshot --------------------------------------------------------------------------------- */

static void on_page(void *ctx, enum gh_err err, const void *body)
{
    struct ban_feed *feed = ctx;
    const Gh__BanListed *listed = body;

    if (err == GH_OK && feed->next == NULL) {
        feed->next_version = listed->version; /* later orders come on top of this */
        err = ban_table_new(&feed->next);
    }
    if (err != GH_OK) {
        paging_failed(feed->paging);
        return;
    }
    for (size_t i = 0; i < listed->n_bans; i++)
        add(feed->next, listed->bans[i]);
    paging_took(feed->paging, listed->cursor);
}

static enum gh_err ask_page(void *ctx, ProtobufCBinaryData cursor)
{
    struct ban_feed *feed = ctx;
    Gh__BanList request = GH__BAN_LIST__INIT;

    request.cursor = cursor;
    return gh_client_call(feed->client, gh_client_peer_any(feed->client),
                          GH__ENVELOPE__BODY_BAN_LIST, &request, GH__ENVELOPE__BODY_BAN_LISTED,
                          ASK_TIMEOUT_MS, on_page, feed);
}

static void take_whole(void *ctx)
{
    struct ban_feed *feed = ctx;
    struct edge *edge = feed->edge;

    ban_table_free(edge->bans);
    edge->bans = feed->next;
    feed->next = NULL;
    feed->version = feed->next_version;
    feed->ready = true;
    gh_log(GH_LOG_INFO, "bans_read", "count=%zu version=%llu", ban_table_count(edge->bans),
           (unsigned long long)feed->version);
    enforce(feed);
}

static void drop_pages(void *ctx)
{
    struct ban_feed *feed = ctx;

    ban_table_free(feed->next);
    feed->next = NULL;
}

static const struct paging_ops pages = { .ask = ask_page, .whole = take_whole, .drop = drop_pages };

/* --- orders ----------------------------------------------------------------------------------- */

static void on_push(void *ctx, struct gh_client_peer *peer, uint32_t arm, const void *body)
{
    struct ban_feed *feed = ctx;
    const Gh__BanOrder *order = body;

    (void)peer;
    if (arm != GH__ENVELOPE__BODY_BAN_ORDER) return;
    if (paging_is_reading(feed->paging)) {
        paging_read(feed->paging); /* the pages read so far may lack it */
    } else if (order->version <= feed->version) {
        return; /* another limiter said it already */
    } else if (order->version > feed->version + 1 || order->n_added + order->n_lifted == 0) {
        paging_read(feed->paging);
    }
    for (size_t i = 0; i < order->n_added; i++)
        add(feed->edge->bans, order->added[i]);
    for (size_t i = 0; i < order->n_lifted; i++)
        ban_table_lift(feed->edge->bans, order->lifted[i]->kind, order->lifted[i]->subject.data,
                       order->lifted[i]->subject.len);
    if (order->version > feed->version) feed->version = order->version;
    if (order->n_added > 0) enforce(feed);
}

static void on_up(void *ctx, struct gh_client_peer *peer, uint64_t orders_version)
{
    struct ban_feed *feed = ctx;

    (void)peer;
    if (!feed->ready || orders_version != feed->version) paging_read(feed->paging);
}

/* --- life ------------------------------------------------------------------------------------- */

enum gh_err ban_feed_new(struct edge *edge, struct ban_feed **ret_feed)
{
    struct ban_feed *feed = calloc(1, sizeof *feed);

    if (feed == NULL) return GH_ERR_NOMEM;
    feed->edge = edge;
    if (paging_new(edge->loop, &pages, feed, &feed->paging) != GH_OK) {
        free(feed);
        return GH_ERR_NOMEM;
    }
    *ret_feed = feed;
    return GH_OK;
}

void ban_feed_free(struct ban_feed *feed)
{
    if (feed == NULL) return;
    paging_free(feed->paging);
    ban_table_free(feed->next);
    free(feed);
}

void ban_feed_attach(struct ban_feed *feed, struct gh_client_config *config)
{
    config->ctx = feed;
    config->on_up = on_up;
    config->on_push = on_push;
}

void ban_feed_start(struct ban_feed *feed, struct gh_client *client)
{
    feed->client = client;
}

bool ban_feed_ready(void *feed)
{
    return ((const struct ban_feed *)feed)->ready;
}
