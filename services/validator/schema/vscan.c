#include "validator/schema/vscan.h"

#include "validator/schema/vectorscan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_TEXT (256u * 1024)

struct vscan {
    hs_database_t *db;
};

/* ---- printing ---- */

struct printer {
    const struct ecma *re;
    struct vec out; /* char */
    const char *cannot;
    bool no_memory;
};

static void put(struct printer *pr, const char *text)
{
    size_t n = strlen(text);
    char *to = NULL;

    if (pr->out.n + n <= MAX_TEXT) to = vec_push_n(&pr->out, (uint32_t)n);
    if (to == NULL)
        pr->no_memory = true;
    else
        memcpy(to, text, n);
}

static void put_set(struct printer *pr, const struct ecma_node *node)
{
    if (node->n == 0) {
        pr->cannot = "an empty class";
        return;
    }
    put(pr, "[");
    for (uint32_t i = 0; i < node->n; i++) {
        const struct ecma_range *r = VEC_AT(&pr->re->ranges, struct ecma_range, node->first + i);
        char text[40];

        if (r->lo == r->hi)
            snprintf(text, sizeof(text), "\\x{%x}", r->lo);
        else
            snprintf(text, sizeof(text), "\\x{%x}-\\x{%x}", r->lo, r->hi);
        put(pr, text);
    }
    put(pr, "]");
}

static void print(struct printer *pr, uint32_t i)
{
    const struct ecma_node *node = ecma_at(pr->re, i);
    char text[40];

    switch ((enum ecma_op)node->op) {
    case ECMA_EMPTY: return;
    case ECMA_SET: put_set(pr, node); return;
    case ECMA_CAT:
        for (uint32_t c = node->first; c != ECMA_NONE; c = ecma_at(pr->re, c)->next)
            print(pr, c);
        return;
    case ECMA_ALT:
        put(pr, "(?:");
        for (uint32_t c = node->first; c != ECMA_NONE; c = ecma_at(pr->re, c)->next) {
            if (c != node->first) put(pr, "|");
            print(pr, c);
        }
        put(pr, ")");
        return;
    case ECMA_REPEAT:
        if (ecma_at(pr->re, node->first)->op == ECMA_SET) {
            print(pr, node->first);
        } else {
            put(pr, "(?:");
            print(pr, node->first);
            put(pr, ")");
        }
        if (node->max == ECMA_UNLIMITED)
            snprintf(text, sizeof(text), "{%u,}", node->min);
        else
            snprintf(text, sizeof(text), "{%u,%u}", node->min, node->max);
        put(pr, text);
        return;
    case ECMA_START: put(pr, "^"); return;
    case ECMA_END: put(pr, "\\z"); return;
    case ECMA_WORD: put(pr, "\\b"); return;
    case ECMA_NOT_WORD: put(pr, "\\B"); return;
    case ECMA_AHEAD:
    case ECMA_NOT_AHEAD: pr->cannot = "lookahead here"; return;
    case ECMA_BEHIND:
    case ECMA_NOT_BEHIND: pr->cannot = "lookbehind"; return;
    case ECMA_BACKREF: pr->cannot = "a back-reference"; return;
    }
}

enum gh_err vscan_print(const struct ecma *re, char **ret_text, char *why, size_t why_size)
{
    struct printer pr = { .re = re, .out = VEC_INIT(char) };
    char *end;

    print(&pr, re->root);
    end = vec_push(&pr.out);
    if (pr.cannot != NULL || pr.no_memory || end == NULL) {
        vec_done(&pr.out);
        if (pr.cannot != NULL)
            snprintf(why, why_size, "%s needs back-tracking", pr.cannot);
        else
            snprintf(why, why_size, "too large");
        return GH_ERR_CONFIG;
    }
    *ret_text = pr.out.data;
    return GH_OK;
}

/* ---- the database ---- */

enum gh_err vscan_new(const struct ecma *re, struct vscan **ret_vscan, const char *construct,
                      char *why, size_t why_size)
{
    struct vscan *vscan = calloc(1, sizeof(*vscan));
    hs_compile_error_t *bad = NULL;
    char *text = NULL;
    enum gh_err err;

    if (vscan == NULL) return GH_ERR_NOMEM;
    err = vectorscan_check();
    if (err == GH_ERR_UNAVAILABLE) {
        snprintf(why, why_size, "the Vectorscan library misses matches on this processor");
        err = GH_ERR_CONFIG;
    }
    if (err == GH_OK) err = vscan_print(re, &text, why, why_size);
    if (err == GH_OK &&
        vectorscan_compile(text, HS_FLAG_UTF8 | HS_FLAG_SINGLEMATCH | HS_FLAG_ALLOWEMPTY,
                           &vscan->db, &bad) != HS_SUCCESS) {
        if (construct != NULL)
            snprintf(why, why_size, "%s cannot be matched in linear time", construct);
        else
            snprintf(why, why_size, "cannot be matched in linear time: %s",
                     bad != NULL ? bad->message : "too large");
        err = GH_ERR_CONFIG;
    }
    if (bad != NULL) hs_free_compile_error(bad);
    free(text);
    if (err != GH_OK) {
        vscan_free(vscan);
        return err;
    }
    *ret_vscan = vscan;
    return GH_OK;
}

void vscan_free(struct vscan *vscan)
{
    if (vscan == NULL) return;
    hs_free_database(vscan->db);
    free(vscan);
}

enum gh_err vscan_fit(const struct vscan *vscan, struct vscan_scratch **scratch)
{
    hs_scratch_t *hs = (hs_scratch_t *)*scratch;

    if (hs_alloc_scratch(vscan->db, &hs) != HS_SUCCESS) return GH_ERR_NOMEM;
    *scratch = (struct vscan_scratch *)hs;
    return GH_OK;
}

void vscan_scratch_free(struct vscan_scratch *scratch)
{
    if (scratch != NULL) hs_free_scratch((hs_scratch_t *)scratch);
}

bool vscan_match(const struct vscan *vscan, struct vscan_scratch *scratch, const char *text,
                 size_t len)
{
    return vectorscan_matches(vscan->db, text, len, (hs_scratch_t *)scratch);
}
