/* The public JSON Schema test suite, required and optional, both drafts. */
#include "suite.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static void suite_row(void **state)
{
    const struct suite *suite = *state;
    struct suite_count count;

    if (suite_folder() == NULL) skip();
    assert_true(suite_run(suite, &count));
    printf("%s/%s: %u files, %u passed, %u failed, %u excepted\n", suite->draft, suite->folder,
           count.files, count.passed, count.failed, count.excepted);
    for (size_t i = 0; i < suite->n_exceptions; i++)
        printf("  excepted: %s: %s: %s\n", suite->exceptions[i].file,
               suite->exceptions[i].test != NULL ? suite->exceptions[i].test
                                                 : suite->exceptions[i].group,
               suite->exceptions[i].reason);
    assert_true(count.files > 0);
    assert_true(count.passed > 0);
    assert_int_equal(count.failed, 0);
}

static const struct suite_exception optional_2020_12[] = {
    { "cross-draft.json", "refs to historic drafts are processed as historic drafts", NULL,
      "refers to a draft 2019-09 document; 2020-12 and 07 are the drafts we speak" },
};

static const struct suite_exception optional_07[] = {
    { "cross-draft.json", "refs to future drafts are processed as future drafts", NULL,
      "refers to a draft 2019-09 document; 2020-12 and 07 are the drafts we speak" },
    { "content.json", NULL, "an invalid JSON document",
      "contentMediaType and contentEncoding annotate, as 2020-12 has it; they assert nothing" },
    { "content.json", NULL, "an invalid base64 string (% is not a valid character)", "as above" },
    { "content.json", NULL, "a validly-encoded invalid JSON document", "as above" },
    { "content.json", NULL, "an invalid base64 string that is valid JSON", "as above" },
};

#define WITH(list) list, sizeof(list) / sizeof(list[0])

static const struct suite suites[] = {
    { "draft2020-12", "", false, false, NULL, 0 },
    { "draft7", "", true, false, NULL, 0 },
    { "draft2020-12", "optional/", false, false, WITH(optional_2020_12) },
    { "draft7", "optional/", true, false, WITH(optional_07) },
    { "draft2020-12", "optional/format/", false, true, NULL, 0 },
    { "draft7", "optional/format/", true, true, NULL, 0 },
};

int main(void)
{
    static const char *const names[] = {
        "suite: draft 2020-12, required", "suite: draft-07, required",
        "suite: draft 2020-12, optional", "suite: draft-07, optional",
        "suite: draft 2020-12, formats",  "suite: draft-07, formats",
    };
    struct CMUnitTest tests[sizeof(suites) / sizeof(suites[0])];

    for (size_t i = 0; i < sizeof(suites) / sizeof(suites[0]); i++)
        tests[i] =
            (struct CMUnitTest){ names[i], suite_row, NULL, NULL, (void *)(uintptr_t)&suites[i] };
    return _cmocka_run_group_tests("schema suite", tests, sizeof(tests) / sizeof(tests[0]), NULL,
                                   NULL);
}
