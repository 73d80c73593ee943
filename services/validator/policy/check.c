#include "policy/check.h"

enum gh_err policy_check(const char *dir, struct report *report, struct bundle **ret_bundle,
                         struct policy **ret_policy)
{
    struct bundle *bundle = NULL;
    struct policy *policy = NULL;
    enum gh_err err = bundle_new(&bundle);

    if (err == GH_OK) err = bundle_add_dir(bundle, dir, "", report);
    if (err == GH_OK) err = policy_load(bundle, report, &policy);
    if (err == GH_OK && ret_policy != NULL) {
        *ret_policy = policy;
        policy = NULL;
    }
    if (err == GH_OK && ret_bundle != NULL) {
        *ret_bundle = bundle;
        bundle = NULL;
    }
    policy_free(policy);
    bundle_free(bundle);
    return err;
}
