/*
 * parse_core - the parser itself, compiled once per instruction set (parse_base.c and the like).
 *
 * Before it starts, the text is known to be UTF-8 and to end in a byte that cannot be taken for
 * anything but an end: the closing bracket of the document, or a NUL behind a copy. So only readers
 * of several bytes at once look at `safe` and `end`; the others stop by themselves.
 *
 * While a container is open its node's `next` holds the parent's index and `len` the number of
 * children the parent had so far; that is all the stack there is.
 *
 * `odd` is the offset just past the last thing that the canonical writer would write otherwise
 * (white space, an escape in a longer form). A node that starts at or after it is VERBATIM.
 */
#include "common/json/parse.h"
#include "common/json/scan.h"

#define ALWAYS    static inline __attribute__((always_inline))
#define RARELY(x) __builtin_expect(!!(x), 0)
#define OFTEN(x)  __builtin_expect(!!(x), 1)

struct parser {
    const char *s;
    const char *end;
    const char *safe; /* the last place where a block may be read */
    const char *at;   /* where the error is */
    enum gh_json_err err;
    uint32_t odd;
    const struct gh_json_limits *limits;
};

static const char *fail(struct parser *ps, enum gh_json_err err, const char *at)
{
    ps->err = at >= ps->end && err < GH_JSON_DUPLICATE ? GH_JSON_TRUNCATED : err;
    ps->at = at;
    return NULL;
}

ALWAYS void node_set(struct gh_node *node, size_t off, size_t len, uint32_t next, unsigned kind,
                     unsigned flags, size_t count)
{
    *node = (struct gh_node){ .off = (uint32_t)off,
                              .len = (uint32_t)len,
                              .next = next,
                              .kind = kind & 7,
                              .flags = flags & 63,
                              .count = (uint32_t)count & 0x7FFFFF };
}

static __attribute__((noinline)) const char *skip_space_run(struct parser *ps, const char *p)
{
    while (p <= ps->safe) {
        uint64_t stop = scan_nonspace_block(p);

        if (stop) {
            p += scan_first(stop);
            ps->odd = (uint32_t)(p - ps->s);
            return p;
        }
        p += SCAN_BLOCK;
    }
    while (p < ps->end && (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t'))
        p++;
    ps->odd = (uint32_t)(p - ps->s);
    return p;
}

ALWAYS const char *skip_space(struct parser *ps, const char *p)
{
    if (OFTEN((unsigned char)*p > ' ')) return p;
    if (*p == ' ' && (unsigned char)p[1] > ' ') { /* after a colon or comma, usually just one */
        ps->odd = (uint32_t)(p + 1 - ps->s);
        return p + 1;
    }
    return skip_space_run(ps, p);
}

/* From p to the first byte that needs a look; NULL if the text ends first. */
ALWAYS const char *scan_plain(const struct parser *ps, const char *p, uint64_t *high)
{
    for (;;) {
        struct scan_masks m;

        if (OFTEN(p <= ps->safe)) {
            m = scan_string_block(p);
        } else { /* the last block of the text, less what is before p */
            unsigned before = (unsigned)(p - ps->safe);

            if (before >= SCAN_BLOCK) return NULL;
            m = scan_string_block(ps->safe);
            m.stop = m.stop >> (before << SCAN_SHIFT);
            m.high = m.high >> (before << SCAN_SHIFT);
            if (m.stop == 0) return NULL;
        }
        if (m.stop) {
            *high |= m.high & ((m.stop & -m.stop) - 1);
            return p + scan_first(m.stop);
        }
        *high |= m.high;
        p += SCAN_BLOCK;
    }
}

/* A string that has an escape or something wrong at p. Returns the closing quote. */
static __attribute__((noinline)) const char *
string_rest(struct parser *ps, const char *p, uint64_t *high, struct gh_json_escapes *esc)
{
    for (;;) {
        if (p == NULL) return fail(ps, GH_JSON_TRUNCATED, ps->end);
        if (*p == '"') return p;
        if (*p != '\\') return fail(ps, GH_JSON_CONTROL, p);
        do {
            p = gh_json_escape_check(p, ps->end, esc);
            if (esc->err != GH_JSON_OK) return fail(ps, esc->err, p);
        } while (p < ps->end && *p == '\\');
        p = scan_plain(ps, p, high);
    }
}

/* p is just past the opening quote. Returns past the closing one. */
ALWAYS const char *string(struct parser *ps, const char *p, struct gh_node *node, uint32_t next,
                          unsigned flags, uint32_t max, enum gh_json_err too_long)
{
    const char *start = p;
    uint64_t high = 0;
    uint32_t saved = 0;

    p = scan_plain(ps, p, &high);
    flags |= GH_NODE_VERBATIM;
    if (RARELY(p == NULL || *p != '"')) {
        struct gh_json_escapes esc = { 0 };
        uint64_t more = 0;

        p = string_rest(ps, p, &more, &esc);
        if (p == NULL) return NULL;
        high |= more;
        saved = esc.saved;
        flags |= GH_NODE_ESCAPED;
        if (esc.odd != NULL) {
            flags &= ~GH_NODE_VERBATIM;
            ps->odd = (uint32_t)(esc.odd - ps->s);
        }
        if (esc.nul && ps->limits->refuse_nul) return fail(ps, GH_JSON_NUL, start);
    }
    if (high) flags |= GH_NODE_NONASCII;
    if (RARELY((size_t)(p - start) - saved > max)) return fail(ps, too_long, start - 1);
    node_set(node, (size_t)(start - ps->s), (size_t)(p - start), next, GH_JSON_STR, flags, saved);
    return p + 1;
}

/*
 * Which of 64 bits stands for a key's length and first bytes: equal keys have equal bits, so keys
 * whose bits all differ are known to differ, which is how most objects end. All bits when it would
 * take a closer look to say.
 */
ALWAYS uint64_t key_bit(const struct parser *ps, const char *p, size_t len, bool escaped)
{
    uint64_t w;

    if (RARELY(escaped || ps->end - p < 8)) return UINT64_MAX;
    memcpy(&w, p, 8);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    w = __builtin_bswap64(w);
#endif
    if (len < 8) w &= (UINT64_C(1) << len * 8) - 1;
    return UINT64_C(1) << (((w ^ len) * 0x9E3779B97F4A7C15u) >> 58);
}

/* Byte by byte: the processor guesses the length and goes on, where a mask of a block would have to
 * be waited for. */
ALWAYS const char *digits(const char *p)
{
    while ((unsigned char)(*p - '0') < 10)
        p++;
    return p;
}

ALWAYS const char *number(struct parser *ps, const char *p, struct gh_node *node, uint32_t next)
{
    const char *start = p;
    unsigned flags = GH_NODE_VERBATIM | GH_NODE_INT;
    bool exponent = false;

    p += *p == '-';

    const char *first = p;

    if ((unsigned char)(*p - '0') > 9) return fail(ps, GH_JSON_NUMBER, p);
    p = digits(p);
    if (RARELY(*first == '0' && p - first > 1)) return fail(ps, GH_JSON_NUMBER, first + 1);

    size_t whole = (size_t)(p - first);

    if (*p == '.') {
        const char *fraction = ++p;

        flags = GH_NODE_VERBATIM;
        p = digits(p);
        if (p == fraction) return fail(ps, GH_JSON_NUMBER, p);
    }
    if (RARELY((*p | 0x20) == 'e')) {
        exponent = true;
        flags = GH_NODE_VERBATIM;
        p++;
        if (*p == '+' || *p == '-') p++;

        const char *power = p;

        p = digits(p);
        if (p == power) return fail(ps, GH_JSON_NUMBER, p);
    }

    size_t len = (size_t)(p - start);

    if (RARELY(len > ps->limits->max_number_chars)) return fail(ps, GH_JSON_NUMBER_SIZE, start);
    if (RARELY(exponent || whole > 308) && !gh_json_num_in_range(start, len))
        return fail(ps, GH_JSON_NUMBER_RANGE, start);
    if ((flags & GH_NODE_INT) && (whole < 19 || gh_json_num_fits_int64(start, len)))
        flags |= GH_NODE_INT64;
    node_set(node, (size_t)(start - ps->s), len, next, GH_JSON_NUM, flags, 0);
    return p;
}

static __attribute__((noinline)) const char *bad_literal(struct parser *ps, const char *p)
{
    const char *word = *p == 'n' ? "null" : *p == 't' ? "true" : "false";
    unsigned same = 1;

    while (p + same < ps->end && word[same] != '\0' && p[same] == word[same])
        same++;
    return fail(ps, GH_JSON_LITERAL, p + same >= ps->end ? ps->end : p);
}

ALWAYS const char *literal(struct parser *ps, const char *p, struct gh_node *node, uint32_t next)
{
    size_t off = (size_t)(p - ps->s);
    unsigned long left = (unsigned long)(ps->end - p);

    if (left >= 4 && memcmp(p, "true", 4) == 0) {
        node_set(node, off, 4, next, GH_JSON_TRUE, GH_NODE_VERBATIM, 0);
        return p + 4;
    }
    if (left >= 4 && memcmp(p, "null", 4) == 0) {
        node_set(node, off, 4, next, GH_JSON_NULL, GH_NODE_VERBATIM, 0);
        return p + 4;
    }
    if (OFTEN(left >= 5 && memcmp(p, "false", 5) == 0)) {
        node_set(node, off, 5, next, GH_JSON_FALSE, GH_NODE_VERBATIM, 0);
        return p + 5;
    }
    return bad_literal(ps, p);
}

static __attribute__((noinline)) enum gh_json_err end_parse(struct gh_tape *tape,
                                                            enum gh_json_err err, size_t off)
{
    tape->err = err;
    tape->err_off = (uint32_t)off;
    return err;
}

/* The node for a scalar or a container's start is nodes[n]; there is room for it. */
#define ROOM(extra)                                                                                \
    do {                                                                                           \
        if (RARELY(n + (extra) > cap)) {                                                           \
            ps.err = gh_tape_grow(tape, limits->max_nodes);                                        \
            ps.at = p;                                                                             \
            if (ps.err != GH_JSON_OK) goto failed;                                                 \
            nodes = tape->nodes;                                                                   \
            cap = tape->cap_nodes < limits->max_nodes ? tape->cap_nodes : limits->max_nodes;       \
            if (n + (extra) > cap) {                                                               \
                ps.err = GH_JSON_NODES;                                                            \
                goto failed;                                                                       \
            }                                                                                      \
        }                                                                                          \
    } while (0)

#define FAIL(code)                                                                                 \
    do {                                                                                           \
        fail(&ps, code, p);                                                                        \
        goto failed;                                                                               \
    } while (0)

/* A value at p, into nodes[n]; goes to `after` behind a scalar. */
#define VALUE(after)                                                                               \
    do {                                                                                           \
        switch (*p) {                                                                              \
        case '"':                                                                                  \
            p = string(&ps, p + 1, &nodes[n], n + 1, 0, limits->max_string_bytes,                  \
                       GH_JSON_STRING_SIZE);                                                       \
            break;                                                                                 \
        case '{': goto open_object;                                                                \
        case '[': goto open_array;                                                                 \
        case 't':                                                                                  \
        case 'f':                                                                                  \
        case 'n': p = literal(&ps, p, &nodes[n], n + 1); break;                                    \
        case '-':                                                                                  \
        case '0':                                                                                  \
        case '1':                                                                                  \
        case '2':                                                                                  \
        case '3':                                                                                  \
        case '4':                                                                                  \
        case '5':                                                                                  \
        case '6':                                                                                  \
        case '7':                                                                                  \
        case '8':                                                                                  \
        case '9': p = number(&ps, p, &nodes[n], n + 1); break;                                     \
        default: FAIL(GH_JSON_VALUE);                                                              \
        }                                                                                          \
        if (RARELY(p == NULL)) goto failed;                                                        \
        n++;                                                                                       \
        goto after;                                                                                \
    } while (0)

static enum gh_json_err parse(struct gh_tape *tape, const struct gh_json_limits *limits)
{
    const char *s = tape->src;
    size_t len = tape->src_len;
    size_t bad = utf8_check(s, len);
    size_t start = 0;

    if (len >= 3 && memcmp(s, "\xEF\xBB\xBF", 3) == 0) return end_parse(tape, GH_JSON_BOM, 0);
    if (RARELY(bad < len)) return end_parse(tape, GH_JSON_UTF8, bad);
    while (start < len &&
           (s[start] == ' ' || s[start] == '\n' || s[start] == '\r' || s[start] == '\t'))
        start++;
    if (start == len) return end_parse(tape, GH_JSON_EMPTY, len);
    while (s[len - 1] == ' ' || s[len - 1] == '\n' || s[len - 1] == '\r' || s[len - 1] == '\t')
        len--;
    if ((s[len - 1] != '}' && s[len - 1] != ']') || (s[start] != '{' && s[start] != '[') ||
        len < SCAN_BLOCK) {
        s = gh_tape_copy_source(tape, (uint32_t)len, SCAN_BLOCK);
        if (s == NULL) return end_parse(tape, GH_JSON_NOMEM, 0);
    }

    struct parser ps = { .s = s, .end = s + len, .limits = limits };

    ps.safe = s == tape->src ? ps.end - SCAN_BLOCK : ps.end;

    const char *p = s + start;
    struct gh_node *nodes = tape->nodes;
    uint32_t cap = tape->cap_nodes < limits->max_nodes ? tape->cap_nodes : limits->max_nodes;
    uint32_t n = 0;
    uint32_t depth = 0;
    uint32_t cur = 0;   /* the innermost open container */
    uint32_t count = 0; /* what it holds so far */
    uint64_t keys = 0;  /* the key_bits of an object; all once two were the same */
    uint64_t outer_keys[GH_JSON_MAX_DEPTH];

    ROOM(1);
    VALUE(done);

open_object:
    if (RARELY(depth == limits->max_depth)) FAIL(GH_JSON_TOO_DEEP);
    node_set(&nodes[n], (size_t)(p - s), count, cur, GH_JSON_OBJ, 0, 0);
    outer_keys[depth++] = keys;
    cur = n++;
    count = 0;
    keys = 0;
    p = skip_space(&ps, p + 1);
    if (*p == '}') goto close_object;
object_key:
    if (RARELY(*p != '"')) FAIL(GH_JSON_KEY);
    if (RARELY(count == limits->max_members)) FAIL(GH_JSON_MEMBERS);
    ROOM(2);
    {
        const char *key = p + 1;
        uint64_t bit;

        p = string(&ps, key, &nodes[n], n + 1, GH_NODE_KEY, limits->max_key_bytes,
                   GH_JSON_KEY_SIZE);
        if (RARELY(p == NULL)) goto failed;
        bit = key_bit(&ps, key, (size_t)(p - 1 - key), nodes[n].flags & GH_NODE_ESCAPED);
        keys = keys & bit ? UINT64_MAX : keys | bit;
    }
    n++;
    count++;
    p = skip_space(&ps, p);
    if (RARELY(*p != ':')) FAIL(GH_JSON_COLON);
    p = skip_space(&ps, p + 1);
    VALUE(object_next);
object_next:
    p = skip_space(&ps, p);
    if (OFTEN(*p == ',')) {
        p = skip_space(&ps, p + 1);
        goto object_key;
    }
    if (RARELY(*p != '}')) FAIL(GH_JSON_COMMA_OBJECT);
close_object:
    if (keys == UINT64_MAX && !limits->allow_duplicates) {
        uint32_t twice = gh_tape_find_duplicate(tape, cur, n, count);

        if (RARELY(twice != GH_TAPE_NONE)) {
            ps.err = twice == GH_DUP_NOMEM ? GH_JSON_NOMEM : GH_JSON_DUPLICATE;
            ps.at = twice == GH_DUP_NOMEM ? p : s + nodes[twice].off - 1;
            goto failed;
        }
    }
    goto close_container;

open_array:
    if (RARELY(depth == limits->max_depth)) FAIL(GH_JSON_TOO_DEEP);
    node_set(&nodes[n], (size_t)(p - s), count, cur, GH_JSON_ARR, 0, 0);
    outer_keys[depth++] = keys;
    cur = n++;
    count = 0;
    p = skip_space(&ps, p + 1);
    if (*p == ']') goto close_container;
array_value:
    if (RARELY(count == limits->max_items)) FAIL(GH_JSON_ITEMS);
    ROOM(1);
    count++;
    VALUE(array_next);
array_next:
    p = skip_space(&ps, p);
    if (OFTEN(*p == ',')) {
        p = skip_space(&ps, p + 1);
        goto array_value;
    }
    if (RARELY(*p != ']')) FAIL(GH_JSON_COMMA_ARRAY);

close_container : {
    struct gh_node *node = &nodes[cur];
    uint32_t parent = node->next;
    uint32_t siblings = node->len;

    p++;
    node_set(node, node->off, (size_t)(p - s) - node->off, n, node->kind,
             ps.odd <= node->off ? GH_NODE_VERBATIM : 0, count);
    cur = parent;
    count = siblings;
    keys = outer_keys[--depth];
}
    if (depth == 0) goto done;
    if (RARELY(p >= ps.end)) FAIL(GH_JSON_TRUNCATED);
    if (nodes[cur].kind == GH_JSON_OBJ) goto object_next;
    goto array_next;

done:
    if (RARELY(p < ps.end)) {
        p = skip_space_run(&ps, p);
        ps.err = GH_JSON_TRAILING;
        ps.at = p;
        goto failed;
    }
    tape->n_nodes = n;
    tape->err = GH_JSON_OK;
    tape->err_off = 0;
    return GH_JSON_OK;
failed:
    return end_parse(tape, ps.err, (size_t)(ps.at - s));
}
