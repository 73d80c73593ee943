#include "edge.h"

#include "app_link.h"
#include "ban_feed.h"
#include "batcher.h"
#include "charge.h"
#include "drain.h"
#include "events.h"
#include "listener.h"
#include "outbound.h"
#include "reload.h"
#include "resume.h"
#include "revoke_feed.h"
#include "session_link.h"
#include "shed.h"
#include "tls.h"
#include "tls_watch.h"

#include "common/log.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#define SPARE_DESCRIPTORS 224 /* bus, log, spool, admin */
/* Deadlines acted on in one turn of the loop: when thousands pass at once, those who talk go on. */
#define FIRED_PER_TURN 2
#define CUT_PER_TURN   8 /* of sockets that are no connections yet: cheaper */

/* --- one turn of the loop --------------------------------------------------------------------- */

static void on_behind(uv_idle_t *idle)
{
    (void)idle; /* all it does is to keep the loop from waiting */
}

static void turn_wheels(struct edge *edge)
{
    (void)wheel_turn(&edge->wheel, edge_now(edge), FIRED_PER_TURN);
    (void)wheel_turn(&edge->preface_wheel, edge_now(edge), CUT_PER_TURN);
    if (wheel_behind(&edge->wheel) || wheel_behind(&edge->preface_wheel))
        (void)uv_idle_start(&edge->behind, on_behind);
    else
        (void)uv_idle_stop(&edge->behind);
}

/* What this turn gathered leaves, in the order in which one makes another. */
static void flush(struct edge *edge)
{
    batcher_flush(edge->batcher);
    app_links_flush(edge->apps);
    charge_flush(edge->charge);
    resume_flush(edge->resumes);
    while (edge->dirty != NULL) {
        struct conn *conn = edge->dirty;

        edge->dirty = conn->dirty_next;
        if (conn->dirty_next != NULL) conn->dirty_next->dirty_at = &edge->dirty;
        conn->dirty_next = NULL;
        conn->dirty_at = NULL;
        conn_flush(conn); /* may free it */
    }
}

/* Before the loop waits. Messages leave first: no one of them waits for the handshake or the
 * deadlines that this turn takes on, and of those there is a bounded amount. */
static void on_prepare(uv_prepare_t *prepare)
{
    struct edge *edge = prepare->data;

    flush(edge);
    if (uv_is_active((uv_handle_t *)&edge->behind)) turn_wheels(edge);
    if (edge->listener != NULL) listener_admit(edge->listener);
    flush(edge);
}

static void on_conn_timer(void *ctx, struct wheel_timer *timer, int64_t now_ms)
{
    (void)ctx;
    conn_on_timer(hmap_entry(timer, struct conn, timer), now_ms);
}

static void on_tick(uv_timer_t *timer)
{
    struct edge *edge = timer->data;

    turn_wheels(edge);
    events_tick(edge);
}

/* --- start ------------------------------------------------------------------------------------ */

/* As many descriptors as the kernel lets us have; fewer than the caps ask for is worth a word. */
static void raise_limits(struct edge *edge)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_max != RLIM_INFINITY &&
        limit.rlim_max < edge->config.max_connections + SPARE_DESCRIPTORS) {
        edge->config.max_connections = limit.rlim_max > 2 * SPARE_DESCRIPTORS
                                           ? (uint32_t)limit.rlim_max - SPARE_DESCRIPTORS
                                           : (uint32_t)limit.rlim_max / 2;
        gh_log(GH_LOG_WARN, "connections_capped",
               "max_connections=%u reason=\"the process may open %llu descriptors\"",
               edge->config.max_connections, (unsigned long long)limit.rlim_max);
    }
}

/* A table of descriptors that grows while threads share it waits for an RCU grace period of the
 * kernel (expand_fdtable() in fs/file.c): some 10 ms in accept(), at 256, 512, 1,024 and so on. It
 * grows to its size now. */
static void make_room_for_descriptors(const struct edge *edge)
{
    const int fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC,
                         (int)(edge->config.max_connections + SPARE_DESCRIPTORS - 1));

    if (fd >= 0) (void)close(fd);
}

static bool setup_tls(void *ctx, SSL_CTX *tls)
{
    struct edge *edge = ctx;

    return tls_setup(edge->tls, tls);
}

static enum gh_err make_transport(struct edge *edge)
{
    struct transport_config config = {
        .hooks = { .ctx = edge,
                   .rx = conn_on_rx,
                   .writable = conn_on_writable,
                   .closed = conn_on_closed,
                   .setup_tls = setup_tls },
        .max_connections = edge->config.max_connections + SPARE_DESCRIPTORS,
        .tls = edge->config.tls.enabled,
    };
    enum gh_err err = GH_OK;

    if (edge->config.tls.enabled) err = tls_new(&edge->config.tls, &edge->tls);
    if (err == GH_OK) err = transport_new(edge->loop, &config, &edge->transport);
    if (err == GH_OK && edge->tls != NULL) tls_finish(edge->tls);
    return err;
}

enum gh_err edge_pmd_new(const struct edge_config *config, struct pmd **ret_pmd)
{
    const struct pmd_config pmd = { .max_bytes = config->max_message_bytes,
                                    .max_ratio = config->compression.max_ratio,
                                    .level = config->compression.level,
                                    .min_bytes = config->compression.min_bytes };

    return pmd_new(&pmd, ret_pmd);
}

static enum gh_err make_tables(struct edge *edge)
{
    const struct edge_config *config = &edge->config;
    enum gh_err err = conn_table_init(&edge->conns, config->max_connections + SPARE_DESCRIPTORS);

    if (err == GH_OK)
        err = address_table_init(&edge->addresses, config->rates.connects_per_s,
                                 config->rates.connects_burst, config->max_connections_per_address);
    if (err == GH_OK)
        err = address_table_init(&edge->http_addresses, config->http.requests_per_s,
                                 config->http.requests_burst, UINT32_MAX);
    if (err == GH_OK) err = ban_table_new(&edge->bans);
    if (err == GH_OK) err = edge_pmd_new(config, &edge->pmd);
    if (err == GH_OK) err = directory_init(&edge->directory);
    edge->routes.routes = config->route_items.items;
    edge->routes.count = config->route_items.count;
    wheel_init(&edge->wheel, edge_now(edge), on_conn_timer, edge);
    wheel_init(&edge->preface_wheel, edge_now(edge), listener_on_timer, edge);
    gh_tape_init(&edge->tape);
    gh_buf_init(&edge->scratch, 0);
    return err;
}

static enum gh_err make_links(struct edge *edge)
{
    struct gh_client_config config;
    enum gh_err err;

    err = gh_audit_new(edge->service, gh_service_endpoint(edge->service, GH_ROLE_AUDIT),
                       &edge->audit);
    if (err != GH_OK) return err;
    gh_service_client_init(edge->service, gh_service_endpoint(edge->service, GH_ROLE_AUTH),
                           GH_ROLE_AUTH, &config);
    config.max_in_flight = 4096;
    err = revoke_feed_new(edge, &edge->revoke_feed);
    if (err != GH_OK) return err;
    revoke_feed_attach(edge->revoke_feed, &config);
    err = gh_client_new(edge->loop, &config, &edge->auth);
    if (err == GH_OK) revoke_feed_start(edge->revoke_feed, edge->auth);
    if (err == GH_OK)
        err = session_link_new(edge, gh_service_endpoint(edge->service, GH_ROLE_SESSION),
                               &edge->session_link);
    if (err == GH_OK) err = resume_link_new(edge, &edge->resumes);
    if (err == GH_OK) err = ban_feed_new(edge, &edge->ban_feed);
    if (err == GH_OK)
        err = charge_new(edge, gh_service_endpoint(edge->service, GH_ROLE_LIMITER), &edge->charge);
    if (err == GH_OK) err = outbound_new(edge, &edge->outbound);
    if (err == GH_OK)
        err = batcher_new(edge, gh_service_endpoint(edge->service, GH_ROLE_VALIDATOR),
                          &edge->batcher);
    if (err == GH_OK) err = app_links_new(edge, &edge->apps);
    for (size_t i = 0; err == GH_OK && i < edge->routes.count; i++) {
        struct route *route = &edge->routes.routes[i];

        route->link = app_links_find(edge->apps, route->app);
        app_link_keep(route->link, route->resume.window_ms);
    }
    return err;
}

static bool auth_ready(void *ctx)
{
    return gh_client_up_count(((struct edge *)ctx)->auth) > 0;
}

static bool session_ready(void *ctx)
{
    return gh_client_up_count(session_link_client(((struct edge *)ctx)->session_link)) > 0;
}

static void start_handles(struct edge *edge)
{
    (void)uv_prepare_init(edge->loop, &edge->prepare);
    edge->prepare.data = edge;
    (void)uv_prepare_start(&edge->prepare, on_prepare);
    (void)uv_timer_init(edge->loop, &edge->tick);
    edge->tick.data = edge;
    (void)uv_timer_start(&edge->tick, on_tick, WHEEL_TICK_MS, WHEEL_TICK_MS);
    (void)uv_idle_init(edge->loop, &edge->behind);
    edge->behind.data = edge;
    edge->handles_made = true;
}

enum gh_err edge_new(struct gh_service *service, struct edge **ret_edge)
{
    struct edge *edge = calloc(1, sizeof *edge);
    enum gh_err err;

    if (edge == NULL) return GH_ERR_NOMEM;
    *ret_edge = edge;
    edge->service = service;
    edge->loop = gh_service_loop(service);
    edge->instance = gh_service_instance(service);
    edge->boot_id = gh_service_boot_id(service);
    err = edge_config_load(gh_service_config(service), &edge->config);
    if (err != GH_OK || gh_service_checking(service)) return err;
    raise_limits(edge);
    make_room_for_descriptors(edge);
    err = make_tables(edge);
    stats_init(&edge->stats, gh_service_metrics(service), edge, &edge->routes);
    if (err == GH_OK) err = make_links(edge);
    if (err == GH_OK && edge->config.tls.enabled) err = tls_watch_new(edge, &edge->tls_watch);
    if (err == GH_OK) err = make_transport(edge);
    if (err == GH_OK) err = drain_new(edge, &edge->drain);
    if (err != GH_OK) return err;
    start_handles(edge);
    err = shed_new(edge, &edge->shed);
    if (err == GH_OK) err = listener_new(edge, &edge->listener);
    if (err != GH_OK) return err;
    gh_service_add_check(service, "shedding", shed_calm, edge->shed);
    gh_service_add_check(service, "auth", auth_ready, edge);
    gh_service_add_check(service, "session", session_ready, edge);
    gh_service_add_check(service, "bans", ban_feed_ready, edge->ban_feed);
    gh_service_add_check(service, "validator", batcher_ready, edge->batcher);
    gh_service_add_check(service, "policy", outbound_ready, edge->outbound);
    gh_service_on_reload(service, reload_all, edge);
    gh_service_on_drain(service, drain_start, edge);
    return GH_OK;
}

/* --- the end ---------------------------------------------------------------------------------- */

void edge_free(struct edge *edge)
{
    if (edge == NULL) return;
    shed_free(edge->shed); /* looks at the listener */
    edge->shed = NULL;
    listener_free(edge->listener);
    edge->listener = NULL;
    tls_watch_free(edge->tls_watch);
    edge->tls_watch = NULL;
    transport_free(edge->transport); /* ends every connection left, with all that goes with it */
    if (edge->handles_made) {
        uv_close((uv_handle_t *)&edge->prepare, NULL);
        uv_close((uv_handle_t *)&edge->tick, NULL);
        uv_close((uv_handle_t *)&edge->behind, NULL);
        (void)uv_run(edge->loop, UV_RUN_NOWAIT); /* they lie in *edge */
    }
    drain_free(edge->drain);
    app_links_free(edge->apps);
    batcher_free(edge->batcher);
    outbound_free(edge->outbound);
    charge_free(edge->charge);
    ban_feed_free(edge->ban_feed);
    session_link_free(edge->session_link);
    resume_link_free(edge->resumes);
    gh_client_free(edge->auth);
    revoke_feed_free(edge->revoke_feed);
    gh_audit_free(edge->audit);
    tls_free(edge->tls);
    pmd_free(edge->pmd);
    directory_done(&edge->directory);
    ban_table_free(edge->bans);
    address_table_done(&edge->addresses);
    address_table_done(&edge->http_addresses);
    conn_table_done(&edge->conns);
    outbox_pool_done(&edge->pool);
    gh_tape_done(&edge->tape);
    gh_buf_done(&edge->scratch);
    gh_config_free(edge->reloaded);
    free(edge);
}
