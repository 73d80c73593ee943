/*
 * What the parser accepts and refuses, why and where. Each row runs under every instruction set
 * this processor has, from a block of exactly the text's size, and again inside a longer document
 * so that what is short here also crosses the blocks of the scanner.
 */
#include "common/json/parse.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct row {
    const char *text;
    enum gh_json_err err;
    uint32_t off;
    size_t len; /* 0: strlen */
};

#define OK(text)                                                                                   \
    {                                                                                              \
        text, GH_JSON_OK, 0, 0                                                                     \
    }
#define BAD(text, err, off)                                                                        \
    {                                                                                              \
        text, err, off, 0                                                                          \
    }
#define BYTES(text, err, off)                                                                      \
    {                                                                                              \
        text, err, off, sizeof(text) - 1                                                           \
    }

static const struct row rows[] = {
    /* literals */
    OK("null"),
    OK("true"),
    OK("false"),
    OK(" null "),
    OK("\t\r\n true\n"),
    BAD("nul", GH_JSON_TRUNCATED, 3),
    BAD("nulx", GH_JSON_LITERAL, 0),
    BAD("Null", GH_JSON_VALUE, 0),
    BAD("TRUE", GH_JSON_VALUE, 0),
    BAD("t", GH_JSON_TRUNCATED, 1),
    BAD("fals", GH_JSON_TRUNCATED, 4),
    BAD("falsE", GH_JSON_LITERAL, 0),
    BAD("nullx", GH_JSON_TRAILING, 4),
    BAD("truefalse", GH_JSON_TRAILING, 4),
    BAD("[nul]", GH_JSON_LITERAL, 1),
    BAD("[tru]", GH_JSON_LITERAL, 1),
    BAD("[fals]", GH_JSON_LITERAL, 1),
    BAD("[nullx]", GH_JSON_COMMA_ARRAY, 5),
    BAD("undefined", GH_JSON_VALUE, 0),
    BAD("NaN", GH_JSON_VALUE, 0),
    BAD("Infinity", GH_JSON_VALUE, 0),
    BAD("[None]", GH_JSON_VALUE, 1),
    /* nothing, and more than one thing */
    BAD("", GH_JSON_EMPTY, 0),
    BAD(" ", GH_JSON_EMPTY, 1),
    BAD("\n\t\r ", GH_JSON_EMPTY, 4),
    BAD("1 2", GH_JSON_TRAILING, 2),
    BAD("{} {}", GH_JSON_TRAILING, 3),
    BAD("[][]", GH_JSON_TRAILING, 2),
    BAD("[],", GH_JSON_TRAILING, 2),
    BAD("{}}", GH_JSON_TRAILING, 2),
    BAD("[]]", GH_JSON_TRAILING, 2),
    BAD("\"a\" x", GH_JSON_TRAILING, 4),
    BAD("{}//", GH_JSON_TRAILING, 2),
    BAD("{}/**/", GH_JSON_TRAILING, 2),
    BAD("# c\n1", GH_JSON_VALUE, 0),
    BAD("/**/1", GH_JSON_VALUE, 0),
    BAD("[1/**/]", GH_JSON_COMMA_ARRAY, 2),
    /* white space that is not JSON's */
    BAD("\v1", GH_JSON_VALUE, 0),
    BAD("\f1", GH_JSON_VALUE, 0),
    BAD("[1\f]", GH_JSON_COMMA_ARRAY, 2),
    BAD("1\v", GH_JSON_TRAILING, 1),
    BAD("\xC2\xA0"
        "1",
        GH_JSON_VALUE, 0),
    BAD("\xE2\x80\x83"
        "1",
        GH_JSON_VALUE, 0),
    BAD("[\xE2\x80\xA8"
        "1]",
        GH_JSON_VALUE, 1),
    BAD("\xEF\xBB\xBF"
        "1",
        GH_JSON_BOM, 0),
    BAD("\xEF\xBB\xBF{}", GH_JSON_BOM, 0),
    BAD("\xEF\xBB\xBF", GH_JSON_BOM, 0),
    BAD("[\xEF\xBB\xBF"
        "1]",
        GH_JSON_VALUE, 1),
    OK("\"\xEF\xBB\xBF\""),
    /* NUL, and other bytes, where they stand */
    BYTES("\0", GH_JSON_VALUE, 0),
    BYTES("1\0", GH_JSON_TRAILING, 1),
    BYTES("[1]\0", GH_JSON_TRAILING, 3),
    BYTES("[1\0]", GH_JSON_COMMA_ARRAY, 2),
    BYTES("[\0]", GH_JSON_VALUE, 1),
    BYTES("\"a\0b\"", GH_JSON_CONTROL, 2),
    BYTES("{\"a\0\":1}", GH_JSON_CONTROL, 3),
    BYTES("{\0\"a\":1}", GH_JSON_KEY, 1),
    BYTES("nul\0", GH_JSON_LITERAL, 0),
    BYTES("12\0"
          "3",
          GH_JSON_TRAILING, 2),
    BYTES("\"\\u00\0"
          "0\"",
          GH_JSON_ESCAPE, 5),
    BYTES("\"\\\0\"", GH_JSON_ESCAPE, 2),
    BYTES("{\"a\":1}\0\0\0\0", GH_JSON_TRAILING, 7),
    /* numbers */
    OK("0"),
    OK("-0"),
    OK("1"),
    OK("-1"),
    OK("10"),
    OK("1234567890123456789012345678901234567890"),
    OK("0.0"),
    OK("-0.0"),
    OK("0.5"),
    OK("1.25"),
    OK("1e5"),
    OK("1E5"),
    OK("1e+5"),
    OK("1e-5"),
    OK("1.5e10"),
    OK("0e0"),
    OK("0e99999999999"),
    OK("0e-99999999999"),
    OK("-0E+0"),
    OK("1e00005"),
    OK("0.000000000000000000000000000000000000000000000000000000000000000001"),
    OK("9007199254740993"),
    OK("9223372036854775807"),
    OK("-9223372036854775808"),
    OK("18446744073709551616"),
    OK("1e-400"),
    OK("1e-999999999"),
    OK("123.456e78"),
    OK("1.7976931348623157e308"),
    OK("-1.7976931348623157e308"),
    OK("17976931348623157e292"),
    OK("1.7976931348623158e308"),
    OK("1.79769313486231580793e308"),
    BAD("1.797693134862315808e308", GH_JSON_NUMBER_RANGE, 0),
    BAD("1.7976931348623159e308", GH_JSON_NUMBER_RANGE, 0),
    BAD("-1.7976931348623159e308", GH_JSON_NUMBER_RANGE, 0),
    BAD("1e309", GH_JSON_NUMBER_RANGE, 0),
    BAD("[1e309]", GH_JSON_NUMBER_RANGE, 1),
    BAD("1e999999999999", GH_JSON_NUMBER_RANGE, 0),
    BAD("0.1e310", GH_JSON_NUMBER_RANGE, 0),
    OK("0.1e309"),
    OK("0.0001e312"),
    BAD("1000e306", GH_JSON_NUMBER_RANGE, 0),
    OK("100e306"),
    BAD("1e-1000000000", GH_JSON_NUMBER_RANGE, 0),
    BAD("-", GH_JSON_TRUNCATED, 1),
    BAD("[-]", GH_JSON_NUMBER, 2),
    BAD("--1", GH_JSON_NUMBER, 1),
    BAD("+1", GH_JSON_VALUE, 0),
    BAD("-a", GH_JSON_NUMBER, 1),
    BAD("- 1", GH_JSON_NUMBER, 1),
    BAD("01", GH_JSON_NUMBER, 1),
    BAD("-01", GH_JSON_NUMBER, 2),
    BAD("00", GH_JSON_NUMBER, 1),
    BAD("[012]", GH_JSON_NUMBER, 2),
    BAD("-00.5", GH_JSON_NUMBER, 2),
    BAD("1.", GH_JSON_TRUNCATED, 2),
    BAD("[1.]", GH_JSON_NUMBER, 3),
    BAD(".5", GH_JSON_VALUE, 0),
    BAD("[1.e5]", GH_JSON_NUMBER, 3),
    BAD("1..2", GH_JSON_NUMBER, 2),
    BAD("1.2.3", GH_JSON_TRAILING, 3),
    BAD("1e", GH_JSON_TRUNCATED, 2),
    BAD("[1e]", GH_JSON_NUMBER, 3),
    BAD("1e+", GH_JSON_TRUNCATED, 3),
    BAD("[1e+]", GH_JSON_NUMBER, 4),
    BAD("[1e-]", GH_JSON_NUMBER, 4),
    BAD("1e5.5", GH_JSON_TRAILING, 3),
    BAD("1ee5", GH_JSON_NUMBER, 2),
    BAD("1e+-5", GH_JSON_NUMBER, 3),
    BAD("0x10", GH_JSON_TRAILING, 1),
    BAD("1_000", GH_JSON_TRAILING, 1),
    BAD("1,5", GH_JSON_TRAILING, 1),
    BAD("1 000", GH_JSON_TRAILING, 2),
    BAD("1f", GH_JSON_TRAILING, 1),
    BAD("\xEF\xBC\x91", GH_JSON_VALUE, 0),
    BAD("1\xEF\xBC\x91", GH_JSON_TRAILING, 1),
    BAD("-Infinity", GH_JSON_NUMBER, 1),
    BAD("1a", GH_JSON_TRAILING, 1),
    /* strings */
    OK("\"\""),
    OK("\"a\""),
    OK("\" \""),
    OK("\"\x7F\""),
    OK("\"/\""),
    OK("\"'\""),
    OK("\"0123456789012345678901234567890123456789\""),
    OK("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\""),
    OK("\"\\u0041\""),
    OK("\"\\u00e9\\u00E9\""),
    OK("\"\\u0000\""),
    OK("\"\\uFFFF\\uFFFE\""),
    OK("\"\\uD83D\\uDE00\""),
    OK("\"\\ud800\\udc00\""),
    OK("\"\\udbff\\udfff\""),
    OK("\"\\u2028\\u2029\""),
    OK("\"\xE2\x80\xA8\""),
    BAD("\"", GH_JSON_TRUNCATED, 1),
    BAD("\"a", GH_JSON_TRUNCATED, 2),
    BAD("[\"a]", GH_JSON_TRUNCATED, 4),
    BAD("{\"a}", GH_JSON_TRUNCATED, 4),
    BAD("'a'", GH_JSON_VALUE, 0),
    BAD("\"a\nb\"", GH_JSON_CONTROL, 2),
    BAD("\"\t\"", GH_JSON_CONTROL, 1),
    BAD("\"\x1F\"", GH_JSON_CONTROL, 1),
    BAD("\"abcdefghijklmnopqrstuvwxyz0123456789\x01\"", GH_JSON_CONTROL, 37),
    BAD("\"\\", GH_JSON_TRUNCATED, 2),
    BAD("\"\\\"", GH_JSON_TRUNCATED, 3),
    BAD("\"\\a\"", GH_JSON_ESCAPE, 2),
    BAD("\"\\'\"", GH_JSON_ESCAPE, 2),
    BAD("\"\\v\"", GH_JSON_ESCAPE, 2),
    BAD("\"\\0\"", GH_JSON_ESCAPE, 2),
    BAD("\"\\x41\"", GH_JSON_ESCAPE, 2),
    BAD("\"\\U0041\"", GH_JSON_ESCAPE, 2),
    BAD("\"\\\n\"", GH_JSON_ESCAPE, 2),
    BAD("\"\\\xC3\xA9\"", GH_JSON_ESCAPE, 2),
    BAD("\"\\N\"", GH_JSON_ESCAPE, 2),
    BAD("\"\\u\"", GH_JSON_ESCAPE, 3),
    BAD("\"\\u004\"", GH_JSON_ESCAPE, 6),
    BAD("\"\\u00g1\"", GH_JSON_ESCAPE, 5),
    BAD("\"\\u 041\"", GH_JSON_ESCAPE, 3),
    BAD("\"\\u+041\"", GH_JSON_ESCAPE, 3),
    BAD("\"\\u{41}\"", GH_JSON_ESCAPE, 3),
    BAD("\"\\u00", GH_JSON_TRUNCATED, 5),
    BAD("[\"\\u00]", GH_JSON_ESCAPE, 6),
    BAD("[\"\\]", GH_JSON_ESCAPE, 3),
    BAD("[\"\\u]", GH_JSON_ESCAPE, 4),
    BAD("\"\\ud800\"", GH_JSON_SURROGATE, 1),
    BAD("\"\\uDBFF\"", GH_JSON_SURROGATE, 1),
    BAD("\"\\udc00\"", GH_JSON_SURROGATE, 1),
    BAD("\"\\uDFFF\"", GH_JSON_SURROGATE, 1),
    BAD("\"\\ud800a\"", GH_JSON_SURROGATE, 1),
    BAD("\"\\ud800\\n\"", GH_JSON_SURROGATE, 1),
    BAD("\"\\ud800\\u0041\"", GH_JSON_SURROGATE, 1),
    BAD("\"\\ud800\\ud800\"", GH_JSON_SURROGATE, 1),
    BAD("\"\\udc00\\udc00\"", GH_JSON_SURROGATE, 1),
    BAD("\"\\udc00\\ud800\"", GH_JSON_SURROGATE, 1),
    BAD("\"\\ud83d\\ude0\"", GH_JSON_ESCAPE, 12),
    BAD("\"\\ud83d\\u\"", GH_JSON_ESCAPE, 9),
    BAD("\"\\ud83d\\\"", GH_JSON_SURROGATE, 1),
    BAD("\"\\uD83D\\uDE00\\uD83D\"", GH_JSON_SURROGATE, 13),
    BAD("{\"\\ud800\":1}", GH_JSON_SURROGATE, 2),
    BAD("[\"a string longer than any block of the scanner]", GH_JSON_TRUNCATED, 48),
    BAD("[[\"a text longer than any block of the scanner\"]", GH_JSON_TRUNCATED, 48),
    BAD("{\"a text longer than any block of the scanner\":{}", GH_JSON_TRUNCATED, 49),
    BAD("[\"~0123456789012345678901234567\\\\]", GH_JSON_TRUNCATED, 34),
    BAD("[\"~012345678\\\\]", GH_JSON_TRUNCATED, 15),
    BAD("[\"~0\\\\]", GH_JSON_TRUNCATED, 7),
    BAD("[\"~0\\\"]", GH_JSON_TRUNCATED, 7),
    /* UTF-8 */
    OK("\"\xC2\x80\""),
    OK("\"\xDF\xBF\""),
    OK("\"\xE0\xA0\x80\""),
    OK("\"\xED\x9F\xBF\""),
    OK("\"\xEE\x80\x80\""),
    OK("\"\xEF\xBF\xBF\""),
    OK("\"\xF0\x90\x80\x80\""),
    OK("\"\xF4\x8F\xBF\xBF\""),
    OK("\"\xF1\x80\x80\x80\xF3\xBF\xBF\xBF\""),
    BAD("\"\x80\"", GH_JSON_UTF8, 1),
    BAD("\"\xBF\"", GH_JSON_UTF8, 1),
    BAD("\"\xC0\x80\"", GH_JSON_UTF8, 1),
    BAD("\"\xC1\xBF\"", GH_JSON_UTF8, 1),
    BAD("\"\xC2\"", GH_JSON_UTF8, 1),
    BAD("\"\xC2\x41\"", GH_JSON_UTF8, 1),
    BAD("\"\xC2\xC2\"", GH_JSON_UTF8, 1),
    BAD("\"\xE0\x80\x80\"", GH_JSON_UTF8, 1),
    BAD("\"\xE0\x9F\xBF\"", GH_JSON_UTF8, 1),
    BAD("\"\xE2\x82\"", GH_JSON_UTF8, 1),
    BAD("\"\xE2\"", GH_JSON_UTF8, 1),
    BAD("\"\xE2\x28\xA1\"", GH_JSON_UTF8, 1),
    BAD("\"\xED\xA0\x80\"", GH_JSON_UTF8, 1),
    BAD("\"\xED\xBF\xBF\"", GH_JSON_UTF8, 1),
    BAD("\"\xED\xA0\xBD\xED\xB8\x80\"", GH_JSON_UTF8, 1),
    BAD("\"\xF0\x80\x80\x80\"", GH_JSON_UTF8, 1),
    BAD("\"\xF0\x8F\xBF\xBF\"", GH_JSON_UTF8, 1),
    BAD("\"\xF0\x9F\x98\"", GH_JSON_UTF8, 1),
    BAD("\"\xF0\x9F\"", GH_JSON_UTF8, 1),
    BAD("\"\xF4\x90\x80\x80\"", GH_JSON_UTF8, 1),
    BAD("\"\xF5\x80\x80\x80\"", GH_JSON_UTF8, 1),
    BAD("\"\xF8\x88\x80\x80\x80\"", GH_JSON_UTF8, 1),
    BAD("\"\xFC\x84\x80\x80\x80\x80\"", GH_JSON_UTF8, 1),
    BAD("\"\xFE\"", GH_JSON_UTF8, 1),
    BAD("\"\xFF\"", GH_JSON_UTF8, 1),
    BAD("\"ok\xC3\xA9\xE9\"", GH_JSON_UTF8, 5),
    BAD("\"a\xC3\"", GH_JSON_UTF8, 2),
    BAD("\xFF", GH_JSON_UTF8, 0),
    BAD("[1]\xC3", GH_JSON_UTF8, 3),
    BAD("{\"\xC0\xAF\":1}", GH_JSON_UTF8, 2),
    BAD("\xFF\xFE{\"", GH_JSON_UTF8, 0),
    BYTES("{\0}\0", GH_JSON_KEY, 1),
    BYTES("\0{\0}", GH_JSON_VALUE, 0),
    /* arrays */
    OK("[]"),
    OK("[ ]"),
    OK("[1]"),
    OK("[1,2]"),
    OK("[ 1 , 2 ]"),
    OK("[[],[[]],{}]"),
    OK("[\n1\n,\n2\n]"),
    OK("[null,true,false,0,\"\",[],{}]"),
    BAD("[", GH_JSON_TRUNCATED, 1),
    BAD("]", GH_JSON_VALUE, 0),
    BAD("[1", GH_JSON_TRUNCATED, 2),
    BAD("[1,", GH_JSON_TRUNCATED, 3),
    BAD("[,]", GH_JSON_VALUE, 1),
    BAD("[1,]", GH_JSON_VALUE, 3),
    BAD("[,1]", GH_JSON_VALUE, 1),
    BAD("[1,,2]", GH_JSON_VALUE, 3),
    BAD("[1 2]", GH_JSON_COMMA_ARRAY, 3),
    BAD("[1;2]", GH_JSON_COMMA_ARRAY, 2),
    BAD("[1:2]", GH_JSON_COMMA_ARRAY, 2),
    BAD("[1}", GH_JSON_COMMA_ARRAY, 2),
    BAD("[}", GH_JSON_VALUE, 1),
    BAD("[[]", GH_JSON_TRUNCATED, 3),
    BAD("[[1]", GH_JSON_TRUNCATED, 4),
    BAD("[{]}", GH_JSON_KEY, 2),
    BAD("[\"a\"1]", GH_JSON_COMMA_ARRAY, 4),
    BAD("[\"a\":1]", GH_JSON_COMMA_ARRAY, 4),
    BAD("[1\"a\"]", GH_JSON_COMMA_ARRAY, 2),
    BAD("[a]", GH_JSON_VALUE, 1),
    BAD("[*]", GH_JSON_VALUE, 1),
    BAD("[1]]", GH_JSON_TRAILING, 3),
    BAD("[]{}", GH_JSON_TRAILING, 2),
    /* objects */
    OK("{}"),
    OK("{ }"),
    OK("{\"a\":1}"),
    OK("{ \"a\" : 1 }"),
    OK("{\"a\":1,\"b\":2}"),
    OK("{\"\":0}"),
    OK("{\"a\":{\"a\":{\"a\":1}}}"),
    OK("{\"a\":[],\"b\":{}}"),
    OK("{\"a\":{\"x\":1},\"b\":{\"x\":1}}"),
    OK("[{\"a\":1},{\"a\":1}]"),
    OK("{\"a\":1,\"A\":2,\" a\":3,\"a \":4}"),
    OK("{\"\xC3\xA9\":1,\"e\xCC\x81\":2}"),
    BAD("{", GH_JSON_TRUNCATED, 1),
    BAD("}", GH_JSON_VALUE, 0),
    BAD("{\"a\"", GH_JSON_TRUNCATED, 4),
    BAD("{\"a\":", GH_JSON_TRUNCATED, 5),
    BAD("{\"a\":1", GH_JSON_TRUNCATED, 6),
    BAD("{\"a\":1,", GH_JSON_TRUNCATED, 7),
    BAD("{\"a\":1,}", GH_JSON_KEY, 7),
    BAD("{,}", GH_JSON_KEY, 1),
    BAD("{,\"a\":1}", GH_JSON_KEY, 1),
    BAD("{1:1}", GH_JSON_KEY, 1),
    BAD("{a:1}", GH_JSON_KEY, 1),
    BAD("{'a':1}", GH_JSON_KEY, 1),
    BAD("{null:1}", GH_JSON_KEY, 1),
    BAD("{[]:1}", GH_JSON_KEY, 1),
    BAD("{\"a\"}", GH_JSON_COLON, 4),
    BAD("{\"a\" 1}", GH_JSON_COLON, 5),
    BAD("{\"a\"=1}", GH_JSON_COLON, 4),
    BAD("{\"a\",1}", GH_JSON_COLON, 4),
    BAD("{\"a\"::1}", GH_JSON_VALUE, 5),
    BAD("{\"a\":}", GH_JSON_VALUE, 5),
    BAD("{\"a\":,}", GH_JSON_VALUE, 5),
    BAD("{:1}", GH_JSON_KEY, 1),
    BAD("{\"a\":1 \"b\":2}", GH_JSON_COMMA_OBJECT, 7),
    BAD("{\"a\":1;\"b\":2}", GH_JSON_COMMA_OBJECT, 6),
    BAD("{\"a\":1]", GH_JSON_COMMA_OBJECT, 6),
    BAD("{\"a\":1,,\"b\":2}", GH_JSON_KEY, 7),
    BAD("{\"a\":1:2}", GH_JSON_COMMA_OBJECT, 6),
    BAD("{\"a\":1}}", GH_JSON_TRAILING, 7),
    BAD("{\"a\":{}", GH_JSON_TRUNCATED, 7),
    BAD("{\"a\":[}]", GH_JSON_VALUE, 6),
    BAD("{]", GH_JSON_KEY, 1),
    BAD("{{}:1}", GH_JSON_KEY, 1),
    BAD("{\"a\":1 // c\n}", GH_JSON_COMMA_OBJECT, 7),
    BAD("{...}", GH_JSON_KEY, 1),
    BAD("{\"a\" \"b\":1}", GH_JSON_COLON, 5),
    /* the same key twice, however spelled */
    BAD("{\"a\":1,\"a\":1}", GH_JSON_DUPLICATE, 7),
    BAD("{\"\":1,\"\":2}", GH_JSON_DUPLICATE, 6),
    BAD("{\"a\":1,\"\\u0061\":2}", GH_JSON_DUPLICATE, 7),
    BAD("{\"\\u0061\":1,\"a\":2}", GH_JSON_DUPLICATE, 12),
    BAD("{\"\\u0061\":1,\"\\u0061\":2}", GH_JSON_DUPLICATE, 12),
    BAD("{\"a/\":1,\"a\\/\":2}", GH_JSON_DUPLICATE, 8),
    BAD("{\"\\n\":1,\"\\u000a\":2}", GH_JSON_DUPLICATE, 8),
    BAD("{\"\xF0\x9F\x98\x80\":1,\"\\ud83d\\ude00\":2}", GH_JSON_DUPLICATE, 10),
    BAD("{\"\xC3\xA9\":1,\"\\u00E9\":2}", GH_JSON_DUPLICATE, 8),
    BAD("{\"__proto__\":1,\"__pr\\u006fto__\":2}", GH_JSON_DUPLICATE, 15),
    BAD("{\"longer than eight a\":1,\"longer than eight b\":1,\"longer than eight \\u0061\":1}",
        GH_JSON_DUPLICATE, 49),
    BAD("{\"a\":1,\"b\":{\"c\":1,\"c\":2}}", GH_JSON_DUPLICATE, 18),
    BAD("{\"a\":1,\"b\":{\"c\":1},\"a\":\"not at the end\"}", GH_JSON_DUPLICATE, 19),
    BAD("{\"a\":1,\"b\":[],\"a\":\"not at the end\"}", GH_JSON_DUPLICATE, 14),
    BAD("{\"a\":1,\"b\":[{\"c\":1}],\"a\":\"not at the end\"}", GH_JSON_DUPLICATE, 21),
    BAD("{\"a\":1,\"b\":{\"a\":1},\"a\":2}", GH_JSON_DUPLICATE, 19),
    OK("{\"\\u0000\":1,\"\":2}"),
    OK("{\"a\\u0000\":1,\"a\":2,\"a\\u0000\\u0000\":3}"),
    OK("{\"aaaaaaaaX1\":1,\"aaaaaaaaX2\":2}"),
};

#define ROWS (sizeof rows / sizeof *rows)

static const struct gh_json_impl *const *impls;
static size_t n_impls;

static void check(const struct gh_json_impl *impl, const char *text, size_t len,
                  enum gh_json_err err, uint32_t off)
{
    struct gh_tape tape;
    char *exact = malloc(len ? len : 1);

    assert_non_null(exact);
    memcpy(exact, text, len);
    gh_tape_init(&tape);
    tape.impl = impl;

    enum gh_json_err got = gh_tape_parse(&tape, exact, len, NULL);

    if (got != err || tape.err != got || (err != GH_JSON_OK && tape.err_off != off))
        fail_msg("%s: got '%s' at %u, want '%s' at %u", impl->name, gh_json_err_text(got),
                 tape.err_off, gh_json_err_text(err), off);
    gh_tape_done(&tape);
    free(exact);
}

static void parses_as_stated(void **state)
{
    const struct row *row = *state;
    size_t len = row->len ? row->len : strlen(row->text);

    for (size_t i = 0; i < n_impls; i++)
        check(impls[i], row->text, len, row->err, row->off);
}

/* The same text as an element, at every distance from the scanner's blocks. Only verdicts: what the
 * error is called may depend on what follows. */
static void parses_the_same_inside(void **state)
{
    const struct row *row = *state;
    size_t len = row->len ? row->len : strlen(row->text);
    struct gh_tape tape;
    bool nests = row->err != GH_JSON_BOM && row->err != GH_JSON_EMPTY &&
                 row->err != GH_JSON_TRAILING && row->err != GH_JSON_TRUNCATED;

    if (!nests) return;
    gh_tape_init(&tape);
    for (size_t pad = 0; pad < 70; pad++) {
        char text[512];
        size_t at = 0;

        text[at++] = '[';
        text[at++] = '"';
        memset(text + at, 'x', pad);
        at += pad;
        text[at++] = '"';
        text[at++] = ',';
        memcpy(text + at, row->text, len);
        at += len;
        text[at++] = ']';

        char *exact = malloc(at);

        assert_non_null(exact);
        memcpy(exact, text, at);
        for (size_t i = 0; i < n_impls; i++) {
            tape.impl = impls[i];

            enum gh_json_err got = gh_tape_parse(&tape, exact, at, NULL);

            if ((got == GH_JSON_OK) != (row->err == GH_JSON_OK))
                fail_msg("%s, %zu bytes before it: %s", impls[i]->name, pad, gh_json_err_text(got));
        }
        free(exact);
    }
    gh_tape_done(&tape);
}

/* A test's name, on one line and in ASCII. */
static void name(char *out, size_t size, const char *prefix, const char *text)
{
    size_t n = (size_t)snprintf(out, size, "%s", prefix);

    for (; *text != '\0' && n + 1 < size; text++)
        out[n++] = *text >= 0x20 && *text < 0x7F ? *text : '.';
    out[n] = '\0';
}

int main(void)
{
    static struct CMUnitTest tests[2 * ROWS];
    static char names[2 * ROWS][96];

    impls = gh_json_impls(&n_impls);
    for (size_t i = 0; i < ROWS; i++) {
        char prefix[64];

        snprintf(prefix, sizeof prefix, "json, %s: ", gh_json_err_text(rows[i].err));
        name(names[2 * i], sizeof names[0], prefix, rows[i].text);
        name(names[2 * i + 1], sizeof names[0], "json, inside another: ", rows[i].text);
        tests[2 * i] =
            (struct CMUnitTest){ names[2 * i], parses_as_stated, NULL, NULL, (void *)&rows[i] };
        tests[2 * i + 1] = (struct CMUnitTest){ names[2 * i + 1], parses_the_same_inside, NULL,
                                                NULL, (void *)&rows[i] };
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
