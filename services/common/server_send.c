/* What a server says: answers to calls, and orders that nobody asked for. */
#include "common/server_internal.h"

#include "common/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define REPLY_POOL_MAX 1024

static enum gh_err server_send(struct gh_server *server, unsigned socket,
                               const unsigned char *identity, zmq_msg_t *msg)
{
    struct server_socket *at = &server->sockets[socket];
    void *handle = zsock_resolve(at->sock);
    enum gh_err err = GH_OK;

    if (zmq_send(handle, identity, GH_SERVER_IDENTITY_BYTES, ZMQ_SNDMORE | ZMQ_DONTWAIT) < 0)
        err = errno == EAGAIN ? GH_ERR_BUSY : GH_ERR_NOT_FOUND;
    else if (zmq_msg_send(msg, handle, ZMQ_DONTWAIT) < 0)
        err = GH_ERR_IO;
    if (err != GH_OK) {
        zmq_msg_close(msg);
        (*server->metric_unsent)++;
    }
    gh_zpoll_kick(at->poll);
    return err;
}

struct gh_reply *server_reply_take(struct gh_server *server, const struct gh_server_peer *peer,
                                   uint64_t call_id)
{
    struct gh_reply *reply = server->pool;

    if (reply != NULL) {
        server->pool = reply->next;
        server->pool_count--;
    } else {
        reply = malloc(sizeof *reply);
        if (reply == NULL) return NULL;
    }
    reply->server = server;
    reply->socket = peer->socket;
    memcpy(reply->identity, peer->identity, sizeof reply->identity);
    reply->call_id = call_id;
    reply->prev = NULL;
    reply->next = server->outstanding;
    if (reply->next != NULL) reply->next->prev = reply;
    server->outstanding = reply;
    return reply;
}

static void reply_drop(struct gh_reply *reply)
{
    struct gh_server *server = reply->server;

    if (server == NULL) {
        free(reply);
        return;
    }
    if (reply->prev != NULL)
        reply->prev->next = reply->next;
    else
        server->outstanding = reply->next;
    if (reply->next != NULL) reply->next->prev = reply->prev;
    if (server->pool_count >= REPLY_POOL_MAX) {
        free(reply);
        return;
    }
    reply->next = server->pool;
    server->pool = reply;
    server->pool_count++;
}

void server_replies_done(struct gh_server *server)
{
    for (struct gh_reply *reply = server->outstanding; reply != NULL; reply = reply->next)
        reply->server = NULL;
    while (server->pool != NULL) {
        struct gh_reply *next = server->pool->next;

        free(server->pool);
        server->pool = next;
    }
}

void gh_reply_send(struct gh_reply *reply, uint32_t arm, void *body)
{
    zmq_msg_t msg;

    if (reply->server != NULL && reply->call_id != 0) {
        enum gh_err err = gh_bus_encode(reply->call_id, arm, body, &msg);

        if (err == GH_OK) err = server_send(reply->server, reply->socket, reply->identity, &msg);
        if (err != GH_OK && err != GH_ERR_NOT_FOUND)
            gh_log(GH_LOG_WARN, "reply_unsent", "error=\"%s\"", gh_err_text(err));
    }
    reply_drop(reply);
}

void gh_reply_fail(struct gh_reply *reply, enum gh_err err)
{
    Gh__ErrorReply body = GH__ERROR_REPLY__INIT;

    body.err = (uint32_t)err;
    gh_reply_send(reply, GH__ENVELOPE__BODY_ERROR_REPLY, &body);
}

enum gh_err gh_server_push(struct gh_server *server, uint64_t peer_id, uint32_t arm, void *body)
{
    const struct gh_server_peer *peer = gh_server_peers_by_id(server->peers, peer_id);
    zmq_msg_t msg;
    enum gh_err err;

    if (peer == NULL || !peer->greeted) return GH_ERR_NOT_FOUND;
    err = gh_bus_encode(0, arm, body, &msg);
    if (err != GH_OK) return err;
    return server_send(server, peer->socket, peer->identity, &msg);
}

struct push_all {
    struct gh_server *server;
    uint32_t roles;
    zmq_msg_t *msg;
    unsigned failed;
};

static void push_one(void *ctx, struct gh_server_peer *peer)
{
    struct push_all *push = ctx;
    zmq_msg_t copy;

    if (!peer->greeted || (peer->info.role & push->roles) == 0) return;
    zmq_msg_init(&copy);
    if (zmq_msg_copy(&copy, push->msg) != 0 ||
        server_send(push->server, peer->socket, peer->identity, &copy) != GH_OK)
        push->failed++;
}

unsigned gh_server_push_all(struct gh_server *server, uint32_t roles, uint32_t arm, void *body)
{
    zmq_msg_t msg;
    struct push_all push = { server, roles, &msg, 0 };

    if (gh_bus_encode(0, arm, body, &msg) != GH_OK) return UINT32_MAX;
    gh_server_peers_each(server->peers, push_one, &push);
    zmq_msg_close(&msg);
    return push.failed;
}
