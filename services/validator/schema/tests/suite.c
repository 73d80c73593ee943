#include "suite.h"

#include "validator/schema/schema.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define PATH_BYTES 1024

const char *suite_folder(void)
{
    static char path[PATH_BYTES];
    const char *shared = getenv("GH_SHARED_DIR");
    struct stat st;

    snprintf(path, sizeof(path), "%s/data/json-schema-test-suite",
             shared != NULL ? shared : GH_SOURCE_DIR "/../shared");
    if (stat(path, &st) == 0 && S_ISDIR(st.st_mode)) return path;
    printf("SKIPPED: no JSON Schema test suite at %s (set GH_SHARED_DIR)\n", path);
    return NULL;
}

static char *read_all(const char *path, size_t *ret_len)
{
    FILE *file = fopen(path, "rbe");
    char *text = malloc(1u << 21);
    size_t len = 0;

    if (file != NULL && text != NULL) len = fread(text, 1, 1u << 21, file);
    if (file != NULL) (void)fclose(file);
    if (len == 0) {
        free(text);
        return NULL;
    }
    *ret_len = len;
    return text;
}

/* Every .json below path, as http://localhost:1234/ + its path below remotes/. Folders of other
 * drafts stay out: they are other dialects. */
static bool add_remotes(struct schema_registry *registry, const char *path, const char *below,
                        const char *draft)
{
    DIR *dir = opendir(path);
    struct dirent *entry;
    bool ok = dir != NULL;

    while (ok && (entry = readdir(dir)) != NULL) {
        char full[PATH_BYTES * 2], name[PATH_BYTES], uri[PATH_BYTES * 2];
        struct stat st;

        if (entry->d_name[0] == '.') continue;
        snprintf(full, sizeof(full), "%s/%s", path, entry->d_name);
        snprintf(name, sizeof(name), "%s%s", below, entry->d_name);
        if (stat(full, &st) != 0) continue;
        if (S_ISDIR(st.st_mode)) {
            if (below[0] == '\0' && strcmp(entry->d_name, draft) != 0 &&
                (strncmp(entry->d_name, "draft", 5) == 0 || strcmp(entry->d_name, "v1") == 0))
                continue;
            strncat(name, "/", sizeof(name) - strlen(name) - 1);
            ok = add_remotes(registry, full, name, draft);
        } else {
            struct schema_problem problem;
            size_t len;
            char *text = read_all(full, &len);

            snprintf(uri, sizeof(uri), "http://localhost:1234/%s", name);
            ok = text != NULL && schema_registry_add(registry, uri, text, len, &problem) == GH_OK;
            if (!ok) printf("remote %s: not loaded\n", name);
            free(text);
        }
    }
    if (dir != NULL) closedir(dir);
    return ok;
}

static const char *exception(const struct suite *suite, const char *file, const char *group,
                             const char *test)
{
    for (size_t i = 0; i < suite->n_exceptions; i++) {
        const struct suite_exception *e = &suite->exceptions[i];

        if (strcmp(e->file, file) == 0 && (e->group == NULL || strcmp(e->group, group) == 0) &&
            (e->test == NULL || strcmp(e->test, test) == 0))
            return e->reason;
    }
    return NULL;
}

static void text_of(const struct gh_tape *tape, uint32_t node, char *dst, size_t size)
{
    char scratch[PATH_BYTES];
    size_t len = 0;
    const char *text = "";

    if (node != GH_TAPE_NONE && gh_tape_str_len(tape, node) < sizeof(scratch))
        text = gh_tape_str(tape, node, scratch, &len);
    snprintf(dst, size, "%.*s", (int)len, text);
}

/* A value's own text; strings need their quotes back. */
static void slice(const struct gh_tape *tape, uint32_t node, const char **ret_text, size_t *ret_len)
{
    const struct gh_node *n = &tape->nodes[node];
    unsigned quote = n->kind == GH_JSON_STR;

    *ret_text = tape->src + n->off - quote;
    *ret_len = n->len + 2 * quote;
}

static void run_test(const struct suite *suite, const char *file, const char *group,
                     const struct gh_tape *tape, uint32_t test, const struct schema *schema,
                     struct schema_scratch *scratch, const char *load_error,
                     struct suite_count *count)
{
    char description[PATH_BYTES];
    bool expect = gh_tape_kind(tape, gh_tape_get_lit(tape, test, "valid")) == GH_JSON_TRUE;
    struct schema_failure failure = { .keyword = "", .schema_path = "", .detail = "" };
    enum schema_verdict verdict = SCHEMA_INVALID, quiet = SCHEMA_INVALID;
    struct gh_tape data;
    const char *text;
    size_t len;

    text_of(tape, gh_tape_get_lit(tape, test, "description"), description, sizeof(description));
    if (exception(suite, file, group, description) != NULL) {
        count->excepted++;
        return;
    }
    slice(tape, gh_tape_get_lit(tape, test, "data"), &text, &len);
    gh_tape_init(&data);
    if (schema != NULL && gh_tape_parse(&data, text, len, &gh_json_limits_trusted) == GH_JSON_OK) {
        verdict = schema_validate(schema, scratch, &data, 0, &failure);
        quiet = schema_validate(schema, scratch, &data, 0, NULL);
    } else {
        load_error = load_error[0] != '\0' ? load_error : "the data is not JSON to us";
    }
    gh_tape_done(&data);
    if (load_error[0] == '\0' && verdict == (expect ? SCHEMA_VALID : SCHEMA_INVALID) &&
        verdict == quiet) {
        count->passed++;
        return;
    }
    count->failed++;
    printf("FAILED %s/%s%s: %s: %s: expected %s, got %d %s %s %s\n", suite->draft, suite->folder,
           file, group, description, expect ? "valid" : "invalid", (int)verdict, failure.keyword,
           failure.schema_path, load_error);
}

static void run_group(const struct suite *suite, const char *file, const struct gh_tape *tape,
                      uint32_t group, struct suite_count *count)
{
    static const char uri[] = "http://test.invalid/schema";
    struct schema_options options = { .assert_format = suite->assert_format,
                                      .default_draft07 = suite->draft07 };
    uint32_t tests = gh_tape_get_lit(tape, group, "tests");
    struct schema_registry *registry = NULL;
    struct schema_scratch *scratch = NULL;
    struct schema *schema = NULL;
    struct schema_problem problem = { 0 };
    char description[PATH_BYTES], remotes[PATH_BYTES], load_error[1200] = "";
    const char *text;
    size_t len;

    text_of(tape, gh_tape_get_lit(tape, group, "description"), description, sizeof(description));
    snprintf(remotes, sizeof(remotes), "%s/remotes", suite_folder());
    slice(tape, gh_tape_get_lit(tape, group, "schema"), &text, &len);
    if (schema_registry_new(&registry) != GH_OK ||
        !add_remotes(registry, remotes, "", suite->draft) ||
        schema_registry_add(registry, uri, text, len, &problem) != GH_OK ||
        schema_compile(registry, uri, &options, &schema, &problem) != GH_OK ||
        schema_scratch_new(NULL, &scratch) != GH_OK || schema_scratch_fit(scratch, schema) != GH_OK)
        snprintf(load_error, sizeof(load_error), "(load: %s %s: %s)", problem.document,
                 problem.pointer, problem.text);
    schema_registry_free(registry); /* the schema must stand alone */
    for (uint32_t t = tests + 1; t < tape->nodes[tests].next; t = tape->nodes[t].next)
        run_test(suite, file, description, tape, t, schema, scratch, load_error, count);
    schema_scratch_free(scratch);
    schema_free(schema);
}

bool suite_run(const struct suite *suite, struct suite_count *ret_count)
{
    char folder[PATH_BYTES], path[PATH_BYTES * 2];
    struct dirent **names;
    int n;

    *ret_count = (struct suite_count){ 0 };
    snprintf(folder, sizeof(folder), "%s/%s/%s", suite_folder(), suite->draft, suite->folder);
    n = scandir(folder, &names, NULL, alphasort);
    for (int i = 0; i < n; i++) {
        const char *name = names[i]->d_name;
        struct gh_tape tape;
        char *text = NULL;
        size_t len;

        gh_tape_init(&tape);
        snprintf(path, sizeof(path), "%s/%s", folder, name);
        if (strlen(name) > 5 && strcmp(name + strlen(name) - 5, ".json") == 0)
            text = read_all(path, &len);
        if (text != NULL) {
            ret_count->files++;
            if (gh_tape_parse(&tape, text, len, &gh_json_limits_trusted) != GH_JSON_OK) {
                printf("FAILED %s: not strict JSON\n", path);
                ret_count->failed++;
            } else {
                for (uint32_t g = 1; g < tape.nodes[0].next; g = tape.nodes[g].next)
                    run_group(suite, name, &tape, g, ret_count);
            }
        }
        gh_tape_done(&tape);
        free(text);
        free(names[i]);
    }
    if (n >= 0) free(names);
    return n >= 0;
}
