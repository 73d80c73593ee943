#include "sanitize/markup.h"

#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

static const unsigned char kinds[256] = {
    [0 ... 0x1F] = MARKUP_CONTROL, [0x7F] = MARKUP_CONTROL, [0x80 ... 0xFF] = MARKUP_HIGH,
    ['&'] = MARKUP_HTML,           ['<'] = MARKUP_HTML,     ['>'] = MARKUP_HTML,
    ['"'] = MARKUP_HTML,           ['\''] = MARKUP_HTML,
};

static unsigned scan_bytes(const unsigned char *p, size_t len)
{
    unsigned found = 0;

    for (size_t i = 0; i < len; i++)
        found |= kinds[p[i]];
    return found;
}

#ifdef __SSE2__
static inline __m128i html_bytes(__m128i v)
{
    /* '&' and '\'' differ in one bit, '<' and '>' in another. */
    __m128i a = _mm_cmpeq_epi8(_mm_or_si128(v, _mm_set1_epi8(0x01)), _mm_set1_epi8('\''));
    __m128i b = _mm_cmpeq_epi8(_mm_or_si128(v, _mm_set1_epi8(0x02)), _mm_set1_epi8('>'));
    __m128i c = _mm_cmpeq_epi8(v, _mm_set1_epi8('"'));

    return _mm_or_si128(_mm_or_si128(a, b), c);
}

static inline __m128i control_bytes(__m128i v)
{
    __m128i low = _mm_cmpeq_epi8(_mm_min_epu8(v, _mm_set1_epi8(0x1F)), v);

    return _mm_or_si128(low, _mm_cmpeq_epi8(v, _mm_set1_epi8(0x7F)));
}

unsigned markup_scan(const char *text, size_t len)
{
    __m128i html = _mm_setzero_si128(), control = html, high = html;

    if (len < 16) return scan_bytes((const unsigned char *)text, len);
    for (size_t i = 0; i < len; i += 16) {
        /* The last block overlaps the one before. */
        const char *at = text + (i + 16 <= len ? i : len - 16);
        __m128i v = _mm_loadu_si128((const __m128i *)(const void *)at);

        html = _mm_or_si128(html, html_bytes(v));
        control = _mm_or_si128(control, control_bytes(v));
        high = _mm_or_si128(high, v);
    }
    return (_mm_movemask_epi8(html) != 0 ? MARKUP_HTML : 0) |
           (_mm_movemask_epi8(control) != 0 ? MARKUP_CONTROL : 0) |
           (_mm_movemask_epi8(high) != 0 ? MARKUP_HIGH : 0);
}
#else
unsigned markup_scan(const char *text, size_t len)
{
    return scan_bytes((const unsigned char *)text, len);
}
#endif

static const char *reference(char c, bool quotes)
{
    switch (c) {
    case '&': return "&amp;";
    case '<': return "&lt;";
    case '>': return "&gt;";
    case '"': return quotes ? "&#34;" : NULL;
    case '\'': return quotes ? "&#39;" : NULL;
    default: return NULL;
    }
}

static enum gh_err escape(const char *text, size_t len, bool quotes, struct gh_buf *out)
{
    size_t start = 0;
    enum gh_err err = GH_OK;

    for (size_t i = 0; err == GH_OK && i < len; i++) {
        const char *ref;

        if ((kinds[(unsigned char)text[i]] & MARKUP_HTML) == 0) continue;
        ref = reference(text[i], quotes);
        if (ref == NULL) continue;
        err = gh_buf_append(out, text + start, i - start);
        if (err == GH_OK) err = gh_buf_append(out, ref, strlen(ref));
        start = i + 1;
    }
    return err == GH_OK ? gh_buf_append(out, text + start, len - start) : err;
}

enum gh_err markup_escape(const char *text, size_t len, struct gh_buf *out)
{
    return escape(text, len, true, out);
}

enum gh_err markup_escape_text(const char *text, size_t len, struct gh_buf *out)
{
    return escape(text, len, false, out);
}
