/* Policy files from somebody's editor: loaded or refused with a reason, never anything else.
 * Corpus: the YAML, and behind a line "%%" a schema that it may name as s.json. */
#include "policy/policy.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *split = size > 0 ? memmem(data, size, "\n%%\n", 4) : NULL;
    size_t yaml_len = split != NULL ? (size_t)(split - (const char *)data) : size;
    struct bundle *bundle = NULL;
    struct policy *policy = NULL;
    struct report report;
    enum gh_err err;

    if (size > 65536) return 0;
    report_init(&report);
    if (bundle_new(&bundle) != GH_OK ||
        bundle_add(bundle, "p.yaml", size > 0 ? (const char *)data : "", yaml_len) != GH_OK)
        abort();
    if (split != NULL && bundle_add(bundle, "s.json", split + 4, size - yaml_len - 4) != GH_OK)
        abort();
    err = policy_load(bundle, &report, &policy);
    if (err == GH_OK && (policy == NULL || report.n_problems != 0)) abort();
    if (err == GH_ERR_CONFIG && report.n_problems == 0) abort();
    if (err != GH_OK && err != GH_ERR_CONFIG && err != GH_ERR_NOMEM) abort();
    policy_free(policy);
    report_done(&report);
    bundle_free(bundle);
    return 0;
}
