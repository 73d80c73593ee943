/* Strings, numbers, enum and const. */
#include "validator/schema/eval.h"

/* ---- strings ---- */

/* Characters are counted only when the bytes leave it open: a character has 1 to 4. */
static bool at_least(struct run_state *r, uint32_t str, uint32_t min)
{
    const struct gh_node *n = &r->tn[str];
    uint32_t bytes = n->len - n->count;

    if (bytes < min) return false;
    if ((n->flags & (GH_NODE_ESCAPED | GH_NODE_NONASCII)) == 0 || bytes / 4 >= min) return true;
    return eval_charge(r, bytes / 64) && gh_tape_str_chars(r->tape, str) >= min;
}

static bool at_most(struct run_state *r, uint32_t str, uint32_t max)
{
    const struct gh_node *n = &r->tn[str];
    uint32_t bytes = n->len - n->count;

    if (bytes <= max) return true;
    if ((n->flags & (GH_NODE_ESCAPED | GH_NODE_NONASCII)) == 0 || (bytes + 3) / 4 > max)
        return false;
    return eval_charge(r, bytes / 64) && gh_tape_str_chars(r->tape, str) <= max;
}

EVAL_OP(eval_string)
{
    const char *text;
    size_t len;
    bool ok;

    (void)marks;
    if (insn->op == OP_MIN_LENGTH) {
        ok = at_least(r, inst, insn->a);
    } else if (insn->op == OP_MAX_LENGTH) {
        ok = at_most(r, inst, insn->a);
    } else {
        text = eval_text(r, inst, &len);
        if (text == NULL || !eval_charge(r, 1 + len / 64)) return false;
        if (insn->op == OP_FORMAT)
            ok = format_check((enum format_id)insn->a, text, len);
        else
            ok = pattern_match(*VEC_AT(&r->schema->patterns, struct pattern *, insn->a),
                               r->scratch->patterns, text, len);
    }
    if (ok || r->stop != SCHEMA_VALID) return ok;
    return eval_fail(r, snode, (enum kw)insn->kw, schema_string(r->schema, insn->detail), inst);
}

/* ---- numbers ---- */

/* Doubles decide unless they are equal: rounding keeps the order. Then the texts do, exactly. */
static int compare_with_bound(struct run_state *r, uint32_t num, const struct bound *bound)
{
    const struct gh_node *n = &r->tn[num];
    double v = 0;
    int64_t i;

    if (bound->is_integer && (n->flags & GH_NODE_INT64) != 0 &&
        gh_tape_int64(r->tape, num, &i) == GH_OK)
        return (i > bound->integer) - (i < bound->integer);
    if (gh_tape_double(r->tape, num, &v) == GH_OK && v != bound->number)
        return v > bound->number ? 1 : -1;
    return gh_json_num_cmp(r->tape->src + n->off, n->len, schema_string(r->schema, bound->text),
                           bound->text_len);
}

EVAL_OP(eval_number)
{
    const struct gh_node *n = &r->tn[inst];
    bool ok;

    (void)marks;
    if (!eval_charge(r, n->len / 64)) return false;
    if (insn->op == OP_MULTIPLE_OF) {
        ok = decimal_is_multiple(r->tape->src + n->off, n->len,
                                 VEC_AT(&r->schema->divisors, struct decimal, insn->a));
    } else {
        int cmp = compare_with_bound(r, inst, VEC_AT(&r->schema->bounds, struct bound, insn->a));

        ok = insn->op == OP_MINIMUM             ? cmp >= 0
             : insn->op == OP_MAXIMUM           ? cmp <= 0
             : insn->op == OP_EXCLUSIVE_MINIMUM ? cmp > 0
                                                : cmp < 0;
    }
    return ok ||
           eval_fail(r, snode, (enum kw)insn->kw, schema_string(r->schema, insn->detail), inst);
}

/* ---- enum and const ---- */

static bool is_listed(struct run_state *r, const struct enumeration *e, uint32_t inst)
{
    const struct gh_node *n = &r->tn[inst];
    const struct other *others = VEC_AT(&r->schema->others, struct other, e->first_other);
    bool by_hash = e->n_others > 4;
    uint64_t hash = 0;

    if (n->kind < GH_JSON_NUM) return (e->kinds & TYPE_BIT(n->kind)) != 0;
    if (n->kind == GH_JSON_STR) {
        const char *text = r->tape->src + n->off;
        size_t len = n->len;

        if (e->strings.n == 0) return false;
        if ((n->flags & GH_NODE_ESCAPED) != 0 && (text = eval_text(r, inst, &len)) == NULL)
            return false;
        return keyset_find(&e->strings, text, len) != KEYSET_NONE;
    }
    if (e->n_others == 0) return false;
    if (!eval_charge(r, (uint64_t)(n->next - inst) + n->len / 64 + e->n_others / 16)) return false;
    if (by_hash) hash = gh_tape_hash(r->tape, inst, OTHER_HASH_SEED);
    for (uint32_t i = 0; i < e->n_others; i++) {
        bool equal = false;

        if (by_hash && others[i].hash != hash) continue;
        if (r->schema->constants.nodes[others[i].node].kind != n->kind) continue;
        if (gh_tape_equal(r->tape, inst, &r->schema->constants, others[i].node, &equal) != GH_OK)
            return eval_stop(r, SCHEMA_NOMEM);
        if (equal) return true;
    }
    return false;
}

EVAL_OP(eval_enumeration)
{
    (void)marks;
    if (is_listed(r, VEC_AT(&r->schema->enumerations, struct enumeration, insn->a), inst))
        return true;
    if (r->stop != SCHEMA_VALID) return false;
    return eval_fail(r, snode, (enum kw)insn->kw, "", inst);
}
