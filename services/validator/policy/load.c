/* One YAML file -> one policy_route. */
#include "policy/policy_internal.h"
#include "replay/replay.h"
#include "signatures/signatures.h"

#include <string.h>

/* --- roles ------------------------------------------------------------------------------------ */

bool load_word_valid(const char *text)
{
    size_t len = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.:-");

    return len > 0 && len <= POLICY_NAME_MAX && text[len] == '\0';
}

static enum gh_err add_role(struct bind *bind, const struct ynode *node, uint64_t *roles)
{
    struct policy *policy = ((struct load *)bind->ctx)->policy;
    const char *text = "";
    uint32_t bit = 0;
    enum gh_err err = bind_text(bind, node, &text);

    if (err != GH_OK) return err;
    if (strcmp(text, "*") != 0 && !load_word_valid(text))
        return bind_fail(bind, node, "a role is 1 to %d of A-Z a-z 0-9 _ . : -, or \"*\" for all",
                         POLICY_NAME_MAX);
    while (bit < policy->n_roles && strcmp(policy->roles[bit], text) != 0)
        bit++;
    if (bit == policy->n_roles) {
        if (bit > POLICY_ROLES_MAX)
            return bind_fail(bind, node, "more than %d different roles in all policies",
                             POLICY_ROLES_MAX);
        policy->roles[policy->n_roles++] = text;
    }
    *roles |= (uint64_t)1 << bit;
    return GH_OK;
}

enum gh_err load_roles(struct bind *bind, const struct ynode *node, void *target)
{
    enum gh_err err = GH_OK;

    if (node->kind == Y_SCALAR) return add_role(bind, node, target);
    if (node->kind != Y_SEQUENCE) return bind_fail(bind, node, "a list of roles was expected");
    for (const struct ynode *n = node->first; err == GH_OK && n != NULL; n = n->next)
        err = add_role(bind, n, target);
    return err;
}

/* --- types ------------------------------------------------------------------------------------ */

static const char *const csrf_choices[] = { "required", "exempt", NULL };

static enum gh_err bind_csrf(struct bind *bind, const struct ynode *node, void *target)
{
    uint32_t index = 0;
    enum gh_err err = bind_choice(bind, node, csrf_choices, &index);

    if (err == GH_OK) *(bool *)target = index == 1;
    return err;
}

#define TYPE(member) offsetof(struct policy_type, member)

static enum gh_err bind_replay(struct bind *bind, const struct ynode *node, void *target)
{
    static const struct pfield fields[] = {
        { "window", P_MS, 0, .min = 1000, .max = REPLAY_WINDOW_MAX_MS },
        { NULL },
    };
    enum gh_err err = bind_mapping(bind, node, fields, target);

    if (err == GH_OK && *(uint64_t *)target == 0) return bind_fail(bind, node, "window is missing");
    return err;
}

static enum gh_err bind_schema(struct bind *bind, const struct ynode *node, void *target)
{
    return load_schema_ref(bind, node, target);
}

static const struct pfield type_fields[] = {
    { "send", P_FN, TYPE(send), .fn = load_roles },
    { "receive", P_FN, TYPE(receive), .fn = load_roles },
    { "rate", P_TEXT, TYPE(rate), .min = 0, .max = POLICY_NAME_MAX },
    { "csrf", P_FN, TYPE(csrf_exempt), .fn = bind_csrf },
    { "max_bytes", P_BYTES, TYPE(max_bytes), .min = 2, .max = GH_JSON_MAX_BYTES },
    { "replay", P_FN, TYPE(replay_window_ms), .fn = bind_replay },
    { "schema", P_FN, TYPE(schema), .fn = bind_schema },
    { "signatures", P_FN, TYPE(threshold), .fn = load_threshold },
    { "sanitize", P_FN, 0, .fn = load_sanitize },
    { "outbound", P_FN, 0, .fn = load_outbound },
    { NULL },
};

static enum gh_err bind_types(struct bind *bind, const struct ynode *node, void *target)
{
    struct policy_route *route = target;
    enum gh_err first = GH_OK;
    uint32_t i = 0;

    if (node->kind != Y_MAPPING || node->count == 0)
        return bind_fail(bind, node, "a mapping of message types was expected");
    if (node->count > POLICY_TYPES_MAX)
        return bind_fail(bind, node, "more than %d types", POLICY_TYPES_MAX);
    route->types = gh_arena_alloc(bind->arena, node->count * sizeof *route->types);
    if (route->types == NULL) return GH_ERR_NOMEM;
    route->n_types = node->count;
    for (const struct ynode *n = node->first; n != NULL; n = n->next) {
        struct policy_type *type = &route->types[i++];
        enum gh_err err;

        *type = (struct policy_type){ .name = n->key,
                                      .name_len = (uint32_t)strlen(n->key),
                                      .rate = "",
                                      .threshold = route->threshold,
                                      .max_bytes = GH_JSON_MAX_BYTES };
        err = load_word_valid(n->key)
                  ? bind_mapping(bind, n, type_fields, type)
                  : bind_fail(bind, n, "a type is 1 to %d of A-Z a-z 0-9 _ . : -", POLICY_NAME_MAX);
        type->rate_len = (uint32_t)strlen(type->rate);
        if (err == GH_ERR_NOMEM) return err;
        if (first == GH_OK) first = err;
    }
    return first;
}

static enum gh_err index_types(struct bind *bind, struct policy_route *route)
{
    uint32_t slots = 8;

    while (slots < route->n_types * 4)
        slots *= 2;
    route->slots = gh_arena_alloc(bind->arena, slots * sizeof *route->slots);
    if (route->slots == NULL) return GH_ERR_NOMEM;
    memset(route->slots, 0, slots * sizeof *route->slots);
    route->slot_mask = slots - 1;
    for (uint32_t i = 0; i < route->n_types; i++) {
        uint32_t at = policy_hash(route->types[i].name, route->types[i].name_len);

        while (route->slots[at & route->slot_mask] != 0)
            at++;
        route->slots[at & route->slot_mask] = (uint16_t)(i + 1);
    }
    return GH_OK;
}

/* --- limits ----------------------------------------------------------------------------------- */

/* One scratch serves all schemas, so the largest of the files' wishes holds. */
static enum gh_err bind_steps(struct bind *bind, const struct ynode *node, void *target)
{
    static const struct pfield field = { "schema_steps", P_U32, 0, .min = 100, .max = 10000000 };
    struct policy *policy = ((struct load *)bind->ctx)->policy;
    uint32_t steps = 0;
    enum gh_err err = bind_value(bind, node, &field, &steps);

    (void)target;
    if (err == GH_OK && steps > policy->schema_steps) policy->schema_steps = steps;
    return err;
}

static enum gh_err bind_work(struct bind *bind, const struct ynode *node, void *target)
{
    static const struct pfield field = { "signature_work", P_BYTES, 0, .min = 1 << 16,
                                         .max = 1 << 30 };

    (void)target;
    return bind_value(bind, node, &field, &((struct load *)bind->ctx)->route->signature_work);
}

#define LIMIT(member) offsetof(struct gh_json_limits, member)

static const struct pfield limit_fields[] = {
    { "depth", P_U32, LIMIT(max_depth), .min = 2, .max = 256 },
    { "values", P_U32, LIMIT(max_nodes), .min = 8, .max = 1 << 20 },
    { "members", P_U32, LIMIT(max_members), .min = 5, .max = 1 << 16 },
    { "items", P_U32, LIMIT(max_items), .min = 1, .max = 1 << 20 },
    { "string", P_BYTES, LIMIT(max_string_bytes), .min = 64, .max = GH_JSON_MAX_BYTES },
    { "key", P_BYTES, LIMIT(max_key_bytes), .min = 16, .max = 1 << 16 },
    { "schema_steps", P_FN, 0, .fn = bind_steps },
    { "signature_work", P_FN, 0, .fn = bind_work },
    { "number", P_BYTES, LIMIT(max_number_chars), .min = 16, .max = 1024 },
    { NULL },
};

static enum gh_err bind_limits(struct bind *bind, const struct ynode *node, void *target)
{
    return bind_mapping(bind, node, limit_fields, target);
}

/* --- the file --------------------------------------------------------------------------------- */

#define ROUTE(member) offsetof(struct policy_route, member)

static enum gh_err pass_over(struct bind *bind, const struct ynode *node, void *target)
{
    (void)bind;
    (void)node;
    (void)target;
    return GH_OK;
}

static const char *const format_choices[] = { "assert", "annotate", NULL };
static const char *const key_choices[] = { "refuse", "remove", NULL };

static const struct pfield route_fields[] = {
    { "route", P_TEXT, ROUTE(name), .min = 1, .max = POLICY_NAME_MAX },
    { "max_bytes", P_BYTES, ROUTE(limits.max_bytes), .min = 2, .max = 1 << 20 },
    { "limits", P_FN, ROUTE(limits), .fn = bind_limits },
    { "signatures", P_FN, ROUTE(threshold), .fn = load_threshold },
    { "unsafe_keys", P_ENUM, ROUTE(unsafe_keys), .choices = key_choices },
    { "rich", P_FN, ROUTE(rich), .fn = load_rich },
    { "binary", P_FN, ROUTE(binary), .fn = load_binary },
    { "formats", P_ENUM, ROUTE(formats), .choices = format_choices },
    { "types", P_FN, 0, .fn = pass_over }, /* once the rest is known */
    { NULL },
};

enum gh_err policy_load_file(struct load *load, const struct bundle_file *file)
{
    struct policy *policy = load->policy;
    struct policy_route *route = &policy->routes[policy->n_routes];
    const struct ynode *root = NULL;
    enum gh_err err;

    load->bind.file = file->name;
    load->route = route;
    *route = (struct policy_route){ .limits = gh_json_limits_default };
    rich_rules_init(&route->rich);
    route->threshold = SIGNATURES_DEFAULT_THRESHOLD;
    route->signature_work = SIGNATURES_DEFAULT_WORK;
    route->limits.refuse_nul = true; /* what C programs downstream would cut the text at */
    err = yaml_tree(policy->arena, file->name, file->data, file->len, load->bind.report, &root);
    if (err != GH_OK) return err;
    err = bind_mapping(&load->bind, root, route_fields, route);
    if (err != GH_ERR_NOMEM && yaml_find(root, "types") != NULL) {
        enum gh_err types = bind_types(&load->bind, yaml_find(root, "types"), route);

        if (err == GH_OK || types == GH_ERR_NOMEM) err = types;
    }
    if (err != GH_OK) return err;
    if (route->name == NULL || route->types == NULL)
        return bind_fail(&load->bind, root, "%s is missing",
                         route->name == NULL ? "route" : "types");
    route->name_len = (uint32_t)strlen(route->name);
    if (policy_find_route(policy, route->name, route->name_len) != NULL)
        return bind_fail(&load->bind, yaml_find(root, "route"),
                         "another file has the policy of route \"%s\"", route->name);
    err = index_types(&load->bind, route);
    if (err == GH_OK) policy->n_routes++;
    return err;
}
