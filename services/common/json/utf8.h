/*
 * utf8 - validation and encoding, as in Unicode 15 table 3-7: no overlong form, no surrogate,
 * nothing past U+10FFFF. Pure.
 */
#ifndef GH_JSON_UTF8_H
#define GH_JSON_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes of the well-formed sequence at the start (1 to 4), or 0 if there is none within `left`. */
unsigned gh_utf8_sequence(const void *bytes, size_t left);

/* Offset of the first byte that starts no well-formed sequence; len if there is none. */
size_t gh_utf8_check(const void *bytes, size_t len);

static inline bool gh_utf8_valid(const void *bytes, size_t len)
{
    return gh_utf8_check(bytes, len) == len;
}

/* Writes 1 to 4 bytes of a scalar value (not a surrogate, at most 0x10FFFF); returns how many. */
static inline unsigned gh_utf8_encode(uint32_t cp, char *out)
{
    if (cp < 0x80) {
        out[0] = (char)cp;
        return 1;
    }
    if (cp < 0x800) {
        out[0] = (char)(0xC0 | cp >> 6);
        out[1] = (char)(0x80 | (cp & 0x3F));
        return 2;
    }
    if (cp < 0x10000) {
        out[0] = (char)(0xE0 | cp >> 12);
        out[1] = (char)(0x80 | (cp >> 6 & 0x3F));
        out[2] = (char)(0x80 | (cp & 0x3F));
        return 3;
    }
    out[0] = (char)(0xF0 | cp >> 18);
    out[1] = (char)(0x80 | (cp >> 12 & 0x3F));
    out[2] = (char)(0x80 | (cp >> 6 & 0x3F));
    out[3] = (char)(0x80 | (cp & 0x3F));
    return 4;
}

#endif
