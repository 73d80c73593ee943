/*
 * decimal - exact multiples of decimal numbers, whatever doubles make of them. Pure.
 */
#ifndef VALIDATOR_SCHEMA_DECIMAL_H
#define VALIDATOR_SCHEMA_DECIMAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* digits * 10^exponent, digits not a multiple of 10 (unless 0). */
struct decimal {
    uint64_t digits;
    int64_t exponent;
};

/* Text of a JSON number, its sign ignored. False when it has more than 19 significant digits. */
bool decimal_parse(const char *text, size_t len, struct decimal *ret_decimal);

/* Is the number text a whole multiple of `divisor` (not 0)? Linear in len, any length. */
bool decimal_is_multiple(const char *text, size_t len, const struct decimal *divisor);

#endif
