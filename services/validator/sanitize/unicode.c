#include "sanitize/unicode.h"

#include "common/json/utf8.h"

#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#define POINTS       0x110000u
#define DECOMPOSED   32 /* longest decomposition, with room */
#define BLACK_FLAG   0x1F3F4u
#define POINTS_SLACK 64

/* A bit for each code point that stays as it is whatever stands beside it. */
static unsigned char plain[POINTS / 8];
static bool ready;

static bool is_tag(uint32_t cp)
{
    return cp >= 0xE0000 && cp <= 0xE007F;
}

static bool is_separator(uint32_t cp)
{
    return cp == 0x2028 || cp == 0x2029;
}

bool unicode_is_deceptive(uint32_t cp)
{
    if (cp < 0x20) return cp != '\t' && cp != '\n' && cp != '\r';
    if (cp < 0xA0) return cp >= 0x7F;
    if (cp < 0x202A) return false;
    if (cp <= 0x202E || (cp >= 0x2066 && cp <= 0x206F)) return true;
    if (cp == 0xFEFF || (cp >= 0xFFF9 && cp <= 0xFFFB)) return true;
    if (cp >= 0xFDD0 && cp <= 0xFDEF) return true;
    return (cp & 0xFFFE) == 0xFFFE;
}

static void set_plain(uint32_t cp, bool value)
{
    unsigned char bit = (unsigned char)(1u << (cp & 7));

    if (value)
        plain[cp >> 3] |= bit;
    else
        plain[cp >> 3] &= (unsigned char)~bit;
}

static bool is_plain(uint32_t cp)
{
    return (plain[cp >> 3] >> (cp & 7) & 1) != 0;
}

static bool composes_to_itself(uint32_t cp, int32_t *points, utf8proc_ssize_t n)
{
    n = utf8proc_normalize_utf32(points, n, UTF8PROC_STABLE | UTF8PROC_COMPOSE);
    return n == 1 && (uint32_t)points[0] == cp;
}

void unicode_init(void)
{
    if (ready) return;
    memset(plain, 0xFF, sizeof plain);
    for (uint32_t cp = 0; cp < POINTS; cp++) {
        const utf8proc_property_t *p = utf8proc_get_property((int32_t)cp);
        int32_t points[DECOMPOSED];
        utf8proc_ssize_t n;
        int last_class = 0;

        if (p->combining_class != 0 || unicode_is_deceptive(cp) || is_tag(cp) || is_separator(cp))
            set_plain(cp, false);
        if (p->decomp_seqindex == UINT16_MAX || p->decomp_type != 0) continue;
        n = utf8proc_decompose_char((int32_t)cp, points, DECOMPOSED,
                                    UTF8PROC_STABLE | UTF8PROC_DECOMPOSE, &last_class);
        if (n < 1 || n > DECOMPOSED) continue;
        for (utf8proc_ssize_t i = 1; i < n; i++) /* may join with what stands before it */
            set_plain((uint32_t)points[i], false);
        if (!composes_to_itself(cp, points, n)) set_plain(cp, false);
    }
    for (uint32_t cp = 0x1161; cp <= 0x1175; cp++) /* Hangul vowels and finals join by rule */
        set_plain(cp, false);
    for (uint32_t cp = 0x11A8; cp <= 0x11C2; cp++)
        set_plain(cp, false);
    ready = true;
}

bool unicode_joins(uint32_t cp)
{
    return !is_plain(cp) && !unicode_is_deceptive(cp);
}

void unicode_done(struct unicode *unicode)
{
    free(unicode->points);
    *unicode = (struct unicode){ 0 };
}

/* --- the slow way ----------------------------------------------------------------------------- */

static bool grow(struct unicode *unicode, size_t need)
{
    size_t cap = unicode->cap < 256 ? 256 : unicode->cap;
    int32_t *points;

    if (need <= unicode->cap) return true;
    while (cap < need)
        cap *= 2;
    points = realloc(unicode->points, cap * sizeof *points);
    if (points == NULL) return false;
    unicode->points = points;
    unicode->cap = cap;
    return true;
}

static int class_of(int32_t cp)
{
    return utf8proc_get_property(cp)->combining_class;
}

/* Canonical order within one run of marks; runs are short, see UNICODE_MARKS_MAX. */
static void settle(int32_t *points, size_t n)
{
    int32_t cp = points[n];
    int cls = class_of(cp);
    size_t at = n;

    if (cls != 0)
        for (; at > 0 && class_of(points[at - 1]) > cls; at--)
            points[at] = points[at - 1];
    points[at] = cp;
}

struct cleaning {
    struct unicode *unicode;
    size_t n;
    unsigned marks; /* in a row, decomposed */
    bool dropped;
    bool in_flag;
    int options;
};

static enum unicode_result add_point(struct cleaning *c, uint32_t cp)
{
    struct unicode *u = c->unicode;
    utf8proc_ssize_t n;
    int last_class = 0;

    if (!grow(u, c->n + POINTS_SLACK)) return UNICODE_NOMEM;
    n = utf8proc_decompose_char((int32_t)cp, u->points + c->n, POINTS_SLACK, c->options,
                                &last_class);
    if (n < 0 || n > POINTS_SLACK) return UNICODE_NOMEM;
    for (utf8proc_ssize_t i = 0; i < n; i++) {
        c->marks = class_of(u->points[c->n]) != 0 ? c->marks + 1 : 0;
        if (c->marks > UNICODE_MARKS_MAX) return UNICODE_MARKS;
        settle(u->points, c->n++);
    }
    return UNICODE_SAME;
}

/* What stands for cp: itself, a line feed, or nothing (0). */
static uint32_t replace(struct cleaning *c, uint32_t cp)
{
    if (is_tag(cp)) {
        if (c->in_flag) return cp;
        c->dropped = true;
        return 0;
    }
    c->in_flag = cp == BLACK_FLAG;
    if (!unicode_is_deceptive(cp) && !is_separator(cp)) return cp;
    c->dropped = true;
    return is_separator(cp) ? '\n' : 0;
}

static enum unicode_result put_points(struct unicode *unicode, size_t n, struct gh_buf *out)
{
    if (gh_buf_reserve(out, n * 4) != GH_OK) return UNICODE_NOMEM;
    for (size_t i = 0; i < n; i++)
        out->len += gh_utf8_encode((uint32_t)unicode->points[i], out->data + out->len);
    return UNICODE_CHANGED;
}

static enum unicode_result normalize(struct cleaning *c, const char *text, size_t len,
                                     struct gh_buf *out, bool filter)
{
    const char *end = text + len;
    utf8proc_ssize_t n;

    while (text < end) {
        uint32_t cp = unicode_next(&text);
        enum unicode_result result;

        if (filter) cp = replace(c, cp);
        if (cp == 0) continue; /* NUL does not get past the parser */
        result = add_point(c, cp);
        if (result != UNICODE_SAME) return result;
    }
    n = utf8proc_normalize_utf32(c->unicode->points, (utf8proc_ssize_t)c->n,
                                 UTF8PROC_STABLE | UTF8PROC_COMPOSE);
    return n < 0 ? UNICODE_NOMEM : put_points(c->unicode, (size_t)n, out);
}

enum unicode_result unicode_clean(struct unicode *unicode, const char *text, size_t len,
                                  struct gh_buf *out, bool *ret_dropped)
{
    struct cleaning c = { .unicode = unicode, .options = UTF8PROC_STABLE | UTF8PROC_DECOMPOSE };
    const char *at = text, *end = text + len;
    size_t before = out->len;
    enum unicode_result result;

    if (ret_dropped != NULL) *ret_dropped = false;
    for (;;) {
        if (at == end) return UNICODE_SAME;
        if (!is_plain(unicode_next(&at))) break;
    }
    result = normalize(&c, text, len, out, true);
    if (ret_dropped != NULL) *ret_dropped = c.dropped;
    if (result == UNICODE_CHANGED && out->len - before == len &&
        memcmp(out->data + before, text, len) == 0) {
        out->len = before;
        return UNICODE_SAME;
    }
    return result;
}

enum unicode_result unicode_fold(struct unicode *unicode, const char *text, size_t len,
                                 struct gh_buf *out)
{
    struct cleaning c = { .unicode = unicode,
                          .options = UTF8PROC_STABLE | UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT };

    return normalize(&c, text, len, out, false);
}
