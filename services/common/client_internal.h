/*
 * client_internal - one peer of a gh_client: its socket, its heartbeat, its unanswered calls.
 * Shared by client.c (the set of peers) and client_peer.c (one peer); not for services.
 */
#ifndef GH_CLIENT_INTERNAL_H
#define GH_CLIENT_INTERNAL_H

#include "common/bus_internal.h"
#include "common/client.h"
#include "common/discovery.h"
#include "common/zpoll.h"

#define GH_CLIENT_BUCKETS 1024u /* unanswered calls of a peer, by call_id */

struct client_call {
    uint64_t id;
    uint32_t answer_arm;
    int64_t deadline_ms;
    gh_answer_fn fn;
    void *ctx;
    struct client_call *chain;
    struct client_call *older, *newer; /* in order of sending */
};

struct gh_client_peer {
    struct gh_client *client;
    char *address;
    uint64_t hash; /* of address, for rendezvous */
    zsock_t *sock;
    struct gh_zpoll *poll;
    zsock_t *monitor;
    struct gh_zpoll *monitor_poll;
    bool up;
    bool connected; /* the transport is; said by the monitor */
    bool full;      /* a call was refused or filled the window: on_room is due */
    bool resolved;  /* still among the addresses found */
    char instance[GH_BUS_INSTANCE_MAX + 1];
    uint64_t boot_id;
    int64_t seen_ms;
    struct client_call *buckets[GH_CLIENT_BUCKETS];
    struct client_call *oldest, *newest;
    uint32_t in_flight;
    void *user;
    struct gh_client_peer *next;
};

struct gh_client {
    uv_loop_t *loop;
    struct gh_client_config config;
    char *instance;
    struct gh_discovery *discovery;
    struct gh_client_peer *peers;
    struct gh_client_peer **up; /* those that are up */
    size_t up_count, up_size;
    size_t turn;
    uint64_t next_call_id;
    struct gh_arena *arena;
    struct client_call *pool;
    uv_timer_t *tick; /* heartbeats and silence */
    uv_timer_t *deadlines;
    bool deadlines_running;
    uint64_t *metric_calls;
    uint64_t *metric_failed;
    uint64_t *metric_late;
};

/* client_peer.c */
GH_NODISCARD enum gh_err client_peer_new(struct gh_client *client, const char *address,
                                         struct gh_client_peer **ret_peer);
void client_peer_free(struct gh_client_peer *peer);
void client_peer_tick(struct gh_client_peer *peer, int64_t now_ms);
void client_peer_expire(struct gh_client_peer *peer, int64_t now_ms);

/* client.c */
void client_set_up(struct gh_client *client, struct gh_client_peer *peer, bool up);
struct client_call *client_call_take(struct gh_client *client);
void client_call_give(struct gh_client *client, struct client_call *call);
void client_deadlines_start(struct gh_client *client);

#endif
