#include "validator/schema/eval.h"

/* Which of the plan's keys are there: one word, or words on the stack when there are more than 64.
 */
struct presence {
    uint64_t word;
    uint32_t at; /* offset, when words > 1 */
};

static inline void set_present(struct run_state *r, struct presence *p, uint32_t i)
{
    if (p->at == 0)
        p->word |= (uint64_t)1 << i;
    else
        r->scratch->words[p->at + i / 64] |= (uint64_t)1 << i % 64;
}

static inline uint64_t present_word(const struct run_state *r, const struct presence *p, uint32_t w)
{
    return p->at == 0 ? p->word : r->scratch->words[p->at + w];
}

/* Are all keys of a mask there? Else the index of the first that is not. */
static uint32_t first_missing(const struct run_state *r, const struct plan *plan,
                              const struct presence *p, uint32_t mask)
{
    for (uint32_t w = 0; w < plan->words; w++) {
        uint64_t missing = *VEC_AT(&r->schema->masks, uint64_t, mask + w) & ~present_word(r, p, w);

        if (missing != 0) return w * 64 + (uint32_t)__builtin_ctzll(missing);
    }
    return UINT32_MAX;
}

static bool eval_patterns(struct run_state *r, const struct plan *plan, uint32_t key,
                          bool *evaluated)
{
    for (uint32_t i = 0; i < plan->n_patterns; i++) {
        const struct plan_pattern *p =
            VEC_AT(&r->schema->plan_patterns, struct plan_pattern, plan->first_pattern + i);
        size_t len;
        const char *text = eval_text(r, key, &len);

        if (text == NULL || !eval_charge(r, 1 + len / 64)) return false;
        if (!pattern_match(*VEC_AT(&r->schema->patterns, struct pattern *, p->pattern),
                           r->scratch->patterns, text, len))
            continue;
        *evaluated = true;
        if (!eval_child(r, p->schema, key + 1)) return false;
    }
    return true;
}

static bool eval_members(struct run_state *r, const struct snode *snode, const struct plan *plan,
                         uint32_t inst, uint32_t marks, struct presence *p)
{
    const struct plan_key *keys = VEC_AT(&r->schema->plan_keys, struct plan_key, plan->first_key);
    bool closed = plan->additional != SNODE_NONE && r->nodes[plan->additional].is_false;
    uint32_t end = r->tn[inst].next;
    uint32_t m = 0;

    for (uint32_t k = inst + 1; k < end; k = r->tn[k + 1].next, m++) {
        const struct gh_node *key = &r->tn[k];
        const char *text = r->tape->src + key->off;
        size_t len = key->len;
        bool evaluated = false;
        uint32_t i;

        if ((key->flags & GH_NODE_ESCAPED) != 0 && (text = eval_text(r, k, &len)) == NULL)
            return false;
        i = keyset_find(&plan->keys, text, len);
        if (i != KEYSET_NONE) {
            set_present(r, p, i);
            if (keys[i].schema != SNODE_NONE) {
                evaluated = true;
                if (!eval_child(r, keys[i].schema, k + 1)) return false;
            }
        }
        if (plan->n_patterns != 0 && !eval_patterns(r, plan, k, &evaluated)) return false;
        if (!evaluated && plan->additional != SNODE_NONE) {
            if (closed) return eval_fail(r, snode, KW_ADDITIONAL_PROPERTIES, "", k + 1);
            evaluated = true;
            if (!eval_child(r, plan->additional, k + 1)) return false;
        }
        if (plan->names != SNODE_NONE && !eval_child(r, plan->names, k)) return false;
        if (evaluated) eval_mark(r, marks, m);
        if (plan->presence_only && first_missing(r, plan, p, plan->required) == UINT32_MAX) break;
    }
    return true;
}

static bool eval_dependents(struct run_state *r, const struct snode *snode, const struct plan *plan,
                            uint32_t inst, uint32_t marks, const struct presence *p)
{
    const struct plan_key *keys = VEC_AT(&r->schema->plan_keys, struct plan_key, plan->first_key);

    for (uint32_t i = 0; i < plan->keys.n; i++) {
        uint32_t missing;

        if ((present_word(r, p, i / 64) >> i % 64 & 1) == 0) continue;
        if (keys[i].needs != UINT32_MAX) {
            missing = first_missing(r, plan, p, keys[i].needs);
            if (missing != UINT32_MAX)
                return eval_fail(r, snode, (enum kw)keys[i].needs_kw,
                                 plan->keys.keys[missing].bytes, inst);
        }
        if (keys[i].then != SNODE_NONE && !eval_node(r, keys[i].then, inst, marks)) return false;
    }
    return true;
}

EVAL_OP(eval_object)
{
    const struct plan *plan = VEC_AT(&r->schema->plans, struct plan, insn->a);
    uint32_t base = r->scratch->n_words;
    struct presence p = { 0 };
    uint32_t missing;
    bool ok = false;

    if (!eval_charge(r, r->tn[inst].count)) return false;
    if (plan->words > 1 && (p.at = eval_words(r, plan->words)) == 0) return false;
    if (!eval_members(r, snode, plan, inst, marks, &p)) goto done;
    if (plan->required != UINT32_MAX) {
        missing = first_missing(r, plan, &p, plan->required);
        if (missing != UINT32_MAX) {
            eval_fail(r, snode, KW_REQUIRED, plan->keys.keys[missing].bytes, inst);
            goto done;
        }
    }
    ok = !plan->has_dependents || eval_dependents(r, snode, plan, inst, marks, &p);
done:
    r->scratch->n_words = base;
    return ok;
}

EVAL_OP(eval_unevaluated_properties)
{
    bool closed = r->nodes[insn->a].is_false;
    uint32_t end = r->tn[inst].next;
    uint32_t m = 0;

    if (!eval_charge(r, r->tn[inst].count)) return false;
    for (uint32_t k = inst + 1; k < end; k = r->tn[k + 1].next, m++) {
        if (eval_is_marked(r, marks, m)) continue;
        if (closed) return eval_fail(r, snode, KW_UNEVALUATED_PROPERTIES, "", k + 1);
        if (!eval_child(r, insn->a, k + 1)) return false;
        eval_mark(r, marks, m);
    }
    return true;
}
