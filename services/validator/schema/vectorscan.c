#include "validator/schema/vectorscan.h"

#include <stdalign.h>
#include <stdint.h>
#include <string.h>

#if defined(__x86_64__)
/* In the static archive of a library that holds code for several processors; else not there. */
extern hs_error_t avx2_hs_scan(const hs_database_t *db, const char *data, unsigned length,
                               unsigned flags, hs_scratch_t *scratch, match_event_handler on_event,
                               void *context) __attribute__((weak));

static bool use_avx2(void)
{
    return avx2_hs_scan != NULL && __builtin_cpu_supports("avx2");
}
#endif

static int on_match(unsigned id, unsigned long long from, unsigned long long to, unsigned flags,
                    void *ctx)
{
    (void)id;
    (void)from;
    (void)to;
    (void)flags;
    *(bool *)ctx = true;
    return 1; /* one is enough */
}

hs_error_t vectorscan_compile(const char *pattern, unsigned flags, hs_database_t **ret_db,
                              hs_compile_error_t **ret_error)
{
    hs_platform_info_t platform = { 0 };
    hs_error_t rc = hs_populate_platform(&platform);

    if (rc != HS_SUCCESS) return rc;
    platform.cpu_features &= HS_CPU_FEATURES_AVX2;
    return hs_compile(pattern, flags, HS_MODE_BLOCK, &platform, ret_db, ret_error);
}

bool vectorscan_matches(const hs_database_t *db, const char *text, size_t len,
                        hs_scratch_t *scratch)
{
    bool found = false;
    hs_error_t rc;

#if defined(__x86_64__)
    if (use_avx2())
        rc = avx2_hs_scan(db, text, (unsigned)len, 0, scratch, on_match, &found);
    else
#endif
        rc = hs_scan(db, text, (unsigned)len, 0, scratch, on_match, &found);
    return found || (rc != HS_SUCCESS && rc != HS_SCAN_TERMINATED);
}

static enum gh_err scan_everywhere(void)
{
    static const char pattern[] =
        "/(?:\\?{1,3}n|b\\?n|bi\\?)/(?:c\\?t|\\?at|ca\\?|\\?{2,4}|n\\?)(?:\\s|$)";
    static const char text[] =
        "%{#a=1}<je[lause\" or \"where, clgvv$ ( - ) sorry tableyk and so on, "
        "some more |/???n/c?t /et /hostslsi(o]";
    alignas(64) char area[64 + sizeof text];
    hs_compile_error_t *bad = NULL;
    hs_database_t *db = NULL;
    hs_scratch_t *scratch = NULL;
    enum gh_err err = GH_OK;

    if (vectorscan_compile(pattern, HS_FLAG_DOTALL | HS_FLAG_CASELESS, &db, &bad) != HS_SUCCESS ||
        hs_alloc_scratch(db, &scratch) != HS_SUCCESS)
        err = GH_ERR_NOMEM;
    for (size_t at = 0; at < 64 && err == GH_OK; at++) {
        memcpy(area + at, text, sizeof text - 1);
        if (!vectorscan_matches(db, area + at, sizeof text - 1, scratch)) err = GH_ERR_UNAVAILABLE;
    }
    if (bad != NULL) hs_free_compile_error(bad);
    hs_free_scratch(scratch);
    hs_free_database(db);
    return err;
}

enum gh_err vectorscan_check(void)
{
    static bool good; /* the library and the processor stay what they are */
    enum gh_err err = good ? GH_OK : scan_everywhere();

    good = err == GH_OK;
    return err;
}
