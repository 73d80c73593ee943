/*
 * check - a policy folder read and judged, as the monitor, `--check` and gatehousectl do.
 */
#ifndef VALIDATOR_POLICY_CHECK_H
#define VALIDATOR_POLICY_CHECK_H

#include "policy/policy.h"

/* Where compiled signatures may come from; both may be NULL. */
struct policy_compiled {
    const char *cache;           /* a file (cache.h), written when something new was compiled */
    const struct bundle *before; /* the policy that runs */
};

/* Reads the folder and compiles it. On GH_OK the caller owns what it asked for; either may be NULL.
 * The bundle carries what was compiled. from may be NULL. Errors: GH_ERR_CONFIG with the report
 * filled; GH_ERR_NOMEM. */
GH_NODISCARD enum gh_err policy_check(const char *dir, const struct policy_compiled *from,
                                      struct report *report, struct bundle **ret_bundle,
                                      struct policy **ret_policy);

#endif
