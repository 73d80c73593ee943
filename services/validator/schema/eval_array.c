#include "validator/schema/eval.h"

#include <stdlib.h>
#include <string.h>

#define FEW_ITEMS 6 /* compared pair by pair */

EVAL_OP(eval_array)
{
    const uint32_t *prefix = VEC_AT(&r->schema->lists, uint32_t, insn->a);
    uint32_t end = r->tn[inst].next;
    bool closed = insn->c != SNODE_NONE && r->nodes[insn->c].is_false;
    uint32_t n = 0;

    if (!eval_charge(r, r->tn[inst].count)) return false;
    for (uint32_t i = inst + 1; i < end; i = r->tn[i].next, n++) {
        if (n < insn->b) {
            if (!eval_child(r, prefix[n], i)) return false;
        } else if (insn->c == SNODE_NONE) {
            break;
        } else if (closed) {
            return eval_fail(r, snode, (enum kw)insn->kw, "", i);
        } else if (!eval_child(r, insn->c, i)) {
            return false;
        }
        eval_mark(r, marks, n);
    }
    return true;
}

EVAL_OP(eval_contains)
{
    uint32_t end = r->tn[inst].next;
    uint32_t found = 0;
    uint32_t n = 0;

    if (!eval_charge(r, r->tn[inst].count)) return false;
    for (uint32_t i = inst + 1; i < end; i = r->tn[i].next, n++) {
        bool ok;

        r->quiet++;
        ok = eval_child(r, insn->a, i);
        r->quiet--;
        if (r->stop != SCHEMA_VALID) return false;
        if (!ok) continue;
        found++;
        eval_mark(r, marks, n);
        if (found > insn->c) return eval_fail(r, snode, KW_MAX_CONTAINS, "", inst);
        if (found >= insn->b && insn->c == UINT32_MAX && marks == NO_MARKS) return true;
    }
    if (found >= insn->b) return true;
    return eval_fail(r, snode, insn->b == 1 ? KW_CONTAINS : KW_MIN_CONTAINS, "", inst);
}

EVAL_OP(eval_unevaluated_items)
{
    bool closed = r->nodes[insn->a].is_false;
    uint32_t end = r->tn[inst].next;
    uint32_t n = 0;

    if (!eval_charge(r, r->tn[inst].count)) return false;
    for (uint32_t i = inst + 1; i < end; i = r->tn[i].next, n++) {
        if (eval_is_marked(r, marks, n)) continue;
        if (closed) return eval_fail(r, snode, KW_UNEVALUATED_ITEMS, "", i);
        if (!eval_child(r, insn->a, i)) return false;
        eval_mark(r, marks, n);
    }
    return true;
}

/* ---- uniqueItems ---- */

static bool same(struct run_state *r, uint32_t a, uint32_t b)
{
    bool equal = false;

    if (gh_tape_equal(r->tape, a, r->tape, b, &equal) != GH_OK) eval_stop(r, SCHEMA_NOMEM);
    return equal;
}

static bool unique_by_pairs(struct run_state *r, uint32_t inst, uint32_t *ret_repeated)
{
    uint32_t end = r->tn[inst].next;

    for (uint32_t i = inst + 1; i < end; i = r->tn[i].next)
        for (uint32_t j = inst + 1; j < i; j = r->tn[j].next)
            if (r->tn[i].kind == r->tn[j].kind && same(r, i, j)) {
                *ret_repeated = i;
                return false;
            }
    return r->stop == SCHEMA_VALID;
}

static bool unique_by_hash(struct run_state *r, uint32_t inst, uint32_t *ret_repeated)
{
    struct schema_scratch *scratch = r->scratch;
    uint32_t end = r->tn[inst].next;
    uint32_t size = 16;

    while (size < r->tn[inst].count * 2)
        size *= 2;
    if (size > scratch->cap_unique) {
        void *bigger = realloc(scratch->unique, size * sizeof(*scratch->unique));

        if (bigger == NULL) return eval_stop(r, SCHEMA_NOMEM);
        scratch->unique = bigger;
        scratch->cap_unique = size;
    }
    memset(scratch->unique, 0, size * sizeof(*scratch->unique));
    for (uint32_t i = inst + 1; i < end; i = r->tn[i].next) {
        uint64_t hash = gh_tape_hash(r->tape, i, scratch->seed);
        uint32_t at = (uint32_t)(hash >> 32) & (size - 1);

        for (; scratch->unique[at].node != 0; at = (at + 1) & (size - 1))
            if (scratch->unique[at].hash == hash && same(r, i, scratch->unique[at].node - 1)) {
                *ret_repeated = i;
                return false;
            }
        if (r->stop != SCHEMA_VALID) return false;
        scratch->unique[at] = (struct unique_slot){ hash, i + 1 };
    }
    return true;
}

EVAL_OP(eval_unique_items)
{
    const struct gh_node *n = &r->tn[inst];
    uint32_t repeated = inst;
    bool few = n->count <= FEW_ITEMS;
    bool ok;

    (void)marks;
    if (n->count < 2) return true;
    /* every value below is read once, or against each of a few */
    if (!eval_charge(r, ((uint64_t)(n->next - inst) + n->len / 64) * (few ? n->count : 2)))
        return false;
    ok = few ? unique_by_pairs(r, inst, &repeated) : unique_by_hash(r, inst, &repeated);
    if (ok || r->stop != SCHEMA_VALID) return ok;
    return eval_fail(r, snode, (enum kw)insn->kw, "", repeated);
}
