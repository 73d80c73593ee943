/*
 * From the tree to a language of whole texts, from right to left: `rest` is the language of what
 * may come after the part at hand, so $ is "rest, and nothing more", and a lookahead is an
 * intersection with it. Then one state per derivative.
 */
#include "validator/schema/dfa.h"

#include "validator/schema/relang.h"

#include <stdlib.h>
#include <string.h>

#define DEAD   0u  /* LANG_NEVER: nothing will match any more */
#define DONE   1u  /* LANG_ALL: whatever follows */
#define UNROLL 64u /* copies of a repeated part that holds an assertion */

struct dfa {
    uint16_t *next; /* [state][class] */
    uint8_t *accepts;
    uint32_t n_states;
    uint32_t n_classes;
    uint16_t start;
    uint8_t ascii[128]; /* class of each */
    struct lang_alphabet alphabet;
};

/* ---- translation ---- */

struct translation {
    struct lang *l;
    const struct ecma *re;
    const char *construct; /* what cannot be done */
};

static uint32_t cannot(struct translation *t, const char *construct)
{
    if (t->construct == NULL) t->construct = construct;
    return LANG_NONE;
}

static bool has_assertion(const struct ecma *re, uint32_t i)
{
    const struct ecma_node *node = ecma_at(re, i);

    if (node->op >= ECMA_START) return true;
    if (node->op == ECMA_SET || node->op == ECMA_EMPTY) return false;
    for (uint32_t c = node->first; c != ECMA_NONE; c = ecma_at(re, c)->next)
        if (has_assertion(re, c)) return true;
    return false;
}

enum width { WIDTH_ZERO, WIDTH_SOME, WIDTH_EITHER }; /* what a part consumes */

static enum width width_of(const struct ecma *re, uint32_t i)
{
    const struct ecma_node *node = ecma_at(re, i);
    enum width w;

    switch ((enum ecma_op)node->op) {
    case ECMA_SET: return WIDTH_SOME;
    case ECMA_REPEAT:
        if (node->max == 0) return WIDTH_ZERO;
        w = width_of(re, node->first);
        return w == WIDTH_SOME && node->min == 0 ? WIDTH_EITHER : w;
    case ECMA_CAT:
        w = WIDTH_ZERO;
        for (uint32_t c = node->first; c != ECMA_NONE; c = ecma_at(re, c)->next) {
            enum width one = width_of(re, c);

            if (one == WIDTH_SOME) return WIDTH_SOME;
            if (one == WIDTH_EITHER) w = WIDTH_EITHER;
        }
        return w;
    case ECMA_ALT:
        w = width_of(re, node->first);
        for (uint32_t c = ecma_at(re, node->first)->next; c != ECMA_NONE; c = ecma_at(re, c)->next)
            if (width_of(re, c) != w) return WIDTH_EITHER;
        return w;
    case ECMA_BACKREF: return WIDTH_EITHER;
    default: return WIDTH_ZERO;
    }
}

/* A part without assertions, as a language of its own. */
static uint32_t plain(struct translation *t, uint32_t i)
{
    const struct ecma_node *node = ecma_at(t->re, i);
    uint32_t sum;

    switch ((enum ecma_op)node->op) {
    case ECMA_EMPTY: return LANG_EMPTY;
    case ECMA_SET:
        return lang_set(t->l, VEC_AT(&t->re->ranges, struct ecma_range, node->first), node->n);
    case ECMA_REPEAT: return lang_repeat(t->l, plain(t, node->first), node->min, node->max);
    case ECMA_ALT:
        sum = LANG_NEVER;
        for (uint32_t c = node->first; c != ECMA_NONE; c = ecma_at(t->re, c)->next)
            sum = lang_alt(t->l, sum, plain(t, c));
        return sum;
    default: /* ECMA_CAT */
        sum = LANG_EMPTY;
        for (uint32_t c = node->first; c != ECMA_NONE; c = ecma_at(t->re, c)->next)
            sum = lang_cat(t->l, sum, plain(t, c));
        return sum;
    }
}

enum position { AT_START, AFTER_START, UNKNOWN }; /* is this the start of the text? */

static uint32_t before(struct translation *t, uint32_t i, enum position at, uint32_t rest);

static uint32_t before_sequence(struct translation *t, uint32_t i, enum position at, uint32_t rest)
{
    const struct ecma_node *node = ecma_at(t->re, i);
    enum position here = at;

    if (i == ECMA_NONE || rest == LANG_NONE) return rest;
    if (at != AFTER_START) {
        enum width w = width_of(t->re, i);

        here = w == WIDTH_ZERO ? at : w == WIDTH_SOME ? AFTER_START : UNKNOWN;
    }
    return before(t, i, at, before_sequence(t, node->next, here, rest));
}

/* X{min,max} with an assertion in X: written out. */
static uint32_t before_repeat(struct translation *t, const struct ecma_node *node, enum position at,
                              uint32_t rest)
{
    uint32_t sum = rest;

    if (node->max == ECMA_UNLIMITED) return cannot(t, "an assertion inside a repetition");
    if (node->max > UNROLL) return cannot(t, "an assertion inside a long repetition");
    for (uint32_t n = node->max; n > 0; n--) { /* the n-th copy, and what comes before it */
        enum position here = at;

        if (n > 1 && at != AFTER_START) {
            enum width w = width_of(t->re, node->first);

            here = w == WIDTH_ZERO ? at : w == WIDTH_SOME ? AFTER_START : UNKNOWN;
        }
        sum = before(t, node->first, here, sum);
        if (n > node->min) sum = lang_alt(t->l, sum, rest);
    }
    return sum;
}

/* The language of texts that start with a match of node i and go on with `rest`. */
static uint32_t before(struct translation *t, uint32_t i, enum position at, uint32_t rest)
{
    const struct ecma_node *node = ecma_at(t->re, i);
    uint32_t sum;

    if (rest == LANG_NONE) return LANG_NONE;
    if (!has_assertion(t->re, i)) return lang_cat(t->l, plain(t, i), rest);
    switch ((enum ecma_op)node->op) {
    case ECMA_CAT: return before_sequence(t, node->first, at, rest);
    case ECMA_ALT:
        sum = LANG_NEVER;
        for (uint32_t c = node->first; c != ECMA_NONE; c = ecma_at(t->re, c)->next)
            sum = lang_alt(t->l, sum, before(t, c, at, rest));
        return sum;
    case ECMA_REPEAT: return before_repeat(t, node, at, rest);
    case ECMA_START:
        if (at == UNKNOWN) return cannot(t, "^ behind something that may be empty");
        return at == AT_START ? rest : LANG_NEVER;
    case ECMA_END: return lang_and(t->l, LANG_EMPTY, rest);
    case ECMA_AHEAD: return lang_and(t->l, before(t, node->first, at, LANG_ALL), rest);
    case ECMA_NOT_AHEAD:
        return lang_and(t->l, lang_not(t->l, before(t, node->first, at, LANG_ALL)), rest);
    case ECMA_BEHIND:
    case ECMA_NOT_BEHIND: return cannot(t, "lookbehind");
    case ECMA_BACKREF: return cannot(t, "a back-reference");
    default: return cannot(t, "\\b or \\B");
    }
}

/* Texts with a match anywhere: one at the start, or one behind at least a character. */
static uint32_t anywhere(struct translation *t)
{
    static const struct ecma_range any[] = { { 0, 0xD7FF }, { 0xE000, 0x10FFFF } };
    uint32_t first = before(t, t->re->root, AT_START, LANG_ALL);
    uint32_t later = before(t, t->re->root, AFTER_START, LANG_ALL);
    uint32_t one = lang_set(t->l, any, 2);

    later = lang_cat(t->l, one, lang_cat(t->l, lang_repeat(t->l, one, 0, ECMA_UNLIMITED), later));
    return lang_alt(t->l, first, later);
}

/* ---- states ---- */

struct build {
    struct lang *l;
    struct vec states; /* uint32_t: each one's term */
    struct vec next;   /* uint16_t */
    uint32_t *by_term; /* state + 1 */
};

static uint32_t state_of(struct build *b, uint32_t term)
{
    uint32_t *state;

    if (b->by_term[term] != 0) return b->by_term[term] - 1;
    if (b->states.n >= DFA_MAX_STATES ||
        (b->states.n + 1) * b->l->alphabet.n_classes > DFA_MAX_CELLS)
        return LANG_NONE;
    state = vec_push(&b->states);
    if (state == NULL) return LANG_NONE;
    *state = term;
    b->by_term[term] = b->states.n;
    return b->states.n - 1;
}

static bool explore(struct build *b, uint32_t start)
{
    uint32_t n_classes = b->l->alphabet.n_classes;

    if (state_of(b, LANG_NEVER) != DEAD || state_of(b, LANG_ALL) != DONE) return false;
    if (start == LANG_NONE || state_of(b, start) == LANG_NONE) return false;
    for (uint32_t s = 0; s < b->states.n; s++) {
        uint32_t term = *VEC_AT(&b->states, uint32_t, s);
        uint16_t *row = vec_push_n(&b->next, n_classes);

        if (row == NULL) return false;
        for (uint32_t c = 0; c < n_classes; c++) {
            uint32_t d = lang_derive(b->l, term, c);
            uint32_t to = d == LANG_NONE ? LANG_NONE : state_of(b, d);

            if (to == LANG_NONE) return false;
            row[c] = (uint16_t)to;
        }
    }
    return true;
}

static enum gh_err take(struct build *b, uint32_t start, struct dfa *dfa)
{
    dfa->n_states = b->states.n;
    dfa->n_classes = b->l->alphabet.n_classes;
    dfa->start = (uint16_t)(b->by_term[start] - 1);
    dfa->accepts = malloc(dfa->n_states);
    if (dfa->accepts == NULL) return GH_ERR_NOMEM;
    for (uint32_t s = 0; s < dfa->n_states; s++)
        dfa->accepts[s] = lang_at(b->l, *VEC_AT(&b->states, uint32_t, s))->nullable;
    for (uint32_t c = 0; c < 128; c++)
        dfa->ascii[c] = (uint8_t)lang_class(&b->l->alphabet, c);
    dfa->next = b->next.data;
    b->next.data = NULL;
    dfa->alphabet = b->l->alphabet;
    b->l->alphabet = (struct lang_alphabet){ 0 };
    return GH_OK;
}

enum gh_err dfa_new(const struct ecma *re, struct dfa **ret_dfa, const char **ret_construct)
{
    struct lang l;
    struct build b = { .l = &l, .states = VEC_INIT(uint32_t), .next = VEC_INIT(uint16_t) };
    struct translation t = { &l, re, NULL };
    struct dfa *dfa = calloc(1, sizeof(*dfa));
    uint32_t start = LANG_NONE;
    enum gh_err err = lang_init(&l, re);

    if (dfa == NULL) err = GH_ERR_NOMEM;
    if (err == GH_OK) {
        start = anywhere(&t);
        if (t.construct != NULL) err = GH_ERR_NOT_FOUND;
    }
    if (err == GH_OK) {
        b.by_term = calloc(LANG_MAX_TERMS + 1, sizeof(*b.by_term));
        if (b.by_term == NULL)
            err = GH_ERR_NOMEM;
        else
            err = explore(&b, start) ? take(&b, start, dfa) : GH_ERR_LIMIT;
    }
    vec_done(&b.states);
    vec_done(&b.next);
    free(b.by_term);
    lang_done(&l);
    if (err != GH_OK) {
        if (err == GH_ERR_NOT_FOUND) *ret_construct = t.construct;
        dfa_free(dfa);
        return err;
    }
    *ret_dfa = dfa;
    return GH_OK;
}

void dfa_free(struct dfa *dfa)
{
    if (dfa == NULL) return;
    free(dfa->next);
    free(dfa->accepts);
    vec_done(&dfa->alphabet.bounds);
    vec_done(&dfa->alphabet.classes);
    free(dfa);
}

unsigned dfa_states(const struct dfa *dfa)
{
    return dfa->n_states;
}

bool dfa_match(const struct dfa *dfa, const char *text, size_t len)
{
    const unsigned char *p = (const unsigned char *)text;
    const unsigned char *end = p + len;
    uint32_t state = dfa->start;

    while (p < end && state > DONE) {
        uint32_t c = *p++;

        if (c < 0x80) {
            state = dfa->next[state * dfa->n_classes + dfa->ascii[c]];
            continue;
        }
        if (c >= 0xF0 && end - p >= 3) {
            c = (c & 0x07) << 18 | (uint32_t)(p[0] & 0x3F) << 12 | (uint32_t)(p[1] & 0x3F) << 6 |
                (p[2] & 0x3F);
            p += 3;
        } else if (c >= 0xE0 && end - p >= 2) {
            c = (c & 0x0F) << 12 | (uint32_t)(p[0] & 0x3F) << 6 | (p[1] & 0x3F);
            p += 2;
        } else if (end - p >= 1) {
            c = (c & 0x1F) << 6 | (p[0] & 0x3F);
            p += 1;
        }
        state = dfa->next[state * dfa->n_classes + lang_class(&dfa->alphabet, c)];
    }
    return dfa->accepts[state] != 0;
}
