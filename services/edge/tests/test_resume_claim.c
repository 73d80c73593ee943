/* What a client that comes back shows: taken as it is, or refused. */
#include "resume_claim.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define ID  "abcdefghijklmnopqrstu_"
#define KEY "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_abcde"
#define P   "gatehouse.resume."

static const struct row {
    const char *name;
    const char *first, *second; /* subprotocols offered; NULL: none */
    uint64_t seq;
    bool taken;
    enum gh_code code;
} rows[] = {
    { "nothing offered", NULL, NULL, 0, false, GH_CODE_OK },
    { "others only", "gatehouse.v1", "gatehouse.bearer.x.y.z", 0, false, GH_CODE_OK },
    { "from the start", P ID "." KEY ".0", NULL, 0, true, GH_CODE_OK },
    { "beside others", "gatehouse.v1", P ID "." KEY ".42", 42, true, GH_CODE_OK },
    { "the largest", P ID "." KEY ".9007199254740992", NULL, 1ull << 53, true, GH_CODE_OK },
    { "one more", P ID "." KEY ".9007199254740993", NULL, 0, false, GH_CODE_BAD_REQUEST },
    { "17 digits", P ID "." KEY ".00000000000000001", NULL, 0, false, GH_CODE_BAD_REQUEST },
    { "wraps around", P ID "." KEY ".18446744073709551617", NULL, 0, false, GH_CODE_BAD_REQUEST },
    { "leading zero", P ID "." KEY ".01", NULL, 0, false, GH_CODE_BAD_REQUEST },
    { "sign", P ID "." KEY ".+1", NULL, 0, false, GH_CODE_BAD_REQUEST },
    { "minus", P ID "." KEY ".-1", NULL, 0, false, GH_CODE_BAD_REQUEST },
    { "hexadecimal", P ID "." KEY ".0x1", NULL, 0, false, GH_CODE_BAD_REQUEST },
    { "space", P ID "." KEY ". 1", NULL, 0, false, GH_CODE_BAD_REQUEST },
    { "no number", P ID "." KEY ".", NULL, 0, false, GH_CODE_BAD_REQUEST },
    { "no third part", P ID "." KEY, NULL, 0, false, GH_CODE_BAD_REQUEST },
    { "a fourth part", P ID "." KEY ".1.1", NULL, 0, false, GH_CODE_BAD_REQUEST },
    { "no secret", P ID "..1", NULL, 0, false, GH_CODE_BAD_REQUEST },
    { "no session", P "." KEY ".1", NULL, 0, false, GH_CODE_BAD_REQUEST },
    { "nothing", P, NULL, 0, false, GH_CODE_BAD_REQUEST },
    { "short session", P "abcdefghijklmnopqrstu." KEY ".1", NULL, 0, false, GH_CODE_BAD_REQUEST },
    { "long session", P ID "a." KEY ".1", NULL, 0, false, GH_CODE_BAD_REQUEST },
    { "long secret", P ID "." KEY "a.1", NULL, 0, false, GH_CODE_BAD_REQUEST },
    { "session not base64url", P "abcdefghijklmnopqrstu+." KEY ".1", NULL, 0, false,
      GH_CODE_BAD_REQUEST },
    { "secret not base64url", P ID ".ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_abcd=.1", NULL, 0, false,
      GH_CODE_BAD_REQUEST },
    { "twice", P ID "." KEY ".1", P ID "." KEY ".1", 0, false, GH_CODE_BAD_REQUEST },
    { "a good one and a bad one", P ID "." KEY ".1", P "x", 0, false, GH_CODE_BAD_REQUEST },
    { "another case", "Gatehouse.resume." ID "." KEY ".1", NULL, 0, false, GH_CODE_OK },
};

static void claim_row(void **state)
{
    const struct row *row = *state;
    const char *offered[] = { row->first, row->second };
    struct resume_claim claim = { { "before", 6 }, { NULL, 0 }, 77 };
    struct head head = { 0 };
    const char *reason = NULL;

    for (size_t i = 0; i < 2 && offered[i] != NULL; i++)
        head.protocols[head.n_protocols++] = (struct span){ offered[i], strlen(offered[i]) };
    assert_int_equal(resume_claim_find(&head, &claim, &reason), row->code);
    if (row->code != GH_CODE_OK) {
        assert_non_null(reason);
        assert_int_equal(claim.last_seq, 77); /* untouched */
        return;
    }
    assert_int_equal(claim.session_id.data != NULL, row->taken);
    if (!row->taken) return;
    assert_true(span_eq(claim.session_id, ID));
    assert_true(span_eq(claim.secret, KEY));
    assert_int_equal(claim.last_seq, row->seq);
}

int main(void)
{
    struct CMUnitTest tests[sizeof(rows) / sizeof(rows[0])];

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        tests[i] =
            (struct CMUnitTest){ rows[i].name, claim_row, NULL, NULL, (void *)(uintptr_t)&rows[i] };
    return cmocka_run_group_tests_name("resume_claim", tests, NULL, NULL);
}
