#include "common/server_internal.h"

#include "common/clock.h"
#include "common/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SWEEP_MS        1000
#define SOCKET_PATH_MAX 107 /* sun_path without its NUL */

/* --- receiving -------------------------------------------------------------------------------- */

static void peer_lost(struct gh_server *server, struct gh_server_peer *peer)
{
    struct gh_peer info = peer->info;
    bool tell = peer->greeted && server->peer_down != NULL;

    gh_server_peers_remove(server->peers, peer);
    if (tell) server->peer_down(server->config.ctx, &info);
}

struct supersede {
    struct gh_server *server;
    const struct gh_server_peer *by;
};

/* The same instance came back: its old connection is over, whatever ZeroMQ still thinks. */
static void supersede_one(void *ctx, struct gh_server_peer *peer)
{
    struct supersede *s = ctx;

    if (peer != s->by && peer->greeted && peer->info.role == s->by->info.role &&
        strcmp(peer->info.instance, s->by->info.instance) == 0)
        peer_lost(s->server, peer);
}

static enum gh_err on_hello(struct gh_server *server, struct gh_server_peer *peer,
                            const Gh__Hello *hello, struct gh_reply *reply)
{
    Gh__HelloReply body = GH__HELLO_REPLY__INIT;
    char instance[GH_BUS_INSTANCE_MAX + 1];

    if (hello->instance.len == 0 ||
        gh_bytes_copy(hello->instance, instance, sizeof instance) != GH_OK)
        return GH_ERR_BAD_MESSAGE;
    for (const char *c = instance; *c != '\0'; c++)
        if (*c <= ' ' || *c > '~' || *c == '"' || *c == '\\') return GH_ERR_BAD_MESSAGE;
    if (peer->greeted &&
        (strcmp(peer->info.instance, instance) != 0 || peer->info.boot_id != hello->boot_id))
        return GH_ERR_BAD_MESSAGE; /* one connection, one process */
    if (!peer->greeted) {
        memcpy(peer->info.instance, instance, sizeof instance);
        peer->info.boot_id = hello->boot_id;
        gh_server_peers_each(server->peers, supersede_one, &(struct supersede){ server, peer });
        peer->greeted = true;
        gh_log(GH_LOG_DEBUG, "peer_up", "role=%s peer=%s", gh_role_name(peer->info.role), instance);
    }
    body.instance = gh_bytes_str(server->instance);
    body.boot_id = server->config.boot_id;
    body.orders_version = server->orders_version;
    gh_reply_send(reply, GH__ENVELOPE__BODY_HELLO_REPLY, &body);
    return GH_OK;
}

static enum gh_err route_message(struct gh_server *server, struct gh_server_peer *peer,
                                 uint32_t arm, const void *body, struct gh_reply *reply)
{
    if (arm == GH__ENVELOPE__BODY_HELLO) {
        bool first = !peer->greeted;
        uint64_t id = peer->info.id;
        enum gh_err err = on_hello(server, peer, body, reply);

        peer = gh_server_peers_by_id(server->peers, id);
        if (err == GH_OK && first && peer != NULL && server->peer_up != NULL)
            server->peer_up(server->config.ctx, &peer->info);
        return err;
    }
    for (const struct gh_route *route = server->config.routes; route->arm != 0; route++) {
        if (route->arm != arm) continue;
        if ((route->roles & peer->info.role) == 0) {
            (*server->metric_forbidden)++;
            return GH_ERR_FORBIDDEN;
        }
        return route->fn(server->config.ctx, &peer->info, body, reply);
    }
    return GH_ERR_BAD_MESSAGE;
}

static void server_dispatch(struct gh_server *server, struct gh_server_peer *peer,
                            const void *frame, size_t len, int64_t now_ms)
{
    uint64_t call_id = 0;
    uint32_t arm = 0;
    const void *body = NULL;
    struct gh_reply *reply;
    uint64_t id = peer->info.id;
    enum gh_err err;

    peer->seen_ms = now_ms;
    if (now_ms < peer->ignored_until_ms) return;
    (*server->metric_messages)++;
    gh_arena_reset(server->arena);
    err = gh_bus_decode(server->arena, frame, len, &call_id, &arm, &body);
    reply = server_reply_take(server, peer, call_id);
    if (reply == NULL) return;
    if (err == GH_OK) err = route_message(server, peer, arm, body, reply);
    if (err == GH_OK) return;

    gh_reply_fail(reply, err);
    if (err != GH_ERR_BAD_MESSAGE && err != GH_ERR_FORBIDDEN) return;
    (*server->metric_bad)++;
    peer = gh_server_peers_by_id(server->peers, id);
    if (peer != NULL && gh_server_peer_bad(peer, now_ms))
        gh_log(GH_LOG_ERROR, "peer_ignored", "role=%s peer=\"%s\" reason=\"too many bad messages\"",
               gh_role_name(peer->info.role), peer->info.instance);
}

static enum gh_role role_of(const struct server_socket *socket, zmq_msg_t *data)
{
    const char *user_id;
    enum gh_role role = (enum gh_role)0;

    if (socket->role != 0) return socket->role;
    user_id = zmq_msg_gets(data, "User-Id"); /* set by our ZAP handler from the peer's key */
    if (user_id == NULL || gh_role_parse(user_id, strlen(user_id), &role) != GH_OK)
        return (enum gh_role)0;
    return role;
}

static void server_take(struct server_socket *socket, zmq_msg_t *identity, zmq_msg_t *data)
{
    struct gh_server *server = socket->server;
    const unsigned char *id = zmq_msg_data(identity);
    int64_t now_ms = gh_clock_mono_ms();
    struct gh_server_peer *peer;
    enum gh_role role;

    /* A peer that chose its own identity is not one of ours: those made by ROUTER start with zero.
     */
    if (zmq_msg_size(identity) != GH_SERVER_IDENTITY_BYTES || id[0] != 0) {
        (*server->metric_bad)++;
        return;
    }
    peer = gh_server_peers_find(server->peers, socket->index, id);
    if (peer == NULL) {
        role = role_of(socket, data);
        if (role == 0 ||
            gh_server_peers_add(server->peers, socket->index, id, role, now_ms, &peer) != GH_OK) {
            (*server->metric_bad)++;
            return;
        }
    }
    server_dispatch(server, peer, zmq_msg_data(data), zmq_msg_size(data), now_ms);
}

/* Reads [identity][data]; a message with any other number of frames is dropped. False: nothing
 * there. */
static bool server_read(struct server_socket *socket)
{
    void *handle = zsock_resolve(socket->sock);
    zmq_msg_t identity, data;
    unsigned frames = 1;
    bool more;

    zmq_msg_init(&identity);
    if (zmq_msg_recv(&identity, handle, ZMQ_DONTWAIT) < 0) {
        zmq_msg_close(&identity);
        return false;
    }
    zmq_msg_init(&data);
    more = zmq_msg_more(&identity) != 0;
    while (more) {
        if (zmq_msg_recv(&data, handle, ZMQ_DONTWAIT) < 0) break;
        frames++;
        more = zmq_msg_more(&data) != 0;
    }
    if (frames == 2)
        server_take(socket, &identity, &data);
    else
        (*socket->server->metric_bad)++;
    zmq_msg_close(&identity);
    zmq_msg_close(&data);
    return true;
}

static bool server_on_readable(void *ctx)
{
    struct server_socket *socket = ctx;

    for (int i = 0; i < GH_BUS_TURN_MAX; i++)
        if (!server_read(socket)) return false;
    return true;
}

/* --- life ------------------------------------------------------------------------------------- */

static void sweep_one(void *ctx, struct gh_server_peer *peer)
{
    struct gh_server *server = ctx;

    if (gh_clock_mono_ms() - peer->seen_ms <= GH_BUS_PEER_LOST_MS) return;
    if (peer->greeted)
        gh_log(GH_LOG_WARN, "peer_lost", "role=%s peer=%s", gh_role_name(peer->info.role),
               peer->info.instance);
    peer_lost(server, peer);
}

static void on_sweep(uv_timer_t *timer)
{
    struct gh_server *server = timer->data;

    gh_server_peers_each(server->peers, sweep_one, server);
}

static enum gh_err bind_one(struct gh_server *server, enum gh_role role, const char *address)
{
    struct server_socket *socket = &server->sockets[server->socket_count];

    socket->server = server;
    socket->role = role;
    socket->index = server->socket_count;
    socket->sock = zsock_new(ZMQ_ROUTER);
    if (socket->sock == NULL) return GH_ERR_NOMEM;
    server->socket_count++;
    gh_bus_socket_limits(socket->sock);
    zsock_set_router_mandatory(socket->sock, 1);
    if (role == 0) gh_bus_keys_serve(server->config.keys, socket->sock);
    if (zmq_bind(zsock_resolve(socket->sock), address) != 0) {
        gh_log(GH_LOG_ERROR, "bind_failed", "endpoint=%s error=\"%s\"", address,
               zmq_strerror(errno));
        return GH_ERR_IO;
    }
    return gh_zpoll_new(server->loop, socket->sock, server_on_readable, socket, &socket->poll);
}

static uint32_t routed_roles(const struct gh_route *routes)
{
    uint32_t roles = 0;

    for (; routes->arm != 0; routes++)
        roles |= routes->roles;
    return roles;
}

static enum gh_err server_bind(struct gh_server *server)
{
    const char *endpoint = server->config.endpoint;
    uint32_t roles = routed_roles(server->config.routes);
    enum gh_err err = GH_OK;

    if (gh_bus_is_tcp(endpoint)) {
        if (server->config.keys == NULL) {
            gh_log(GH_LOG_ERROR, "bind_failed",
                   "endpoint=%s error=\"tcp endpoints need bus.keys_dir (gatehousectl keys init)\"",
                   endpoint);
            return GH_ERR_CONFIG;
        }
        return bind_one(server, (enum gh_role)0, endpoint);
    }
    if (!gh_bus_is_ipc(endpoint)) {
        gh_log(GH_LOG_ERROR, "bind_failed",
               "endpoint=%s error=\"write ipc://PATH or tcp://ADDRESS:PORT\"", endpoint);
        return GH_ERR_CONFIG;
    }
    for (unsigned i = 0; i < GH_ROLE_COUNT && err == GH_OK; i++) {
        enum gh_role role = (enum gh_role)(1u << i);
        char address[256];
        int len;

        if ((roles & role) == 0) continue;
        len = snprintf(address, sizeof address, "%s.%s" GH_BUS_SOCKET_EXT, endpoint,
                       gh_role_name(role));
        if (len - (int)strlen("ipc://") > SOCKET_PATH_MAX) {
            gh_log(
                GH_LOG_ERROR, "bind_failed",
                "endpoint=%s error=\"socket path longer than %d bytes; choose a shorter run_dir\"",
                address, SOCKET_PATH_MAX);
            return GH_ERR_CONFIG;
        }
        err = bind_one(server, role, address);
    }
    return err;
}

enum gh_err gh_server_new(uv_loop_t *loop, const struct gh_server_config *config,
                          struct gh_server **ret_server)
{
    struct gh_server *server = calloc(1, sizeof *server);
    struct gh_metrics *metrics = config->metrics;
    enum gh_err err = GH_ERR_NOMEM;

    if (server == NULL) return GH_ERR_NOMEM;
    server->loop = loop;
    server->config = *config;
    server->instance = strdup(config->instance);
    server->sweep = malloc(sizeof *server->sweep);
    if (server->sweep != NULL) (void)uv_timer_init(loop, server->sweep);
    if (server->instance == NULL || server->sweep == NULL) goto fail;
    server->metric_messages = gh_metrics_counter(metrics, "gatehouse_bus_messages_total", NULL,
                                                 "messages received on the bus");
    server->metric_bad = gh_metrics_counter(metrics, "gatehouse_bus_bad_total", NULL,
                                            "malformed or refused messages");
    server->metric_forbidden = gh_metrics_counter(metrics, "gatehouse_bus_forbidden_total", NULL,
                                                  "messages of a role that may not send them");
    server->metric_unsent = gh_metrics_counter(metrics, "gatehouse_bus_unsent_total", NULL,
                                               "answers and orders whose peer was gone or full");
    err = gh_server_peers_new(&server->peers);
    if (err == GH_OK) err = gh_arena_new(GH_BUS_ARENA_MAX, &server->arena);
    if (err == GH_OK) err = server_bind(server);
    if (err != GH_OK) goto fail;
    server->sweep->data = server;
    (void)uv_timer_start(server->sweep, on_sweep, SWEEP_MS, SWEEP_MS);
    *ret_server = server;
    return GH_OK;
fail:
    gh_server_free(server);
    return err;
}

static void timer_closed(uv_handle_t *handle)
{
    free(handle);
}

void gh_server_free(struct gh_server *server)
{
    if (server == NULL) return;
    for (unsigned i = 0; i < server->socket_count; i++) {
        gh_zpoll_free(server->sockets[i].poll);
        zsock_destroy(&server->sockets[i].sock);
    }
    server_replies_done(server);
    if (server->sweep != NULL) uv_close((uv_handle_t *)server->sweep, timer_closed);
    gh_server_peers_free(server->peers);
    gh_arena_free(server->arena);
    free(server->instance);
    free(server);
}

void gh_server_on_peer(struct gh_server *server, gh_peer_fn up, gh_peer_fn down)
{
    server->peer_up = up;
    server->peer_down = down;
}

void gh_server_set_orders_version(struct gh_server *server, uint64_t version)
{
    server->orders_version = version;
}

void gh_server_feed(struct gh_server *server, enum gh_role role, const void *frame, size_t len)
{
    static const unsigned char identity[GH_SERVER_IDENTITY_BYTES] = { 0, 0xff, 0xff, 0xff, 0xff };
    struct gh_server_peer *peer = gh_server_peers_find(server->peers, 0, identity);

    if (peer == NULL &&
        gh_server_peers_add(server->peers, 0, identity, role, gh_clock_mono_ms(), &peer) != GH_OK)
        return;
    peer->info.role = role;
    peer->ignored_until_ms = 0;
    server_dispatch(server, peer, frame, len, gh_clock_mono_ms());
}
