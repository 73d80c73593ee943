/*
 * server - a service's half of the bus: binds, checks who asks, dispatches, answers.
 *
 * Every message is size-checked, unpacked into an arena, and looked up in the route table. Unknown
 * arms, wrong roles and malformed messages are answered with ErrorReply, counted per peer, and a
 * peer that goes on (GH_SERVER_BAD_MAX within a minute) is ignored for a minute; never fatal. Hello
 * is answered here. Single-threaded; everything happens on the loop.
 */
#ifndef GH_SERVER_H
#define GH_SERVER_H

#include "common/bus.h"
#include "common/metrics.h"

#include <uv.h>

#define GH_SERVER_BAD_MAX 100

struct gh_server;
struct gh_reply;

struct gh_peer {
    enum gh_role role;
    uint64_t id; /* names the peer towards gh_server_push; unique for the server's life */
    char instance[GH_BUS_INSTANCE_MAX + 1]; /* "" before its Hello */
    uint64_t boot_id;
};

/*
 * body is the message of the route's arm (a Gh__LeaseRequest for ..BODY_LEASE_REQUEST), valid
 * during the call. Returning GH_OK means reply was sent or is kept for later: exactly one
 * gh_reply_send or gh_reply_fail must follow. Returning anything else answers with that error;
 * reply must not be used then. For a one-way message (call_id 0) reply is still given; sending it
 * is a no-op.
 */
typedef enum gh_err (*gh_handler_fn)(void *ctx, const struct gh_peer *peer, const void *body,
                                     struct gh_reply *reply);

struct gh_route {
    uint32_t arm;   /* GH__ENVELOPE__BODY_...; 0 ends the table */
    uint32_t roles; /* enum gh_role bits that may send it */
    gh_handler_fn fn;
};

struct gh_server_config {
    const char *endpoint; /* ipc://PATH or tcp://ADDRESS:PORT */
    const char *instance;
    uint64_t boot_id;
    const struct gh_bus_keys *keys; /* NULL: ipc only */
    struct gh_metrics *metrics;
    const struct gh_route *routes; /* static */
    void *ctx;                     /* for handlers */
};

GH_NODISCARD enum gh_err gh_server_new(uv_loop_t *loop, const struct gh_server_config *config,
                                       struct gh_server **ret_server);
void gh_server_free(struct gh_server *server);

/* Both consume reply and are safe after the peer has gone. body: the message of arm. */
void gh_reply_send(struct gh_reply *reply, uint32_t arm, void *body);
void gh_reply_fail(struct gh_reply *reply, enum gh_err err);

/* One-way messages to peers that have said hello. GH_ERR_NOT_FOUND: gone; GH_ERR_BUSY: its queue is
 * full. */
GH_NODISCARD enum gh_err gh_server_push(struct gh_server *server, uint64_t peer_id, uint32_t arm,
                                        void *body);
/* To every peer of these roles; packs once. Returns how many could not be given it (full queue):
 * those notice by the order stream's version. */
unsigned gh_server_push_all(struct gh_server *server, uint32_t roles, uint32_t arm, void *body);

/* A peer's first Hello, and its end (silence, or the same instance with a new boot_id). */
typedef void (*gh_peer_fn)(void *ctx, const struct gh_peer *peer);
void gh_server_on_peer(struct gh_server *server, gh_peer_fn up, gh_peer_fn down);
void gh_server_set_orders_version(struct gh_server *server, uint64_t version);

/* Cost of one dispatch for tests and fuzzers: what the socket would have given. */
void gh_server_feed(struct gh_server *server, enum gh_role role, const void *frame, size_t len);

#endif
