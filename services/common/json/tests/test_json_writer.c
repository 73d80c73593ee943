/* Canonical text, edits, and the limits of an output buffer. */
#include "common/json/writer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct gh_tape tape;
static struct gh_buf out;
static struct gh_json_edits edits;

static void parse(const char *text)
{
    enum gh_json_err err = gh_tape_parse(&tape, text, strlen(text), NULL);

    if (err != GH_JSON_OK) fail_msg("%s: %s at %u", text, gh_json_err_text(err), tape.err_off);
}

static void expect(const char *want)
{
    assert_string_equal(gh_buf_cstr(&out), want);
}

struct row {
    const char *text;
    const char *canonical; /* NULL: the same */
};

static const struct row rows[] = {
    { "null", NULL },
    { " true ", "true" },
    { "\n-0.50E+10\t", "-0.50E+10" },
    { "\"\"", NULL },
    { "[]", NULL },
    { "{}", NULL },
    { "[ ]", "[]" },
    { "{\n}", "{}" },
    { "[[],{},[[]]]", NULL },
    { " [ [ ] , { } , [ [ ] ] ] ", "[[],{},[[]]]" },
    { "{\"a\":1,\"b\":[1,2,{\"c\":null}],\"d\":\"e\"}", NULL },
    { " {\r\n\t\"a\" : 1 , \"b\" : [ 1 , 2 , { \"c\" : null } ] , \"d\" : \"e\" } ",
      "{\"a\":1,\"b\":[1,2,{\"c\":null}],\"d\":\"e\"}" },
    { "\"\\\"\\\\\\b\\f\\n\\r\\t\"", NULL },
    { "\"\\/\"", "\"/\"" },
    { "\"\\u0022\\u005c\\u0008\\u000C\\u000a\\u000D\\u0009\\u002f\"",
      "\"\\\"\\\\\\b\\f\\n\\r\\t/\"" },
    { "\"\\u0000\\u0001\\u001f\\u001F\\u000B\"", "\"\\u0000\\u0001\\u001f\\u001f\\u000b\"" },
    { "\"\\u0020\\u007f\\u0041\"", "\" \x7F"
                                   "A\"" },
    { "\"\\u00e9\\u20AC\\ud83d\\ude00\"", "\"\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\"" },
    { "\"\\u2028\\ufeff\"", "\"\xE2\x80\xA8\xEF\xBB\xBF\"" },
    { "\"<script>&'</script>\"", NULL },
    { "{\"\\u0061\\/\":1}", "{\"a/\":1}" },
    { "{\"\\n\": 1}", "{\"\\n\":1}" },
    { "[1,\n\"a string that is longer than the blocks that short ones are copied in\",2]",
      "[1,\"a string that is longer than the blocks that short ones are copied in\",2]" },
    { "[\"\\u0061 string that is longer than the blocks that short ones are copied in\\n\"]",
      "[\"a string that is longer than the blocks that short ones are copied in\\n\"]" },
    { "[123456789012345678901234567890, 1.0, 1e0]", "[123456789012345678901234567890,1.0,1e0]" },
    { "[[[[[[[[[[ 1 ]]]]]]]]]]", "[[[[[[[[[[1]]]]]]]]]]" },
    { "{\"z\":1,\"a\":{\"y\":2 ,\"b\":3}}", "{\"z\":1,\"a\":{\"y\":2,\"b\":3}}" },
};

static void writes_canonically(void **state)
{
    const struct row *row = *state;
    const char *want = row->canonical != NULL ? row->canonical : row->text;

    parse(row->text);
    gh_buf_reset(&out);
    assert_int_equal(gh_json_write(&tape, 0, NULL, &out), GH_OK);
    expect(want);

    /* What was written is canonical, and says so. */
    char *again = strdup(want);

    parse(again);
    assert_true(tape.nodes[0].flags & GH_NODE_VERBATIM);
    gh_buf_reset(&out);
    assert_int_equal(gh_json_write(&tape, 0, NULL, &out), GH_OK);
    expect(want);
    free(again);

    /* Into every size of array: all of it, or nothing and GH_ERR_LIMIT. */
    parse(row->text);
    for (size_t size = 0; size <= strlen(want) + 2; size++) {
        char *array = malloc(size ? size : 1);
        struct gh_buf fixed;
        enum gh_err err;

        gh_buf_init_fixed(&fixed, array, size);
        err = gh_json_write(&tape, 0, NULL, &fixed);
        assert_int_equal(err, size < strlen(want) ? GH_ERR_LIMIT : GH_OK);
        assert_int_equal(fixed.len, err == GH_OK ? strlen(want) : 0);
        assert_memory_equal(array, want, fixed.len);
        free(array);
    }
}

static void writes_any_node(void **state)
{
    (void)state;
    parse("{ \"a\\/\" : [ 1, \"x\" ], \"b\":{\"c\":true} }");
    gh_buf_reset(&out);
    for (uint32_t i = 1; i < tape.n_nodes; i++) {
        assert_int_equal(gh_json_write(&tape, i, NULL, &out), GH_OK);
        assert_int_equal(gh_buf_append(&out, "|", 1), GH_OK);
    }
    expect("\"a/\"|[1,\"x\"]|1|\"x\"|\"b\"|{\"c\":true}|\"c\"|true|");
}

struct edit_row {
    const char *text;
    const char *edits; /* "pointer op bytes" by lines; op t, r, d; k for a key */
    const char *want;  /* NULL: see err */
    enum gh_err err;
};

static const struct edit_row edit_rows[] = {
    { "{\"a\":\"x\",\"b\":\"y\"}", "/b t Z", "{\"a\":\"x\",\"b\":\"Z\"}", GH_OK },
    { "{\"a\":\"x\",\"b\":\"y\"}", "/a t Z", "{\"a\":\"Z\",\"b\":\"y\"}", GH_OK },
    { "{\"a\":\"x\",\"b\":\"y\"}", "/a t <\"\\>\n/b t ", "{\"a\":\"<\\\"\\\\>\",\"b\":\"\"}",
      GH_OK },
    { "{\"a\":\"x\",\"b\":\"y\"}", "/b t 1\n/a t 2\n/b t 3", "{\"a\":\"2\",\"b\":\"3\"}", GH_OK },
    { "{\"a\":\"x\",\"b\":\"y\"}", "/a k A", "{\"A\":\"x\",\"b\":\"y\"}", GH_OK },
    { "{\"a\":\"x\",\"b\":\"y\"}", "/a k b", NULL, GH_ERR_EXISTS },
    { "{\"a\":\"x\",\"b\":\"y\"}", "/a k b\n/b k a", "{\"b\":\"x\",\"a\":\"y\"}", GH_OK },
    { "{\"a\":\"x\",\"b\":\"y\"}", "/a k b\n/b d ", "{\"b\":\"x\"}", GH_OK },
    { "{\"a\":\"x\",\"b\":\"y\",\"c\":\"z\"}", "/a k \n/b d \n/c d ", "{\"\":\"x\"}", GH_OK },
    { "{\"a\":\"x\",\"b\":{\"c\":1,\"d\":2}}", "/b/c k d", NULL, GH_ERR_EXISTS },
    { "{\"a\":\"x\",\"b\":{\"c\":1,\"d\":2}}", "/b/c k d\n/b r 0", "{\"a\":\"x\",\"b\":0}", GH_OK },
    { "{\"a\":\"x\",\"b\":{\"c\":1,\"d\":2}}", "/b/c k d\n/b d ", "{\"a\":\"x\"}", GH_OK },
    { "{\"a\":1,\"b\":2,\"c\":3}", "/a d ", "{\"b\":2,\"c\":3}", GH_OK },
    { "{\"a\":1,\"b\":2,\"c\":3}", "/b d ", "{\"a\":1,\"c\":3}", GH_OK },
    { "{\"a\":1,\"b\":2,\"c\":3}", "/c d ", "{\"a\":1,\"b\":2}", GH_OK },
    { "{\"a\":1,\"b\":2,\"c\":3}", "/a d \n/b d \n/c d ", "{}", GH_OK },
    { "{ \"a\":1, \"b\":2, \"c\":3 }", "/b d ", "{\"a\":1,\"c\":3}", GH_OK },
    { "[1,2,3]", "/0 d ", "[2,3]", GH_OK },
    { "[1,2,3]", "/2 d ", "[1,2]", GH_OK },
    { "[1, 2, 3]", "/1 d ", "[1,3]", GH_OK },
    { "[1,2,3]", "/0 d \n/1 d \n/2 d ", "[]", GH_OK },
    { "[1,2,3]", "/1 r {\"x\":[]}", "[1,{\"x\":[]},3]", GH_OK },
    { "[1,2,3]", " r null", "null", GH_OK },
    { "[1,2,3]", " d ", NULL, GH_ERR_NOT_FOUND },
    { "\"x\"", " t y", "\"y\"", GH_OK },
    { "{\"a\":{\"b\":{\"c\":[0,\"x\",2]}},\"z\":[\"long\",\"tail\"]}", "/a/b/c/1 t y",
      "{\"a\":{\"b\":{\"c\":[0,\"y\",2]}},\"z\":[\"long\",\"tail\"]}", GH_OK },
    { "{\"a\":[1,{\"b\":\"x\"}],\"c\":\"z\"}", "/a d \n/a/1/b t never\n/c t Z", "{\"c\":\"Z\"}",
      GH_OK },
    { "{\"a\":[1,{\"b\":\"x\"}],\"c\":\"z\"}", "/a/1/b t never\n/a r 7\n/c t Z",
      "{\"a\":7,\"c\":\"Z\"}", GH_OK },
    { "{\"__proto__\":{\"x\":\"y\"},\"ok\":\"\\u003cb\\u003e\"}", "/__proto__ d \n/ok t &lt;b&gt;",
      "{\"ok\":\"&lt;b&gt;\"}", GH_OK },
    { "{\"a\\/b\" : \"\\u0041\", \"c\": \"x\"}", "/c t y", "{\"a/b\":\"A\",\"c\":\"y\"}", GH_OK },
    { "[\"a\",\"b\",\"c\",\"d\",\"e\"]", "/1 t B\n/3 t D", "[\"a\",\"B\",\"c\",\"D\",\"e\"]",
      GH_OK },
    { "[[],[\"x\"],[]]", "/1/0 d ", "[[],[],[]]", GH_OK },
};

static enum gh_err apply(const char *list)
{
    while (*list != '\0') {
        const char *end = strchr(list, '\n');
        size_t len = end != NULL ? (size_t)(end - list) : strlen(list);
        const char *blank = memchr(list, ' ', len);
        const char *bytes = blank + 3;
        size_t n = (size_t)(list + len - bytes);
        uint32_t node = gh_tape_pointer(&tape, 0, list, (size_t)(blank - list));
        bool member = node != 0 && tape.nodes[node - 1].flags & GH_NODE_KEY;
        enum gh_err err = GH_ERR_INTERNAL;

        assert_int_not_equal(node, GH_TAPE_NONE);
        switch (blank[1]) {
        case 't': err = gh_json_edit_text(&edits, &tape, node, bytes, n); break;
        case 'k': err = gh_json_edit_text(&edits, &tape, node - 1, bytes, n); break;
        case 'r': err = gh_json_edit_raw(&edits, &tape, node, bytes, n); break;
        case 'd': err = gh_json_edit_drop(&edits, &tape, member ? node - 1 : node); break;
        default: break;
        }
        if (err != GH_OK) return err;
        list += len + (end != NULL);
    }
    return GH_OK;
}

static void edits_apply(void **state)
{
    const struct edit_row *row = *state;

    parse(row->text);
    gh_json_edits_reset(&edits);
    assert_int_equal(apply(row->edits), GH_OK);
    gh_buf_reset(&out);
    assert_int_equal(gh_buf_append(&out, "#", 1), GH_OK);
    assert_int_equal(gh_json_write(&tape, 0, &edits, &out), row->err);
    if (row->want == NULL) {
        expect("#");
        return;
    }
    assert_string_equal(gh_buf_cstr(&out) + 1, row->want);
    for (size_t size = 0; size <= strlen(row->want); size++) {
        char *array = malloc(size ? size : 1);
        struct gh_buf fixed;

        gh_buf_init_fixed(&fixed, array, size);
        assert_int_equal(gh_json_write(&tape, 0, &edits, &fixed),
                         size < strlen(row->want) ? GH_ERR_LIMIT : GH_OK);
        assert_int_equal(fixed.len, size < strlen(row->want) ? 0 : strlen(row->want));
        free(array);
    }
}

static void bad_edits_are_refused(void **state)
{
    size_t len;

    (void)state;
    parse("{\"a\":1,\"b\":\"x\"}");
    gh_json_edits_reset(&edits);
    assert_int_equal(gh_json_edit_text(&edits, &tape, 2, "x", 1),
                     GH_ERR_BAD_MESSAGE); /* a number */
    assert_int_equal(gh_json_edit_text(&edits, &tape, 0, "x", 1), GH_ERR_BAD_MESSAGE);
    assert_int_equal(gh_json_edit_text(&edits, &tape, 4, "\xFF", 1), GH_ERR_BAD_MESSAGE);
    assert_int_equal(gh_json_edit_text(&edits, &tape, 4, "\xED\xA0\x80", 3), GH_ERR_BAD_MESSAGE);
    assert_int_equal(gh_json_edit_raw(&edits, &tape, 1, "1", 1), GH_ERR_BAD_MESSAGE); /* a key */
    assert_int_equal(gh_json_edit_raw(&edits, &tape, 2, "", 0), GH_ERR_BAD_MESSAGE);
    assert_int_equal(gh_json_edit_raw(&edits, &tape, 2, "1,2", 3), GH_ERR_BAD_MESSAGE);
    assert_int_equal(gh_json_edit_raw(&edits, &tape, 2, "1}", 2), GH_ERR_BAD_MESSAGE);
    assert_int_equal(edits.n, 0);

    assert_null(gh_json_edit_find_text(&edits, 4, &len));
    assert_int_equal(gh_json_edit_text(&edits, &tape, 4, "yz", 2), GH_OK);
    assert_memory_equal(gh_json_edit_find_text(&edits, 4, &len), "yz", 2);
    assert_int_equal(len, 2);
    assert_int_equal(gh_json_edit_drop(&edits, &tape, 4), GH_OK);
    assert_null(gh_json_edit_find_text(&edits, 4, &len));
}

static void edits_respect_their_cap(void **state)
{
    struct gh_json_edits small;

    (void)state;
    parse("[\"a\",\"b\",\"c\"]");
    gh_json_edits_init(&small, 10);
    assert_int_equal(gh_json_edit_text(&small, &tape, 1, "123456", 6), GH_OK);
    assert_int_equal(gh_json_edit_text(&small, &tape, 2, "123456", 6), GH_ERR_LIMIT);
    assert_int_equal(gh_json_edit_text(&small, &tape, 3, "1234", 4), GH_OK);
    gh_buf_reset(&out);
    assert_int_equal(gh_json_write(&tape, 0, &small, &out), GH_OK);
    expect("[\"123456\",\"b\",\"1234\"]");
    gh_json_edits_done(&small);
}

static void strings_are_always_valid(void **state)
{
    static const struct {
        const char *bytes;
        size_t len;
        const char *want;
    } strings[] = {
        { "", 0, "\"\"" },
        { "a\"b\\c/d", 7, "\"a\\\"b\\\\c/d\"" },
        { "\0\x01\x1F\x7F", 4, "\"\\u0000\\u0001\\u001f\x7F\"" },
        { "\b\f\n\r\t\v", 6, "\"\\b\\f\\n\\r\\t\\u000b\"" },
        { "\xC3\xA9\xF0\x9F\x98\x80", 6, "\"\xC3\xA9\xF0\x9F\x98\x80\"" },
        { "a\xFF"
          "b",
          3,
          "\"a\xEF\xBF\xBD"
          "b\"" },
        { "\xC3", 1, "\"\xEF\xBF\xBD\"" },
        { "\xED\xA0\x80", 3, "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\"" },
        { "0123456789abcdef0123456789abcdef\n0123456789abcdef", 49,
          "\"0123456789abcdef0123456789abcdef\\n0123456789abcdef\"" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof strings / sizeof *strings; i++) {
        gh_buf_reset(&out);
        assert_int_equal(gh_json_write_string(&out, strings[i].bytes, strings[i].len), GH_OK);
        expect(strings[i].want);
        for (size_t size = 0; size <= strlen(strings[i].want); size++) {
            char *array = malloc(size ? size : 1);
            struct gh_buf fixed;

            gh_buf_init_fixed(&fixed, array, size);
            assert_int_equal(gh_json_write_string(&fixed, strings[i].bytes, strings[i].len),
                             size < strlen(strings[i].want) ? GH_ERR_LIMIT : GH_OK);
            free(array);
        }
    }
}

static void buffer_grows_to_its_max(void **state)
{
    struct gh_buf b;

    (void)state;
    gh_buf_init(&b, 1000);
    for (int i = 0; i < 100; i++)
        assert_int_equal(gh_buf_append(&b, "0123456789", 10), GH_OK);
    assert_int_equal(gh_buf_append(&b, "x", 1), GH_ERR_LIMIT);
    assert_int_equal(gh_buf_reserve(&b, SIZE_MAX), GH_ERR_LIMIT);
    assert_int_equal(b.len, 1000);
    assert_null(gh_buf_cstr(&b));
    gh_buf_reset(&b);
    assert_string_equal(gh_buf_cstr(&b), "");
    gh_buf_done(&b);
    gh_buf_done(&b);
}

static int set_up(void **state)
{
    (void)state;
    gh_tape_init(&tape);
    gh_buf_init(&out, 0);
    gh_json_edits_init(&edits, 0);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    gh_tape_done(&tape);
    gh_buf_done(&out);
    gh_json_edits_done(&edits);
    return 0;
}

int main(void)
{
    enum { ROWS = sizeof rows / sizeof *rows, EDIT_ROWS = sizeof edit_rows / sizeof *edit_rows };
    const struct CMUnitTest others[] = {
        cmocka_unit_test(writes_any_node),         cmocka_unit_test(bad_edits_are_refused),
        cmocka_unit_test(edits_respect_their_cap), cmocka_unit_test(strings_are_always_valid),
        cmocka_unit_test(buffer_grows_to_its_max),
    };
    static struct CMUnitTest tests[ROWS + EDIT_ROWS + sizeof others / sizeof *others];
    static char names[ROWS + EDIT_ROWS][32];

    for (size_t i = 0; i < ROWS + EDIT_ROWS; i++) {
        bool plain = i < ROWS;

        snprintf(names[i], sizeof names[i], plain ? "canonical: row %zu" : "edits: row %zu",
                 plain ? i : i - ROWS);
        tests[i].name = names[i];
        tests[i].test_func = plain ? writes_canonically : edits_apply;
        tests[i].initial_state = plain ? (void *)&rows[i] : (void *)&edit_rows[i - ROWS];
    }
    memcpy(tests + ROWS + EDIT_ROWS, others, sizeof others);
    return _cmocka_run_group_tests("json writer", tests, sizeof tests / sizeof *tests, set_up,
                                   tear_down);
}
