/* One spelling for each ban. */
#include "subject.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

struct row {
    const char *name;
    Gh__BanKind kind;
    const char *subject;
    const char *key; /* NULL: refused */
};

#define A GH__BAN_KIND__BAN_ADDRESS
static const struct row rows[] = {
    { "subject: an IPv4 address", A, "192.0.2.1", "a:192.0.2.1" },
    { "subject: an IPv6 address in canonical form", A, "2001:DB8:0:0::1", "a:2001:db8::1" },
    { "subject: an IPv4-mapped address is the IPv4 one", A, "::ffff:192.0.2.1", "a:192.0.2.1" },
    { "subject: host bits are cleared", A, "10.1.2.3/8", "a:10.0.0.0/8" },
    { "subject: a full prefix is the address", A, "10.1.2.3/32", "a:10.1.2.3" },
    { "subject: IPv6 network", A, "2001:db8:ffff::/32", "a:2001:db8::/32" },
    { "subject: an odd prefix", A, "10.255.255.255/13", "a:10.248.0.0/13" },
    { "subject: mapped network", A, "::ffff:10.9.9.9/104", "a:10.0.0.0/8" },
    { "subject: mapped network of all IPv4 refused", A, "::ffff:0.0.0.0/96", NULL },
    { "subject: prefix 0 refused", A, "0.0.0.0/0", NULL },
    { "subject: IPv6 prefix 0 refused", A, "::/0", NULL },
    { "subject: prefix past the end refused", A, "10.0.0.0/33", NULL },
    { "subject: IPv6 prefix past the end refused", A, "2001:db8::/129", NULL },
    { "subject: prefix with leading zero refused", A, "10.0.0.0/08", NULL },
    { "subject: prefix with sign refused", A, "10.0.0.0/+8", NULL },
    { "subject: empty prefix refused", A, "10.0.0.0/", NULL },
    { "subject: two slashes refused", A, "10.0.0.0/8/8", NULL },
    { "subject: short IPv4 refused", A, "10.1", NULL },
    { "subject: octal IPv4 refused", A, "010.0.0.1", NULL },
    { "subject: a name refused", A, "localhost", NULL },
    { "subject: empty refused", A, "", NULL },
    { "subject: zone refused", A, "fe80::1%eth0", NULL },
    { "subject: trailing space refused", A, "10.0.0.1 ", NULL },
    { "subject: a user", GH__BAN_KIND__BAN_USER, "alice", "u:alice" },
    { "subject: a user with any UTF-8", GH__BAN_KIND__BAN_USER, "\xc3\xaf!", "u:\xc3\xaf!" },
    { "subject: a user with a line break refused", GH__BAN_KIND__BAN_USER, "a\nb", NULL },
    { "subject: empty user refused", GH__BAN_KIND__BAN_USER, "", NULL },
    { "subject: a token", GH__BAN_KIND__BAN_TOKEN, "jti-1", "t:jti-1" },
    { "subject: unknown kind refused", (Gh__BanKind)7, "x", NULL },
};

static void check_row(void **state)
{
    const struct row *row = *state;
    struct subject_key key;
    enum gh_err err = subject_key_make(row->kind, row->subject, strlen(row->subject), &key);

    if (row->key == NULL) {
        assert_int_equal(err, GH_ERR_BAD_MESSAGE);
        return;
    }
    assert_int_equal(err, GH_OK);
    assert_string_equal(key.text, row->key);
    assert_int_equal(key.len, strlen(row->key));
}

static void check_sizes(void **state)
{
    char text[SUBJECT_MAX_BYTES + 1];
    struct subject_key key;

    (void)state;
    memset(text, 'x', sizeof(text));
    assert_int_equal(subject_key_make(GH__BAN_KIND__BAN_USER, text, SUBJECT_MAX_BYTES, &key),
                     GH_OK);
    assert_int_equal(subject_key_make(GH__BAN_KIND__BAN_USER, text, SUBJECT_MAX_BYTES + 1, &key),
                     GH_ERR_BAD_MESSAGE);
    assert_int_equal(subject_key_make(A, "10.0.0.1\0x", 10, &key), GH_ERR_BAD_MESSAGE);
}

static void check_prefixes(void **state)
{
    unsigned family, prefix;

    (void)state;
    assert_true(subject_key_prefix("a:10.0.0.0/8", 12, &family, &prefix));
    assert_int_equal(family, 32);
    assert_int_equal(prefix, 8);
    assert_true(subject_key_prefix("a:2001:db8::1", 13, &family, &prefix));
    assert_int_equal(family, 128);
    assert_int_equal(prefix, 128);
    assert_false(subject_key_prefix("u:alice", 7, &family, &prefix));
    assert_false(subject_key_prefix("a:10.0.0.0/99", 13, &family, &prefix));
}

int main(void)
{
    enum { N = sizeof(rows) / sizeof(rows[0]) };
    struct CMUnitTest tests[N + 2];

    for (size_t i = 0; i < N; i++)
        tests[i] = (struct CMUnitTest){ rows[i].name, check_row, NULL, NULL, (void *)&rows[i] };
    tests[N] = (struct CMUnitTest){ "subject: sizes and NUL", check_sizes, NULL, NULL, NULL };
    tests[N + 1] =
        (struct CMUnitTest){ "subject: prefixes of keys", check_prefixes, NULL, NULL, NULL };
    return cmocka_run_group_tests_name("subject", tests, NULL, NULL);
}
