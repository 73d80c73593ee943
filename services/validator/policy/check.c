#include "policy/check.h"

#include "common/log.h"
#include "policy/cache.h"

static enum gh_err find_compiled(const struct policy_compiled *from, struct bundle *bundle)
{
    struct gh_buf bytes;
    enum gh_err err = GH_OK;

    if (from->before != NULL && from->before->compiled != NULL)
        return bundle_set_compiled(bundle, from->before->compiled, from->before->compiled_len);
    if (from->cache == NULL) return GH_OK;
    gh_buf_init(&bytes, 0);
    if (cache_read(from->cache, &bytes)) err = bundle_set_compiled(bundle, bytes.data, bytes.len);
    gh_buf_done(&bytes);
    return err;
}

/* For the workers, and for the next start. */
static enum gh_err keep_compiled(const struct policy *policy, const struct policy_compiled *from,
                                 struct bundle *bundle)
{
    const struct signatures *signatures = policy_signatures(policy);
    struct gh_buf bytes;
    enum gh_err err;

    if (signatures == NULL) return GH_OK;
    if (from->cache != NULL && signatures_compiled(signatures) > 0 &&
        cache_write(from->cache, signatures) != GH_OK)
        gh_log(GH_LOG_WARN, "signature_cache_not_written",
               "file=\"%s\" action=\"the next start compiles them again\"", from->cache);
    gh_buf_init(&bytes, 0);
    err = signatures_export(signatures, NULL, 0, 0, &bytes);
    if (err == GH_OK) err = bundle_set_compiled(bundle, bytes.data, bytes.len);
    gh_buf_done(&bytes);
    return err == GH_ERR_LIMIT ? GH_OK : err; /* too much of it: each worker compiles */
}

enum gh_err policy_check(const char *dir, const struct policy_compiled *from, struct report *report,
                         struct bundle **ret_bundle, struct policy **ret_policy)
{
    static const struct policy_compiled nowhere;
    struct bundle *bundle = NULL;
    struct policy *policy = NULL;
    enum gh_err err = bundle_new(&bundle);

    if (from == NULL) from = &nowhere;
    if (err == GH_OK) err = bundle_add_dir(bundle, dir, "", report);
    if (err == GH_OK) err = find_compiled(from, bundle);
    if (err == GH_OK) err = policy_load(bundle, report, &policy);
    if (err == GH_OK && (ret_bundle != NULL || from->cache != NULL))
        err = keep_compiled(policy, from, bundle);
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
