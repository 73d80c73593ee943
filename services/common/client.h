/*
 * client - a caller's half of the bus: finds the instances of a service, watches them, asks them.
 *
 * A gh_client keeps one DEALER per instance (peer). A peer is up from its first HelloReply until
 * its connection breaks or it is silent for GH_BUS_PEER_LOST_MS; then every unanswered call to it
 * ends with GH_ERR_UNAVAILABLE, oldest first, before anything else happens, so that the caller can
 * send the same work to another instance in order. Late answers to calls that have ended are
 * dropped. A peer in its window (max_in_flight unanswered calls) refuses calls with GH_ERR_BUSY:
 * that is back-pressure.
 */
#ifndef GH_CLIENT_H
#define GH_CLIENT_H

#include "common/bus.h"
#include "common/metrics.h"

#include <uv.h>

struct gh_client;
struct gh_client_peer;

/* body: the message of the expected arm when err is GH_OK, else NULL; valid during the call. An
 * ErrorReply arrives as its err. Called exactly once per successful gh_client_call, never from
 * inside it. */
typedef void (*gh_answer_fn)(void *ctx, enum gh_err err, const void *body);

struct gh_client_config {
    const char *endpoint; /* specification, see bus.h */
    enum gh_role self;    /* our role */
    enum gh_role service; /* theirs: whose public key to expect */
    const char *instance;
    uint64_t boot_id;
    const struct gh_bus_keys *keys;
    struct gh_metrics *metrics;
    uint32_t max_in_flight; /* per peer; 0: 1024 */
    void *ctx;
    /* All optional. push: a one-way message from the peer (arm, body as in gh_answer_fn). */
    void (*on_up)(void *ctx, struct gh_client_peer *peer, uint64_t orders_version);
    void (*on_down)(void *ctx, struct gh_client_peer *peer); /* after its calls were failed */
    void (*on_push)(void *ctx, struct gh_client_peer *peer, uint32_t arm, const void *body);
    void (*on_room)(void *ctx, struct gh_client_peer *peer); /* a full window has room again */
};

GH_NODISCARD enum gh_err gh_client_new(uv_loop_t *loop, const struct gh_client_config *config,
                                       struct gh_client **ret_client);
/* Unanswered calls end with GH_ERR_UNAVAILABLE. */
void gh_client_free(struct gh_client *client);

size_t gh_client_up_count(const struct gh_client *client);
/* Peers that are up: by position 0..up_count-1 (order arbitrary but stable between ups and downs);
 * by rendezvous hash of key (the same key gives the same peer while it is up). NULL: none is up. */
struct gh_client_peer *gh_client_peer_at(struct gh_client *client, size_t index);
struct gh_client_peer *gh_client_peer_for(struct gh_client *client, uint64_t key);
/* The next peer in turn that is up and has room; NULL: none. */
struct gh_client_peer *gh_client_peer_any(struct gh_client *client);

bool gh_client_peer_up(const struct gh_client_peer *peer);
bool gh_client_peer_has_room(const struct gh_client_peer *peer);
const char *gh_client_peer_instance(const struct gh_client_peer *peer);
uint64_t gh_client_peer_boot_id(const struct gh_client_peer *peer);
/* One pointer of the caller's, for its per-peer state. Peers live until gh_client_free or until
 * their address is no longer resolved (on_down first, user pointer set to NULL by the caller
 * there). */
void gh_client_peer_set_user(struct gh_client_peer *peer, void *user);
void *gh_client_peer_user(const struct gh_client_peer *peer);

/* Sends body (the message of arm) and expects an answer of answer_arm. On failure fn is not called:
 * GH_ERR_UNAVAILABLE (peer NULL or down), GH_ERR_BUSY (window full), GH_ERR_NOMEM. */
GH_NODISCARD enum gh_err gh_client_call(struct gh_client *client, struct gh_client_peer *peer,
                                        uint32_t arm, void *body, uint32_t answer_arm,
                                        uint64_t timeout_ms, gh_answer_fn fn, void *ctx);
/* One-way. */
GH_NODISCARD enum gh_err gh_client_tell(struct gh_client *client, struct gh_client_peer *peer,
                                        uint32_t arm, void *body);

#endif
