#include "common/client_internal.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/random.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static enum gh_err peer_open(struct gh_client_peer *peer);

/* --- unanswered calls ------------------------------------------------------------------------- */

static void call_unlink(struct gh_client_peer *peer, struct client_call *call)
{
    struct client_call **at = &peer->buckets[call->id % GH_CLIENT_BUCKETS];

    while (*at != call)
        at = &(*at)->chain;
    *at = call->chain;
    if (call->older != NULL)
        call->older->newer = call->newer;
    else
        peer->oldest = call->newer;
    if (call->newer != NULL)
        call->newer->older = call->older;
    else
        peer->newest = call->older;
    peer->in_flight--;
}

static void call_end(struct gh_client_peer *peer, struct client_call *call, enum gh_err err,
                     const void *body)
{
    gh_answer_fn fn = call->fn;
    void *ctx = call->ctx;

    call_unlink(peer, call);
    client_call_give(peer->client, call);
    if (err != GH_OK) (*peer->client->metric_failed)++;
    fn(ctx, err, body);
}

static void tell_room(struct gh_client_peer *peer)
{
    if (!peer->full || !gh_client_peer_has_room(peer)) return;
    peer->full = false;
    if (peer->client->config.on_room != NULL)
        peer->client->config.on_room(peer->client->config.ctx, peer);
}

void client_peer_expire(struct gh_client_peer *peer, int64_t now_ms)
{
    struct client_call *call = peer->oldest;

    while (call != NULL) {
        struct client_call *newer = call->newer;

        if (call->deadline_ms <= now_ms) call_end(peer, call, GH_ERR_TIMEOUT, NULL);
        call = newer;
    }
    tell_room(peer);
}

/* --- up and down ------------------------------------------------------------------------------ */

static void peer_close(struct gh_client_peer *peer)
{
    gh_zpoll_free(peer->monitor_poll);
    gh_zpoll_free(peer->poll);
    peer->monitor_poll = peer->poll = NULL;
    if (peer->sock != NULL) (void)zmq_socket_monitor(zsock_resolve(peer->sock), NULL, 0);
    zsock_destroy(&peer->monitor);
    zsock_destroy(&peer->sock);
    peer->connected = false;
}

static void peer_down(struct gh_client_peer *peer, const char *why)
{
    struct gh_client *client = peer->client;
    bool was_up = peer->up;
    struct client_call *call;

    peer_close(peer);
    peer->full = false;
    if (was_up) {
        gh_log(GH_LOG_WARN, "bus_peer_down", "callee=%s peer=%s reason=\"%s\" unanswered=%u",
               gh_role_name(client->config.service), peer->instance, why, peer->in_flight);
        client_set_up(client, peer, false);
    }
    while ((call = peer->oldest) != NULL)
        call_end(peer, call, GH_ERR_UNAVAILABLE, NULL);
    if (was_up && client->config.on_down != NULL) client->config.on_down(client->config.ctx, peer);
    gh_discovery_hurry(client->discovery);
    if (peer_open(peer) != GH_OK)
        gh_log(GH_LOG_ERROR, "bus_connect_failed", "address=%s", peer->address);
}

static void peer_send_hello(struct gh_client_peer *peer)
{
    Gh__Hello hello = GH__HELLO__INIT;
    zmq_msg_t msg;

    hello.instance = gh_bytes_str(peer->client->instance);
    hello.boot_id = peer->client->config.boot_id;
    hello.role = gh_bytes_str(gh_role_name(peer->client->config.self));
    /* call_id 1 is the hello's; calls start above it. */
    if (gh_bus_encode(1, GH__ENVELOPE__BODY_HELLO, &hello, &msg) != GH_OK) return;
    if (zmq_msg_send(&msg, zsock_resolve(peer->sock), ZMQ_DONTWAIT) < 0) zmq_msg_close(&msg);
    gh_zpoll_kick(peer->poll);
}

static void on_hello_reply(struct gh_client_peer *peer, const Gh__HelloReply *reply)
{
    struct gh_client *client = peer->client;

    if (peer->up && peer->boot_id != reply->boot_id) {
        peer_down(peer, "it was restarted");
        return;
    }
    if (peer->up) return;
    if (gh_bytes_copy(reply->instance, peer->instance, sizeof peer->instance) != GH_OK) return;
    peer->boot_id = reply->boot_id;
    client_set_up(client, peer, true);
    gh_log(GH_LOG_INFO, "bus_peer_up", "callee=%s peer=%s", gh_role_name(client->config.service),
           peer->instance);
    if (client->config.on_up != NULL)
        client->config.on_up(client->config.ctx, peer, reply->orders_version);
}

void client_peer_tick(struct gh_client_peer *peer, int64_t now_ms)
{
    if (peer->sock == NULL) {
        (void)peer_open(peer);
        return;
    }
    if (peer->up && now_ms - peer->seen_ms > GH_BUS_PEER_LOST_MS) {
        peer_down(peer, "silent");
        return;
    }
    if (peer->connected) peer_send_hello(peer);
}

/* --- receiving -------------------------------------------------------------------------------- */

static void peer_take(struct gh_client_peer *peer, const void *frame, size_t len)
{
    struct gh_client *client = peer->client;
    uint64_t call_id = 0;
    uint32_t arm = 0;
    const void *body = NULL;
    struct client_call *call;
    enum gh_err err;

    peer->seen_ms = gh_clock_mono_ms();
    gh_arena_reset(client->arena);
    err = gh_bus_decode(client->arena, frame, len, &call_id, &arm, &body);
    if (err == GH_OK && arm == GH__ENVELOPE__BODY_HELLO_REPLY) {
        on_hello_reply(peer, body);
        return;
    }
    if (err == GH_OK && call_id == 0) {
        if (peer->up && client->config.on_push != NULL)
            client->config.on_push(client->config.ctx, peer, arm, body);
        return;
    }
    call = peer->buckets[call_id % GH_CLIENT_BUCKETS];
    while (call != NULL && call->id != call_id)
        call = call->chain;
    if (call == NULL) {
        (*client->metric_late)++; /* its caller was told long ago */
        return;
    }
    if (err == GH_OK && arm == GH__ENVELOPE__BODY_ERROR_REPLY) {
        uint32_t theirs = ((const Gh__ErrorReply *)body)->err;

        err = theirs > GH_OK && theirs < GH_ERR_COUNT ? (enum gh_err)theirs : GH_ERR_INTERNAL;
    } else if (err == GH_OK && arm != call->answer_arm) {
        err = GH_ERR_BAD_MESSAGE;
    }
    call_end(peer, call, err, err == GH_OK ? body : NULL);
    tell_room(peer);
}

static bool peer_on_readable(void *ctx)
{
    struct gh_client_peer *peer = ctx;
    zsock_t *sock = peer->sock;
    zmq_msg_t msg;

    for (int i = 0; i < GH_BUS_TURN_MAX; i++) {
        bool alone;

        zmq_msg_init(&msg);
        if (zmq_msg_recv(&msg, zsock_resolve(sock), ZMQ_DONTWAIT) < 0) {
            zmq_msg_close(&msg);
            return false;
        }
        alone = zmq_msg_more(&msg) == 0;
        while (zmq_msg_more(&msg)) { /* we speak in single frames: drop the rest */
            if (zmq_msg_recv(&msg, zsock_resolve(sock), ZMQ_DONTWAIT) < 0) break;
        }
        if (alone) peer_take(peer, zmq_msg_data(&msg), zmq_msg_size(&msg));
        zmq_msg_close(&msg);
        if (peer->sock != sock) return false; /* went down meanwhile */
    }
    return true;
}

/* The monitor says at once when the transport is made or breaks; frame 1: event (16 bits), value.
 */
static bool peer_on_monitor(void *ctx)
{
    struct gh_client_peer *peer = ctx;
    zmsg_t *event = zmsg_recv_nowait(peer->monitor);
    zframe_t *first;
    uint16_t what = 0;

    if (event == NULL) return false;
    first = zmsg_first(event);
    if (first != NULL && zframe_size(first) >= sizeof what)
        memcpy(&what, zframe_data(first), sizeof what);
    zmsg_destroy(&event);
    if (what == ZMQ_EVENT_HANDSHAKE_SUCCEEDED) {
        peer->connected = true;
    } else if (what == ZMQ_EVENT_DISCONNECTED && (peer->connected || peer->up)) {
        peer_down(peer, "connection broke");
        return false;
    } else if (what == ZMQ_EVENT_HANDSHAKE_FAILED_AUTH) {
        gh_log(GH_LOG_ERROR, "bus_refused", "address=%s reason=\"our key is not known there\"",
               peer->address);
    }
    return true;
}

/* --- life ------------------------------------------------------------------------------------- */

static enum gh_err peer_watch(struct gh_client_peer *peer)
{
    char endpoint[64];

    (void)snprintf(endpoint, sizeof endpoint, "inproc://gh-monitor-%016llx",
                   (unsigned long long)gh_random_u64());
    if (zmq_socket_monitor(zsock_resolve(peer->sock), endpoint,
                           ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_DISCONNECTED |
                               ZMQ_EVENT_HANDSHAKE_FAILED_AUTH) != 0)
        return GH_ERR_IO;
    peer->monitor = zsock_new(ZMQ_PAIR);
    if (peer->monitor == NULL) return GH_ERR_NOMEM;
    zsock_set_linger(peer->monitor, 0);
    if (zmq_connect(zsock_resolve(peer->monitor), endpoint) != 0) return GH_ERR_IO;
    return gh_zpoll_new(peer->client->loop, peer->monitor, peer_on_monitor, peer,
                        &peer->monitor_poll);
}

static enum gh_err peer_open(struct gh_client_peer *peer)
{
    const struct gh_client_config *config = &peer->client->config;
    enum gh_err err;

    peer->sock = zsock_new(ZMQ_DEALER);
    if (peer->sock == NULL) return GH_ERR_NOMEM;
    gh_bus_socket_limits(peer->sock);
    if (gh_bus_is_tcp(peer->address)) gh_bus_keys_call(config->keys, config->service, peer->sock);
    err = peer_watch(peer);
    if (err == GH_OK)
        err = gh_zpoll_new(peer->client->loop, peer->sock, peer_on_readable, peer, &peer->poll);
    if (err == GH_OK && zmq_connect(zsock_resolve(peer->sock), peer->address) != 0) err = GH_ERR_IO;
    if (err != GH_OK) {
        peer_close(peer);
        return err;
    }
    peer->seen_ms = gh_clock_mono_ms();
    peer_send_hello(peer); /* waits in ZeroMQ's queue until the connection stands */
    return GH_OK;
}

static uint64_t address_hash(const char *text)
{
    uint64_t hash = 0xcbf29ce484222325u; /* FNV-1a */

    for (; *text != '\0'; text++)
        hash = (hash ^ (unsigned char)*text) * 0x100000001b3u;
    return hash;
}

enum gh_err client_peer_new(struct gh_client *client, const char *address,
                            struct gh_client_peer **ret_peer)
{
    struct gh_client_peer *peer = calloc(1, sizeof *peer);
    enum gh_err err = GH_ERR_NOMEM;

    if (peer == NULL) return err;
    peer->client = client;
    peer->resolved = true;
    peer->address = strdup(address);
    if (peer->address == NULL) goto fail;
    peer->hash = address_hash(address);
    err = peer_open(peer);
    if (err != GH_OK) goto fail;
    *ret_peer = peer;
    return GH_OK;
fail:
    client_peer_free(peer);
    return err;
}

void client_peer_free(struct gh_client_peer *peer)
{
    struct client_call *call;

    if (peer == NULL) return;
    peer_close(peer);
    if (peer->up) client_set_up(peer->client, peer, false);
    while ((call = peer->oldest) != NULL)
        call_end(peer, call, GH_ERR_UNAVAILABLE, NULL);
    free(peer->address);
    free(peer);
}

/* --- for callers ------------------------------------------------------------------------------ */

enum gh_err gh_client_call(struct gh_client *client, struct gh_client_peer *peer, uint32_t arm,
                           void *body, uint32_t answer_arm, uint64_t timeout_ms, gh_answer_fn fn,
                           void *ctx)
{
    struct client_call *call;
    zmq_msg_t msg;
    enum gh_err err;

    if (peer == NULL || !peer->up) return GH_ERR_UNAVAILABLE;
    if (!gh_client_peer_has_room(peer)) {
        peer->full = true;
        return GH_ERR_BUSY;
    }
    call = client_call_take(client);
    if (call == NULL) return GH_ERR_NOMEM;
    err = gh_bus_encode(++client->next_call_id, arm, body, &msg);
    if (err == GH_OK && zmq_msg_send(&msg, zsock_resolve(peer->sock), ZMQ_DONTWAIT) < 0) {
        zmq_msg_close(&msg);
        peer->full = true;
        err = GH_ERR_BUSY;
    }
    if (err != GH_OK) {
        client_call_give(client, call);
        return err;
    }
    *call = (struct client_call){ .id = client->next_call_id,
                                  .answer_arm = answer_arm,
                                  .deadline_ms = gh_clock_mono_ms() + (int64_t)timeout_ms,
                                  .fn = fn,
                                  .ctx = ctx,
                                  .older = peer->newest };
    call->chain = peer->buckets[call->id % GH_CLIENT_BUCKETS];
    peer->buckets[call->id % GH_CLIENT_BUCKETS] = call;
    if (peer->newest != NULL)
        peer->newest->newer = call;
    else
        peer->oldest = call;
    peer->newest = call;
    peer->in_flight++;
    if (!gh_client_peer_has_room(peer)) peer->full = true;
    (*client->metric_calls)++;
    client_deadlines_start(client);
    gh_zpoll_kick(peer->poll);
    return GH_OK;
}

enum gh_err gh_client_tell(struct gh_client *client, struct gh_client_peer *peer, uint32_t arm,
                           void *body)
{
    zmq_msg_t msg;
    enum gh_err err;

    (void)client;
    if (peer == NULL || !peer->up) return GH_ERR_UNAVAILABLE;
    err = gh_bus_encode(0, arm, body, &msg);
    if (err != GH_OK) return err;
    if (zmq_msg_send(&msg, zsock_resolve(peer->sock), ZMQ_DONTWAIT) < 0) {
        zmq_msg_close(&msg);
        return GH_ERR_BUSY;
    }
    gh_zpoll_kick(peer->poll);
    return GH_OK;
}

bool gh_client_peer_up(const struct gh_client_peer *peer)
{
    return peer->up;
}

bool gh_client_peer_has_room(const struct gh_client_peer *peer)
{
    return peer->in_flight < peer->client->config.max_in_flight;
}

const char *gh_client_peer_instance(const struct gh_client_peer *peer)
{
    return peer->instance;
}

uint64_t gh_client_peer_boot_id(const struct gh_client_peer *peer)
{
    return peer->boot_id;
}

void gh_client_peer_set_user(struct gh_client_peer *peer, void *user)
{
    peer->user = user;
}

void *gh_client_peer_user(const struct gh_client_peer *peer)
{
    return peer->user;
}
