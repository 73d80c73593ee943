/*
 * Equal keys within one object, in linear time whatever the keys.
 *
 * Small objects: each key against each, by 64 bits of it. Large ones: a table under a polynomial
 * hash over the prime field 2^61 - 1 at a random point (Carter and Wegman). Two different strings
 * of at most n 7-byte words collide for at most n + 1 of the 2^61 points, whoever chose the
 * strings, so nobody who does not know the point can make collisions; that is a theorem, not a hope
 * about mixing. Under such a hash an insertion with linear probing takes O(log n) expected steps at
 * worst (Pagh, Pagh and Ruzic, "Linear probing with constant independence", 2009) and in practice
 * one or two.
 */
#include "common/json/parse.h"
#include "common/json/utf8.h"

#include <string.h>

#define SMALL_MEMBERS 16
#define PRIME61       ((UINT64_C(1) << 61) - 1)

static uint64_t mul61(uint64_t a, uint64_t b)
{
    unsigned __int128 m = (unsigned __int128)a * b;
    uint64_t r = ((uint64_t)m & PRIME61) + (uint64_t)(m >> 61);

    return r >= PRIME61 ? r - PRIME61 : r;
}

/* 7 bytes little-endian, for n in 0..7. */
static uint64_t word7(const char *p, size_t n)
{
    uint64_t w = 0;

    memcpy(&w, p, n);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    w = __builtin_bswap64(w);
#endif
    return w;
}

static uint64_t hash_plain(const char *p, size_t len, uint64_t point)
{
    uint64_t h = len + 1;

    while (len >= 7) {
        h = mul61(h, point) + word7(p, 7);
        p += 7;
        len -= 7;
    }
    return mul61(mul61(h, point) + word7(p, len), point);
}

static uint64_t hash_escaped(const char *p, const char *end, size_t len, uint64_t point)
{
    uint64_t h = len + 1;
    char part[16];
    size_t n = 0;

    while (p < end) {
        if (*p == '\\') {
            uint32_t cp;

            p = gh_json_escape_decode(p, &cp);
            n += gh_utf8_encode(cp, part + n);
        } else {
            part[n++] = *p++;
        }
        if (n >= 7) {
            h = mul61(h, point) + word7(part, 7);
            n -= 7;
            memmove(part, part + 7, n);
        }
    }
    return mul61(mul61(h, point) + word7(part, n), point);
}

/* Spreads the field's element over 64 bits; one to one. */
static uint64_t spread(uint64_t h, const uint64_t seed[2])
{
    return h * (seed[1] | 1);
}

uint64_t gh_json_hash_bytes(const void *bytes, size_t len, const uint64_t seed[2])
{
    return spread(hash_plain(bytes, len, seed[0] & PRIME61), seed);
}

uint64_t gh_json_hash_str(const struct gh_tape *tape, uint32_t str, const uint64_t seed[2])
{
    const struct gh_node *node = &tape->nodes[str];
    const char *p = tape->src + node->off;
    uint64_t point = seed[0] & PRIME61;
    uint64_t h = node->flags & GH_NODE_ESCAPED
                     ? hash_escaped(p, p + node->len, node->len - node->count, point)
                     : hash_plain(p, node->len, point);

    return spread(h, seed);
}

/* Differs for keys that differ in length or in their first 8 bytes, mostly also for others. */
static uint64_t fingerprint(const struct gh_tape *tape, const struct gh_node *node)
{
    static const uint64_t keep[9] = {
        0,
        0xFF,
        0xFFFF,
        0xFFFFFF,
        0xFFFFFFFF,
        0xFFFFFFFFFF,
        0xFFFFFFFFFFFF,
        0xFFFFFFFFFFFFFF,
        0xFFFFFFFFFFFFFFFF,
    };
    uint64_t first = 0;
    uint32_t len = node->len;
    char part[8];
    const char *p = tape->src + node->off;

    if (node->flags & GH_NODE_ESCAPED) { /* rare: the first 8 decoded bytes and the length */
        const char *end = p + node->len;
        size_t n = 0;

        memset(part, 0, sizeof part);
        while (p < end && n < 8) {
            char enc[4] = { *p };
            unsigned m = 1;

            if (*p == '\\') {
                uint32_t cp;

                p = gh_json_escape_decode(p, &cp);
                m = gh_utf8_encode(cp, enc);
            } else {
                p++;
            }
            for (unsigned i = 0; i < m && n < 8; i++)
                part[n++] = enc[i];
        }
        memcpy(&first, part, 8);
        return first ^ (uint64_t)(len - node->count) << 56;
    }
    if (node->off + 8 <= tape->src_len)
        memcpy(&first, p, 8);
    else
        memcpy(&first, p, tape->src_len - node->off);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    first = __builtin_bswap64(__builtin_bswap64(first) & keep[len < 8 ? len : 8]);
#else
    first &= keep[len < 8 ? len : 8];
#endif
    return first ^ (uint64_t)len << 56;
}

static uint32_t find_small(const struct gh_tape *tape, uint32_t obj, uint32_t end)
{
    const struct gh_node *nodes = tape->nodes;
    uint64_t prints[SMALL_MEMBERS];
    uint32_t keys[SMALL_MEMBERS];
    unsigned n = 0;

    for (uint32_t k = obj + 1; k < end; k = nodes[k + 1].next) {
        uint64_t print = fingerprint(tape, &nodes[k]);

        for (unsigned i = 0; i < n; i++)
            if (prints[i] == print && gh_tape_same_str(tape, keys[i], tape, k)) return k;
        prints[n] = print;
        keys[n++] = k;
    }
    return GH_TAPE_NONE;
}

uint32_t gh_tape_find_duplicate(struct gh_tape *tape, uint32_t obj, uint32_t end, uint32_t count)
{
    uint32_t size = 64;

    if (count <= SMALL_MEMBERS) return find_small(tape, obj, end);
    while (size < count * 2)
        size *= 2;
    if (!gh_tape_clear_table(tape, size)) return GH_DUP_NOMEM;

    /* An entry: the hash's high 32 bits, and the key's index plus 1. */
    for (uint32_t k = obj + 1; k < end; k = tape->nodes[k + 1].next) {
        uint64_t hash = gh_json_hash_str(tape, k, tape->seed);
        uint64_t entry = (hash & 0xFFFFFFFF00000000u) | (k + 1);
        uint32_t at = (uint32_t)(hash >> 24) & (size - 1);

        for (; tape->table[at] != 0; at = (at + 1) & (size - 1)) {
            uint64_t other = tape->table[at];

            if ((other ^ entry) >> 32 == 0 && gh_tape_same_str(tape, (uint32_t)other - 1, tape, k))
                return k;
        }
        tape->table[at] = entry;
    }
    return GH_TAPE_NONE;
}
