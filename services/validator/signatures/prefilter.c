/*
 * Each literal is found by one window of it: four bytes that ordinary text has seldom, or all of
 * it when it is shorter. A bitmap says whether any literal has a window; then a chain of literals
 * is compared in full. Windows are taken with bit 0x20 set in every byte: that makes letters small,
 * and what else it confuses the comparison tells apart. Single bytes and the masks need no more
 * than the union of a word for each byte.
 *
 * With AVX2 the union is taken first, and positions are looked at only where one of thirty-two
 * buckets of windows lets them through. Rules that need a byte rare in prose are a second tier with
 * buckets of its own, left out of texts without such bytes.
 */
#include "validator/signatures/prefilter_internal.h"

#include <stdlib.h>
#include <string.h>

/* What prose of any kind has: a mask without these is a rare one. */
#define COMMON " !\"'(),-.0123456789:;?\n\r\t"

#define SHORT 12 /* a text that is looked at sooner than the tables are loaded */

static inline uint32_t load32(const unsigned char *p)
{
    uint32_t v;

    memcpy(&v, p, 4);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    v = __builtin_bswap32(v);
#endif
    return v;
}

static void add_entry(struct prefilter *pf, const struct required_literal *l, uint32_t rule,
                      unsigned tier)
{
    pf->entries[pf->n_entries++] =
        (struct entry){ .literal = *l, .rule = rule, .tier = (uint8_t)tier };
}

/* Once its window is chosen. */
static void chain_entry(struct prefilter *pf, uint32_t i)
{
    struct entry *e = &pf->entries[i];
    unsigned n = e->literal.len < 4 ? e->literal.len : 4;
    uint32_t v = 0, h;

    for (unsigned k = n; k > 0; k--)
        v = v << 8 | (unsigned char)e->literal.bytes[e->window + k - 1];
    h = n == 4 ? prefilter_hash_four(v) : n == 3 ? prefilter_hash_three(v) : prefilter_hash_two(v);
    e->next = pf->chains[h];
    pf->chains[h] = i + 1;
    if (n == 4)
        pf->four[h / 64] |= (uint64_t)1 << h % 64;
    else if (n == 3)
        pf->three[h / 64] |= (uint64_t)1 << h % 64;
    else
        pf->two[prefilter_fold_two(v) / 64] |= (uint64_t)1 << prefilter_fold_two(v) % 64;
}

/* A literal of one byte; when there are too many such bytes the rule is always tried. */
static void add_one(struct prefilter *pf, unsigned char byte, uint32_t rule)
{
    unsigned i = 0;

    while (i < pf->n_ones && pf->ones[i] != byte)
        i++;
    if (i == PREFILTER_ONE_BITS) {
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
    if (i == PREFILTER_MASK_BITS) return;
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
            if (pf->ones[i] == small) pf->words[c] |= (uint64_t)1 << (PREFILTER_MASK_BITS + i);
    }
}

static bool is_rare(const struct byte_mask *mask)
{
    for (const char *c = COMMON; *c != '\0'; c++)
        if ((mask->bits[(unsigned char)*c / 64] >> (unsigned char)*c % 64 & 1) != 0) return false;
    return true;
}

/* The second tier's rules each need a rare mask that is checked. */
static unsigned tier_of(struct prefilter *pf, uint32_t rule)
{
    unsigned tier = 0;

    for (unsigned i = 0; i < pf->n_masks; i++)
        if ((pf->needs[rule] >> i & 1) != 0 && is_rare(&pf->masks[i])) {
            pf->rare |= (uint64_t)1 << i;
            tier = 1;
        }
    return tier;
}

/* One bit for each different word of the bytes with one high half. */
static void make_classes(struct prefilter *pf)
{
    struct classes *c = &pf->classes;
    unsigned n = 0, first_of_row = 0;

    c->fit = true;
    for (unsigned byte = 0; byte < 256; byte++) {
        unsigned atom = first_of_row;

        if (byte % 16 == 0) atom = first_of_row = n;
        if (pf->words[byte] == 0) continue;
        while (atom < n && c->words[atom] != pf->words[byte])
            atom++;
        if (atom == CLASS_GROUPS * 8) {
            c->fit = false;
            return;
        }
        if (atom == n) {
            c->words[n++] = pf->words[byte];
            c->high[atom / 8][byte / 16] |= (uint8_t)(1u << atom % 8);
        }
        c->low[atom / 8][byte % 16] |= (uint8_t)(1u << atom % 8);
    }
    c->n_groups = (n + 7) / 8;
}

static enum gh_err build(struct prefilter *pf, const struct required *required, uint32_t n)
{
    enum gh_err err;

    for (uint32_t i = 0; i < n; i++) {
        unsigned tier;

        for (uint32_t m = 0; m < required[i].n_masks; m++)
            add_mask(pf, &required[i].masks[m], i);
        tier = tier_of(pf, i);
        for (uint32_t k = 0; k < required[i].n_literals; k++) {
            const struct required_literal *l = &required[i].literals[k];

            if (l->len == 1)
                add_one(pf, (unsigned char)l->bytes[0], i);
            else
                add_entry(pf, l, i, tier);
        }
        if (required[i].n_literals == 0) pf->always[i / 64] |= (uint64_t)1 << i % 64;
    }
    err = prefilter_choose_windows(pf);
    for (uint32_t i = 0; err == GH_OK && i < pf->n_entries; i++)
        chain_entry(pf, i);
    make_words(pf);
    make_classes(pf);
#if defined(__x86_64__)
    pf->avx2 = pf->classes.fit && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi");
#endif
    return err;
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
    pf->one = calloc((size_t)PREFILTER_ONE_BITS * (pf->n_words + 1), sizeof(*pf->one));
    pf->always = calloc(pf->n_words + 1, sizeof(*pf->always));
    if (pf->entries == NULL || pf->needs == NULL || pf->one == NULL || pf->always == NULL) {
        prefilter_free(pf);
        return GH_ERR_NOMEM;
    }
    if (build(pf, required, n) != GH_OK) {
        prefilter_free(pf);
        return GH_ERR_NOMEM;
    }
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

static void try_chain(const struct prefilter *pf, uint32_t h, const unsigned char *text, size_t len,
                      size_t at, uint64_t have, uint64_t *rules)
{
    for (uint32_t i = pf->chains[h]; i != 0; i = pf->entries[i - 1].next) {
        const struct entry *e = &pf->entries[i - 1];
        uint64_t bit = (uint64_t)1 << e->rule % 64;

        if ((rules[e->rule / 64] & bit) != 0 || (pf->needs[e->rule] & ~have) != 0) continue;
        if (is_here(pf, e, text, len, at)) rules[e->rule / 64] |= bit;
    }
}

void prefilter_try(const struct prefilter *pf, uint32_t v, const unsigned char *text, size_t len,
                   size_t at, uint64_t have, uint64_t *rules)
{
    uint32_t four = prefilter_hash_four(v), three = prefilter_hash_three(v);

    if (prefilter_has_bit(pf->four, four)) try_chain(pf, four, text, len, at, have, rules);
    if (prefilter_has_bit(pf->three, three)) try_chain(pf, three, text, len, at, have, rules);
    if (prefilter_has_bit(pf->two, prefilter_fold_two(v)))
        try_chain(pf, prefilter_hash_two(v), text, len, at, have, rules);
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

static bool finish(const struct prefilter *pf, uint64_t have, uint64_t *rules)
{
    for (uint64_t bits = have >> PREFILTER_MASK_BITS; bits != 0; bits &= bits - 1) {
        const uint64_t *one = &pf->one[(size_t)__builtin_ctzll(bits) * pf->n_words];

        for (uint32_t w = 0; w < pf->n_words; w++)
            rules[w] |= one[w];
    }
    for (uint32_t w = 0; w < pf->n_words; w++)
        rules[w] |= pf->always[w];
    return apply_masks(pf, have, rules);
}

bool prefilter_run_plain(const struct prefilter *prefilter, const char *text, size_t len,
                         uint64_t *rules)
{
    const struct prefilter *pf = prefilter;
    const unsigned char *p = (const unsigned char *)text;
    uint64_t have = 0;
    size_t i = 0;

    for (; i + 4 <= len; i++) {
        uint32_t v = load32(p + i);

        have |= pf->words[v & 0xFF];
        if (__builtin_expect(prefilter_is_window(pf, v), 0))
            prefilter_try(pf, v, p, len, i, UINT64_MAX, rules);
    }
    for (; i < len; i++) { /* the last three bytes */
        uint32_t v = p[i] | (i + 1 < len ? (uint32_t)p[i + 1] << 8 : 0) |
                     (i + 2 < len ? (uint32_t)p[i + 2] << 16 : 0);

        have |= pf->words[v & 0xFF];
        prefilter_try(pf, v, p, len, i, UINT64_MAX, rules);
    }
    return finish(pf, have, rules);
}

bool prefilter_run(const struct prefilter *prefilter, const char *text, size_t len, uint64_t *rules)
{
#if defined(__x86_64__)
    const struct prefilter *pf = prefilter;
    const unsigned char *p = (const unsigned char *)text;

    if (pf->avx2 && len >= SHORT) {
        uint64_t have = prefilter_classes_avx2(&pf->classes, p, len);

        if (pf->tiers[0].used) prefilter_windows_avx2(pf, &pf->tiers[0], p, len, have, rules);
        if (pf->tiers[1].used && (have & pf->rare) != 0)
            prefilter_windows_avx2(pf, &pf->tiers[1], p, len, have, rules);
        return finish(pf, have, rules);
    }
#endif
    return prefilter_run_plain(prefilter, text, len, rules);
}
