/* The ring of ticket keys over time: what seals, what still opens, what is gone. */
#include "ticket_keys.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define ROTATE_MS 1000

static void a_key_seals_one_rotation_and_opens_two(void **state)
{
    struct ticket_keys keys;
    uint8_t first[TICKET_NAME_BYTES], second[TICKET_NAME_BYTES];
    bool renew;

    (void)state;
    assert_int_equal(ticket_keys_init(&keys, ROTATE_MS, 5000), GH_OK);
    memcpy(first, ticket_keys_seal(&keys, 5000)->name, sizeof first);
    assert_memory_equal(ticket_keys_seal(&keys, 5999)->name, first, sizeof first);
    assert_non_null(ticket_keys_open(&keys, first, 5999, &renew));
    assert_false(renew);

    memcpy(second, ticket_keys_seal(&keys, 6000)->name, sizeof second);
    assert_memory_not_equal(first, second, sizeof first);
    assert_non_null(ticket_keys_open(&keys, first, 6999, &renew));
    assert_true(renew); /* good, but the client gets a ticket of the new key */
    assert_non_null(ticket_keys_open(&keys, second, 6999, &renew));
    assert_false(renew);

    assert_null(ticket_keys_open(&keys, first, 7000, &renew));
    assert_non_null(ticket_keys_open(&keys, second, 7000, &renew));
    ticket_keys_done(&keys);
}

static void what_nobody_used_is_too_old_all_the_same(void **state)
{
    struct ticket_keys keys;
    uint8_t first[TICKET_NAME_BYTES];
    bool renew;

    (void)state;
    assert_int_equal(ticket_keys_init(&keys, ROTATE_MS, 0), GH_OK);
    memcpy(first, keys.current.name, sizeof first);
    assert_null(ticket_keys_open(&keys, first, 2000, &renew)); /* no handshake in between */
    assert_false(keys.has_previous);
    assert_int_equal(keys.made_ms, 2000);
    assert_null(ticket_keys_open(&keys, first, 1000, &renew)); /* time going back revives nothing */
    ticket_keys_done(&keys);
}

static void a_foreign_name_opens_nothing(void **state)
{
    const uint8_t foreign[TICKET_NAME_BYTES] = { 0 };
    struct ticket_keys keys;
    bool renew;

    (void)state;
    assert_int_equal(ticket_keys_init(&keys, ROTATE_MS, 0), GH_OK);
    /* Before the first rotation the key before this one is all zeros, and nobody's. */
    assert_null(ticket_keys_open(&keys, foreign, 1, &renew));
    ticket_keys_done(&keys);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_seals_one_rotation_and_opens_two),
        cmocka_unit_test(what_nobody_used_is_too_old_all_the_same),
        cmocka_unit_test(a_foreign_name_opens_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
