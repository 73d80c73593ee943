/*
 * scan - blocks of source bytes compared at once, one instruction set per translation unit.
 *
 * The file that includes this chooses: GH_SCAN_SCALAR forces 8 bytes in a register; else AVX2, SSE2
 * or NEON by what the compiler was told. A mask has SCAN_STEP bits per byte, first byte lowest.
 */
#ifndef GH_JSON_SCAN_H
#define GH_JSON_SCAN_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if !defined(GH_SCAN_SCALAR) && (defined(__SSE2__) || defined(__AVX2__))
#include <immintrin.h>
#elif !defined(GH_SCAN_SCALAR) && defined(__ARM_NEON) && defined(__aarch64__)
#include <arm_neon.h>
#else
#undef GH_SCAN_SCALAR
#define GH_SCAN_SCALAR
#endif

struct scan_masks {
    uint64_t stop; /* '"', '\\' and control characters */
    uint64_t high; /* 0x80 and more */
};

#if defined(GH_SCAN_SCALAR)

#define SCAN_BLOCK 8
#define SCAN_SHIFT 3 /* log2 of bits per byte */
#define SCAN_NAME  "scalar"

#define SCAN_ONES 0x0101010101010101u
#define SCAN_TOPS 0x8080808080808080u

static inline uint64_t scan_load(const char *p)
{
    uint64_t v;

    memcpy(&v, p, 8);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    v = __builtin_bswap64(v);
#endif
    return v;
}

/* The two below are exact for every byte: nothing carries from one to the next, so a mask may be
 * shifted to leave out what is before a place. */
static inline uint64_t scan_zero(uint64_t v)
{
    return ~(((v & ~SCAN_TOPS) + ~SCAN_TOPS) | v | ~SCAN_TOPS);
}

static inline uint64_t scan_control(uint64_t v)
{
    return ~(((v & ~SCAN_TOPS) + SCAN_ONES * (0x80 - 0x20)) | v) & SCAN_TOPS;
}

static inline struct scan_masks scan_string_block(const char *p)
{
    uint64_t v = scan_load(p);

    return (struct scan_masks){
        .stop = scan_zero(v ^ SCAN_ONES * '"') | scan_zero(v ^ SCAN_ONES * '\\') | scan_control(v),
        .high = v & SCAN_TOPS,
    };
}

/* Bytes that are no JSON white space. */
static inline uint64_t scan_nonspace_block(const char *p)
{
    uint64_t out = 0;

    for (unsigned i = 0; i < 8; i++)
        if (p[i] != ' ' && p[i] != '\n' && p[i] != '\r' && p[i] != '\t')
            out |= (uint64_t)0x80 << i * 8;
    return out;
}

#elif defined(__AVX2__)

#define SCAN_BLOCK 32
#define SCAN_SHIFT 0
#define SCAN_NAME  "avx2"

static inline __m256i scan_load(const char *p)
{
    return _mm256_loadu_si256((const __m256i *)(const void *)p);
}

static inline struct scan_masks scan_string_block(const char *p)
{
    __m256i v = scan_load(p);
    __m256i stop =
        _mm256_or_si256(_mm256_or_si256(_mm256_cmpeq_epi8(v, _mm256_set1_epi8('"')),
                                        _mm256_cmpeq_epi8(v, _mm256_set1_epi8('\\'))),
                        _mm256_cmpeq_epi8(_mm256_min_epu8(v, _mm256_set1_epi8(0x1F)), v));

    return (struct scan_masks){
        .stop = (uint32_t)_mm256_movemask_epi8(stop),
        .high = (uint32_t)_mm256_movemask_epi8(v),
    };
}

static inline uint64_t scan_nonspace_block(const char *p)
{
    __m256i v = scan_load(p);
    __m256i space = _mm256_or_si256(_mm256_or_si256(_mm256_cmpeq_epi8(v, _mm256_set1_epi8(' ')),
                                                    _mm256_cmpeq_epi8(v, _mm256_set1_epi8('\n'))),
                                    _mm256_or_si256(_mm256_cmpeq_epi8(v, _mm256_set1_epi8('\r')),
                                                    _mm256_cmpeq_epi8(v, _mm256_set1_epi8('\t'))));

    return (uint32_t)~_mm256_movemask_epi8(space);
}

#elif defined(__SSE2__)

#define SCAN_BLOCK 16
#define SCAN_SHIFT 0
#define SCAN_NAME  "sse2"

static inline __m128i scan_load(const char *p)
{
    return _mm_loadu_si128((const __m128i *)(const void *)p);
}

static inline struct scan_masks scan_string_block(const char *p)
{
    __m128i v = scan_load(p);
    __m128i stop = _mm_or_si128(
        _mm_or_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8('"')), _mm_cmpeq_epi8(v, _mm_set1_epi8('\\'))),
        _mm_cmpeq_epi8(_mm_min_epu8(v, _mm_set1_epi8(0x1F)), v));

    return (struct scan_masks){
        .stop = (uint32_t)_mm_movemask_epi8(stop),
        .high = (uint32_t)_mm_movemask_epi8(v),
    };
}

static inline uint64_t scan_nonspace_block(const char *p)
{
    __m128i v = scan_load(p);
    __m128i space = _mm_or_si128(
        _mm_or_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8(' ')), _mm_cmpeq_epi8(v, _mm_set1_epi8('\n'))),
        _mm_or_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8('\r')),
                     _mm_cmpeq_epi8(v, _mm_set1_epi8('\t'))));

    return (uint32_t)_mm_movemask_epi8(space) ^ 0xFFFFu;
}

#else /* NEON */

#define SCAN_BLOCK 16
#define SCAN_SHIFT 2
#define SCAN_NAME  "neon"

static inline uint8x16_t scan_load(const char *p)
{
    return vld1q_u8((const uint8_t *)p);
}

static inline uint64_t scan_mask(uint8x16_t v)
{
    return vget_lane_u64(vreinterpret_u64_u8(vshrn_n_u16(vreinterpretq_u16_u8(v), 4)), 0);
}

static inline struct scan_masks scan_string_block(const char *p)
{
    uint8x16_t v = scan_load(p);
    uint8x16_t stop =
        vorrq_u8(vorrq_u8(vceqq_u8(v, vdupq_n_u8('"')), vceqq_u8(v, vdupq_n_u8('\\'))),
                 vcltq_u8(v, vdupq_n_u8(0x20)));

    return (struct scan_masks){
        .stop = scan_mask(stop),
        .high = scan_mask(vcgeq_u8(v, vdupq_n_u8(0x80))),
    };
}

static inline uint64_t scan_nonspace_block(const char *p)
{
    uint8x16_t v = scan_load(p);
    uint8x16_t space =
        vorrq_u8(vorrq_u8(vceqq_u8(v, vdupq_n_u8(' ')), vceqq_u8(v, vdupq_n_u8('\n'))),
                 vorrq_u8(vceqq_u8(v, vdupq_n_u8('\r')), vceqq_u8(v, vdupq_n_u8('\t'))));

    return scan_mask(vmvnq_u8(space));
}

#endif

/* Index of the first byte marked in a mask that is not 0. */
static inline unsigned scan_first(uint64_t mask)
{
    return (unsigned)__builtin_ctzll(mask) >> SCAN_SHIFT;
}

#endif
