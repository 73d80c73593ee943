#include "policy/rules.h"

#include "common/bus.h"
#include "policy/policy_internal.h"

static Gh__TypeRules *type_rules(const struct policy_type *type, bool judged,
                                 struct gh_arena *arena)
{
    Gh__TypeRules *rules = gh_arena_alloc(arena, sizeof *rules);

    if (rules == NULL) return NULL;
    gh__type_rules__init(rules);
    rules->name = gh_bytes(type->name, type->name_len);
    rules->receive = type->receive;
    rules->judged = judged;
    return rules;
}

static bool needs_verdict(const struct policy_type *type)
{
    return type->out_schema != NULL || type->redact != 0 || type->out_fields.n > 0;
}

static Gh__RouteRules *route_rules(const struct policy_route *route, struct gh_arena *arena)
{
    Gh__RouteRules *rules = gh_arena_alloc(arena, sizeof *rules);

    if (rules == NULL) return NULL;
    gh__route_rules__init(rules);
    rules->name = gh_bytes(route->name, route->name_len);
    rules->types = gh_arena_alloc(arena, (route->n_types + 1u) * sizeof *rules->types);
    if (rules->types == NULL) return NULL;
    for (uint32_t i = 0; i < route->n_types; i++) {
        const struct policy_type *type = &route->types[i];

        rules->types[i] = type_rules(type, needs_verdict(type), arena);
        if (rules->types[i] == NULL) return NULL;
    }
    rules->n_types = route->n_types;
    if (route->binary.kinds == 0) return rules;
    rules->binary = type_rules(&route->binary.type, true, arena);
    return rules->binary != NULL ? rules : NULL;
}

enum gh_err rules_of(const struct policy *policy, struct gh_arena *arena,
                     Gh__PolicyRules **ret_rules)
{
    Gh__PolicyRules *rules = gh_arena_alloc(arena, sizeof *rules);

    if (rules == NULL) return GH_ERR_NOMEM;
    gh__policy_rules__init(rules);
    rules->policy_version = policy->version;
    rules->roles = gh_arena_alloc(arena, policy->n_roles * sizeof *rules->roles);
    rules->routes = gh_arena_alloc(arena, (policy->n_routes + 1u) * sizeof *rules->routes);
    if (rules->roles == NULL || rules->routes == NULL) return GH_ERR_NOMEM;
    for (uint32_t i = 0; i < policy->n_roles; i++)
        rules->roles[i] = gh_bytes_str(policy->roles[i]);
    rules->n_roles = policy->n_roles;
    for (uint32_t i = 0; i < policy->n_routes; i++) {
        rules->routes[i] = route_rules(&policy->routes[i], arena);
        if (rules->routes[i] == NULL) return GH_ERR_NOMEM;
    }
    rules->n_routes = policy->n_routes;
    *ret_rules = rules;
    return GH_OK;
}
