/*
 * config - the `limiter:` section, with its rates made ready for GCRA.
 */
#ifndef LIMITER_CONFIG_H
#define LIMITER_CONFIG_H

#include "gcra.h"

#include "common/config.h"

#define LIMITER_CLASS_MAX_BYTES 64u
#define LIMITER_CLASSES_MAX     256u

struct limiter_rate {
    const char *name; /* classes; NULL for the tiers */
    uint64_t per_s;
    uint64_t per_min;
    uint64_t burst;
    struct gcra_rate rate; /* made from the others */
};

struct limiter_config {
    const char *bind;
    uint64_t lease_ms;
    struct gh_config_structs classes; /* struct limiter_rate */
    struct {
        struct limiter_rate address;
        struct limiter_rate user;
        uint32_t ipv6_prefix; /* addresses of one such network share a bucket */
    } admit;
    uint32_t max_bans;
    uint64_t poll_ms;
};

GH_NODISCARD enum gh_err limiter_config_load(struct gh_config *config,
                                             struct limiter_config *ret_cfg);

/* NULL: no such class. */
const struct limiter_rate *limiter_config_class(const struct limiter_config *cfg, const void *name,
                                                size_t len);

#endif
