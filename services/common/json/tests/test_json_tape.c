/* What a tape says once parsed: structure, strings, look-up, equality, positions.
 */
#include "common/json/buf.h"
#include "common/json/parse.h"
#include "common/json/utf8.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct gh_tape tape;
static struct gh_tape second;

static void parse_len(struct gh_tape *t, const char *text, size_t len)
{
    enum gh_json_err err = gh_tape_parse(t, text, len, NULL);

    if (err != GH_JSON_OK) fail_msg("%s at %u", gh_json_err_text(err), t->err_off);
}

static void parse(const char *text)
{
    parse_len(&tape, text, strlen(text));
}

static void layout_is_as_the_header_says(void **state)
{
    static const char text[] = " {\"a\":[1,\"x\\n\"],\"b\":{}, \"c\":null} ";
    static const struct gh_node want[] = {
        { 1, 32, 9, GH_JSON_OBJ, 0, 3 }, /* one blank inside */
        { 3, 1, 2, GH_JSON_STR, GH_NODE_KEY | GH_NODE_VERBATIM, 0 },
        { 6, 9, 5, GH_JSON_ARR, GH_NODE_VERBATIM, 2 },
        { 7, 1, 4, GH_JSON_NUM, GH_NODE_INT | GH_NODE_INT64 | GH_NODE_VERBATIM, 0 },
        { 10, 3, 5, GH_JSON_STR, GH_NODE_ESCAPED | GH_NODE_VERBATIM, 1 },
        { 17, 1, 6, GH_JSON_STR, GH_NODE_KEY | GH_NODE_VERBATIM, 0 },
        { 20, 2, 7, GH_JSON_OBJ, GH_NODE_VERBATIM, 0 },
        { 25, 1, 8, GH_JSON_STR, GH_NODE_KEY | GH_NODE_VERBATIM, 0 },
        { 28, 4, 9, GH_JSON_NULL, GH_NODE_VERBATIM, 0 },
    };

    (void)state;
    parse(text);
    assert_int_equal(tape.n_nodes, sizeof want / sizeof *want);
    for (uint32_t i = 0; i < tape.n_nodes; i++) {
        const struct gh_node *n = &tape.nodes[i];

        assert_int_equal(n->off, want[i].off);
        assert_int_equal(n->len, want[i].len);
        assert_int_equal(n->next, want[i].next);
        assert_int_equal(n->kind, want[i].kind);
        assert_int_equal(n->flags, want[i].flags);
        assert_int_equal(n->count, want[i].count);
    }
    assert_int_equal(gh_tape_count(&tape, 0), 3);
    assert_int_equal(gh_tape_count(&tape, 4), 0);
    assert_int_equal(sizeof(struct gh_node), 16);
}

/* What makes a node VERBATIM is what the canonical writer would leave alone. */
static void verbatim_means_canonical(void **state)
{
    static const struct {
        const char *text;
        bool verbatim;
    } rows[] = {
        { "{}", true },
        { "{ }", false },
        { "[1,2]", true },
        { "[1, 2]", false },
        { "[1 ,2]", false },
        { "[1,2 ]", false },
        { "{\"a\" :1}", false },
        { "{\"a\": 1}", false },
        { "{\"a\":1}", true },
        { "[\"\\n\"]", true },
        { "[\"\\/\"]", false },
        { "[\"\\u000a\"]", false },
        { "[\"\\u0001\"]", true },
        { "[\"\\u001f\"]", true },
        { "[\"\\u001F\"]", false },
        { "[\"\\u0041\"]", false },
        { "[\"\\u00e9\"]", false },
        { "[\"\\u007f\"]", false },
        { "[\"\\ud83d\\ude00\"]", false },
        { "[\"\\\"\\\\\"]", true },
        { "[\"\\u0008\"]", false },
        { "[\"\\u000b\"]", true },
        { "[1E5,-0,1.50]", true },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        parse(rows[i].text);
        if (((tape.nodes[0].flags & GH_NODE_VERBATIM) != 0) != rows[i].verbatim)
            fail_msg("%s", rows[i].text);
    }
    parse("[ [1,[2]], {\"a\": [3]} ]");
    assert_false(tape.nodes[0].flags & GH_NODE_VERBATIM);
    assert_true(tape.nodes[1].flags & GH_NODE_VERBATIM);
    assert_false(tape.nodes[5].flags & GH_NODE_VERBATIM);
    assert_true(tape.nodes[7].flags & GH_NODE_VERBATIM);
}

static void strings_decode(void **state)
{
    static const struct {
        const char *text;
        const char *want;
        size_t len;
        uint32_t chars;
        unsigned flags;
    } rows[] = {
        { "\"\"", "", 0, 0, 0 },
        { "\"abc\"", "abc", 3, 3, 0 },
        { "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t", 8, 8, GH_NODE_ESCAPED },
        { "\"a\\u0000b\"", "a\0b", 3, 3, GH_NODE_ESCAPED },
        { "\"\\u0041\\u00e9\\u20AC\\ud83d\\ude00\"", "A\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80", 10, 4,
          GH_NODE_ESCAPED },
        { "\"\xD0\xB4\\n\xF0\x9F\x98\x80\"", "\xD0\xB4\n\xF0\x9F\x98\x80", 7, 3,
          GH_NODE_ESCAPED | GH_NODE_NONASCII },
        { "\"\xC3\xA9t\xC3\xA9\"", "\xC3\xA9t\xC3\xA9", 5, 3, GH_NODE_NONASCII },
        { "\"\\uFFFF\"", "\xEF\xBF\xBF", 3, 1, GH_NODE_ESCAPED },
        { "\"0123456789012345678901234567890123456789\\u0030\"",
          "01234567890123456789012345678901234567890", 41, 41, GH_NODE_ESCAPED },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char scratch[64];
        size_t len;
        const char *s;

        parse(rows[i].text);
        assert_int_equal(tape.nodes[0].flags & (GH_NODE_ESCAPED | GH_NODE_NONASCII), rows[i].flags);
        assert_int_equal(gh_tape_str_len(&tape, 0), rows[i].len);
        memset(scratch, '#', sizeof scratch);
        s = gh_tape_str(&tape, 0, scratch, &len);
        assert_int_equal(len, rows[i].len);
        assert_memory_equal(s, rows[i].want, len);
        assert_true((s == scratch) == ((rows[i].flags & GH_NODE_ESCAPED) != 0));
        assert_int_equal(scratch[len], '#'); /* not a byte more */
        assert_int_equal(gh_tape_str_chars(&tape, 0), rows[i].chars);
        assert_true(gh_tape_str_eq(&tape, 0, rows[i].want, len));
        assert_false(gh_tape_str_eq(&tape, 0, rows[i].want, len + 1));
        if (len > 0) {
            char wrong[64];

            memcpy(wrong, rows[i].want, len);
            wrong[len - 1] ^= 1;
            assert_false(gh_tape_str_eq(&tape, 0, wrong, len));
            assert_false(gh_tape_str_eq(&tape, 0, rows[i].want, len - 1));
        }
    }
}

/* Only for the bytes of the string itself, whatever is beside it in the same block. */
static void nonascii_is_per_string(void **state)
{
    (void)state;
    parse(
        "[\"a\",\"\xC3\xA9\",\"b\",{\"c\":\"\xC3\xA9\",\"d\":\"0123456789012345678901234567890\xC3\xA9\"},"
        "\"\\n\xC3\xA9\",\"\\n\",\"\xC3\xA9\"]");
    for (uint32_t i = 1; i < tape.n_nodes; i++) {
        const struct gh_node *n = &tape.nodes[i];

        if (n->kind == GH_JSON_STR)
            assert_int_equal((n->flags & GH_NODE_NONASCII) != 0,
                             memchr(tape.src + n->off, 0xC3, n->len) != NULL);
    }
}

static void members_and_elements_are_found(void **state)
{
    uint32_t at;
    int64_t v;

    (void)state;
    parse("{\"a\":1,\"b\":{\"a\":2},\"\\u0063\":[3,[4],5],\"\":6,\"d\\u0000\":7}");
    assert_int_equal(gh_tape_int64(&tape, gh_tape_get_lit(&tape, 0, "a"), &v), GH_OK);
    assert_int_equal(v, 1);
    at = gh_tape_get_lit(&tape, 0, "b");
    assert_int_equal(gh_tape_int64(&tape, gh_tape_get_lit(&tape, at, "a"), &v), GH_OK);
    assert_int_equal(v, 2);
    at = gh_tape_get_lit(&tape, 0, "c");
    assert_int_equal(gh_tape_kind(&tape, at), GH_JSON_ARR);
    assert_int_equal(gh_tape_int64(&tape, gh_tape_at(&tape, at, 2), &v), GH_OK);
    assert_int_equal(v, 5);
    assert_int_equal(gh_tape_at(&tape, at, 3), GH_TAPE_NONE);
    assert_int_equal(gh_tape_at(&tape, 0, 0), GH_TAPE_NONE);
    assert_int_equal(gh_tape_get_lit(&tape, at, "a"), GH_TAPE_NONE);
    assert_int_equal(gh_tape_get_lit(&tape, 0, "d"), GH_TAPE_NONE);
    assert_int_not_equal(gh_tape_get(&tape, 0, "d\0", 2), GH_TAPE_NONE);
    assert_int_not_equal(gh_tape_get_lit(&tape, 0, ""), GH_TAPE_NONE);
    assert_int_equal(gh_tape_get_lit(&tape, 0, "e"), GH_TAPE_NONE);
    parse("{}");
    assert_int_equal(gh_tape_get_lit(&tape, 0, ""), GH_TAPE_NONE);
}

static void pointers_follow_rfc_6901(void **state)
{
    static const struct {
        const char *pointer;
        const char *want; /* source text; NULL: not there */
    } rows[] = {
        { "/foo", "[\"bar\",\"baz\"]" },
        { "/foo/0", "\"bar\"" },
        { "/foo/1", "\"baz\"" },
        { "/", "0" },
        { "/a~1b", "1" },
        { "/c%d", "2" },
        { "/e^f", "3" },
        { "/g|h", "4" },
        { "/i\\j", "5" },
        { "/k\"l", "6" },
        { "/ ", "7" },
        { "/m~0n", "8" },
        { "/o/p/q", "9" },
        { "/foo/2", NULL },
        { "/foo/-", NULL },
        { "/foo/00", NULL },
        { "/foo/01", NULL },
        { "/foo/a", NULL },
        { "/foo/", NULL },
        { "/nope", NULL },
        { "foo", NULL },
        { "/m~n", NULL },
        { "/m~2n", NULL },
        { "/m~", NULL },
        { "/foo/0/x", NULL },
        { "/foo/99999999999", NULL },
        { "/o/p", "{\"q\":9}" },
        { "/~01", "10" },
        { "/foo/+1", NULL },
        { "//", NULL },
    };

    (void)state;
    parse("{\"foo\":[\"bar\",\"baz\"],\"\":0,\"a/b\":1,\"c%d\":2,\"e^f\":3,\"g|h\":4,\"i\\\\j\":5,"
          "\"k\\\"l\":6,\" \":7,\"m~n\":8,\"o\":{\"p\":{\"q\":9}},\"~1\":10}");
    assert_int_equal(gh_tape_pointer(&tape, 0, "", 0), 0);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint32_t at = gh_tape_pointer(&tape, 0, rows[i].pointer, strlen(rows[i].pointer));

        if ((at != GH_TAPE_NONE) != (rows[i].want != NULL)) fail_msg("%s", rows[i].pointer);
        if (rows[i].want != NULL) {
            const struct gh_node *n = &tape.nodes[at];
            unsigned quote = n->kind == GH_JSON_STR;

            assert_memory_equal(tape.src + n->off - quote, rows[i].want, strlen(rows[i].want));
        }
    }
}

static void equality_is_json_schemas(void **state)
{
    static const struct {
        const char *a;
        const char *b;
        bool same;
    } rows[] = {
        { "1", "1.0", true },
        { "1", "true", false },
        { "0", "false", false },
        { "0", "-0", true },
        { "null", "false", false },
        { "\"1\"", "1", false },
        { "\"a\"", "\"\\u0061\"", true },
        { "\"\\u0061\\n\"", "\"a\\u000A\"", true },
        { "\"\\u0061\\u0062\"", "\"\\u0061\\u0063\"", false },
        { "\"\xC3\xA9\"", "\"e\xCC\x81\"", false },
        { "[]", "{}", false },
        { "[]", "[]", true },
        { "[1,2]", "[2,1]", false },
        { "[1,2]", "[1,2,3]", false },
        { "[1,[2]]", "[1.0,[2e0]]", true },
        { "{}", "{}", true },
        { "{\"a\":1,\"b\":2}", "{\"b\":2,\"a\":1}", true },
        { "{\"a\":1}", "{\"a\":2}", false },
        { "{\"a\":1}", "{\"b\":1}", false },
        { "{\"a\":1}", "{\"a\":1,\"b\":1}", false },
        { "{\"a\":{\"x\":[1],\"y\":0}}", "{\"\\u0061\":{\"y\":0.0,\"x\":[1]}}", true },
        { "9007199254740993", "9007199254740992", false },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        bool same = !rows[i].same;

        parse(rows[i].a);
        parse_len(&second, rows[i].b, strlen(rows[i].b));
        assert_int_equal(gh_tape_equal(&tape, 0, &second, 0, &same), GH_OK);
        if (same != rows[i].same) fail_msg("%s and %s", rows[i].a, rows[i].b);
        assert_int_equal(gh_tape_equal(&second, 0, &tape, 0, &same), GH_OK);
        assert_true(same == rows[i].same);
        assert_true((gh_tape_hash(&tape, 0, 42) == gh_tape_hash(&second, 0, 42)) == rows[i].same);
    }
}

/* Objects too large for comparing each with each, nested, in another order. */
static void large_objects_are_equal_in_any_order(void **state)
{
    enum { OUTER = 40, INNER = 50 };
    struct gh_buf a;
    struct gh_buf b;
    char part[64];
    bool same;

    (void)state;
    gh_buf_init(&a, 0);
    gh_buf_init(&b, 0);
    for (int side = 0; side < 2; side++) {
        struct gh_buf *out = side ? &b : &a;

        for (int i = 0; i < OUTER; i++) {
            int k = side ? OUTER - 1 - i : i;

            assert_int_equal(gh_buf_append(out, i ? "," : "{", 1), GH_OK);
            snprintf(part, sizeof part, "\"outer%d\":{", k);
            assert_int_equal(gh_buf_append(out, part, strlen(part)), GH_OK);
            for (int j = 0; j < INNER; j++) {
                int l = side ? (j * 7 + 3) % INNER : j;

                snprintf(part, sizeof part, "%s\"inner%d\":%d%s", j ? "," : "", l, k * l,
                         side ? ".0" : "");
                assert_int_equal(gh_buf_append(out, part, strlen(part)), GH_OK);
            }
            assert_int_equal(gh_buf_append(out, "}", 1), GH_OK);
        }
        assert_int_equal(gh_buf_append(out, "}", 1), GH_OK);
    }
    parse_len(&tape, a.data, a.len);
    parse_len(&second, b.data, b.len);
    assert_int_equal(gh_tape_equal(&tape, 0, &second, 0, &same), GH_OK);
    assert_true(same);
    assert_true(gh_tape_hash(&tape, 0, 1) == gh_tape_hash(&second, 0, 1));

    /* One value deep inside, then one key. */
    b.data[b.len - 5] ^= 1;
    parse_len(&second, b.data, b.len);
    assert_int_equal(gh_tape_equal(&tape, 0, &second, 0, &same), GH_OK);
    assert_false(same);
    b.data[b.len - 5] ^= 1;
    memcpy(strstr(gh_buf_cstr(&b), "\"inner"), "\"jnner", 6);
    parse_len(&second, b.data, b.len);
    assert_int_equal(gh_tape_equal(&tape, 0, &second, 0, &same), GH_OK);
    assert_false(same);
    gh_buf_done(&a);
    gh_buf_done(&b);
}

static void positions_count_lines_and_bytes(void **state)
{
    static const struct {
        const char *text;
        size_t off;
        uint32_t line;
        uint32_t column;
    } rows[] = {
        { "abc", 0, 1, 1 },    { "abc", 2, 1, 3 },          { "a\nb", 1, 1, 2 },
        { "a\nb", 2, 2, 1 },   { "a\r\nb", 3, 2, 1 },       { "a\rb", 2, 2, 1 },
        { "\n\n\n", 3, 4, 1 }, { "a\n\xC3\xA9x", 4, 2, 3 }, { "", 0, 1, 1 },
        { "ab", 9, 1, 3 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint32_t line;
        uint32_t column;

        gh_json_position(rows[i].text, strlen(rows[i].text), rows[i].off, &line, &column);
        assert_int_equal(line, rows[i].line);
        assert_int_equal(column, rows[i].column);
    }
}

static void utf8_check_agrees_with_the_definition(void **state)
{
    /* Every sequence of up to three bytes of these, before and behind ASCII. */
    static const unsigned char bytes[] = { 0x00, 0x41, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF,
                                           0xC0, 0xC1, 0xC2, 0xDF, 0xE0, 0xE1, 0xEC, 0xED, 0xEE,
                                           0xEF, 0xF0, 0xF1, 0xF3, 0xF4, 0xF5, 0xFF };
    enum { N = sizeof bytes };
    size_t n_impls;
    const struct gh_json_impl *const *impls = gh_json_impls(&n_impls);

    (void)state;
    for (unsigned i = 0; i < N * N * N * 2; i++) {
        char text[100];
        unsigned pad = i & 1 ? 31 : 61; /* across a block's end */
        size_t good = 0;

        memset(text, 'x', sizeof text);
        memcpy(text, "[\"", 2);
        for (unsigned k = 0, rest = i / 2; k < 3; k++, rest /= N)
            text[pad + k] = (char)bytes[rest % N];
        text[pad + 3] = (char)0xBF; /* a fourth byte, for those that need it */
        memcpy(text + sizeof text - 2, "\"]", 2);
        while (good < sizeof text) {
            unsigned n = gh_utf8_sequence(text + good, sizeof text - good);

            if (n == 0) break;
            good += n;
        }
        assert_int_equal(gh_utf8_check(text, sizeof text), good);
        for (size_t k = 0; k < n_impls; k++) {
            tape.impl = impls[k];

            enum gh_json_err err = gh_tape_parse(&tape, text, sizeof text, NULL);

            assert_int_equal(err == GH_JSON_UTF8, good < sizeof text);
            if (good < sizeof text) assert_int_equal(tape.err_off, good);
        }
    }
    tape.impl = impls[0];
}

static void errors_have_texts(void **state)
{
    (void)state;
    for (int e = 0; e < GH_JSON_ERR_COUNT; e++)
        assert_true(strlen(gh_json_err_text((enum gh_json_err)e)) > 0);
    assert_string_equal(gh_json_err_text(GH_JSON_ERR_COUNT), "unknown error");
}

static int set_up(void **state)
{
    (void)state;
    gh_tape_init(&tape);
    gh_tape_init(&second);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    gh_tape_done(&tape);
    gh_tape_done(&second);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(layout_is_as_the_header_says),
        cmocka_unit_test(verbatim_means_canonical),
        cmocka_unit_test(strings_decode),
        cmocka_unit_test(nonascii_is_per_string),
        cmocka_unit_test(members_and_elements_are_found),
        cmocka_unit_test(pointers_follow_rfc_6901),
        cmocka_unit_test(equality_is_json_schemas),
        cmocka_unit_test(large_objects_are_equal_in_any_order),
        cmocka_unit_test(positions_count_lines_and_bytes),
        cmocka_unit_test(utf8_check_agrees_with_the_definition),
        cmocka_unit_test(errors_have_texts),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
