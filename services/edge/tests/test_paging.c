/* A list in pages against a peer that answers when the test says so. */
#include "paging.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct fixture {
    uv_loop_t loop;
    struct paging *paging;
    enum gh_err ask_err;
    char told[2048]; /* what happened: "?" and the cursor asked for, "whole", "drop" */
};

static void note(struct fixture *f, const char *word, ProtobufCBinaryData bytes)
{
    size_t len = strlen(f->told);

    (void)snprintf(f->told + len, sizeof f->told - len, "%s%.*s;", word, (int)bytes.len,
                   bytes.len > 0 ? (const char *)bytes.data : "");
}

static enum gh_err on_ask(void *ctx, ProtobufCBinaryData cursor)
{
    struct fixture *f = ctx;

    note(f, "?", cursor);
    return f->ask_err;
}

static void on_whole(void *ctx)
{
    note(ctx, "whole", gh_bytes(NULL, 0));
}

static void on_drop(void *ctx)
{
    note(ctx, "drop", gh_bytes(NULL, 0));
}

static const struct paging_ops ops = { .ask = on_ask, .whole = on_whole, .drop = on_drop };

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    if (uv_loop_init(&f->loop) != 0 || paging_new(&f->loop, &ops, f, &f->paging) != GH_OK)
        return -1;
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    int open;

    paging_free(f->paging);
    (void)uv_run(&f->loop, UV_RUN_DEFAULT);
    open = uv_loop_close(&f->loop);
    free(f);
    return open;
}

static void took(struct fixture *f, const char *cursor)
{
    paging_took(f->paging, gh_bytes_str(cursor));
}

static void pages_are_asked_for_one_after_the_other(void **state)
{
    struct fixture *f = *state;

    paging_read(f->paging);
    assert_true(paging_is_reading(f->paging));
    assert_true(paging_is_first(f->paging));
    took(f, "b");
    assert_false(paging_is_first(f->paging));
    took(f, "c");
    took(f, "");
    assert_string_equal(f->told, "?;?b;?c;whole;");
    assert_false(paging_is_reading(f->paging));
    paging_read(f->paging); /* from the start, each time */
    took(f, "");
    assert_string_equal(f->told, "?;?b;?c;whole;?;whole;");
}

static void what_is_known_to_be_old_is_read_again_once(void **state)
{
    struct fixture *f = *state;

    paging_read(f->paging);
    took(f, "b");
    paging_read(f->paging);
    paging_read(f->paging);
    took(f, "");
    assert_string_equal(f->told, "?;?b;whole;?;");
    took(f, "");
    assert_string_equal(f->told, "?;?b;whole;?;whole;");
    assert_false(paging_is_reading(f->paging));
}

static void a_page_that_fails_starts_it_over_later(void **state)
{
    struct fixture *f = *state;

    paging_read(f->paging);
    took(f, "b");
    paging_failed(f->paging);
    assert_string_equal(f->told, "?;?b;drop;");
    assert_true(
        paging_is_reading(f->paging)); /* it is on its way, as far as others are concerned */
    (void)uv_run(&f->loop, UV_RUN_ONCE);
    assert_string_equal(f->told, "?;?b;drop;?;");
    took(f, "");
    assert_string_equal(f->told, "?;?b;drop;?;whole;");
}

static void nobody_to_ask_is_a_failure_too(void **state)
{
    struct fixture *f = *state;

    f->ask_err = GH_ERR_UNAVAILABLE;
    paging_read(f->paging);
    assert_string_equal(f->told, "?;drop;");
    (void)uv_run(&f->loop, UV_RUN_ONCE);
    assert_string_equal(f->told, "?;drop;?;drop;");
    f->ask_err = GH_OK;
    (void)uv_run(&f->loop, UV_RUN_ONCE);
    took(f, "");
    assert_string_equal(f->told, "?;drop;?;drop;?;whole;");
}

static void a_cursor_too_long_to_keep_is_a_failure(void **state)
{
    struct fixture *f = *state;
    char longest[PAGING_CURSOR_MAX + 1];

    memset(longest, 'x', sizeof longest);
    paging_read(f->paging);
    paging_took(f->paging, gh_bytes(longest, sizeof longest - 1));
    assert_null(strstr(f->told, "drop"));
    paging_took(f->paging, gh_bytes(longest, sizeof longest));
    assert_non_null(strstr(f->told, "drop"));
    assert_true(paging_is_first(f->paging));
}

static void freed_while_it_waits_it_asks_no_more(void **state)
{
    struct fixture *f = *state;

    paging_read(f->paging);
    paging_failed(f->paging);
    paging_free(f->paging);
    f->paging = NULL;
    (void)uv_run(&f->loop, UV_RUN_DEFAULT);
    assert_string_equal(f->told, "?;drop;");
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        T(pages_are_asked_for_one_after_the_other), T(what_is_known_to_be_old_is_read_again_once),
        T(a_page_that_fails_starts_it_over_later),  T(nobody_to_ask_is_a_failure_too),
        T(a_cursor_too_long_to_keep_is_a_failure),  T(freed_while_it_waits_it_asks_no_more),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
