/* What is told of refused messages: which become events of their own, and by which id they go. */
#include "event_cap.h"
#include "message_id.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static void repetitions_are_counted(void **state)
{
    struct event_cap cap;

    (void)state;
    event_cap_begin(&cap, 1000);
    for (int i = 0; i < EVENT_CAP_SINGLE; i++)
        assert_true(event_cap_take(&cap, GH_CODE_CSRF));
    for (int i = 0; i < 500; i++)
        assert_false(event_cap_take(&cap, GH_CODE_CSRF));
    assert_int_equal(cap.counts[GH_CODE_CSRF], 500);
    assert_int_equal(cap.suppressed, 500);
}

static void another_kind_is_told_whatever_came_before(void **state)
{
    struct event_cap cap;

    (void)state;
    event_cap_begin(&cap, 1000);
    for (int i = 0; i < 1000; i++)
        (void)event_cap_take(&cap, GH_CODE_SCHEMA);
    for (uint32_t code = 0; code < GH_CODE_COUNT; code++)
        assert_int_equal(event_cap_take(&cap, code), code != GH_CODE_SCHEMA);
    assert_false(event_cap_take(&cap, GH_CODE_ROLE)); /* the second of its kind */
    assert_false(event_cap_take(&cap, 999));          /* as GH_CODE_INTERNAL, which was told */
    assert_int_equal(cap.counts[GH_CODE_INTERNAL], 1);
}

static void a_window_ends_after_a_second(void **state)
{
    struct event_cap cap;

    (void)state;
    event_cap_begin(&cap, 1000);
    assert_false(event_cap_over(&cap, 1999));
    assert_true(event_cap_over(&cap, 2000));
    for (int i = 0; i < 100; i++)
        (void)event_cap_take(&cap, GH_CODE_CSRF);
    event_cap_begin(&cap, 2000);
    assert_int_equal(cap.suppressed, 0);
    assert_true(event_cap_take(&cap, GH_CODE_CSRF));
}

#define A64 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static const struct {
    const char *message, *id; /* NULL: none */
} ids[] = {
    { "{\"type\":\"chat\",\"payload\":{},\"id\":\"m1\"}", "m1" },
    { "{\"id\":\"first\",\"payload\":{\"id\":\"inner\"}}", "first" },
    { "{\"payload\":{\"id\":\"inner\"}}", NULL },
    { "{\"id\":\"" A64 "\"}", A64 },
    { "{\"id\":\"" A64 "a\"}", NULL },
    { "{\"id\":\"\"}", NULL },
    { "{\"id\":7}", NULL },
    { "{\"id\":null}", NULL },
    { "{\"id\":\"a\",\"id\":\"b\"}", NULL }, /* no message: a key twice */
    { "{\"id\":\"\\u0061\\\"\\n\"}", "a\\\"\\n" },
    { "{\"id\":\"\\u0000\"}", NULL },
    { "{\"id\":\"<script>\"}", "<script>" },
    { "[\"id\"]", NULL },
    { "\"id\"", NULL },
    { "{\"id\":\"m1\"", NULL },
    { "{\"id\":\"m1\"} ", "m1" },
    { "", NULL },
    { "\xff", NULL },
};

static void ids_found(void **state)
{
    struct gh_tape tape;

    (void)state;
    gh_tape_init(&tape);
    for (size_t i = 0; i < COUNT(ids); i++) {
        char id[MESSAGE_ID_TEXT_MAX];
        size_t len = 0;
        bool found = message_id_find(&tape, ids[i].message, strlen(ids[i].message), id, &len);

        if (found != (ids[i].id != NULL)) fail_msg("%s: %d", ids[i].message, found);
        if (!found) continue;
        if (len != strlen(ids[i].id) || memcmp(id, ids[i].id, len) != 0)
            fail_msg("%s: %.*s", ids[i].message, (int)len, id);
    }
    gh_tape_done(&tape);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(repetitions_are_counted),
        cmocka_unit_test(another_kind_is_told_whatever_came_before),
        cmocka_unit_test(a_window_ends_after_a_second),
        cmocka_unit_test(ids_found),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
