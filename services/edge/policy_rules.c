#include "policy_rules.h"

#include "common/arena.h"

#include <stdlib.h>
#include <string.h>

#define ARENA_MAX_BYTES (16u << 20)

struct policy_route_rules {
    const char *name;
    struct policy_type_rules *types; /* by name */
    size_t n_types;
    struct policy_type_rules *binary;
};

struct policy_rules {
    struct gh_arena *arena;
    uint64_t version;
    ProtobufCBinaryData roles[POLICY_RULES_ROLES_MAX];
    size_t n_roles;
    struct policy_route_rules *routes;
    size_t n_routes;
};

/* NUL-ended copy. */
static char *keep(struct policy_rules *rules, ProtobufCBinaryData bytes)
{
    char *copy = gh_arena_alloc(rules->arena, bytes.len + 1);

    if (copy == NULL) return NULL;
    if (bytes.len > 0) memcpy(copy, bytes.data, bytes.len);
    copy[bytes.len] = '\0';
    return copy;
}

static enum gh_err take_type(struct policy_rules *rules, const Gh__TypeRules *from,
                             struct policy_type_rules *to)
{
    if (from->name.len == 0) return GH_ERR_BAD_MESSAGE;
    *to = (struct policy_type_rules){ .name = keep(rules, from->name),
                                      .len = (uint32_t)from->name.len,
                                      .judged = from->judged,
                                      .receive = from->receive };
    return to->name != NULL ? GH_OK : GH_ERR_NOMEM;
}

static int compare(const void *name, size_t len, const struct policy_type_rules *type)
{
    if (len != type->len) return len < type->len ? -1 : 1;
    return memcmp(name, type->name, len);
}

static int by_name(const void *a, const void *b)
{
    const struct policy_type_rules *type = a;

    return compare(type->name, type->len, b);
}

static enum gh_err take_route(struct policy_rules *rules, const Gh__RouteRules *from,
                              struct policy_route_rules *to)
{
    enum gh_err err = GH_OK;

    to->name = keep(rules, from->name);
    to->types = gh_arena_alloc(rules->arena, (from->n_types + 1) * sizeof *to->types);
    if (to->name == NULL || to->types == NULL) return GH_ERR_NOMEM;
    for (; err == GH_OK && to->n_types < from->n_types; to->n_types++)
        err = take_type(rules, from->types[to->n_types], &to->types[to->n_types]);
    if (err != GH_OK) return err;
    qsort(to->types, to->n_types, sizeof *to->types, by_name);
    if (from->binary == NULL) return GH_OK;
    to->binary = gh_arena_alloc(rules->arena, sizeof *to->binary);
    return to->binary != NULL ? take_type(rules, from->binary, to->binary) : GH_ERR_NOMEM;
}

static enum gh_err fill(struct policy_rules *rules, const Gh__PolicyRules *message)
{
    enum gh_err err = GH_OK;

    if (message->n_roles > POLICY_RULES_ROLES_MAX) return GH_ERR_BAD_MESSAGE;
    rules->version = message->policy_version;
    for (; rules->n_roles < message->n_roles; rules->n_roles++) {
        ProtobufCBinaryData *role = &rules->roles[rules->n_roles];

        role->len = message->roles[rules->n_roles].len;
        role->data = (uint8_t *)keep(rules, message->roles[rules->n_roles]);
        if (role->data == NULL) return GH_ERR_NOMEM;
    }
    rules->routes = gh_arena_alloc(rules->arena, (message->n_routes + 1) * sizeof *rules->routes);
    if (rules->routes == NULL) return GH_ERR_NOMEM;
    memset(rules->routes, 0, (message->n_routes + 1) * sizeof *rules->routes);
    for (; err == GH_OK && rules->n_routes < message->n_routes; rules->n_routes++)
        err = take_route(rules, message->routes[rules->n_routes], &rules->routes[rules->n_routes]);
    return err;
}

enum gh_err policy_rules_new(const Gh__PolicyRules *message, struct policy_rules **ret_rules)
{
    struct policy_rules *rules = calloc(1, sizeof *rules);
    enum gh_err err;

    if (rules == NULL) return GH_ERR_NOMEM;
    err = gh_arena_new(ARENA_MAX_BYTES, &rules->arena);
    if (err == GH_OK) err = fill(rules, message);
    if (err != GH_OK) {
        policy_rules_free(rules);
        return err;
    }
    *ret_rules = rules;
    return GH_OK;
}

void policy_rules_free(struct policy_rules *rules)
{
    if (rules == NULL) return;
    gh_arena_free(rules->arena);
    free(rules);
}

uint64_t policy_rules_version(const struct policy_rules *rules)
{
    return rules->version;
}

const struct policy_route_rules *policy_rules_route(const struct policy_rules *rules,
                                                    const char *name)
{
    for (size_t i = 0; i < rules->n_routes; i++)
        if (strcmp(rules->routes[i].name, name) == 0) return &rules->routes[i];
    return NULL;
}

const struct policy_type_rules *policy_rules_type(const struct policy_route_rules *route,
                                                  const void *name, size_t len)
{
    size_t low = 0, high = route->n_types;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = compare(name, len, &route->types[middle]);

        if (order == 0) return &route->types[middle];
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

const struct policy_type_rules *policy_rules_binary(const struct policy_route_rules *route)
{
    return route->binary;
}

uint64_t policy_rules_roles(const struct policy_rules *rules, const char *list, size_t len)
{
    const char *at = list, *end = list + len;
    uint64_t bits = 1;

    while (at < end) {
        const char *comma = memchr(at, ',', (size_t)(end - at));
        size_t n = (size_t)((comma != NULL ? comma : end) - at);

        for (size_t i = 1; i < rules->n_roles; i++)
            if (rules->roles[i].len == n && memcmp(rules->roles[i].data, at, n) == 0)
                bits |= (uint64_t)1 << i;
        at += n + 1;
    }
    return bits;
}
