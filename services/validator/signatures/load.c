/* Rule files from disk. */
#include "validator/signatures/rules.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define MAX_FILES 256

struct files {
    struct signatures_text list[MAX_FILES];
    char *names[MAX_FILES];
    char *texts[MAX_FILES];
    size_t n;
};

static enum gh_err add_file(struct files *files, const char *path,
                            struct signatures_problem *problem)
{
    FILE *file = fopen(path, "rbe");
    char *text = malloc(RULES_FILE_MAX_BYTES + 2);
    char *name = strdup(path);
    enum gh_err err = text == NULL || name == NULL ? GH_ERR_NOMEM : GH_OK;
    size_t len = 0;

    if (err == GH_OK && (file == NULL || files->n == MAX_FILES)) {
        rules_problem(problem, path, 0, NULL, "%s",
                      file == NULL ? strerror(errno) : "too many rule files");
        err = GH_ERR_IO;
    }
    if (err == GH_OK) {
        len = fread(text, 1, RULES_FILE_MAX_BYTES + 1, file);
        if (ferror(file)) {
            rules_problem(problem, path, 0, NULL, "cannot be read: %s", strerror(errno));
            err = GH_ERR_IO;
        }
    }
    if (file != NULL) (void)fclose(file);
    if (err != GH_OK) {
        free(text);
        free(name);
        return err;
    }
    files->names[files->n] = name;
    files->texts[files->n] = text;
    files->list[files->n++] = (struct signatures_text){ name, text, len };
    return GH_OK;
}

static int is_yaml(const struct dirent *entry)
{
    size_t n = strlen(entry->d_name);

    return entry->d_name[0] != '.' && n > 5 && strcmp(entry->d_name + n - 5, ".yaml") == 0;
}

static enum gh_err add_folder(struct files *files, const char *path,
                              struct signatures_problem *problem)
{
    struct dirent **entries = NULL;
    enum gh_err err = GH_OK;
    int n = scandir(path, &entries, is_yaml, alphasort);

    if (n < 0) {
        rules_problem(problem, path, 0, NULL, "%s", strerror(errno));
        return GH_ERR_IO;
    }
    for (int i = 0; i < n; i++) {
        char full[4096];

        if (err == GH_OK) {
            if (snprintf(full, sizeof(full), "%s/%s", path, entries[i]->d_name) >=
                (int)sizeof(full))
                err = GH_ERR_LIMIT;
            else
                err = add_file(files, full, problem);
        }
        free(entries[i]);
    }
    free(entries);
    return err;
}

enum gh_err signatures_load(const char *path, bool check_examples,
                            struct signatures **ret_signatures, struct signatures_problem *problem)
{
    struct files *files = calloc(1, sizeof(*files));
    struct stat st;
    enum gh_err err;

    if (files == NULL) return GH_ERR_NOMEM;
    if (stat(path, &st) != 0) {
        rules_problem(problem, path, 0, NULL, "%s", strerror(errno));
        err = GH_ERR_IO;
    } else {
        err =
            S_ISDIR(st.st_mode) ? add_folder(files, path, problem) : add_file(files, path, problem);
    }
    if (err == GH_OK)
        err = signatures_load_texts(files->list, files->n, check_examples, ret_signatures, problem);
    for (size_t i = 0; i < files->n; i++) {
        free(files->names[i]);
        free(files->texts[i]);
    }
    free(files);
    return err;
}
