#include "drain.h"

#include "delivery.h"
#include "edge.h"
#include "listener.h"
#include "replies.h"

#include "common/log.h"
#include "common/random.h"

#include <stdlib.h>

#define TICK_MS        50
#define SPREAD_PERCENT 70  /* of the drain time, over which connections are told */
#define FINISH_PERCENT 90  /* of the drain time, at which nobody is waited for any longer */
#define LAST_WORDS_MS  500 /* after the last connection: for events and answers under way */

struct drain {
    struct edge *edge;
    uv_timer_t *timer;
    int64_t started_ms, empty_ms;
    uint64_t time_ms;
    uint32_t walk;  /* how far in the table connections were told */
    uint32_t total; /* connections when it began */
    uint32_t told;
};

static void tell(struct drain *drain, struct conn *conn)
{
    /* The moments of closing are spread already; the hint spreads those of one moment. */
    uint64_t jitter = gh_random_u64() % (drain->time_ms / 4 + 1);

    conn->draining = true;
    replies_going_away(conn, 100 + jitter);
    if (conn->state == CONN_OPEN) conn_pause(conn, CONN_PAUSE_DRAIN);
}

/* As many as the time gone by asks for. */
static void tell_some(struct drain *drain, int64_t elapsed_ms)
{
    uint64_t spread = drain->time_ms * SPREAD_PERCENT / 100;
    uint64_t due = spread > 0 && (uint64_t)elapsed_ms < spread
                       ? drain->total * (uint64_t)elapsed_ms / spread + 1
                       : UINT32_MAX;
    struct conn *conn;

    while (drain->told < due &&
           (conn = conn_table_walk(&drain->edge->conns, &drain->walk)) != NULL) {
        if (conn->state != CONN_OPEN || conn->draining) continue;
        drain->told++;
        tell(drain, conn);
    }
}

static void close_finished(struct drain *drain, bool all)
{
    struct conn *conn;
    uint32_t at = 0;

    while ((conn = conn_table_walk(&drain->edge->conns, &at)) != NULL) {
        if (conn->state != CONN_OPEN) continue;
        if (all && !conn->draining) tell(drain, conn); /* admitted while the drain went on */
        if (conn->draining && (all || delivery_idle(conn)))
            conn_close(conn, GH_CODE_GOING_AWAY, 0, "draining");
    }
}

static void on_tick(uv_timer_t *timer)
{
    struct drain *drain = timer->data;
    struct edge *edge = drain->edge;
    int64_t now = edge_now(edge), elapsed = now - drain->started_ms;
    bool late = (uint64_t)elapsed >= drain->time_ms * FINISH_PERCENT / 100;

    tell_some(drain, elapsed);
    close_finished(drain, late);
    if (edge->conns.used > 0) return;
    if (drain->empty_ms == 0) drain->empty_ms = now;
    if (gh_audit_idle(edge->audit) || now - drain->empty_ms >= LAST_WORDS_MS) {
        gh_log(GH_LOG_INFO, "drained", "connections=%u took_ms=%lld", drain->total,
               (long long)elapsed);
        (void)uv_timer_stop(timer);
        gh_service_drained(edge->service);
    }
}

void drain_start(void *ctx)
{
    struct edge *edge = ctx;
    struct drain *drain = edge->drain;

    edge->draining = true;
    listener_stop(edge->listener);
    drain->started_ms = edge_now(edge);
    drain->time_ms = gh_service_drain_ms(edge->service);
    drain->total = edge->open;
    (void)uv_timer_start(drain->timer, on_tick, 0, TICK_MS);
}

enum gh_err drain_new(struct edge *edge, struct drain **ret_drain)
{
    struct drain *drain = calloc(1, sizeof *drain);

    if (drain == NULL) return GH_ERR_NOMEM;
    drain->edge = edge;
    drain->timer = malloc(sizeof *drain->timer);
    if (drain->timer == NULL) {
        free(drain);
        return GH_ERR_NOMEM;
    }
    (void)uv_timer_init(edge->loop, drain->timer);
    drain->timer->data = drain;
    *ret_drain = drain;
    return GH_OK;
}

static void timer_closed(uv_handle_t *handle)
{
    free(handle);
}

void drain_free(struct drain *drain)
{
    if (drain == NULL) return;
    uv_close((uv_handle_t *)drain->timer, timer_closed);
    free(drain);
}
