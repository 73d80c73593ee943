/*
 * Bottom up over the tree. For each part: the complete list of texts it can be, while that is short
 * ("exact"), and the best list of texts of which one must be in it ("need"). A sequence multiplies
 * exact lists for as long as it may and keeps the best of what it has to break off.
 */
#include "validator/signatures/required.h"

#include "validator/schema/ecma.h"

#include <stdlib.h>
#include <string.h>

struct list {
    uint32_t n;
    struct required_literal at[REQUIRED_MAX_LITERALS]; /* here a length of 0 may occur */
};

struct part {
    bool is_exact;
    struct list exact;
    struct list need; /* n == 0: none */
};

struct finder {
    const struct ecma *re;
    struct required *out;
    bool top; /* on the way through what every match goes through */
    enum gh_err err;
};

/* ---- how rare is it in ordinary talk ---- */

static unsigned rarity_of(const struct required_literal *l)
{
    static const unsigned by_letters[] = { 0, 3, 8, 20, 32, 42, 50 };
    unsigned letters = 0, sum = 0;

    for (unsigned i = 0; i < l->len; i++) {
        char c = l->bytes[i];

        if ((c >= 'a' && c <= 'z') || c == ' ')
            letters++;
        else if (c >= '0' && c <= '9')
            sum += 6;
        else if (strchr("'\",.-!?:()/\n_", c) != NULL && c != '\0')
            sum += 7;
        else
            sum += 16;
    }
    return sum + by_letters[letters < 6 ? letters : 6];
}

static unsigned list_rarity(const struct list *list)
{
    unsigned worst = list->n == 0 ? 0 : UINT32_MAX;

    for (uint32_t i = 0; i < list->n; i++) {
        unsigned r = list->at[i].len == 0 ? 0 : rarity_of(&list->at[i]);

        if (r < worst) worst = r;
    }
    return worst == 0 ? 0 : worst * 4 - (list->n > 8) - (list->n > 24) * 2;
}

static void keep_better(struct list *best, const struct list *candidate)
{
    if (list_rarity(candidate) > list_rarity(best)) *best = *candidate;
}

/* ---- lists ---- */

static bool list_add(struct list *list, const struct required_literal *l)
{
    for (uint32_t i = 0; i < list->n; i++)
        if (list->at[i].len == l->len && memcmp(list->at[i].bytes, l->bytes, l->len) == 0)
            return true;
    if (list->n == REQUIRED_MAX_LITERALS) return false;
    list->at[list->n++] = *l;
    return true;
}

static bool list_join(struct list *list, const struct list *more)
{
    for (uint32_t i = 0; i < more->n; i++)
        if (!list_add(list, &more->at[i])) return false;
    return true;
}

/* Every text of a followed by every one of b; false when that is too many or too long. */
static bool list_multiply(const struct list *a, const struct list *b, struct list *ret_list)
{
    struct list out = { 0 };

    if ((uint64_t)a->n * b->n > REQUIRED_MAX_LITERALS) return false;
    for (uint32_t i = 0; i < a->n; i++)
        for (uint32_t j = 0; j < b->n; j++) {
            struct required_literal l = a->at[i];

            if (l.len + b->at[j].len > REQUIRED_MAX_BYTES) return false;
            memcpy(l.bytes + l.len, b->at[j].bytes, b->at[j].len);
            l.len = (uint8_t)(l.len + b->at[j].len);
            if (!list_add(&out, &l)) return false;
        }
    *ret_list = out;
    return true;
}

/* ---- parts ---- */

static void find_part(struct finder *f, uint32_t node, struct part *part);

/* Letters are in every text: only digits and punctuation tell anything. */
static void add_mask(struct required *out, const struct byte_mask *mask)
{
    const uint64_t letters = 0x07FFFFFE00000000u; /* a to z */

    if ((mask->bits[1] & letters) != 0 || (mask->bits[0] >> ' ' & 1) != 0) return;
    for (uint32_t i = 0; i < out->n_masks; i++)
        if (memcmp(&out->masks[i], mask, sizeof(*mask)) == 0) return;
    if (out->n_masks < REQUIRED_MAX_MASKS) out->masks[out->n_masks++] = *mask;
}

static void set_part(struct finder *f, const struct ecma_node *node, struct part *part)
{
    struct byte_mask mask = { { 0, 0 } };
    unsigned n = 0;

    part->is_exact = true;
    for (uint32_t i = 0; i < node->n; i++) {
        const struct ecma_range *r = VEC_AT(&f->re->ranges, struct ecma_range, node->first + i);

        if (r->hi >= 0x80) { /* bytes to Vectorscan, characters to the parser: not for us */
            part->is_exact = false;
            return;
        }
        for (uint32_t c = r->lo; c <= r->hi; c++) {
            uint32_t small = c >= 'A' && c <= 'Z' ? c | 0x20 : c;
            struct required_literal l = { 1, { (char)small } };

            mask.bits[small / 64] |= (uint64_t)1 << small % 64;
            n++;
            if (n <= 8) list_add(&part->exact, &l);
        }
    }
    if (n > 8) part->is_exact = false;
    if (n > 0 && n <= 16 && f->top) add_mask(f->out, &mask);
    if (!part->is_exact) part->exact.n = 0;
}

static void alt_part(struct finder *f, const struct ecma_node *node, struct part *part)
{
    struct part *one = malloc(sizeof(*one));
    bool need = true;
    bool top = f->top;

    if (one == NULL) {
        f->err = GH_ERR_NOMEM;
        return;
    }
    f->top = false;
    part->is_exact = true;
    for (uint32_t c = node->first; c != ECMA_NONE; c = ecma_at(f->re, c)->next) {
        find_part(f, c, one);
        if (part->is_exact && !(one->is_exact && list_join(&part->exact, &one->exact)))
            part->is_exact = false;
        if (one->is_exact) keep_better(&one->need, &one->exact);
        if (list_rarity(&one->need) == 0 || !list_join(&part->need, &one->need)) need = false;
    }
    if (!need) part->need.n = 0;
    f->top = top;
    free(one);
}

static void cat_part(struct finder *f, const struct ecma_node *node, struct part *part)
{
    struct list run = { .n = 1 }; /* the empty text */
    struct list longer;
    struct part *one = malloc(sizeof(*one));
    bool exact = true;

    if (one == NULL) {
        f->err = GH_ERR_NOMEM;
        return;
    }
    for (uint32_t c = node->first; c != ECMA_NONE; c = ecma_at(f->re, c)->next) {
        find_part(f, c, one);
        if (one->is_exact && list_multiply(&run, &one->exact, &longer)) {
            run = longer;
            continue;
        }
        exact = false;
        keep_better(&part->need, &run);
        if (one->is_exact)
            run = one->exact;
        else
            run = (struct list){ .n = 1 };
        keep_better(&part->need, &one->need);
    }
    keep_better(&part->need, &run);
    part->is_exact = exact;
    if (exact) part->exact = run;
    free(one);
}

static void repeat_part(struct finder *f, const struct ecma_node *node, struct part *part)
{
    bool top = f->top;

    if (node->min == 0) f->top = false;
    find_part(f, node->first, part);
    f->top = top;
    if (node->min == 1 && node->max == 1) return;
    if (node->min == 0) {
        struct required_literal empty = { 0 };

        part->need.n = 0;
        if (node->max != 1 || !part->is_exact || !list_add(&part->exact, &empty))
            part->is_exact = false;
        return;
    }
    if (part->is_exact) keep_better(&part->need, &part->exact);
    part->is_exact = false;
}

static void find_part(struct finder *f, uint32_t i, struct part *part)
{
    const struct ecma_node *node = ecma_at(f->re, i);

    part->is_exact = false;
    part->exact.n = part->need.n = 0;
    switch ((enum ecma_op)node->op) {
    case ECMA_SET: set_part(f, node, part); break;
    case ECMA_CAT: cat_part(f, node, part); break;
    case ECMA_ALT: alt_part(f, node, part); break;
    case ECMA_REPEAT: repeat_part(f, node, part); break;
    case ECMA_EMPTY:
    case ECMA_START:
    case ECMA_END:
    case ECMA_WORD:
    case ECMA_NOT_WORD:
        part->is_exact = true;
        part->exact.n = 1;
        part->exact.at[0].len = 0;
        break;
    default: break;
    }
    if (!part->is_exact) part->exact.n = 0;
}

enum gh_err required_find(const char *pattern, struct required *ret_required, char *why,
                          size_t why_size)
{
    struct required out = { 0 };
    struct finder f = { .out = &out, .top = true };
    struct part *part = NULL;
    struct ecma re;
    enum gh_err err = ecma_parse(pattern, strlen(pattern), &re, why, why_size);

    if (err != GH_OK) return err;
    f.re = &re;
    part = malloc(sizeof(*part));
    if (part == NULL) f.err = GH_ERR_NOMEM;
    if (f.err == GH_OK) find_part(&f, re.root, part);
    if (f.err == GH_OK) {
        if (part->is_exact) keep_better(&part->need, &part->exact);
        if (list_rarity(&part->need) > 0) {
            out.n_literals = part->need.n;
            memcpy(out.literals, part->need.at, part->need.n * sizeof(out.literals[0]));
        }
        *ret_required = out;
    }
    free(part);
    ecma_done(&re);
    return f.err;
}
