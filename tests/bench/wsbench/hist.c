#include "hist.h"

#define SLOTS (1u << HIST_SLOT_BITS)

static unsigned slot_of(uint64_t v)
{
    if (v < SLOTS) return (unsigned)v;
    unsigned shift = 63u - (unsigned)__builtin_clzll(v) - HIST_SLOT_BITS;
    return (shift + 1) * SLOTS + (unsigned)((v >> shift) & (SLOTS - 1));
}

static uint64_t value_of(unsigned slot)
{
    if (slot < SLOTS) return slot;
    unsigned shift = slot / SLOTS - 1;
    return (uint64_t)(SLOTS + slot % SLOTS) << shift;
}

void hist_add(struct hist *hist, uint64_t ns)
{
    hist->slots[slot_of(ns)]++;
    hist->count++;
    hist->sum_ns += ns;
    if (ns > hist->max_ns) hist->max_ns = ns;
}

double hist_quantile_us(const struct hist *hist, double p)
{
    if (hist->count == 0) return 0;
    uint64_t rank = (uint64_t)((double)hist->count * p), seen = 0;
    for (unsigned i = 0; i < HIST_SLOTS; i++) {
        seen += hist->slots[i];
        if (seen > rank) return (double)value_of(i) / 1000.0;
    }
    return (double)hist->max_ns / 1000.0;
}

double hist_mean_us(const struct hist *hist)
{
    return hist->count == 0 ? 0 : (double)hist->sum_ns / (double)hist->count / 1000.0;
}
