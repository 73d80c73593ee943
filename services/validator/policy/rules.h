/*
 * rules - what an edge must know of a policy to send messages out: for every type of a route, the
 * roles that may receive it and whether each message of it needs a verdict.
 */
#ifndef VALIDATOR_POLICY_RULES_H
#define VALIDATOR_POLICY_RULES_H

#include "common/arena.h"
#include "policy/policy.h"

#include <validator.pb-c.h>

/* Lives in the arena; names stay the policy's. Errors: GH_ERR_NOMEM. */
GH_NODISCARD enum gh_err rules_of(const struct policy *policy, struct gh_arena *arena,
                                  Gh__PolicyRules **ret_rules);

#endif
