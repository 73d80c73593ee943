/*
 * server_internal - a gh_server's sockets and the replies it owes. Shared by server.c (binding,
 * receiving, routing) and server_send.c (replies, orders); not for services.
 */
#ifndef GH_SERVER_INTERNAL_H
#define GH_SERVER_INTERNAL_H

#include "common/bus_internal.h"
#include "common/server.h"
#include "common/server_peers.h"
#include "common/zpoll.h"

struct server_socket {
    struct gh_server *server;
    zsock_t *sock;
    struct gh_zpoll *poll;
    enum gh_role role; /* 0: tcp, the role is that of the peer's key */
    unsigned index;
};

struct gh_reply {
    struct gh_server *server; /* NULL: it was freed meanwhile */
    unsigned socket;
    unsigned char identity[GH_SERVER_IDENTITY_BYTES];
    uint64_t call_id;
    struct gh_reply *prev, *next; /* outstanding ones, or the pool */
};

struct gh_server {
    uv_loop_t *loop;
    struct gh_server_config config;
    char *instance;
    struct server_socket sockets[GH_ROLE_COUNT];
    unsigned socket_count;
    struct gh_server_peers *peers;
    struct gh_arena *arena;
    struct gh_reply *outstanding;
    struct gh_reply *pool;
    unsigned pool_count;
    uv_timer_t *sweep;
    gh_peer_fn peer_up;
    gh_peer_fn peer_down;
    uint64_t orders_version;
    uint64_t *metric_messages;
    uint64_t *metric_bad;
    uint64_t *metric_forbidden;
    uint64_t *metric_unsent;
};

/* What a handler is given to answer with; NULL: no memory. One of gh_reply_send and gh_reply_fail
 * takes it back. */
struct gh_reply *server_reply_take(struct gh_server *server, const struct gh_server_peer *peer,
                                   uint64_t call_id);
/* The server goes: outstanding replies lead nowhere from now on, the pool is freed. */
void server_replies_done(struct gh_server *server);

#endif
