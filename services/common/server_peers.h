/*
 * server_peers - whom a server has heard from: a bounded table by ROUTER identity.
 *
 * Single-threaded, no I/O; the clock is passed in. Not for services: they see struct gh_peer.
 */
#ifndef GH_SERVER_PEERS_H
#define GH_SERVER_PEERS_H

#include "common/server.h"

#define GH_SERVER_PEERS_MAX      4096
#define GH_SERVER_IDENTITY_BYTES 5 /* what a ROUTER makes up: a zero byte and 32 bits */

struct gh_server_peer {
    struct gh_peer info;
    uint64_t key;
    unsigned socket;
    unsigned char identity[GH_SERVER_IDENTITY_BYTES];
    bool greeted; /* said hello; told to the owner */
    int64_t seen_ms;
    int64_t bad_since_ms;
    int64_t ignored_until_ms;
    uint32_t bad_count;
    struct gh_server_peer *chain;
};

struct gh_server_peers;

GH_NODISCARD enum gh_err gh_server_peers_new(struct gh_server_peers **ret_peers);
void gh_server_peers_free(struct gh_server_peers *peers);

/* NULL: not there. */
struct gh_server_peer *gh_server_peers_find(const struct gh_server_peers *peers, unsigned socket,
                                            const unsigned char *identity);
struct gh_server_peer *gh_server_peers_by_id(const struct gh_server_peers *peers, uint64_t id);
/* GH_ERR_LIMIT when the table is full of peers seen within GH_BUS_PEER_LOST_MS. */
GH_NODISCARD enum gh_err gh_server_peers_add(struct gh_server_peers *peers, unsigned socket,
                                             const unsigned char *identity, enum gh_role role,
                                             int64_t now_ms, struct gh_server_peer **ret_peer);
void gh_server_peers_remove(struct gh_server_peers *peers, struct gh_server_peer *peer);

/* Counts one bad message; true when the peer is to be ignored from now on. */
bool gh_server_peer_bad(struct gh_server_peer *peer, int64_t now_ms);

typedef void (*gh_server_peers_fn)(void *ctx, struct gh_server_peer *peer);
/* fn may remove the peer it is given, no other. */
void gh_server_peers_each(struct gh_server_peers *peers, gh_server_peers_fn fn, void *ctx);

#endif
