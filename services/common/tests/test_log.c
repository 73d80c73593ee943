#include "common/log.h"

#include <regex.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "capture.h"

static void assert_matches(const char *text, const char *pattern)
{
    regex_t regex;

    assert_int_equal(regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB), 0);
    if (regexec(&regex, text, 0, NULL, 0) != 0) fail_msg("%s\ndoes not match %s", text, pattern);
    regfree(&regex);
}

static void writes_one_structured_line(void **state)
{
    struct capture capture;

    (void)state;
    capture_begin(&capture);
    gh_log_init("edge", "edge-1");
    gh_log(GH_LOG_WARN, "handshake_refused", "request_id=%s reason=\"%s\"", "r12", "bad origin");
    assert_matches(capture_end(&capture),
                   "^20[0-9]{2}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-6][0-9]\\.[0-9]{3}Z "
                   "level=warn service=edge instance=edge-1 event=handshake_refused "
                   "request_id=r12 reason=\"bad origin\"\n$");
}

static void keeps_to_the_level(void **state)
{
    struct capture capture;

    (void)state;
    capture_begin(&capture);
    gh_log_set_level(GH_LOG_WARN);
    gh_log(GH_LOG_INFO, "quiet", "a=1");
    gh_log(GH_LOG_ERROR, "loud", "b=2");
    gh_log_set_level(GH_LOG_DEBUG);
    gh_log(GH_LOG_DEBUG, "detail", "c=3");
    gh_log_set_level(GH_LOG_INFO);
    const char *text = capture_end(&capture);
    assert_null(strstr(text, "quiet"));
    assert_non_null(strstr(text, "event=loud b=2\n"));
    assert_non_null(strstr(text, "level=debug"));
}

struct row {
    const char *name, *text, *want;
};

static const struct row rows[] = {
    { "log: plain text stays", "k=v w=\"x y\"", "k=v w=\"x y\"" },
    { "log: a newline starts no line", "a\nlevel=error", "a\\x0alevel=error" },
    { "log: carriage return, tab, escape", "\r\t\x1b[2J", "\\x0d\\x09\\x1b[2J" },
    { "log: DEL", "\x7f", "\\x7f" },
    { "log: UTF-8 stays", "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80",
      "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80" },
    { "log: a lone continuation byte", "a\x80z", "a\\x80z" },
    { "log: over-long slash", "\xc0\xaf", "\\xc0\\xaf" },
    { "log: over-long in three", "\xe0\x80\xaf", "\\xe0\\x80\\xaf" },
    { "log: a surrogate", "\xed\xa0\x80", "\\xed\\xa0\\x80" },
    { "log: past U+10FFFF", "\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80" },
    { "log: 0xff", "\xff\xfe", "\\xff\\xfe" },
    { "log: cut short at the end", "x\xe2\x82", "x\\xe2\\x82" },
    { "log: C1 controls", "\xc2\x85\xc2\x9b", "\\xc2\\x85\\xc2\\x9b" },
    { "log: U+00A0 is no control", "\xc2\xa0", "\xc2\xa0" },
    { "log: line separator", "\xe2\x80\xa8", "\\xe2\\x80\\xa8" },
};

static void escape_row(void **state)
{
    const struct row *row = *state;
    struct capture capture;
    char want[256];

    capture_begin(&capture);
    gh_log(GH_LOG_INFO, "e", "%s", row->text);
    const char *text = capture_end(&capture);
    (void)snprintf(want, sizeof want, " event=e %s\n", row->want);
    assert_true(strlen(text) > strlen(want));
    assert_string_equal(text + strlen(text) - strlen(want), want);
}

static void cuts_a_long_line(void **state)
{
    static char longer[20000];
    struct capture capture;

    (void)state;
    for (int kind = 0; kind < 2; kind++) {
        memset(longer, kind == 0 ? 'x' : '\n', sizeof longer - 1);
        capture_begin(&capture);
        gh_log(GH_LOG_INFO, "e", "%s", longer);
        gh_log(GH_LOG_INFO, "next", "ok=1");
        const char *text = capture_end(&capture);
        const char *end = strchr(text, '\n');

        assert_non_null(end);
        assert_in_range(end - text, 1000, 4095);
        assert_memory_equal(end - 8, "...(cut)", 8);
        assert_non_null(strstr(end, "event=next ok=1\n"));
    }
}

static void names_cannot_break_the_line(void **state)
{
    struct capture capture;

    (void)state;
    capture_begin(&capture);
    gh_log_init("a b\n", "\"x\" event=forged");
    gh_log(GH_LOG_INFO, "e", "k=v");
    gh_log_init("gatehouse", NULL);
    gh_log(GH_LOG_INFO, "e", "k=v");
    const char *text = capture_end(&capture);
    assert_non_null(strstr(text, " service=a_b\\x0a instance=_x__event=forged event=e k=v\n"));
    assert_non_null(strstr(text, " service=gatehouse event=e k=v\n"));
}

static void quotes_foreign_values(void **state)
{
    char dst[64], small[20];

    (void)state;
    assert_string_equal(gh_log_quote(dst, sizeof dst, "a\" b=\"c", 7), "\"a\\\" b=\\\"c\"");
    assert_string_equal(gh_log_quote(dst, sizeof dst, "\\", 1), "\"\\\\\"");
    assert_string_equal(gh_log_quote(dst, sizeof dst, "a\0b", 3), "\"a\\x00b\"");
    assert_string_equal(gh_log_quote(dst, sizeof dst, "", 0), "\"\"");
    for (size_t size = 0; size <= sizeof small; size++) {
        memset(small, '#', sizeof small);
        const char *got = gh_log_quote(small, size, "\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"", 20);
        assert_true(strlen(got) < size || size == 0);
        for (size_t i = size; i < sizeof small; i++)
            assert_int_equal(small[i], '#');
    }
}

/* An own decoder as the oracle: whatever went in, the line is one line of valid UTF-8. */
static bool valid_utf8_line(const unsigned char *s, size_t len)
{
    while (len > 0) {
        uint32_t cp = s[0];
        size_t n = 1;

        if (cp >= 0xC0) {
            n = cp >= 0xF0 ? 4 : cp >= 0xE0 ? 3 : 2;
            cp &= 0xFFu >> (n + 1);
            if (n > len) return false;
            for (size_t i = 1; i < n; i++) {
                if ((s[i] & 0xC0) != 0x80) return false;
                cp = cp << 6 | (s[i] & 0x3F);
            }
            if (cp < (n == 2   ? 0x80u
                      : n == 3 ? 0x800u
                               : 0x10000u) ||
                cp > 0x10FFFF || (cp >= 0xD800 && cp < 0xE000))
                return false;
        } else if (cp >= 0x80 || cp < 0x20 || cp == 0x7F) {
            return false;
        }
        s += n;
        len -= n;
    }
    return true;
}

static void random_bytes_make_valid_lines(void **state)
{
    struct capture capture;
    char bytes[40];

    (void)state;
    srand(1);
    for (int round = 0; round < 2000; round++) {
        for (size_t i = 0; i < sizeof bytes; i++) {
            const int kind = rand() % 4; /* many near-misses of UTF-8 */

            bytes[i] = (char)(kind == 0   ? rand() % 255 + 1
                              : kind == 1 ? 0x80 + rand() % 64
                              : kind == 2 ? 0xC0 + rand() % 64
                                          : 0x20 + rand() % 95);
        }
        bytes[sizeof bytes - 1] = '\0';
        capture_begin(&capture);
        gh_log(GH_LOG_INFO, "e", "%s", bytes);
        const char *text = capture_end(&capture);
        assert_int_equal(text[strlen(text) - 1], '\n');
        assert_true(valid_utf8_line((const unsigned char *)text, strlen(text) - 1));
    }
}

int main(void)
{
    enum { ROWS = sizeof rows / sizeof rows[0], OTHERS = 6 };
    struct CMUnitTest tests[ROWS + OTHERS] = {
        cmocka_unit_test(writes_one_structured_line),
        cmocka_unit_test(keeps_to_the_level),
        cmocka_unit_test(cuts_a_long_line),
        cmocka_unit_test(names_cannot_break_the_line),
        cmocka_unit_test(quotes_foreign_values),
        cmocka_unit_test(random_bytes_make_valid_lines),
    };

    for (size_t i = 0; i < ROWS; i++)
        tests[OTHERS + i] =
            (struct CMUnitTest){ rows[i].name, escape_row, NULL, NULL, (void *)&rows[i] };
    return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
