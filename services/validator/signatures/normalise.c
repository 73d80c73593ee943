#include "validator/signatures/normalise.h"

#include "common/json/utf8.h"

#include <stdint.h>
#include <string.h>

#define MAX_ROUNDS 3 /* of decoding: %253C and friends */

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

/* Bytes with which something begins that decoding or cleaning would change: % & \ / < + ASCII
 * controls but white space, and 0xEF, where full-width forms start. What follows them decides. */
static bool starts_something(unsigned char c)
{
    return c == '%' || c == '&' || c == '\\' || c == '/' || c == '<' || c == 0xEF || c == 0x7F ||
           (c < 0x20 && c != '\t' && c != '\n' && c != '\r');
}

static int hex(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f') return (c | 0x20) - 'a' + 10;
    return -1;
}

/* n hexadecimal digits, or -1. */
static int32_t hex_n(const char *p, size_t left, unsigned n)
{
    int32_t v = 0;

    if (left < n) return -1;
    for (unsigned i = 0; i < n; i++) {
        if (hex(p[i]) < 0) return -1;
        v = v * 16 + hex(p[i]);
    }
    return v;
}

static bool is_worth_it(const char *p, size_t left)
{
    switch ((unsigned char)*p) {
    case '%': return left >= 3 && (hex_n(p + 1, left - 1, 2) >= 0 || (p[1] | 0x20) == 'u');
    case '&': return left >= 3 && (p[1] == '#' || ((p[1] | 0x20) >= 'a' && (p[1] | 0x20) <= 'z'));
    case '\\': return left >= 4 && ((p[1] | 0x20) == 'u' || (p[1] | 0x20) == 'x');
    case '/': return left >= 2 && p[1] == '*';
    case '<': return left >= 2 && p[1] == '!';
    case 0xEF: return left >= 3 && ((unsigned char)p[1] == 0xBC || (unsigned char)p[1] == 0xBD);
    default: return true;
    }
}

bool normalise_is_needed_plain(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (starts_something((unsigned char)text[i]) && is_worth_it(text + i, len - i)) return true;
    return false;
}

bool normalise_is_needed(const char *text, size_t len)
{
    size_t i = 0;

#if defined(__SSE2__)
    const __m128i space = _mm_set1_epi8(0x20);

    for (; i + 16 <= len; i += 16) {
        __m128i v = _mm_loadu_si128((const __m128i *)(const void *)(text + i));
        __m128i control = _mm_andnot_si128(
            _mm_cmpeq_epi8(_mm_max_epu8(v, space), v),
            _mm_xor_si128(_mm_or_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8('\n')),
                                       _mm_or_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8('\t')),
                                                    _mm_cmpeq_epi8(v, _mm_set1_epi8('\r')))),
                          _mm_set1_epi8(-1)));
        __m128i pair = _mm_cmpeq_epi8(
            _mm_and_si128(_mm_sub_epi8(v, _mm_set1_epi8('%')), _mm_set1_epi8((char)0xFE)),
            _mm_setzero_si128()); /* % and & */
        __m128i any = _mm_or_si128(
            _mm_or_si128(_mm_or_si128(control, pair), _mm_cmpeq_epi8(v, _mm_set1_epi8('\\'))),
            _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8('/')),
                                      _mm_cmpeq_epi8(v, _mm_set1_epi8('<'))),
                         _mm_or_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8((char)0xEF)),
                                      _mm_cmpeq_epi8(v, _mm_set1_epi8(0x7F)))));

        for (unsigned mask = (unsigned)_mm_movemask_epi8(any); mask != 0; mask &= mask - 1) {
            size_t at = i + (unsigned)__builtin_ctz(mask);

            if (is_worth_it(text + at, len - at)) return true;
        }
    }
#endif
    return normalise_is_needed_plain(text + i, len - i);
}

/* ---- decoding ---- */

static const struct {
    const char *name;
    char c;
} entities[] = {
    { "lt", '<' },     { "gt", '>' },     { "amp", '&' },      { "quot", '"' },   { "apos", '\'' },
    { "nbsp", ' ' },   { "tab", '\t' },   { "newline", '\n' }, { "colon", ':' },  { "semi", ';' },
    { "lpar", '(' },   { "rpar", ')' },   { "sol", '/' },      { "bsol", '\\' },  { "equals", '=' },
    { "excl", '!' },   { "num", '#' },    { "dollar", '$' },   { "percnt", '%' }, { "ast", '*' },
    { "plus", '+' },   { "comma", ',' },  { "period", '.' },   { "quest", '?' },  { "commat", '@' },
    { "lsqb", '[' },   { "lbrack", '[' }, { "rsqb", ']' },     { "rbrack", ']' }, { "hat", '^' },
    { "lowbar", '_' }, { "grave", '`' },  { "lcub", '{' },     { "lbrace", '{' }, { "verbar", '|' },
    { "vert", '|' },   { "rcub", '}' },   { "rbrace", '}' },
};

/* A code point's bytes; past ASCII as UTF-8, nothing for what is none. */
static size_t put(uint32_t c, char *dst)
{
    if (c > 0x10FFFF || (c >= 0xD800 && c <= 0xDFFF)) return 0;
    return gh_utf8_encode(c, dst);
}

/* Each returns how many bytes of the text it took, 0 when there is nothing to decode at p. */

static size_t decode_percent(const char *p, size_t left, char *dst, size_t *ret_n)
{
    int32_t v = hex_n(p + 1, left - 1, 2);

    if (v >= 0) {
        dst[0] = (char)v; /* a byte, not a character: two of them may make one */
        *ret_n = 1;
        return 3;
    }
    if (left < 6 || (p[1] | 0x20) != 'u') return 0;
    v = hex_n(p + 2, left - 2, 4);
    if (v < 0) return 0;
    *ret_n = put((uint32_t)v, dst);
    return 6;
}

static size_t decode_number(const char *p, size_t left, char *dst, size_t *ret_n)
{
    bool sixteen = left > 2 && (p[2] | 0x20) == 'x';
    size_t i = sixteen ? 3 : 2;
    size_t from = i;
    uint32_t v = 0;

    for (; i < left && i - from < 10; i++) {
        int digit = hex(p[i]);

        if (digit < 0 || (!sixteen && digit > 9)) break;
        if (v <= 0x10FFFF) v = v * (sixteen ? 16 : 10) + (uint32_t)digit;
    }
    if (i == from) return 0;
    if (i < left && p[i] == ';') i++; /* browsers do without */
    *ret_n = put(v, dst);
    if (*ret_n > i) return 0;
    return i;
}

static size_t decode_entity(const char *p, size_t left, char *dst, size_t *ret_n)
{
    size_t n = 0;

    if (left > 1 && p[1] == '#') return decode_number(p, left, dst, ret_n);
    while (n + 1 < left && n < 8 && (p[n + 1] | 0x20) >= 'a' && (p[n + 1] | 0x20) <= 'z')
        n++;
    for (size_t i = 0; i < sizeof(entities) / sizeof(entities[0]); i++) {
        bool same = strlen(entities[i].name) == n;

        for (size_t j = 0; j < n && same; j++)
            same = (p[j + 1] | 0x20) == entities[i].name[j];
        if (!same) continue;
        dst[0] = entities[i].c;
        *ret_n = 1;
        if (n + 1 < left && p[n + 1] == ';') return n + 2;
        return i < 4 ? n + 1 : 0; /* only the oldest may lack their semicolon */
    }
    return 0;
}

static size_t decode_escape(const char *p, size_t left, char *dst, size_t *ret_n)
{
    unsigned digits;
    size_t n = 0, at;
    uint32_t v = 0;

    if (left < 4 || ((p[1] | 0x20) != 'u' && (p[1] | 0x20) != 'x')) return 0;
    digits = (p[1] | 0x20) == 'u' ? 4 : 2;
    if (p[2] == '{') {
        for (at = 3; at < left && at < 9 && hex(p[at]) >= 0; at++)
            v = v * 16 + (uint32_t)hex(p[at]);
        if (at == 3 || at == left || p[at] != '}') return 0;
        n = at + 1;
    } else {
        int32_t got = hex_n(p + 2, left - 2, digits);

        if (got < 0) return 0;
        v = (uint32_t)got;
        n = digits + 2;
    }
    *ret_n = put(v, dst);
    return n;
}

static size_t decode(const char *text, size_t len, char *dst, bool *ret_changed, bool *ret_url)
{
    size_t n = 0;

    *ret_changed = false;
    for (size_t i = 0; i < len;) {
        size_t took = 0, made = 0;
        char out[4];

        if (text[i] == '%')
            took = decode_percent(text + i, len - i, out, &made);
        else if (text[i] == '&')
            took = decode_entity(text + i, len - i, out, &made);
        else if (text[i] == '\\')
            took = decode_escape(text + i, len - i, out, &made);
        if (took == 0) {
            dst[n++] = text[i++];
            continue;
        }
        if (text[i] == '%') *ret_url = true;
        memcpy(dst + n, out, made);
        n += made;
        i += took;
        *ret_changed = true;
    }
    return n;
}

/* ---- cleaning ---- */

static const char *find(const char *p, const char *end, const char *what, size_t n)
{
    const char *at = (size_t)(end - p) >= n ? memmem(p, (size_t)(end - p), what, n) : NULL;

    return at != NULL ? at : end;
}

/* Past a comment at p, or p itself when there is none. What MySQL runs inside a comment stays: of
 * it only the marks are cut. */
static const char *skip_comment(const char *p, const char *end)
{
    if (end - p >= 3 && p[0] == '/' && p[1] == '*') {
        const char *close;

        if (p[2] == '!') {
            p += 3;
            while (p < end && *p >= '0' && *p <= '9')
                p++;
            return p;
        }
        close = find(p + 2, end, "*/", 2);
        return close == end ? p : close + 2;
    }
    if (end - p >= 4 && memcmp(p, "<!--", 4) == 0) {
        const char *close = find(p + 4, end, "-->", 3);

        return close == end ? p : close + 3;
    }
    if (end - p >= 2 && p[0] == '*' && p[1] == '/') return p + 2;
    return p;
}

static bool is_space(unsigned char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* url: it was percent-encoded, so that '+' was a space. */
static size_t clean(const char *text, size_t len, char *dst, bool url)
{
    const char *p = text;
    const char *end = text + len;
    bool c_comments = true; /* until one does not end: then none after it does */
    bool html_comments = true;
    size_t n = 0;

    while (p < end) {
        unsigned char c = (unsigned char)*p;
        const char *after = p;

        if (c == '*' || (c == '/' && c_comments) || (c == '<' && html_comments)) {
            after = skip_comment(p, end);
            if (after == p && end - p >= 4 && memcmp(p, "/*", 2) == 0) c_comments = false;
            if (after == p && end - p >= 4 && memcmp(p, "<!--", 4) == 0) html_comments = false;
        }
        if (after > p || is_space(c) || (url && c == '+')) {
            if (n > 0 && dst[n - 1] != ' ') dst[n++] = ' ';
            p = after > p ? after : p + 1;
            continue;
        }
        if (c == 0xC2 && end - p >= 2 && (unsigned char)p[1] == 0xA0) { /* no-break space */
            if (n > 0 && dst[n - 1] != ' ') dst[n++] = ' ';
            p += 2;
            continue;
        }
        if (c == 0xEF && end - p >= 3) { /* U+FF01 to U+FF5E */
            unsigned v = ((unsigned)p[1] & 0x3F) << 6 | ((unsigned)p[2] & 0x3F);

            if (v >= 0xF01 && v <= 0xF5E) {
                c = (unsigned char)(v - 0xF01 + 0x21);
                p += 2;
            }
        }
        p++;
        if (c < 0x20 || c == 0x7F) continue;
        dst[n++] = (char)(c >= 'A' && c <= 'Z' ? c | 0x20 : c);
    }
    return n;
}

size_t normalise(const char *text, size_t len, char *dst, char *spare)
{
    const char *from = text;
    char *to = spare;
    bool changed = true;
    bool url = false;

    for (unsigned round = 0; round < MAX_ROUNDS && changed; round++) {
        len = decode(from, len, to, &changed, &url);
        from = to;
        to = to == spare ? dst : spare;
    }
    if (from == dst) {
        memcpy(spare, dst, len);
        from = spare;
    }
    return clean(from, len, dst, url);
}
