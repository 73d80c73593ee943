/*
 * policy_internal - what policy.c and load.c share.
 */
#ifndef VALIDATOR_POLICY_INTERNAL_H
#define VALIDATOR_POLICY_INTERNAL_H

#include "common/arena.h"
#include "policy/bind.h"
#include "policy/policy.h"

#define POLICY_ARENA_MAX (64u << 20)

struct policy {
    struct gh_arena *arena;
    uint64_t version;
    struct policy_route *routes;
    uint32_t n_routes;
    const char *roles[POLICY_ROLES_MAX + 1]; /* by bit; 0 is "*" */
    uint32_t n_roles;
};

struct load {
    struct bind bind; /* first: P_FN functions get a struct bind */
    const struct bundle *bundle;
    struct policy *policy;
    struct policy_route *route; /* being filled */
};

uint32_t policy_hash(const void *bytes, size_t len);

/* One file; the route is appended to the policy. */
GH_NODISCARD enum gh_err policy_load_file(struct load *load, const struct bundle_file *file);

#endif
