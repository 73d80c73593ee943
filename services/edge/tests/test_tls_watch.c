/* When files count as replaced: all of them still, and other than before. */
#include "tls_watch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

struct folder {
    char dir[64], cert[96], key[96], ocsp[96];
    struct edge_tls_config config;
    struct edge_tls_pair_config more;
};

static void put(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static int setup(void **state)
{
    struct folder *f = calloc(1, sizeof *f);

    (void)snprintf(f->dir, sizeof f->dir, "/tmp/gh-tls-watch-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    (void)snprintf(f->cert, sizeof f->cert, "%s/cert", f->dir);
    (void)snprintf(f->key, sizeof f->key, "%s/key", f->dir);
    (void)snprintf(f->ocsp, sizeof f->ocsp, "%s/ocsp", f->dir);
    put(f->cert, "a");
    put(f->key, "a");
    f->config.cert_file = f->config.key_file = f->cert;
    f->config.ocsp_file = f->config.client_ca_file = "";
    f->more = (struct edge_tls_pair_config){ f->cert, f->key, f->ocsp };
    f->config.more.items = &f->more;
    f->config.more.count = 1;
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct folder *f = *state;

    (void)unlink(f->cert);
    (void)unlink(f->key);
    (void)unlink(f->ocsp);
    (void)rmdir(f->dir);
    free(f);
    return 0;
}

static void nothing_new_is_nothing(void **state)
{
    struct folder *f = *state;
    struct tls_look look;

    tls_look_begin(&look, &f->config);
    for (int i = 0; i < 3; i++)
        assert_false(tls_look_changed(&look, &f->config));
}

static void a_change_counts_once_all_stand_still(void **state)
{
    struct folder *f = *state;
    struct tls_look look;

    tls_look_begin(&look, &f->config);
    put(f->cert, "new");
    assert_false(tls_look_changed(&look, &f->config));
    put(f->key, "new too"); /* the second of two files */
    assert_false(tls_look_changed(&look, &f->config));
    assert_true(tls_look_changed(&look, &f->config));
    assert_false(tls_look_changed(&look, &f->config));
}

static void a_file_that_goes_or_comes_is_a_change(void **state)
{
    struct folder *f = *state;
    struct tls_look look;

    tls_look_begin(&look, &f->config);
    assert_int_equal(unlink(f->key), 0);
    assert_false(tls_look_changed(&look, &f->config));
    assert_true(tls_look_changed(&look, &f->config));
    put(f->ocsp, "of a further certificate");
    assert_false(tls_look_changed(&look, &f->config));
    assert_true(tls_look_changed(&look, &f->config));
}

static void what_comes_and_goes_between_two_looks_is_none(void **state)
{
    struct folder *f = *state;
    struct tls_look look;

    tls_look_begin(&look, &f->config);
    put(f->ocsp, "passing");
    assert_false(tls_look_changed(&look, &f->config));
    assert_int_equal(unlink(f->ocsp), 0);
    assert_false(tls_look_changed(&look, &f->config));
    assert_false(tls_look_changed(&look, &f->config));
}

static void a_swapped_link_is_a_change(void **state)
{
    struct folder *f = *state;
    struct tls_look look;
    char link[96], other[96];

    (void)snprintf(link, sizeof link, "%s/link", f->dir);
    (void)snprintf(other, sizeof other, "%s/other", f->dir);
    assert_int_equal(symlink(f->cert, link), 0);
    f->config.cert_file = link;
    tls_look_begin(&look, &f->config);
    assert_int_equal(symlink(f->key, other), 0);
    assert_int_equal(rename(other, link), 0);
    assert_false(tls_look_changed(&look, &f->config));
    assert_true(tls_look_changed(&look, &f->config));
    assert_int_equal(unlink(link), 0);
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(nothing_new_is_nothing),
        T(a_change_counts_once_all_stand_still),
        T(a_file_that_goes_or_comes_is_a_change),
        T(what_comes_and_goes_between_two_looks_is_none),
        T(a_swapped_link_is_a_change),
    };

    return cmocka_run_group_tests_name("tls_watch", tests, NULL, NULL);
}
