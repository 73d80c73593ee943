/* The signature rules of the bundle, and the scores at which a message is refused. */
#include "policy/policy_internal.h"
#include "signatures/signatures.h"

#include <string.h>

#define FOLDER    "signatures/"
#define SCORE_MAX 1000000

enum gh_err load_signatures(struct load *load)
{
    struct signatures_text texts[BUNDLE_FILES_MAX];
    struct signatures_problem problem = { 0 };
    size_t n = 0;
    enum gh_err err;

    for (uint32_t i = 0; i < load->bundle->n_files; i++) {
        const struct bundle_file *file = &load->bundle->files[i];
        size_t len = strlen(file->name);

        if (strncmp(file->name, FOLDER, sizeof FOLDER - 1) != 0 || len < 5 ||
            strcmp(file->name + len - 5, ".yaml") != 0)
            continue;
        texts[n++] = (struct signatures_text){ file->name, file->data, file->len };
    }
    if (n == 0) return GH_OK;
    err = signatures_load_compiled(texts, n, load->bundle->compiled, load->bundle->compiled_len,
                                   &load->policy->signatures, &problem);
    if (err != GH_ERR_CONFIG) return err;
    return report_add(load->bind.report, problem.file[0] != '\0' ? problem.file : FOLDER,
                      problem.line, "", "%s%s%s", problem.rule, problem.rule[0] != '\0' ? ": " : "",
                      problem.text);
}

enum gh_err load_threshold(struct bind *bind, const struct ynode *node, void *target)
{
    static const struct pfield fields[] = {
        { "threshold", P_U32, 0, .min = 1, .max = SCORE_MAX },
        { NULL },
    };

    if (node->kind == Y_SCALAR && strcmp(node->text, "off") == 0) {
        *(uint32_t *)target = 0;
        return GH_OK;
    }
    if (node->kind != Y_MAPPING)
        return bind_fail(bind, node, "off, or { threshold: SCORE }, was expected");
    return bind_mapping(bind, node, fields, target);
}
