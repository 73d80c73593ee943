#include "ledger.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void marks_are_found_again(void **state)
{
    (void)state;
    struct ledger *ledger = NULL;
    char sender[32];

    assert_int_equal(ledger_new(1000, 7, &ledger), GH_OK);
    for (uint64_t i = 1; i <= 500; i++) {
        snprintf(sender, sizeof(sender), "edge-%u", (unsigned)i);
        ledger_mark(ledger, sender, "s")->durable = i;
    }
    assert_int_equal(ledger_count(ledger), 500);
    for (uint64_t i = 1; i <= 500; i++) {
        snprintf(sender, sizeof(sender), "edge-%u", (unsigned)i);
        assert_int_equal(ledger_find(ledger, sender, "s")->durable, i);
    }
    assert_null(ledger_find(ledger, "edge-1", "t"));
    assert_null(ledger_find(ledger, "edge-501", "s"));
    /* The two names are kept apart. */
    (void)ledger_mark(ledger, "ab", "c");
    assert_null(ledger_find(ledger, "a", "bc"));
    ledger_free(ledger);
}

static void the_longest_unused_goes_first_and_never_a_pinned_one(void **state)
{
    (void)state;
    struct ledger *ledger = NULL;

    assert_int_equal(ledger_new(3, 7, &ledger), GH_OK);
    struct ledger_mark *a = ledger_mark(ledger, "a", "1");
    struct ledger_mark *b = ledger_mark(ledger, "b", "1");
    (void)ledger_mark(ledger, "c", "1");
    assert_ptr_equal(ledger_mark(ledger, "a", "1"), a); /* used again: b is the oldest */
    b->pins = 1;
    assert_non_null(ledger_mark(ledger, "d", "1"));
    assert_null(ledger_find(ledger, "c", "1"));
    assert_ptr_equal(ledger_find(ledger, "b", "1"), b);
    a->pins = 1;
    ledger_mark(ledger, "d", "1")->pins = 1;
    assert_null(ledger_mark(ledger, "e", "1"));
    assert_int_equal(ledger_count(ledger), 3);
    ledger_free(ledger);
}

static void what_did_not_reach_the_disk_is_taken_back(void **state)
{
    (void)state;
    struct ledger *ledger = NULL;

    assert_int_equal(ledger_new(3, 7, &ledger), GH_OK);
    struct ledger_mark *a = ledger_mark(ledger, "a", "1");
    a->durable = 5;
    a->taken = 9;
    ledger_rollback(ledger);
    assert_int_equal(a->taken, 5);
    ledger_free(ledger);
}

static void saved_marks_load_again(void **state)
{
    (void)state;
    struct ledger *ledger = NULL, *other = NULL;
    struct gh_buf out;

    gh_buf_init(&out, 0);
    assert_int_equal(ledger_new(3, 7, &ledger), GH_OK);
    assert_int_equal(ledger_new(2, 9, &other), GH_OK);
    ledger_mark(ledger, "old", "1")->durable = 1;
    ledger_mark(ledger, "edge-1", "00ff")->durable = UINT64_MAX;
    ledger_mark(ledger, "new", "1")->durable = 3;
    assert_int_equal(ledger_save(ledger, &out), GH_OK);
    for (const char *at = out.data, *end = out.data + out.len; at < end;) {
        const char *feed = memchr(at, '\n', (size_t)(end - at));
        assert_int_equal(ledger_load_line(other, at, (size_t)(feed - at)), GH_OK);
        at = feed + 1;
    }
    assert_null(ledger_find(other, "old", "1")); /* only two fit: the oldest is gone */
    assert_int_equal(ledger_find(other, "edge-1", "00ff")->durable, UINT64_MAX);
    assert_int_equal(ledger_find(other, "new", "1")->taken, 3);
    gh_buf_done(&out);
    ledger_free(ledger);
    ledger_free(other);
}

static void lines_that_are_none_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = { "",           "mark",         "mark a",      "mark a b",
                                       "mark a b c", "mark a b 1 2", "mark a b 1x", "Mark a b 1" };
    struct ledger *ledger = NULL;

    assert_int_equal(ledger_new(3, 7, &ledger), GH_OK);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(ledger_load_line(ledger, bad[i], strlen(bad[i])), GH_ERR_BAD_MESSAGE);
    assert_int_equal(ledger_count(ledger), 0);
    ledger_free(ledger);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(marks_are_found_again),
        cmocka_unit_test(the_longest_unused_goes_first_and_never_a_pinned_one),
        cmocka_unit_test(what_did_not_reach_the_disk_is_taken_back),
        cmocka_unit_test(saved_marks_load_again),
        cmocka_unit_test(lines_that_are_none_are_refused),
    };
    return cmocka_run_group_tests_name("ledger", tests, NULL, NULL);
}
