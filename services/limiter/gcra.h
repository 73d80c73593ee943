/*
 * gcra - the generic cell rate algorithm: one number per key says how full its bucket is.
 *
 * The number is the theoretical arrival time (TAT), kept in Redis in units of 1/16 microsecond
 * since 2025-01-01 so that a double holds it exactly until 2042. A bucket of `burst` tokens that
 * refills one token per interval has room for floor((burst * interval - (TAT - now)) / interval)
 * tokens; taking n moves TAT by n intervals. The interval is rounded up, so a rate that does not
 * divide evenly admits a little less, never more.
 *
 * The scripts run in Redis by its own clock: edges' clocks do not matter. gcra_take is the same
 * arithmetic in C, for the tests that hold the script to it.
 *
 * Source: ITU-T I.371; DESIGN section 5.
 */
#ifndef LIMITER_GCRA_H
#define LIMITER_GCRA_H

#include "common/err.h"
#include "common/redis.h"

#include <stdint.h>

#define GCRA_UNITS_PER_MS 16000
#define GCRA_RATE_MAX     1000000u   /* per second */
#define GCRA_BURST_MAX    100000000u /* burst * interval stays exact in a double */
#define GCRA_TAKE_MAX     65536u

struct gcra_rate {
    int64_t interval; /* units per token */
    int64_t burst;    /* tokens */
};

/* per_s and per_min: exactly one is not 0. Errors: GH_ERR_CONFIG (both, neither, out of range,
 * burst 0 or longer than a month of refilling). */
GH_NODISCARD enum gh_err gcra_rate_make(uint64_t per_s, uint64_t per_min, uint64_t burst,
                                        struct gcra_rate *ret_rate);

struct gcra_taken {
    uint32_t tokens;         /* 0..want */
    uint64_t retry_after_ms; /* when tokens is 0: when one will be there, rounded up */
};

/* *tat is 0 for a key that is not there. */
struct gcra_taken gcra_take(const struct gcra_rate *rate, int64_t now, uint32_t want, int64_t *tat);

/* KEYS: one per asked bucket. ARGV: interval, burst, want for each. Returns tokens and
 * retry_after_ms for each. */
extern struct gh_script gcra_take_script;
/* KEYS as above. ARGV: interval, tokens for each. Gives tokens back; a bucket never holds more than
 * its burst. */
extern struct gh_script gcra_return_script;

#endif
