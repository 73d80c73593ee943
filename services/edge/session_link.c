#include "session_link.h"

#include "edge.h"
#include "resume.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ENDS_MAX            65536u /* kept for a service that is away; past it they lapse by themselves */
#define ENDS_RETRY_MS       500
#define ENDS_AT_ONCE        512u
#define SESSION_ID_TEXT_MAX 64

struct ending { /* of one session, until the service has taken it */
    struct ending *next;
    struct session_link *link;
    uint32_t code;
    const char *reason; /* static */
    char session_id[SESSION_ID_TEXT_MAX + 1];
    size_t user_len;
    char user[];
};

struct session_link {
    struct edge *edge;
    struct gh_client *client;
    uv_timer_t *timer;
    uint64_t version; /* of the orders, as far as we know them */
    uv_timer_t *retry;
    struct ending *ends, **ends_tail; /* to be said again */
    size_t ends_count;
    Gh__SessionTouchItem items[SESSION_TOUCH_MAX];
    Gh__SessionTouchItem *item_ptrs[SESSION_TOUCH_MAX];
};

/* --- what the service says -------------------------------------------------------------------- */

static void end_one(struct session_link *link, const Gh__SessionGone *gone)
{
    struct conn *conn =
        directory_session(&link->edge->directory, gone->session_id.data, gone->session_id.len);
    uint32_t code =
        gone->code < GH_CODE_COUNT && gone->code != GH_CODE_OK ? gone->code : GH_CODE_SESSION_ENDED;

    if (conn == NULL) return;
    /* Another connection has the session now; it may be this very one. */
    if (gone->generation != 0 &&
        (conn->resume == NULL || resume_generation(conn->resume) >= gone->generation))
        return;
    conn_close(conn, code, 0, "session service");
}

static void rotate_one(struct session_link *link, const Gh__SessionCsrf *rotated)
{
    struct conn *conn = directory_session(&link->edge->directory, rotated->session_id.data,
                                          rotated->session_id.len);
    char csrf[IDENTITY_CSRF_MAX + 1];

    if (conn == NULL || conn->state != CONN_OPEN ||
        gh_bytes_copy(rotated->csrf_token, csrf, sizeof csrf) != GH_OK || csrf[0] == 0)
        return;
    conn_rotate_csrf(conn, csrf);
}

static void touch_all(struct session_link *link);

static void on_touched(void *ctx, enum gh_err err, const void *body)
{
    struct session_link *link = ctx;
    const Gh__SessionTouched *touched = body;

    if (err != GH_OK) return; /* the next round touches them again */
    for (size_t i = 0; i < touched->n_gone; i++)
        end_one(link, touched->gone[i]);
    for (size_t i = 0; i < touched->n_rotated; i++)
        rotate_one(link, touched->rotated[i]);
    /* Looked at after the entries: what they said is known now. */
    if (touched->orders_version > link->version) {
        bool missed = link->version != 0;

        link->version = touched->orders_version;
        if (missed) touch_all(link);
    }
}

static void on_push(void *ctx, struct gh_client_peer *peer, uint32_t arm, const void *body)
{
    struct session_link *link = ctx;
    const Gh__SessionOrder *order = body;

    (void)peer;
    if (arm != GH__ENVELOPE__BODY_SESSION_ORDER) return;
    for (size_t i = 0; i < order->n_gone; i++)
        end_one(link, order->gone[i]);
    if (order->version > link->version) {
        bool missed = order->version > link->version + 1 && link->version != 0;

        link->version = order->version;
        if (missed) touch_all(link);
    }
}

static void on_up(void *ctx, struct gh_client_peer *peer, uint64_t orders_version)
{
    struct session_link *link = ctx;

    (void)peer;
    if (orders_version <= link->version) return;
    link->version = orders_version;
    touch_all(link); /* what was ordered while we did not listen */
}

/* --- what it is told -------------------------------------------------------------------------- */

static void touch_item(Gh__SessionTouchItem *item, struct conn *conn)
{
    gh__session_touch_item__init(item);
    item->session_id = gh_bytes_str(conn->identity->session_id);
    item->user = gh_bytes(conn->identity->user, conn->identity->user_len);
    item->messages_in = conn->messages_in - conn->touched_in;
    item->messages_out = conn->messages_out - conn->touched_out;
}

static enum gh_err touch_batch(struct session_link *link, size_t n)
{
    Gh__SessionTouch touch = GH__SESSION_TOUCH__INIT;

    touch.edge = gh_bytes_str(link->edge->instance);
    touch.edge_boot_id = link->edge->boot_id;
    touch.items = link->item_ptrs;
    touch.n_items = n;
    return gh_client_call(link->client, gh_client_peer_any(link->client),
                          GH__ENVELOPE__BODY_SESSION_TOUCH, &touch,
                          GH__ENVELOPE__BODY_SESSION_TOUCHED, SESSION_TOUCH_MS, on_touched, link);
}

static void touch_all(struct session_link *link)
{
    struct conn_table *table = &link->edge->conns;
    struct conn *batch[SESSION_TOUCH_MAX], *conn;
    uint32_t at = 0;
    size_t n = 0;

    do {
        conn = conn_table_walk(table, &at);
        if (conn != NULL && conn->identity != NULL && !conn->left) {
            batch[n] = conn;
            touch_item(&link->items[n], conn);
            link->item_ptrs[n] = &link->items[n];
            n++;
        }
        if (n == 0 || (conn != NULL && n < SESSION_TOUCH_MAX)) continue;
        if (touch_batch(link, n) != GH_OK) return; /* away: counted again the next time */
        for (size_t i = 0; i < n; i++) {
            batch[i]->touched_in = batch[i]->messages_in;
            batch[i]->touched_out = batch[i]->messages_out;
        }
        n = 0;
    } while (conn != NULL);
}

static void on_touch_time(uv_timer_t *timer)
{
    touch_all(timer->data);
}

/* --- ends ------------------------------------------------------------------------------------- */

static void on_retry(uv_timer_t *timer);

/* Ending is idempotent, and a session that is not ended holds its user's slot until it is idle: it
 * is said until it was heard. */
static void say_again_later(struct ending *ending)
{
    struct session_link *link = ending->link;

    if (link->ends_count >= ENDS_MAX) {
        free(ending);
        return;
    }
    ending->next = NULL;
    *link->ends_tail = ending;
    link->ends_tail = &ending->next;
    link->ends_count++;
    if (!uv_is_active((uv_handle_t *)link->retry))
        (void)uv_timer_start(link->retry, on_retry, ENDS_RETRY_MS, 0);
}

static void on_ended(void *ctx, enum gh_err err, const void *body)
{
    struct ending *ending = ctx;

    (void)body;
    if (err == GH_ERR_UNAVAILABLE || err == GH_ERR_TIMEOUT || err == GH_ERR_BUSY)
        say_again_later(ending);
    else
        free(ending);
}

static void say(struct ending *ending)
{
    struct session_link *link = ending->link;
    Gh__SessionEnd end = GH__SESSION_END__INIT;
    enum gh_err err;

    end.session_id = gh_bytes_str(ending->session_id);
    end.user = gh_bytes(ending->user, ending->user_len);
    end.code = ending->code;
    end.reason = gh_bytes_str(ending->reason);
    end.by = gh_bytes_str(link->edge->instance);
    end.quiet = true;
    err = gh_client_call(link->client, gh_client_peer_any(link->client),
                         GH__ENVELOPE__BODY_SESSION_END, &end, GH__ENVELOPE__BODY_SESSION_ENDED,
                         link->edge->config.call_timeout_ms, on_ended, ending);
    if (err != GH_OK) on_ended(ending, err, NULL);
}

static void on_retry(uv_timer_t *timer)
{
    struct session_link *link = timer->data;
    struct ending *ending = link->ends;
    size_t left = ENDS_AT_ONCE;

    link->ends = NULL;
    link->ends_tail = &link->ends;
    link->ends_count = 0;
    while (ending != NULL) {
        struct ending *next = ending->next;

        if (left > 0) {
            left--;
            say(ending);
        } else {
            say_again_later(ending);
        }
        ending = next;
    }
}

static void end_session(struct session_link *link, const char *session_id, const void *user,
                        size_t user_len, uint32_t code, const char *reason)
{
    struct ending *ending = calloc(1, sizeof *ending + user_len);

    if (ending == NULL) return; /* it lapses by itself */
    ending->link = link;
    ending->code = code;
    ending->reason = reason;
    (void)snprintf(ending->session_id, sizeof ending->session_id, "%s", session_id);
    ending->user_len = user_len;
    if (user_len > 0) memcpy(ending->user, user, user_len);
    say(ending);
}

void session_link_end(struct session_link *link, const struct conn *conn)
{
    const struct identity *who = conn->identity;

    end_session(link, who->session_id, who->user, who->user_len, conn->code, "connection closed");
}

void session_link_undo(struct session_link *link, const char *session_id, const void *user,
                       size_t user_len, uint32_t code)
{
    end_session(link, session_id, user, user_len, code, "not admitted");
}

/* --- life ------------------------------------------------------------------------------------- */

struct gh_client *session_link_client(struct session_link *link)
{
    return link->client;
}

enum gh_err session_link_new(struct edge *edge, const char *endpoint,
                             struct session_link **ret_link)
{
    struct session_link *link = calloc(1, sizeof *link);
    struct gh_client_config config;
    enum gh_err err;

    if (link == NULL) return GH_ERR_NOMEM;
    link->edge = edge;
    link->ends_tail = &link->ends;
    gh_service_client_init(edge->service, endpoint, GH_ROLE_SESSION, &config);
    config.max_in_flight = 4096;
    config.ctx = link;
    config.on_push = on_push;
    config.on_up = on_up;
    err = gh_client_new(edge->loop, &config, &link->client);
    if (err != GH_OK) goto fail;
    link->timer = malloc(sizeof *link->timer);
    if (link->timer == NULL) {
        err = GH_ERR_NOMEM;
        goto fail;
    }
    (void)uv_timer_init(edge->loop, link->timer);
    link->timer->data = link;
    (void)uv_timer_start(link->timer, on_touch_time, SESSION_TOUCH_MS, SESSION_TOUCH_MS);
    link->retry = malloc(sizeof *link->retry);
    if (link->retry == NULL) {
        err = GH_ERR_NOMEM;
        goto fail;
    }
    (void)uv_timer_init(edge->loop, link->retry);
    link->retry->data = link;
    *ret_link = link;
    return GH_OK;
fail:
    session_link_free(link);
    return err;
}

static void timer_closed(uv_handle_t *handle)
{
    free(handle);
}

void session_link_free(struct session_link *link)
{
    if (link == NULL) return;
    if (link->timer != NULL) uv_close((uv_handle_t *)link->timer, timer_closed);
    gh_client_free(link->client); /* what it had not answered goes to the others */
    while (link->ends != NULL) {
        struct ending *next = link->ends->next;

        free(link->ends);
        link->ends = next;
    }
    if (link->retry != NULL) uv_close((uv_handle_t *)link->retry, timer_closed);
    free(link);
}
