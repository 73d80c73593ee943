/*
 * The quick way and the plain way give the same result, hit by hit: on every example of every
 * shipped rule, on ordinary talk, and on texts made of pieces of both, cut, encoded and mixed with
 * anything. The plain way tries every rule on every text and looks at one byte at a time.
 */
#include "validator/signatures/prefilter.h"
#include "validator/signatures/rules.h"

#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define RULES     GH_SOURCE_DIR "/deploy/signatures"
#define TALK      GH_SOURCE_DIR "/services/validator/signatures/tests/data/*.txt"
#define MIXTURES  4000
#define TEXT_MAX  4096
#define LINES_MAX 20000

static struct signatures *signatures;
static struct signatures_scratch *quick, *plain;
static struct rules rules; /* for the examples, which `signatures` has dropped */
static struct prefilter *prefilter;
static char *lines[LINES_MAX];
static size_t n_lines;
static unsigned long compared, hits;

static char *slurp(const char *path, size_t *ret_len)
{
    FILE *file = fopen(path, "re");
    char *text = malloc(RULES_FILE_MAX_BYTES);

    assert_non_null(file);
    assert_non_null(text);
    *ret_len = fread(text, 1, RULES_FILE_MAX_BYTES - 1, file);
    text[*ret_len] = '\0';
    (void)fclose(file);
    return text;
}

static void load_examples(void)
{
    struct required *required;
    char why[128];
    glob_t found;

    assert_int_equal(glob(RULES "/*.yaml", 0, NULL, &found), 0);
    for (size_t i = 0; i < found.gl_pathc; i++) {
        struct signatures_problem problem = { 0 };
        size_t len;
        char *text = slurp(found.gl_pathv[i], &len);

        assert_int_equal(rules_add(&rules, found.gl_pathv[i], text, len, &problem), GH_OK);
        free(text);
    }
    globfree(&found);
    required = calloc(rules.n, sizeof(*required));
    assert_non_null(required);
    for (uint32_t i = 0; i < rules.n; i++)
        assert_int_equal(required_find(rules.list[i].pattern, &required[i], why, sizeof(why)),
                         GH_OK);
    assert_int_equal(prefilter_new(required, rules.n, &prefilter), GH_OK);
    free(required);
}

static void load_talk(void)
{
    glob_t found;

    assert_int_equal(glob(TALK, 0, NULL, &found), 0);
    for (size_t i = 0; i < found.gl_pathc; i++) {
        size_t len;
        char *text = slurp(found.gl_pathv[i], &len), *rest = NULL;

        for (char *line = strtok_r(text, "\n", &rest); line != NULL && n_lines < LINES_MAX;
             line = strtok_r(NULL, "\n", &rest))
            lines[n_lines++] = strdup(line);
        free(text);
    }
    globfree(&found);
}

static int setup(void **state)
{
    (void)state;
    if (signatures_load(RULES, false, &signatures, NULL) != GH_OK ||
        signatures_scratch_new(signatures, TEXT_MAX, &quick) != GH_OK ||
        signatures_scratch_new(signatures, TEXT_MAX, &plain) != GH_OK)
        return -1;
    load_examples();
    load_talk();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    printf("%lu texts compared, %lu hits\n", compared, hits);
    for (size_t i = 0; i < n_lines; i++)
        free(lines[i]);
    prefilter_free(prefilter);
    rules_done(&rules);
    signatures_scratch_free(quick);
    signatures_scratch_free(plain);
    signatures_free(signatures);
    return 0;
}

/* Quick: in memory of its very length, so that a byte read past it is seen by a sanitizer. Plain:
 * at another place of a cache line each time, since a library may look at that (vectorscan.h). */
static void compare(const char *text, size_t len, enum signatures_field field)
{
    static uint64_t by_two_ways[2][SIGNATURES_MAX_RULES / 64];
    const struct signatures_result *a, *b;
    char *own = malloc(len + 1);
    static char area[TEXT_MAX + 128];
    char *elsewhere = area + compared * 7 % 64;

    assert_non_null(own);
    assert_true(len <= TEXT_MAX);
    memcpy(elsewhere, text, len);
    memcpy(own + 1, text, len); /* and at an odd place */
    signatures_begin(quick);
    signatures_begin(plain);
    signatures_scan(signatures, quick, field, own + 1, len, 3);
    signatures_scan_plain(signatures, plain, field, elsewhere, len, 3);
    a = signatures_result(quick);
    b = signatures_result(plain);
    if (a->n_hits != b->n_hits || a->score != b->score || a->top != b->top ||
        a->truncated != b->truncated || memcmp(a->hits, b->hits, a->n_hits * sizeof(*a->hits)) != 0)
        fail_msg("quick: %u hits, score %u; plain: %u hits, score %u; on: %.*s", a->n_hits,
                 a->score, b->n_hits, b->score, (int)len, text);
    memset(by_two_ways, 0, sizeof(by_two_ways));
    prefilter_run(prefilter, own + 1, len, by_two_ways[0]);
    prefilter_run_plain(prefilter, own + 1, len, by_two_ways[1]);
    if (memcmp(by_two_ways[0], by_two_ways[1], sizeof(by_two_ways[0])) != 0)
        fail_msg("the prefilter's two ways differ on: %.*s", (int)len, text);
    compared++;
    hits += b->n_hits;
    free(own);
}

static void on_examples(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < rules.n_examples; i++)
        for (unsigned field = SIGNATURES_TEXT; field <= SIGNATURES_URL; field *= 2)
            compare(rules.examples[i].text, rules.examples[i].len, (enum signatures_field)field);
}

static void on_talk(void **state)
{
    (void)state;
    assert_true(n_lines > 900);
    for (size_t i = 0; i < n_lines; i++)
        compare(lines[i], strlen(lines[i]), SIGNATURES_TEXT);
}

static uint32_t seed = 1;

static uint32_t any(uint32_t below)
{
    seed ^= seed << 13;
    seed ^= seed >> 17;
    seed ^= seed << 5;
    return seed % below;
}

static void source(const char **ret_text, size_t *ret_len)
{
    if (any(3) == 0) {
        *ret_text = lines[any((uint32_t)n_lines)];
        *ret_len = strlen(*ret_text);
    } else {
        const struct rule_example *e = &rules.examples[any(rules.n_examples)];

        *ret_text = e->text;
        *ret_len = e->len;
    }
}

/* One byte, as it is or spelled in one of the ways normalising undoes. */
static size_t put(char *dst, char c, unsigned spelling)
{
    unsigned char byte = (unsigned char)c;

    switch (spelling) {
    case 0: return (size_t)sprintf(dst, "%%%02x", byte);
    case 1: return (size_t)sprintf(dst, "&#%u;", byte);
    case 2: return (size_t)sprintf(dst, "\\u%04X", byte);
    case 3: return (size_t)sprintf(dst, "%%25%02X", byte);
    case 4: dst[0] = (char)(byte >= 'a' && byte <= 'z' ? byte & 0xDF : byte); return 1;
    case 5: return (size_t)sprintf(dst, "%s", byte == ' ' ? "/**/" : "\t");
    default: dst[0] = c; return 1;
    }
}

static size_t mixture(char *dst, size_t size)
{
    unsigned pieces = 1 + any(5);
    size_t n = 0;

    for (unsigned p = 0; p < pieces; p++) {
        unsigned spelling = any(12);
        const char *text;
        size_t len, from, to;

        source(&text, &len);
        from = any(3) == 0 ? any((uint32_t)len + 1) : 0;
        to = any(3) == 0 ? from + any((uint32_t)(len - from) + 1) : len;
        for (size_t i = from; i < to && n + 16 < size; i++)
            n += put(dst + n, text[i], any(4) == 0 ? any(40) : spelling);
        for (unsigned junk = any(6); junk > 0 && n < size; junk--)
            dst[n++] = (char)(any(3) == 0 ? any(256) : any(95) + 32);
    }
    return n;
}

static void on_mixtures(void **state)
{
    static char text[TEXT_MAX];
    const char *rounds = getenv("GH_AGREEMENT_ROUNDS");
    unsigned long n = rounds != NULL ? strtoul(rounds, NULL, 10) : MIXTURES;

    (void)state;
    for (unsigned long i = 0; i < n; i++) {
        size_t len = mixture(text, any(8) == 0 ? sizeof(text) : 64 + any(200));

        compare(text, len, (enum signatures_field)(1u << any(4)));
    }
    assert_true(hits > 1000);
}

/* A window at every place of a block of 32, and at both ends of the text. */
static void at_every_place(void **state)
{
    static const char *const attacks[] = { "${jndi:ldap://x/a}",
                                           "<script>alert(1)</script>",
                                           "union all select 1,2",
                                           "$ne",
                                           "..%2f..%2f",
                                           "' or 1=1--",
                                           "__proto__",
                                           "\xac\xed\x01sr" };
    char text[200];

    (void)state;
    for (size_t a = 0; a < sizeof(attacks) / sizeof(attacks[0]); a++)
        for (size_t before = 0; before < 70; before++)
            for (size_t after = 0; after < 70; after += before % 7 + 5) {
                size_t n = strlen(attacks[a]);

                memset(text, 'x', sizeof(text));
                if (before > 0) text[before - 1] = ' ';
                text[before + n] = ' ';
                memcpy(text + before, attacks[a], n);
                compare(text, before + n + after, SIGNATURES_TEXT);
            }
}

/* All bytes, alone and beside each other: the classes are exact. */
static void on_every_pair(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 65536; i += i < 256 ? 1 : 7) {
        char text[2] = { (char)(i & 0xFF), (char)(i >> 8) };
        uint64_t two[2][SIGNATURES_MAX_RULES / 64] = { 0 };

        prefilter_run(prefilter, text, i < 256 ? 1 : 2, two[0]);
        prefilter_run_plain(prefilter, text, i < 256 ? 1 : 2, two[1]);
        assert_memory_equal(two[0], two[1], sizeof(two[0]));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(on_examples),   cmocka_unit_test(on_talk),
        cmocka_unit_test(on_mixtures),   cmocka_unit_test(at_every_place),
        cmocka_unit_test(on_every_pair),
    };

    return cmocka_run_group_tests_name("agreement", tests, setup, teardown);
}
