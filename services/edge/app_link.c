#include "app_link_internal.h"

#include "app_ops.h"
#include "delivery.h"
#include "edge.h"
#include "resume.h"

#include "common/arena.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* With no room at the instance, no more than this gathers. */
#define BATCH_WAIT_BYTES (256u << 10)

/* --- pushes ----------------------------------------------------------------------------------- */

static void on_push(void *ctx, struct gh_client_peer *peer, uint32_t arm, const void *body)
{
    struct app_link *link = ctx;
    struct app_lane *lane = gh_client_peer_user(peer);
    const Gh__AppPush *push = body;

    if (arm == GH__ENVELOPE__BODY_APP_PUSH && lane != NULL)
        app_ops_run(link->links->edge, link, lane, push->ops, push->n_ops);
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

static Gh__AppIdentity *make_identity(struct app_batch *batch, const struct conn *conn)
{
    const struct identity *who = conn->identity;
    Gh__AppIdentity *identity = gh_arena_alloc(batch->arena, sizeof *identity);
    struct span roles = { who->roles, who->roles_len }, role;
    char address[ADDR_TEXT_MAX];
    size_t n_roles = 0;

    if (identity == NULL) return NULL;
    gh__app_identity__init(identity);
    addr_format(&conn->addr, address);
    identity->session_id = app_batch_keep(batch, who->session_id, strlen(who->session_id));
    identity->user = app_batch_keep(batch, who->user, who->user_len);
    identity->route = app_batch_keep(batch, conn->route->name, strlen(conn->route->name));
    identity->address = app_batch_keep(batch, address, strlen(address));
    identity->resumable = conn->resume != NULL;
    for (size_t i = 0; i < who->roles_len; i++)
        n_roles += who->roles[i] == ',';
    if (who->roles_len > 0)
        identity->roles = gh_arena_alloc(batch->arena, (n_roles + 1) * sizeof *identity->roles);
    while (who->roles_len > 0 && identity->roles != NULL && span_next_item(&roles, ',', &role))
        identity->roles[identity->n_roles++] = app_batch_keep(batch, role.data, role.len);
    return identity;
}

/* Where its session goes on from, and what it is in. */
static Gh__AppResume *make_resume(struct app_batch *batch, struct conn *conn,
                                  const struct app_lane *lane, uint64_t cursor)
{
    Gh__AppResume *resume = gh_arena_alloc(batch->arena, sizeof *resume);
    const struct subscription *sub;

    if (resume == NULL || resume_behind(conn, lane, cursor) != GH_OK) return NULL;
    gh__app_resume__init(resume);
    resume->cursor = cursor;
    resume->topics =
        gh_arena_alloc(batch->arena, (conn->n_subscriptions + 1) * sizeof *resume->topics);
    if (resume->topics == NULL) return NULL;
    for (sub = conn->subscriptions; sub != NULL; sub = sub->conn_next)
        if (sub->topic->app == lane->link)
            resume->topics[resume->n_topics++] =
                app_batch_keep(batch, sub->topic->name, sub->topic->len);
    return resume;
}

/* Says that a connection is there (APP_OPEN), or that its session is back (APP_RESUME). */
static bool tell_conn(struct app_lane *lane, struct conn *conn, Gh__AppItemKind kind, bool resumes,
                      uint64_t cursor)
{
    Gh__AppItem *item = app_batch_add(lane, conn->id, kind);
    struct app_batch *batch = lane->open;

    if (item == NULL) return false;
    item->identity = make_identity(batch, conn);
    if (resumes) item->resume = make_resume(batch, conn, lane, cursor);
    if (item->identity == NULL || (resumes && item->resume == NULL)) {
        batch->n--;
        return false;
    }
    batch->meta[batch->n - 1].resume = resumes;
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
    (void)snprintf(lane->origin, sizeof lane->origin, "%s/%" PRIx64, gh_client_peer_instance(peer),
                   gh_client_peer_boot_id(peer));
    gh_client_peer_set_user(peer, lane);
    return lane;
}

/* Is its session behind what this instance said? From where on is *ret_cursor. */
static bool goes_on(struct conn *conn, struct app_lane *lane, uint64_t *ret_cursor)
{
    const struct app_gone *gone;

    if (conn->resume == NULL) return false;
    if (!conn->announced && !resume_was_resumed(conn->resume)) return false; /* it has just begun */
    if (resume_take_known(conn, lane, ret_cursor)) return true;
    *ret_cursor = 0;
    if (!conn->announced) return true; /* an instance its session has never heard of */
    /* Known to another instance, or to this one before: it is told what the session is in. */
    gone = app_link_gone(lane->link, lane);
    *ret_cursor = gone != NULL && gone->at_ms >= conn->opened_ms ? gone->cursor : lane->cursor;
    return true;
}

static uint64_t home_key(const struct conn *conn)
{
    uint64_t key = 1469598103934665603u; /* FNV-1a */

    if (conn->resume == NULL) return conn->id;
    for (const char *at = conn->identity->session_id; *at != 0; at++)
        key = (key ^ (unsigned char)*at) * 1099511628211u;
    return key;
}

/* Gives a connection that is on no list a home, or puts it among the homeless. */
static void settle_conn(struct app_link *link, struct conn *conn)
{
    struct gh_client_peer *peer = gh_client_peer_for(link->client, home_key(conn));
    struct app_lane *lane = peer != NULL ? lane_of(link, peer) : NULL;
    uint64_t cursor = 0;
    bool resumes = lane != NULL && goes_on(conn, lane, &cursor);

    conn->app_lane =
        lane != NULL && tell_conn(lane, conn, GH__APP_ITEM_KIND__APP_OPEN, resumes, cursor) ? lane
                                                                                            : NULL;
    list_add(conn->app_lane != NULL ? &lane->conns : &link->homeless, conn);
}

/* To an instance that is not its home. */
static void ask_again(struct app_lane *lane, struct conn *conn, uint64_t cursor)
{
    if (!tell_conn(lane, conn, GH__APP_ITEM_KIND__APP_RESUME, true, cursor))
        conn_close(conn, GH_CODE_GOING_AWAY, 0, "no memory to resume");
}

void app_link_join(struct conn *conn)
{
    struct app_link *link = conn->route->link;
    uint64_t cursor;

    for (struct app_lane *lane = link->lanes; lane != NULL && conn->resume != NULL;
         lane = lane->next) {
        if (gh_client_peer_for(link->client, home_key(conn)) != lane->peer &&
            goes_on(conn, lane, &cursor))
            ask_again(lane, conn, cursor);
        if (conn->left) return;
    }
    settle_conn(link, conn);
    conn->announced = true;
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
    item = app_batch_add(lane, conn->id, GH__APP_ITEM_KIND__APP_CLOSE);
    if (item == NULL) return;
    item->close_code = conn->ws_code != 0 ? conn->ws_code : 1006;
    item->detached = resume_may_return(conn);
}

/* ---- sessions that come back ---- */

/* The next resumable connection of this link that is not behind already. */
static struct conn *next_resumable(struct app_lane *lane, uint32_t *at)
{
    struct conn *conn;

    while ((conn = conn_table_walk(&lane->link->links->edge->conns, at)) != NULL)
        if (conn->resume != NULL && conn->state == CONN_OPEN && conn->announced &&
            conn->route->link == lane->link && !resume_is_behind(conn, lane))
            break;
    return conn;
}

void app_lane_ask_again(struct app_lane *lane)
{
    struct conn *conn;
    uint32_t at = 0;

    while ((conn = next_resumable(lane, &at)) != NULL)
        ask_again(lane, conn, lane->cursor);
}

/* It was here before, or where sessions that are here now were: what it said meanwhile did not get
 * here. */
static void welcome_back(struct app_lane *lane)
{
    struct app_gone *gone = app_link_gone(lane->link, lane);
    struct conn *conn;
    uint64_t cursor;
    uint32_t at = 0;

    if (gone != NULL && gone->cursor > lane->cursor) lane->cursor = gone->cursor;
    while ((conn = next_resumable(lane, &at)) != NULL) {
        if (resume_take_known(conn, lane, &cursor))
            ask_again(lane, conn, cursor);
        else if (gone != NULL && gone->at_ms >= conn->opened_ms)
            ask_again(lane, conn, gone->cursor);
    }
    if (gone != NULL) gone->origin[0] = 0;
}

/* What a session has of this instance is remembered for its return. One that is behind the lane
 * cannot be told from the others then: its client comes again. */
static void see_off(struct app_lane *lane)
{
    struct app_link *link = lane->link;
    struct app_gone *gone = app_link_gone(link, lane);
    struct conn *conn;
    uint32_t at = 0;

    if (link->keep_ms == 0) return;
    if (gone == NULL) gone = &link->gone[link->next_gone++ % APP_GONE_MAX];
    while ((conn = conn_table_walk(&link->links->edge->conns, &at)) != NULL) {
        if (conn->resume == NULL || !resume_has_own(conn, lane)) continue;
        conn_close(conn, GH_CODE_GOING_AWAY, 0, "application away while resuming");
        resume_forget_lane(conn, lane);
    }
    memcpy(gone->origin, lane->origin, sizeof gone->origin);
    gone->cursor = lane->cursor;
    gone->at_ms = edge_now(link->links->edge);
}

static void on_up(void *ctx, struct gh_client_peer *peer, uint64_t orders_version)
{
    struct app_link *link = ctx;
    struct conn *conn = link->homeless;

    struct app_lane *lane = lane_of(link, peer);

    (void)orders_version;
    if (lane == NULL) return;
    /* The first batch, be it empty, tells it to keep what it says. */
    if (link->keep_ms > 0 && lane->open == NULL) lane->open = app_batch_take(link);
    link->homeless = NULL;
    while (conn != NULL) {
        struct conn *next = conn->app_next;

        settle_conn(link, conn);
        conn = next;
    }
    welcome_back(lane);
    app_links_flush(link->links);
}

static void on_down(void *ctx, struct gh_client_peer *peer)
{
    struct app_link *link = ctx;
    struct app_lane *lane = gh_client_peer_user(peer), **at = &link->lanes;
    struct conn *conn;

    if (lane == NULL) return;
    gh_client_peer_set_user(peer, NULL);
    see_off(lane);
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
    if (lane->open != NULL) app_batch_fail(lane->open);
    delivery_wake(&lane->waiters); /* to the instance that is theirs now */
    free(lane);
    app_links_flush(link->links);
}

static void on_room(void *ctx, struct gh_client_peer *peer)
{
    struct app_lane *lane = gh_client_peer_user(peer);

    (void)ctx;
    if (lane == NULL) return;
    app_batch_send(lane);
    if (!gh_client_peer_has_room(peer)) return;
    delivery_wake(&lane->waiters);
    app_batch_send(lane);
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
    item = app_batch_add(lane, conn->id, GH__APP_ITEM_KIND__APP_MESSAGE);
    if (item == NULL) return GH_ERR_NOMEM;
    batch = lane->open;
    item->type = app_batch_keep(batch, message->type.data, message->type.len);
    item->id = app_batch_keep(batch, message->id.data, message->id.len);
    item->data = app_batch_keep(batch, message->data.data, message->data.len);
    item->binary = message->binary;
    if (item->data.len != message->data.len) {
        batch->n--;
        return GH_ERR_NOMEM;
    }
    meta = &batch->meta[batch->n - 1];
    meta->id_len = (uint8_t)(message->id.len <= APP_ID_MAX ? message->id.len : 0);
    if (meta->id_len > 0) memcpy(meta->id, message->id.data, meta->id_len);
    conn->app_unanswered++;
    return GH_OK;
}

void app_links_flush(struct app_links *links)
{
    for (size_t i = 0; i < links->count; i++)
        for (struct app_lane *lane = links->links[i].lanes; lane != NULL; lane = lane->next)
            app_batch_send(lane);
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

            app_batch_free(link->lanes->open);
            free(link->lanes);
            link->lanes = next;
        }
        while (link->free != NULL) {
            struct app_batch *next = link->free->next;

            app_batch_free(link->free);
            link->free = next;
        }
    }
    free(links);
}
