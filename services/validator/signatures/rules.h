/*
 * rules - signature rules from YAML. Private to signatures/.
 *
 *   rules:
 *     - id: sqli-union-select          # letters, digits and dashes; unique
 *       description: what it finds
 *       pattern: 'union\s+select'      # PCRE as Vectorscan has it; capitals do not matter
 *       case: sensitive                # optional
 *       score: 1..100
 *       fields: [text, key, name, url] # optional; all
 *       references: [CWE-89]           # optional
 *       examples: { match: [...], no_match: [...] }  # both needed, at least one each
 *
 * The file's `family` (top level) is the family of all its rules. Unknown keys are errors.
 */
#ifndef VALIDATOR_SIGNATURES_RULES_H
#define VALIDATOR_SIGNATURES_RULES_H

#include "validator/signatures/signatures.h"

#define RULES_FILE_MAX_BYTES (1u << 20)

struct rule_example {
    char *text;
    size_t len;
    uint32_t rule;
    bool match;
    uint32_t line;
    uint32_t file;
};

struct rule {
    struct signatures_rule shown;
    char *id, *family, *description, *pattern;
    bool case_sensitive;
    uint32_t line;
    uint32_t file; /* in rules.files */
};

struct rules {
    struct rule *list;
    uint32_t n, cap;
    struct rule_example *examples;
    uint32_t n_examples, cap_examples;
    char **files; /* names */
    uint32_t n_files;
};

/* Adds a text's rules. Errors: GH_ERR_CONFIG with the problem filled, GH_ERR_NOMEM. */
GH_NODISCARD enum gh_err rules_add(struct rules *rules, const char *name, const char *yaml,
                                   size_t len, struct signatures_problem *problem);
void rules_done(struct rules *rules);
void rules_drop_examples(struct rules *rules);

/* Fills *problem (may be NULL); returns GH_ERR_CONFIG. */
enum gh_err rules_problem(struct signatures_problem *problem, const char *file, uint32_t line,
                          const char *rule, const char *fmt, ...) GH_PRINTF(5, 6);

#endif
