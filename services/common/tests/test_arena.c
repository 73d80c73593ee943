#include "common/arena.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void gives_aligned_memory(void **state)
{
    struct gh_arena *arena = NULL;

    (void)state;
    assert_int_equal(gh_arena_new(1u << 20, &arena), GH_OK);
    for (size_t size = 0; size < 200; size++) {
        unsigned char *p = gh_arena_alloc(arena, size);

        assert_non_null(p);
        assert_int_equal((uintptr_t)p % 16, 0);
        memset(p, (int)size, size);
    }
    gh_arena_free(arena);
}

static void refuses_past_its_cap(void **state)
{
    struct gh_arena *arena = NULL;

    (void)state;
    assert_int_equal(gh_arena_new(256u << 10, &arena), GH_OK);
    assert_non_null(gh_arena_alloc(arena, 100u << 10));
    assert_non_null(gh_arena_alloc(arena, 100u << 10));
    assert_null(gh_arena_alloc(arena, 100u << 10));
    assert_null(gh_arena_alloc(arena, SIZE_MAX));
    gh_arena_reset(arena);
    assert_non_null(gh_arena_alloc(arena, 100u << 10));
    gh_arena_free(arena);
}

static void reset_gives_the_same_memory_again(void **state)
{
    struct gh_arena *arena = NULL;
    void *first;

    (void)state;
    assert_int_equal(gh_arena_new(1u << 20, &arena), GH_OK);
    first = gh_arena_alloc(arena, 64);
    gh_arena_reset(arena);
    assert_ptr_equal(gh_arena_alloc(arena, 64), first);
    gh_arena_free(arena);
}

static void free_takes_null(void **state)
{
    (void)state;
    gh_arena_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gives_aligned_memory),
        cmocka_unit_test(refuses_past_its_cap),
        cmocka_unit_test(reset_gives_the_same_memory_again),
        cmocka_unit_test(free_takes_null),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
