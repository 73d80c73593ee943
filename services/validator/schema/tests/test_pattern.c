/* ECMA-262 patterns: what they match, which engine takes them, what is refused and how. */
#include "validator/schema/ecma.h"
#include "validator/schema/pattern.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unictype.h>

#include <cmocka.h>

static const struct row {
    const char *pattern;
    const char *yes[3], *no[3];
    const char *engine; /* NULL: automaton */
} rows[] = {
    { "^[a-z]{2,4}$", { "ab", "abcd" }, { "a", "abcde", "ab\n" } },
    { "a+", { "xay", "a" }, { "", "b" } },
    { "", { "", "x" }, { NULL } },
    { "^$", { "" }, { "x", "\n" } },
    { "\\d", { "7" }, { "\xE0\xA7\xAD" } },
    { "^\\w+$", { "a_9" }, { "\xC3\xA9" } },
    { "^\\s$", { "\xC2\xA0", "\xEF\xBB\xBF", "\t" }, { "x" } },
    { "^.$", { "x", "\xF0\x9F\x98\x80" }, { "\n", "\xE2\x80\xA8" } },
    { "^\\cC$", { "\x03" }, { "C" } },
    { "^\\u{1F600}\\x41\\u0042$",
      { "\xF0\x9F\x98\x80"
        "AB" },
      { "AB" } },
    { "^\\uD83D\\uDE00$", { "\xF0\x9F\x98\x80" }, { "x" } },
    { "^\\p{Lu}\\P{Lu}$",
      { "\xC3\x89"
        "a" },
      { "ab" } },
    { "^\\p{Script=Greek}+$", { "\xCE\xB1\xCE\xB2" }, { "ab" } },
    { "^[^]$", { "\n" }, { "" } },
    { "[]", { NULL }, { "", "a" } },
    { "^(?!\\.)(?!.*\\.\\.)[a-z.]+@x$", { "a.b@x" }, { ".a@x", "a..b@x", "@x" } },
    { "^P(?!$)(\\d+Y)?(T(?=\\d)(\\d+H)?)?$", { "P1Y", "PT2H" }, { "P", "PT", "P1YT" } },
    { "(?=.*\\d)(?=.*[a-z])^.{4,}$", { "abc1" }, { "abcd", "1234", "a1" } },
    { "^(a|b)*abb$", { "abb", "babaabb" }, { "ab", "abba" } },
    { "foo|^bar$", { "xfoox", "bar" }, { "xbar" } },
    { "\\bcat\\b", { "a cat", "cat." }, { "concat", "cats" }, "vectorscan" },
    { "(a|b)*a(a|b){14}$", { "aaaaaaaaaaaaaaa" }, { "baaaaaaaaaaaaaa" }, "vectorscan" },
};

static void row_matches(void **state)
{
    const struct row *row = *state;
    struct pattern_scratch *scratch = NULL;
    struct pattern *pattern = NULL;
    char why[128] = "";

    if (pattern_new(row->pattern, strlen(row->pattern), &pattern, why, sizeof(why)) != GH_OK)
        fail_msg("%s", why);
    assert_int_equal(pattern_fit(pattern, &scratch), GH_OK);
    assert_string_equal(pattern_engine(pattern), row->engine != NULL ? row->engine : "automaton");
    for (size_t i = 0; i < 3; i++) {
        if (row->yes[i] != NULL &&
            !pattern_match(pattern, scratch, row->yes[i], strlen(row->yes[i])))
            fail_msg("does not match \"%s\"", row->yes[i]);
        if (row->no[i] != NULL && pattern_match(pattern, scratch, row->no[i], strlen(row->no[i])))
            fail_msg("matches \"%s\"", row->no[i]);
    }
    pattern_scratch_free(scratch);
    pattern_free(pattern);
}

static void refuses(void **state)
{
    static const char *const bad[][2] = {
        { "(a)\\1", "back-reference" }, { "(?<n>a)\\k<n>", "back-reference" },
        { "(?<=a)b", "lookbehind" },    { "(?:a(?=b))*c", "lookahead" },
        { "(abc]", "( without )" },     { "abc)", ") without (" },
        { "[a", "[ without ]" },        { "a{3,2}", "out of order" },
        { "[z-a]", "out of order" },    { "*a", "nothing to repeat" },
        { "\\a", "no escape" },         { "\\p{Foo}", "unknown Unicode property" },
        { "(?i)a", "unknown kind" },    { "\\", "nothing after" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct pattern *pattern = NULL;
        char why[160] = "";

        assert_int_equal(pattern_new(bad[i][0], strlen(bad[i][0]), &pattern, why, sizeof(why)),
                         GH_ERR_CONFIG);
        if (strstr(why, bad[i][1]) == NULL) fail_msg("%s: \"%s\"", bad[i][0], why);
    }
}

/* What takes back-tracking engines minutes. */
static void is_linear(void **state)
{
    size_t len = 1u << 20;
    char *text = malloc(len);
    struct pattern_scratch *scratch = NULL;
    struct pattern *pattern = NULL;
    char why[128];

    (void)state;
    assert_non_null(text);
    memset(text, 'a', len);
    assert_int_equal(pattern_new("^(a+)+$", 7, &pattern, why, sizeof(why)), GH_OK);
    assert_int_equal(pattern_fit(pattern, &scratch), GH_OK);
    assert_true(pattern_match(pattern, scratch, text, len));
    text[len - 1] = '!';
    assert_false(pattern_match(pattern, scratch, text, len));
    pattern_scratch_free(scratch);
    pattern_free(pattern);
    free(text);
}

/* Every code point's category is what libunistring says, also where the loop leaps. */
static void knows_every_code_point(void **state)
{
    static const char *const names[] = { "L", "Nd", "Cn", "Co", "Cs", "So" };
    unsigned wrong = 0;

    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        uc_general_category_t category = uc_general_category_byname(names[i]);
        struct vec set = VEC_INIT(struct ecma_range);
        uint32_t at = 0;

        assert_int_equal(ecma_set_add_property(&set, names[i], strlen(names[i]), false), GH_OK);
        for (uint32_t c = 0; c <= 0x10FFFF; c++) {
            bool in;

            while (at < set.n && VEC_AT(&set, struct ecma_range, at)->hi < c)
                at++;
            in = at < set.n && VEC_AT(&set, struct ecma_range, at)->lo <= c;
            if (c >= 0xD800 && c <= 0xDFFF) continue; /* no characters: may be dropped */
            wrong += in != uc_is_general_category(c, category);
        }
        vec_done(&set);
    }
    assert_int_equal(wrong, 0);
}

int main(void)
{
    enum { N = sizeof(rows) / sizeof(rows[0]) };
    struct CMUnitTest tests[N + 3];

    for (size_t i = 0; i < N; i++)
        tests[i] = (struct CMUnitTest){ rows[i].pattern, row_matches, NULL, NULL,
                                        (void *)(uintptr_t)&rows[i] };
    tests[N] = (struct CMUnitTest)cmocka_unit_test(refuses);
    tests[N + 1] = (struct CMUnitTest)cmocka_unit_test(is_linear);
    tests[N + 2] = (struct CMUnitTest)cmocka_unit_test(knows_every_code_point);
    return _cmocka_run_group_tests("patterns", tests, N + 3, NULL, NULL);
}
