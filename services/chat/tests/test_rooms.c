#include "rooms.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void joins_once_and_leaves(void **state)
{
    struct rooms rooms = { 0 };

    (void)state;
    assert_int_equal(rooms_add(&rooms, "tea", 3), GH_OK);
    assert_int_equal(rooms_add(&rooms, "tea", 3), GH_ERR_EXISTS);
    assert_int_equal(rooms_add(&rooms, "te", 2), GH_OK);
    assert_true(rooms_has(&rooms, "tea", 3));
    assert_int_equal(rooms_remove(&rooms, "tea", 3), GH_OK);
    assert_false(rooms_has(&rooms, "tea", 3));
    assert_true(rooms_has(&rooms, "te", 2));
    assert_int_equal(rooms_remove(&rooms, "tea", 3), GH_ERR_NOT_FOUND);
}

static void holds_so_many_and_no_more(void **state)
{
    struct rooms rooms = { 0 };
    char name = 'a';

    (void)state;
    for (unsigned i = 0; i < ROOMS_MAX; i++, name++)
        assert_int_equal(rooms_add(&rooms, &name, 1), GH_OK);
    assert_int_equal(rooms_add(&rooms, &name, 1), GH_ERR_LIMIT);
    assert_int_equal(rooms_remove(&rooms, "a", 1), GH_OK);
    assert_int_equal(rooms_add(&rooms, &name, 1), GH_OK);
}

static void names_have_limits(void **state)
{
    char name[ROOM_NAME_MAX + 1];

    (void)state;
    memset(name, 'x', sizeof(name));
    assert_true(room_name_valid(name, ROOM_NAME_MAX));
    assert_false(room_name_valid(name, ROOM_NAME_MAX + 1));
    assert_false(room_name_valid("", 0));
    assert_false(room_name_valid("a\nb", 3));
    assert_false(room_name_valid("a\x7f", 2));
    assert_false(room_name_valid("a\0b", 3));
    assert_true(room_name_valid("caf\xc3\xa9 no. 1", 11));
}

static void a_topic_is_the_name_with_a_prefix(void **state)
{
    char topic[ROOM_TOPIC_MAX];

    (void)state;
    assert_int_equal(room_topic("tea", 3, topic), 8);
    assert_memory_equal(topic, "room:tea", 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(joins_once_and_leaves),
        cmocka_unit_test(holds_so_many_and_no_more),
        cmocka_unit_test(names_have_limits),
        cmocka_unit_test(a_topic_is_the_name_with_a_prefix),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
