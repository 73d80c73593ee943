/*
 * unicode - text made canonical: NFC, and without the characters that only deceive.
 *
 * Taken out: control characters but tab, line feed and carriage return; bidi embeddings,
 * overrides and isolates; deprecated format characters; the byte order mark; interlinear
 * annotation; noncharacters; tag characters that are not part of a flag. Line and paragraph
 * separators become line feeds. Kept: joiners, left-to-right and right-to-left marks, variation
 * selectors, which honest text needs.
 *
 * A run of more than 30 combining marks is refused: it is no language, it is quadratic work for
 * whoever sorts it. Source: UAX #15 (NFC; stream-safe text), UAX #9, Unicode 15.
 *
 * Input is valid UTF-8 (the tape guarantees it). Linear. Tables are made once, by unicode_init.
 */
#ifndef VALIDATOR_UNICODE_H
#define VALIDATOR_UNICODE_H

#include "common/json/buf.h"

#include <stdbool.h>
#include <stdint.h>

#define UNICODE_MARKS_MAX 30

struct unicode { /* memory for the rare text that has to be changed; zero-initialise */
    int32_t *points;
    size_t cap;
};

enum unicode_result {
    UNICODE_SAME,    /* nothing to do; out is untouched */
    UNICODE_CHANGED, /* the text is appended to out */
    UNICODE_MARKS,   /* too many marks in a row */
    UNICODE_NOMEM,
};

void unicode_init(void); /* idempotent; not thread-safe */
void unicode_done(struct unicode *unicode);

/* *ret_dropped, when not NULL: something was taken out or replaced, not only composed. */
enum unicode_result unicode_clean(struct unicode *unicode, const char *text, size_t len,
                                  struct gh_buf *out, bool *ret_dropped);

/* One code point of valid UTF-8 at *at, which moves on. */
static inline uint32_t unicode_next(const char **at)
{
    const unsigned char *p = (const unsigned char *)*at;

    if (p[0] < 0x80) {
        *at += 1;
        return p[0];
    }
    if (p[0] < 0xE0) {
        *at += 2;
        return (uint32_t)(p[0] & 0x1F) << 6 | (p[1] & 0x3F);
    }
    if (p[0] < 0xF0) {
        *at += 3;
        return (uint32_t)(p[0] & 0x0F) << 12 | (uint32_t)(p[1] & 0x3F) << 6 | (p[2] & 0x3F);
    }
    *at += 4;
    return (uint32_t)(p[0] & 0x07) << 18 | (uint32_t)(p[1] & 0x3F) << 12 |
           (uint32_t)(p[2] & 0x3F) << 6 | (p[3] & 0x3F);
}

/* Is it a character that unicode_clean takes out wherever it stands? */
bool unicode_is_deceptive(uint32_t cp);

/* Might it join what stands before it, under NFC? */
bool unicode_joins(uint32_t cp);

/* NFKC of text (compatibility forms folded), appended: for comparing, never for output. */
enum unicode_result unicode_fold(struct unicode *unicode, const char *text, size_t len,
                                 struct gh_buf *out);

#endif
