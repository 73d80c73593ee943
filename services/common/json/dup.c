/*
 * Equal keys within one object, in linear time whatever the keys.
 *
 * Small objects: each key against each, by 32 bits of it. Large ones: a table under a polynomial
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

static const uint64_t low_bytes[9] = {
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

/* The first n bytes (0 to 8) at p, little-endian; `left` is how many may be read. */
static inline uint64_t first_bytes(const char *p, size_t n, size_t left)
{
    uint64_t w = 0;

    if (__builtin_expect(left >= 8, 1))
        memcpy(&w, p, 8);
    else
        memcpy(&w, p, n);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    w = __builtin_bswap64(w);
#endif
    return w & low_bytes[n];
}

/* left: bytes that may be read from p, at least len. */
static uint64_t hash_plain(const char *p, size_t len, size_t left, uint64_t point)
{
    uint64_t h = len + 1;

    while (len >= 7) {
        h = mul61(h, point) + first_bytes(p, 7, left);
        p += 7;
        len -= 7;
        left -= 7;
    }
    return mul61(mul61(h, point) + first_bytes(p, len, left), point);
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
            h = mul61(h, point) + first_bytes(part, 7, sizeof part);
            n -= 7;
            memmove(part, part + 7, n);
        }
    }
    return mul61(mul61(h, point) + first_bytes(part, n, sizeof part), point);
}

/* Spreads the field's element over 64 bits; one to one. */
static uint64_t spread(uint64_t h, const uint64_t seed[2])
{
    return h * (seed[1] | 1);
}

uint64_t gh_json_hash_bytes(const void *bytes, size_t len, const uint64_t seed[2])
{
    return spread(hash_plain(bytes, len, len, seed[0] & PRIME61), seed);
}

uint64_t gh_json_hash_str(const struct gh_tape *tape, uint32_t str, const uint64_t seed[2])
{
    const struct gh_node *node = &tape->nodes[str];
    const char *p = tape->src + node->off;
    uint64_t point = seed[0] & PRIME61;
    uint64_t h = node->flags & GH_NODE_ESCAPED
                     ? hash_escaped(p, p + node->len, node->len - node->count, point)
                     : hash_plain(p, node->len, tape->src_len - node->off, point);

    return spread(h, seed);
}

/* The first 8 decoded bytes of a key with escapes. */
static __attribute__((noinline)) uint64_t first_decoded(const char *p, const char *end)
{
    char part[12] = { 0 };
    unsigned n = 0;

    while (p < end && n < 8) {
        unsigned m;

        p = gh_json_next_piece(p, part + n, &m);
        n += m;
    }
    return first_bytes(part, n < 8 ? n : 8, sizeof part);
}

/* Not 0, and equal for equal keys. For others rarely: up to 8 bytes all of the key is in it, beyond
 * that the seeded hash, so that nobody can make each be compared with each. */
static inline uint32_t fingerprint(const struct gh_tape *tape, const struct gh_node *node)
{
    const char *p = tape->src + node->off;
    uint32_t len = node->len - node->count;
    uint64_t first;

    if (len > 8)
        return (uint32_t)(gh_json_hash_str(tape, (uint32_t)(node - tape->nodes), tape->seed) >>
                          32) |
               1;
    if (__builtin_expect(node->flags & GH_NODE_ESCAPED, 0))
        first = first_decoded(p, p + node->len);
    else
        first = first_bytes(p, len, tape->src_len - node->off);
    return (uint32_t)((first ^ (uint64_t)len << 59) * (tape->seed[1] | 1) >> 32) | 1;
}

/* Four at a time, with whatever the compiler has for it. */
typedef uint32_t four __attribute__((vector_size(16)));

/* How many pairs (i, j) of the first n prints are equal, i == j included; n if all differ. */
static uint32_t equal_pairs(const uint32_t *prints, unsigned n)
{
    four all[SMALL_MEMBERS / 4];
    four sum = { 0 };

    memcpy(all, prints, sizeof all);
    for (unsigned i = 0; i < n; i++)
        for (unsigned j = 0; j * 4 < n; j++)
            sum -= (four)(all[j] == prints[i]); /* -1 where equal */
    return sum[0] + sum[1] + sum[2] + sum[3];
}

static uint32_t find_small(const struct gh_tape *tape, uint32_t obj, uint32_t end)
{
    const struct gh_node *nodes = tape->nodes;
    uint32_t prints[SMALL_MEMBERS] = { 0 };
    uint32_t keys[SMALL_MEMBERS];
    unsigned n = 0;

    for (uint32_t k = obj + 1; k < end; k = nodes[k + 1].next) {
        prints[n] = fingerprint(tape, &nodes[k]);
        keys[n++] = k;
    }
    if (__builtin_expect(equal_pairs(prints, n) == n, 1)) return GH_TAPE_NONE;
    for (unsigned j = 1; j < n; j++)
        for (unsigned i = 0; i < j; i++)
            if (prints[i] == prints[j] && gh_tape_same_str(tape, keys[i], tape, keys[j]))
                return keys[j];
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
