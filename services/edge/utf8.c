#include "utf8.h"

#include <string.h>

/* The first byte fixes how many follow and what the next one may be. */
static bool start(struct utf8 *u, uint8_t c)
{
    u->lo = 0x80;
    u->hi = 0xbf;
    if (c >= 0xc2 && c <= 0xdf) {
        u->need = 1;
    } else if (c >= 0xe0 && c <= 0xef) {
        u->need = 2;
        if (c == 0xe0)
            u->lo = 0xa0; /* overlong below */
        else if (c == 0xed)
            u->hi = 0x9f; /* surrogates above */
    } else if (c >= 0xf0 && c <= 0xf4) {
        u->need = 3;
        if (c == 0xf0)
            u->lo = 0x90; /* overlong below */
        else if (c == 0xf4)
            u->hi = 0x8f; /* past U+10FFFF above */
    } else {
        return false;
    }
    return true;
}

bool utf8_feed(struct utf8 *utf8, const void *bytes, size_t len)
{
    const uint8_t *p = bytes;
    const uint8_t *end = p + len;
    struct utf8 u = *utf8;

    while (p < end) {
        if (u.need == 0) {
            uint64_t word;

            while (end - p >= (ptrdiff_t)sizeof word) {
                memcpy(&word, p, sizeof word);
                if ((word & 0x8080808080808080u) != 0) break;
                p += sizeof word;
            }
            if (p == end) break;
            if (*p >= 0x80 && !start(&u, *p)) return false;
        } else {
            if (*p < u.lo || *p > u.hi) return false;
            u.need--;
            u.lo = 0x80;
            u.hi = 0xbf;
        }
        p++;
    }
    *utf8 = u;
    return true;
}

bool utf8_whole(const struct utf8 *utf8)
{
    return utf8->need == 0;
}
