/* Each limit at and past its edge, the duplicate table at its sizes, and a tape's memory. */
#include "common/json/buf.h"
#include "common/json/parse.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct row {
    const char *name;
    size_t field; /* offset of the limit */
    uint32_t limit;
    const char *at;   /* accepted */
    const char *past; /* refused */
    enum gh_json_err err;
    uint32_t off;
};

#define LIMIT(field) offsetof(struct gh_json_limits, field)

static const struct row rows[] = {
    { "bytes", LIMIT(max_bytes), 4, "[12]", "[123]", GH_JSON_TOO_BIG, 4 },
    { "bytes, white space counts", LIMIT(max_bytes), 4, "1   ", "1    ", GH_JSON_TOO_BIG, 4 },
    { "depth", LIMIT(max_depth), 2, "[[1]]", "[[[1]]]", GH_JSON_TOO_DEEP, 2 },
    { "depth, objects", LIMIT(max_depth), 2, "{\"a\":{\"a\":1}}", "{\"a\":{\"a\":{}}}",
      GH_JSON_TOO_DEEP, 10 },
    { "depth, mixed", LIMIT(max_depth), 2, "[{},[]]", "[{\"a\":[]}]", GH_JSON_TOO_DEEP, 6 },
    { "depth 0 takes scalars only", LIMIT(max_depth), 0, "1", "[]", GH_JSON_TOO_DEEP, 0 },
    { "depth, not siblings", LIMIT(max_depth), 1, "[1,2,3,4,5,6,7,8,9]", "[1,[]]", GH_JSON_TOO_DEEP,
      3 },
    { "nodes", LIMIT(max_nodes), 3, "[1,2]", "[1,2,3]", GH_JSON_NODES, 5 },
    { "nodes, keys count", LIMIT(max_nodes), 3, "{\"a\":1}", "{\"a\":1,\"b\":2}", GH_JSON_NODES,
      7 },
    { "nodes, a lone scalar", LIMIT(max_nodes), 1, "1", "[1]", GH_JSON_NODES, 1 },
    { "members", LIMIT(max_members), 2, "{\"a\":1,\"b\":2}", "{\"a\":1,\"b\":2,\"c\":3}",
      GH_JSON_MEMBERS, 13 },
    { "members, of one object", LIMIT(max_members), 1, "{\"a\":{\"a\":{\"a\":1}}}",
      "{\"a\":{\"a\":1,\"b\":1}}", GH_JSON_MEMBERS, 12 },
    { "members 0", LIMIT(max_members), 0, "{}", "{\"a\":1}", GH_JSON_MEMBERS, 1 },
    { "items", LIMIT(max_items), 2, "[1,2]", "[1,2,3]", GH_JSON_ITEMS, 5 },
    { "items 0", LIMIT(max_items), 0, "[]", "[1]", GH_JSON_ITEMS, 1 },
    { "string", LIMIT(max_string_bytes), 3, "\"abc\"", "\"abcd\"", GH_JSON_STRING_SIZE, 0 },
    { "string, decoded bytes count", LIMIT(max_string_bytes), 3, "\"\\u0061\\n\\\\\"",
      "\"\\u0061\\n\\\\\\\\\"", GH_JSON_STRING_SIZE, 0 },
    { "string, bytes and not characters", LIMIT(max_string_bytes), 3, "\"\xE2\x82\xAC\"",
      "\"\\ud83d\\ude00\"", GH_JSON_STRING_SIZE, 0 },
    { "string, keys have their own", LIMIT(max_string_bytes), 1, "{\"abcdef\":\"x\"}",
      "{\"a\":\"xy\"}", GH_JSON_STRING_SIZE, 5 },
    { "key", LIMIT(max_key_bytes), 3, "{\"abc\":1}", "{\"abcd\":1}", GH_JSON_KEY_SIZE, 1 },
    { "key, decoded", LIMIT(max_key_bytes), 2, "{\"\\u0061\\u0062\":1}", "{\"\\u20ac\":1}",
      GH_JSON_KEY_SIZE, 1 },
    { "number", LIMIT(max_number_chars), 5, "-1.25", "-1.256", GH_JSON_NUMBER_SIZE, 0 },
    { "number, its place", LIMIT(max_number_chars), 5, "[1e-10]", "[1e-100]", GH_JSON_NUMBER_SIZE,
      1 },
    { "NUL", LIMIT(refuse_nul), 1, "\"\\u0001\"", "[\"a\\u0000\"]", GH_JSON_NUL, 2 },
    { "NUL in a key", LIMIT(refuse_nul), 1, "{\"\\\\u0000\":1}", "{\"\\u0000\":1}", GH_JSON_NUL,
      2 },
};

static const struct gh_json_impl *const *impls;
static size_t n_impls;

static void limit_holds(void **state)
{
    const struct row *row = *state;
    struct gh_json_limits limits = gh_json_limits_default;
    struct gh_tape tape;

    if (row->field == LIMIT(refuse_nul))
        limits.refuse_nul = true;
    else
        memcpy((char *)&limits + row->field, &row->limit, sizeof row->limit);
    gh_tape_init(&tape);
    for (size_t i = 0; i < n_impls; i++) {
        tape.impl = impls[i];
        if (gh_tape_parse(&tape, row->at, strlen(row->at), &limits) != GH_JSON_OK)
            fail_msg("%s: %s", row->at, gh_json_err_text(tape.err));
        assert_int_equal(gh_tape_parse(&tape, row->past, strlen(row->past), NULL), GH_JSON_OK);
        assert_string_equal(
            gh_json_err_text(gh_tape_parse(&tape, row->past, strlen(row->past), &limits)),
            gh_json_err_text(row->err));
        assert_int_equal(tape.err_off, row->off);
    }
    gh_tape_done(&tape);
}

static void put(struct gh_buf *b, const char *before, unsigned i, const char *after)
{
    char part[64];

    snprintf(part, sizeof part, "%s%u%s", before, i, after);
    assert_int_equal(gh_buf_append(b, part, strlen(part)), GH_OK);
}

static void close_with(struct gh_buf *b, const char *bracket)
{
    assert_int_equal(gh_buf_append(b, bracket, 1), GH_OK);
}

/* n keys, then the first again in another spelling at the end. */
static void duplicates_are_found_at_any_size(void **state)
{
    static const unsigned sizes[] = { 2, 3, 15, 16, 17, 18, 31, 32, 33, 63, 64, 65, 500, 1023 };
    struct gh_buf b;
    struct gh_tape tape;

    (void)state;
    gh_tape_init(&tape);
    gh_buf_init(&b, 0);
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
        for (unsigned twin = 0; twin < sizes[s]; twin += 1 + sizes[s] / 7) {
            gh_buf_reset(&b);
            for (unsigned i = 0; i < sizes[s]; i++)
                put(&b, i ? ",\"a key with a number " : "{\"a key with a number ", i, "\":1");

            size_t unique = b.len;

            close_with(&b, "}");
            assert_int_equal(gh_tape_parse(&tape, b.data, b.len, NULL), GH_JSON_OK);
            b.len = unique;
            put(&b, ",\"a key \\u0077ith a number ", twin, "\":1}");
            assert_int_equal(gh_tape_parse(&tape, b.data, b.len, NULL), GH_JSON_DUPLICATE);
            assert_int_equal(tape.err_off, unique + 1);
        }
    gh_buf_done(&b);
    gh_tape_done(&tape);
}

/* A hash that an attacker can predict makes these collide; a seeded one finds few steps enough.
 * Only that it is right is checked here, since a test that judges time would fail on a busy
 * machine. */
static void large_object_is_accepted_under_any_seed(void **state)
{
    struct gh_json_limits limits = gh_json_limits_default;
    struct gh_buf b;

    (void)state;
    limits.max_members = 8000;
    gh_buf_init(&b, 0);
    for (unsigned i = 0; i < 5000; i++)
        put(&b, i ? ",\"" : "{\"", i * 64, "\":0");
    close_with(&b, "}");
    for (int round = 0; round < 20; round++) {
        struct gh_tape tape;

        gh_tape_init(&tape);
        assert_int_equal(gh_tape_parse(&tape, b.data, b.len, &limits), GH_JSON_OK);
        assert_int_equal(tape.nodes[0].count, 5000);
        gh_tape_done(&tape);
    }

    struct gh_tape a;
    struct gh_tape c;

    gh_tape_init(&a);
    gh_tape_init(&c);
    assert_memory_not_equal(a.seed, c.seed, sizeof a.seed);
    gh_tape_done(&a);
    gh_tape_done(&c);
    gh_buf_done(&b);
}

static void tape_is_reused_without_growing(void **state)
{
    static const char text[] = "{\"a\":[1,2,3],\"b\":{\"c\":\"d\\n\"}}";
    struct gh_tape tape;

    (void)state;
    gh_tape_init(&tape);
    assert_int_equal(gh_tape_parse(&tape, text, sizeof text - 1, NULL), GH_JSON_OK);

    const struct gh_node *nodes = tape.nodes;

    for (int i = 0; i < 1000; i++) {
        assert_int_equal(gh_tape_parse(&tape, text, sizeof text - 1, NULL), GH_JSON_OK);
        assert_int_equal(gh_tape_parse(&tape, "[1,2", 4, NULL), GH_JSON_TRUNCATED);
        assert_int_equal(gh_tape_parse(&tape, "\"scalar\"", 8, NULL), GH_JSON_OK);
    }
    assert_ptr_equal(tape.nodes, nodes);
    gh_tape_done(&tape);
    gh_tape_done(&tape);
}

static void fixed_array_is_never_outgrown(void **state)
{
    struct gh_node nodes[5];
    struct gh_tape tape;

    (void)state;
    memset(&nodes[4], 0xAB, sizeof nodes[4]);
    gh_tape_init_fixed(&tape, nodes, 4);
    assert_int_equal(gh_tape_parse(&tape, "[1,2,3]", 7, NULL), GH_JSON_OK);
    assert_ptr_equal(tape.nodes, nodes);
    assert_int_equal(gh_tape_parse(&tape, "[1,2,3,4]", 9, NULL), GH_JSON_NODES);
    assert_int_equal(gh_tape_parse(&tape, "[{\"a\":1}]", 9, NULL), GH_JSON_OK);
    assert_int_equal(gh_tape_parse(&tape, "[1,{\"a\":1}]", 11, NULL), GH_JSON_NODES);
    assert_int_equal(((unsigned char *)&nodes[4])[0], 0xAB);
    gh_tape_done(&tape);
}

static void growth_keeps_what_was_read(void **state)
{
    struct gh_json_limits limits = gh_json_limits_trusted;
    struct gh_buf b;
    struct gh_tape tape;
    uint32_t expect = 0;

    (void)state;
    gh_buf_init(&b, 0);
    for (unsigned i = 0; i < 40000; i++)
        put(&b, i ? "," : "[", i, "");
    close_with(&b, "]");
    gh_tape_init(&tape);
    assert_int_equal(gh_tape_parse(&tape, b.data, b.len, &limits), GH_JSON_OK);
    for (uint32_t i = 1; i < tape.nodes[0].next; i = tape.nodes[i].next) {
        int64_t v;

        assert_int_equal(gh_tape_int64(&tape, i, &v), GH_OK);
        assert_int_equal(v, expect++);
    }
    assert_int_equal(expect, 40000);
    gh_buf_done(&b);
    gh_tape_done(&tape);
}

static void hard_maxima_hold_whatever_is_asked(void **state)
{
    struct gh_json_limits limits;
    struct gh_tape tape;
    char *text = malloc(GH_JSON_MAX_BYTES + 1u);

    (void)state;
    assert_non_null(text);
    memset(&limits, 0xFF, sizeof limits);
    limits.refuse_nul = false;
    limits.allow_duplicates = false;
    gh_tape_init(&tape);

    memset(text, ' ', GH_JSON_MAX_BYTES + 1u);
    text[0] = '1';
    assert_int_equal(gh_tape_parse(&tape, text, GH_JSON_MAX_BYTES, &limits), GH_JSON_OK);
    assert_int_equal(gh_tape_parse(&tape, text, GH_JSON_MAX_BYTES + 1u, &limits), GH_JSON_TOO_BIG);

    memset(text, '[', GH_JSON_MAX_DEPTH + 1);
    memset(text + GH_JSON_MAX_DEPTH + 1, ']', GH_JSON_MAX_DEPTH + 1);
    assert_int_equal(gh_tape_parse(&tape, text, 2 * (GH_JSON_MAX_DEPTH + 1), &limits),
                     GH_JSON_TOO_DEEP);
    assert_int_equal(gh_tape_parse(&tape, text + 1, 2 * GH_JSON_MAX_DEPTH, &limits), GH_JSON_OK);

    /* A string whose source is almost all of it: its lengths fit their bits. */
    memset(text, 'a', GH_JSON_MAX_BYTES);
    text[0] = '"';
    text[GH_JSON_MAX_BYTES - 1] = '"';
    for (size_t i = 1; i + 6 < GH_JSON_MAX_BYTES - 1; i += 6)
        memcpy(text + i, "\\u0041", 6);
    assert_int_equal(gh_tape_parse(&tape, text, GH_JSON_MAX_BYTES, &limits), GH_JSON_OK);

    uint32_t escapes = (GH_JSON_MAX_BYTES - 1 - 1) / 6;

    assert_in_range(gh_tape_str_len(&tape, 0), escapes, escapes + 6);
    gh_tape_done(&tape);
    free(text);
}

int main(void)
{
    enum { ROWS = sizeof rows / sizeof *rows };
    const struct CMUnitTest others[] = {
        cmocka_unit_test(duplicates_are_found_at_any_size),
        cmocka_unit_test(large_object_is_accepted_under_any_seed),
        cmocka_unit_test(tape_is_reused_without_growing),
        cmocka_unit_test(fixed_array_is_never_outgrown),
        cmocka_unit_test(growth_keeps_what_was_read),
        cmocka_unit_test(hard_maxima_hold_whatever_is_asked),
    };
    static struct CMUnitTest tests[ROWS + sizeof others / sizeof *others];
    static char names[ROWS][80];

    impls = gh_json_impls(&n_impls);
    for (size_t i = 0; i < ROWS; i++) {
        snprintf(names[i], sizeof names[i], "json limit: %s", rows[i].name);
        tests[i] = (struct CMUnitTest){ names[i], limit_holds, NULL, NULL, (void *)&rows[i] };
    }
    memcpy(tests + ROWS, others, sizeof others);
    return _cmocka_run_group_tests("json limits", tests, sizeof tests / sizeof *tests, NULL, NULL);
}
