#include "validator/schema/relang.h"

#include "validator/schema/keyset.h"

#include <stdlib.h>
#include <string.h>

#define MAX_DEPTH 2000 /* of terms within terms, for the recursion */

/* ---- alphabet ---- */

static int compare_u32(const void *a, const void *b)
{
    uint32_t va = *(const uint32_t *)a;
    uint32_t vb = *(const uint32_t *)b;

    return (va > vb) - (va < vb);
}

/* The intervals between all ends of all ranges; sorted, each once. */
static enum gh_err find_bounds(struct lang_alphabet *alphabet, const struct ecma *re)
{
    uint32_t *bounds;
    uint32_t n = 0;

    bounds = vec_push_n(&alphabet->bounds, re->ranges.n * 2 + 1);
    if (bounds == NULL) return GH_ERR_NOMEM;
    bounds[n++] = 0;
    for (uint32_t i = 0; i < re->ranges.n; i++) {
        const struct ecma_range *r = VEC_AT(&re->ranges, struct ecma_range, i);

        bounds[n++] = r->lo;
        if (r->hi < 0x10FFFF) bounds[n++] = r->hi + 1;
    }
    qsort(bounds, n, sizeof(*bounds), compare_u32);
    alphabet->bounds.n = 1;
    for (uint32_t i = 1; i < n; i++)
        if (bounds[i] != bounds[alphabet->bounds.n - 1]) bounds[alphabet->bounds.n++] = bounds[i];
    return GH_OK;
}

static bool in_ranges(const struct ecma_range *r, uint32_t n, uint32_t c)
{
    uint32_t lo = 0;

    while (lo < n) {
        uint32_t mid = lo + (n - lo) / 2;

        if (c < r[mid].lo)
            n = mid;
        else if (c > r[mid].hi)
            lo = mid + 1;
        else
            return true;
    }
    return false;
}

/* Refines the classes by one set: an interval's new class is (old class, in or out). */
static bool refine(struct lang_alphabet *alphabet, const struct ecma_range *ranges, uint32_t n)
{
    uint16_t renamed[2][LANG_MAX_CLASSES + 1];
    uint32_t next = 0;

    memset(renamed, 0xFF, sizeof(renamed));
    for (uint32_t i = 0; i < alphabet->bounds.n; i++) {
        uint8_t *class_id = VEC_AT(&alphabet->classes, uint8_t, i);
        bool in = in_ranges(ranges, n, *VEC_AT(&alphabet->bounds, uint32_t, i));

        if (renamed[in][*class_id] == UINT16_MAX) {
            if (next >= LANG_MAX_CLASSES) return false;
            renamed[in][*class_id] = (uint16_t)next++;
        }
        *class_id = (uint8_t)renamed[in][*class_id];
    }
    alphabet->n_classes = next;
    return true;
}

uint32_t lang_class(const struct lang_alphabet *alphabet, uint32_t c)
{
    const uint32_t *bounds = alphabet->bounds.data;
    uint32_t lo = 0;
    uint32_t hi = alphabet->bounds.n;

    while (hi - lo > 1) {
        uint32_t mid = lo + (hi - lo) / 2;

        if (bounds[mid] <= c)
            lo = mid;
        else
            hi = mid;
    }
    return *VEC_AT(&alphabet->classes, uint8_t, lo);
}

static enum gh_err make_alphabet(struct lang_alphabet *alphabet, const struct ecma *re)
{
    enum gh_err err = find_bounds(alphabet, re);

    if (err != GH_OK) return err;
    if (vec_push_n(&alphabet->classes, alphabet->bounds.n) == NULL) return GH_ERR_NOMEM;
    alphabet->n_classes = 1;
    for (uint32_t i = 0; i < re->nodes.n; i++) {
        const struct ecma_node *node = ecma_at(re, i);

        if (node->op == ECMA_SET &&
            !refine(alphabet, VEC_AT(&re->ranges, struct ecma_range, node->first), node->n))
            return GH_ERR_LIMIT;
    }
    return GH_OK;
}

/* ---- terms ---- */

static uint64_t hash_term(const struct lang *l, const struct lang_term *t)
{
    uint64_t h =
        keyset_mix((uint64_t)t->op << 56 ^ (uint64_t)t->min << 20 ^ t->max, 0x9E3779B97F4A7C15u);

    if (t->op == LANG_ALT || t->op == LANG_AND)
        for (uint32_t i = 0; i < t->b; i++)
            h = keyset_mix(h ^ *VEC_AT(&l->lists, uint32_t, t->a + i), 0xA0761D6478BD642Fu);
    else if (t->op == LANG_SET)
        h = keyset_mix(h ^ VEC_AT(&l->bits, uint64_t, t->a)[0],
                       VEC_AT(&l->bits, uint64_t, t->a)[1] ^ 0xE7037ED1A0B428DBu);
    else
        h = keyset_mix(h ^ t->a, t->b ^ 0xE7037ED1A0B428DBu);
    return h;
}

static bool same_term(const struct lang *l, const struct lang_term *x, const struct lang_term *y)
{
    if (x->op != y->op || x->min != y->min || x->max != y->max) return false;
    if (x->op == LANG_ALT || x->op == LANG_AND)
        return x->b == y->b && memcmp(VEC_AT(&l->lists, uint32_t, x->a),
                                      VEC_AT(&l->lists, uint32_t, y->a), x->b * 4) == 0;
    if (x->op == LANG_SET)
        return memcmp(VEC_AT(&l->bits, uint64_t, x->a), VEC_AT(&l->bits, uint64_t, y->a), 16) == 0;
    return x->a == y->a && x->b == y->b;
}

static uint32_t give_up(struct lang *l)
{
    l->full = true;
    return LANG_NONE;
}

static bool grow_table(struct lang *l)
{
    uint32_t size = l->table_size == 0 ? 256 : l->table_size * 2;
    uint32_t *table = calloc(size, sizeof(*table));

    if (table == NULL) return false;
    free(l->table);
    l->table = table;
    l->table_size = size;
    for (uint32_t i = 0; i < l->terms.n; i++) {
        uint32_t at = (uint32_t)hash_term(l, lang_at(l, i)) & (size - 1);

        while (table[at] != 0)
            at = (at + 1) & (size - 1);
        table[at] = i + 1;
    }
    return true;
}

/* The one term like this. Its list or bits are at the end of their vecs and stay if it is new. */
static uint32_t intern(struct lang *l, const struct lang_term *t)
{
    struct lang_term *to;
    uint32_t at;

    if (l->full || l->terms.n >= LANG_MAX_TERMS) return give_up(l);
    if (l->terms.n * 2 >= l->table_size && !grow_table(l)) return give_up(l);
    at = (uint32_t)hash_term(l, t) & (l->table_size - 1);
    for (; l->table[at] != 0; at = (at + 1) & (l->table_size - 1))
        if (same_term(l, lang_at(l, l->table[at] - 1), t)) return l->table[at] - 1;
    to = vec_push(&l->terms);
    if (to == NULL) return give_up(l);
    *to = *t;
    l->table[at] = l->terms.n;
    return l->terms.n - 1;
}

enum gh_err lang_init(struct lang *l, const struct ecma *re)
{
    enum gh_err err;

    *l = (struct lang){
        .alphabet = { .bounds = VEC_INIT(uint32_t), .classes = VEC_INIT(uint8_t) },
        .terms = VEC_INIT(struct lang_term),
        .lists = VEC_INIT(uint32_t),
        .bits = VEC_INIT(uint64_t),
    };
    err = make_alphabet(&l->alphabet, re);
    if (err != GH_OK) return err;
    for (uint32_t i = LANG_NEVER; i <= LANG_ALL; i++) {
        struct lang_term leaf = { .op = LANG_LEAF, .a = i, .nullable = i != LANG_NEVER };

        if (intern(l, &leaf) != i) return GH_ERR_NOMEM;
    }
    return GH_OK;
}

void lang_done(struct lang *l)
{
    vec_done(&l->alphabet.bounds);
    vec_done(&l->alphabet.classes);
    vec_done(&l->terms);
    vec_done(&l->lists);
    vec_done(&l->bits);
    free(l->table);
    free(l->memo);
    l->table = NULL;
    l->memo = NULL;
}

uint32_t lang_set(struct lang *l, const struct ecma_range *ranges, uint32_t n)
{
    uint64_t bits[2] = { 0, 0 };
    struct lang_term t = { .op = LANG_SET };
    uint64_t *to;
    uint32_t made;

    if (n == 0) return LANG_NEVER;
    for (uint32_t i = 0; i < l->alphabet.bounds.n; i++)
        if (in_ranges(ranges, n, *VEC_AT(&l->alphabet.bounds, uint32_t, i))) {
            uint32_t class_id = *VEC_AT(&l->alphabet.classes, uint8_t, i);

            bits[class_id / 64] |= (uint64_t)1 << class_id % 64;
        }
    t.a = l->bits.n;
    to = vec_push_n(&l->bits, 2);
    if (to == NULL) return give_up(l);
    memcpy(to, bits, sizeof(bits));
    made = intern(l, &t);
    if (made == LANG_NONE || lang_at(l, made)->a != t.a) l->bits.n = t.a;
    return made;
}

uint32_t lang_cat(struct lang *l, uint32_t a, uint32_t b)
{
    struct lang_term t = { .op = LANG_CAT, .a = a, .b = b };

    if (a == LANG_NONE || b == LANG_NONE) return LANG_NONE;
    if (a == LANG_NEVER || b == LANG_NEVER) return LANG_NEVER;
    if (a == LANG_EMPTY) return b;
    if (b == LANG_EMPTY) return a;
    if (b == LANG_ALL && lang_at(l, a)->nullable) return LANG_ALL;
    if (lang_at(l, a)->op == LANG_CAT) /* to the right, so that equal languages look alike */
        return lang_cat(l, lang_at(l, a)->a, lang_cat(l, lang_at(l, a)->b, b));
    t.nullable = lang_at(l, a)->nullable && lang_at(l, b)->nullable;
    return intern(l, &t);
}

/* ALT and AND are sorted lists without repetition; `zero` swallows everything, `one` is left out.
 */
static uint32_t combine(struct lang *l, enum lang_op op, uint32_t a, uint32_t b)
{
    uint32_t zero = op == LANG_ALT ? LANG_ALL : LANG_NEVER;
    uint32_t one = op == LANG_ALT ? LANG_NEVER : LANG_ALL;
    struct lang_term t = { .op = (uint8_t)op };
    uint32_t na, nb, i = 0, j = 0, n = 0, made;
    uint32_t *to;

    if (a == LANG_NONE || b == LANG_NONE) return LANG_NONE;
    if (a == zero || b == zero) return zero;
    if (a == one || a == b) return b;
    if (b == one) return a;
    na = lang_at(l, a)->op == op ? lang_at(l, a)->b : 1;
    nb = lang_at(l, b)->op == op ? lang_at(l, b)->b : 1;
    t.a = l->lists.n;
    to = vec_push_n(&l->lists, na + nb);
    if (to == NULL || l->lists.n > LANG_MAX_TERMS * 16) return give_up(l);

    const uint32_t *la = na > 1 ? VEC_AT(&l->lists, uint32_t, lang_at(l, a)->a) : &a;
    const uint32_t *lb = nb > 1 ? VEC_AT(&l->lists, uint32_t, lang_at(l, b)->a) : &b;

    while (i < na || j < nb) {
        uint32_t member;

        if (j == nb || (i < na && la[i] <= lb[j])) {
            member = la[i];
            if (j < nb && la[i] == lb[j]) j++;
            i++;
        } else {
            member = lb[j++];
        }
        to[n++] = member;
        t.nullable = n == 1           ? lang_at(l, member)->nullable
                     : op == LANG_ALT ? t.nullable || lang_at(l, member)->nullable
                                      : t.nullable && lang_at(l, member)->nullable;
    }
    t.b = n;
    l->lists.n = t.a + n;
    made = n == 1 ? to[0] : intern(l, &t);
    if (made == LANG_NONE || n == 1 || lang_at(l, made)->a != t.a) l->lists.n = t.a;
    return made;
}

uint32_t lang_alt(struct lang *l, uint32_t a, uint32_t b)
{
    return combine(l, LANG_ALT, a, b);
}

uint32_t lang_and(struct lang *l, uint32_t a, uint32_t b)
{
    if (a == LANG_NONE || b == LANG_NONE) return LANG_NONE;
    if (a == LANG_EMPTY) return lang_at(l, b)->nullable ? LANG_EMPTY : LANG_NEVER;
    if (b == LANG_EMPTY) return lang_at(l, a)->nullable ? LANG_EMPTY : LANG_NEVER;
    return combine(l, LANG_AND, a, b);
}

uint32_t lang_not(struct lang *l, uint32_t a)
{
    struct lang_term t = { .op = LANG_NOT, .a = a };

    if (a == LANG_NONE) return LANG_NONE;
    if (a == LANG_NEVER) return LANG_ALL;
    if (a == LANG_ALL) return LANG_NEVER;
    if (lang_at(l, a)->op == LANG_NOT) return lang_at(l, a)->a;
    t.nullable = !lang_at(l, a)->nullable;
    return intern(l, &t);
}

uint32_t lang_repeat(struct lang *l, uint32_t a, uint32_t min, uint32_t max)
{
    struct lang_term t = { .op = LANG_REPEAT, .a = a, .min = min, .max = max };

    if (a == LANG_NONE) return LANG_NONE;
    if (max == 0 || a == LANG_EMPTY) return LANG_EMPTY;
    if (a == LANG_NEVER) return min == 0 ? LANG_EMPTY : LANG_NEVER;
    if (a == LANG_ALL) return a;
    if (min == 1 && max == 1) return a;
    if (lang_at(l, a)->nullable) t.min = 0;
    if (t.min == 0 && max == ECMA_UNLIMITED && lang_at(l, a)->op == LANG_SET) {
        const uint64_t *bits = VEC_AT(&l->bits, uint64_t, lang_at(l, a)->a);
        uint32_t have = (uint32_t)(__builtin_popcountll(bits[0]) + __builtin_popcountll(bits[1]));

        if (have == l->alphabet.n_classes) return LANG_ALL;
    }
    if (t.min == 0 && max == ECMA_UNLIMITED && lang_at(l, a)->op == LANG_REPEAT &&
        lang_at(l, a)->min == 0 && lang_at(l, a)->max == ECMA_UNLIMITED)
        return a;
    t.nullable = t.min == 0;
    return intern(l, &t);
}

/* ---- derivatives ---- */

static bool room_for_memo(struct lang *l)
{
    uint32_t terms = l->memo_terms == 0 ? 256 : l->memo_terms;
    size_t row = l->alphabet.n_classes;
    uint32_t *memo;

    if (l->terms.n <= l->memo_terms) return true;
    while (terms < l->terms.n)
        terms *= 2;
    memo = realloc(l->memo, terms * row * sizeof(*memo));
    if (memo == NULL) return false;
    memset(memo + l->memo_terms * row, 0, (terms - l->memo_terms) * row * sizeof(*memo));
    l->memo = memo;
    l->memo_terms = terms;
    return true;
}

static uint32_t derive_list(struct lang *l, const struct lang_term *t, uint32_t class_id)
{
    uint32_t sum = t->op == LANG_ALT ? LANG_NEVER : LANG_ALL;

    for (uint32_t i = 0; i < t->b && sum != LANG_NONE; i++) {
        uint32_t member = *VEC_AT(&l->lists, uint32_t, t->a + i);

        sum = combine(l, (enum lang_op)t->op, sum, lang_derive(l, member, class_id));
    }
    return sum;
}

static uint32_t derive(struct lang *l, uint32_t term, uint32_t class_id)
{
    struct lang_term t = *lang_at(l, term); /* a copy: terms move */
    uint32_t d, rest;

    switch ((enum lang_op)t.op) {
    case LANG_LEAF: return term == LANG_ALL ? LANG_ALL : LANG_NEVER;
    case LANG_SET:
        return (VEC_AT(&l->bits, uint64_t, t.a)[class_id / 64] >> class_id % 64 & 1) != 0
                   ? LANG_EMPTY
                   : LANG_NEVER;
    case LANG_CAT:
        d = lang_cat(l, lang_derive(l, t.a, class_id), t.b);
        return lang_at(l, t.a)->nullable ? lang_alt(l, d, lang_derive(l, t.b, class_id)) : d;
    case LANG_REPEAT:
        rest = lang_repeat(l, t.a, t.min > 0 ? t.min - 1 : 0,
                           t.max == ECMA_UNLIMITED ? t.max : t.max - 1);
        return lang_cat(l, lang_derive(l, t.a, class_id), rest);
    case LANG_NOT: return lang_not(l, lang_derive(l, t.a, class_id));
    default: return derive_list(l, &t, class_id);
    }
}

uint32_t lang_derive(struct lang *l, uint32_t t, uint32_t class_id)
{
    size_t at;
    uint32_t d;

    if (l->full || t == LANG_NONE || l->depth > MAX_DEPTH || !room_for_memo(l)) return give_up(l);
    at = (size_t)t * l->alphabet.n_classes + class_id;
    if (l->memo[at] != 0) return l->memo[at] - 1;
    l->depth++;
    d = derive(l, t, class_id);
    l->depth--;
    if (d != LANG_NONE) l->memo[at] = d + 1; /* rows only ever move with their content */
    return d;
}
