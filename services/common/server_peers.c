#include "common/server_peers.h"

#include <stdlib.h>
#include <string.h>

#define BUCKETS       1024u
#define BAD_WINDOW_MS 60000
#define IGNORE_MS     60000

struct gh_server_peers {
    struct gh_server_peer *buckets[BUCKETS];
    size_t count;
    uint64_t next_id;
};

static uint64_t peer_key(unsigned socket, const unsigned char *identity)
{
    uint32_t number;

    memcpy(&number, identity + 1, sizeof number);
    return ((uint64_t)socket << 32) | number;
}

/* The id keeps the bucket in its low bits, so that a push finds its peer without a second table. */
static size_t bucket_of(uint64_t key)
{
    key *= 0x9e3779b97f4a7c15u;
    return (size_t)(key >> 32) % BUCKETS;
}

enum gh_err gh_server_peers_new(struct gh_server_peers **ret_peers)
{
    struct gh_server_peers *peers = calloc(1, sizeof *peers);

    if (peers == NULL) return GH_ERR_NOMEM;
    *ret_peers = peers;
    return GH_OK;
}

void gh_server_peers_free(struct gh_server_peers *peers)
{
    if (peers == NULL) return;
    for (size_t i = 0; i < BUCKETS; i++) {
        while (peers->buckets[i] != NULL) {
            struct gh_server_peer *next = peers->buckets[i]->chain;

            free(peers->buckets[i]);
            peers->buckets[i] = next;
        }
    }
    free(peers);
}

struct gh_server_peer *gh_server_peers_find(const struct gh_server_peers *peers, unsigned socket,
                                            const unsigned char *identity)
{
    uint64_t key = peer_key(socket, identity);
    struct gh_server_peer *peer = peers->buckets[bucket_of(key)];

    while (peer != NULL && peer->key != key)
        peer = peer->chain;
    return peer;
}

struct gh_server_peer *gh_server_peers_by_id(const struct gh_server_peers *peers, uint64_t id)
{
    struct gh_server_peer *peer = peers->buckets[id % BUCKETS];

    while (peer != NULL && peer->info.id != id)
        peer = peer->chain;
    return peer;
}

static bool evict_silent(struct gh_server_peers *peers, int64_t now_ms)
{
    for (size_t i = 0; i < BUCKETS; i++) {
        for (struct gh_server_peer *peer = peers->buckets[i]; peer != NULL; peer = peer->chain) {
            if (!peer->greeted && now_ms - peer->seen_ms > GH_BUS_PEER_LOST_MS) {
                gh_server_peers_remove(peers, peer);
                return true;
            }
        }
    }
    return false;
}

enum gh_err gh_server_peers_add(struct gh_server_peers *peers, unsigned socket,
                                const unsigned char *identity, enum gh_role role, int64_t now_ms,
                                struct gh_server_peer **ret_peer)
{
    struct gh_server_peer *peer;
    size_t bucket;

    if (peers->count >= GH_SERVER_PEERS_MAX && !evict_silent(peers, now_ms)) return GH_ERR_LIMIT;
    peer = calloc(1, sizeof *peer);
    if (peer == NULL) return GH_ERR_NOMEM;
    peer->key = peer_key(socket, identity);
    bucket = bucket_of(peer->key);
    peer->info.role = role;
    peer->info.id = ++peers->next_id * BUCKETS + bucket;
    peer->socket = socket;
    memcpy(peer->identity, identity, sizeof peer->identity);
    peer->seen_ms = now_ms;
    peer->chain = peers->buckets[bucket];
    peers->buckets[bucket] = peer;
    peers->count++;
    *ret_peer = peer;
    return GH_OK;
}

void gh_server_peers_remove(struct gh_server_peers *peers, struct gh_server_peer *peer)
{
    struct gh_server_peer **at = &peers->buckets[bucket_of(peer->key)];

    while (*at != NULL && *at != peer)
        at = &(*at)->chain;
    if (*at == NULL) return;
    *at = peer->chain;
    peers->count--;
    free(peer);
}

bool gh_server_peer_bad(struct gh_server_peer *peer, int64_t now_ms)
{
    if (now_ms - peer->bad_since_ms > BAD_WINDOW_MS) {
        peer->bad_since_ms = now_ms;
        peer->bad_count = 0;
    }
    if (++peer->bad_count < GH_SERVER_BAD_MAX) return false;
    peer->ignored_until_ms = now_ms + IGNORE_MS;
    peer->bad_count = 0;
    return true;
}

void gh_server_peers_each(struct gh_server_peers *peers, gh_server_peers_fn fn, void *ctx)
{
    for (size_t i = 0; i < BUCKETS; i++) {
        struct gh_server_peer *peer = peers->buckets[i];

        while (peer != NULL) {
            struct gh_server_peer *next = peer->chain;

            fn(ctx, peer);
            peer = next;
        }
    }
}
