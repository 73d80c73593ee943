/* The builder: always one valid text, or an error and nothing. */
#include "common/json/builder.h"

#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct gh_buf out;
static struct gh_json j;

static void start(void)
{
    gh_buf_reset(&out);
    gh_json_init(&j, &out);
}

static void builds_every_kind(void **state)
{
    static const char want[] =
        "{\"type\":\"welcome\",\"n\":-5,\"u\":18446744073709551615,\"min\":-9223372036854775808,"
        "\"t\":true,\"f\":false,\"z\":null,\"s\":null,\"list\":[1,[],{},\"x\\n\"],"
        "\"fmt\":\"a-7-\\\"b\\\"\",\"raw\":{\"k\":[1]},\"node\":[1,2],\"k\\u0000\":\"v\\u0000\"}";
    struct gh_tape tape;

    (void)state;
    gh_tape_init(&tape);
    assert_int_equal(gh_tape_parse(&tape, "{\"x\": [1, 2]}", 13, NULL), GH_JSON_OK);
    start();
    gh_json_begin_object(&j);
    gh_json_kv_str(&j, "type", "welcome");
    gh_json_kv_int(&j, "n", -5);
    gh_json_kv_uint(&j, "u", UINT64_MAX);
    gh_json_kv_int(&j, "min", INT64_MIN);
    gh_json_kv_bool(&j, "t", true);
    gh_json_kv_bool(&j, "f", false);
    gh_json_key(&j, "z");
    gh_json_null(&j);
    gh_json_kv_str(&j, "s", NULL);
    gh_json_key(&j, "list");
    gh_json_begin_array(&j);
    gh_json_int(&j, 1);
    gh_json_begin_array(&j);
    gh_json_end_array(&j);
    gh_json_begin_object(&j);
    gh_json_end_object(&j);
    gh_json_str(&j, "x\n");
    gh_json_end_array(&j);
    gh_json_key(&j, "fmt");
    gh_json_fmt(&j, "a-%d-\"%s\"", 7, "b");
    gh_json_key(&j, "raw");
    gh_json_raw(&j, "{\"k\":[1]}", 9);
    gh_json_key(&j, "node");
    gh_json_node(&j, &tape, 2);
    gh_json_key_n(&j, "k\0", 2);
    gh_json_str_n(&j, "v\0", 2);
    gh_json_end_object(&j);
    assert_int_equal(gh_json_finish(&j), GH_OK);
    assert_string_equal(gh_buf_cstr(&out), want);
    assert_int_equal(gh_tape_parse(&tape, out.data, out.len, NULL), GH_JSON_OK);
    assert_true(tape.nodes[0].flags & GH_NODE_VERBATIM);
    gh_tape_done(&tape);
}

static void doubles_read_back(void **state)
{
    static const double rows[] = { 0.0,    -0.0,     1,          0.1,     1e22,
                                   1e23,   1e-7,     123456.789, DBL_MAX, DBL_MIN,
                                   5e-324, -1.0 / 3, 1e300,      4.35,    2.0 / 3 };
    struct gh_tape tape;

    (void)state;
    gh_tape_init(&tape);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        double back;

        start();
        gh_json_double(&j, rows[i]);
        assert_int_equal(gh_json_finish(&j), GH_OK);
        assert_int_equal(gh_tape_parse(&tape, out.data, out.len, NULL), GH_JSON_OK);
        assert_int_equal(gh_tape_double(&tape, 0, &back), GH_OK);
        assert_memory_equal(&back, &rows[i], sizeof back);
    }
    gh_tape_done(&tape);
    start();
    gh_json_double(&j, 0.1);
    assert_int_equal(gh_json_finish(&j), GH_OK);
    assert_string_equal(gh_buf_cstr(&out), "0.1");
    start();
    gh_json_begin_array(&j);
    gh_json_double(&j, NAN);
    gh_json_double(&j, -INFINITY);
    gh_json_end_array(&j);
    assert_int_equal(gh_json_finish(&j), GH_OK);
    assert_string_equal(gh_buf_cstr(&out), "[null,null]");
}

/* o { p } a [ b ] k key v value: orders that make no text. */
static void wrong_order_is_an_error(void **state)
{
    static const char *const wrong[] = { "",   "o",   "a",    "k",   "vv",  "op p",   "p",
                                         "b",  "ob",  "ap",   "ov",  "okp", "okk",    "ak",
                                         "oo", "opv", "okvv", "oko", "aob", "okvpop", "okap" };
    static const char *const right[] = { "v", "op", "ab", "okvp", "avvb", "okopkabp", "aopabvb" };

    (void)state;
    for (size_t side = 0; side < 2; side++) {
        size_t n = side ? sizeof right / sizeof *right : sizeof wrong / sizeof *wrong;

        for (size_t i = 0; i < n; i++) {
            const char *calls = side ? right[i] : wrong[i];

            gh_buf_reset(&out);
            assert_int_equal(gh_buf_append(&out, "before", 6), GH_OK);
            gh_json_init(&j, &out);
            for (const char *c = calls; *c; c++)
                switch (*c) {
                case 'o': gh_json_begin_object(&j); break;
                case 'p': gh_json_end_object(&j); break;
                case 'a': gh_json_begin_array(&j); break;
                case 'b': gh_json_end_array(&j); break;
                case 'k': gh_json_key(&j, "k"); break;
                case 'v': gh_json_int(&j, 1); break;
                default: break;
                }

            enum gh_err err = gh_json_finish(&j);

            if (err != (side ? GH_OK : GH_ERR_INTERNAL)) fail_msg("%s", calls);
            if (!side) assert_int_equal(out.len, 6); /* all taken back */
        }
    }
}

static void depth_is_limited(void **state)
{
    (void)state;
    for (int depth = GH_JSON_BUILDER_DEPTH; depth <= GH_JSON_BUILDER_DEPTH + 1; depth++) {
        start();
        for (int i = 0; i < depth; i++)
            gh_json_begin_array(&j);
        for (int i = 0; i < depth; i++)
            gh_json_end_array(&j);
        assert_int_equal(gh_json_finish(&j), depth > GH_JSON_BUILDER_DEPTH ? GH_ERR_LIMIT : GH_OK);
    }
}

static void full_buffer_is_an_error_and_leaves_nothing(void **state)
{
    (void)state;
    for (size_t size = 0; size <= 30; size++) {
        char *array = malloc(size ? size : 1);
        struct gh_buf fixed;

        gh_buf_init_fixed(&fixed, array, size);
        gh_json_init(&j, &fixed);
        gh_json_begin_object(&j);
        gh_json_kv_str(&j, "k", "a\"b\x01");
        gh_json_kv_int(&j, "n", 12345);
        gh_json_end_object(&j); /* {"k":"a\"b\u0001","n":12345} */

        bool fits = size >= 28;

        assert_int_equal(gh_json_finish(&j), fits ? GH_OK : GH_ERR_LIMIT);
        assert_int_equal(fixed.len, fits ? 28 : 0);
        free(array);
    }
}

static void long_format_is_whole(void **state)
{
    char text[1000];

    (void)state;
    memset(text, 'x', sizeof text);
    start();
    gh_json_fmt(&j, "%.*s", (int)sizeof text, text);
    assert_int_equal(gh_json_finish(&j), GH_OK);
    assert_int_equal(out.len, sizeof text + 2);
}

static int set_up(void **state)
{
    (void)state;
    gh_buf_init(&out, 0);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    gh_buf_done(&out);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(builds_every_kind),
        cmocka_unit_test(doubles_read_back),
        cmocka_unit_test(wrong_order_is_an_error),
        cmocka_unit_test(depth_is_limited),
        cmocka_unit_test(full_buffer_is_an_error_and_leaves_nothing),
        cmocka_unit_test(long_format_is_whole),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
