/* After the last subschema: what can only be done when all are known. */
#include "validator/schema/compile.h"

#include <stdlib.h>
#include <string.h>

/* ---- edges ---- */

static enum gh_err list_edges(struct schema *out, uint32_t first, uint32_t n, compile_edge_fn fn,
                              void *ctx)
{
    enum gh_err err = GH_OK;

    for (uint32_t i = 0; i < n && err == GH_OK; i++)
        err = fn(ctx, VEC_AT(&out->lists, uint32_t, first + i));
    return err;
}

static enum gh_err plan_edges(struct schema *out, struct plan *plan, bool in_place,
                              compile_edge_fn fn, void *ctx)
{
    enum gh_err err = GH_OK;

    for (uint32_t i = 0; i < plan->keys.n && err == GH_OK; i++) {
        struct plan_key *key = VEC_AT(&out->plan_keys, struct plan_key, plan->first_key + i);

        err = fn(ctx, &key->then);
        if (err == GH_OK && !in_place) err = fn(ctx, &key->schema);
    }
    if (in_place) return err;
    for (uint32_t i = 0; i < plan->n_patterns && err == GH_OK; i++)
        err =
            fn(ctx,
               &VEC_AT(&out->plan_patterns, struct plan_pattern, plan->first_pattern + i)->schema);
    if (err == GH_OK) err = fn(ctx, &plan->additional);
    if (err == GH_OK) err = fn(ctx, &plan->names);
    return err;
}

enum gh_err compile_edges(struct schema *out, const struct insn *insn, bool in_place,
                          compile_edge_fn fn, void *ctx)
{
    struct insn *i = VEC_AT(&out->insns, struct insn, insn - VEC_AT(&out->insns, struct insn, 0));
    enum gh_err err = GH_OK;

    switch (insn->op) {
    case OP_OBJECT:
        return plan_edges(out, VEC_AT(&out->plans, struct plan, insn->a), in_place, fn, ctx);
    case OP_ARRAY:
        if (in_place) return GH_OK;
        err = list_edges(out, insn->a, insn->b, fn, ctx);
        return err == GH_OK ? fn(ctx, &i->c) : err;
    case OP_ALL_OF:
    case OP_ANY_OF:
    case OP_ONE_OF: return list_edges(out, insn->a, insn->b, fn, ctx);
    case OP_NOT:
    case OP_REF: return fn(ctx, &i->a);
    case OP_DYNAMIC_REF: return in_place ? GH_OK : fn(ctx, &i->a); /* loops: the depth cap's */
    case OP_IF:
        err = fn(ctx, &i->a);
        if (err == GH_OK) err = fn(ctx, &i->b);
        return err == GH_OK ? fn(ctx, &i->c) : err;
    case OP_CONTAINS:
    case OP_UNEVALUATED_PROPERTIES:
    case OP_UNEVALUATED_ITEMS: return in_place ? GH_OK : fn(ctx, &i->a);
    default: return GH_OK;
    }
}

/* ---- dynamic anchors ---- */

enum gh_err compile_dynamic_anchors(struct compiler *c, bool *ret_more)
{
    uint32_t n_resources = c->ix.resources.n;
    bool *touched;
    enum gh_err err = GH_OK;

    *ret_more = false;
    if (c->dynamic_names.n == 0) return GH_OK;
    touched = calloc(n_resources, sizeof(*touched));
    if (touched == NULL) return GH_ERR_NOMEM;
    for (uint32_t i = 1; i < c->out->nodes.n; i++)
        touched[VEC_AT(&c->out->nodes, struct snode, i)->resource] = true;

    c->out->n_resources = n_resources;
    c->out->dynamic.n = 0;
    if (vec_push_n(&c->out->dynamic, n_resources * c->dynamic_names.n) == NULL) err = GH_ERR_NOMEM;
    for (uint32_t e = 0; e < c->dynamic_names.size && err == GH_OK; e++) {
        const struct strmap_entry *entry = &c->dynamic_names.entries[e];

        if (entry->key == NULL) continue;
        for (uint32_t r = 0; r < n_resources && err == GH_OK; r++) {
            uint32_t anchor = touched[r] ? index_anchor(&c->ix, r, entry->key) : INDEX_NONE;
            uint32_t id = SNODE_NONE;

            if (anchor != INDEX_NONE && VEC_AT(&c->ix.anchors, struct anchor, anchor)->dynamic)
                err = compile_schema_at(c, index_resource(&c->ix, r)->doc,
                                        VEC_AT(&c->ix.anchors, struct anchor, anchor)->node, &id);
            *VEC_AT(&c->out->dynamic, uint32_t, entry->value * n_resources + r) = id;
        }
    }
    free(touched);
    *ret_more = c->work.n > 0;
    return err;
}

/* A name that only one resource gives a meaning needs no search at run time. */
static void settle_dynamic_refs(struct compiler *c)
{
    struct schema *out = c->out;
    bool any = false;

    for (uint32_t i = 0; i < out->insns.n; i++) {
        struct insn *insn = VEC_AT(&out->insns, struct insn, i);
        uint32_t candidates = 0;

        if (insn->op != OP_DYNAMIC_REF) continue;
        for (uint32_t r = 0; r < out->n_resources; r++)
            candidates +=
                *VEC_AT(&out->dynamic, uint32_t, insn->b * out->n_resources + r) != SNODE_NONE;
        if (candidates <= 1)
            insn->op = OP_REF;
        else
            any = true;
    }
    if (!any) out->n_resources = 0;
}

/* ---- aliases: {"$ref": x} alone is x ---- */

static uint32_t alias_of(const struct schema *out, uint32_t id)
{
    for (uint32_t hops = 0; id != SNODE_NONE && hops < 64; hops++) {
        const struct snode *node = VEC_AT(&out->nodes, struct snode, id);

        if (id == SNODE_TRUE || node->types != TYPES_ALL || node->end[RUN_LATE] != 1 ||
            VEC_AT(&out->insns, struct insn, node->first)->op != OP_REF)
            break;
        id = VEC_AT(&out->insns, struct insn, node->first)->a;
    }
    return id;
}

static enum gh_err follow_alias(void *ctx, uint32_t *id)
{
    *id = alias_of(ctx, *id);
    return GH_OK;
}

static enum gh_err follow_aliases(struct schema *out)
{
    enum gh_err err = GH_OK;

    for (uint32_t i = 0; i < out->insns.n && err == GH_OK; i++)
        err = compile_edges(out, VEC_AT(&out->insns, struct insn, i), false, follow_alias, out);
    out->root = alias_of(out, out->root);
    return err;
}

/* ---- loops ---- */

struct loop_search {
    struct schema *out;
    struct vec stack; /* uint32_t: id * 2, + 1 when its edges are done */
    uint8_t *state;   /* 0 new, 1 on the way, 2 done */
    uint32_t found;   /* a schema that comes back to itself, or SNODE_NONE */
};

static enum gh_err loop_edge(void *ctx, uint32_t *id)
{
    struct loop_search *s = ctx;
    uint32_t *at;

    if (*id == SNODE_NONE || s->state[*id] == 2) return GH_OK;
    if (s->state[*id] == 1) {
        s->found = *id;
        return GH_OK;
    }
    at = vec_push(&s->stack);
    if (at == NULL) return GH_ERR_NOMEM;
    *at = *id * 2;
    return GH_OK;
}

static enum gh_err search_loops(struct loop_search *s)
{
    enum gh_err err = GH_OK;

    for (uint32_t root = 0; root < s->out->nodes.n && err == GH_OK; root++) {
        uint32_t start = root;

        if (s->state[root] != 0) continue;
        err = loop_edge(s, &start);
        while (err == GH_OK && s->stack.n > 0 && s->found == SNODE_NONE) {
            uint32_t *top = VEC_AT(&s->stack, uint32_t, s->stack.n - 1);
            uint32_t id = *top / 2;
            const struct snode *node = VEC_AT(&s->out->nodes, struct snode, id);

            if (*top % 2 == 1 || s->state[id] == 2) {
                s->state[id] = 2;
                s->stack.n--;
                continue;
            }
            *top |= 1;
            s->state[id] = 1;
            for (uint32_t i = 0; i < node->end[RUN_LATE] && err == GH_OK; i++)
                err = compile_edges(s->out, VEC_AT(&s->out->insns, struct insn, node->first + i),
                                    true, loop_edge, s);
        }
        if (s->found != SNODE_NONE) break;
    }
    return err;
}

static enum gh_err refuse_loops(struct compiler *c)
{
    struct loop_search s = {
        .out = c->out,
        .stack = VEC_INIT(uint32_t),
        .state = calloc(c->out->nodes.n, 1),
        .found = SNODE_NONE,
    };
    enum gh_err err = s.state == NULL ? GH_ERR_NOMEM : search_loops(&s);

    if (err == GH_OK && s.found != SNODE_NONE) {
        const struct origin *at = VEC_AT(&c->origins, struct origin, s.found);

        err = schema_problem_at(
            c->problem, index_document(&c->ix, at->doc), at->node,
            "refers back to itself without going into the value: an endless loop");
    }
    vec_done(&s.stack);
    free(s.state);
    return err;
}

/* ---- constants ---- */

/* The values of enum and const, moved out of their documents into one tape. */
static enum gh_err gather_constants(struct compiler *c)
{
    struct vec text = VEC_INIT(char);
    struct schema *out = c->out;
    enum gh_err err = GH_OK;
    uint32_t node = 1;

    for (uint32_t i = 0; i < c->constants.n && err == GH_OK; i++) {
        const struct origin *from = VEC_AT(&c->constants, struct origin, i);
        const struct gh_tape *tape = &index_document(&c->ix, from->doc)->tape;
        const struct gh_node *value = &tape->nodes[from->node];
        char *to = vec_push_n(&text, value->len + 1);

        if (to == NULL) {
            err = GH_ERR_NOMEM;
            break;
        }
        to[0] = i == 0 ? '[' : ',';
        memcpy(to + 1, tape->src + value->off, value->len);
    }
    if (err == GH_OK && c->constants.n > 0) {
        char *end = vec_push_n(&text, 2);

        if (end == NULL) {
            err = GH_ERR_NOMEM;
        } else {
            memcpy(end, "]", 2);
            out->constants_text = text.data;
            text.data = NULL;
            enum gh_json_err bad = gh_tape_parse(&out->constants, out->constants_text, text.n - 1,
                                                 &gh_json_limits_trusted);

            if (bad != GH_JSON_OK)
                err = bad == GH_JSON_NOMEM ? GH_ERR_NOMEM
                                           : schema_problem_text(c->problem, "enum and const", "%s",
                                                                 gh_json_err_text(bad));
        }
    }
    for (uint32_t i = 0; i < c->constants.n && err == GH_OK; i++) {
        *VEC_AT(&out->others, struct other, i) =
            (struct other){ node, gh_tape_hash(&out->constants, node, OTHER_HASH_SEED) };
        node = out->constants.nodes[node].next;
    }
    vec_done(&text);
    return err;
}

enum gh_err compile_finish(struct compiler *c)
{
    enum gh_err err = gather_constants(c);

    settle_dynamic_refs(c);
    if (err == GH_OK) err = refuse_loops(c);
    if (err != GH_OK) return err;
    return c->out->n_resources == 0 ? follow_aliases(c->out) : GH_OK;
}
