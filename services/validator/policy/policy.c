#include "policy/policy_internal.h"
#include "schema/schema.h"
#include "signatures/signatures.h"

#include <stdlib.h>
#include <string.h>

uint32_t policy_hash(const void *bytes, size_t len)
{
    const unsigned char *at = bytes;
    uint32_t hash = 0x811c9dc5u; /* FNV-1a; the table is the operator's, nobody can flood it */

    for (size_t i = 0; i < len; i++)
        hash = (hash ^ at[i]) * 0x01000193u;
    return hash ^ hash >> 15;
}

static bool is_policy_file(const char *name)
{
    size_t len = strlen(name);

    return strchr(name, '/') == NULL && len > 5 && strcmp(name + len - 5, ".yaml") == 0;
}

enum gh_err policy_load(const struct bundle *bundle, struct report *report,
                        struct policy **ret_policy)
{
    struct policy *policy = calloc(1, sizeof *policy);
    struct load load = { .bundle = bundle, .policy = policy };
    size_t before = report->n_problems;
    enum gh_err err;

    if (policy == NULL) return GH_ERR_NOMEM;
    err = gh_arena_new(POLICY_ARENA_MAX, &policy->arena);
    if (err != GH_OK) goto fail;
    policy->roles[0] = "*";
    policy->n_roles = 1;
    policy->version = bundle->digest;
    policy->routes = gh_arena_alloc(policy->arena, (bundle->n_files + 1) * sizeof *policy->routes);
    err = policy->routes == NULL ? GH_ERR_NOMEM : GH_OK;
    if (err != GH_OK) goto fail;
    policy->schema_steps = POLICY_SCHEMA_STEPS;
    err = schema_registry_new(&load.registry);
    if (err != GH_OK) goto fail;
    load.bind = (struct bind){ .arena = policy->arena, .report = report, .ctx = &load };
    err = load_schemas(&load);
    if (err == GH_ERR_NOMEM) goto fail;
    err = load_signatures(&load);
    if (err == GH_ERR_NOMEM) goto fail;
    for (uint32_t i = 0; i < bundle->n_files; i++) {
        if (!is_policy_file(bundle->files[i].name)) continue;
        err = policy_load_file(&load, &bundle->files[i]);
        if (err == GH_ERR_NOMEM) goto fail;
    }
    if (report->n_problems == before && policy->n_routes == 0)
        (void)report_add(report, "policies", 0, "", "no *.yaml file in the folder");
    err = report->n_problems == before ? GH_OK : GH_ERR_CONFIG;
    if (err != GH_OK) goto fail;
    schema_registry_free(load.registry);
    *ret_policy = policy;
    return GH_OK;
fail:
    schema_registry_free(load.registry);
    policy_free(policy);
    return err;
}

void policy_free(struct policy *policy)
{
    if (policy == NULL) return;
    for (uint32_t i = 0; i < policy->n_schemas; i++)
        schema_free(policy->schemas[i].schema);
    signatures_free(policy->signatures);
    gh_arena_free(policy->arena);
    free(policy);
}

const struct schema *policy_schema_at(const struct policy *policy, uint32_t i)
{
    return i < policy->n_schemas ? policy->schemas[i].schema : NULL;
}

const struct signatures *policy_signatures(const struct policy *policy)
{
    return policy->signatures;
}

uint32_t policy_schema_steps(const struct policy *policy)
{
    return policy->schema_steps;
}

uint64_t policy_version(const struct policy *policy)
{
    return policy->version;
}

uint32_t policy_route_count(const struct policy *policy)
{
    return policy->n_routes;
}

const struct policy_route *policy_route_at(const struct policy *policy, uint32_t i)
{
    return &policy->routes[i];
}

const struct policy_route *policy_find_route(const struct policy *policy, const void *name,
                                             size_t len)
{
    for (uint32_t i = 0; i < policy->n_routes; i++)
        if (policy->routes[i].name_len == len && memcmp(policy->routes[i].name, name, len) == 0)
            return &policy->routes[i];
    return NULL;
}

const struct policy_type *policy_find_type(const struct policy_route *route, const char *name,
                                           size_t len)
{
    for (uint32_t at = policy_hash(name, len);; at++) {
        uint16_t slot = route->slots[at & route->slot_mask];
        const struct policy_type *type;

        if (slot == 0) return NULL;
        type = &route->types[slot - 1];
        if (type->name_len == len && memcmp(type->name, name, len) == 0) return type;
    }
}

uint64_t policy_roles(const struct policy *policy, const char *list, size_t len)
{
    const char *end;
    uint64_t bits = 1;

    if (len == 0) return bits;
    end = list + len;
    while (list < end) {
        const char *comma = memchr(list, ',', (size_t)(end - list));
        size_t n = (size_t)((comma != NULL ? comma : end) - list);

        for (uint32_t i = 1; i < policy->n_roles; i++)
            if (strncmp(policy->roles[i], list, n) == 0 && policy->roles[i][n] == '\0')
                bits |= (uint64_t)1 << i;
        list += n + 1;
    }
    return bits;
}
