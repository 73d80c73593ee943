/*
 * The JSON parsing suite (y_ must be accepted, n_ refused, i_ is ours to choose), read from
 * $GH_SHARED_DIR or ../shared beside the source tree; skipped, and said so, when it is not there.
 *
 * Two of the y_ files repeat a key. RFC 8259 only says that names SHOULD be unique; we refuse them
 * by default, so these two are accepted by the grammar and refused by the policy, and both are
 * checked.
 */
#include "common/json/parse.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Our choice for each text the RFC leaves open, by its reason. */
static const struct {
    const char *name;
    enum gh_json_err err;
} choices[] = {
    /* too large for a double: would be infinity to most readers */
    { "i_number_huge_exp", GH_JSON_NUMBER_SIZE }, /* 133 characters; out of range as well */
    { "i_number_neg_int_huge_exp", GH_JSON_NUMBER_RANGE },
    { "i_number_pos_double_huge_exp", GH_JSON_NUMBER_RANGE },
    { "i_number_real_neg_overflow", GH_JSON_NUMBER_RANGE },
    { "i_number_real_pos_overflow", GH_JSON_NUMBER_RANGE },
    /* too small for a double: 0 is near enough */
    { "i_number_double_huge_neg_exp", GH_JSON_OK },
    { "i_number_real_underflow", GH_JSON_OK },
    /* integers past 64 bits are kept as text, digit for digit */
    { "i_number_too_big_neg_int", GH_JSON_OK },
    { "i_number_too_big_pos_int", GH_JSON_OK },
    { "i_number_very_big_negative_int", GH_JSON_OK },
    /* lone surrogates have no UTF-8 */
    { "i_object_key_lone_2nd_surrogate", GH_JSON_SURROGATE },
    { "i_string_1st_surrogate_but_2nd_missing", GH_JSON_SURROGATE },
    { "i_string_1st_valid_surrogate_2nd_invalid", GH_JSON_SURROGATE },
    { "i_string_incomplete_surrogate_and_escape_valid", GH_JSON_SURROGATE },
    { "i_string_incomplete_surrogate_pair", GH_JSON_SURROGATE },
    { "i_string_incomplete_surrogates_escape_valid", GH_JSON_SURROGATE },
    { "i_string_invalid_lonely_surrogate", GH_JSON_SURROGATE },
    { "i_string_invalid_surrogate", GH_JSON_SURROGATE },
    { "i_string_inverted_surrogates_U+1D11E", GH_JSON_SURROGATE },
    { "i_string_lone_second_surrogate", GH_JSON_SURROGATE },
    /* RFC 8259 section 8.1: UTF-8 and nothing else, without a byte order mark */
    { "i_string_UTF-16LE_with_BOM", GH_JSON_UTF8 },
    { "i_string_UTF-8_invalid_sequence", GH_JSON_UTF8 },
    { "i_string_UTF8_surrogate_U+D800", GH_JSON_UTF8 },
    { "i_string_invalid_utf-8", GH_JSON_UTF8 },
    { "i_string_iso_latin_1", GH_JSON_UTF8 },
    { "i_string_lone_utf8_continuation_byte", GH_JSON_UTF8 },
    { "i_string_not_in_unicode_range", GH_JSON_UTF8 },
    { "i_string_overlong_sequence_2_bytes", GH_JSON_UTF8 },
    { "i_string_overlong_sequence_6_bytes", GH_JSON_UTF8 },
    { "i_string_overlong_sequence_6_bytes_null", GH_JSON_UTF8 },
    { "i_string_truncated-utf-8", GH_JSON_UTF8 },
    { "i_string_utf16BE_no_BOM", GH_JSON_UTF8 },
    { "i_string_utf16LE_no_BOM", GH_JSON_UTF8 },
    { "i_structure_UTF-8_BOM_empty_object", GH_JSON_BOM },
    /* our cap is 32 levels */
    { "i_structure_500_nested_arrays", GH_JSON_TOO_DEEP },
};

#define CHOICES   (sizeof choices / sizeof *choices)
#define MAX_FILES 512

static char folder[1024];
static struct gh_tape tape;
static const struct gh_json_impl *const *impls;
static size_t n_impls;

static char *read_text(const char *name, size_t *ret_len)
{
    static char text[1 << 20];
    char path[2048];
    FILE *f;

    snprintf(path, sizeof path, "%s/%s", folder, name);
    f = fopen(path, "rb");
    assert_non_null(f);
    *ret_len = fread(text, 1, sizeof text, f);
    assert_true(feof(f));
    fclose(f);
    return text;
}

static void file_has_its_verdict(void **state)
{
    const char *name = *state;
    struct gh_json_limits limits = gh_json_limits_default;
    size_t len;
    const char *text = read_text(name, &len);

    for (size_t i = 0; i < n_impls; i++) {
        tape.impl = impls[i];
        if (name[0] == 'y') {
            bool repeats = strncmp(name, "y_object_duplicated_key", 23) == 0;

            limits.allow_duplicates = repeats;
            assert_string_equal(gh_json_err_text(gh_tape_parse(&tape, text, len, &limits)), "ok");
            if (repeats) assert_int_equal(gh_tape_parse(&tape, text, len, NULL), GH_JSON_DUPLICATE);
        } else if (name[0] == 'n') { /* by the grammar, not by a cap */
            enum gh_json_err err = gh_tape_parse(&tape, text, len, &gh_json_limits_trusted);

            assert_true(err != GH_JSON_OK);
            assert_true(err < GH_JSON_DUPLICATE || err == GH_JSON_TOO_DEEP);
            assert_true(gh_tape_parse(&tape, text, len, NULL) != GH_JSON_OK);
        } else {
            size_t c = 0;

            while (c < CHOICES && (strncmp(choices[c].name, name, strlen(choices[c].name)) != 0 ||
                                   strcmp(name + strlen(choices[c].name), ".json") != 0))
                c++;
            assert_true(c < CHOICES); /* every one of them has its choice */
            assert_string_equal(gh_json_err_text(gh_tape_parse(&tape, text, len, NULL)),
                                gh_json_err_text(choices[c].err));
        }
    }
}

static unsigned seen[128];

static void suite_is_whole(void **state)
{
    (void)state;
    assert_int_equal(seen['y'], 95);
    assert_int_equal(seen['n'], 188);
    assert_int_equal(seen['i'], CHOICES);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

int main(void)
{
    static struct CMUnitTest tests[MAX_FILES + 1];
    static char *names[MAX_FILES];
    const char *shared = getenv("GH_SHARED_DIR");
    size_t n = 0;

    if (shared != NULL)
        snprintf(folder, sizeof folder, "%s/json-parsing/test_parsing", shared);
    else
        snprintf(folder, sizeof folder, "%s/../shared/data/json-parsing/test_parsing",
                 GH_SOURCE_DIR);

    DIR *dir = opendir(folder);

    if (dir == NULL && shared != NULL) { /* the folder itself, or the one above its data/ */
        snprintf(folder, sizeof folder, "%s/data/json-parsing/test_parsing", shared);
        dir = opendir(folder);
    }
    if (dir == NULL) {
        printf("SKIPPED: no JSON parsing suite at %s (set GH_SHARED_DIR)\n", folder);
        return 77;
    }
    for (struct dirent *e; (e = readdir(dir)) != NULL && n < MAX_FILES;)
        if (strchr("yni", e->d_name[0]) != NULL && e->d_name[1] == '_') {
            seen[(unsigned char)e->d_name[0]]++;
            names[n++] = strdup(e->d_name);
        }
    closedir(dir);
    qsort(names, n, sizeof *names, by_name);

    for (size_t i = 0; i < n; i++)
        tests[i] = (struct CMUnitTest){ names[i], file_has_its_verdict, NULL, NULL, names[i] };
    tests[n] =
        (struct CMUnitTest){ "json suite: all of it is there", suite_is_whole, NULL, NULL, NULL };
    impls = gh_json_impls(&n_impls);
    gh_tape_init(&tape);

    int failed = _cmocka_run_group_tests("json suite", tests, n + 1, NULL, NULL);

    gh_tape_done(&tape);
    for (size_t i = 0; i < n; i++)
        free(names[i]);
    return failed;
}
