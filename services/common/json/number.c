/* Numbers: exact decimal reading, range, comparison, conversion. No locale, no rounding twice. */
#include "common/json/parse.h"

#include <locale.h>
#include <stdlib.h>
#include <string.h>

/* Exponents up to this many digits are taken exactly; longer ones are out of range unless the
 * number is 0. */
#define EXPONENT_DIGITS 9

/*
 * A number as 0.d1d2d3... * 10^point with d1 != 0, or n_digits == 0 for zero. The digits are those
 * of [digits, end) without the decimal point; leading and trailing zeros are cut off.
 */
struct decimal {
    bool negative;
    bool huge_exponent; /* more than EXPONENT_DIGITS digits */
    const char *digits;
    const char *end;
    uint32_t n_digits;
    int64_t point;
};

static struct decimal decimal_of(const char *p, size_t len)
{
    const char *end = p + len;
    struct decimal d = { 0 };
    const char *dot = NULL;
    const char *stop;
    int64_t exponent = 0;
    bool minus = false;

    if (p < end && *p == '-') {
        d.negative = true;
        p++;
    }
    for (stop = p; stop < end && (*stop | 0x20) != 'e'; stop++)
        if (*stop == '.') dot = stop;
    if (stop < end) {
        const char *e = stop + 1;
        unsigned n = 0;

        if (*e == '+' || *e == '-') minus = *e++ == '-';
        while (e < end && *e == '0')
            e++;
        for (; e < end; e++) {
            if (++n > EXPONENT_DIGITS) {
                d.huge_exponent = true;
                break;
            }
            exponent = exponent * 10 + (*e - '0');
        }
    }

    int64_t before = (dot != NULL ? dot : stop) - p; /* digits before the point */

    while (p < stop && (*p == '0' || *p == '.')) {
        if (*p == '0') before--;
        p++;
    }
    while (stop > p && (stop[-1] == '0' || stop[-1] == '.'))
        stop--;
    d.digits = p;
    d.end = stop;
    d.n_digits = (uint32_t)(stop - p) - (dot != NULL && dot >= p && dot < stop);
    if (d.n_digits == 0) return (struct decimal){ 0 }; /* -0 is 0 */
    d.point = before + (minus ? -exponent : exponent);
    if (d.huge_exponent) d.point = minus ? INT64_MIN / 2 : INT64_MAX / 2;
    return d;
}

/* The digit at *p, stepping over the decimal point; 0 behind the last one. */
static int next_digit(const char **p, const char *end)
{
    if (*p < end && **p == '.') (*p)++;
    return *p < end ? *(*p)++ - '0' : 0;
}

static int compare_digits(const struct decimal *a, const struct decimal *b)
{
    const char *p = a->digits;
    const char *q = b->digits;

    while (p < a->end || q < b->end) {
        int diff = next_digit(&p, a->end) - next_digit(&q, b->end);

        if (diff != 0) return diff;
    }
    return 0;
}

bool gh_json_num_in_range(const char *text, size_t len)
{
    /* 2^1024 - 2^970, halfway from the largest double to the next: from here on it rounds to
     * infinity (to even). */
    static const char edge[] =
        "179769313486231580793728971405303415079934132710037826936173778980444968292764750946649017"
        "977587207096330286416692887910946555547851940402630657488671505820681908902000708383676273"
        "854845817711531764475730270069855571366959622842914819860834936475292719074168444365510704"
        "342711559699508093042880177904174497792";
    struct decimal d = decimal_of(text, len);

    if (d.n_digits == 0) return true;
    if (d.huge_exponent || d.point > 309) return false;
    if (d.point < 309) return true;

    struct decimal e = decimal_of(edge, sizeof edge - 1);

    return compare_digits(&d, &e) < 0;
}

bool gh_json_num_fits_int64(const char *text, size_t len)
{
    bool negative = *text == '-';
    size_t n = len - negative;

    if (n != 19) return n < 19;
    return memcmp(text + negative, negative ? "9223372036854775808" : "9223372036854775807", 19) <=
           0;
}

int gh_json_num_cmp(const char *a, size_t a_len, const char *b, size_t b_len)
{
    struct decimal x = decimal_of(a, a_len);
    struct decimal y = decimal_of(b, b_len);
    int sign_x = x.n_digits == 0 ? 0 : x.negative ? -1 : 1;
    int sign_y = y.n_digits == 0 ? 0 : y.negative ? -1 : 1;

    if (sign_x != sign_y || sign_x == 0) return sign_x - sign_y;

    int diff = x.point != y.point ? (x.point < y.point ? -1 : 1) : compare_digits(&x, &y);

    return sign_x < 0 ? -diff : diff;
}

bool gh_json_num_is_whole(const char *text, size_t len)
{
    struct decimal d = decimal_of(text, len);

    return d.n_digits == 0 || d.point >= (int64_t)d.n_digits;
}

uint64_t gh_json_hash_num(const char *text, size_t len, uint64_t seed)
{
    struct decimal d = decimal_of(text, len);
    uint64_t h = seed ^ (uint64_t)d.point * 0x9E3779B97F4A7C15u ^ d.negative;
    const char *p = d.digits;

    for (uint32_t i = 0; i < d.n_digits; i++) {
        h = (h ^ (uint64_t)next_digit(&p, d.end)) * 0xD6E8FEB86659FD93u;
        h ^= h >> 32;
    }
    return h;
}

/* The whole value of a number node as a magnitude. */
static enum gh_err whole(const struct gh_tape *tape, uint32_t num, bool *ret_negative,
                         uint64_t *ret_magnitude)
{
    const struct gh_node *node = &tape->nodes[num];
    uint64_t v = 0;

    if (node->kind != GH_JSON_NUM) return GH_ERR_BAD_MESSAGE;

    struct decimal d = decimal_of(tape->src + node->off, node->len);

    if (d.n_digits > 0 && d.point < (int64_t)d.n_digits) return GH_ERR_BAD_MESSAGE;
    if (d.point > 20) return GH_ERR_LIMIT;

    const char *p = d.digits;

    for (int64_t i = 0; i < d.point; i++) {
        unsigned digit = (unsigned)next_digit(&p, d.end);

        if (__builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, digit, &v))
            return GH_ERR_LIMIT;
    }
    *ret_negative = d.negative;
    *ret_magnitude = v;
    return GH_OK;
}

enum gh_err gh_tape_int64(const struct gh_tape *tape, uint32_t num, int64_t *ret_v)
{
    bool negative;
    uint64_t v;
    enum gh_err err = whole(tape, num, &negative, &v);

    if (err != GH_OK) return err;
    if (v > (uint64_t)INT64_MAX + negative) return GH_ERR_LIMIT;
    *ret_v = negative ? (int64_t)(0 - v) : (int64_t)v;
    return GH_OK;
}

enum gh_err gh_tape_uint64(const struct gh_tape *tape, uint32_t num, uint64_t *ret_v)
{
    bool negative;
    uint64_t v;
    enum gh_err err = whole(tape, num, &negative, &v);

    if (err != GH_OK) return err;
    if (negative) return GH_ERR_LIMIT;
    *ret_v = v;
    return GH_OK;
}

/*
 * For numbers out of the exact range: strtod in the C locale. Whatever the length of the text, 770
 * digits and a mark for "more follows" round as all of them do: the exact value between two doubles
 * never has more.
 */
#define STRTOD_DIGITS 770

static double by_strtod(const struct decimal *d)
{
    static locale_t c_locale;
    char text[STRTOD_DIGITS + 32];
    char *out = text;
    const char *p = d->digits;
    uint32_t n = d->n_digits < STRTOD_DIGITS ? d->n_digits : STRTOD_DIGITS;
    int64_t exponent = d->point - n;
    locale_t locale = __atomic_load_n(&c_locale, __ATOMIC_ACQUIRE);

    if (locale == NULL) {
        locale_t none = NULL;

        locale = newlocale(LC_ALL_MASK, "C", NULL);
        if (locale != NULL && !__atomic_compare_exchange_n(&c_locale, &none, locale, false,
                                                           __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
            freelocale(locale);
            locale = none;
        }
    }
    if (d->negative) *out++ = '-';
    for (uint32_t i = 0; i < n; i++)
        *out++ = (char)('0' + next_digit(&p, d->end));
    if (n < d->n_digits) {
        *out++ = '1';
        exponent--;
    }
    if (exponent < -2000) exponent = -2000; /* 0 all the same */
    *out++ = 'e';
    if (exponent < 0) *out++ = '-';

    uint64_t e = (uint64_t)(exponent < 0 ? -exponent : exponent);

    for (uint64_t ten = 1000; ten > 0; ten /= 10)
        *out++ = (char)('0' + e / ten % 10);
    *out = '\0';
    return locale != NULL ? strtod_l(text, NULL, locale) : strtod(text, NULL);
}

enum gh_err gh_tape_double(const struct gh_tape *tape, uint32_t num, double *ret_v)
{
    static const double tens[] = { 1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                   1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                   1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22 };
    const struct gh_node *node = &tape->nodes[num];

    if (node->kind != GH_JSON_NUM) return GH_ERR_BAD_MESSAGE;

    struct decimal d = decimal_of(tape->src + node->off, node->len);
    int64_t exponent = d.point - d.n_digits;

    if (d.n_digits == 0) {
        *ret_v = tape->src[node->off] == '-' ? -0.0 : 0.0;
        return GH_OK;
    }
    /* Both the digits and the power of ten are exact doubles: one operation, rounded once. */
    if (d.n_digits <= 15 && exponent >= -22 && exponent <= 22) {
        const char *p = d.digits;
        uint64_t v = 0;

        for (uint32_t i = 0; i < d.n_digits; i++)
            v = v * 10 + (uint64_t)next_digit(&p, d.end);

        double x = exponent < 0 ? (double)v / tens[-exponent] : (double)v * tens[exponent];

        *ret_v = d.negative ? -x : x;
        return GH_OK;
    }
    *ret_v = by_strtod(&d);
    return GH_OK;
}
