#include "replay/siphash.h"

#include <string.h>

static uint64_t rotl(uint64_t v, int n)
{
    return v << n | v >> (64 - n);
}

static void rounds(uint64_t v[4], int n)
{
    while (n-- > 0) {
        v[0] += v[1];
        v[1] = rotl(v[1], 13) ^ v[0];
        v[0] = rotl(v[0], 32);
        v[2] += v[3];
        v[3] = rotl(v[3], 16) ^ v[2];
        v[0] += v[3];
        v[3] = rotl(v[3], 21) ^ v[0];
        v[2] += v[1];
        v[1] = rotl(v[1], 17) ^ v[2];
        v[2] = rotl(v[2], 32);
    }
}

static uint64_t load(const unsigned char *p, size_t n)
{
    uint64_t v = 0;

    for (size_t i = 0; i < n; i++)
        v |= (uint64_t)p[i] << 8 * i;
    return v;
}

void siphash128(const uint64_t key[2], const void *data, size_t len, uint64_t ret_hash[2])
{
    const unsigned char *p = data;
    uint64_t v[4] = { key[0] ^ 0x736f6d6570736575u, key[1] ^ 0x646f72616e646f6du ^ 0xee,
                      key[0] ^ 0x6c7967656e657261u, key[1] ^ 0x7465646279746573u };
    uint64_t word;
    size_t left = len;

    for (; left >= 8; left -= 8, p += 8) {
        word = load(p, 8);
        v[3] ^= word;
        rounds(v, 2);
        v[0] ^= word;
    }
    word = load(p, left) | (uint64_t)len << 56;
    v[3] ^= word;
    rounds(v, 2);
    v[0] ^= word;
    v[2] ^= 0xee;
    rounds(v, 4);
    ret_hash[0] = v[0] ^ v[1] ^ v[2] ^ v[3];
    v[1] ^= 0xdd;
    rounds(v, 4);
    ret_hash[1] = v[0] ^ v[1] ^ v[2] ^ v[3];
}
