/*
 * keyset - a fixed set of strings, found by one hash and one comparison.
 *
 * A seed is searched at load such that no two keys share a slot, so a look-up never probes, and
 * texts chosen by a client cannot make it slower. Index i is the i-th key added. Pure.
 */
#ifndef VALIDATOR_SCHEMA_KEYSET_H
#define VALIDATOR_SCHEMA_KEYSET_H

#include "common/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define KEYSET_NONE UINT32_MAX

struct keyset_key {
    const char *bytes;
    uint32_t len;
};

struct keyset {
    struct keyset_key *keys;
    uint32_t n;
    uint32_t shift;
    uint64_t seed;
    uint32_t *slots; /* index + 1; 0 is empty */
    char *bytes;
};

/* Keys are copied, with a NUL behind each. Duplicates: GH_ERR_EXISTS. n may be 0. */
GH_NODISCARD enum gh_err keyset_init(struct keyset *set, const struct keyset_key *keys, uint32_t n);
void keyset_done(struct keyset *set); /* a zeroed or done set is a no-op */

static inline uint64_t keyset_load64(const char *p)
{
    uint64_t v;

    memcpy(&v, p, 8);
    return v;
}

static inline uint64_t keyset_load32(const char *p)
{
    uint32_t v;

    memcpy(&v, p, 4);
    return v;
}

static inline uint64_t keyset_mix(uint64_t a, uint64_t b)
{
    __uint128_t m = (__uint128_t)a * b;

    return (uint64_t)m ^ (uint64_t)(m >> 64);
}

static inline uint64_t keyset_hash(const char *p, size_t len, uint64_t seed)
{
    uint64_t a, b;
    uint64_t h = seed ^ (uint64_t)len * 0x9E3779B97F4A7C15u;

    if (len >= 8) {
        size_t at = 0;

        for (; at + 16 < len; at += 8)
            h = keyset_mix(h ^ keyset_load64(p + at), 0xA0761D6478BD642Fu);
        a = keyset_load64(p + at);
        b = keyset_load64(p + len - 8);
    } else if (len >= 4) {
        a = keyset_load32(p);
        b = keyset_load32(p + len - 4);
    } else {
        a = len == 0 ? 0
                     : (uint64_t)(unsigned char)p[0] << 16 |
                           (uint64_t)(unsigned char)p[len / 2] << 8 | (unsigned char)p[len - 1];
        b = 0;
    }
    return keyset_mix(h ^ a, b ^ 0xE7037ED1A0B428DBu);
}

static inline uint32_t keyset_find(const struct keyset *set, const char *bytes, size_t len)
{
    if (set->n == 0) return KEYSET_NONE;

    uint32_t at = set->slots[keyset_hash(bytes, len, set->seed) >> set->shift];

    if (at == 0) return KEYSET_NONE;

    const struct keyset_key *key = &set->keys[at - 1];

    return key->len == len && memcmp(key->bytes, bytes, len) == 0 ? at - 1 : KEYSET_NONE;
}

#endif
