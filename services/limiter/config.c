#include "config.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#define RATE_FIELDS                                                                                \
    { "per_s", GH_CFG_U64, offsetof(struct limiter_rate, per_s), .dflt = "0",                      \
      .max = GCRA_RATE_MAX },                                                                      \
        { "per_min", GH_CFG_U64, offsetof(struct limiter_rate, per_min), .dflt = "0",              \
          .max = 60ull * GCRA_RATE_MAX },                                                          \
    {                                                                                              \
        "burst", GH_CFG_U64, offsetof(struct limiter_rate, burst), .required = true, .min = 1,     \
                                                                   .max = GCRA_BURST_MAX           \
    }

static const struct gh_config_field rate_fields[] = { RATE_FIELDS, { 0 } };

#define AT(member)       offsetof(struct limiter_config, member)
#define IN_ADMIT(member) (AT(admit.member) - AT(admit))

static const struct gh_config_field admit_fields[] = {
    { "address", GH_CFG_STRUCT, IN_ADMIT(address), .fields = rate_fields, .required = true },
    { "user", GH_CFG_STRUCT, IN_ADMIT(user), .fields = rate_fields, .required = true },
    { "ipv6_prefix", GH_CFG_U32, IN_ADMIT(ipv6_prefix), .dflt = "64", .min = 16, .max = 128 },
    { 0 },
};

static const struct gh_config_field limiter_fields[] = {
    { "bind", GH_CFG_STRING, AT(bind), .dflt = "ipc://${run_dir}/limiter.${instance}" },
    { "lease", GH_CFG_MS, AT(lease_ms), .dflt = "2s", .min = 100, .max = 60000 },
    { "classes", GH_CFG_MAP, AT(classes), .fields = rate_fields, .max = LIMITER_CLASSES_MAX,
      .item_size = sizeof(struct limiter_rate) },
    { "admit", GH_CFG_STRUCT, AT(admit), .fields = admit_fields, .required = true },
    { "max_bans", GH_CFG_U32, AT(max_bans), .dflt = "100000", .min = 1, .max = 1000000 },
    { "poll", GH_CFG_MS, AT(poll_ms), .dflt = "250ms", .min = 10, .max = 900,
      .help = "how often changes by other limiters are looked for" },
    { 0 },
};

static enum gh_err make_rate(struct gh_config *config, const char *where, struct limiter_rate *rate)
{
    if (gcra_rate_make(rate->per_s, rate->per_min, rate->burst, &rate->rate) == GH_OK) return GH_OK;
    return gh_config_fail(config, "limiter", where,
                          "write per_s or per_min (one of them, above 0) and a burst that refills "
                          "within 30 days");
}

enum gh_err limiter_config_load(struct gh_config *config, struct limiter_config *ret_cfg)
{
    enum gh_err err = gh_config_bind(config, "limiter", limiter_fields, ret_cfg);
    struct limiter_rate *classes = ret_cfg->classes.items;
    char where[128];

    for (size_t i = 0; err == GH_OK && i < ret_cfg->classes.count; i++) {
        (void)snprintf(where, sizeof(where), "classes.%s", classes[i].name);
        if (strlen(classes[i].name) > LIMITER_CLASS_MAX_BYTES)
            err = gh_config_fail(config, "limiter", where, "the name is longer than %u bytes",
                                 LIMITER_CLASS_MAX_BYTES);
        if (err == GH_OK) err = make_rate(config, where, &classes[i]);
    }
    if (err == GH_OK) err = make_rate(config, "admit.address", &ret_cfg->admit.address);
    if (err == GH_OK) err = make_rate(config, "admit.user", &ret_cfg->admit.user);
    return err;
}

const struct limiter_rate *limiter_config_class(const struct limiter_config *cfg, const void *name,
                                                size_t len)
{
    const struct limiter_rate *classes = cfg->classes.items;

    for (size_t i = 0; i < cfg->classes.count; i++) {
        if (strlen(classes[i].name) == len && memcmp(classes[i].name, name, len) == 0)
            return &classes[i];
    }
    return NULL;
}
