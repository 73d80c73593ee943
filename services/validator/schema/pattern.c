#include "validator/schema/pattern.h"

#include "validator/schema/dfa.h"
#include "validator/schema/vscan.h"

#include <stdio.h>
#include <stdlib.h>

struct pattern { /* one of the two */
    struct dfa *dfa;
    struct vscan *vscan;
};

struct pattern_scratch {
    struct vscan_scratch *vscan;
};

enum gh_err pattern_new(const char *text, size_t len, struct pattern **ret_pattern, char *why,
                        size_t why_size)
{
    struct pattern *pattern = calloc(1, sizeof(*pattern));
    const char *construct = NULL;
    struct ecma re;
    enum gh_err err;

    if (pattern == NULL) return GH_ERR_NOMEM;
    err = ecma_parse(text, len, &re, why, why_size);
    if (err == GH_OK) {
        err = dfa_new(&re, &pattern->dfa, &construct);
        /* Vectorscan does \b and what is too large for us, but no lookaround. */
        if (err == GH_ERR_LIMIT || err == GH_ERR_NOT_FOUND)
            err = vscan_new(&re, &pattern->vscan, construct, why, why_size);
        ecma_done(&re);
    }
    if (err != GH_OK) {
        pattern_free(pattern);
        return err;
    }
    *ret_pattern = pattern;
    return GH_OK;
}

void pattern_free(struct pattern *pattern)
{
    if (pattern == NULL) return;
    dfa_free(pattern->dfa);
    vscan_free(pattern->vscan);
    free(pattern);
}

enum gh_err pattern_fit(const struct pattern *pattern, struct pattern_scratch **scratch)
{
    if (*scratch == NULL) {
        *scratch = calloc(1, sizeof(**scratch));
        if (*scratch == NULL) return GH_ERR_NOMEM;
    }
    return pattern->vscan == NULL ? GH_OK : vscan_fit(pattern->vscan, &(*scratch)->vscan);
}

void pattern_scratch_free(struct pattern_scratch *scratch)
{
    if (scratch == NULL) return;
    vscan_scratch_free(scratch->vscan);
    free(scratch);
}

bool pattern_match(const struct pattern *pattern, struct pattern_scratch *scratch, const char *text,
                   size_t len)
{
    if (pattern->dfa != NULL) return dfa_match(pattern->dfa, text, len);
    return vscan_match(pattern->vscan, scratch->vscan, text, len);
}

bool pattern_is_well_formed(const char *text, size_t len)
{
    struct ecma re;
    char why[8];

    if (len > PATTERN_MAX_BYTES || ecma_parse(text, len, &re, why, sizeof(why)) != GH_OK)
        return false;
    ecma_done(&re);
    return true;
}

const char *pattern_engine(const struct pattern *pattern)
{
    return pattern->dfa != NULL ? "automaton" : "vectorscan";
}
