/*
 * policy_rules - what the validators' policy says of messages to clients: who may receive a type,
 * and which types need a verdict each.
 *
 * A copy of one PolicyRules, made when a validator comes up; never changed, replaced whole. What it
 * does not name is not free: who asks for a type that is not there gets NULL and has it judged.
 * Pure but for memory.
 */
#ifndef EDGE_POLICY_RULES_H
#define EDGE_POLICY_RULES_H

#include "common/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <validator.pb-c.h>

#define POLICY_RULES_ROLES_MAX 64 /* roles are bits */

struct policy_rules;
struct policy_route_rules;

struct policy_type_rules {
    const char *name;
    uint32_t len;
    bool judged;
    uint64_t receive; /* bits of policy_rules_roles() */
};

/* Errors: GH_ERR_BAD_MESSAGE (more roles than bits, a type without a name), GH_ERR_NOMEM. */
GH_NODISCARD enum gh_err policy_rules_new(const Gh__PolicyRules *message,
                                          struct policy_rules **ret_rules);
void policy_rules_free(struct policy_rules *rules); /* NULL is a no-op */

uint64_t policy_rules_version(const struct policy_rules *rules);

/* NULL: no policy for this route, so nothing may be sent on it. */
const struct policy_route_rules *policy_rules_route(const struct policy_rules *rules,
                                                    const char *name);
/* NULL: the policy does not know the type. */
const struct policy_type_rules *policy_rules_type(const struct policy_route_rules *route,
                                                  const void *name, size_t len);
/* NULL: no binary messages on this route. */
const struct policy_type_rules *policy_rules_binary(const struct policy_route_rules *route);

/* Bits of a comma-separated list; everybody has "*". */
uint64_t policy_rules_roles(const struct policy_rules *rules, const char *list, size_t len);

#endif
