/*
 * stats - what workers counted, in memory their monitor shares: it outlives each of them, so that
 * counters never go back, and one place can be scraped for all.
 *
 * One block per worker slot, written by one process, read by the monitor; whole 64-bit loads and
 * stores are enough.
 */
#ifndef VALIDATOR_STATS_H
#define VALIDATOR_STATS_H

#include "common/code.h"
#include "common/err.h"

#include <stdint.h>

struct stats {
    uint64_t batches;
    uint64_t bytes_in;
    uint64_t bytes_out;
    uint64_t busy_us;
    uint64_t bad_batches;
    uint64_t redactions;                 /* secrets taken out of outbound messages */
    uint64_t verdicts[2][GH_CODE_COUNT]; /* inbound, outbound */
    char pad[64];
};

/* A zeroed, sized memfd for `count` blocks, close-on-exec. */
GH_NODISCARD enum gh_err stats_create(unsigned count, int *ret_fd);
/* All blocks, shared; *ret_stats lives until stats_unmap. */
GH_NODISCARD enum gh_err stats_map(int fd, unsigned count, struct stats **ret_stats);
void stats_unmap(struct stats *stats, unsigned count);

static inline uint64_t stats_get(const uint64_t *counter)
{
    return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

static inline void stats_add(uint64_t *counter, uint64_t n)
{
    __atomic_store_n(counter, *counter + n, __ATOMIC_RELAXED); /* one writer */
}

#endif
