/* Soundness: on every example of every shipped rule, whatever an expression matches the prefilter
 * had let through. */
#include "validator/schema/vectorscan.h"
#include "validator/signatures/prefilter.h"
#include "validator/signatures/rules.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char *const files[] = { "sqli",      "command", "xss",   "template", "lookup",
                                     "traversal", "ssrf",    "query", "xml",      "object" };

static void load(struct rules *rules)
{
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        struct signatures_problem problem = { 0 };
        char path[1024];
        char *text = malloc(RULES_FILE_MAX_BYTES);
        FILE *file;
        size_t len;

        assert_non_null(text);
        snprintf(path, sizeof(path), "%s/deploy/signatures/%s.yaml", GH_SOURCE_DIR, files[i]);
        file = fopen(path, "re");
        assert_non_null(file);
        len = fread(text, 1, RULES_FILE_MAX_BYTES, file);
        (void)fclose(file);
        assert_int_equal(rules_add(rules, path, text, len, &problem), GH_OK);
        free(text);
    }
}

static void never_leaves_out_a_match(void **state)
{
    struct rules rules = { 0 };
    struct required *required;
    struct prefilter *prefilter = NULL;
    hs_scratch_t *scratch = NULL;
    unsigned long matches = 0, tried = 0;
    char why[128];

    (void)state;
    load(&rules);
    required = calloc(rules.n, sizeof(*required));
    assert_non_null(required);
    for (uint32_t i = 0; i < rules.n; i++)
        assert_int_equal(required_find(rules.list[i].pattern, &required[i], why, sizeof(why)),
                         GH_OK);
    assert_int_equal(prefilter_new(required, rules.n, &prefilter), GH_OK);
    for (uint32_t i = 0; i < rules.n; i++) {
        unsigned flags = HS_FLAG_SINGLEMATCH | HS_FLAG_DOTALL |
                         (rules.list[i].case_sensitive ? 0 : HS_FLAG_CASELESS);
        hs_compile_error_t *bad = NULL;
        hs_database_t *db = NULL;

        assert_int_equal(vectorscan_compile(rules.list[i].pattern, flags, &db, &bad), HS_SUCCESS);
        assert_int_equal(hs_alloc_scratch(db, &scratch), HS_SUCCESS);
        for (uint32_t e = 0; e < rules.n_examples; e++) {
            const struct rule_example *example = &rules.examples[e];
            uint64_t set[SIGNATURES_MAX_RULES / 64] = { 0 };
            bool hit = vectorscan_matches(db, example->text, example->len, scratch);

            prefilter_run(prefilter, example->text, example->len, set);
            tried += set[i / 64] >> i % 64 & 1;
            if (!hit) continue;
            matches++;
            if ((set[i / 64] >> i % 64 & 1) == 0)
                fail_msg("%s is left out on: %s", rules.list[i].id, example->text);
        }
        hs_free_database(db);
    }
    printf("%u rules on %u texts: %lu matches, %lu tried of %lu\n", rules.n, rules.n_examples,
           matches, tried, (unsigned long)rules.n * rules.n_examples);
    assert_true(matches > 300);
    hs_free_scratch(scratch);
    prefilter_free(prefilter);
    free(required);
    rules_done(&rules);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(never_leaves_out_a_match) };

    return cmocka_run_group_tests_name("prefilter", tests, NULL, NULL);
}
