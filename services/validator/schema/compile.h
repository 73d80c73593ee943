/*
 * compile - documents to program. Private to schema/.
 *
 *   compile.c          the work list: subschemas are compiled once each, on first reference
 *   compile_node.c     one subschema: keywords to instructions
 *   compile_object.c   the keywords that one pass over an object's members answers
 *   compile_value.c    enum, const, numbers, patterns: what instructions point to
 *   compile_finish.c   constants, dynamic anchors, aliases, loops
 */
#ifndef VALIDATOR_SCHEMA_COMPILE_H
#define VALIDATOR_SCHEMA_COMPILE_H

#include "validator/schema/index.h"
#include "validator/schema/program.h"

struct origin {
    uint32_t doc;
    uint32_t node;
};

struct work {
    struct origin from;
    uint32_t id;
};

struct compiler {
    struct index ix;
    struct schema *out;
    struct schema_options options;
    struct schema_problem *problem;
    uint32_t root_doc;
    struct vec work;       /* struct work: to be compiled */
    struct vec origins;    /* struct origin, beside out->nodes */
    uint32_t **compiled;   /* [doc][node]: id + 1 */
    struct strmap strings; /* to offsets in out->strings */
    struct strmap patterns;
    struct strmap dynamic_names;
    struct vec constants; /* struct origin, beside out->others */
    /* of the subschema at hand */
    struct origin here;
    struct dialect dialect;
    uint32_t resource;
    uint32_t at[KW_COUNT]; /* each keyword's value, or GH_TAPE_NONE */
    struct vec runs[RUN_COUNT];
};

static inline const struct gh_tape *compile_tape(const struct compiler *c)
{
    return &index_document(&c->ix, c->here.doc)->tape;
}

/* A problem at a node of the document at hand; returns GH_ERR_CONFIG. */
#define compile_fail(c, node, ...)                                                                 \
    schema_problem_at((c)->problem, index_document(&(c)->ix, (c)->here.doc), node, __VA_ARGS__)

/* The id of the subschema at a node, which is compiled later if it is new. */
GH_NODISCARD enum gh_err compile_schema_at(struct compiler *c, uint32_t doc, uint32_t node,
                                           uint32_t *ret_id);
/* Where keyword kw is present: its value's id, else SNODE_NONE. */
GH_NODISCARD enum gh_err compile_keyword_schema(struct compiler *c, enum kw kw, uint32_t *ret_id);

/* Appends a zeroed instruction to a run of the subschema at hand; NULL without memory. */
struct insn *compile_emit(struct compiler *c, enum run run, enum op op, enum kw kw);

/* Interned; the offset in out->strings. */
GH_NODISCARD enum gh_err compile_string(struct compiler *c, const char *text, size_t len,
                                        uint32_t *ret_at);

GH_NODISCARD enum gh_err compile_node(struct compiler *c, const struct work *work);
GH_NODISCARD enum gh_err compile_object(struct compiler *c);

/* compile_value.c; `node` is the keyword's value in the document at hand */
GH_NODISCARD enum gh_err compile_count(struct compiler *c, uint32_t node, uint32_t *ret_n);
GH_NODISCARD enum gh_err compile_bound(struct compiler *c, uint32_t node, uint32_t *ret_bound);
GH_NODISCARD enum gh_err compile_divisor(struct compiler *c, uint32_t node, uint32_t *ret_divisor);
GH_NODISCARD enum gh_err compile_enumeration(struct compiler *c, uint32_t node, bool is_const,
                                             uint32_t *ret_enumeration);
GH_NODISCARD enum gh_err compile_pattern(struct compiler *c, uint32_t node, uint32_t *ret_pattern);

/* compile_finish.c */
GH_NODISCARD enum gh_err compile_dynamic_anchors(struct compiler *c, bool *ret_more);
GH_NODISCARD enum gh_err compile_finish(struct compiler *c);

/* For the walks over all edges between subschemas: calls fn for each place that holds an id.
 * in_place: only those that are evaluated on the same instance value. */
typedef enum gh_err (*compile_edge_fn)(void *ctx, uint32_t *id);
GH_NODISCARD enum gh_err compile_edges(struct schema *out, const struct insn *insn, bool in_place,
                                       compile_edge_fn fn, void *ctx);

#endif
