/*
 * hmap - an intrusive hash map: the caller's structs carry the node, so nothing is allocated per
 * entry and removal needs no search of the heap.
 *
 * Hashes are 64 bits under a random seed (hmap_seed), so clients cannot aim at one bucket. The
 * bucket array doubles when there are more entries than buckets; if there is no memory for that the
 * map goes on with longer chains. Single-threaded.
 */
#ifndef EDGE_HMAP_H
#define EDGE_HMAP_H

#include "common/err.h"

#include <stddef.h>
#include <stdint.h>

struct hmap_node {
    struct hmap_node *next;
    uint64_t hash;
};

struct hmap {
    struct hmap_node **buckets;
    size_t mask;
    size_t count;
};

/* Errors: GH_ERR_NOMEM. */
GH_NODISCARD enum gh_err hmap_init(struct hmap *map);
void hmap_done(struct hmap *map); /* entries are the caller's; a zeroed map is a no-op */

void hmap_insert(struct hmap *map, struct hmap_node *node, uint64_t hash);
void hmap_remove(struct hmap *map, struct hmap_node *node); /* must be in it */

/* The entries of one hash; the caller compares keys. */
struct hmap_node *hmap_first(const struct hmap *map, uint64_t hash);
struct hmap_node *hmap_next(const struct hmap_node *node);

/* All entries; position starts at 0 and is the walk's own. The entry last returned may be removed,
 * nothing else may change. NULL at the end. */
struct hmap_walk {
    size_t bucket;
    struct hmap_node *next;
};
struct hmap_node *hmap_walk(const struct hmap *map, struct hmap_walk *walk);

/* The process's seed, drawn once. */
uint64_t hmap_seed(void);
/* A keyed hash of bytes; seed keeps kinds of keys apart. */
uint64_t hmap_hash(const void *bytes, size_t len, uint64_t seed);

#define hmap_entry(node, type, member) ((type *)(void *)((char *)(node)-offsetof(type, member)))

#endif
