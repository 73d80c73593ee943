/* The command line over schema.h: no state beyond one run. */
#include "validator/schema/offline.h"

#include "common/json/builder.h"
#include "validator/schema/schema.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct offline {
    struct schema_options options;
    struct schema_registry *registry; /* what --add named */
    const char *schema_file;
    char **files;
    int n_files;
};

static int usage(void)
{
    fprintf(stderr, "usage: schema check [--draft 7|2020-12] [--format] [--add FILE]... FILE...\n"
                    "       schema validate [--draft 7|2020-12] [--format] [--add FILE]... "
                    "[--schema FILE] < NDJSON\n");
    return 2;
}

static void print_problem(const char *file, const struct schema_problem *p)
{
    printf("%s:%u:%u: %s: %s\n", file, p->line, p->column, p->pointer[0] != '\0' ? p->pointer : "/",
           p->text);
}

static char *file_uri(const char *path)
{
    char *uri = NULL;

    return asprintf(&uri, "file:///%s", path) < 0 ? NULL : uri;
}

/* Options up to the first file. An exit status, or -1 to go on. */
static int read_options(int argc, char **argv, struct offline *o)
{
    int i = 1;

    if (schema_registry_new(&o->registry) != GH_OK) return 2;
    for (; i < argc && strncmp(argv[i], "--", 2) == 0; i++) {
        bool more = i + 1 < argc;

        if (strcmp(argv[i], "--format") == 0) {
            o->options.assert_format = true;
        } else if (strcmp(argv[i], "--draft") == 0 && more) {
            i++;
            if (strcmp(argv[i], "7") != 0 && strcmp(argv[i], "2020-12") != 0) return usage();
            o->options.default_draft07 = argv[i][0] == '7';
        } else if (strcmp(argv[i], "--add") == 0 && more) {
            struct schema_problem problem = { 0 };

            if (schema_registry_add_file(o->registry, argv[++i], &problem) != GH_OK) {
                print_problem(argv[i], &problem);
                return 2;
            }
        } else if (strcmp(argv[i], "--schema") == 0 && more) {
            o->schema_file = argv[++i];
        } else {
            return usage();
        }
    }
    o->files = argv + i;
    o->n_files = argc - i;
    return -1;
}

int schema_check_main(int argc, char **argv)
{
    struct offline o = { 0 };
    int status = read_options(argc, argv, &o);

    if (status < 0 && (o.n_files == 0 || o.schema_file != NULL)) status = usage();
    if (status < 0) status = 0;
    for (int i = 0; i < o.n_files && status != 2; i++) {
        struct schema_problem problem = { 0 };

        if (schema_registry_add_file(o.registry, o.files[i], &problem) != GH_OK) {
            print_problem(o.files[i], &problem);
            status = problem.line > 0 ? 1 : 2;
        }
    }
    for (int i = 0; i < o.n_files && status == 0; i++) {
        struct schema_problem problem = { 0 };
        struct schema *schema = NULL;
        char *uri = file_uri(o.files[i]);

        if (uri != NULL &&
            schema_compile(o.registry, uri, &o.options, &schema, &problem) == GH_OK) {
            printf("%s: ok\n", o.files[i]);
        } else {
            print_problem(o.files[i], &problem);
            status = 1;
        }
        schema_free(schema);
        free(uri);
    }
    schema_registry_free(o.registry);
    return status;
}

/* ---- validate ---- */

struct validation {
    struct offline *o;
    struct schema *fixed; /* of --schema */
    struct schema_scratch *scratch;
    struct gh_tape line;
    bool all_valid;
};

static void put_answer(const char *valid, const char *error, const char *instance,
                       const char *schema)
{
    struct gh_buf out;
    struct gh_json j;

    gh_buf_init(&out, 0);
    gh_json_init(&j, &out);
    gh_json_begin_object(&j);
    gh_json_key(&j, "valid");
    gh_json_raw(&j, valid, strlen(valid));
    gh_json_kv_str(&j, "error", error);
    gh_json_kv_str(&j, "instancePath", instance);
    gh_json_kv_str(&j, "schemaPath", schema);
    gh_json_end_object(&j);
    if (gh_json_finish(&j) == GH_OK) printf("%.*s\n", (int)out.len, out.data);
    gh_buf_done(&out);
}

static void judge(struct validation *v, const struct schema *schema, uint32_t data)
{
    struct schema_failure failure = { 0 };
    char path[4096], text[512];
    enum schema_verdict verdict;

    verdict = schema_scratch_fit(v->scratch, schema) != GH_OK
                  ? SCHEMA_NOMEM
                  : schema_validate(schema, v->scratch, &v->line, data, &failure);
    if (verdict == SCHEMA_VALID) {
        put_answer("true", NULL, "", "");
        return;
    }
    v->all_valid = false;
    if (verdict != SCHEMA_INVALID) {
        put_answer("false", verdict == SCHEMA_LIMIT ? "a limit was reached" : "out of memory", "",
                   "");
        return;
    }
    snprintf(text, sizeof(text), "%s%s%.400s", failure.keyword,
             failure.detail[0] != '\0' ? ": " : "", failure.detail);
    schema_instance_path(&v->line, data, failure.node, path, sizeof(path));
    put_answer("false", text, path, failure.schema_path);
}

static void no_verdict(struct validation *v, const char *text)
{
    v->all_valid = false;
    put_answer("null", text, "", "");
}

/* The registry of --add serves each line's schema in turn under a name of its own. */
static void judge_own_schema(struct validation *v, uint32_t schema_node, uint32_t data,
                             unsigned long number)
{
    const struct gh_node *n = &v->line.nodes[schema_node];
    unsigned quote = n->kind == GH_JSON_STR;
    struct schema_problem problem = { 0 };
    struct schema *schema = NULL;
    char uri[64], text[700];

    snprintf(uri, sizeof(uri), "urn:gatehouse:line:%lu", number);
    if (schema_registry_add(v->o->registry, uri, v->line.src + n->off - quote, n->len + 2 * quote,
                            &problem) == GH_OK)
        if (schema_compile(v->o->registry, uri, &v->o->options, &schema, &problem) == GH_OK)
            judge(v, schema, data);
    if (schema == NULL) {
        snprintf(text, sizeof(text), "%s: %s", problem.pointer, problem.text);
        no_verdict(v, text);
    }
    schema_free(schema);
    schema_registry_remove(v->o->registry, uri);
}

static void judge_line(struct validation *v, const char *text, size_t len, unsigned long number)
{
    uint32_t schema, data;

    if (gh_tape_parse(&v->line, text, len, &gh_json_limits_trusted) != GH_JSON_OK) {
        no_verdict(v, gh_json_err_text(v->line.err));
        return;
    }
    if (v->fixed != NULL) {
        judge(v, v->fixed, 0);
        return;
    }
    schema = gh_tape_get_lit(&v->line, 0, "schema");
    data = gh_tape_get_lit(&v->line, 0, "data");
    if (schema == GH_TAPE_NONE || data == GH_TAPE_NONE)
        no_verdict(v, "a line is {\"schema\": ..., \"data\": ...}");
    else
        judge_own_schema(v, schema, data, number);
}

static int load_fixed(struct validation *v)
{
    struct schema_problem problem = { 0 };
    char *uri = file_uri(v->o->schema_file);
    int status = -1;

    if (uri == NULL ||
        schema_registry_add_file(v->o->registry, v->o->schema_file, &problem) != GH_OK ||
        schema_compile(v->o->registry, uri, &v->o->options, &v->fixed, &problem) != GH_OK) {
        print_problem(v->o->schema_file, &problem);
        status = 2;
    }
    free(uri);
    return status;
}

int schema_validate_main(int argc, char **argv)
{
    struct offline o = { 0 };
    struct validation v = { .o = &o, .all_valid = true };
    int status = read_options(argc, argv, &o);
    char *line = NULL;
    size_t cap = 0;
    ssize_t len;

    if (status < 0 && o.n_files > 0) status = usage();
    if (status < 0 && schema_scratch_new(NULL, &v.scratch) != GH_OK) status = 2;
    if (status < 0 && o.schema_file != NULL) status = load_fixed(&v);
    gh_tape_init(&v.line);
    for (unsigned long n = 1; status < 0 && (len = getline(&line, &cap, stdin)) >= 0; n++) {
        while (len > 0 && (line[len - 1] == '\n' || line[len - 1] == '\r'))
            len--;
        if (len > 0) judge_line(&v, line, (size_t)len, n);
    }
    free(line);
    gh_tape_done(&v.line);
    schema_free(v.fixed);
    schema_scratch_free(v.scratch);
    schema_registry_free(o.registry);
    return status >= 0 ? status : v.all_valid ? 0 : 1;
}
