#include "validator/schema/registry.h"

#include "validator/schema/uri.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_MAX_BYTES (8u << 20)

static void set_text(struct schema_problem *problem, const char *fmt, va_list ap) GH_PRINTF(2, 0);
static void set_text(struct schema_problem *problem, const char *fmt, va_list ap)
{
    vsnprintf(problem->text, sizeof(problem->text), fmt, ap);
}

enum gh_err schema_problem_at(struct schema_problem *problem, const struct schema_document *doc,
                              uint32_t node, const char *fmt, ...)
{
    va_list ap;

    if (problem == NULL) return GH_ERR_CONFIG;
    *problem = (struct schema_problem){ 0 };
    snprintf(problem->document, sizeof(problem->document), "%s", doc->name);
    schema_instance_path(&doc->tape, 0, node, problem->pointer, sizeof(problem->pointer));
    gh_json_position(doc->tape.src, doc->tape.src_len, doc->tape.nodes[node].off, &problem->line,
                     &problem->column);
    va_start(ap, fmt);
    set_text(problem, fmt, ap);
    va_end(ap);
    return GH_ERR_CONFIG;
}

enum gh_err schema_problem_text(struct schema_problem *problem, const char *name, const char *fmt,
                                ...)
{
    va_list ap;

    if (problem == NULL) return GH_ERR_CONFIG;
    *problem = (struct schema_problem){ 0 };
    snprintf(problem->document, sizeof(problem->document), "%s", name);
    va_start(ap, fmt);
    set_text(problem, fmt, ap);
    va_end(ap);
    return GH_ERR_CONFIG;
}

static void document_free(struct schema_document *doc)
{
    if (doc == NULL) return;
    gh_tape_done(&doc->tape);
    free(doc->uri);
    free(doc->name);
    free(doc->text);
    free(doc);
}

static enum gh_err parse(struct schema_document *doc, size_t len, struct schema_problem *problem)
{
    enum gh_json_err bad;

    gh_tape_init(&doc->tape);
    bad = gh_tape_parse(&doc->tape, doc->text, len, &gh_json_limits_trusted);
    if (bad == GH_JSON_OK) return GH_OK;
    if (bad == GH_JSON_NOMEM) return GH_ERR_NOMEM;
    schema_problem_text(problem, doc->name, "not strict JSON: %s", gh_json_err_text(bad));
    if (problem != NULL)
        gh_json_position(doc->text, len, doc->tape.err_off, &problem->line, &problem->column);
    return GH_ERR_CONFIG;
}

static enum gh_err add(struct schema_registry *registry, const char *uri, const char *name,
                       const char *json, size_t len, struct schema_problem *problem)
{
    struct schema_document *doc;
    size_t uri_len = strcspn(uri, "#");
    enum gh_err err;

    if (!uri_is_absolute(uri) || uri_len >= URI_MAX_BYTES)
        return schema_problem_text(problem, name, "\"%s\" is not an absolute URI", uri);
    for (uint32_t i = 0; i < registry->n_documents; i++)
        if (strncmp(registry->documents[i]->uri, uri, uri_len) == 0 &&
            registry->documents[i]->uri[uri_len] == '\0') {
            schema_problem_text(problem, name, "%.*s is there already", (int)uri_len, uri);
            return GH_ERR_EXISTS;
        }
    if (registry->n_documents == registry->cap_documents) {
        uint32_t cap = registry->cap_documents * 2 + 8;
        void *list = realloc(registry->documents, cap * sizeof(struct schema_document *));

        if (list == NULL) return GH_ERR_NOMEM;
        registry->documents = list;
        registry->cap_documents = cap;
    }
    doc = calloc(1, sizeof(*doc));
    if (doc == NULL) return GH_ERR_NOMEM;
    doc->uri = strndup(uri, uri_len);
    doc->name = strdup(name);
    doc->text = malloc(len + 1);
    err = GH_ERR_NOMEM;
    if (doc->uri == NULL || doc->name == NULL || doc->text == NULL) goto fail;
    memcpy(doc->text, json, len);
    doc->text[len] = '\0';
    err = parse(doc, len, problem);
    if (err != GH_OK) goto fail;
    registry->documents[registry->n_documents++] = doc;
    return GH_OK;
fail:
    document_free(doc);
    return err;
}

enum gh_err schema_registry_new(struct schema_registry **ret_registry)
{
    struct schema_registry *registry = calloc(1, sizeof(*registry));

    if (registry == NULL) return GH_ERR_NOMEM;
    for (const struct schema_builtin *b = schema_builtins; b->uri != NULL; b++) {
        enum gh_err err = add(registry, b->uri, b->uri, b->json, strlen(b->json), NULL);

        if (err != GH_OK) {
            schema_registry_free(registry);
            return err == GH_ERR_NOMEM ? err : GH_ERR_INTERNAL;
        }
        registry->documents[registry->n_documents - 1]->builtin = true;
    }
    *ret_registry = registry;
    return GH_OK;
}

void schema_registry_free(struct schema_registry *registry)
{
    if (registry == NULL) return;
    for (uint32_t i = 0; i < registry->n_documents; i++)
        document_free(registry->documents[i]);
    free(registry->documents);
    free(registry);
}

enum gh_err schema_registry_add(struct schema_registry *registry, const char *uri, const char *json,
                                size_t len, struct schema_problem *problem)
{
    return add(registry, uri, uri, json, len, problem);
}

void schema_registry_remove(struct schema_registry *registry, const char *uri)
{
    for (uint32_t i = 0; i < registry->n_documents; i++)
        if (strcmp(registry->documents[i]->uri, uri) == 0) {
            document_free(registry->documents[i]);
            registry->documents[i] = registry->documents[--registry->n_documents];
            return;
        }
}

static enum gh_err read_file(const char *path, char **ret_text, size_t *ret_len,
                             struct schema_problem *problem)
{
    FILE *file = fopen(path, "rbe");
    char *text = NULL;
    size_t len = 0;
    enum gh_err err = GH_ERR_NOMEM;

    if (file == NULL) {
        schema_problem_text(problem, path, "%s", strerror(errno));
        return GH_ERR_IO;
    }
    text = malloc(FILE_MAX_BYTES + 1);
    if (text != NULL) {
        len = fread(text, 1, FILE_MAX_BYTES + 1, file);
        err = GH_OK;
        if (ferror(file)) {
            schema_problem_text(problem, path, "cannot be read: %s", strerror(errno));
            err = GH_ERR_IO;
        } else if (len > FILE_MAX_BYTES) {
            err = schema_problem_text(problem, path, "larger than 8 MiB");
        }
    }
    (void)fclose(file);
    if (err != GH_OK) {
        free(text);
        return err;
    }
    *ret_text = text;
    *ret_len = len;
    return GH_OK;
}

enum gh_err schema_registry_add_file(struct schema_registry *registry, const char *path,
                                     struct schema_problem *problem)
{
    char uri[URI_MAX_BYTES];
    char *text = NULL;
    size_t len = 0;
    enum gh_err err;

    if (snprintf(uri, sizeof(uri), "file:///%s", path) >= (int)sizeof(uri))
        return schema_problem_text(problem, path, "the file's name is too long");
    err = read_file(path, &text, &len, problem);
    if (err == GH_OK) err = add(registry, uri, path, text, len, problem);
    free(text);
    return err;
}
