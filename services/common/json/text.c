/* Strings: escapes, decoding, comparing. */
#include "common/json/parse.h"
#include "common/json/utf8.h"

#include <string.h>

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Four hex digits at p, or -1. Reads past the first bad one never. */
static int32_t hex4(const char *p, const char *end, const char **ret_bad)
{
    int32_t v = 0;

    *ret_bad = p;
    for (int i = 0; i < 4; i++) {
        int d = p + i < end ? hex_digit(p[i]) : -1;

        if (d < 0) {
            *ret_bad = p + i;
            return -1;
        }
        v = v << 4 | d;
    }
    return v;
}

static bool has_short_escape(int32_t cp)
{
    return cp == '\b' || cp == '\t' || cp == '\n' || cp == '\f' || cp == '\r';
}

/* Is the \uXXXX at p what the writer would write? Only for controls, in lower case. */
static bool is_canonical_u(const char *p, int32_t cp)
{
    return cp < 0x20 && !has_short_escape(cp) && (p[5] < 'A' || p[5] > 'F');
}

static const char *refuse(struct gh_json_escapes *esc, enum gh_json_err err, const char *at)
{
    esc->err = err;
    return at;
}

const char *gh_json_escape_check(const char *p, const char *end, struct gh_json_escapes *esc)
{
    const char *bad;

    if (p + 1 >= end) return refuse(esc, GH_JSON_TRUNCATED, end);
    switch (p[1]) {
    case '/': esc->odd = p + 2; /* fall through */
    case '"':
    case '\\':
    case 'b':
    case 'f':
    case 'n':
    case 'r':
    case 't': esc->saved++; return p + 2;
    case 'u': break;
    default: return refuse(esc, GH_JSON_ESCAPE, p + 1);
    }

    int32_t cp = hex4(p + 2, end, &bad);

    if (cp < 0) return refuse(esc, GH_JSON_ESCAPE, bad);
    if (cp >= 0xD800 && cp <= 0xDFFF) {
        if (cp > 0xDBFF || end - p < 8 || p[6] != '\\' || p[7] != 'u')
            return refuse(esc, GH_JSON_SURROGATE, p);

        int32_t low = hex4(p + 8, end, &bad);

        if (low < 0) return refuse(esc, GH_JSON_ESCAPE, bad);
        if (low < 0xDC00 || low > 0xDFFF) return refuse(esc, GH_JSON_SURROGATE, p);
        esc->saved += 12 - 4;
        esc->odd = p + 12;
        return p + 12;
    }
    if (cp == 0) esc->nul = true;
    if (!is_canonical_u(p, cp)) esc->odd = p + 6;
    esc->saved += cp < 0x80 ? 5 : cp < 0x800 ? 4 : 3;
    return p + 6;
}

const char *gh_json_escape_decode(const char *p, uint32_t *ret_code_point)
{
    const char *bad;
    uint32_t cp;

    switch (p[1]) {
    case 'b': *ret_code_point = '\b'; return p + 2;
    case 'f': *ret_code_point = '\f'; return p + 2;
    case 'n': *ret_code_point = '\n'; return p + 2;
    case 'r': *ret_code_point = '\r'; return p + 2;
    case 't': *ret_code_point = '\t'; return p + 2;
    case 'u': break;
    default: *ret_code_point = (unsigned char)p[1]; return p + 2;
    }
    cp = (uint32_t)hex4(p + 2, p + 6, &bad);
    if (cp < 0xD800 || cp > 0xDBFF) {
        *ret_code_point = cp;
        return p + 6;
    }
    *ret_code_point =
        0x10000 + ((cp - 0xD800) << 10) + ((uint32_t)hex4(p + 8, p + 12, &bad) - 0xDC00);
    return p + 12;
}

char *gh_json_decode(const char *src, size_t len, char *out)
{
    const char *end = src + len;

    while (src < end) {
        const char *slash = memchr(src, '\\', (size_t)(end - src));
        size_t plain = (size_t)((slash != NULL ? slash : end) - src);

        if (plain > 0) memcpy(out, src, plain);
        out += plain;
        src += plain;
        while (src < end && *src == '\\') {
            uint32_t cp;

            src = gh_json_escape_decode(src, &cp);
            out += gh_utf8_encode(cp, out);
        }
    }
    return out;
}

const char *gh_tape_str(const struct gh_tape *tape, uint32_t str, char *scratch, size_t *ret_len)
{
    const struct gh_node *node = &tape->nodes[str];

    *ret_len = node->len - node->count;
    if (!(node->flags & GH_NODE_ESCAPED)) return tape->src + node->off;
    gh_json_decode(tape->src + node->off, node->len, scratch);
    return scratch;
}

bool gh_tape_str_eq(const struct gh_tape *tape, uint32_t str, const char *bytes, size_t len)
{
    const struct gh_node *node = &tape->nodes[str];
    const char *p = tape->src + node->off;
    const char *end = p + node->len;
    const char *b = bytes;

    if (node->kind != GH_JSON_STR || node->len - node->count != len) return false;
    if (!(node->flags & GH_NODE_ESCAPED)) return memcmp(p, bytes, len) == 0;
    while (p < end) { /* equal lengths, so b stays within bytes for as long as all was equal */
        char enc[4];
        unsigned n = 1;

        if (*p == '\\') {
            uint32_t cp;

            p = gh_json_escape_decode(p, &cp);
            n = gh_utf8_encode(cp, enc);
        } else {
            enc[0] = *p++;
        }
        if ((size_t)(bytes + len - b) < n || memcmp(b, enc, n) != 0) return false;
        b += n;
    }
    return true;
}

const char *gh_json_next_piece(const char *p, char piece[4], unsigned *ret_n)
{
    uint32_t cp;

    if (*p != '\\') {
        piece[0] = *p;
        *ret_n = 1;
        return p + 1;
    }
    p = gh_json_escape_decode(p, &cp);
    *ret_n = gh_utf8_encode(cp, piece);
    return p;
}

bool gh_tape_same_str(const struct gh_tape *a, uint32_t i, const struct gh_tape *b, uint32_t j)
{
    const struct gh_node *na = &a->nodes[i];
    const struct gh_node *nb = &b->nodes[j];

    if (na->len - na->count != nb->len - nb->count) return false;
    if (!(nb->flags & GH_NODE_ESCAPED)) return gh_tape_str_eq(a, i, b->src + nb->off, nb->len);
    if (!(na->flags & GH_NODE_ESCAPED)) return gh_tape_str_eq(b, j, a->src + na->off, na->len);

    const char *p = a->src + na->off;
    const char *q = b->src + nb->off;
    const char *p_end = p + na->len;
    char pa[4];
    char pb[4];
    unsigned left_a = 0;
    unsigned left_b = 0;
    unsigned n_a = 0;
    unsigned n_b = 0;

    while (p < p_end || left_a > 0) { /* equal decoded lengths: both end together */
        if (left_a == 0) {
            p = gh_json_next_piece(p, pa, &n_a);
            left_a = n_a;
        }
        if (left_b == 0) {
            q = gh_json_next_piece(q, pb, &n_b);
            left_b = n_b;
        }
        if (pa[n_a - left_a] != pb[n_b - left_b]) return false;
        left_a--;
        left_b--;
    }
    return true;
}

static uint32_t count_chars(const char *p, size_t len)
{
    uint32_t chars = 0;

    for (size_t i = 0; i < len; i++)
        chars += ((unsigned char)p[i] & 0xC0) != 0x80;
    return chars;
}

uint32_t gh_tape_str_chars(const struct gh_tape *tape, uint32_t str)
{
    const struct gh_node *node = &tape->nodes[str];
    const char *p = tape->src + node->off;
    const char *end = p + node->len;
    uint32_t chars = 0;

    if (!(node->flags & (GH_NODE_ESCAPED | GH_NODE_NONASCII))) return node->len;
    if (!(node->flags & GH_NODE_ESCAPED)) return count_chars(p, node->len);
    while (p < end) {
        if (*p == '\\') {
            uint32_t cp;

            p = gh_json_escape_decode(p, &cp);
            chars++;
        } else {
            chars += ((unsigned char)*p++ & 0xC0) != 0x80;
        }
    }
    return chars;
}
