#include "common/client_internal.h"

#include "common/clock.h"
#include "common/log.h"

#include <stdlib.h>
#include <string.h>

#define DEADLINE_TICK_MS      20
#define DEFAULT_MAX_IN_FLIGHT 1024

/* --- the set of peers ------------------------------------------------------------------------- */

void client_set_up(struct gh_client *client, struct gh_client_peer *peer, bool up)
{
    peer->up = up;
    if (up) {
        client->up[client->up_count++] = peer; /* room was made when the peer was added */
        return;
    }
    for (size_t i = 0; i < client->up_count; i++) {
        if (client->up[i] != peer) continue;
        client->up[i] = client->up[--client->up_count];
        return;
    }
}

static struct gh_client_peer *find_peer(struct gh_client *client, const char *address)
{
    struct gh_client_peer *peer = client->peers;

    while (peer != NULL && strcmp(peer->address, address) != 0)
        peer = peer->next;
    return peer;
}

static void add_peer(struct gh_client *client, const char *address)
{
    struct gh_client_peer *peer = NULL;
    size_t count = 1;
    struct gh_client_peer **up;

    for (peer = client->peers; peer != NULL; peer = peer->next)
        count++;
    up = realloc(client->up, count * sizeof *up);
    if (up == NULL) return;
    client->up = up;
    if (client_peer_new(client, address, &peer) != GH_OK) {
        gh_log(GH_LOG_ERROR, "bus_connect_failed", "address=%s", address);
        return;
    }
    peer->next = client->peers;
    client->peers = peer;
}

/* A peer that is no longer found but answers stays: only silence or a broken connection ends it. */
static void drop_unresolved(struct gh_client *client)
{
    struct gh_client_peer **at = &client->peers;

    while (*at != NULL) {
        struct gh_client_peer *peer = *at;

        if (peer->resolved || peer->up || peer->in_flight > 0) {
            at = &peer->next;
            continue;
        }
        *at = peer->next;
        client_peer_free(peer);
    }
}

static void on_found(void *ctx, const char *const *addresses, size_t count)
{
    struct gh_client *client = ctx;

    for (struct gh_client_peer *peer = client->peers; peer != NULL; peer = peer->next)
        peer->resolved = false;
    for (size_t i = 0; i < count; i++) {
        struct gh_client_peer *peer = find_peer(client, addresses[i]);

        if (peer != NULL)
            peer->resolved = true;
        else
            add_peer(client, addresses[i]);
    }
    drop_unresolved(client);
}

/* --- timers ----------------------------------------------------------------------------------- */

static void on_tick(uv_timer_t *timer)
{
    struct gh_client *client = timer->data;
    int64_t now_ms = gh_clock_mono_ms();

    for (struct gh_client_peer *peer = client->peers; peer != NULL; peer = peer->next)
        client_peer_tick(peer, now_ms);
}

static void on_deadlines(uv_timer_t *timer)
{
    struct gh_client *client = timer->data;
    int64_t now_ms = gh_clock_mono_ms();
    bool waiting = false;

    for (struct gh_client_peer *peer = client->peers; peer != NULL; peer = peer->next) {
        client_peer_expire(peer, now_ms);
        waiting = waiting || peer->in_flight > 0;
    }
    if (waiting) return;
    client->deadlines_running = false;
    (void)uv_timer_stop(timer);
}

void client_deadlines_start(struct gh_client *client)
{
    if (client->deadlines_running) return;
    client->deadlines_running = true;
    (void)uv_timer_start(client->deadlines, on_deadlines, DEADLINE_TICK_MS, DEADLINE_TICK_MS);
}

/* --- calls ------------------------------------------------------------------------------------ */

struct client_call *client_call_take(struct gh_client *client)
{
    struct client_call *call = client->pool;

    if (call == NULL) return malloc(sizeof *call);
    client->pool = call->chain;
    return call;
}

void client_call_give(struct gh_client *client, struct client_call *call)
{
    call->chain = client->pool; /* never more than the windows allow */
    client->pool = call;
}

/* --- life ------------------------------------------------------------------------------------- */

static uv_timer_t *timer_new(struct gh_client *client)
{
    uv_timer_t *timer = malloc(sizeof *timer);

    if (timer == NULL) return NULL;
    (void)uv_timer_init(client->loop, timer);
    timer->data = client;
    return timer;
}

static void timer_closed(uv_handle_t *handle)
{
    free(handle);
}

static void timer_free(uv_timer_t *timer)
{
    if (timer != NULL) uv_close((uv_handle_t *)timer, timer_closed);
}

enum gh_err gh_client_new(uv_loop_t *loop, const struct gh_client_config *config,
                          struct gh_client **ret_client)
{
    struct gh_client *client;
    char labels[64];
    enum gh_err err = GH_ERR_NOMEM;

    if (config->keys == NULL && strstr(config->endpoint, "tcp://") != NULL) {
        gh_log(GH_LOG_ERROR, "endpoint_insecure",
               "endpoint=%s error=\"tcp endpoints need bus.keys_dir (gatehousectl keys init)\"",
               config->endpoint);
        return GH_ERR_CONFIG;
    }
    client = calloc(1, sizeof *client);
    if (client == NULL) return GH_ERR_NOMEM;
    client->loop = loop;
    client->config = *config;
    if (client->config.max_in_flight == 0) client->config.max_in_flight = DEFAULT_MAX_IN_FLIGHT;
    client->next_call_id = 1;
    client->instance = strdup(config->instance);
    client->tick = timer_new(client);
    client->deadlines = timer_new(client);
    if (client->instance == NULL || client->tick == NULL || client->deadlines == NULL) goto fail;

    (void)snprintf(labels, sizeof labels, "callee=\"%s\"", gh_role_name(config->service));
    client->metric_calls = gh_metrics_counter(config->metrics, "gatehouse_bus_calls_total", labels,
                                              "calls sent to a service");
    client->metric_failed = gh_metrics_counter(config->metrics, "gatehouse_bus_calls_failed_total",
                                               labels, "calls without a good answer");
    client->metric_late = gh_metrics_counter(config->metrics, "gatehouse_bus_answers_late_total",
                                             labels, "answers to calls that had ended");
    err = gh_arena_new(GH_BUS_ARENA_MAX, &client->arena);
    if (err == GH_OK)
        err = gh_discovery_new(loop, config->endpoint, config->self, on_found, client,
                               &client->discovery);
    if (err != GH_OK) goto fail;
    (void)uv_timer_start(client->tick, on_tick, GH_BUS_HELLO_MS, GH_BUS_HELLO_MS);
    *ret_client = client;
    return GH_OK;
fail:
    gh_client_free(client);
    return err;
}

void gh_client_free(struct gh_client *client)
{
    if (client == NULL) return;
    while (client->peers != NULL) {
        struct gh_client_peer *peer = client->peers;

        client->peers = peer->next;
        client_peer_free(peer);
    }
    gh_discovery_free(client->discovery);
    timer_free(client->tick);
    timer_free(client->deadlines);
    while (client->pool != NULL) {
        struct client_call *next = client->pool->chain;

        free(client->pool);
        client->pool = next;
    }
    gh_arena_free(client->arena);
    free(client->up);
    free(client->instance);
    free(client);
}

size_t gh_client_up_count(const struct gh_client *client)
{
    return client->up_count;
}

struct gh_client_peer *gh_client_peer_at(struct gh_client *client, size_t index)
{
    return index < client->up_count ? client->up[index] : NULL;
}

static uint64_t mix(uint64_t x) /* splitmix64's finaliser */
{
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

struct gh_client_peer *gh_client_peer_for(struct gh_client *client, uint64_t key)
{
    struct gh_client_peer *best = NULL;
    uint64_t best_weight = 0;

    for (size_t i = 0; i < client->up_count; i++) {
        uint64_t weight = mix(client->up[i]->hash ^ mix(key));

        if (best == NULL || weight > best_weight) {
            best = client->up[i];
            best_weight = weight;
        }
    }
    return best;
}

struct gh_client_peer *gh_client_peer_any(struct gh_client *client)
{
    for (size_t i = 0; i < client->up_count; i++) {
        struct gh_client_peer *peer = client->up[client->turn++ % client->up_count];

        if (gh_client_peer_has_room(peer)) return peer;
    }
    return NULL;
}
