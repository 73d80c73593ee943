/* The walk: kind first, then the instructions that apply to it, then what applies to any value. */
#include "validator/schema/eval.h"

#include <string.h>

static const uint8_t run_of_kind[] = {
    [GH_JSON_NULL] = RUN_ANY,   [GH_JSON_FALSE] = RUN_ANY,  [GH_JSON_TRUE] = RUN_ANY,
    [GH_JSON_NUM] = RUN_NUMBER, [GH_JSON_STR] = RUN_STRING, [GH_JSON_ARR] = RUN_ARRAY,
    [GH_JSON_OBJ] = RUN_OBJECT,
};

static inline bool count_fails(struct run_state *r, const struct snode *snode,
                               const struct insn *insn, uint32_t inst, bool fails)
{
    return !fails || eval_fail(r, snode, (enum kw)insn->kw, "", inst);
}

static bool eval_insn(struct run_state *r, const struct snode *snode, const struct insn *insn,
                      uint32_t inst, uint32_t marks)
{
    const struct gh_node *n = &r->tn[inst];

    switch ((enum op)insn->op) {
    case OP_NOTHING: return true;
    case OP_OBJECT: return eval_object(r, snode, insn, inst, marks);
    case OP_MIN_PROPERTIES:
    case OP_MIN_ITEMS: return count_fails(r, snode, insn, inst, n->count < insn->a);
    case OP_MAX_PROPERTIES:
    case OP_MAX_ITEMS: return count_fails(r, snode, insn, inst, n->count > insn->a);
    case OP_ARRAY: return eval_array(r, snode, insn, inst, marks);
    case OP_CONTAINS: return eval_contains(r, snode, insn, inst, marks);
    case OP_UNIQUE_ITEMS: return eval_unique_items(r, snode, insn, inst, marks);
    case OP_MIN_LENGTH:
    case OP_MAX_LENGTH:
    case OP_PATTERN:
    case OP_FORMAT: return eval_string(r, snode, insn, inst, marks);
    case OP_MINIMUM:
    case OP_MAXIMUM:
    case OP_EXCLUSIVE_MINIMUM:
    case OP_EXCLUSIVE_MAXIMUM:
    case OP_MULTIPLE_OF: return eval_number(r, snode, insn, inst, marks);
    case OP_ENUM: return eval_enumeration(r, snode, insn, inst, marks);
    case OP_REF: return eval_node(r, insn->a, inst, marks);
    case OP_DYNAMIC_REF:
    case OP_ALL_OF:
    case OP_ANY_OF:
    case OP_ONE_OF:
    case OP_NOT:
    case OP_IF: return eval_logic(r, snode, insn, inst, marks);
    case OP_UNEVALUATED_PROPERTIES:
        return n->kind != GH_JSON_OBJ || eval_unevaluated_properties(r, snode, insn, inst, marks);
    case OP_UNEVALUATED_ITEMS:
        return n->kind != GH_JSON_ARR || eval_unevaluated_items(r, snode, insn, inst, marks);
    }
    return eval_stop(r, SCHEMA_LIMIT);
}

static inline bool eval_run(struct run_state *r, const struct snode *snode, enum run run,
                            uint32_t inst, uint32_t marks)
{
    const struct insn *insn = &r->insns[snode->first + (run > 0 ? snode->end[run - 1] : 0)];
    const struct insn *end = &r->insns[snode->first + snode->end[run]];

    for (; insn < end; insn++)
        if (!eval_insn(r, snode, insn, inst, marks)) return false;
    return true;
}

/* Below an unevaluated* the marks are this schema's own: it must not see its cousins'. */
static bool eval_late(struct run_state *r, const struct snode *snode, enum run run, uint32_t inst,
                      uint32_t outer)
{
    uint32_t words = eval_mark_words(r, inst);
    uint32_t base = r->scratch->n_words;
    uint32_t marks = eval_words(r, words);
    bool ok = marks != NO_MARKS && eval_run(r, snode, run, inst, marks) &&
              eval_run(r, snode, RUN_ANY, inst, marks) && eval_run(r, snode, RUN_LATE, inst, marks);

    if (ok && outer != NO_MARKS) eval_merge_marks(r, outer, marks, words);
    r->scratch->n_words = base;
    return ok;
}

bool eval_node(struct run_state *r, uint32_t id, uint32_t inst, uint32_t marks)
{
    const struct snode *snode = &r->nodes[id];
    const struct gh_node *n = &r->tn[inst];
    enum run run = (enum run)run_of_kind[n->kind];
    const struct scope *outer = r->scope;
    struct scope scope;
    bool ok;

    if ((snode->types >> n->kind & 1) == 0)
        return eval_fail(r, snode, snode->is_false ? KW_FALSE_SCHEMA : KW_TYPE, "", inst);
    if ((snode->needs >> n->kind & 1) == 0) return true;
    if (n->kind == GH_JSON_NUM && (snode->types & TYPES_INTEGER) != 0 &&
        (n->flags & GH_NODE_INT) == 0 && !gh_json_num_is_whole(r->tape->src + n->off, n->len))
        return eval_fail(r, snode, KW_TYPE, "", inst);
    if (!eval_charge(r, 1 + snode->end[RUN_LATE])) return false;
    if (r->depth == 0) return eval_stop(r, SCHEMA_LIMIT);
    r->depth--;
    if (r->schema->n_resources != 0 && (outer == NULL || outer->resource != snode->resource)) {
        scope = (struct scope){ outer, snode->resource };
        r->scope = &scope;
    }
    if (snode->end[RUN_LATE] != snode->end[RUN_ANY] && n->kind >= GH_JSON_ARR)
        ok = eval_late(r, snode, run, inst, marks);
    else
        ok = (run == RUN_ANY || eval_run(r, snode, run, inst, marks)) &&
             eval_run(r, snode, RUN_ANY, inst, marks);
    r->scope = outer;
    r->depth++;
    return ok;
}

/* ---- logic ---- */

/* A branch that may fail without harm. Its marks count only when it succeeds. */
static bool eval_branch(struct run_state *r, uint32_t id, uint32_t inst, uint32_t marks)
{
    uint32_t words = marks != NO_MARKS ? eval_mark_words(r, inst) : 0;
    uint32_t base = r->scratch->n_words;
    uint32_t own = NO_MARKS;
    bool ok;

    if (marks != NO_MARKS && (own = eval_words(r, words)) == NO_MARKS) return false;
    r->quiet++;
    ok = eval_node(r, id, inst, own);
    r->quiet--;
    if (ok && marks != NO_MARKS) eval_merge_marks(r, marks, own, words);
    r->scratch->n_words = base;
    return ok;
}

static bool eval_any_of(struct run_state *r, const uint32_t *ids, uint32_t n, uint32_t inst,
                        uint32_t marks)
{
    bool any = false;

    for (uint32_t i = 0; i < n; i++) {
        if (eval_branch(r, ids[i], inst, marks)) any = true;
        if (r->stop != SCHEMA_VALID) return false;
        if (any && marks == NO_MARKS) return true; /* else later branches may mark more */
    }
    return any;
}

static bool eval_one_of(struct run_state *r, const uint32_t *ids, uint32_t n, uint32_t inst,
                        uint32_t marks)
{
    uint32_t matches = 0;

    for (uint32_t i = 0; i < n && matches < 2; i++) {
        matches += eval_branch(r, ids[i], inst, marks);
        if (r->stop != SCHEMA_VALID) return false;
    }
    return matches == 1;
}

/* The outermost resource in scope that has the dynamic anchor; else where it leads by itself. */
static uint32_t dynamic_target(struct run_state *r, const struct insn *insn)
{
    const uint32_t *by_resource =
        VEC_AT(&r->schema->dynamic, uint32_t, (size_t)insn->b * r->schema->n_resources);
    uint32_t found = insn->a;

    for (const struct scope *s = r->scope; s != NULL; s = s->outer) {
        r->steps--;
        if (by_resource[s->resource] != SNODE_NONE) found = by_resource[s->resource];
    }
    return found;
}

EVAL_OP(eval_logic)
{
    const uint32_t *ids = VEC_AT(&r->schema->lists, uint32_t, insn->a);
    bool ok;

    switch ((enum op)insn->op) {
    case OP_ALL_OF:
        for (uint32_t i = 0; i < insn->b; i++)
            if (!eval_node(r, ids[i], inst, marks)) return false;
        return true;
    case OP_ANY_OF: ok = eval_any_of(r, ids, insn->b, inst, marks); break;
    case OP_ONE_OF: ok = eval_one_of(r, ids, insn->b, inst, marks); break;
    case OP_NOT: ok = !eval_branch(r, insn->a, inst, NO_MARKS); break;
    case OP_DYNAMIC_REF: return eval_node(r, dynamic_target(r, insn), inst, marks);
    default: /* OP_IF */
        ok = eval_branch(r, insn->a, inst, marks);
        if (r->stop != SCHEMA_VALID) return false;
        if (ok) return insn->b == SNODE_NONE || eval_node(r, insn->b, inst, marks);
        return insn->c == SNODE_NONE || eval_node(r, insn->c, inst, marks);
    }
    if (r->stop != SCHEMA_VALID) return false;
    return ok || eval_fail(r, snode, (enum kw)insn->kw, "", inst);
}
