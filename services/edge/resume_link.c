/* Appends: what resumable connections have to be kept, gathered for one turn, to the session
 * service and back. */
#include "edge.h"
#include "resume_internal.h"
#include "session_link.h"

#include "common/arena.h"
#include "common/log.h"

#include <stdlib.h>
#include <string.h>

#define BATCH_ITEMS    512u
#define BATCH_BYTES    (1u << 20) /* with one connection's queue on top well under a bus message */
#define ARENA_BYTES    (64u << 20)
#define RETRY_MS       100
#define CURSORS_EVERY  50u /* retries: how often the cursors of quiet sessions are kept */
#define CURSORS_MAX    64u
#define ENTRY_OVERHEAD 16u
#define KNOWN_GRACE_MS 15000
#define CALL_MS        1500

struct resume_link {
    struct edge *edge;
    struct resume *dirty;
    struct resume *stalled;
    uv_timer_t *timer;
    unsigned ticks;
    struct gh_arena *arena; /* of the message being made */
    struct app_cursor cursors[CURSORS_MAX];
    size_t n_cursors;
    uint64_t *kept, *lost, *failed;
};

struct batch { /* under way */
    struct resume_link *link;
    uint32_t n;
    struct batch_conn {
        uint64_t conn_id;
        uint64_t turn;
    } conns[BATCH_ITEMS];
};

/* --- lists ------------------------------------------------------------------------------------ */

static void list_add(struct resume **list, struct resume *r)
{
    r->dirty_next = *list;
    r->dirty_at = list;
    if (*list != NULL) (*list)->dirty_at = &r->dirty_next;
    *list = r;
}

void resume_undirty(struct resume *r)
{
    if (r->dirty_at == NULL) return;
    *r->dirty_at = r->dirty_next;
    if (r->dirty_next != NULL) r->dirty_next->dirty_at = r->dirty_at;
    r->dirty_at = NULL;
    r->dirty_next = NULL;
}

void resume_dirty(struct resume *r)
{
    /* One under way takes up what came meanwhile when it is back; a stalled one, when it is time.
     */
    if (r->dirty_at != NULL || r->flying || r->lost || r->conn == NULL) return;
    list_add(&r->conn->edge->resumes->dirty, r);
}

void resume_count_lost(struct resume_link *link)
{
    (*link->lost)++;
}

/* --- making an item --------------------------------------------------------------------------- */

static void *take(struct resume_link *link, size_t size)
{
    return gh_arena_alloc(link->arena, size);
}

/* conn NULL: as the lanes are. */
static Gh__SessionCursor **cursors_of(struct resume_link *link, const struct conn *conn,
                                      size_t *ret_n)
{
    Gh__SessionCursor **list = take(link, CURSORS_MAX * sizeof *list);
    Gh__SessionCursor *cursors = take(link, CURSORS_MAX * sizeof *cursors);
    size_t n = link->n_cursors;

    if (list == NULL || cursors == NULL) return NULL;
    for (size_t i = 0; i < link->n_cursors; i++) {
        const struct app_cursor *at = &link->cursors[i];

        gh__session_cursor__init(&cursors[i]);
        cursors[i].origin = gh_bytes_str(at->origin);
        cursors[i].number = at->number;
        for (size_t l = 0; conn != NULL && l < conn->resume->n_lanes; l++)
            if (conn->resume->lanes[l].lane == at->lane)
                cursors[i].number = conn->resume->lanes[l].cursor;
        list[i] = &cursors[i];
    }
    /* Of instances that are not in sight of this edge. */
    for (size_t i = 0; conn != NULL && i < conn->resume->n_cursors && n < CURSORS_MAX; i++, n++) {
        gh__session_cursor__init(&cursors[n]);
        cursors[n].origin = gh_bytes_str(conn->resume->cursors[i].origin);
        cursors[n].number = conn->resume->cursors[i].number;
        list[n] = &cursors[n];
    }
    *ret_n = n;
    return list;
}

static bool add_entries(struct resume_link *link, struct resume *r, Gh__SessionAppendItem *item)
{
    const uint32_t count = r->queued - r->ready;
    Gh__SessionEntry *entries = take(link, (count + 1) * sizeof *entries);
    uint32_t n = 0;

    item->entries = take(link, (count + 1) * sizeof *item->entries);
    if (entries == NULL || item->entries == NULL) return false;
    for (struct resume_entry *at = r->unkept; at != NULL; at = at->next, n++) {
        gh__session_entry__init(&entries[n]);
        entries[n].data = gh_bytes(at->data, at->len);
        entries[n].binary = at->binary;
        item->entries[n] = &entries[n];
    }
    item->n_entries = n;
    return true;
}

static bool add_changes(struct resume_link *link, struct resume *r, Gh__SessionAppendItem *item)
{
    uint32_t n = 0, count = 0;
    Gh__SessionTopic *topics;

    for (struct resume_change *at = r->changes; at != NULL; at = at->next)
        count++;
    if (count == 0) return true;
    topics = take(link, count * sizeof *topics);
    item->topics = take(link, count * sizeof *item->topics);
    if (topics == NULL || item->topics == NULL) return false;
    for (struct resume_change *at = r->changes; at != NULL; at = at->next, n++) {
        gh__session_topic__init(&topics[n]);
        topics[n].topic = gh_bytes(at->name, at->len);
        topics[n].leave = at->leave;
        item->topics[n] = &topics[n];
    }
    item->n_topics = n;
    return true;
}

/* Everything that waits, whatever is under way: what is kept already is passed over there. */
static Gh__SessionAppendItem *make_item(struct resume_link *link, struct conn *conn)
{
    Gh__SessionAppendItem *item = take(link, sizeof *item);
    struct resume *r = conn->resume;

    if (item == NULL) return NULL;
    gh__session_append_item__init(item);
    item->session_id = gh_bytes_str(conn->identity->session_id);
    item->user = gh_bytes(conn->identity->user, conn->identity->user_len);
    item->generation = r->generation;
    item->turn = ++r->turn;
    item->first_seq = r->seq + r->ready + 1;
    item->acked = r->acked;
    if (!add_entries(link, r, item) || !add_changes(link, r, item)) return NULL;
    if (r->n_lanes > 0 || r->n_cursors > 0) {
        item->own_cursors = true;
        item->cursors = cursors_of(link, conn, &item->n_cursors);
        if (item->cursors == NULL) return NULL;
    }
    return item;
}

/* --- sending and hearing ---------------------------------------------------------------------- */

static void drop_changes(struct resume *r)
{
    for (uint32_t i = 0; i < r->changes_in_flight; i++) {
        struct resume_change *next = r->changes->next;

        free(r->changes);
        r->changes = next;
    }
    if (r->changes == NULL) r->changes_last = NULL;
    r->changes_in_flight = 0;
}

static void stall(struct resume_link *link, struct resume *r)
{
    if (r->stalled_ms == 0) r->stalled_ms = edge_now(link->edge);
    if (r->dirty_at == NULL) list_add(&link->stalled, r);
}

static void settle(struct resume_link *link, struct conn *conn, enum gh_err err, uint32_t code)
{
    struct resume *r = conn->resume;
    const uint32_t kept = r->in_flight;

    r->flying = false;
    r->in_flight = 0;
    if (r->lost || conn->state != CONN_OPEN) return;
    if (err != GH_OK) {
        r->changes_in_flight = 0;
        (*link->failed)++;
        stall(link, r);
        return;
    }
    if (code == GH_CODE_UNAVAILABLE) {
        resume_lose(conn, "the stream has a hole");
        return;
    }
    if (code != GH_CODE_OK) {
        conn_close(conn, code, 0, "session service");
        return;
    }
    r->stalled_ms = 0;
    *link->kept += kept;
    drop_changes(r);
    resume_kept(conn, kept);
    if (conn->state == CONN_OPEN && (r->unkept != NULL || r->changes != NULL)) resume_dirty(r);
}

static void on_appended(void *ctx, enum gh_err err, const void *body)
{
    struct batch *batch = ctx;
    struct resume_link *link = batch->link;
    const Gh__SessionAppendReply *reply = body;

    if (err == GH_OK && reply->n_codes != batch->n) err = GH_ERR_BAD_MESSAGE;
    for (uint32_t i = 0; i < batch->n; i++) {
        struct conn *conn = conn_table_find(&link->edge->conns, batch->conns[i].conn_id);

        if (conn != NULL && conn->resume != NULL && conn->resume->turn == batch->conns[i].turn)
            settle(link, conn, err, err == GH_OK ? reply->codes[i] : GH_CODE_OK);
    }
    free(batch);
}

static enum gh_err send_append(struct resume_link *link, Gh__SessionAppendItem **items, size_t n,
                               gh_answer_fn fn, void *ctx)
{
    struct gh_client *client = session_link_client(link->edge->session_link);
    Gh__SessionAppend message = GH__SESSION_APPEND__INIT;

    message.items = items;
    message.n_items = n;
    message.cursors = cursors_of(link, NULL, &message.n_cursors);
    if (message.cursors == NULL) return GH_ERR_NOMEM;
    return gh_client_call(client, gh_client_peer_any(client), GH__ENVELOPE__BODY_SESSION_APPEND,
                          &message, GH__ENVELOPE__BODY_SESSION_APPEND_REPLY, CALL_MS, fn, ctx);
}

/* One message of as many as fit. */
static void flush_some(struct resume_link *link)
{
    Gh__SessionAppendItem *items[BATCH_ITEMS];
    struct batch *batch = calloc(1, sizeof *batch);
    size_t bytes = 0;
    enum gh_err err = batch != NULL ? GH_OK : GH_ERR_NOMEM;

    gh_arena_reset(link->arena);
    while (link->dirty != NULL && batch != NULL && batch->n < BATCH_ITEMS && bytes < BATCH_BYTES) {
        struct resume *r = link->dirty;
        Gh__SessionAppendItem *item = make_item(link, r->conn);

        resume_undirty(r);
        if (item == NULL) {
            stall(link, r);
            continue;
        }
        r->flying = true;
        r->in_flight = (uint32_t)item->n_entries;
        r->changes_in_flight = (uint32_t)item->n_topics;
        bytes += r->bytes + r->queued * ENTRY_OVERHEAD;
        batch->conns[batch->n] = (struct batch_conn){ r->conn->id, r->turn };
        items[batch->n++] = item;
    }
    if (batch == NULL) { /* later */
        while (link->dirty != NULL) {
            struct resume *r = link->dirty;

            resume_undirty(r);
            stall(link, r);
        }
        return;
    }
    batch->link = link;
    if (batch->n > 0) err = send_append(link, items, batch->n, on_appended, batch);
    if (batch->n == 0)
        free(batch);
    else if (err != GH_OK)
        on_appended(batch, err, NULL);
}

void resume_flush(struct resume_link *link)
{
    if (link->dirty == NULL) return;
    link->n_cursors = app_links_cursors(link->edge->apps, link->cursors, CURSORS_MAX);
    while (link->dirty != NULL)
        flush_some(link);
}

static void on_detached(void *ctx, enum gh_err err, const void *body)
{
    (void)ctx;
    (void)body;
    if (err != GH_OK)
        gh_log(GH_LOG_DEBUG, "detach_lost", "error=\"%s\" next=\"its heartbeat tells\"",
               gh_err_text(err));
}

void resume_detach(struct conn *conn)
{
    struct resume_link *link = conn->edge->resumes;
    Gh__SessionAppendItem *item;

    gh_arena_reset(link->arena);
    link->n_cursors = app_links_cursors(link->edge->apps, link->cursors, CURSORS_MAX);
    item = make_item(link, conn);
    if (item == NULL) return; /* the window then begins with its last heartbeat */
    item->detach = true;
    if (send_append(link, &item, 1, on_detached, NULL) != GH_OK)
        on_detached(NULL, GH_ERR_UNAVAILABLE, NULL);
}

/* --- time ------------------------------------------------------------------------------------- */

static void retry_stalled(struct resume_link *link)
{
    const int64_t now = edge_now(link->edge);
    struct resume *list = link->stalled;

    link->stalled = NULL;
    if (list != NULL) list->dirty_at = &list;
    while (list != NULL) {
        struct resume *r = list;

        resume_undirty(r);
        if (now - r->stalled_ms >= RESUME_STALL_MS)
            resume_lose(r->conn, "nothing can be kept");
        else
            resume_dirty(r);
    }
}

/* Quiet sessions, too, have all up to where the lanes are now. */
static void keep_cursors(struct resume_link *link)
{
    struct conn *conn;
    uint32_t at = 0;

    while ((conn = conn_table_walk(&link->edge->conns, &at)) != NULL) {
        if (conn->resume == NULL || conn->state != CONN_OPEN) continue;
        /* An instance that was not seen for so long does not have what it said then any more. */
        if (edge_now(link->edge) - conn->opened_ms >
            (int64_t)conn->route->resume.window_ms + KNOWN_GRACE_MS)
            conn->resume->n_cursors = 0;
        resume_dirty(conn->resume);
    }
}

static void on_timer(uv_timer_t *timer)
{
    struct resume_link *link = timer->data;

    retry_stalled(link);
    if (++link->ticks % CURSORS_EVERY == 0) keep_cursors(link);
}

static bool any_resumable(const struct edge *edge)
{
    for (size_t i = 0; i < edge->routes.count; i++)
        if (edge->routes.routes[i].resume.window_ms > 0) return true;
    return false;
}

enum gh_err resume_link_new(struct edge *edge, struct resume_link **ret_link)
{
    struct gh_metrics *metrics = gh_service_metrics(edge->service);
    struct resume_link *link = calloc(1, sizeof *link);
    enum gh_err err;

    if (link == NULL) return GH_ERR_NOMEM;
    link->edge = edge;
    link->kept = gh_metrics_counter(metrics, "gatehouse_edge_resume_kept_total", NULL,
                                    "Messages kept in streams before they were sent.");
    link->lost = gh_metrics_counter(metrics, "gatehouse_edge_resume_lost_total", NULL,
                                    "Connections that went on without being resumable.");
    link->failed = gh_metrics_counter(metrics, "gatehouse_edge_resume_retries_total", NULL,
                                      "Appends that were not answered with a verdict.");
    err = gh_arena_new(ARENA_BYTES, &link->arena);
    if (err == GH_OK && any_resumable(edge)) {
        link->timer = malloc(sizeof *link->timer);
        if (link->timer == NULL) err = GH_ERR_NOMEM;
    }
    if (link->timer != NULL) {
        (void)uv_timer_init(edge->loop, link->timer);
        link->timer->data = link;
        (void)uv_timer_start(link->timer, on_timer, RETRY_MS, RETRY_MS);
    }
    if (err != GH_OK) {
        resume_link_free(link);
        return err;
    }
    *ret_link = link;
    return GH_OK;
}

static void timer_closed(uv_handle_t *handle)
{
    free(handle);
}

void resume_link_free(struct resume_link *link)
{
    if (link == NULL) return;
    if (link->timer != NULL) uv_close((uv_handle_t *)link->timer, timer_closed);
    gh_arena_free(link->arena);
    free(link);
}
