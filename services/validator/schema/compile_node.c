/* One subschema: its keywords, in whatever order they stand, to instructions in ours. */
#include "validator/schema/compile.h"

#include "validator/schema/uri.h"

#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name;
    uint8_t types;
} type_names[] = {
    { "null", TYPE_BIT(GH_JSON_NULL) },
    { "boolean", TYPE_BIT(GH_JSON_TRUE) | TYPE_BIT(GH_JSON_FALSE) },
    { "integer", TYPES_INTEGER },
    { "number", TYPE_BIT(GH_JSON_NUM) },
    { "string", TYPE_BIT(GH_JSON_STR) },
    { "array", TYPE_BIT(GH_JSON_ARR) },
    { "object", TYPE_BIT(GH_JSON_OBJ) },
};

static enum gh_err add_type(struct compiler *c, uint32_t node, unsigned *types)
{
    for (size_t i = 0; i < sizeof(type_names) / sizeof(type_names[0]); i++)
        if (gh_tape_str_eq(compile_tape(c), node, type_names[i].name, strlen(type_names[i].name))) {
            *types |= type_names[i].types;
            return GH_OK;
        }
    return compile_fail(c, node,
                        "unknown type; use null, boolean, integer, number, string, array, object");
}

static enum gh_err compile_types(struct compiler *c, uint8_t *ret_types)
{
    const struct gh_tape *tape = compile_tape(c);
    uint32_t node = c->at[KW_TYPE];
    unsigned types = 0;
    enum gh_err err = GH_OK;

    if (node == GH_TAPE_NONE) return GH_OK;
    if (gh_tape_kind(tape, node) == GH_JSON_ARR)
        for (uint32_t i = node + 1; i < tape->nodes[node].next && err == GH_OK;
             i = tape->nodes[i].next)
            err = add_type(c, i, &types);
    else
        err = add_type(c, node, &types);
    if (err != GH_OK) return err;
    if ((types & TYPE_BIT(GH_JSON_NUM)) != 0)
        types &= ~TYPES_INTEGER;
    else if ((types & TYPES_INTEGER) != 0)
        types |= TYPE_BIT(GH_JSON_NUM);
    *ret_types = (uint8_t)types;
    return GH_OK;
}

enum gh_err compile_keyword_schema(struct compiler *c, enum kw kw, uint32_t *ret_id)
{
    *ret_id = SNODE_NONE;
    if (c->at[kw] == GH_TAPE_NONE) return GH_OK;
    return compile_schema_at(c, c->here.doc, c->at[kw], ret_id);
}

/* An array of schemas into out->lists. */
static enum gh_err compile_list(struct compiler *c, uint32_t node, uint32_t *ret_first,
                                uint32_t *ret_n)
{
    const struct gh_tape *tape = compile_tape(c);
    uint32_t n = gh_tape_count(tape, node);
    uint32_t first = c->out->lists.n;
    uint32_t at = 0;

    if (gh_tape_kind(tape, node) != GH_JSON_ARR)
        return compile_fail(c, node, "must be an array of schemas");
    if (n > 0 && vec_push_n(&c->out->lists, n) == NULL) return GH_ERR_NOMEM;
    for (uint32_t i = node + 1; i < tape->nodes[node].next; i = tape->nodes[i].next) {
        uint32_t id;
        enum gh_err err = compile_schema_at(c, c->here.doc, i, &id);

        if (err != GH_OK) return err;
        *VEC_AT(&c->out->lists, uint32_t, first + at++) = id;
    }
    *ret_first = first;
    *ret_n = n;
    return GH_OK;
}

/* Keywords whose whole argument is a count. */
static enum gh_err compile_counts(struct compiler *c)
{
    static const struct {
        enum kw kw;
        enum run run;
        enum op op;
    } counts[] = {
        { KW_MIN_PROPERTIES, RUN_OBJECT, OP_MIN_PROPERTIES },
        { KW_MAX_PROPERTIES, RUN_OBJECT, OP_MAX_PROPERTIES },
        { KW_MIN_ITEMS, RUN_ARRAY, OP_MIN_ITEMS },
        { KW_MAX_ITEMS, RUN_ARRAY, OP_MAX_ITEMS },
        { KW_MIN_LENGTH, RUN_STRING, OP_MIN_LENGTH },
        { KW_MAX_LENGTH, RUN_STRING, OP_MAX_LENGTH },
    };

    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        struct insn *insn;
        enum gh_err err;
        uint32_t n;

        if (c->at[counts[i].kw] == GH_TAPE_NONE) continue;
        err = compile_count(c, c->at[counts[i].kw], &n);
        if (err != GH_OK) return err;
        insn = compile_emit(c, counts[i].run, counts[i].op, counts[i].kw);
        if (insn == NULL) return GH_ERR_NOMEM;
        insn->a = n;
    }
    return GH_OK;
}

static enum gh_err compile_numbers(struct compiler *c)
{
    static const struct {
        enum kw kw;
        enum op op;
    } bounds[] = {
        { KW_MINIMUM, OP_MINIMUM },
        { KW_MAXIMUM, OP_MAXIMUM },
        { KW_EXCLUSIVE_MINIMUM, OP_EXCLUSIVE_MINIMUM },
        { KW_EXCLUSIVE_MAXIMUM, OP_EXCLUSIVE_MAXIMUM },
        { KW_MULTIPLE_OF, OP_MULTIPLE_OF },
    };

    for (size_t i = 0; i < sizeof(bounds) / sizeof(bounds[0]); i++) {
        uint32_t node = c->at[bounds[i].kw];
        struct insn *insn;
        enum gh_err err;
        uint32_t id;

        if (node == GH_TAPE_NONE) continue;
        if (bounds[i].kw == KW_MULTIPLE_OF)
            err = compile_divisor(c, node, &id);
        else
            err = compile_bound(c, node, &id);
        if (err != GH_OK) return err;
        insn = compile_emit(c, RUN_NUMBER, bounds[i].op, bounds[i].kw);
        if (insn == NULL) return GH_ERR_NOMEM;
        insn->a = id;
        insn->detail =
            bounds[i].kw == KW_MULTIPLE_OF ? 0 : VEC_AT(&c->out->bounds, struct bound, id)->text;
    }
    return GH_OK;
}

static enum gh_err compile_strings(struct compiler *c)
{
    const struct gh_tape *tape = compile_tape(c);
    uint32_t node = c->at[KW_PATTERN];
    bool assert_format =
        c->options.assert_format || (c->dialect.vocabularies & VOCAB_FORMAT_ASSERTION) != 0;
    struct insn *insn;
    enum gh_err err;
    uint32_t id;

    if (c->at[KW_FORMAT] != GH_TAPE_NONE) {
        uint32_t at = c->at[KW_FORMAT];
        char *name = NULL;
        enum format_id format;

        err = index_string(&c->ix, c->here.doc, at, 256, &name);
        if (err != GH_OK) return err;
        format = format_find(name, strlen(name));
        err = compile_string(c, name, strlen(name), &id);
        free(name);
        if (err != GH_OK) return err;
        if (assert_format && format != FORMAT_COUNT) {
            insn = compile_emit(c, RUN_STRING, OP_FORMAT, KW_FORMAT);
            if (insn == NULL) return GH_ERR_NOMEM;
            insn->a = format;
            insn->detail = id;
        }
    }
    if (node == GH_TAPE_NONE) return GH_OK;
    err = compile_pattern(c, node, &id);
    if (err != GH_OK) return err;
    insn = compile_emit(c, RUN_STRING, OP_PATTERN, KW_PATTERN);
    if (insn == NULL) return GH_ERR_NOMEM;
    insn->a = id;
    return compile_string(c, tape->src + tape->nodes[node].off, tape->nodes[node].len,
                          &insn->detail);
}

static enum gh_err compile_array(struct compiler *c)
{
    bool old = c->dialect.draft == DRAFT_07;
    uint32_t prefix = old ? c->at[KW_ITEMS] : c->at[KW_PREFIX_ITEMS];
    enum kw rest_kw = KW_ITEMS;
    uint32_t first = 0, n = 0, rest = SNODE_NONE;
    struct insn *insn;
    enum gh_err err;

    if (old && prefix != GH_TAPE_NONE && gh_tape_kind(compile_tape(c), prefix) == GH_JSON_ARR)
        rest_kw = KW_ADDITIONAL_ITEMS;
    else if (old)
        prefix = GH_TAPE_NONE;
    if (!old && c->at[KW_ITEMS] != GH_TAPE_NONE &&
        gh_tape_kind(compile_tape(c), c->at[KW_ITEMS]) == GH_JSON_ARR)
        return compile_fail(c, c->at[KW_ITEMS],
                            "items must be a schema; for an array of schemas use prefixItems");
    if (prefix != GH_TAPE_NONE) {
        err = compile_list(c, prefix, &first, &n);
        if (err != GH_OK) return err;
    }
    err = compile_keyword_schema(c, rest_kw, &rest);
    if (err != GH_OK) return err;
    if (n > 0 || rest != SNODE_NONE) {
        insn = compile_emit(c, RUN_ARRAY, OP_ARRAY, rest_kw);
        if (insn == NULL) return GH_ERR_NOMEM;
        insn->a = first;
        insn->b = n;
        insn->c = rest;
    }
    if (c->at[KW_UNIQUE_ITEMS] != GH_TAPE_NONE) {
        enum gh_json_kind kind = gh_tape_kind(compile_tape(c), c->at[KW_UNIQUE_ITEMS]);

        if (kind != GH_JSON_TRUE && kind != GH_JSON_FALSE)
            return compile_fail(c, c->at[KW_UNIQUE_ITEMS], "must be true or false");
        if (kind == GH_JSON_TRUE &&
            compile_emit(c, RUN_ARRAY, OP_UNIQUE_ITEMS, KW_UNIQUE_ITEMS) == NULL)
            return GH_ERR_NOMEM;
    }
    return GH_OK;
}

static enum gh_err compile_contains(struct compiler *c)
{
    uint32_t id, min = 1, max = UINT32_MAX;
    struct insn *insn;
    enum gh_err err = compile_keyword_schema(c, KW_CONTAINS, &id);

    if (err == GH_OK && c->at[KW_MIN_CONTAINS] != GH_TAPE_NONE)
        err = compile_count(c, c->at[KW_MIN_CONTAINS], &min);
    if (err == GH_OK && c->at[KW_MAX_CONTAINS] != GH_TAPE_NONE)
        err = compile_count(c, c->at[KW_MAX_CONTAINS], &max);
    if (err != GH_OK || id == SNODE_NONE) return err;
    insn = compile_emit(c, RUN_ARRAY, OP_CONTAINS, KW_CONTAINS);
    if (insn == NULL) return GH_ERR_NOMEM;
    insn->a = id;
    insn->b = min;
    insn->c = max;
    return GH_OK;
}

static enum gh_err compile_reference(struct compiler *c, enum kw kw)
{
    struct target target;
    char *text = NULL;
    struct insn *insn;
    uint32_t id, name = STRMAP_NONE;
    enum gh_err err;

    if (c->at[kw] == GH_TAPE_NONE) return GH_OK;
    err = index_string(&c->ix, c->here.doc, c->at[kw], URI_MAX_BYTES - 1, &text);
    if (err != GH_OK) return err;
    err = index_find(&c->ix, c->resource, text, c->here.doc, c->at[kw], &target);
    if (err == GH_OK) err = compile_schema_at(c, target.doc, target.node, &id);
    if (err == GH_OK && kw == KW_DYNAMIC_REF && target.anchor != INDEX_NONE &&
        VEC_AT(&c->ix.anchors, struct anchor, target.anchor)->dynamic) {
        const char *anchor = strchr(text, '#') + 1;

        name = strmap_get(&c->dynamic_names, anchor, strlen(anchor));
        if (name == STRMAP_NONE) {
            name = c->dynamic_names.n;
            err = strmap_put(&c->dynamic_names, anchor, strlen(anchor), name);
        }
    }
    free(text);
    if (err != GH_OK) return err;
    insn = compile_emit(c, RUN_ANY, name != STRMAP_NONE ? OP_DYNAMIC_REF : OP_REF, kw);
    if (insn == NULL) return GH_ERR_NOMEM;
    insn->a = id;
    insn->b = name;
    return GH_OK;
}

static enum gh_err compile_logic(struct compiler *c)
{
    static const struct {
        enum kw kw;
        enum op op;
    } lists[] = {
        { KW_ALL_OF, OP_ALL_OF },
        { KW_ANY_OF, OP_ANY_OF },
        { KW_ONE_OF, OP_ONE_OF },
    };
    uint32_t id, then_id, else_id;
    struct insn *insn;
    enum gh_err err;

    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        uint32_t first = 0, n = 0;

        if (c->at[lists[i].kw] == GH_TAPE_NONE) continue;
        err = compile_list(c, c->at[lists[i].kw], &first, &n);
        if (err != GH_OK) return err;
        if (n == 0) return compile_fail(c, c->at[lists[i].kw], "must hold at least one schema");
        insn = compile_emit(c, RUN_ANY, lists[i].op, lists[i].kw);
        if (insn == NULL) return GH_ERR_NOMEM;
        insn->a = first;
        insn->b = n;
    }
    err = compile_keyword_schema(c, KW_NOT, &id);
    if (err != GH_OK) return err;
    if (id != SNODE_NONE) {
        insn = compile_emit(c, RUN_ANY, OP_NOT, KW_NOT);
        if (insn == NULL) return GH_ERR_NOMEM;
        insn->a = id;
    }
    err = compile_keyword_schema(c, KW_IF, &id);
    if (err == GH_OK) err = compile_keyword_schema(c, KW_THEN, &then_id);
    if (err == GH_OK) err = compile_keyword_schema(c, KW_ELSE, &else_id);
    if (err != GH_OK || id == SNODE_NONE) return err;
    insn = compile_emit(c, RUN_ANY, OP_IF, KW_IF);
    if (insn == NULL) return GH_ERR_NOMEM;
    insn->a = id;
    insn->b = then_id;
    insn->c = else_id;
    return GH_OK;
}

static enum gh_err compile_enums(struct compiler *c)
{
    static const enum kw kws[] = { KW_CONST, KW_ENUM };

    for (size_t i = 0; i < 2; i++) {
        struct insn *insn;
        enum gh_err err;
        uint32_t id;

        if (c->at[kws[i]] == GH_TAPE_NONE) continue;
        err = compile_enumeration(c, c->at[kws[i]], kws[i] == KW_CONST, &id);
        if (err != GH_OK) return err;
        insn = compile_emit(c, RUN_ANY, OP_ENUM, kws[i]);
        if (insn == NULL) return GH_ERR_NOMEM;
        insn->a = id;
    }
    return GH_OK;
}

static enum gh_err compile_unevaluated(struct compiler *c)
{
    static const struct {
        enum kw kw;
        enum op op;
    } late[] = {
        { KW_UNEVALUATED_PROPERTIES, OP_UNEVALUATED_PROPERTIES },
        { KW_UNEVALUATED_ITEMS, OP_UNEVALUATED_ITEMS },
    };

    for (size_t i = 0; i < 2; i++) {
        struct insn *insn;
        uint32_t id;
        enum gh_err err = compile_keyword_schema(c, late[i].kw, &id);

        if (err != GH_OK) return err;
        if (id == SNODE_NONE) continue;
        insn = compile_emit(c, RUN_LATE, late[i].op, late[i].kw);
        if (insn == NULL) return GH_ERR_NOMEM;
        insn->a = id;
    }
    return GH_OK;
}

static uint8_t kinds_that_need_a_run(const struct snode *snode)
{
    static const uint8_t run_kinds[RUN_LATE] = {
        [RUN_OBJECT] = TYPE_BIT(GH_JSON_OBJ),
        [RUN_ARRAY] = TYPE_BIT(GH_JSON_ARR),
        [RUN_STRING] = TYPE_BIT(GH_JSON_STR),
        [RUN_NUMBER] = TYPE_BIT(GH_JSON_NUM),
        [RUN_ANY] = TYPES_ALL,
    };
    unsigned needs = (snode->types & TYPES_INTEGER) != 0 ? TYPE_BIT(GH_JSON_NUM) : 0;
    uint32_t start = 0;

    for (unsigned i = 0; i < RUN_LATE; i++) {
        if (snode->end[i] != start) needs |= run_kinds[i];
        start = snode->end[i];
    }
    if (snode->end[RUN_LATE] != start) needs |= TYPE_BIT(GH_JSON_OBJ) | TYPE_BIT(GH_JSON_ARR);
    return (uint8_t)needs;
}

/* Fills c->at for the subschema at hand. */
static void read_keywords(struct compiler *c)
{
    const struct gh_tape *tape = compile_tape(c);
    uint32_t obj = c->here.node;

    for (unsigned i = 0; i < KW_COUNT; i++)
        c->at[i] = GH_TAPE_NONE;
    for (uint32_t k = obj + 1; k < tape->nodes[obj].next; k = tape->nodes[k + 1].next) {
        char scratch[64];
        size_t len = gh_tape_str_len(tape, k);
        enum kw kw;

        if (len > sizeof(scratch)) continue;
        kw = kw_find(gh_tape_str(tape, k, scratch, &len), len);
        if (kw == KW_UNKNOWN || (kw_table[kw].drafts & c->dialect.draft) == 0 ||
            (kw_table[kw].vocabularies & c->dialect.vocabularies) == 0)
            continue;
        c->at[kw] = k + 1;
    }
    if (c->dialect.draft == DRAFT_07 && c->at[KW_REF] != GH_TAPE_NONE)
        for (unsigned i = 0; i < KW_COUNT; i++)
            if (i != KW_REF) c->at[i] = GH_TAPE_NONE;
}

static enum gh_err join_runs(struct compiler *c, struct snode *snode)
{
    struct insn *to;
    uint32_t n = 0;

    for (unsigned i = 0; i < RUN_COUNT; i++) {
        n += c->runs[i].n;
        snode->end[i] = (uint16_t)n;
    }
    snode->first = c->out->insns.n;
    snode->needs = kinds_that_need_a_run(snode);
    if (n == 0) return GH_OK;
    to = vec_push_n(&c->out->insns, n);
    if (to == NULL) return GH_ERR_NOMEM;
    for (unsigned i = 0; i < RUN_COUNT; i++) {
        if (c->runs[i].n > 0) memcpy(to, c->runs[i].data, c->runs[i].n * sizeof(*to));
        to += c->runs[i].n;
    }
    return GH_OK;
}

enum gh_err compile_node(struct compiler *c, const struct work *work)
{
    struct snode snode = *VEC_AT(&c->out->nodes, struct snode, work->id);
    enum gh_err err;

    c->here = work->from;
    c->resource = c->ix.owners[c->here.doc][c->here.node] - 1;
    c->dialect = index_resource(&c->ix, c->resource)->dialect;
    snode.resource = (uint16_t)c->resource;
    if (gh_tape_kind(compile_tape(c), c->here.node) == GH_JSON_FALSE) {
        snode.types = 0;
        snode.is_false = true;
        *VEC_AT(&c->out->nodes, struct snode, work->id) = snode;
        return GH_OK;
    }
    if (c->dialect.draft == 0)
        return compile_fail(c, index_resource(&c->ix, c->resource)->node,
                            "unknown \"$schema\": use https://json-schema.org/draft/2020-12/schema "
                            "or http://json-schema.org/draft-07/schema#");
    read_keywords(c);
    for (unsigned i = 0; i < RUN_COUNT; i++)
        c->runs[i].n = 0;

    err = compile_types(c, &snode.types);
    if (err == GH_OK) err = compile_counts(c);
    if (err == GH_OK) err = compile_numbers(c);
    if (err == GH_OK) err = compile_strings(c);
    if (err == GH_OK) err = compile_object(c);
    if (err == GH_OK) err = compile_array(c);
    if (err == GH_OK) err = compile_contains(c);
    if (err == GH_OK) err = compile_enums(c);
    if (err == GH_OK) err = compile_reference(c, KW_REF);
    if (err == GH_OK) err = compile_reference(c, KW_DYNAMIC_REF);
    if (err == GH_OK) err = compile_logic(c);
    if (err == GH_OK) err = compile_unevaluated(c);
    if (err == GH_OK) err = join_runs(c, &snode);
    if (err == GH_OK) *VEC_AT(&c->out->nodes, struct snode, work->id) = snode;
    return err;
}
