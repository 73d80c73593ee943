#include "validator/signatures/rules.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#define ID_MAX_BYTES 63
#define SCORE_MAX    100

struct reader {
    struct rules *rules;
    const char *file;
    uint32_t file_index;
    yaml_document_t doc;
    const char *family;
    struct rule *rule; /* at hand */
    struct signatures_problem *problem;
};

enum gh_err rules_problem(struct signatures_problem *problem, const char *file, uint32_t line,
                          const char *rule, const char *fmt, ...)
{
    va_list ap;

    if (problem == NULL) return GH_ERR_CONFIG;
    *problem = (struct signatures_problem){ .line = line };
    snprintf(problem->file, sizeof(problem->file), "%s", file);
    snprintf(problem->rule, sizeof(problem->rule), "%s", rule != NULL ? rule : "");
    va_start(ap, fmt);
    vsnprintf(problem->text, sizeof(problem->text), fmt, ap);
    va_end(ap);
    return GH_ERR_CONFIG;
}

#define fail(r, node, ...)                                                                         \
    rules_problem((r)->problem, (r)->file, (uint32_t)(node)->start_mark.line + 1,                  \
                  (r)->rule != NULL ? (r)->rule->id : NULL, __VA_ARGS__)

static const char *scalar(const yaml_node_t *node)
{
    return node->type == YAML_SCALAR_NODE ? (const char *)node->data.scalar.value : NULL;
}

/* A copy of a scalar's text, which must not be empty nor hold NUL. */
static enum gh_err take_text(struct reader *r, const yaml_node_t *node, char **text)
{
    if (scalar(node) == NULL || node->data.scalar.length == 0 ||
        strlen(scalar(node)) != node->data.scalar.length)
        return fail(r, node, "must be a text");
    free(*text);
    *text = strdup(scalar(node));
    return *text != NULL ? GH_OK : GH_ERR_NOMEM;
}

static enum gh_err take_id(struct reader *r, const yaml_node_t *node)
{
    enum gh_err err = take_text(r, node, &r->rule->id);
    const char *id = r->rule->id;

    if (err != GH_OK) return err;
    if (strlen(id) > ID_MAX_BYTES ||
        id[strspn(id, "abcdefghijklmnopqrstuvwxyz0123456789-")] != '\0')
        return fail(r, node, "an id is at most %d small letters, digits and dashes", ID_MAX_BYTES);
    for (struct rule *other = r->rules->list; other < r->rule; other++)
        if (strcmp(other->id, id) == 0) return fail(r, node, "another rule has this id");
    return GH_OK;
}

static enum gh_err take_score(struct reader *r, const yaml_node_t *node)
{
    const char *text = scalar(node);
    char *end = NULL;
    unsigned long v = text != NULL ? strtoul(text, &end, 10) : 0;

    if (text == NULL || *end != '\0' || v < 1 || v > SCORE_MAX)
        return fail(r, node, "score is a number from 1 to %d", SCORE_MAX);
    r->rule->shown.score = (uint32_t)v;
    return GH_OK;
}

static enum gh_err take_fields(struct reader *r, const yaml_node_t *node)
{
    static const char *const names[] = { "text", "key", "name", "url" };

    if (node->type != YAML_SEQUENCE_NODE) return fail(r, node, "fields is a list");
    r->rule->shown.fields = 0;
    for (yaml_node_item_t *i = node->data.sequence.items.start; i < node->data.sequence.items.top;
         i++) {
        const yaml_node_t *item = yaml_document_get_node(&r->doc, *i);
        uint32_t bit = 0;

        for (unsigned n = 0; n < 4; n++)
            if (scalar(item) != NULL && strcmp(scalar(item), names[n]) == 0) bit = 1u << n;
        if (bit == 0) return fail(r, item, "fields are text, key, name and url");
        r->rule->shown.fields |= bit;
    }
    if (r->rule->shown.fields == 0) return fail(r, node, "fields must not be empty");
    return GH_OK;
}

static enum gh_err take_references(struct reader *r, const yaml_node_t *node)
{
    if (node->type != YAML_SEQUENCE_NODE) return fail(r, node, "references is a list of texts");
    for (yaml_node_item_t *i = node->data.sequence.items.start; i < node->data.sequence.items.top;
         i++)
        if (scalar(yaml_document_get_node(&r->doc, *i)) == NULL)
            return fail(r, node, "references is a list of texts");
    return GH_OK;
}

static enum gh_err add_example(struct reader *r, const yaml_node_t *node, bool match)
{
    struct rules *rules = r->rules;
    struct rule_example *e;

    if (scalar(node) == NULL) return fail(r, node, "an example is a text");
    if (rules->n_examples == rules->cap_examples) {
        uint32_t cap = rules->cap_examples * 2 + 64;
        void *list = realloc(rules->examples, cap * sizeof(*rules->examples));

        if (list == NULL) return GH_ERR_NOMEM;
        rules->examples = list;
        rules->cap_examples = cap;
    }
    e = &rules->examples[rules->n_examples];
    *e = (struct rule_example){
        .text = malloc(node->data.scalar.length + 1),
        .len = node->data.scalar.length,
        .rule = (uint32_t)(r->rule - rules->list),
        .match = match,
        .line = (uint32_t)node->start_mark.line + 1,
        .file = r->file_index,
    };
    if (e->text == NULL) return GH_ERR_NOMEM;
    memcpy(e->text, node->data.scalar.value, e->len + 1);
    rules->n_examples++;
    return GH_OK;
}

static enum gh_err take_examples(struct reader *r, const yaml_node_t *node)
{
    unsigned seen[2] = { 0, 0 };

    if (node->type != YAML_MAPPING_NODE) return fail(r, node, "examples has match and no_match");
    for (yaml_node_pair_t *p = node->data.mapping.pairs.start; p < node->data.mapping.pairs.top;
         p++) {
        const yaml_node_t *key = yaml_document_get_node(&r->doc, p->key);
        const yaml_node_t *list = yaml_document_get_node(&r->doc, p->value);
        bool match = scalar(key) != NULL && strcmp(scalar(key), "match") == 0;

        if (!match && (scalar(key) == NULL || strcmp(scalar(key), "no_match") != 0))
            return fail(r, key, "examples has match and no_match");
        if (list->type != YAML_SEQUENCE_NODE) return fail(r, list, "must be a list of texts");
        for (yaml_node_item_t *i = list->data.sequence.items.start;
             i < list->data.sequence.items.top; i++) {
            enum gh_err err = add_example(r, yaml_document_get_node(&r->doc, *i), match);

            if (err != GH_OK) return err;
            seen[match]++;
        }
    }
    if (seen[0] == 0 || seen[1] == 0)
        return fail(r, node, "a rule needs an example that matches and one that does not");
    return GH_OK;
}

static enum gh_err take_case(struct reader *r, const yaml_node_t *node)
{
    if (scalar(node) == NULL || strcmp(scalar(node), "sensitive") != 0)
        return fail(r, node, "case may only be \"sensitive\"");
    r->rule->case_sensitive = true;
    return GH_OK;
}

static enum gh_err take_pattern(struct reader *r, const yaml_node_t *node)
{
    return take_text(r, node, &r->rule->pattern);
}

static enum gh_err take_description(struct reader *r, const yaml_node_t *node)
{
    return take_text(r, node, &r->rule->description);
}

static const struct {
    const char *key;
    enum gh_err (*take)(struct reader *r, const yaml_node_t *node);
    bool required;
} keys[] = {
    { "id", take_id, true },
    { "description", take_description, true },
    { "pattern", take_pattern, true },
    { "score", take_score, true },
    { "examples", take_examples, true },
    { "fields", take_fields, false },
    { "references", take_references, false },
    { "case", take_case, false },
};
#define N_KEYS (sizeof(keys) / sizeof(keys[0]))

static enum gh_err read_rule(struct reader *r, const yaml_node_t *node)
{
    bool seen[N_KEYS] = { false };

    if (node->type != YAML_MAPPING_NODE) return fail(r, node, "a rule is a mapping");
    for (yaml_node_pair_t *p = node->data.mapping.pairs.start; p < node->data.mapping.pairs.top;
         p++) {
        const yaml_node_t *key = yaml_document_get_node(&r->doc, p->key);
        size_t i = 0;
        enum gh_err err;

        while (i < N_KEYS && (scalar(key) == NULL || strcmp(scalar(key), keys[i].key) != 0))
            i++;
        if (i == N_KEYS)
            return fail(r, key,
                        "unknown key; a rule has id, description, pattern, score, examples, "
                        "fields, references, case");
        if (seen[i]) return fail(r, key, "%s stands here twice", keys[i].key);
        seen[i] = true;
        err = keys[i].take(r, yaml_document_get_node(&r->doc, p->value));
        if (err != GH_OK) return err;
    }
    for (size_t i = 0; i < N_KEYS; i++)
        if (keys[i].required && !seen[i]) return fail(r, node, "%s is missing", keys[i].key);
    r->rule->family = strdup(r->family);
    return r->rule->family != NULL ? GH_OK : GH_ERR_NOMEM;
}

static enum gh_err new_rule(struct reader *r, const yaml_node_t *node)
{
    struct rules *rules = r->rules;

    if (rules->n == SIGNATURES_MAX_RULES) return fail(r, node, "too many rules");
    if (rules->n == rules->cap) {
        uint32_t cap = rules->cap * 2 + 64;
        void *list = realloc(rules->list, cap * sizeof(*rules->list));

        if (list == NULL) return GH_ERR_NOMEM;
        rules->list = list;
        rules->cap = cap;
    }
    r->rule = &rules->list[rules->n++];
    *r->rule = (struct rule){ .shown = { .fields = SIGNATURES_TEXT | SIGNATURES_KEY |
                                                   SIGNATURES_NAME | SIGNATURES_URL },
                              .line = (uint32_t)node->start_mark.line + 1,
                              .file = r->file_index };
    return GH_OK;
}

static enum gh_err read_root(struct reader *r)
{
    const yaml_node_t *root = yaml_document_get_root_node(&r->doc);
    const yaml_node_t *list = NULL;

    if (root == NULL || root->type != YAML_MAPPING_NODE)
        return rules_problem(r->problem, r->file, 1, NULL, "must hold family and rules");
    for (yaml_node_pair_t *p = root->data.mapping.pairs.start; p < root->data.mapping.pairs.top;
         p++) {
        const yaml_node_t *key = yaml_document_get_node(&r->doc, p->key);
        const yaml_node_t *value = yaml_document_get_node(&r->doc, p->value);

        if (scalar(key) != NULL && strcmp(scalar(key), "family") == 0)
            r->family = scalar(value);
        else if (scalar(key) != NULL && strcmp(scalar(key), "rules") == 0)
            list = value;
        else
            return fail(r, key, "unknown key; a file has family and rules");
    }
    if (r->family == NULL || r->family[0] == '\0') return fail(r, root, "family is missing");
    if (list == NULL || list->type != YAML_SEQUENCE_NODE)
        return fail(r, root, "rules is missing or no list");
    for (yaml_node_item_t *i = list->data.sequence.items.start; i < list->data.sequence.items.top;
         i++) {
        const yaml_node_t *node = yaml_document_get_node(&r->doc, *i);
        enum gh_err err;

        r->rule = NULL;
        err = new_rule(r, node);
        if (err == GH_OK) err = read_rule(r, node);
        if (err != GH_OK) return err;
    }
    return GH_OK;
}

static enum gh_err add_file(struct rules *rules, const char *name)
{
    char **files = realloc(rules->files, (rules->n_files + 1) * sizeof(*files));

    if (files == NULL) return GH_ERR_NOMEM;
    rules->files = files;
    files[rules->n_files] = strdup(name);
    if (files[rules->n_files] == NULL) return GH_ERR_NOMEM;
    rules->n_files++;
    return GH_OK;
}

enum gh_err rules_add(struct rules *rules, const char *name, const char *yaml, size_t len,
                      struct signatures_problem *problem)
{
    struct reader r = { .rules = rules, .file = name, .problem = problem };
    yaml_parser_t parser;
    enum gh_err err = add_file(rules, name);

    if (err != GH_OK) return err;
    r.file_index = rules->n_files - 1;
    if (len > RULES_FILE_MAX_BYTES)
        return rules_problem(problem, name, 0, NULL, "larger than 1 MiB");
    if (!yaml_parser_initialize(&parser)) return GH_ERR_NOMEM;
    yaml_parser_set_input_string(&parser, (const unsigned char *)yaml, len);
    if (!yaml_parser_load(&parser, &r.doc)) {
        err = rules_problem(problem, name, (uint32_t)parser.problem_mark.line + 1, NULL, "%s",
                            parser.problem != NULL ? parser.problem : "not YAML");
    } else {
        err = read_root(&r);
        yaml_document_delete(&r.doc);
    }
    yaml_parser_delete(&parser);
    return err;
}

void rules_drop_examples(struct rules *rules)
{
    for (uint32_t i = 0; i < rules->n_examples; i++)
        free(rules->examples[i].text);
    free(rules->examples);
    rules->examples = NULL;
    rules->n_examples = rules->cap_examples = 0;
}

void rules_done(struct rules *rules)
{
    rules_drop_examples(rules);
    for (uint32_t i = 0; i < rules->n; i++) {
        free(rules->list[i].id);
        free(rules->list[i].family);
        free(rules->list[i].description);
        free(rules->list[i].pattern);
    }
    free(rules->list);
    for (uint32_t i = 0; i < rules->n_files; i++)
        free(rules->files[i]);
    free(rules->files);
    *rules = (struct rules){ 0 };
}
