/*
 * relang - languages as terms: regular expressions with intersection and complement, made unique by
 * hashing, and their derivatives. Private to schema/.
 *
 * A term's derivative by a character is the language of what may follow it; taking derivatives
 * until no new term appears gives a deterministic automaton. Intersection and complement are what
 * make lookahead an ordinary part of that: (?=A)B is the language of rests in A.* and in B.
 *
 * Source: J. A. Brzozowski, Derivatives of Regular Expressions, JACM 11 (1964); S. Owens, J. Reppy,
 * A. Turon, Regular-expression derivatives re-examined, JFP 19 (2009).
 */
#ifndef VALIDATOR_SCHEMA_RELANG_H
#define VALIDATOR_SCHEMA_RELANG_H

#include "validator/schema/ecma.h"

/* Terms are numbers. These three are always there. */
#define LANG_NEVER 0u /* no text at all */
#define LANG_EMPTY 1u /* the empty text */
#define LANG_ALL   2u /* every text */

#define LANG_NONE        UINT32_MAX /* too many terms, or no memory */
#define LANG_MAX_TERMS   60000u
#define LANG_MAX_CLASSES 120u

enum lang_op { LANG_SET, LANG_CAT, LANG_REPEAT, LANG_ALT, LANG_AND, LANG_NOT, LANG_LEAF };

struct lang_term {
    uint8_t op; /* enum lang_op */
    bool nullable;
    uint32_t a,
        b; /* CAT: both; REPEAT, NOT: a; SET: a is its bits' index; ALT, AND: b of them from a */
    uint32_t min, max; /* REPEAT */
};

/* The alphabet: code points that no set of the expression tells apart are one class. */
struct lang_alphabet {
    struct vec bounds;  /* uint32_t: first code point of each interval, ascending, the first is 0 */
    struct vec classes; /* uint8_t: the interval's class */
    uint32_t n_classes;
};

struct lang {
    struct lang_alphabet alphabet;
    struct vec terms; /* struct lang_term */
    struct vec lists; /* uint32_t: members of ALT and AND */
    struct vec bits;  /* uint64_t pairs: which classes a SET has */
    uint32_t *table;  /* term + 1, by hash */
    uint32_t table_size;
    uint32_t *memo; /* derivative + 1, [term][class], grown with terms */
    uint32_t memo_terms;
    bool full; /* a limit was hit: everything returns LANG_NONE from now on */
    unsigned depth;
};

/* GH_ERR_LIMIT when the expression's sets make too many classes. */
GH_NODISCARD enum gh_err lang_init(struct lang *l, const struct ecma *re);
void lang_done(struct lang *l);

/* The class of a code point. */
uint32_t lang_class(const struct lang_alphabet *alphabet, uint32_t c);

static inline const struct lang_term *lang_at(const struct lang *l, uint32_t t)
{
    return VEC_AT(&l->terms, struct lang_term, t);
}

uint32_t lang_set(struct lang *l, const struct ecma_range *ranges, uint32_t n);
uint32_t lang_cat(struct lang *l, uint32_t a, uint32_t b);
uint32_t lang_alt(struct lang *l, uint32_t a, uint32_t b);
uint32_t lang_and(struct lang *l, uint32_t a, uint32_t b);
uint32_t lang_not(struct lang *l, uint32_t a);
uint32_t lang_repeat(struct lang *l, uint32_t a, uint32_t min, uint32_t max);

uint32_t lang_derive(struct lang *l, uint32_t t, uint32_t class_id);

#endif
