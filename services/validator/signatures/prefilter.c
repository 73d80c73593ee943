/*
 * Each literal is found by one window of it: its rarest three bytes, or all of it when it is
 * shorter. A bitmap says whether any literal has a window; then a chain of literals is compared in
 * full. Windows are taken with bit 0x20 set in every byte: that makes letters small, and what else
 * it confuses the comparison tells apart. Single bytes and the masks need no more than the union of
 * a word for each byte.
 */
#include "validator/signatures/prefilter.h"

#include <stdlib.h>
#include <string.h>

#define BITS   15 /* of a window's hash: a bitmap of 4 KiB */
#define CHAINS (1u << BITS)
#define FOLD   0x20202020u

struct entry {
    struct required_literal literal;
    uint8_t window; /* where in the literal it starts */
    uint32_t rule;
    uint32_t next; /* entry + 1 */
};

#define MASK_BITS 40 /* of a byte's word: distinct masks; those past it are not checked */
#define ONE_BITS  24 /* the rest: literals of one byte */

struct prefilter {
    uint64_t words[256];         /* what a byte is in */
    uint64_t three[CHAINS / 64]; /* windows of three bytes, by hash */
    uint64_t two[1024];          /* of two, by their folded value */
    uint32_t chains[CHAINS];     /* entry + 1, all lengths together */
    struct entry *entries;
    uint32_t n_entries;
    uint64_t *needs;  /* for each rule: bits of its masks */
    uint64_t *one;    /* [ONE_BITS][n_words]: rules tried when that byte is there */
    uint64_t *always; /* rules without literals */
    uint32_t n_words;
    unsigned n_masks, n_ones;
    struct byte_mask masks[MASK_BITS];
    uint8_t ones[ONE_BITS];
    uint8_t small[256];
};

static inline uint32_t hash(uint32_t window)
{
    return (window * 0x9E3779B1u) >> (32 - BITS);
}

static inline uint32_t load32(const unsigned char *p)
{
    uint32_t v;

    memcpy(&v, p, 4);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    v = __builtin_bswap32(v);
#endif
    return v;
}

/* Of a window's bytes, first byte lowest. */
static inline uint32_t hash_three(uint32_t v)
{
    return hash((v | FOLD) & 0xFFFFFF);
}

static inline uint32_t fold_two(uint32_t v)
{
    return (v | FOLD) & 0xFFFF;
}

static inline uint32_t hash_two(uint32_t v)
{
    return hash(fold_two(v) | 1u << 24);
}

static inline bool has_bit(const uint64_t *bitmap, uint32_t h)
{
    return (bitmap[h / 64] >> h % 64 & 1) != 0;
}

/* Frequent in talk of many kinds; a window without such letters is met less. */
static unsigned commonness(const char *p, unsigned n)
{
    unsigned sum = 0;

    for (unsigned i = 0; i < n; i++) {
        if (p[i] == ' ') sum += 9;
        const char *at = p[i] == '\0' ? NULL : strchr("zqxjkvbpygfwmucldrhsnioate", p[i]);

        if (at != NULL) sum += 1 + (unsigned)(at - "zqxjkvbpygfwmucldrhsnioate") / 3;
    }
    return sum;
}

static void add_entry(struct prefilter *pf, const struct required_literal *l, uint32_t rule)
{
    struct entry *e = &pf->entries[pf->n_entries++];
    unsigned n = l->len < 3 ? l->len : 3;
    unsigned best = 0;
    uint32_t v = 0, h;

    for (unsigned i = 1; i + n <= l->len; i++)
        if (commonness(l->bytes + i, n) < commonness(l->bytes + best, n)) best = i;
    for (unsigned i = n; i > 0; i--)
        v = v << 8 | (unsigned char)l->bytes[best + i - 1];
    h = n == 3 ? hash_three(v) : hash_two(v);
    *e = (struct entry){ *l, (uint8_t)best, rule, pf->chains[h] };
    pf->chains[h] = pf->n_entries;
    if (n == 3)
        pf->three[h / 64] |= (uint64_t)1 << h % 64;
    else
        pf->two[fold_two(v) / 64] |= (uint64_t)1 << fold_two(v) % 64;
}

/* A literal of one byte; when there are too many such bytes the rule is always tried. */
static void add_one(struct prefilter *pf, unsigned char byte, uint32_t rule)
{
    unsigned i = 0;

    while (i < pf->n_ones && pf->ones[i] != byte)
        i++;
    if (i == ONE_BITS) {
        pf->always[rule / 64] |= (uint64_t)1 << rule % 64;
        return;
    }
    if (i == pf->n_ones) pf->ones[pf->n_ones++] = byte;
    pf->one[(size_t)i * pf->n_words + rule / 64] |= (uint64_t)1 << rule % 64;
}

static void add_mask(struct prefilter *pf, const struct byte_mask *mask, uint32_t rule)
{
    unsigned i = 0;

    while (i < pf->n_masks && memcmp(&pf->masks[i], mask, sizeof(*mask)) != 0)
        i++;
    if (i == MASK_BITS) return;
    if (i == pf->n_masks) pf->masks[pf->n_masks++] = *mask;
    pf->needs[rule] |= (uint64_t)1 << i;
}

/* What each byte adds to the union; capitals count as small letters. */
static void make_words(struct prefilter *pf)
{
    for (unsigned c = 0; c < 256; c++) {
        unsigned small = c >= 'A' && c <= 'Z' ? c | 0x20 : c;

        pf->small[c] = (uint8_t)small;
        for (unsigned i = 0; i < pf->n_masks && small < 128; i++)
            if ((pf->masks[i].bits[small / 64] >> small % 64 & 1) != 0)
                pf->words[c] |= (uint64_t)1 << i;
        for (unsigned i = 0; i < pf->n_ones; i++)
            if (pf->ones[i] == small) pf->words[c] |= (uint64_t)1 << (MASK_BITS + i);
    }
}

enum gh_err prefilter_new(const struct required *required, uint32_t n,
                          struct prefilter **ret_prefilter)
{
    struct prefilter *pf = calloc(1, sizeof(*pf));
    uint32_t literals = 0;

    if (pf == NULL) return GH_ERR_NOMEM;
    for (uint32_t i = 0; i < n; i++)
        literals += required[i].n_literals;
    pf->n_words = (n + 63) / 64;
    pf->entries = calloc(literals + 1, sizeof(*pf->entries));
    pf->needs = calloc(n + 1, sizeof(*pf->needs));
    pf->one = calloc((size_t)ONE_BITS * (pf->n_words + 1), sizeof(*pf->one));
    pf->always = calloc(pf->n_words + 1, sizeof(*pf->always));
    if (pf->entries == NULL || pf->needs == NULL || pf->one == NULL || pf->always == NULL) {
        prefilter_free(pf);
        return GH_ERR_NOMEM;
    }
    for (uint32_t i = 0; i < n; i++) {
        for (uint32_t k = 0; k < required[i].n_literals; k++) {
            const struct required_literal *l = &required[i].literals[k];

            if (l->len == 1)
                add_one(pf, (unsigned char)l->bytes[0], i);
            else
                add_entry(pf, l, i);
        }
        if (required[i].n_literals == 0) pf->always[i / 64] |= (uint64_t)1 << i % 64;
        for (uint32_t m = 0; m < required[i].n_masks; m++)
            add_mask(pf, &required[i].masks[m], i);
    }
    make_words(pf);
    *ret_prefilter = pf;
    return GH_OK;
}

void prefilter_free(struct prefilter *prefilter)
{
    if (prefilter == NULL) return;
    free(prefilter->entries);
    free(prefilter->needs);
    free(prefilter->one);
    free(prefilter->always);
    free(prefilter);
}

static bool is_here(const struct prefilter *pf, const struct entry *e, const unsigned char *text,
                    size_t len, size_t at)
{
    if (at < e->window || at - e->window + e->literal.len > len) return false;
    text += at - e->window;
    for (unsigned i = 0; i < e->literal.len; i++)
        if (pf->small[text[i]] != (unsigned char)e->literal.bytes[i]) return false;
    return true;
}

/* All literals whose window is at text[at]. */
static void try_chain(const struct prefilter *pf, uint32_t h, const unsigned char *text, size_t len,
                      size_t at, uint64_t *rules)
{
    for (uint32_t i = pf->chains[h]; i != 0; i = pf->entries[i - 1].next) {
        const struct entry *e = &pf->entries[i - 1];
        uint64_t bit = (uint64_t)1 << e->rule % 64;

        if ((rules[e->rule / 64] & bit) == 0 && is_here(pf, e, text, len, at))
            rules[e->rule / 64] |= bit;
    }
}

/* Takes out the rules whose masks the text's bytes do not meet. */
static bool apply_masks(const struct prefilter *pf, uint64_t have, uint64_t *rules)
{
    uint64_t left = 0;

    for (uint32_t w = 0; w < pf->n_words; w++) {
        for (uint64_t bits = rules[w]; bits != 0; bits &= bits - 1) {
            unsigned i = (unsigned)__builtin_ctzll(bits);

            if ((pf->needs[w * 64 + i] & ~have) != 0) rules[w] &= ~((uint64_t)1 << i);
        }
        left |= rules[w];
    }
    return left != 0;
}

bool prefilter_run(const struct prefilter *prefilter, const char *text, size_t len, uint64_t *rules)
{
    const struct prefilter *pf = prefilter;
    const unsigned char *p = (const unsigned char *)text;
    uint64_t have = 0;
    size_t i = 0;

    for (uint32_t w = 0; w < pf->n_words; w++)
        rules[w] |= pf->always[w];
    for (; i + 4 <= len; i++) {
        uint32_t v = load32(p + i);
        uint32_t h3 = hash_three(v);

        have |= pf->words[v & 0xFF];
        if (__builtin_expect(has_bit(pf->three, h3) | has_bit(pf->two, fold_two(v)), 0)) {
            try_chain(pf, h3, p, len, i, rules);
            try_chain(pf, hash_two(v), p, len, i, rules);
        }
    }
    for (; i < len; i++) { /* the last three bytes */
        uint32_t v = p[i] | (i + 1 < len ? (uint32_t)p[i + 1] << 8 : 0) |
                     (i + 2 < len ? (uint32_t)p[i + 2] << 16 : 0);

        have |= pf->words[v & 0xFF];
        if (i + 3 <= len) try_chain(pf, hash_three(v), p, len, i, rules);
        if (i + 2 <= len) try_chain(pf, hash_two(v), p, len, i, rules);
    }
    for (uint64_t bits = have >> MASK_BITS; bits != 0; bits &= bits - 1) {
        const uint64_t *one = &pf->one[(size_t)__builtin_ctzll(bits) * pf->n_words];

        for (uint32_t w = 0; w < pf->n_words; w++)
            rules[w] |= one[w];
    }
    return apply_masks(pf, have, rules);
}
