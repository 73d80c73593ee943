#include "hmap.h"

#include "common/random.h"

#include <stdlib.h>
#include <string.h>

#define HMAP_MIN 64

enum gh_err hmap_init(struct hmap *map)
{
    map->buckets = calloc(HMAP_MIN, sizeof(struct hmap_node *));
    if (map->buckets == NULL) return GH_ERR_NOMEM;
    map->mask = HMAP_MIN - 1;
    map->count = 0;
    return GH_OK;
}

void hmap_done(struct hmap *map)
{
    free(map->buckets);
    memset(map, 0, sizeof *map);
}

static void hmap_grow(struct hmap *map)
{
    size_t size = (map->mask + 1) * 2;
    struct hmap_node **buckets = calloc(size, sizeof(struct hmap_node *));

    if (buckets == NULL) return;
    for (size_t i = 0; i <= map->mask; i++) {
        struct hmap_node *node = map->buckets[i];

        while (node != NULL) {
            struct hmap_node *next = node->next;

            node->next = buckets[node->hash & (size - 1)];
            buckets[node->hash & (size - 1)] = node;
            node = next;
        }
    }
    free(map->buckets);
    map->buckets = buckets;
    map->mask = size - 1;
}

void hmap_insert(struct hmap *map, struct hmap_node *node, uint64_t hash)
{
    if (map->count > map->mask) hmap_grow(map);
    node->hash = hash;
    node->next = map->buckets[hash & map->mask];
    map->buckets[hash & map->mask] = node;
    map->count++;
}

void hmap_remove(struct hmap *map, struct hmap_node *node)
{
    struct hmap_node **at = &map->buckets[node->hash & map->mask];

    while (*at != node)
        at = &(*at)->next;
    *at = node->next;
    map->count--;
}

static struct hmap_node *hmap_same(struct hmap_node *node, uint64_t hash)
{
    while (node != NULL && node->hash != hash)
        node = node->next;
    return node;
}

struct hmap_node *hmap_first(const struct hmap *map, uint64_t hash)
{
    return hmap_same(map->buckets[hash & map->mask], hash);
}

struct hmap_node *hmap_next(const struct hmap_node *node)
{
    return hmap_same(node->next, node->hash);
}

struct hmap_node *hmap_walk(const struct hmap *map, struct hmap_walk *walk)
{
    struct hmap_node *node = walk->next;

    while (node == NULL && walk->bucket <= map->mask)
        node = map->buckets[walk->bucket++];
    walk->next = node != NULL ? node->next : NULL;
    return node;
}

uint64_t hmap_seed(void)
{
    static uint64_t seed;

    while (seed == 0)
        seed = gh_random_u64();
    return seed;
}

/* Folded multiplication: the 128-bit product's halves, combined. Both factors depend on the secret
 * seed, so a client cannot choose colliding keys without knowing it. */
static inline uint64_t fold(uint64_t a, uint64_t b)
{
    __uint128_t product = (__uint128_t)a * b;

    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

uint64_t hmap_hash(const void *bytes, size_t len, uint64_t seed)
{
    const unsigned char *p = bytes;
    uint64_t key = hmap_seed() ^ seed;
    uint64_t h = key ^ 0x9e3779b97f4a7c15u;
    uint64_t a, b;
    size_t left = len;

    for (; left >= 16; p += 16, left -= 16) {
        memcpy(&a, p, 8);
        memcpy(&b, p + 8, 8);
        h = fold(a ^ key ^ 0xa0761d6478bd642fu, b ^ h);
    }
    a = b = 0;
    if (left > 8) {
        memcpy(&a, p, 8);
        memcpy(&b, p + 8, left - 8);
    } else if (left > 0) {
        memcpy(&a, p, left);
    }
    h = fold(a ^ key ^ 0xe7037ed1a0b428dbu, b ^ h);
    return fold(h ^ len, key ^ 0x8ebc6af09c88c6e3u);
}
