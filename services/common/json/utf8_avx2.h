/*
 * utf8_avx2 - UTF-8 validation, 32 bytes at a time.
 *
 * Each byte is judged with the one before it by three 16-entry tables, over the high and low half
 * of the earlier byte and the high half of this one; a bit survives all three only if that pair is
 * wrong in the way the bit stands for. What pairs cannot tell, the third and fourth byte, is
 * compared with whether a continuation is due there. Source: Keiser and Lemire, "Validating UTF-8
 * in less than one instruction per byte", 2021.
 */
#ifndef GH_JSON_UTF8_AVX2_H
#define GH_JSON_UTF8_AVX2_H

#include "common/json/utf8.h"

#include <immintrin.h>
#include <string.h>

enum {
    U8_TOO_SHORT = 1 << 0,  /* a lead byte with no continuation behind it */
    U8_TOO_LONG = 1 << 1,   /* ASCII with a continuation behind it */
    U8_OVERLONG_3 = 1 << 2, /* E0 80..9F */
    U8_TOO_LARGE = 1 << 3,  /* F4 90..BF, F5.. 90.. */
    U8_SURROGATE = 1 << 4,  /* ED A0..BF */
    U8_OVERLONG_2 = 1 << 5, /* C0, C1 */
    U8_BEYOND = 1 << 6,     /* F5.. 80..8F; shared with F0 80..8F */
    U8_TWO_CONTS = 1 << 7,  /* two continuations: fine only where must_continue says so */
    U8_CARRY = U8_TOO_SHORT | U8_TOO_LONG | U8_TWO_CONTS,
};

#define U8_TABLE(...) _mm256_setr_epi8(__VA_ARGS__, __VA_ARGS__)
#define U8(x)         ((char)(x))

/* The bytes n places before each of v, where before is the 32 bytes that precede v. */
#define u8_previous(v, before, n)                                                                  \
    _mm256_alignr_epi8(v, _mm256_permute2x128_si256(before, v, 0x21), 16 - (n))

static inline __m256i utf8_errors_avx2(__m256i v, __m256i before)
{
    const __m256i low = _mm256_set1_epi8(0x0F);
    const __m256i first_high = U8_TABLE(
        U8(U8_TOO_LONG), U8(U8_TOO_LONG), U8(U8_TOO_LONG), U8(U8_TOO_LONG), U8(U8_TOO_LONG),
        U8(U8_TOO_LONG), U8(U8_TOO_LONG), U8(U8_TOO_LONG), U8(U8_TWO_CONTS), U8(U8_TWO_CONTS),
        U8(U8_TWO_CONTS), U8(U8_TWO_CONTS), U8(U8_TOO_SHORT | U8_OVERLONG_2), U8(U8_TOO_SHORT),
        U8(U8_TOO_SHORT | U8_OVERLONG_3 | U8_SURROGATE),
        U8(U8_TOO_SHORT | U8_TOO_LARGE | U8_BEYOND));
    const __m256i first_low = U8_TABLE(
        U8(U8_CARRY | U8_OVERLONG_3 | U8_OVERLONG_2 | U8_BEYOND), U8(U8_CARRY | U8_OVERLONG_2),
        U8(U8_CARRY), U8(U8_CARRY), U8(U8_CARRY | U8_TOO_LARGE),
        U8(U8_CARRY | U8_TOO_LARGE | U8_BEYOND), U8(U8_CARRY | U8_TOO_LARGE | U8_BEYOND),
        U8(U8_CARRY | U8_TOO_LARGE | U8_BEYOND), U8(U8_CARRY | U8_TOO_LARGE | U8_BEYOND),
        U8(U8_CARRY | U8_TOO_LARGE | U8_BEYOND), U8(U8_CARRY | U8_TOO_LARGE | U8_BEYOND),
        U8(U8_CARRY | U8_TOO_LARGE | U8_BEYOND), U8(U8_CARRY | U8_TOO_LARGE | U8_BEYOND),
        U8(U8_CARRY | U8_TOO_LARGE | U8_BEYOND | U8_SURROGATE),
        U8(U8_CARRY | U8_TOO_LARGE | U8_BEYOND), U8(U8_CARRY | U8_TOO_LARGE | U8_BEYOND));
    const __m256i second_high =
        U8_TABLE(U8(U8_TOO_SHORT), U8(U8_TOO_SHORT), U8(U8_TOO_SHORT), U8(U8_TOO_SHORT),
                 U8(U8_TOO_SHORT), U8(U8_TOO_SHORT), U8(U8_TOO_SHORT), U8(U8_TOO_SHORT),
                 U8(U8_TOO_LONG | U8_OVERLONG_2 | U8_TWO_CONTS | U8_OVERLONG_3 | U8_BEYOND),
                 U8(U8_TOO_LONG | U8_OVERLONG_2 | U8_TWO_CONTS | U8_OVERLONG_3 | U8_TOO_LARGE),
                 U8(U8_TOO_LONG | U8_OVERLONG_2 | U8_TWO_CONTS | U8_SURROGATE | U8_TOO_LARGE),
                 U8(U8_TOO_LONG | U8_OVERLONG_2 | U8_TWO_CONTS | U8_SURROGATE | U8_TOO_LARGE),
                 U8(U8_TOO_SHORT), U8(U8_TOO_SHORT), U8(U8_TOO_SHORT), U8(U8_TOO_SHORT));

    __m256i one = u8_previous(v, before, 1);
    __m256i pairs = _mm256_and_si256(
        _mm256_and_si256(
            _mm256_shuffle_epi8(first_high, _mm256_and_si256(_mm256_srli_epi16(one, 4), low)),
            _mm256_shuffle_epi8(first_low, _mm256_and_si256(one, low))),
        _mm256_shuffle_epi8(second_high, _mm256_and_si256(_mm256_srli_epi16(v, 4), low)));
    __m256i third = _mm256_subs_epu8(u8_previous(v, before, 2), _mm256_set1_epi8(0xE0 - 0x80));
    __m256i fourth =
        _mm256_subs_epu8(u8_previous(v, before, 3), _mm256_set1_epi8((char)(0xF0 - 0x80)));
    __m256i must_continue =
        _mm256_and_si256(_mm256_or_si256(third, fourth), _mm256_set1_epi8((char)0x80));

    return _mm256_xor_si256(pairs, must_continue);
}

static inline bool utf8_is_ascii_avx2(__m256i v)
{
    return _mm256_movemask_epi8(v) == 0;
}

static __attribute__((noinline)) size_t utf8_check_tail_avx2(const char *s, size_t len, size_t i)
{
    __m256i before = _mm256_setzero_si256();
    __m256i errors = _mm256_setzero_si256();
    char last[32] = { 0 };

    if (i > 0) i -= 32; /* all ASCII up to here, so any block is a good start */
    for (; len - i >= 32; i += 32) {
        __m256i v = _mm256_loadu_si256((const __m256i *)(const void *)(s + i));

        errors = _mm256_or_si256(errors, utf8_errors_avx2(v, before));
        before = v;
    }
    memcpy(last, s + i, len - i); /* zeros behind it, so a cut sequence is too short */
    errors = _mm256_or_si256(
        errors, utf8_errors_avx2(_mm256_loadu_si256((const __m256i *)(const void *)last), before));
    return _mm256_testz_si256(errors, errors) ? len : gh_utf8_check(s, len);
}

/* As gh_utf8_check. */
static inline size_t utf8_check_avx2(const char *s, size_t len)
{
    size_t i = 0;

    for (; len - i >= 64; i += 64) {
        __m256i a = _mm256_loadu_si256((const __m256i *)(const void *)(s + i));
        __m256i b = _mm256_loadu_si256((const __m256i *)(const void *)(s + i + 32));

        if (!utf8_is_ascii_avx2(_mm256_or_si256(a, b))) return utf8_check_tail_avx2(s, len, i);
    }
    if (len >= 64) { /* what is left, with some that was seen */
        __m256i a = _mm256_loadu_si256((const __m256i *)(const void *)(s + len - 64));
        __m256i b = _mm256_loadu_si256((const __m256i *)(const void *)(s + len - 32));

        return utf8_is_ascii_avx2(_mm256_or_si256(a, b)) ? len : utf8_check_tail_avx2(s, len, i);
    }
    if (len >= 32) {
        __m256i a = _mm256_loadu_si256((const __m256i *)(const void *)s);
        __m256i b = _mm256_loadu_si256((const __m256i *)(const void *)(s + len - 32));

        return utf8_is_ascii_avx2(_mm256_or_si256(a, b)) ? len : utf8_check_tail_avx2(s, len, 0);
    }
    return gh_utf8_check(s, len);
}

#endif
