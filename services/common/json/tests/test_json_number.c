/* Numbers: exact integers, doubles as strtod gives them, comparison by value. */
#include "common/json/parse.h"

#include <locale.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct gh_tape tape;

static void parse(const char *text)
{
    enum gh_json_err err = gh_tape_parse(&tape, text, strlen(text), NULL);

    if (err != GH_JSON_OK) fail_msg("%s: %s", text, gh_json_err_text(err));
}

static void integers_are_exact(void **state)
{
    static const struct {
        const char *text;
        enum gh_err i_err;
        int64_t i;
        enum gh_err u_err;
        uint64_t u;
    } rows[] = {
        { "0", GH_OK, 0, GH_OK, 0 },
        { "-0", GH_OK, 0, GH_OK, 0 },
        { "1", GH_OK, 1, GH_OK, 1 },
        { "-1", GH_OK, -1, GH_ERR_LIMIT, 0 },
        { "1.0", GH_OK, 1, GH_OK, 1 },
        { "1.5", GH_ERR_BAD_MESSAGE, 0, GH_ERR_BAD_MESSAGE, 0 },
        { "15e-1", GH_ERR_BAD_MESSAGE, 0, GH_ERR_BAD_MESSAGE, 0 },
        { "150e-1", GH_OK, 15, GH_OK, 15 },
        { "1e3", GH_OK, 1000, GH_OK, 1000 },
        { "1.25e2", GH_OK, 125, GH_OK, 125 },
        { "0.001e3", GH_OK, 1, GH_OK, 1 },
        { "0e500", GH_OK, 0, GH_OK, 0 },
        { "1700000000000", GH_OK, 1700000000000, GH_OK, 1700000000000 },
        { "9007199254740993", GH_OK, 9007199254740993, GH_OK, 9007199254740993u },
        { "9223372036854775807", GH_OK, INT64_MAX, GH_OK, INT64_MAX },
        { "9223372036854775808", GH_ERR_LIMIT, 0, GH_OK, (uint64_t)INT64_MAX + 1 },
        { "-9223372036854775808", GH_OK, INT64_MIN, GH_ERR_LIMIT, 0 },
        { "-9223372036854775809", GH_ERR_LIMIT, 0, GH_ERR_LIMIT, 0 },
        { "18446744073709551615", GH_ERR_LIMIT, 0, GH_OK, UINT64_MAX },
        { "18446744073709551616", GH_ERR_LIMIT, 0, GH_ERR_LIMIT, 0 },
        { "1e19", GH_ERR_LIMIT, 0, GH_OK, 10000000000000000000u },
        { "1e20", GH_ERR_LIMIT, 0, GH_ERR_LIMIT, 0 },
        { "1e300", GH_ERR_LIMIT, 0, GH_ERR_LIMIT, 0 },
        { "1e-300", GH_ERR_BAD_MESSAGE, 0, GH_ERR_BAD_MESSAGE, 0 },
        { "\"1\"", GH_ERR_BAD_MESSAGE, 0, GH_ERR_BAD_MESSAGE, 0 },
        { "null", GH_ERR_BAD_MESSAGE, 0, GH_ERR_BAD_MESSAGE, 0 },
    };

    (void)state;
    for (size_t k = 0; k < sizeof rows / sizeof *rows; k++) {
        int64_t i = 77;
        uint64_t u = 77;

        parse(rows[k].text);
        assert_int_equal(gh_tape_int64(&tape, 0, &i), rows[k].i_err);
        assert_int_equal(gh_tape_uint64(&tape, 0, &u), rows[k].u_err);
        assert_int_equal(i, rows[k].i_err == GH_OK ? rows[k].i : 77);
        assert_true(u == (rows[k].u_err == GH_OK ? rows[k].u : 77));
        if (tape.nodes[0].flags & GH_NODE_INT)
            assert_int_equal((tape.nodes[0].flags & GH_NODE_INT64) != 0, rows[k].i_err == GH_OK);
        else
            assert_false(tape.nodes[0].flags & GH_NODE_INT64);
    }
}

/* Bit for bit what strtod gives, also under a locale with a decimal comma if there is one. */
static void doubles_are_strtods(void **state)
{
    static const char *const rows[] = {
        "0",
        "-0",
        "0.0",
        "-0.0",
        "1",
        "0.1",
        "0.2",
        "0.3",
        "1e22",
        "1e23",
        "1e-22",
        "1e-23",
        "123456789012345",
        "1234567890123456",
        "9007199254740993",
        "9007199254740992.5",
        "0.1e1",
        "1.7976931348623157e308",
        "1.7976931348623158e308",
        "-1.7976931348623157e308",
        "2.2250738585072014e-308",
        "2.2250738585072011e-308",
        "5e-324",
        "2e-324",
        "3e-324",
        "1e-400",
        "-1e-400",
        "1e-999999999",
        "4.35",
        "4.349999999999999",
        "100000000000000016777215",
        "100000000000000016777216",
        "7.2057594037927933e16",
        "0.000001",
        "1e-7",
        "8.5e-10",
        "3.14159265358979323846264338327950288",
        "1448997445238699",
        "1.00000000000000011102230246251565404236316680908203125",
        "1.00000000000000011102230246251565404236316680908203124",
        "1.00000000000000011102230246251565404236316680908203126",
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        double want = strtod(rows[i], NULL);
        double got = 0;

        parse(rows[i]);
        assert_int_equal(gh_tape_double(&tape, 0, &got), GH_OK);
        if (memcmp(&got, &want, sizeof got) != 0)
            fail_msg("%s: %a, strtod says %a", rows[i], got, want);
        if (setlocale(LC_NUMERIC, "de_DE.UTF-8") != NULL) {
            assert_int_equal(gh_tape_double(&tape, 0, &got), GH_OK);
            setlocale(LC_NUMERIC, "C");
            assert_memory_equal(&got, &want, sizeof got);
        }
    }
    parse("\"1\"");

    double unchanged = 5;

    assert_int_equal(gh_tape_double(&tape, 0, &unchanged), GH_ERR_BAD_MESSAGE);
    assert_true(unchanged == 5);
}

static void long_numbers_round_as_strtod(void **state)
{
    struct gh_json_limits limits = gh_json_limits_default;
    char text[2000];
    double got;

    (void)state;
    limits.max_number_chars = sizeof text;
    /* Halfway between 1 and the next double, then zeros, then a 1 past all that is looked at. */
    size_t n = (size_t)snprintf(text, sizeof text, "%s",
                                "1.00000000000000011102230246251565404236316680908203125");

    memset(text + n, '0', 1000);
    n += 1000;
    assert_int_equal(gh_tape_parse(&tape, text, n, &limits), GH_JSON_OK);
    assert_int_equal(gh_tape_double(&tape, 0, &got), GH_OK);
    assert_true(got == 1.0);
    text[n++] = '1';
    assert_int_equal(gh_tape_parse(&tape, text, n, &limits), GH_JSON_OK);
    assert_int_equal(gh_tape_double(&tape, 0, &got), GH_OK);
    assert_true(got == 1.0 + 2.220446049250313e-16);
}

static enum gh_json_err verdict_of(char first, char others, size_t digits)
{
    static char text[400];

    memset(text, others, digits);
    text[0] = first;
    return gh_tape_parse(&tape, text, digits, &gh_json_limits_trusted);
}

/* From 2^1024 - 2^970 on, a number rounds to infinity; without an exponent too. */
static void range_ends_where_doubles_do(void **state)
{
    static const char edge[] =
        "179769313486231580793728971405303415079934132710037826936173778980444968292764750946649017"
        "977587207096330286416692887910946555547851940402630657488671505820681908902000708383676273"
        "854845817711531764475730270069855571366959622842914819860834936475292719074168444365510704"
        "342711559699508093042880177904174497792";
    char text[400];
    size_t n = strlen(edge);
    double v;

    (void)state;
    assert_int_equal(verdict_of('1', '0', 309), GH_JSON_OK); /* 1e308 */
    assert_int_equal(verdict_of('9', '9', 308), GH_JSON_OK);
    assert_int_equal(verdict_of('9', '9', 309), GH_JSON_NUMBER_RANGE);
    assert_int_equal(verdict_of('1', '0', 310), GH_JSON_NUMBER_RANGE);

    assert_true(isinf(strtod(edge, NULL)));
    assert_int_equal(gh_tape_parse(&tape, edge, n, &gh_json_limits_trusted), GH_JSON_NUMBER_RANGE);
    memcpy(text, edge, n);
    memcpy(text + n - 2, "91.999999", 9); /* just below */
    assert_int_equal(gh_tape_parse(&tape, text, n + 7, &gh_json_limits_trusted), GH_JSON_OK);
    assert_int_equal(gh_tape_double(&tape, 0, &v), GH_OK);
    assert_true(v == 1.7976931348623157e308);
    memcpy(text + n - 2, "92.000001", 9); /* just past */
    assert_int_equal(gh_tape_parse(&tape, text, n + 7, &gh_json_limits_trusted),
                     GH_JSON_NUMBER_RANGE);
}

static void numbers_compare_by_value(void **state)
{
    /* In ascending order; those on one line are equal. */
    static const char *const rows[][5] = {
        { "-1e308" },
        { "-10000000000000000000000001" },
        { "-1e25", "-10000000000000000000000000" },
        { "-2", "-2.0", "-20e-1" },
        { "-0.5", "-5e-1" },
        { "-1e-300" },
        { "0", "-0", "0.0", "0e99", "-0e-99999999999" },
        { "1e-999999999" },
        { "0.1", "1e-1", "0.10", "10e-2", "0.01e1" },
        { "0.1000000000000000000000000000000000001" },
        { "1", "1.0", "10e-1", "0.1e1", "1e0" },
        { "9007199254740992" },
        { "9007199254740993" },
        { "123456789012345678901234567890" },
        { "123456789012345678901234567891" },
        { "1e300", "10e299", "0.001e303" },
    };
    size_t n = sizeof rows / sizeof *rows;

    (void)state;
    for (size_t i = 0; i < n; i++)
        for (size_t a = 0; a < 5 && rows[i][a] != NULL; a++)
            for (size_t j = 0; j < n; j++)
                for (size_t b = 0; b < 5 && rows[j][b] != NULL; b++) {
                    const char *x = rows[i][a];
                    const char *y = rows[j][b];
                    int got = gh_json_num_cmp(x, strlen(x), y, strlen(y));

                    if ((got > 0) - (got < 0) != (i > j) - (i < j))
                        fail_msg("%s against %s: %d", x, y, got);
                    if (i == j)
                        assert_true(gh_json_hash_num(x, strlen(x), 1) ==
                                    gh_json_hash_num(y, strlen(y), 1));
                }
    assert_true(gh_json_num_is_whole("5", 1));
    assert_true(gh_json_num_is_whole("5.0", 3));
    assert_true(gh_json_num_is_whole("50e-1", 5));
    assert_true(gh_json_num_is_whole("-0.0", 4));
    assert_true(gh_json_num_is_whole("1e300", 5));
    assert_true(gh_json_num_is_whole("1.5e1", 5));
    assert_false(gh_json_num_is_whole("1.5", 3));
    assert_false(gh_json_num_is_whole("55e-2", 5));
}

static int set_up(void **state)
{
    (void)state;
    gh_tape_init(&tape);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    gh_tape_done(&tape);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integers_are_exact),
        cmocka_unit_test(doubles_are_strtods),
        cmocka_unit_test(long_numbers_round_as_strtod),
        cmocka_unit_test(range_ends_where_doubles_do),
        cmocka_unit_test(numbers_compare_by_value),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
