/* The grammar of ECMA-262, section 22.2.1, by recursive descent; nesting is capped. */
#include "validator/schema/ecma.h"

#include "common/json/utf8.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct parser {
    const char *start, *p, *end;
    struct ecma *re;
    char *why;
    size_t why_size;
    unsigned depth;
    enum gh_err err; /* the first failure; parsing goes no further */
};

static uint32_t fail(struct parser *ps, const char *fmt, ...) GH_PRINTF(2, 3);
static uint32_t fail(struct parser *ps, const char *fmt, ...)
{
    char text[128];
    va_list ap;

    if (ps->err != GH_OK) return ECMA_NONE;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    snprintf(ps->why, ps->why_size, "%s (at byte %td)", text, ps->p - ps->start);
    ps->err = GH_ERR_CONFIG;
    return ECMA_NONE;
}

static bool check(struct parser *ps, enum gh_err err)
{
    if (err != GH_OK && ps->err == GH_OK) ps->err = err;
    return ps->err == GH_OK;
}

static uint32_t new_node(struct parser *ps, enum ecma_op op)
{
    struct ecma_node *node = vec_push(&ps->re->nodes);

    if (node == NULL) {
        check(ps, GH_ERR_NOMEM);
        return ECMA_NONE;
    }
    *node = (struct ecma_node){ .op = (uint8_t)op, .first = ECMA_NONE, .next = ECMA_NONE };
    return ps->re->nodes.n - 1;
}

static uint32_t new_parent(struct parser *ps, enum ecma_op op, uint32_t child)
{
    uint32_t i = child == ECMA_NONE ? ECMA_NONE : new_node(ps, op);

    if (i != ECMA_NONE) VEC_AT(&ps->re->nodes, struct ecma_node, i)->first = child;
    return i;
}

/* Takes over the set's ranges. */
static uint32_t new_set(struct parser *ps, struct vec *set)
{
    uint32_t i = ECMA_NONE;
    struct ecma_node *node;
    void *to = NULL;

    if (ps->err == GH_OK) {
        ecma_set_normalise(set);
        i = new_node(ps, ECMA_SET);
    }
    if (i != ECMA_NONE) {
        node = VEC_AT(&ps->re->nodes, struct ecma_node, i);
        node->first = ps->re->ranges.n;
        node->n = set->n;
        if (set->n > 0) {
            to = vec_push_n(&ps->re->ranges, set->n);
            if (to == NULL)
                check(ps, GH_ERR_NOMEM);
            else
                memcpy(to, set->data, set->n * sizeof(struct ecma_range));
        }
    }
    vec_done(set);
    return ps->err == GH_OK ? i : ECMA_NONE;
}

static uint32_t new_char(struct parser *ps, uint32_t c)
{
    struct vec set = VEC_INIT(struct ecma_range);

    check(ps, ecma_set_add(&set, c, c));
    return new_set(ps, &set);
}

static bool eat(struct parser *ps, const char *text)
{
    size_t n = strlen(text);

    if ((size_t)(ps->end - ps->p) < n || memcmp(ps->p, text, n) != 0) return false;
    ps->p += n;
    return true;
}

static bool at(const struct parser *ps, char c)
{
    return ps->p < ps->end && *ps->p == c;
}

/* One code point of the pattern; the text is valid UTF-8 or parsing has failed before. */
static uint32_t next_char(struct parser *ps)
{
    const unsigned char *s = (const unsigned char *)ps->p;
    unsigned n = gh_utf8_sequence(s, (size_t)(ps->end - ps->p));

    ps->p += n == 0 ? 1 : n;
    switch (n) {
    case 2: return (uint32_t)(s[0] & 0x1F) << 6 | (s[1] & 0x3F);
    case 3: return (uint32_t)(s[0] & 0x0F) << 12 | (uint32_t)(s[1] & 0x3F) << 6 | (s[2] & 0x3F);
    case 4:
        return (uint32_t)(s[0] & 0x07) << 18 | (uint32_t)(s[1] & 0x3F) << 12 |
               (uint32_t)(s[2] & 0x3F) << 6 | (s[3] & 0x3F);
    default: return s[0];
    }
}

/* ---- escapes ---- */

static bool hex(struct parser *ps, unsigned digits, uint32_t *ret_v)
{
    uint32_t v = 0;

    if ((size_t)(ps->end - ps->p) < digits) return false;
    for (unsigned i = 0; i < digits; i++) {
        char c = ps->p[i];

        if (c >= '0' && c <= '9')
            v = v * 16 + (uint32_t)(c - '0');
        else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
            v = v * 16 + (uint32_t)((c | 0x20) - 'a') + 10;
        else
            return false;
    }
    ps->p += digits;
    *ret_v = v;
    return true;
}

/* After "\u": XXXX, a surrogate pair \uXXXX\uXXXX, or {X...}. */
static uint32_t unicode_escape(struct parser *ps)
{
    uint32_t v, low;

    if (eat(ps, "{")) {
        const char *from = ps->p;
        unsigned digits = 0;

        while (ps->p + digits < ps->end && ps->p[digits] != '}' && digits < 8)
            digits++;
        if (digits == 0 || !hex(ps, digits, &v) || v > 0x10FFFF || !eat(ps, "}")) {
            ps->p = from;
            return fail(ps, "\\u{...} needs a code point in hexadecimal");
        }
        return v;
    }
    if (!hex(ps, 4, &v)) return fail(ps, "\\u needs four hexadecimal digits");
    if (v >= 0xD800 && v <= 0xDBFF) {
        const char *back = ps->p;

        if (eat(ps, "\\u") && hex(ps, 4, &low) && low >= 0xDC00 && low <= 0xDFFF)
            return 0x10000 + ((v - 0xD800) << 10) + (low - 0xDC00);
        ps->p = back;
    }
    return v;
}

/* After '\': an escape that stands for one character. */
static uint32_t char_escape(struct parser *ps, bool in_class)
{
    uint32_t v;
    char c;

    if (ps->p == ps->end) return fail(ps, "nothing after \\");
    c = *ps->p;
    if ((unsigned char)c >= 0x80) return next_char(ps);
    ps->p++;
    switch (c) {
    case 't': return '\t';
    case 'n': return '\n';
    case 'v': return '\v';
    case 'f': return '\f';
    case 'r': return '\r';
    case 'b':
        if (in_class) return '\b';
        break;
    case 'c':
        if (ps->p < ps->end && ((*ps->p | 0x20) >= 'a' && (*ps->p | 0x20) <= 'z'))
            return (uint32_t)*ps->p++ & 0x1F;
        return fail(ps, "\\c needs a letter");
    case '0':
        if (ps->p < ps->end && *ps->p >= '0' && *ps->p <= '9')
            return fail(ps, "octal escapes are not ECMA-262");
        return 0;
    case 'x':
        if (!hex(ps, 2, &v)) return fail(ps, "\\x needs two hexadecimal digits");
        return v;
    case 'u': return unicode_escape(ps);
    default: break;
    }
    if ((c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z')) {
        ps->p--;
        return fail(ps, "\\%c is no escape of ECMA-262", c);
    }
    return (unsigned char)c;
}

/* After '\': d D w W s S p P. False when it is something else. */
static bool class_escape(struct parser *ps, struct vec *set)
{
    const char *name;
    size_t len;
    char c = ps->p < ps->end ? *ps->p : '\0';

    if (c == '\0') return false;
    if (strchr("dDwWsS", c) != NULL) {
        ps->p++;
        check(ps, ecma_set_add_class(set, c));
        return true;
    }
    if (c != 'p' && c != 'P') return false;
    ps->p++;
    name = ps->p + 1;
    len = 0;
    if (at(ps, '{'))
        while (name + len < ps->end && name[len] != '}')
            len++;
    if (len == 0 || name + len == ps->end) {
        fail(ps, "\\%c needs a property in braces", c);
        return true;
    }
    enum gh_err err = ecma_set_add_property(set, name, len, c == 'P');
    if (err == GH_ERR_NOT_FOUND)
        fail(ps, "unknown Unicode property \"%.*s\"", (int)(len < 40 ? len : 40), name);
    else
        check(ps, err);
    ps->p = name + len + 1;
    return true;
}

/* ---- classes ---- */

/* One member of [...]: a character, or a whole class (then *ret_class). */
static uint32_t class_atom(struct parser *ps, struct vec *set, bool *ret_class)
{
    *ret_class = false;
    if (eat(ps, "\\")) {
        *ret_class = class_escape(ps, set);
        return *ret_class ? 0 : char_escape(ps, true);
    }
    return next_char(ps);
}

static uint32_t parse_class(struct parser *ps)
{
    struct vec set = VEC_INIT(struct ecma_range);
    bool negated = eat(ps, "^");

    while (ps->err == GH_OK && !eat(ps, "]")) {
        bool is_class, to_class;
        uint32_t lo, hi;

        if (ps->p == ps->end) {
            fail(ps, "[ without ]");
            break;
        }
        lo = hi = class_atom(ps, &set, &is_class);
        if (ps->err != GH_OK) break;
        if (at(ps, '-') && ps->p + 1 < ps->end && ps->p[1] != ']') {
            ps->p++;
            hi = class_atom(ps, &set, &to_class);
            if (ps->err != GH_OK) break;
            if (is_class || to_class) {
                fail(ps, "a class cannot be the end of a range");
                break;
            }
            if (lo > hi) {
                fail(ps, "range out of order");
                break;
            }
        }
        if (!is_class) check(ps, ecma_set_add(&set, lo, hi));
    }
    if (ps->err == GH_OK && negated) check(ps, ecma_set_complement(&set));
    return new_set(ps, &set);
}

/* ---- terms ---- */

static uint32_t parse_alternatives(struct parser *ps);

static uint32_t parse_group(struct parser *ps)
{
    static const struct {
        const char *text;
        enum ecma_op op;
    } looks[] = {
        { "?=", ECMA_AHEAD },
        { "?!", ECMA_NOT_AHEAD },
        { "?<=", ECMA_BEHIND },
        { "?<!", ECMA_NOT_BEHIND },
    };
    enum ecma_op op = ECMA_EMPTY;
    uint32_t inner;

    if (++ps->depth > ECMA_MAX_DEPTH)
        return fail(ps, "groups nested deeper than %d", ECMA_MAX_DEPTH);
    for (size_t i = 0; i < sizeof(looks) / sizeof(looks[0]) && op == ECMA_EMPTY; i++)
        if (eat(ps, looks[i].text)) op = looks[i].op;
    if (op == ECMA_EMPTY && at(ps, '?') && !eat(ps, "?:")) {
        if (!eat(ps, "?<")) return fail(ps, "unknown kind of group");
        const char *name = ps->p;

        while (ps->p < ps->end &&
               (*ps->p == '_' || *ps->p == '$' || (unsigned char)*ps->p >= 0x80 ||
                ((*ps->p | 0x20) >= 'a' && (*ps->p | 0x20) <= 'z') ||
                (ps->p > name && *ps->p >= '0' && *ps->p <= '9')))
            ps->p++;
        if (ps->p == name || !eat(ps, ">")) return fail(ps, "malformed group name");
    }
    inner = parse_alternatives(ps);
    if (ps->err != GH_OK) return ECMA_NONE;
    if (!eat(ps, ")")) return fail(ps, "( without )");
    ps->depth--;
    return op == ECMA_EMPTY ? inner : new_parent(ps, op, inner);
}

static uint32_t parse_escape(struct parser *ps)
{
    struct vec set = VEC_INIT(struct ecma_range);
    uint32_t c;

    if (eat(ps, "b")) return new_node(ps, ECMA_WORD);
    if (eat(ps, "B")) return new_node(ps, ECMA_NOT_WORD);
    if (ps->p < ps->end && *ps->p >= '1' && *ps->p <= '9') {
        while (ps->p < ps->end && *ps->p >= '0' && *ps->p <= '9')
            ps->p++;
        return new_node(ps, ECMA_BACKREF);
    }
    if (eat(ps, "k<")) {
        while (ps->p < ps->end && *ps->p != '>')
            ps->p++;
        return eat(ps, ">") ? new_node(ps, ECMA_BACKREF) : fail(ps, "malformed \\k<name>");
    }
    if (class_escape(ps, &set)) return new_set(ps, &set);
    c = char_escape(ps, false);
    return ps->err == GH_OK ? new_char(ps, c) : ECMA_NONE;
}

static uint32_t parse_dot(struct parser *ps)
{
    struct vec set = VEC_INIT(struct ecma_range);

    check(ps, ecma_set_add(&set, '\n', '\n'));
    check(ps, ecma_set_add(&set, '\r', '\r'));
    check(ps, ecma_set_add(&set, 0x2028, 0x2029));
    check(ps, ecma_set_complement(&set));
    return new_set(ps, &set);
}

static bool number(struct parser *ps, uint32_t *ret_n)
{
    uint32_t n = 0;
    const char *from = ps->p;

    for (; ps->p < ps->end && *ps->p >= '0' && *ps->p <= '9'; ps->p++)
        if (n <= ECMA_MAX_COUNT) n = n * 10 + (uint32_t)(*ps->p - '0');
    *ret_n = n;
    return ps->p > from;
}

/* * + ? {n} {n,} {n,m}; false when none is here. */
static bool quantifier(struct parser *ps, uint32_t *ret_min, uint32_t *ret_max)
{
    const char *back = ps->p;
    uint32_t min = 0, max = ECMA_UNLIMITED;

    if (eat(ps, "*")) {
    } else if (eat(ps, "+")) {
        min = 1;
    } else if (eat(ps, "?")) {
        max = 1;
    } else {
        bool ok = eat(ps, "{") && number(ps, &min);

        max = min;
        if (ok && eat(ps, ",") && !number(ps, &max)) max = ECMA_UNLIMITED;
        if (!ok || !eat(ps, "}")) {
            ps->p = back;
            return false;
        }
    }
    eat(ps, "?"); /* lazy: the same language */
    if (min > ECMA_MAX_COUNT || (max != ECMA_UNLIMITED && max > ECMA_MAX_COUNT))
        fail(ps, "a count is at most %u", ECMA_MAX_COUNT);
    else if (min > max)
        fail(ps, "counts out of order");
    *ret_min = min;
    *ret_max = max;
    return true;
}

static bool can_repeat(const struct parser *ps, uint32_t i)
{
    enum ecma_op op = (enum ecma_op)ecma_at(ps->re, i)->op;

    return op <= ECMA_REPEAT || op == ECMA_BACKREF;
}

static uint32_t parse_atom(struct parser *ps)
{
    char c = *ps->p;

    switch (c) {
    case '^': ps->p++; return new_node(ps, ECMA_START);
    case '$': ps->p++; return new_node(ps, ECMA_END);
    case '.': ps->p++; return parse_dot(ps);
    case '(': ps->p++; return parse_group(ps);
    case '[': ps->p++; return parse_class(ps);
    case '\\': ps->p++; return parse_escape(ps);
    case '*':
    case '+':
    case '?': return fail(ps, "nothing to repeat");
    default: return new_char(ps, next_char(ps));
    }
}

static uint32_t parse_term(struct parser *ps)
{
    uint32_t min, max, i;

    if (at(ps, '{') && quantifier(ps, &min, &max)) return fail(ps, "nothing to repeat");
    if (ps->err != GH_OK) return ECMA_NONE;
    i = parse_atom(ps);
    if (ps->err != GH_OK || !quantifier(ps, &min, &max)) return i;
    if (ps->err == GH_OK && !can_repeat(ps, i)) return fail(ps, "an assertion cannot be repeated");
    i = new_parent(ps, ECMA_REPEAT, i);
    if (i == ECMA_NONE) return i;
    VEC_AT(&ps->re->nodes, struct ecma_node, i)->min = min;
    VEC_AT(&ps->re->nodes, struct ecma_node, i)->max = max;
    return i;
}

/* A run of terms, or the empty expression. */
static uint32_t parse_sequence(struct parser *ps)
{
    uint32_t first = ECMA_NONE, last = ECMA_NONE, n = 0;

    while (ps->err == GH_OK && ps->p < ps->end && *ps->p != '|' && *ps->p != ')') {
        uint32_t i = parse_term(ps);

        if (i == ECMA_NONE) return ECMA_NONE;
        if (first == ECMA_NONE)
            first = i;
        else
            VEC_AT(&ps->re->nodes, struct ecma_node, last)->next = i;
        last = i;
        n++;
    }
    if (n == 0) return new_node(ps, ECMA_EMPTY);
    return n == 1 ? first : new_parent(ps, ECMA_CAT, first);
}

static uint32_t parse_alternatives(struct parser *ps)
{
    uint32_t first = parse_sequence(ps);
    uint32_t last = first;
    bool many = false;

    while (ps->err == GH_OK && eat(ps, "|")) {
        uint32_t i = parse_sequence(ps);

        if (i == ECMA_NONE) return ECMA_NONE;
        VEC_AT(&ps->re->nodes, struct ecma_node, last)->next = i;
        last = i;
        many = true;
    }
    return many ? new_parent(ps, ECMA_ALT, first) : first;
}

enum gh_err ecma_parse(const char *text, size_t len, struct ecma *ret_re, char *why,
                       size_t why_size)
{
    struct ecma re = { .nodes = VEC_INIT(struct ecma_node), .ranges = VEC_INIT(struct ecma_range) };
    struct parser ps = { text, text, text + len, &re, why, why_size, 0, GH_OK };

    if (!gh_utf8_valid(text, len)) {
        fail(&ps, "not valid UTF-8");
    } else {
        re.root = parse_alternatives(&ps);
        if (ps.err == GH_OK && ps.p < ps.end) fail(&ps, ") without (");
    }
    if (ps.err != GH_OK) {
        ecma_done(&re);
        return ps.err;
    }
    *ret_re = re;
    return GH_OK;
}

void ecma_done(struct ecma *re)
{
    vec_done(&re->nodes);
    vec_done(&re->ranges);
}
