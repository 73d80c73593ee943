/*
 * utf8 - is this text UTF-8 so far? For text that arrives in pieces.
 *
 * A sequence may be cut between any two pieces. What can be told bad is told at the first byte that
 * makes it so, not at the end of the message. Follows Unicode 15 table 3-7, as RFC 3629: no
 * overlong forms, no surrogates, nothing past U+10FFFF. Pure.
 */
#ifndef EDGE_UTF8_H
#define EDGE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct utf8 {       /* zeroed: between characters */
    uint8_t need;   /* continuation bytes still to come */
    uint8_t lo, hi; /* what the next one may be */
};

/* False: the text so far is not the beginning of any valid text. */
bool utf8_feed(struct utf8 *utf8, const void *bytes, size_t len);
/* At the end of a message: true when no sequence is cut short. */
bool utf8_whole(const struct utf8 *utf8);

#endif
