/* The small parts: options, durations, what a terminal is shown, YAML defaults, figures. */
#include "ctl.h"
#include "scrape.h"
#include "yaml_peek.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- durations and numbers ---- */

static const struct {
    const char *text;
    bool good;
    uint64_t ms;
} durations[] = {
    { "250ms", true, 250 },    { "90s", true, 90000 },
    { "5m", true, 300000 },    { "2h", true, 7200000 },
    { "7d", true, 604800000 }, { "0s", true, 0 },
    { "", false, 0 },          { "5", false, 0 },
    { "h", false, 0 },         { "-5s", false, 0 },
    { "5 s", false, 0 },       { "5sx", false, 0 },
    { "1.5h", false, 0 },      { "9999999999999d", false, 0 },
};

static void durations_are_read(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(durations) / sizeof(durations[0]); i++) {
        uint64_t ms = 77;
        assert_int_equal(ctl_duration(durations[i].text, &ms), durations[i].good);
        assert_int_equal(ms, durations[i].good ? durations[i].ms : 77);
    }
    uint64_t n = 0;
    assert_true(ctl_number("1000", 1000, &n));
    assert_false(ctl_number("1001", 1000, &n));
    assert_false(ctl_number("0x10", 1000, &n));
    assert_false(ctl_number("", 1000, &n));
    assert_false(ctl_number("99999999999999999999", UINT64_MAX, &n));
}

/* ---- text ---- */

static const struct {
    const char *in, *shown, *json;
    int width;
} texts[] = {
    { "plain", "plain", "\"plain\"", 0 },
    { "ab", "ab  ", "\"ab\"", 4 },
    { "abcdef", "abcd", "\"abcdef\"", 4 },
    { "a\"\\b", "a\"\\b", "\"a\\\"\\\\b\"", 0 },
    { "\x1b[2J", "\\u001b[2J", "\"\\u001b[2J\"", 0 },
    { "a\nb", "a\\u000ab", "\"a\\u000ab\"", 0 },
    { "\xc3\xa9", "\xc3\xa9", "\"\xc3\xa9\"", 0 },
    { "\xc2\x9b", "\\u009b", "\"\\u009b\"", 0 },     /* C1: CSI on some terminals */
    { "\xe2\x80\xae", "\\u202e", "\"\\u202e\"", 0 }, /* right-to-left override */
    { "\xff", "\\xff", "\"\\ufffd\"", 0 },
    { "\xc0\xaf", "\\xc0\\xaf", "\"\\ufffd\\ufffd\"", 0 },                 /* overlong */
    { "\xed\xa0\x80", "\\xed\\xa0\\x80", "\"\\ufffd\\ufffd\\ufffd\"", 0 }, /* surrogate */
    { "\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80", "\"\xf0\x9f\x98\x80\"", 0 },
    { "\xf0\x9f\x98", "\\xf0\\x9f\\x98", "\"\\ufffd\\ufffd\\ufffd\"", 0 }, /* cut */
};

static void terminals_are_shown_nothing_that_acts(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        char shown[256] = "", json[256] = "";
        FILE *out = fmemopen(shown, sizeof(shown), "w");
        ctl_put_text(out, texts[i].in, strlen(texts[i].in), texts[i].width);
        fclose(out);
        assert_string_equal(shown, texts[i].shown);
        out = fmemopen(json, sizeof(json), "w");
        ctl_put_json(out, texts[i].in, strlen(texts[i].in));
        fclose(out);
        assert_string_equal(json, texts[i].json);
    }
}

static void times_are_utc(void **state)
{
    (void)state;
    char text[64] = "";
    FILE *out = fmemopen(text, sizeof(text), "w");

    ctl_put_time(out, 1700000000123u);
    fclose(out);
    assert_string_equal(text, "2023-11-14T22:13:20.123Z");
}

/* ---- options ---- */

static const struct ctl_command test_command = { "x y", "ARGS", "help", NULL };

static void options_and_the_rest_are_sorted(void **state)
{
    (void)state;
    const char *ttl = NULL, *user = NULL;
    bool all = false;
    const struct ctl_option options[] = {
        { "--ttl", &ttl, .arg = "T", .help = "" },
        { "--user", &user, .arg = "U", .help = "" },
        { "--all", .flag = &all, .help = "" },
        { 0 },
    };
    char *argv[] = { "one", "--ttl", "5m", "--user=a=b", "two", "--all", "--", "--ttl" };
    struct ctl_args args;
    int status = 77;

    assert_true(ctl_parse(&test_command, options, 8, argv, 0, 9, &args, &status));
    assert_string_equal(ttl, "5m");
    assert_string_equal(user, "a=b");
    assert_true(all);
    assert_int_equal(args.count, 3);
    assert_string_equal(args.items[2], "--ttl");
    assert_int_equal(status, 77);

    assert_false(ctl_parse(&test_command, options, 8, argv, 0, 2, &args, &status));
    assert_int_equal(status, CTL_USAGE);
    assert_false(ctl_parse(&test_command, options, 1, argv, 2, 9, &args, &status));
    char *bad[][1] = { { "--tt" }, { "--ttlx" }, { "--ttl" }, { "--all=1" }, { "-x" } };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        status = 77;
        assert_false(ctl_parse(&test_command, options, 1, bad[i], 0, 9, &args, &status));
        assert_int_equal(status, CTL_USAGE);
    }
}

/* ---- YAML ---- */

static void scalars_are_found_in_yaml(void **state)
{
    (void)state;
    char path[] = "/tmp/gh-ctl-XXXXXX", value[32] = "untouched";
    int fd = mkstemp(path);
    static const char text[] = "auth:\n  issuers:\n    - name: https://i\n      audiences: [a, b]\n"
                               "    - name: second\nlong: 12345678901234567890123456789012\n";

    assert_int_equal(write(fd, text, sizeof(text) - 1), sizeof(text) - 1);
    close(fd);
    assert_true(yaml_peek(path, "auth.issuers.0.name", value, sizeof(value)));
    assert_string_equal(value, "https://i");
    assert_true(yaml_peek(path, "auth.issuers.0.audiences.1", value, sizeof(value)));
    assert_string_equal(value, "b");
    static const char *const none[] = { "auth",   "auth.issuers.2.name",   "auth.issuers.x",
                                        "nobody", "auth.issuers.0.name.x", "long" };
    for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
        assert_false(yaml_peek(path, none[i], value, sizeof(value)));
    assert_string_equal(value, "b");
    unlink(path);
    assert_false(yaml_peek(path, "auth", value, sizeof(value)));
}

/* ---- figures ---- */

static void figures_are_read_and_summed(void **state)
{
    (void)state;
    struct scrape scrape = { .count = 0 };
    static const char text[] = "# HELP a_total x\n# TYPE a_total counter\na_total{c=\"x y\"} 5\n"
                               "b 1.5\n\nnot a sample\nc NaNx\nd 7";

    assert_int_equal(scrape_parse(&scrape, text), GH_OK);
    assert_int_equal(scrape_parse(&scrape, "a_total{c=\"x y\"} 3\n"), GH_OK);
    assert_int_equal(scrape.count, 3);
    scrape_sort(&scrape);
    assert_string_equal(scrape.samples[0].series, "a_total{c=\"x y\"}");
    assert_true(scrape.samples[0].value == 8);
    assert_true(scrape.samples[0].counter);
    assert_string_equal(scrape.samples[1].series, "b");
    assert_false(scrape.samples[1].counter);
    assert_string_equal(scrape.samples[2].series, "d");
    scrape_next(&scrape);
    assert_true(scrape.samples[0].before == 8);
    scrape_done(&scrape);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(durations_are_read),
        cmocka_unit_test(terminals_are_shown_nothing_that_acts),
        cmocka_unit_test(times_are_utc),
        cmocka_unit_test(options_and_the_rest_are_sorted),
        cmocka_unit_test(scalars_are_found_in_yaml),
        cmocka_unit_test(figures_are_read_and_summed),
    };
    return cmocka_run_group_tests_name("ctl", tests, NULL, NULL);
}
