/* What instructions point to: counts, bounds, divisors, enumerations and patterns. */
#include "validator/schema/compile.h"

#include <stdlib.h>

enum gh_err compile_count(struct compiler *c, uint32_t node, uint32_t *ret_n)
{
    const struct gh_tape *tape = compile_tape(c);
    uint64_t v = 0;
    enum gh_err err = GH_ERR_BAD_MESSAGE;

    if (gh_tape_kind(tape, node) == GH_JSON_NUM && tape->src[tape->nodes[node].off] != '-')
        err = gh_tape_uint64(tape, node, &v);
    if (err != GH_OK && err != GH_ERR_LIMIT)
        return compile_fail(c, node, "must be a whole number of 0 or more");
    *ret_n = err == GH_ERR_LIMIT || v > UINT32_MAX ? UINT32_MAX : (uint32_t)v;
    return GH_OK;
}

enum gh_err compile_bound(struct compiler *c, uint32_t node, uint32_t *ret_bound)
{
    const struct gh_tape *tape = compile_tape(c);
    struct bound bound = { 0 };
    struct bound *to;
    enum gh_err err;

    if (gh_tape_double(tape, node, &bound.number) != GH_OK)
        return compile_fail(c, node, "must be a number");
    bound.is_integer = gh_tape_int64(tape, node, &bound.integer) == GH_OK;
    bound.text_len = tape->nodes[node].len;
    err = compile_string(c, tape->src + tape->nodes[node].off, bound.text_len, &bound.text);
    if (err != GH_OK) return err;
    to = vec_push(&c->out->bounds);
    if (to == NULL) return GH_ERR_NOMEM;
    *to = bound;
    *ret_bound = c->out->bounds.n - 1;
    return GH_OK;
}

enum gh_err compile_divisor(struct compiler *c, uint32_t node, uint32_t *ret_divisor)
{
    const struct gh_tape *tape = compile_tape(c);
    const char *text = tape->src + tape->nodes[node].off;
    struct decimal divisor;
    struct decimal *to;

    if (gh_tape_kind(tape, node) != GH_JSON_NUM || text[0] == '-')
        return compile_fail(c, node, "must be a number above 0");
    if (!decimal_parse(text, tape->nodes[node].len, &divisor))
        return compile_fail(c, node, "a divisor has at most 19 significant digits");
    if (divisor.digits == 0) return compile_fail(c, node, "must be a number above 0");
    to = vec_push(&c->out->divisors);
    if (to == NULL) return GH_ERR_NOMEM;
    *to = divisor;
    *ret_divisor = c->out->divisors.n - 1;
    return GH_OK;
}

struct strings {
    struct strmap set;
    enum gh_err err;
};

static enum gh_err add_string(struct compiler *c, struct strmap *set, uint32_t node)
{
    const struct gh_tape *tape = compile_tape(c);
    size_t len = gh_tape_str_len(tape, node);
    char *scratch = malloc(len + 1);
    const char *text;
    enum gh_err err;

    if (scratch == NULL) return GH_ERR_NOMEM;
    text = gh_tape_str(tape, node, scratch, &len);
    err = strmap_put(set, text, len, set->n);
    free(scratch);
    return err == GH_ERR_EXISTS ? GH_OK : err; /* said twice is said */
}

static enum gh_err add_value(struct compiler *c, struct enumeration *e, struct strmap *set,
                             uint32_t node)
{
    enum gh_json_kind kind = gh_tape_kind(compile_tape(c), node);
    struct other *other;
    struct origin *origin;

    if (kind == GH_JSON_STR) return add_string(c, set, node);
    if (kind < GH_JSON_NUM) {
        e->kinds |= (uint8_t)TYPE_BIT(kind);
        return GH_OK;
    }
    other = vec_push(&c->out->others);
    origin = vec_push(&c->constants);
    if (other == NULL || origin == NULL) return GH_ERR_NOMEM;
    *origin = (struct origin){ c->here.doc, node };
    e->n_others++;
    return GH_OK;
}

enum gh_err compile_enumeration(struct compiler *c, uint32_t node, bool is_const,
                                uint32_t *ret_enumeration)
{
    const struct gh_tape *tape = compile_tape(c);
    struct enumeration e = { .first_other = c->out->others.n };
    struct strmap set = { 0 };
    struct keyset_key *keys = NULL;
    struct enumeration *to;
    enum gh_err err = GH_OK;

    if (!is_const && gh_tape_kind(tape, node) != GH_JSON_ARR)
        return compile_fail(c, node, "must be an array of the accepted values");
    if (is_const)
        err = add_value(c, &e, &set, node);
    else
        for (uint32_t i = node + 1; i < tape->nodes[node].next && err == GH_OK;
             i = tape->nodes[i].next)
            err = add_value(c, &e, &set, i);
    if (err == GH_OK) {
        keys = calloc(set.n + 1, sizeof(*keys));
        if (keys == NULL) err = GH_ERR_NOMEM;
    }
    if (err == GH_OK) {
        for (uint32_t i = 0; i < set.size; i++)
            if (set.entries[i].key != NULL)
                keys[set.entries[i].value] =
                    (struct keyset_key){ set.entries[i].key, set.entries[i].len };
        err = keyset_init(&e.strings, keys, set.n);
    }
    free(keys);
    strmap_done(&set);
    if (err != GH_OK) return err;
    to = vec_push(&c->out->enumerations);
    if (to == NULL) {
        keyset_done(&e.strings);
        return GH_ERR_NOMEM;
    }
    *to = e;
    *ret_enumeration = c->out->enumerations.n - 1;
    return GH_OK;
}

enum gh_err compile_pattern(struct compiler *c, uint32_t node, uint32_t *ret_pattern)
{
    const struct gh_tape *tape = compile_tape(c);
    struct pattern *pattern = NULL;
    struct pattern **to;
    char why[200];
    char *scratch;
    const char *text;
    size_t len;
    enum gh_err err;

    if (gh_tape_kind(tape, node) != GH_JSON_STR)
        return compile_fail(c, node, "must be a regular expression in a string");
    len = gh_tape_str_len(tape, node);
    if (len > PATTERN_MAX_BYTES)
        return compile_fail(c, node, "a pattern is at most %d bytes", PATTERN_MAX_BYTES);
    scratch = malloc(len + 1);
    if (scratch == NULL) return GH_ERR_NOMEM;
    text = gh_tape_str(tape, node, scratch, &len);
    *ret_pattern = strmap_get(&c->patterns, text, len);
    err = GH_OK;
    if (*ret_pattern == STRMAP_NONE) {
        *ret_pattern = c->out->patterns.n;
        if (c->out->patterns.n >= c->options.max_patterns)
            err = compile_fail(c, node, "more than %u patterns", c->options.max_patterns);
        else
            err = pattern_new(text, len, &pattern, why, sizeof(why));
        if (err == GH_ERR_CONFIG && pattern == NULL && c->out->patterns.n < c->options.max_patterns)
            err = compile_fail(c, node, "pattern: %s", why);
        if (err == GH_OK) err = strmap_put(&c->patterns, text, len, *ret_pattern);
        to = err == GH_OK ? vec_push(&c->out->patterns) : NULL;
        if (to != NULL)
            *to = pattern;
        else if (err == GH_OK)
            err = GH_ERR_NOMEM;
        if (to == NULL) pattern_free(pattern);
    }
    free(scratch);
    return err;
}
