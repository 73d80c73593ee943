/*
 * hist - a histogram of durations with a bounded relative error.
 *
 * Values below 128 ns are exact; above, each power of two has 128 slots, so a quantile is at most
 * 0.8 % low. Recording is one shift and one add. Pure; single-threaded.
 *
 * Source: the bucket layout of HdrHistogram.
 */
#ifndef WSBENCH_HIST_H
#define WSBENCH_HIST_H

#include <stdint.h>

#define HIST_SLOT_BITS 7
#define HIST_SLOTS     ((64 - HIST_SLOT_BITS + 1) << HIST_SLOT_BITS)

struct hist {
    uint64_t count;
    uint64_t sum_ns;
    uint64_t max_ns;
    uint64_t slots[HIST_SLOTS];
};

void hist_add(struct hist *hist, uint64_t ns);
/* The value that a share p (0..1) of the values do not exceed; 0 when there are none. */
double hist_quantile_us(const struct hist *hist, double p);
double hist_mean_us(const struct hist *hist);

#endif
