#include "validator/schema/compile.h"

#include "validator/schema/uri.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_MAX_SCHEMAS  20000u
#define DEFAULT_MAX_PATTERNS 1000u
#define PATH_MAX_BYTES       2048

enum gh_err compile_string(struct compiler *c, const char *text, size_t len, uint32_t *ret_at)
{
    uint32_t at = strmap_get(&c->strings, text, len);
    enum gh_err err;
    char *copy;

    if (at == STRMAP_NONE) {
        if (len > UINT32_MAX / 4) return GH_ERR_LIMIT;
        at = c->out->strings.n;
        err = strmap_put(&c->strings, text, len, at);
        if (err != GH_OK) return err;
        copy = vec_push_n(&c->out->strings, (uint32_t)len + 1);
        if (copy == NULL) return GH_ERR_NOMEM;
        memcpy(copy, text, len);
    }
    *ret_at = at;
    return GH_OK;
}

static enum gh_err location(struct compiler *c, uint32_t doc, uint32_t node, uint32_t *ret_at)
{
    const struct schema_document *document = index_document(&c->ix, doc);
    char text[URI_MAX_BYTES + PATH_MAX_BYTES];
    size_t len = 0;

    if (doc != c->root_doc) len = (size_t)snprintf(text, URI_MAX_BYTES, "%s", document->uri);
    text[len++] = '#';
    len += schema_instance_path(&document->tape, 0, node, text + len, sizeof(text) - len);
    return compile_string(c, text, len, ret_at);
}

enum gh_err compile_schema_at(struct compiler *c, uint32_t doc, uint32_t node, uint32_t *ret_id)
{
    const struct schema_document *document = index_document(&c->ix, doc);
    enum gh_json_kind kind = gh_tape_kind(&document->tape, node);
    uint32_t path;
    struct snode *snode;
    struct work *work;
    struct origin *origin;
    enum gh_err err;

    if (kind == GH_JSON_TRUE ||
        (kind == GH_JSON_OBJ && gh_tape_count(&document->tape, node) == 0)) {
        *ret_id = SNODE_TRUE;
        return GH_OK;
    }
    if (kind != GH_JSON_FALSE && kind != GH_JSON_OBJ)
        return schema_problem_at(c->problem, document, node,
                                 "a schema must be an object, true or false");
    if (c->compiled[doc][node] != 0) {
        *ret_id = c->compiled[doc][node] - 1;
        return GH_OK;
    }
    if (c->out->nodes.n >= c->options.max_schemas)
        return schema_problem_at(c->problem, document, node, "more than %u subschemas",
                                 c->options.max_schemas);
    err = location(c, doc, node, &path);
    if (err != GH_OK) return err;
    snode = vec_push(&c->out->nodes);
    origin = vec_push(&c->origins);
    work = vec_push(&c->work);
    if (snode == NULL || origin == NULL || work == NULL) return GH_ERR_NOMEM;
    *snode = (struct snode){ .path = path, .types = TYPES_ALL };
    *origin = (struct origin){ doc, node };
    *work = (struct work){ { doc, node }, c->out->nodes.n - 1 };
    c->compiled[doc][node] = c->out->nodes.n;
    *ret_id = c->out->nodes.n - 1;
    return GH_OK;
}

struct insn *compile_emit(struct compiler *c, enum run run, enum op op, enum kw kw)
{
    struct insn *insn = vec_push(&c->runs[run]);

    if (insn != NULL) {
        insn->op = (uint8_t)op;
        insn->kw = (uint8_t)kw;
    }
    return insn;
}

/* Every schema of a document of the user's is compiled, reached or not: an error in it must show.
 */
static enum gh_err compile_whole_document(struct compiler *c, uint32_t doc)
{
    const struct schema_document *document = index_document(&c->ix, doc);
    enum gh_err err = GH_OK;
    uint32_t id;

    if (document->builtin) return GH_OK;
    for (uint32_t i = 0; i < document->tape.n_nodes && err == GH_OK; i++)
        if (c->ix.owners[doc][i] != 0) err = compile_schema_at(c, doc, i, &id);
    return err;
}

static enum gh_err compile_all(struct compiler *c, const char *uri)
{
    struct target root;
    bool more = true;
    enum gh_err err = index_find_uri(&c->ix, uri, &root);

    if (err != GH_OK) return err;
    c->root_doc = root.doc;
    if (vec_push(&c->out->nodes) == NULL || vec_push(&c->origins) == NULL ||
        vec_push(&c->out->insns) == NULL) /* so that there is an array to point into */
        return GH_ERR_NOMEM;
    *VEC_AT(&c->out->nodes, struct snode, SNODE_TRUE) = (struct snode){ .types = TYPES_ALL };
    err = compile_string(c, "", 0, &(uint32_t){ 0 });
    if (err == GH_OK) err = compile_schema_at(c, root.doc, root.node, &c->out->root);
    if (err == GH_OK) err = compile_whole_document(c, root.doc);
    while (err == GH_OK && more) {
        while (err == GH_OK && c->work.n > 0) {
            struct work work = *VEC_AT(&c->work, struct work, --c->work.n);

            err = compile_node(c, &work);
        }
        if (err == GH_OK) err = compile_dynamic_anchors(c, &more);
    }
    if (err == GH_OK) err = compile_finish(c);
    return err;
}

static void compiler_done(struct compiler *c)
{
    if (c->compiled != NULL)
        for (uint32_t i = 0; i < c->ix.registry->n_documents; i++)
            free(c->compiled[i]);
    free(c->compiled);
    for (unsigned i = 0; i < RUN_COUNT; i++)
        vec_done(&c->runs[i]);
    vec_done(&c->work);
    vec_done(&c->origins);
    vec_done(&c->constants);
    strmap_done(&c->strings);
    strmap_done(&c->patterns);
    strmap_done(&c->dynamic_names);
    index_done(&c->ix);
}

static enum gh_err new_memos(struct compiler *c)
{
    const struct schema_registry *registry = c->ix.registry;

    c->compiled = calloc(registry->n_documents + 1, sizeof(*c->compiled));
    if (c->compiled == NULL) return GH_ERR_NOMEM;
    for (uint32_t i = 0; i < registry->n_documents; i++) {
        c->compiled[i] = calloc(registry->documents[i]->tape.n_nodes, sizeof(uint32_t));
        if (c->compiled[i] == NULL) return GH_ERR_NOMEM;
    }
    return GH_OK;
}

static struct schema *schema_new(void)
{
    struct schema *schema = calloc(1, sizeof(*schema));

    if (schema == NULL) return NULL;
    schema->nodes = (struct vec)VEC_INIT(struct snode);
    schema->insns = (struct vec)VEC_INIT(struct insn);
    schema->lists = (struct vec)VEC_INIT(uint32_t);
    schema->plans = (struct vec)VEC_INIT(struct plan);
    schema->plan_keys = (struct vec)VEC_INIT(struct plan_key);
    schema->plan_patterns = (struct vec)VEC_INIT(struct plan_pattern);
    schema->masks = (struct vec)VEC_INIT(uint64_t);
    schema->bounds = (struct vec)VEC_INIT(struct bound);
    schema->divisors = (struct vec)VEC_INIT(struct decimal);
    schema->enumerations = (struct vec)VEC_INIT(struct enumeration);
    schema->others = (struct vec)VEC_INIT(struct other);
    schema->patterns = (struct vec)VEC_INIT(struct pattern *);
    schema->strings = (struct vec)VEC_INIT(char);
    schema->dynamic = (struct vec)VEC_INIT(uint32_t);
    gh_tape_init(&schema->constants);
    return schema;
}

void schema_free(struct schema *schema)
{
    if (schema == NULL) return;
    for (uint32_t i = 0; i < schema->plans.n; i++)
        keyset_done(&VEC_AT(&schema->plans, struct plan, i)->keys);
    for (uint32_t i = 0; i < schema->enumerations.n; i++)
        keyset_done(&VEC_AT(&schema->enumerations, struct enumeration, i)->strings);
    for (uint32_t i = 0; i < schema->patterns.n; i++)
        pattern_free(*VEC_AT(&schema->patterns, struct pattern *, i));
    vec_done(&schema->nodes);
    vec_done(&schema->insns);
    vec_done(&schema->lists);
    vec_done(&schema->plans);
    vec_done(&schema->plan_keys);
    vec_done(&schema->plan_patterns);
    vec_done(&schema->masks);
    vec_done(&schema->bounds);
    vec_done(&schema->divisors);
    vec_done(&schema->enumerations);
    vec_done(&schema->others);
    vec_done(&schema->patterns);
    vec_done(&schema->strings);
    vec_done(&schema->dynamic);
    gh_tape_done(&schema->constants);
    free(schema->constants_text);
    free(schema);
}

enum gh_err schema_compile(struct schema_registry *registry, const char *uri,
                           const struct schema_options *options, struct schema **ret_schema,
                           struct schema_problem *problem)
{
    struct compiler c = {
        .problem = problem,
        .work = VEC_INIT(struct work),
        .origins = VEC_INIT(struct origin),
        .constants = VEC_INIT(struct origin),
    };
    enum gh_err err;

    if (options != NULL) c.options = *options;
    if (c.options.max_schemas == 0) c.options.max_schemas = DEFAULT_MAX_SCHEMAS;
    if (c.options.max_patterns == 0) c.options.max_patterns = DEFAULT_MAX_PATTERNS;
    for (unsigned i = 0; i < RUN_COUNT; i++)
        c.runs[i] = (struct vec)VEC_INIT(struct insn);
    if (problem != NULL) *problem = (struct schema_problem){ 0 };

    c.out = schema_new();
    if (c.out == NULL) return GH_ERR_NOMEM;
    err =
        index_init(&c.ix, registry, c.options.default_draft07 ? DRAFT_07 : DRAFT_2020_12, problem);
    if (err == GH_OK) err = new_memos(&c);
    if (err == GH_OK) err = compile_all(&c, uri);
    compiler_done(&c);
    if (err != GH_OK) {
        schema_free(c.out);
        return err;
    }
    *ret_schema = c.out;
    return GH_OK;
}

enum gh_err schema_compile_text(const char *name, const char *json, size_t len,
                                const struct schema_options *options, struct schema **ret_schema,
                                struct schema_problem *problem)
{
    static const char uri[] = "urn:gatehouse:schema";
    struct schema_registry *registry = NULL;
    enum gh_err err = schema_registry_new(&registry);

    if (err == GH_OK) err = schema_registry_add(registry, uri, json, len, problem);
    if (err == GH_OK) err = schema_compile(registry, uri, options, ret_schema, problem);
    schema_registry_free(registry);
    if (err == GH_ERR_CONFIG && problem != NULL && strcmp(problem->document, uri) == 0)
        snprintf(problem->document, sizeof(problem->document), "%s", name);
    return err;
}
