/*
 * properties, patternProperties, additionalProperties, propertyNames, required and the dependent*
 * keywords become one plan: one pass over the members, one hash per member, presence as a bit mask.
 */
#include "validator/schema/compile.h"

#include <stdlib.h>

struct builder {
    struct compiler *c;
    struct strmap names; /* to keys */
    struct vec keys;     /* struct plan_key; needs is an index into needs_masks */
    struct vec required; /* uint32_t: key indexes */
    struct vec needs;    /* struct need */
    struct vec patterns; /* struct plan_pattern */
};

struct need { /* if key `when` is there, so must be `what` */
    uint32_t when;
    uint32_t what;
};

static enum gh_err key_index(struct builder *b, uint32_t node, uint32_t *ret_i)
{
    const struct gh_tape *tape = compile_tape(b->c);
    size_t len = gh_tape_str_len(tape, node);
    char *scratch = malloc(len + 1);
    enum gh_err err = GH_OK;
    const char *text;
    uint32_t i;

    if (scratch == NULL) return GH_ERR_NOMEM;
    text = gh_tape_str(tape, node, scratch, &len);
    i = strmap_get(&b->names, text, len);
    if (i == STRMAP_NONE) {
        struct plan_key *key = vec_push(&b->keys);

        i = b->keys.n - 1;
        err = key == NULL ? GH_ERR_NOMEM : strmap_put(&b->names, text, len, i);
        if (key != NULL)
            *key =
                (struct plan_key){ .schema = SNODE_NONE, .needs = UINT32_MAX, .then = SNODE_NONE };
    }
    free(scratch);
    if (err == GH_OK) *ret_i = i;
    return err;
}

static enum gh_err need_object(struct builder *b, uint32_t node)
{
    if (gh_tape_kind(compile_tape(b->c), node) == GH_JSON_OBJ) return GH_OK;
    return compile_fail(b->c, node, "must be an object");
}

static enum gh_err add_properties(struct builder *b, uint32_t node)
{
    const struct gh_tape *tape = compile_tape(b->c);
    enum gh_err err = need_object(b, node);

    for (uint32_t k = node + 1; err == GH_OK && k < tape->nodes[node].next;
         k = tape->nodes[k + 1].next) {
        uint32_t i, id;

        err = key_index(b, k, &i);
        if (err == GH_OK) err = compile_schema_at(b->c, b->c->here.doc, k + 1, &id);
        if (err == GH_OK) VEC_AT(&b->keys, struct plan_key, i)->schema = id;
    }
    return err;
}

/* An array of names; each is handed to one of the two lists. */
static enum gh_err add_names(struct builder *b, uint32_t node, uint32_t when)
{
    const struct gh_tape *tape = compile_tape(b->c);

    if (gh_tape_kind(tape, node) != GH_JSON_ARR)
        return compile_fail(b->c, node, "must be an array of property names");
    for (uint32_t i = node + 1; i < tape->nodes[node].next; i = tape->nodes[i].next) {
        uint32_t key;
        enum gh_err err;

        if (gh_tape_kind(tape, i) != GH_JSON_STR)
            return compile_fail(b->c, i, "must be a property's name");
        err = key_index(b, i, &key);
        if (err != GH_OK) return err;
        if (when == UINT32_MAX) {
            uint32_t *at = vec_push(&b->required);

            if (at == NULL) return GH_ERR_NOMEM;
            *at = key;
        } else {
            struct need *need = vec_push(&b->needs);

            if (need == NULL) return GH_ERR_NOMEM;
            *need = (struct need){ when, key };
        }
    }
    return GH_OK;
}

/* dependentRequired, dependentSchemas, dependencies: by the form of each value. */
static enum gh_err add_dependents(struct builder *b, enum kw kw)
{
    uint32_t node = b->c->at[kw];
    const struct gh_tape *tape = compile_tape(b->c);
    enum gh_err err;

    if (node == GH_TAPE_NONE) return GH_OK;
    err = need_object(b, node);
    for (uint32_t k = node + 1; err == GH_OK && k < tape->nodes[node].next;
         k = tape->nodes[k + 1].next) {
        bool names = kw == KW_DEPENDENT_REQUIRED ||
                     (kw == KW_DEPENDENCIES && gh_tape_kind(tape, k + 1) == GH_JSON_ARR);
        uint32_t i, id;

        err = key_index(b, k, &i);
        if (err != GH_OK) break;
        if (names) {
            err = add_names(b, k + 1, i);
            VEC_AT(&b->keys, struct plan_key, i)->needs_kw = (uint8_t)kw;
            continue;
        }
        err = compile_schema_at(b->c, b->c->here.doc, k + 1, &id);
        if (err != GH_OK) break;

        struct plan_key *key = VEC_AT(&b->keys, struct plan_key, i);

        if (key->then != SNODE_NONE) /* 2020-12 with the old `dependencies` beside the new one */
            return compile_fail(b->c, k,
                                "dependencies and dependentSchemas name the same property");
        key->then = id;
        key->then_kw = (uint8_t)kw;
    }
    return err;
}

static enum gh_err add_patterns(struct builder *b, uint32_t node)
{
    const struct gh_tape *tape = compile_tape(b->c);
    enum gh_err err = need_object(b, node);

    for (uint32_t k = node + 1; err == GH_OK && k < tape->nodes[node].next;
         k = tape->nodes[k + 1].next) {
        struct plan_pattern pattern = { 0 };
        struct plan_pattern *at;

        err = compile_pattern(b->c, k, &pattern.pattern);
        if (err == GH_OK) err = compile_schema_at(b->c, b->c->here.doc, k + 1, &pattern.schema);
        if (err != GH_OK) break;
        at = vec_push(&b->patterns);
        if (at == NULL) return GH_ERR_NOMEM;
        *at = pattern;
    }
    return err;
}

static enum gh_err new_mask(struct builder *b, uint32_t words, uint32_t *ret_mask)
{
    uint32_t at = b->c->out->masks.n;

    if (vec_push_n(&b->c->out->masks, words) == NULL) return GH_ERR_NOMEM;
    *ret_mask = at;
    return GH_OK;
}

static void set_bit(struct builder *b, uint32_t mask, uint32_t bit)
{
    *VEC_AT(&b->c->out->masks, uint64_t, mask + bit / 64) |= (uint64_t)1 << bit % 64;
}

static enum gh_err make_masks(struct builder *b, struct plan *plan)
{
    enum gh_err err = GH_OK;

    plan->required = UINT32_MAX;
    plan->words = (b->keys.n + 63) / 64;
    if (b->required.n > 0) err = new_mask(b, plan->words, &plan->required);
    for (uint32_t i = 0; i < b->required.n && err == GH_OK; i++)
        set_bit(b, plan->required, *VEC_AT(&b->required, uint32_t, i));
    for (uint32_t i = 0; i < b->needs.n && err == GH_OK; i++) {
        const struct need *need = VEC_AT(&b->needs, struct need, i);
        struct plan_key *key = VEC_AT(&b->keys, struct plan_key, need->when);

        if (key->needs == UINT32_MAX) err = new_mask(b, plan->words, &key->needs);
        if (err == GH_OK) set_bit(b, key->needs, need->what);
    }
    return err;
}

static enum gh_err make_keyset(struct builder *b, struct plan *plan)
{
    struct keyset_key *keys = calloc(b->keys.n + 1, sizeof(*keys));
    enum gh_err err;

    if (keys == NULL) return GH_ERR_NOMEM;
    for (uint32_t i = 0; i < b->names.size; i++) {
        const struct strmap_entry *entry = &b->names.entries[i];

        if (entry->key != NULL) keys[entry->value] = (struct keyset_key){ entry->key, entry->len };
    }
    err = keyset_init(&plan->keys, keys, b->keys.n);
    free(keys);
    return err;
}

static enum gh_err make_plan(struct builder *b, struct plan *plan)
{
    struct schema *out = b->c->out;
    enum gh_err err = make_masks(b, plan);

    if (err != GH_OK) return err;
    plan->first_key = out->plan_keys.n;
    plan->first_pattern = out->plan_patterns.n;
    plan->n_patterns = b->patterns.n;
    if (b->keys.n > 0) {
        struct plan_key *keys = vec_push_n(&out->plan_keys, b->keys.n);

        if (keys == NULL) return GH_ERR_NOMEM;
        memcpy(keys, b->keys.data, b->keys.n * sizeof(*keys));
    }
    if (b->patterns.n > 0) {
        struct plan_pattern *patterns = vec_push_n(&out->plan_patterns, b->patterns.n);

        if (patterns == NULL) return GH_ERR_NOMEM;
        memcpy(patterns, b->patterns.data, b->patterns.n * sizeof(*patterns));
    }
    for (uint32_t i = 0; i < b->keys.n; i++) {
        const struct plan_key *key = VEC_AT(&b->keys, struct plan_key, i);

        plan->has_dependents |= key->needs != UINT32_MAX || key->then != SNODE_NONE;
        plan->has_properties |= key->schema != SNODE_NONE;
    }
    plan->presence_only = plan->required != UINT32_MAX && !plan->has_dependents &&
                          !plan->has_properties && plan->n_patterns == 0 &&
                          plan->additional == SNODE_NONE && plan->names == SNODE_NONE;
    return make_keyset(b, plan);
}

static enum gh_err gather(struct builder *b, struct plan *plan)
{
    const struct compiler *c = b->c;
    enum gh_err err = GH_OK;

    if (c->at[KW_PROPERTIES] != GH_TAPE_NONE) err = add_properties(b, c->at[KW_PROPERTIES]);
    if (err == GH_OK && c->at[KW_REQUIRED] != GH_TAPE_NONE)
        err = add_names(b, c->at[KW_REQUIRED], UINT32_MAX);
    if (err == GH_OK) err = add_dependents(b, KW_DEPENDENT_REQUIRED);
    if (err == GH_OK) err = add_dependents(b, KW_DEPENDENT_SCHEMAS);
    if (err == GH_OK) err = add_dependents(b, KW_DEPENDENCIES);
    if (err == GH_OK && c->at[KW_PATTERN_PROPERTIES] != GH_TAPE_NONE)
        err = add_patterns(b, c->at[KW_PATTERN_PROPERTIES]);
    if (err == GH_OK)
        err = compile_keyword_schema(b->c, KW_ADDITIONAL_PROPERTIES, &plan->additional);
    if (err == GH_OK) err = compile_keyword_schema(b->c, KW_PROPERTY_NAMES, &plan->names);
    return err;
}

enum gh_err compile_object(struct compiler *c)
{
    struct builder b = {
        .c = c,
        .keys = VEC_INIT(struct plan_key),
        .required = VEC_INIT(uint32_t),
        .needs = VEC_INIT(struct need),
        .patterns = VEC_INIT(struct plan_pattern),
    };
    struct plan plan = { .additional = SNODE_NONE, .names = SNODE_NONE };
    enum gh_err err = gather(&b, &plan);

    if (err == GH_OK && (b.keys.n > 0 || b.patterns.n > 0 || plan.additional != SNODE_NONE ||
                         plan.names != SNODE_NONE)) {
        struct plan *to = NULL;
        struct insn *insn = NULL;

        err = make_plan(&b, &plan);
        if (err == GH_OK) to = vec_push(&c->out->plans);
        if (err == GH_OK && to == NULL) {
            keyset_done(&plan.keys);
            err = GH_ERR_NOMEM;
        }
        if (to != NULL) {
            *to = plan;
            insn = compile_emit(c, RUN_OBJECT, OP_OBJECT, KW_PROPERTIES);
            if (insn == NULL)
                err = GH_ERR_NOMEM;
            else
                insn->a = c->out->plans.n - 1;
        }
    }
    strmap_done(&b.names);
    vec_done(&b.keys);
    vec_done(&b.required);
    vec_done(&b.needs);
    vec_done(&b.patterns);
    return err;
}
