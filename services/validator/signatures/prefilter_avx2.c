/*
 * Compiled for AVX2; called only where the processor has it.
 *
 * Source of the bucket scan: "Teddy" of Hyperscan (Wang et al., NSDI 2019), after the nibble
 * look-ups of W. Mula.
 */
#include "validator/signatures/prefilter_internal.h"

#include <immintrin.h>
#include <string.h>

/* Behind a text's end: a byte that is in no class. */
#define PAD 0xFF

static inline __m256i load(const unsigned char *p)
{
    return _mm256_loadu_si256((const __m256i *)(const void *)p);
}

static inline __m256i table(const uint8_t bytes[16])
{
    return _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)(const void *)bytes));
}

static inline __m256i low_half(__m256i v)
{
    return _mm256_and_si256(v, _mm256_set1_epi8(15));
}

static inline __m256i high_half(__m256i v)
{
    return _mm256_and_si256(_mm256_srli_epi16(v, 4), _mm256_set1_epi8(15));
}

/* ---- classes ---- */

static inline void add_classes(const struct classes *c, unsigned n, __m256i v, __m256i *seen)
{
    __m256i low = low_half(v), high = high_half(v);

#pragma GCC unroll 8
    for (unsigned g = 0; g < n; g++)
        seen[g] = _mm256_or_si256(seen[g],
                                  _mm256_and_si256(_mm256_shuffle_epi8(table(c->low[g]), low),
                                                   _mm256_shuffle_epi8(table(c->high[g]), high)));
}

static inline uint8_t or_bytes(__m256i v)
{
    __m128i x = _mm_or_si128(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
    uint64_t a;

    x = _mm_or_si128(x, _mm_unpackhi_epi64(x, x));
    a = (uint64_t)_mm_cvtsi128_si64(x);
    a |= a >> 32;
    a |= a >> 16;
    return (uint8_t)(a | a >> 8);
}

/* n is a constant where it is called, so that `seen` stays in registers. */
static inline __attribute__((always_inline)) uint64_t
classes_of(const struct classes *c, const unsigned n, const unsigned char *text, size_t len)
{
    __m256i seen[CLASS_GROUPS];
    unsigned char tail[32];
    uint64_t words = 0;
    size_t i = 0;

    for (unsigned g = 0; g < n; g++)
        seen[g] = _mm256_setzero_si256();
    for (; i + 32 <= len; i += 32)
        add_classes(c, n, load(text + i), seen);
    if (i < len) {
        memset(tail, PAD, sizeof(tail));
        memcpy(tail, text + i, len - i);
        add_classes(c, n, load(tail), seen);
    }
    for (unsigned g = 0; g < n; g++)
        for (unsigned bits = or_bytes(seen[g]); bits != 0; bits &= bits - 1)
            words |= c->words[g * 8 + (unsigned)__builtin_ctz(bits)];
    return words;
}

uint64_t prefilter_classes_avx2(const struct classes *classes, const unsigned char *text,
                                size_t len)
{
    switch (classes->n_groups) {
    case 0: return 0;
    case 1: return classes_of(classes, 1, text, len);
    case 2: return classes_of(classes, 2, text, len);
    case 3: return classes_of(classes, 3, text, len);
    case 4: return classes_of(classes, 4, text, len);
    case 5: return classes_of(classes, 5, text, len);
    case 6: return classes_of(classes, 6, text, len);
    default: return classes_of(classes, CLASS_GROUPS, text, len);
    }
}

/* ---- windows ---- */

/* One bit for each of the 32 positions at p where a window may start; p has 34 bytes. */
static inline uint32_t candidates(const struct buckets *b, const unsigned char *p)
{
    __m256i found[BUCKET_GROUPS];

#pragma GCC unroll 3
    for (unsigned at = 0; at < BUCKET_POSITIONS; at++) {
        __m256i v = load(p + at);
        __m256i low = low_half(v), high = high_half(v);

#pragma GCC unroll 4
        for (unsigned g = 0; g < BUCKET_GROUPS; g++) {
            __m256i here = _mm256_and_si256(_mm256_shuffle_epi8(table(b->low[at][g]), low),
                                            _mm256_shuffle_epi8(table(b->high[at][g]), high));

            found[g] = at == 0 ? here : _mm256_and_si256(found[g], here);
        }
    }
    for (unsigned g = 1; g < BUCKET_GROUPS; g++)
        found[0] = _mm256_or_si256(found[0], found[g]);
    return ~(uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(found[0], _mm256_setzero_si256()));
}

void prefilter_windows_avx2(const struct prefilter *pf, const struct buckets *buckets,
                            const unsigned char *text, size_t len, uint64_t have, uint64_t *rules)
{
    unsigned char tail[64 + BUCKET_POSITIONS];
    size_t i = 0;

    for (; i + 32 + BUCKET_POSITIONS <= len; i += 32)
        for (uint32_t bits = candidates(buckets, text + i); bits != 0; bits &= bits - 1) {
            size_t at = i + (unsigned)__builtin_ctz(bits);
            uint32_t v;

            memcpy(&v, text + at, 4);
            if (__builtin_expect(prefilter_is_window(pf, v), 0))
                prefilter_try(pf, v, text, len, at, have, rules);
        }
    if (i == len) return;
    memset(tail, PAD, sizeof(tail));
    memcpy(tail, text + i, len - i); /* at most 34 */
    for (size_t from = 0; from < len - i; from += 32)
        for (uint32_t bits = candidates(buckets, tail + from); bits != 0; bits &= bits - 1) {
            size_t at = from + (unsigned)__builtin_ctz(bits);
            uint32_t v;

            if (i + at >= len) break;
            memcpy(&v, tail + at, 4);
            if (prefilter_is_window(pf, v)) prefilter_try(pf, v, text, len, i + at, have, rules);
        }
}
