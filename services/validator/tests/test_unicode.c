/* Canonical text; NFC is compared with utf8proc's own, which knows no short cuts. */
#include "common/json/utf8.h"
#include "sanitize/unicode.h"
#include "support.h"

#include <stdlib.h>
#include <utf8proc.h>

struct row {
    const char *name;
    const char *in;
    const char *out; /* NULL: refused */
    bool dropped;
};

#define M10 "\xcc\x81\xcc\x80\xcc\x81\xcc\x80\xcc\x81\xcc\x80\xcc\x81\xcc\x80\xcc\x81\xcc\x80"

static const struct row rows[] = {
    { "ASCII stays", "Hello, world!\n\t\r", "Hello, world!\n\t\r", false },
    { "nothing stays nothing", "", "", false },
    { "composed stays", "é ü ñ 한국어 日本語 Ωμέγα кириллица עברית العربية ไทย हिन्दी",
      "é ü ñ 한국어 日本語 Ωμέγα кириллица עברית العربية ไทย हिन्दी", false },
    { "decomposed is composed", "e\xcc\x81", "é", false },
    { "marks are put in order", "a\xcc\xa3\xcc\x87 a\xcc\x87\xcc\xa3",
      "\xe1\xba\xa1\xcc\x87 \xe1\xba\xa1\xcc\x87", false },
    { "Hangul letters join", "\xe1\x84\x92\xe1\x85\xa1\xe1\x86\xab", "한", false },
    { "singletons are replaced", "\xe2\x84\xab \xe2\x84\xa6", "Å Ω", false },
    { "composition exclusions come apart", "\xe0\xa5\x98", "\xe0\xa4\x95\xe0\xa4\xbc", false },
    { "emoji families stay", "👨‍👩‍👧‍👦 ❤️ 🏳️‍🌈",
      "👨‍👩‍👧‍👦 ❤️ 🏳️‍🌈", false },
    { "the flag of Scotland keeps its tags", "🏴󠁧󠁢󠁳󠁣󠁴󠁿",
      "🏴󠁧󠁢󠁳󠁣󠁴󠁿", false },
    { "tags without a flag go", "a\xf3\xa0\x81\xa8\xf3\xa0\x81\xa9", "a", true },
    { "marks of direction stay", "a\xe2\x80\x8e\xe2\x80\x8f", "a\xe2\x80\x8e\xe2\x80\x8f", false },
    { "embeddings, overrides, isolates go",
      "a\xe2\x80\xaa\xe2\x80\xab\xe2\x80\xac\xe2\x80\xad\xe2\x80\xae\xe2\x81\xa6\xe2\x81\xa7"
      "\xe2\x81\xa8\xe2\x81\xa9z",
      "az", true },
    { "controls go", "a\x01\x1b[31m\x7f\xc2\x80\xc2\x9fz", "a[31mz", true },
    { "byte order mark goes", "\xef\xbb\xbfx", "x", true },
    { "noncharacters go", "\xef\xbf\xbe\xef\xbf\xbf\xef\xb7\x90\xf4\x8f\xbf\xbfx", "x", true },
    { "separators become line feeds", "a\xe2\x80\xa8z\xe2\x80\xa9", "a\nz\n", true },
    { "what a removal brings together composes", "e\xe2\x80\xae\xcc\x81", "é", true },
    { "30 marks in a row", "x" M10 M10 M10, "x" M10 M10 M10, false },
    { "31 marks in a row", "x" M10 M10 M10 "\xcc\x81", NULL, false },
    { "31 marks with controls between", "x" M10 M10 M10 "\x01\xcc\x81", NULL, false },
};

static void unicode_row(void **state)
{
    const struct row *row = *state;
    struct unicode unicode = { 0 };
    struct gh_buf out;
    bool dropped = false;
    enum unicode_result result;
    const char *text = row->in;
    size_t len = strlen(row->in);

    unicode_init();
    gh_buf_init(&out, 0);
    result = unicode_clean(&unicode, row->in, len, &out, &dropped);
    if (row->out == NULL) {
        assert_int_equal(result, UNICODE_MARKS);
    } else {
        if (result == UNICODE_CHANGED) {
            text = out.data;
            len = out.len;
        } else {
            assert_int_equal(result, UNICODE_SAME);
        }
        assert_int_equal(len, strlen(row->out));
        assert_memory_equal(text, row->out, len);
        assert_int_equal(dropped, row->dropped);
        assert_int_equal(result == UNICODE_SAME, strcmp(row->in, row->out) == 0);
    }
    gh_buf_done(&out);
    unicode_done(&unicode);
}

/* x must be what utf8proc makes of it, alone, before and after letters that join with much. */
static void agrees(struct unicode *unicode, struct gh_buf *out, const char *text, size_t len)
{
    utf8proc_uint8_t *expected = NULL;
    utf8proc_ssize_t n = utf8proc_map((const utf8proc_uint8_t *)text, (utf8proc_ssize_t)len,
                                      &expected, UTF8PROC_STABLE | UTF8PROC_COMPOSE);
    enum unicode_result result;

    assert_true(n >= 0);
    gh_buf_reset(out);
    result = unicode_clean(unicode, text, len, out, NULL);
    if (result == UNICODE_CHANGED) {
        assert_int_equal(out->len, n);
        assert_memory_equal(out->data, expected, (size_t)n);
    } else {
        assert_int_equal(result, UNICODE_SAME);
        assert_int_equal(len, n);
        assert_memory_equal(text, expected, len);
    }
    free(expected);
}

/* U+11A7 stands before the Hangul finals and is none; utf8proc 2.8 takes it for one. */
static bool is_kept(uint32_t cp)
{
    return cp != 0 && cp != 0x11A7 && !(cp >= 0xD800 && cp <= 0xDFFF) &&
           !unicode_is_deceptive(cp) && !(cp >= 0xE0000 && cp <= 0xE007F) && cp != 0x2028 &&
           cp != 0x2029;
}

static void every_code_point(void **state)
{
    static const uint32_t before[] = { 0, 'a', 0x1100, 0xAC00, 0x0301, 0x09C7, 0x0627 };
    struct unicode unicode = { 0 };
    struct gh_buf out;

    (void)state;
    unicode_init();
    gh_buf_init(&out, 0);
    for (uint32_t cp = 1; cp < 0x110000; cp++) {
        if (!is_kept(cp)) continue;
        for (size_t i = 0; i < COUNT(before); i++) {
            char text[16];
            size_t len = before[i] != 0 ? gh_utf8_encode(before[i], text) : 0;

            len += gh_utf8_encode(cp, text + len);
            agrees(&unicode, &out, text, len);
        }
    }
    gh_buf_done(&out);
    unicode_done(&unicode);
}

static void random_texts(void **state)
{
    static const uint32_t bases[] = { 0x20, 0xA0, 0x300, 0x390, 0x900, 0x1100, 0x1E00, 0xAC00 };
    struct unicode unicode = { 0 };
    struct gh_buf out;
    uint32_t seed = 12345;

    (void)state;
    unicode_init();
    gh_buf_init(&out, 0);
    for (int round = 0; round < 20000; round++) {
        char text[128];
        size_t len = 0;

        for (int i = 0; i < 12; i++) {
            uint32_t cp;

            seed = seed * 1664525 + 1013904223;
            cp = bases[seed >> 29] + (seed >> 8) % 0x120;
            if (is_kept(cp)) len += gh_utf8_encode(cp, text + len);
        }
        agrees(&unicode, &out, text, len);
    }
    gh_buf_done(&out);
    unicode_done(&unicode);
}

int main(void)
{
    struct CMUnitTest tests[COUNT(rows) + 2];

    for (size_t i = 0; i < COUNT(rows); i++)
        tests[i] = (struct CMUnitTest){ rows[i].name, unicode_row, NULL, NULL,
                                        (void *)(uintptr_t)&rows[i] };
    tests[COUNT(rows)] = (struct CMUnitTest)cmocka_unit_test(every_code_point);
    tests[COUNT(rows) + 1] = (struct CMUnitTest)cmocka_unit_test(random_texts);
    return cmocka_run_group_tests_name("unicode", tests, NULL, NULL);
}
