/* The schemas a policy names, compiled from the bundle alone: nothing is fetched. */
#include "policy/policy_internal.h"
#include "schema/schema.h"

#include <stdio.h>
#include <string.h>

#define SCHEMAS_MAX 2048

static enum gh_err report_problem(struct bind *bind, const char *file,
                                  const struct schema_problem *problem)
{
    const char *document = problem->document;

    if (strncmp(document, "file:///", 8) == 0) document += 8;
    return report_add(bind->report, document[0] != '\0' ? document : file, problem->line,
                      problem->pointer, "%s", problem->text);
}

enum gh_err load_schemas(struct load *load)
{
    enum gh_err first = GH_OK;

    for (uint32_t i = 0; i < load->bundle->n_files; i++) {
        const struct bundle_file *file = &load->bundle->files[i];
        struct schema_problem problem = { 0 };
        size_t len = strlen(file->name);
        char uri[BUNDLE_NAME_MAX + 16];
        enum gh_err err;

        if (len < 5 || strcmp(file->name + len - 5, ".json") != 0) continue;
        (void)snprintf(uri, sizeof uri, "file:///%s", file->name);
        err = schema_registry_add(load->registry, uri, file->data, file->len, &problem);
        if (err == GH_ERR_EXISTS)
            err = report_add(load->bind.report, file->name, 0, "", "another file has the same $id");
        else if (err == GH_ERR_CONFIG)
            err = report_problem(&load->bind, file->name, &problem);
        if (err == GH_ERR_NOMEM) return err;
        if (first == GH_OK) first = err;
    }
    return first;
}

static enum gh_err grow(struct load *load)
{
    struct policy *policy = load->policy;
    uint32_t cap = policy->cap_schemas == 0 ? 16 : policy->cap_schemas * 2;
    struct policy_schema *schemas;

    if (policy->n_schemas < policy->cap_schemas) return GH_OK;
    if (cap > SCHEMAS_MAX) return GH_ERR_LIMIT;
    schemas = gh_arena_alloc(policy->arena, cap * sizeof *schemas);
    if (schemas == NULL) return GH_ERR_NOMEM;
    if (policy->n_schemas > 0)
        memcpy(schemas, policy->schemas, policy->n_schemas * sizeof *schemas);
    policy->schemas = schemas;
    policy->cap_schemas = cap;
    return GH_OK;
}

enum gh_err load_schema_ref(struct bind *bind, const struct ynode *node,
                            const struct schema **ret_schema)
{
    struct load *load = bind->ctx;
    struct policy *policy = load->policy;
    struct schema_options options = { .assert_format = load->route->formats == 0 };
    struct schema_problem problem = { 0 };
    struct schema *schema = NULL;
    const char *ref = "";
    char uri[1100], name[BUNDLE_NAME_MAX + 1];
    enum gh_err err = bind_text(bind, node, &ref);

    if (err != GH_OK) return err;
    for (uint32_t i = 0; i < policy->n_schemas; i++) {
        if (strcmp(policy->schemas[i].ref, ref) != 0 ||
            policy->schemas[i].assert_format != options.assert_format)
            continue;
        *ret_schema = policy->schemas[i].schema;
        return GH_OK;
    }
    (void)snprintf(name, sizeof name, "%.*s", (int)strcspn(ref, "#"), ref);
    if (bundle_find(load->bundle, name) == NULL)
        return bind_fail(bind, node, "\"%.200s\" is no *.json file in the policy folder", name);
    (void)snprintf(uri, sizeof uri, "file:///%.1000s", ref);
    err = schema_compile(load->registry, uri, &options, &schema, &problem);
    if (err == GH_ERR_CONFIG) {
        (void)report_problem(bind, name, &problem);
        return bind_fail(bind, node, "the schema \"%.200s\" does not load", ref);
    }
    if (err == GH_OK) err = grow(load);
    if (err != GH_OK) {
        schema_free(schema);
        return err == GH_ERR_LIMIT ? bind_fail(bind, node, "more than %d schemas", SCHEMAS_MAX)
                                   : err;
    }
    policy->schemas[policy->n_schemas++] =
        (struct policy_schema){ ref, options.assert_format, schema };
    *ret_schema = schema;
    return GH_OK;
}
