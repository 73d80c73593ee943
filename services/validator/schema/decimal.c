/*
 * x = X * 10^e and d = D * 10^f, neither X nor D ending in 0. If e < f, x / d is whole only for
 * x = 0: X would have to hold another factor 10. Else it is whole when D divides X * 10^(e - f).
 */
#include "validator/schema/decimal.h"

struct scan { /* the significant digits of a number text */
    const char *p;
    const char *end;  /* past the last digit that is not 0 */
    int64_t exponent; /* of the last digit before `end` */
};

static void scan_number(const char *text, size_t len, struct scan *ret_scan)
{
    const char *end = text + len;
    const char *p = text;
    const char *last = NULL; /* the last digit that is not 0 */
    const char *first = NULL;
    int64_t before_point = 0; /* digits from `last` to the point */
    int64_t exponent = 0;
    int64_t after_point = 0; /* digits of the fraction so far */
    bool fraction = false;

    if (p < end && *p == '-') p++;
    for (; p < end && *p != 'e' && *p != 'E'; p++) {
        if (*p == '.') {
            fraction = true;
            continue;
        }
        after_point += fraction;
        if (*p != '0') {
            if (first == NULL) first = p;
            last = p;
            before_point = -after_point;
        } else if (!fraction) {
            before_point++;
        }
    }
    if (p < end) {
        bool negative = false;

        p++;
        if (*p == '+' || *p == '-') negative = *p++ == '-';
        for (; p < end; p++)
            if (exponent < 1000000000) exponent = exponent * 10 + (*p - '0');
        if (negative) exponent = -exponent;
    }
    *ret_scan = (struct scan){ first, last != NULL ? last + 1 : NULL, exponent + before_point };
}

bool decimal_parse(const char *text, size_t len, struct decimal *ret_decimal)
{
    struct decimal d = { 0 };
    struct scan scan;

    scan_number(text, len, &scan);
    for (const char *p = scan.p; p < scan.end; p++) {
        if (*p == '.') continue;
        if (d.digits > (UINT64_MAX - 9) / 10) return false;
        d.digits = d.digits * 10 + (uint64_t)(*p - '0');
    }
    d.exponent = d.digits == 0 ? 0 : scan.exponent;
    *ret_decimal = d;
    return true;
}

static uint64_t multiply(uint64_t a, uint64_t b, uint64_t mod)
{
    return (uint64_t)((__uint128_t)a * b % mod);
}

bool decimal_is_multiple(const char *text, size_t len, const struct decimal *divisor)
{
    uint64_t mod = divisor->digits;
    uint64_t rest = 0;
    uint64_t power;
    struct scan scan;
    int64_t up;

    scan_number(text, len, &scan);
    if (scan.p == NULL) return true;
    up = scan.exponent - divisor->exponent;
    if (up < 0) return false;
    for (const char *p = scan.p; p < scan.end; p++)
        if (*p != '.') rest = (uint64_t)(((__uint128_t)rest * 10 + (unsigned)(*p - '0')) % mod);
    for (power = 10 % mod; up > 0; up >>= 1) {
        if ((up & 1) != 0) rest = multiply(rest, power, mod);
        power = multiply(power, power, mod);
    }
    return rest == 0;
}
