/* The databases, and the scan. */
#include "validator/signatures/signatures.h"

#include "validator/schema/vectorscan.h"
#include "validator/signatures/compiled.h"
#include "validator/signatures/jobs.h"
#include "validator/signatures/normalise.h"
#include "validator/signatures/prefilter.h"
#include "validator/signatures/rules.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_MAX_TEXT_BYTES 65536u

struct signatures {
    struct rules rules;
    hs_database_t **dbs; /* one for each rule: the prefilter leaves few to try */
    struct prefilter *prefilter;
    uint32_t n_compiled; /* not taken from an export */
};

struct signatures_scratch {
    hs_scratch_t *hs;
    char *normal, *spare; /* max_text_bytes each */
    uint32_t max_text_bytes;
    uint64_t seen[SIGNATURES_MAX_RULES / 64];
    uint64_t to_try[SIGNATURES_MAX_RULES / 64];
    uint32_t n_words; /* of these that are in use */
    uint64_t work, max_work;
    struct signatures_result result;
};

/* ---- scanning ---- */

static void add_hit(const struct signatures *s, struct signatures_scratch *scratch, uint32_t rule,
                    uint32_t tag)
{
    struct signatures_result *result = &scratch->result;
    uint32_t score = s->rules.list[rule].shown.score;

    scratch->seen[rule / 64] |= (uint64_t)1 << rule % 64;
    if (result->n_hits == 0 || score > s->rules.list[result->hits[result->top].rule].shown.score)
        result->top = result->n_hits;
    result->hits[result->n_hits++] = (struct signatures_hit){ rule, tag };
    result->score += score;
}

/* Looks at the text with the rules of a word of bits. */
static void try_rules(const struct signatures *s, struct signatures_scratch *scratch, uint32_t w,
                      uint64_t bits, const char *text, size_t len, uint32_t field, uint32_t tag)
{
    for (bits &= ~scratch->seen[w]; bits != 0; bits &= bits - 1) {
        uint32_t rule = w * 64 + (uint32_t)__builtin_ctzll(bits);

        if (scratch->result.n_hits == SIGNATURES_MAX_HITS) return;
        if (rule >= s->rules.n || (s->rules.list[rule].shown.fields & field) == 0) continue;
        if (scratch->work + len > scratch->max_work) {
            scratch->result.exhausted = true;
            return;
        }
        scratch->work += len;
        if (vectorscan_matches(s->dbs[rule], text, len, scratch->hs))
            add_hit(s, scratch, rule, tag);
    }
}

static void scan(const struct signatures *s, struct signatures_scratch *scratch, bool plain,
                 uint32_t field, const char *text, size_t len, uint32_t tag)
{
    if (!plain) {
        memset(scratch->to_try, 0, scratch->n_words * sizeof(scratch->to_try[0]));
        if (!prefilter_run(s->prefilter, text, len, scratch->to_try)) return;
    }
    for (uint32_t w = 0; w < scratch->n_words; w++)
        try_rules(s, scratch, w, plain ? UINT64_MAX : scratch->to_try[w], text, len, field, tag);
}

void signatures_begin(struct signatures_scratch *scratch)
{
    struct signatures_result *result = &scratch->result;

    if (result->n_hits > 0) memset(scratch->seen, 0, scratch->n_words * sizeof(scratch->seen[0]));
    result->score = result->n_hits = result->top = 0;
    result->truncated = result->exhausted = false;
    scratch->work = 0;
}

void signatures_limit(struct signatures_scratch *scratch, uint64_t max_work_bytes)
{
    scratch->max_work = max_work_bytes;
}

static void scan_both(const struct signatures *s, struct signatures_scratch *scratch, bool plain,
                      uint32_t field, const char *text, size_t len, uint32_t tag)
{
    if (len == 0 || scratch->result.n_hits == SIGNATURES_MAX_HITS || scratch->result.exhausted)
        return;
    if (len > UINT32_MAX) {
        len = UINT32_MAX;
        scratch->result.truncated = true;
    }
    scan(s, scratch, plain, field, text, len, tag);
    if (scratch->result.n_hits == SIGNATURES_MAX_HITS || scratch->result.exhausted) return;
    if (plain ? !normalise_is_needed_plain(text, len) : !normalise_is_needed(text, len)) return;
    if (len > scratch->max_text_bytes) {
        len = scratch->max_text_bytes;
        scratch->result.truncated = true;
    }
    len = normalise(text, len, scratch->normal, scratch->spare);
    if (len > 0) scan(s, scratch, plain, field, scratch->normal, len, tag);
}

void signatures_scan(const struct signatures *signatures, struct signatures_scratch *scratch,
                     enum signatures_field field, const char *text, size_t len, uint32_t tag)
{
    scan_both(signatures, scratch, false, field, text, len, tag);
}

void signatures_scan_plain(const struct signatures *signatures, struct signatures_scratch *scratch,
                           enum signatures_field field, const char *text, size_t len, uint32_t tag)
{
    scan_both(signatures, scratch, true, field, text, len, tag);
}

const struct signatures_result *signatures_result(const struct signatures_scratch *scratch)
{
    return &scratch->result;
}

enum gh_err signatures_scratch_new(const struct signatures *signatures, uint32_t max_text_bytes,
                                   struct signatures_scratch **ret_scratch)
{
    struct signatures_scratch *scratch = calloc(1, sizeof(*scratch));

    if (scratch == NULL) return GH_ERR_NOMEM;
    scratch->max_text_bytes = max_text_bytes > 0 ? max_text_bytes : DEFAULT_MAX_TEXT_BYTES;
    scratch->max_work = SIGNATURES_DEFAULT_WORK;
    scratch->n_words = (signatures->rules.n + 63) / 64;
    scratch->normal = malloc(scratch->max_text_bytes);
    scratch->spare = malloc(scratch->max_text_bytes);
    if (scratch->normal == NULL || scratch->spare == NULL) {
        signatures_scratch_free(scratch);
        return GH_ERR_NOMEM;
    }
    for (uint32_t i = 0; i < signatures->rules.n; i++)
        if (hs_alloc_scratch(signatures->dbs[i], &scratch->hs) != HS_SUCCESS) {
            signatures_scratch_free(scratch);
            return GH_ERR_NOMEM;
        }
    *ret_scratch = scratch;
    return GH_OK;
}

void signatures_scratch_free(struct signatures_scratch *scratch)
{
    if (scratch == NULL) return;
    hs_free_scratch(scratch->hs);
    free(scratch->normal);
    free(scratch->spare);
    free(scratch);
}

/* ---- loading ---- */

/* No HS_FLAG_SINGLEMATCH: the first match ends the scan anyway, and it makes compiling a quarter
 * slower. */
static unsigned flags_of(const struct rule *rule)
{
    return HS_FLAG_DOTALL | (rule->case_sensitive ? 0 : HS_FLAG_CASELESS);
}

static enum gh_err check_rule(const struct signatures *s, uint32_t i, const struct job *job,
                              struct required *ret_required, struct signatures_problem *problem)
{
    const struct rule *rule = &s->rules.list[i];
    char why[160];
    enum gh_err err;

    if (job->db == NULL)
        return rules_problem(problem, s->rules.files[rule->file], rule->line, rule->id,
                             "pattern: %s",
                             job->error != NULL ? job->error->message : "does not compile");
    err = required_find(rule->pattern, ret_required, why, sizeof(why));
    if (err == GH_ERR_CONFIG)
        return rules_problem(problem, s->rules.files[rule->file], rule->line, rule->id,
                             "pattern: %s", why);
    if (err == GH_OK && ret_required->n_literals == 0)
        return rules_problem(problem, s->rules.files[rule->file], rule->line, rule->id,
                             "pattern: nothing in it that every match must hold; it would have to "
                             "be tried on every text");
    return err;
}

static void compile_rules(struct signatures *s, const struct compiled *compiled, struct job *jobs)
{
    for (uint32_t i = 0; i < s->rules.n; i++) {
        const struct rule *rule = &s->rules.list[i];

        jobs[i] = (struct job){ .pattern = rule->pattern, .flags = flags_of(rule) };
        if (compiled != NULL) jobs[i].db = compiled_take(compiled, rule->pattern, jobs[i].flags);
        s->n_compiled += jobs[i].db == NULL;
    }
    jobs_run(jobs, s->rules.n);
}

static enum gh_err compile(struct signatures *s, const struct compiled *compiled,
                           struct signatures_problem *problem)
{
    struct required *required = calloc(s->rules.n, sizeof(*required));
    struct job *jobs = calloc(s->rules.n, sizeof(*jobs));
    enum gh_err err = GH_OK;

    s->dbs = calloc(s->rules.n, sizeof(*s->dbs));
    if (required == NULL || jobs == NULL || s->dbs == NULL) err = GH_ERR_NOMEM;
    if (err == GH_OK) compile_rules(s, compiled, jobs);
    for (uint32_t i = 0; jobs != NULL && s->dbs != NULL && i < s->rules.n; i++) {
        s->dbs[i] = jobs[i].db;
        if (err == GH_OK) err = check_rule(s, i, &jobs[i], &required[i], problem);
        if (jobs[i].error != NULL) hs_free_compile_error(jobs[i].error);
    }
    if (err == GH_OK) err = prefilter_new(required, s->rules.n, &s->prefilter);
    free(jobs);
    free(required);
    return err;
}

static bool has_hit(const struct signatures_result *result, uint32_t rule)
{
    for (uint32_t i = 0; i < result->n_hits; i++)
        if (result->hits[i].rule == rule) return true;
    return false;
}

/* An example is held against its own rule alone, in a place the rule is for. */
static enum gh_err check_examples(const struct signatures *s, struct signatures_problem *problem)
{
    struct signatures_scratch *scratch = NULL;
    enum gh_err err = signatures_scratch_new(s, 0, &scratch);

    for (uint32_t i = 0; i < s->rules.n_examples && err == GH_OK; i++) {
        const struct rule_example *e = &s->rules.examples[i];
        const struct rule *rule = &s->rules.list[e->rule];
        enum signatures_field field =
            (enum signatures_field)(rule->shown.fields & -rule->shown.fields);

        signatures_begin(scratch);
        signatures_scan(s, scratch, field, e->text, e->len, 0);
        if (has_hit(&scratch->result, e->rule) != e->match)
            err = rules_problem(problem, s->rules.files[e->file], e->line, rule->id,
                                e->match ? "does not match its example: %.150s"
                                         : "matches what it must not: %.150s",
                                e->text);
    }
    signatures_scratch_free(scratch);
    return err;
}

static enum gh_err load_rules(const struct signatures_text *texts, size_t n_texts,
                              struct rules *rules, struct signatures_problem *problem)
{
    enum gh_err err = GH_OK;

    for (size_t i = 0; i < n_texts && err == GH_OK; i++)
        err = rules_add(rules, texts[i].name, texts[i].yaml, texts[i].len, problem);
    if (err == GH_OK && rules->n == 0) err = rules_problem(problem, "", 0, NULL, "no rules at all");
    for (uint32_t i = 0; err == GH_OK && i < rules->n; i++) {
        struct rule *rule = &rules->list[i];

        rule->shown.id = rule->id;
        rule->shown.family = rule->family;
        rule->shown.description = rule->description;
    }
    return err;
}

static enum gh_err check_library(struct signatures_problem *problem)
{
    enum gh_err err = vectorscan_check();

    if (err != GH_ERR_UNAVAILABLE) return err;
    return rules_problem(problem, "", 0, NULL,
                         "the Vectorscan library misses matches on this processor; link its static "
                         "archive or a later version");
}

static enum gh_err load(const struct signatures_text *texts, size_t n_texts, bool check,
                        const struct compiled *compiled, struct signatures **ret_signatures,
                        struct signatures_problem *problem)
{
    struct signatures *s = calloc(1, sizeof(*s));
    enum gh_err err = s == NULL ? GH_ERR_NOMEM : GH_OK;

    if (problem != NULL) *problem = (struct signatures_problem){ 0 };
    if (err == GH_OK) err = load_rules(texts, n_texts, &s->rules, problem);
    if (err == GH_OK) err = check_library(problem);
    if (err == GH_OK) err = compile(s, compiled, problem);
    if (err == GH_OK && check) err = check_examples(s, problem);
    if (err != GH_OK) {
        signatures_free(s);
        return err;
    }
    rules_drop_examples(&s->rules);
    *ret_signatures = s;
    return GH_OK;
}

enum gh_err signatures_load_texts(const struct signatures_text *texts, size_t n_texts, bool check,
                                  struct signatures **ret_signatures,
                                  struct signatures_problem *problem)
{
    return load(texts, n_texts, check, NULL, ret_signatures, problem);
}

enum gh_err signatures_load_compiled(const struct signatures_text *texts, size_t n_texts,
                                     const void *compiled, size_t len,
                                     struct signatures **ret_signatures,
                                     struct signatures_problem *problem)
{
    struct compiled *archive = NULL;
    enum gh_err err = GH_OK;

    if (compiled != NULL) err = compiled_new(compiled, len, &archive);
    if (err == GH_OK) err = load(texts, n_texts, false, archive, ret_signatures, problem);
    compiled_free(archive);
    return err;
}

enum gh_err signatures_export(const struct signatures *signatures, const void *older,
                              size_t older_len, size_t max_bytes, struct gh_buf *out)
{
    struct compiled *archive = NULL;
    enum gh_err err = compiled_begin(out);

    for (uint32_t i = 0; err == GH_OK && i < signatures->rules.n; i++) {
        const struct rule *rule = &signatures->rules.list[i];

        err = compiled_add(out, rule->pattern, flags_of(rule), signatures->dbs[i]);
    }
    if (err == GH_OK && older != NULL) err = compiled_new(older, older_len, &archive);
    if (err == GH_OK && archive != NULL) err = compiled_merge(out, archive, max_bytes);
    compiled_free(archive);
    return err;
}

void signatures_free(struct signatures *signatures)
{
    if (signatures == NULL) return;
    for (uint32_t i = 0; signatures->dbs != NULL && i < signatures->rules.n; i++)
        hs_free_database(signatures->dbs[i]);
    free(signatures->dbs);
    prefilter_free(signatures->prefilter);
    rules_done(&signatures->rules);
    free(signatures);
}

uint32_t signatures_compiled(const struct signatures *signatures)
{
    return signatures->n_compiled;
}

uint32_t signatures_count(const struct signatures *signatures)
{
    return signatures->rules.n;
}

const struct signatures_rule *signatures_rule(const struct signatures *signatures, uint32_t i)
{
    return &signatures->rules.list[i].shown;
}
