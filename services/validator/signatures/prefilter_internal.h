/*
 * prefilter_internal - what the prefilter's files share.
 *
 *   prefilter.c          built from what rules require; the scan of any processor
 *   prefilter_buckets.c  which window of each literal is looked for, and in which bucket
 *   prefilter_avx2.c     the scan 32 bytes at a time
 */
#ifndef VALIDATOR_SIGNATURES_PREFILTER_INTERNAL_H
#define VALIDATOR_SIGNATURES_PREFILTER_INTERNAL_H

#include "validator/signatures/prefilter.h"

#define PREFILTER_HASH_BITS 15 /* of a window's hash: a bitmap of 4 KiB */
#define PREFILTER_CHAINS    (1u << PREFILTER_HASH_BITS)
#define PREFILTER_FOLD      0x20202020u

/* The bits of a byte's word: distinct masks (those past them are not checked), then literals of one
 * byte. */
#define PREFILTER_MASK_BITS 46
#define PREFILTER_ONE_BITS  18

#define PREFILTER_WINDOW 4 /* bytes; of shorter literals, all of it */
#define BUCKET_GROUPS    4 /* of eight */
#define BUCKET_POSITIONS 3
#define CLASS_GROUPS     8 /* of eight atoms */
#define PREFILTER_TIERS  2

struct entry {
    struct required_literal literal;
    uint8_t window; /* where in the literal it starts */
    uint8_t tier;
    uint32_t rule;
    uint32_t next; /* entry + 1 */
};

/* For each position of a window and each half of its byte, the buckets that have it there. */
struct buckets {
    uint8_t low[BUCKET_POSITIONS][BUCKET_GROUPS][16];
    uint8_t high[BUCKET_POSITIONS][BUCKET_GROUPS][16];
    bool used;
};

/* Bytes with the same high half and the same word are an atom. */
struct classes {
    uint8_t low[CLASS_GROUPS][16], high[CLASS_GROUPS][16];
    uint64_t words[CLASS_GROUPS * 8]; /* by atom */
    unsigned n_groups;
    bool fit; /* false: too many atoms */
};

struct prefilter {
    uint64_t words[256];                   /* what a byte is in */
    uint64_t four[PREFILTER_CHAINS / 64];  /* windows of four bytes, by hash */
    uint64_t three[PREFILTER_CHAINS / 64]; /* windows of three bytes, by hash */
    uint64_t two[1024];                    /* of two, by their folded value */
    uint32_t chains[PREFILTER_CHAINS];     /* entry + 1, all lengths together */
    struct entry *entries;
    uint32_t n_entries;
    uint64_t *needs;  /* for each rule: bits of its masks */
    uint64_t *one;    /* [PREFILTER_ONE_BITS][n_words]: rules tried when that byte is there */
    uint64_t *always; /* rules without literals */
    uint32_t n_words;
    unsigned n_masks, n_ones;
    struct byte_mask masks[PREFILTER_MASK_BITS];
    uint8_t ones[PREFILTER_ONE_BITS];
    uint8_t small[256];
    struct classes classes;
    struct buckets tiers[PREFILTER_TIERS];
    uint64_t
        rare; /* masks of which the second tier's rules have one: without any, none can match */
    bool avx2;
};

static inline uint32_t prefilter_hash(uint32_t window)
{
    return (window * 0x9E3779B1u) >> (32 - PREFILTER_HASH_BITS);
}

/* Of a window's bytes, first byte lowest. */
static inline uint32_t prefilter_hash_four(uint32_t v)
{
    return prefilter_hash(v | PREFILTER_FOLD);
}

static inline uint32_t prefilter_hash_three(uint32_t v)
{
    return prefilter_hash((v | PREFILTER_FOLD) & 0xFFFFFF);
}

static inline uint32_t prefilter_fold_two(uint32_t v)
{
    return (v | PREFILTER_FOLD) & 0xFFFF;
}

static inline uint32_t prefilter_hash_two(uint32_t v)
{
    return prefilter_hash(prefilter_fold_two(v) | 1u << 24);
}

/* 0 or 1 */
static inline unsigned prefilter_has_bit(const uint64_t *bitmap, uint32_t h)
{
    return (unsigned)(bitmap[h / 64] >> h % 64 & 1);
}

/* May a literal's window start with these bytes? */
static inline bool prefilter_is_window(const struct prefilter *pf, uint32_t v)
{
    return (prefilter_has_bit(pf->four, prefilter_hash_four(v)) |
            prefilter_has_bit(pf->three, prefilter_hash_three(v)) |
            prefilter_has_bit(pf->two, prefilter_fold_two(v))) != 0;
}

/* Tries the literals whose window v, the bytes at text[at], may be; sets their rules' bits, but
 * not those of rules with masks that `have` lacks. */
void prefilter_try(const struct prefilter *pf, uint32_t v, const unsigned char *text, size_t len,
                   size_t at, uint64_t have, uint64_t *rules);

/* Gives each entry its window, and fills the buckets of each tier. Errors: GH_ERR_NOMEM. */
GH_NODISCARD enum gh_err prefilter_choose_windows(struct prefilter *pf);

#if defined(__x86_64__)
/* What prefilter_run does with these, on a processor with AVX2. */
uint64_t prefilter_classes_avx2(const struct classes *classes, const unsigned char *text,
                                size_t len);
void prefilter_windows_avx2(const struct prefilter *pf, const struct buckets *buckets,
                            const unsigned char *text, size_t len, uint64_t have, uint64_t *rules);
#endif

#endif
