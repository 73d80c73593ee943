#include "b64.h"

#include <stdint.h>

/* One more than the value of each character; 0: none of them. */
static const uint8_t table[256] = {
    ['A'] = 1,  ['B'] = 2,  ['C'] = 3,  ['D'] = 4,  ['E'] = 5,  ['F'] = 6,  ['G'] = 7,  ['H'] = 8,
    ['I'] = 9,  ['J'] = 10, ['K'] = 11, ['L'] = 12, ['M'] = 13, ['N'] = 14, ['O'] = 15, ['P'] = 16,
    ['Q'] = 17, ['R'] = 18, ['S'] = 19, ['T'] = 20, ['U'] = 21, ['V'] = 22, ['W'] = 23, ['X'] = 24,
    ['Y'] = 25, ['Z'] = 26, ['a'] = 27, ['b'] = 28, ['c'] = 29, ['d'] = 30, ['e'] = 31, ['f'] = 32,
    ['g'] = 33, ['h'] = 34, ['i'] = 35, ['j'] = 36, ['k'] = 37, ['l'] = 38, ['m'] = 39, ['n'] = 40,
    ['o'] = 41, ['p'] = 42, ['q'] = 43, ['r'] = 44, ['s'] = 45, ['t'] = 46, ['u'] = 47, ['v'] = 48,
    ['w'] = 49, ['x'] = 50, ['y'] = 51, ['z'] = 52, ['0'] = 53, ['1'] = 54, ['2'] = 55, ['3'] = 56,
    ['4'] = 57, ['5'] = 58, ['6'] = 59, ['7'] = 60, ['8'] = 61, ['9'] = 62, ['-'] = 63, ['_'] = 64,
};

/* 0..63, or 0xff. */
static inline uint8_t value_of(uint8_t c)
{
    return (uint8_t)(table[c] - 1);
}

enum gh_err b64_decode(const char *text, size_t len, void *dst, size_t *ret_len)
{
    const uint8_t *in = (const uint8_t *)text;
    uint8_t *out = dst;
    size_t full = len / 4 * 4;
    uint8_t bad = 0;

    if (len % 4 == 1) return GH_ERR_BAD_MESSAGE;
    for (size_t i = 0; i < full; i += 4) {
        uint8_t a = value_of(in[i]), b = value_of(in[i + 1]), c = value_of(in[i + 2]),
                d = value_of(in[i + 3]);

        bad |= a | b | c | d; /* only 0xff has the high bits */
        *out++ = (uint8_t)(a << 2 | b >> 4);
        *out++ = (uint8_t)(b << 4 | c >> 2);
        *out++ = (uint8_t)(c << 6 | d);
    }
    if (len - full >= 2) {
        uint8_t a = value_of(in[full]), b = value_of(in[full + 1]);

        bad |= a | b;
        *out++ = (uint8_t)(a << 2 | b >> 4);
        if (len - full == 2) {
            if (b & 0x0f) return GH_ERR_BAD_MESSAGE;
        } else {
            uint8_t c = value_of(in[full + 2]);

            bad |= c;
            *out++ = (uint8_t)(b << 4 | c >> 2);
            if (c & 0x03) return GH_ERR_BAD_MESSAGE;
        }
    }
    if (bad & 0xc0) return GH_ERR_BAD_MESSAGE;
    *ret_len = (size_t)(out - (uint8_t *)dst);
    return GH_OK;
}
