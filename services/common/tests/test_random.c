#include "common/clock.h"
#include "common/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

struct row {
    const char *name, *bytes;
    size_t len;
    const char *want;
};

/* RFC 4648 section 10, without padding; and the two letters that differ from base64. */
static const struct row rows[] = {
    { "b64url: empty", "", 0, "" },
    { "b64url: f", "f", 1, "Zg" },
    { "b64url: fo", "fo", 2, "Zm8" },
    { "b64url: foo", "foo", 3, "Zm9v" },
    { "b64url: foob", "foob", 4, "Zm9vYg" },
    { "b64url: fooba", "fooba", 5, "Zm9vYmE" },
    { "b64url: foobar", "foobar", 6, "Zm9vYmFy" },
    { "b64url: minus and underscore", "\xfb\xff\xfe", 3, "-__-" },
    { "b64url: zeros", "\0\0", 2, "AAA" },
    { "b64url: ones", "\xff", 1, "_w" },
};

static void encode_row(void **state)
{
    const struct row *row = *state;
    char dst[32];

    memset(dst, '#', sizeof dst);
    gh_b64url_encode(row->bytes, row->len, dst);
    assert_string_equal(dst, row->want);
    assert_int_equal(strlen(dst), GH_B64URL_LEN(row->len));
    assert_int_equal(dst[strlen(dst) + 1], '#');
}

static void tokens_have_their_length(void **state)
{
    char dst[GH_B64URL_LEN(200) + 2], again[GH_B64URL_LEN(200) + 2];

    (void)state;
    for (size_t n = 0; n <= 200; n++) {
        memset(dst, '#', sizeof dst);
        gh_random_token(n, dst);
        assert_int_equal(strlen(dst), GH_B64URL_LEN(n));
        assert_int_equal(dst[GH_B64URL_LEN(n) + 1], '#');
        assert_int_equal(strspn(dst, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                     "0123456789-_"),
                         strlen(dst));
        gh_random_token(n, again);
        if (n >= 16) assert_string_not_equal(dst, again);
    }
}

/* Over 64,000 bits each position is set about half the time: 8 standard deviations are allowed. */
static void bits_are_even(void **state)
{
    unsigned ones[64] = { 0 };

    (void)state;
    for (int i = 0; i < 64000; i++) {
        const uint64_t value = gh_random_u64();

        for (int bit = 0; bit < 64; bit++)
            ones[bit] += value >> bit & 1;
    }
    for (int bit = 0; bit < 64; bit++)
        assert_in_range(ones[bit], 32000 - 1012, 32000 + 1012);
}

static void request_ids_have_their_shape(void **state)
{
    char one[GH_REQUEST_ID_LEN + 1], two[GH_REQUEST_ID_LEN + 1];

    (void)state;
    gh_request_id(one);
    gh_request_id(two);
    assert_int_equal(strlen(one), GH_REQUEST_ID_LEN);
    assert_int_equal(one[0], 'r');
    assert_int_equal(strspn(one + 1, "0123456789abcdef"), 16);
    assert_string_not_equal(one, two);
}

static void a_forked_child_draws_its_own(void **state)
{
    uint64_t here = 0, there = 0;
    int ends[2];

    (void)state;
    assert_int_equal(pipe(ends), 0);
    (void)gh_random_u64();
    const pid_t pid = fork();
    if (pid == 0) {
        there = gh_random_u64();
        _exit(write(ends[1], &there, sizeof there) == sizeof there ? 0 : 1);
    }
    here = gh_random_u64();
    assert_int_equal(read(ends[0], &there, sizeof there), sizeof there);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    assert_true(here != there);
    close(ends[0]);
    close(ends[1]);
}

static void clocks_run(void **state)
{
    (void)state;
    const int64_t us = gh_clock_mono_us(), ms = gh_clock_mono_ms();

    assert_true(us > 0);
    assert_true(ms >= us / 1000);
    usleep(2000);
    assert_true(gh_clock_mono_us() >= us + 2000);
    assert_true(gh_clock_wall_ms() > 1700000000000);
}

int main(void)
{
    enum { ROWS = sizeof rows / sizeof rows[0], OTHERS = 5 };
    struct CMUnitTest tests[ROWS + OTHERS] = {
        cmocka_unit_test(tokens_have_their_length),
        cmocka_unit_test(bits_are_even),
        cmocka_unit_test(request_ids_have_their_shape),
        cmocka_unit_test(a_forked_child_draws_its_own),
        cmocka_unit_test(clocks_run),
    };

    for (size_t i = 0; i < ROWS; i++)
        tests[OTHERS + i] =
            (struct CMUnitTest){ rows[i].name, encode_row, NULL, NULL, (void *)&rows[i] };
    return cmocka_run_group_tests_name("random", tests, NULL, NULL);
}
