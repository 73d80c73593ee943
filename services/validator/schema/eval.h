/*
 * eval - the state of one evaluation. Private to schema/.
 *
 * A step returns true when the instance is accepted. False is a refusal, or the end of everything
 * when r->stop is set: whoever turns a false into something else (not, anyOf, if) looks at it
 * first.
 *
 * Which members or elements of a value were evaluated is kept in bits ("marks") on a stack of words
 * in the scratch, only below a schema that has unevaluated*. They are named by offset, since the
 * stack may move; 0 means that nobody asks.
 */
#ifndef VALIDATOR_SCHEMA_EVAL_H
#define VALIDATOR_SCHEMA_EVAL_H

#include "validator/schema/program.h"

#define NO_MARKS 0u

struct schema_scratch {
    struct schema_limits limits;
    char *text; /* one decoded string, max_string_bytes */
    uint64_t *words;
    uint32_t n_words; /* in use; 0 is never given */
    uint32_t cap_words;
    struct unique_slot *unique; /* uniqueItems */
    uint32_t cap_unique;
    struct pattern_scratch *patterns;
    uint64_t seed;
    uint32_t steps;  /* of the last evaluation */
    char path[4096]; /* schema_path of the last failure */
};

struct unique_slot {
    uint64_t hash;
    uint32_t node; /* + 1; 0 is empty */
};

struct scope { /* the dynamic scope: resources entered, innermost first */
    const struct scope *outer;
    uint32_t resource;
};

struct run_state {
    const struct schema *schema;
    const struct snode *nodes;
    const struct insn *insns;
    struct schema_scratch *scratch;
    struct gh_tape *tape;
    const struct gh_node *tn;
    int64_t steps;  /* left */
    uint32_t depth; /* left */
    uint32_t quiet; /* failures here decide nothing yet */
    enum schema_verdict stop;
    const struct scope *scope;
    struct { /* the failure that decides */
        uint32_t snode;
        uint32_t kw;
        const char *detail;
        uint32_t node;
    } failure;
};

bool eval_node(struct run_state *r, uint32_t id, uint32_t inst, uint32_t marks);

static inline bool eval_stop(struct run_state *r, enum schema_verdict verdict)
{
    r->stop = verdict;
    return false;
}

static inline bool eval_charge(struct run_state *r, uint64_t steps)
{
    r->steps -= (int64_t)steps;
    return r->steps >= 0 ? true : eval_stop(r, SCHEMA_LIMIT);
}

static inline bool eval_fail(struct run_state *r, const struct snode *snode, enum kw kw,
                             const char *detail, uint32_t node)
{
    if (r->quiet == 0) {
        r->failure.snode = (uint32_t)(snode - r->nodes);
        r->failure.kw = kw;
        r->failure.detail = detail;
        r->failure.node = node;
    }
    return false;
}

/* A value below the one at hand: most are settled by their kind alone. */
static inline bool eval_child(struct run_state *r, uint32_t id, uint32_t inst)
{
    const struct snode *snode = &r->nodes[id];
    unsigned kind = r->tn[inst].kind;

    if ((snode->types >> kind & 1) == 0)
        return eval_fail(r, snode, snode->is_false ? KW_FALSE_SCHEMA : KW_TYPE, "", inst);
    return (snode->needs >> kind & 1) == 0 ? true : eval_node(r, id, inst, NO_MARKS);
}

/* The decoded text of a string node, in the tape or in scratch->text until the next call. NULL with
 * r->stop set when it is too long. */
const char *eval_text(struct run_state *r, uint32_t str, size_t *ret_len);

/* Zeroed words on the stack; 0 with r->stop set. Given back by setting scratch->n_words. */
uint32_t eval_words(struct run_state *r, uint32_t n);

static inline uint32_t eval_mark_words(const struct run_state *r, uint32_t inst)
{
    return (r->tn[inst].count + 63) / 64;
}

static inline void eval_mark(struct run_state *r, uint32_t marks, uint32_t i)
{
    if (marks != NO_MARKS) r->scratch->words[marks + i / 64] |= (uint64_t)1 << i % 64;
}

static inline bool eval_is_marked(const struct run_state *r, uint32_t marks, uint32_t i)
{
    return (r->scratch->words[marks + i / 64] >> i % 64 & 1) != 0;
}

void eval_merge_marks(struct run_state *r, uint32_t to, uint32_t from, uint32_t words);

/* The instructions, by file. All return as eval_node. */
#define EVAL_OP(name)                                                                              \
    bool name(struct run_state *r, const struct snode *snode, const struct insn *insn,             \
              uint32_t inst, uint32_t marks)

EVAL_OP(eval_object);
EVAL_OP(eval_unevaluated_properties);
EVAL_OP(eval_array);
EVAL_OP(eval_contains);
EVAL_OP(eval_unique_items);
EVAL_OP(eval_unevaluated_items);
EVAL_OP(eval_string);
EVAL_OP(eval_number);
EVAL_OP(eval_enumeration);
EVAL_OP(eval_logic);

#endif
