#include "common/json/utf8.h"

#include <string.h>

static bool is_tail(unsigned char c)
{
    return (c & 0xC0) == 0x80;
}

unsigned gh_utf8_sequence(const void *bytes, size_t left)
{
    const unsigned char *p = bytes;

    if (left == 0) return 0;
    if (p[0] < 0x80) return 1;
    if (p[0] < 0xC2 || p[0] > 0xF4 || left < 2 || !is_tail(p[1])) return 0;
    if (p[0] < 0xE0) return 2;
    if (left < 3 || !is_tail(p[2])) return 0;
    if (p[0] < 0xF0) {
        if ((p[0] == 0xE0 && p[1] < 0xA0) || (p[0] == 0xED && p[1] > 0x9F))
            return 0; /* overlong, surrogate */
        return 3;
    }
    if (left < 4 || !is_tail(p[3])) return 0;
    if ((p[0] == 0xF0 && p[1] < 0x90) || (p[0] == 0xF4 && p[1] > 0x8F))
        return 0; /* overlong, past U+10FFFF */
    return 4;
}

size_t gh_utf8_check(const void *bytes, size_t len)
{
    const unsigned char *p = bytes;
    size_t i = 0;

    while (i < len) {
        if (p[i] < 0x80) {
            uint64_t two[2];

            i++;
            while (len - i >= 16) {
                memcpy(two, p + i, 16);
                if ((two[0] | two[1]) & 0x8080808080808080u) break;
                i += 16;
            }
            continue;
        }
        unsigned n = gh_utf8_sequence(p + i, len - i);

        if (n == 0) return i;
        i += n;
    }
    return len;
}
