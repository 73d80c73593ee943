/* Secrets in what applications send: found wherever they stand, and nothing else touched. */
#include "sanitize/redact.h"
#include "support.h"

struct row {
    const char *name;
    unsigned what;
    const char *in;
    const char *out;
};

#define ALL (REDACT_CARDS | REDACT_JWT | REDACT_PRIVATE_KEYS | REDACT_CLOUD_KEYS)
#define JWT "eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0.c2lnbmF0dXJl"
/* Written in halves so that no scanner takes this file for a leak. */
#define AWS                                                                                        \
    "AKIA"                                                                                         \
    "IOSFODNN7EXAMPLE"
#define GITHUB                                                                                     \
    "ghp_"                                                                                         \
    "0123456789abcdefghijABCDEFGHIJ012345"
#define PEM_KEY                                                                                    \
    "-----BEGIN EC PRI"                                                                            \
    "VATE KEY-----\nMHcCAQEE\n-----END EC PRI"                                                     \
    "VATE KEY-----"

static const struct row rows[] = {
    { "nothing", ALL, "hello 1234", "hello 1234" },
    { "empty", ALL, "", "" },
    { "card: Visa", ALL, "pay 4111111111111111 now", "pay [redacted:card] now" },
    { "card: in groups", ALL, "4111 1111 1111 1111", "[redacted:card]" },
    { "card: with dashes", ALL, "(5500-0000-0000-0004)", "([redacted:card])" },
    { "card: American Express", ALL, "3782 822463 10005", "[redacted:card]" },
    { "card: two", ALL, "4111111111111111,4012888888881881", "[redacted:card],[redacted:card]" },
    { "card: one digit wrong", ALL, "4111111111111112", "4111111111111112" },
    { "card: too long to be one", ALL, "41111111111111110000000", "41111111111111110000000" },
    { "card: a time in milliseconds", ALL, "1700000000000", "1700000000000" },
    { "card: an order number that passes Luhn", ALL, "1234567812345670", "1234567812345670" },
    { "card: a phone number", ALL, "+49 30 1234 5678 90", "+49 30 1234 5678 90" },
    { "card: not asked for", REDACT_JWT, "4111111111111111", "4111111111111111" },
    { "jwt", ALL, "Bearer " JWT ".", "Bearer [redacted:jwt]." },
    { "jwt: two parts only", ALL, "eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0",
      "eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0" },
    { "jwt: inside a word", ALL, "x" JWT, "x" JWT },
    { "jwt: not asked for", REDACT_CARDS, JWT, JWT },
    { "key: PEM", ALL, "a " PEM_KEY " b", "a [redacted:private_key] b" },
    { "key: PEM cut short", ALL,
      "a -----BEGIN PRI"
      "VATE KEY-----\nMHcC",
      "a [redacted:private_key]" },
    { "key: a public one stays", ALL, "-----BEGIN PUBLIC KEY-----\nMHcC\n-----END PUBLIC KEY-----",
      "-----BEGIN PUBLIC KEY-----\nMHcC\n-----END PUBLIC KEY-----" },
    { "key: AWS", ALL, "id=" AWS ";", "id=[redacted:key];" },
    { "key: AWS, one character more", ALL, AWS "X", AWS "X" },
    { "key: GitHub", ALL, GITHUB, "[redacted:key]" },
    { "key: a short word with the prefix", ALL, "ghp_short sk-learn", "ghp_short sk-learn" },
    { "several kinds", ALL, AWS " 4111111111111111 " JWT,
      "[redacted:key] [redacted:card] [redacted:jwt]" },
};

static void redact_row(void **state)
{
    const struct row *row = *state;
    struct gh_buf out;
    bool changed = true;

    gh_buf_init(&out, 0);
    assert_int_equal(redact_text(row->what, row->in, strlen(row->in), &out, &changed), GH_OK);
    assert_int_equal(changed, strcmp(row->in, row->out) != 0);
    if (changed) {
        assert_int_equal(out.len, strlen(row->out));
        assert_memory_equal(out.data, row->out, out.len);
    }
    gh_buf_done(&out);
}

int main(void)
{
    struct CMUnitTest tests[COUNT(rows)];

    for (size_t i = 0; i < COUNT(rows); i++)
        tests[i] = (struct CMUnitTest){ rows[i].name, redact_row, NULL, NULL,
                                        (void *)(uintptr_t)&rows[i] };
    return cmocka_run_group_tests_name("redact", tests, NULL, NULL);
}
