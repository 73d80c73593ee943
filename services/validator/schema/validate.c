/* The way in: scratch, one evaluation, and what is said of a failure. */
#include "validator/schema/eval.h"

#include "common/random.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_MAX_STEPS        500000u
#define DEFAULT_MAX_DEPTH        1024u
#define HARD_MAX_DEPTH           4096u
#define DEFAULT_MAX_STRING_BYTES 65536u
#define FIRST_WORDS              1024u
#define MAX_WORDS                (1u << 22)

enum gh_err schema_scratch_new(const struct schema_limits *limits,
                               struct schema_scratch **ret_scratch)
{
    struct schema_scratch *s = calloc(1, sizeof(*s));

    if (s == NULL) return GH_ERR_NOMEM;
    if (limits != NULL) s->limits = *limits;
    if (s->limits.max_steps == 0) s->limits.max_steps = DEFAULT_MAX_STEPS;
    if (s->limits.max_depth == 0) s->limits.max_depth = DEFAULT_MAX_DEPTH;
    if (s->limits.max_depth > HARD_MAX_DEPTH) s->limits.max_depth = HARD_MAX_DEPTH;
    if (s->limits.max_string_bytes == 0) s->limits.max_string_bytes = DEFAULT_MAX_STRING_BYTES;
    s->text = malloc(s->limits.max_string_bytes);
    s->words = malloc(FIRST_WORDS * sizeof(*s->words));
    if (s->text == NULL || s->words == NULL) {
        schema_scratch_free(s);
        return GH_ERR_NOMEM;
    }
    s->cap_words = FIRST_WORDS;
    s->seed = gh_random_u64();
    *ret_scratch = s;
    return GH_OK;
}

void schema_scratch_free(struct schema_scratch *scratch)
{
    if (scratch == NULL) return;
    pattern_scratch_free(scratch->patterns);
    free(scratch->text);
    free(scratch->words);
    free(scratch->unique);
    free(scratch);
}

enum gh_err schema_scratch_fit(struct schema_scratch *scratch, const struct schema *schema)
{
    enum gh_err err = GH_OK;

    for (uint32_t i = 0; i < schema->patterns.n && err == GH_OK; i++)
        err = pattern_fit(*VEC_AT(&schema->patterns, struct pattern *, i), &scratch->patterns);
    return err;
}

uint32_t schema_scratch_steps(const struct schema_scratch *scratch)
{
    return scratch->steps;
}

const char *eval_text(struct run_state *r, uint32_t str, size_t *ret_len)
{
    if (gh_tape_str_len(r->tape, str) > r->scratch->limits.max_string_bytes) {
        eval_stop(r, SCHEMA_LIMIT);
        return NULL;
    }
    return gh_tape_str(r->tape, str, r->scratch->text, ret_len);
}

uint32_t eval_words(struct run_state *r, uint32_t n)
{
    struct schema_scratch *s = r->scratch;
    uint32_t at = s->n_words;

    if (n == 0) n = 1; /* an offset of its own, even for an empty object */
    if (!eval_charge(r, n / 8)) return 0;
    if (n > MAX_WORDS - at) {
        eval_stop(r, SCHEMA_LIMIT);
        return 0;
    }
    if (at + n > s->cap_words) {
        uint32_t cap = s->cap_words;
        uint64_t *words;

        while (cap < at + n)
            cap *= 2;
        words = realloc(s->words, cap * sizeof(*words));
        if (words == NULL) {
            eval_stop(r, SCHEMA_NOMEM);
            return 0;
        }
        s->words = words;
        s->cap_words = cap;
    }
    memset(s->words + at, 0, n * sizeof(*s->words));
    s->n_words = at + n;
    return at;
}

void eval_merge_marks(struct run_state *r, uint32_t to, uint32_t from, uint32_t words)
{
    uint64_t *w = r->scratch->words;

    for (uint32_t i = 0; i < words; i++)
        w[to + i] |= w[from + i];
}

static void describe(const struct run_state *r, struct schema_failure *failure)
{
    struct schema_scratch *s = r->scratch;

    snprintf(s->path, sizeof(s->path), "%s/%s",
             schema_string(r->schema, r->nodes[r->failure.snode].path),
             kw_name((enum kw)r->failure.kw));
    *failure = (struct schema_failure){
        .keyword = kw_name((enum kw)r->failure.kw),
        .schema_path = s->path,
        .detail = r->failure.detail,
        .node = r->failure.node,
    };
}

enum schema_verdict schema_validate(const struct schema *schema, struct schema_scratch *scratch,
                                    struct gh_tape *tape, uint32_t node,
                                    struct schema_failure *ret_failure)
{
    struct run_state r = {
        .schema = schema,
        .nodes = schema->nodes.data,
        .insns = schema->insns.data,
        .scratch = scratch,
        .tape = tape,
        .tn = tape->nodes,
        .steps = scratch->limits.max_steps,
        .depth = scratch->limits.max_depth,
        .quiet = ret_failure == NULL,
    };
    bool ok;

    scratch->n_words = 1;
    ok = eval_node(&r, schema->root, node, NO_MARKS);
    scratch->steps = (uint32_t)((int64_t)scratch->limits.max_steps - r.steps);
    if (ok && r.stop == SCHEMA_VALID) return SCHEMA_VALID;
    if (ret_failure != NULL) {
        if (r.stop == SCHEMA_VALID)
            describe(&r, ret_failure);
        else
            *ret_failure = (struct schema_failure){
                .keyword = "limit", .schema_path = "", .detail = "", .node = node
            };
    }
    return r.stop == SCHEMA_VALID ? SCHEMA_INVALID : r.stop;
}
