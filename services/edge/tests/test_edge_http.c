/* HTTP answers as bytes, and what a handshake may show for a ticket: tables, no sockets. */
#include "credential.h"
#include "http_answer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
#define SPAN(text)   ((struct span){ text, sizeof(text) - 1 })

/* --- answers ---------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    struct http_answer answer;
    const char *has[6], *lacks[4];
} answers[] = {
    { "plain JSON",
      { .status = 200, .request_id = "r1", .body = "{}", .body_len = 2 },
      { "HTTP/1.1 200 OK\r\n", "Content-Length: 2\r\n", "Cache-Control: no-store\r\n",
        "Vary: Origin\r\n", "Connection: close\r\n", "\r\n\r\n{}" },
      { "Strict-Transport", "Access-Control", "Retry-After", "Allow:" } },
    { "over TLS",
      { .status = 200, .request_id = "r1", .tls = true },
      { "Strict-Transport-Security: max-age=" },
      { "Access-Control" } },
    { "for a page",
      { .status = 401,
        .request_id = "r1",
        .origin = SPAN("https://a.example"),
        .www = SPAN("Bearer") },
      { "Access-Control-Allow-Origin: https://a.example\r\n", "WWW-Authenticate: Bearer\r\n",
        "Access-Control-Expose-Headers: " },
      { "Access-Control-Allow-Credentials", "Access-Control-Allow-Methods" } },
    { "preflight",
      { .status = 204, .request_id = "r1", .origin = SPAN("https://a.example"), .preflight = true },
      { "HTTP/1.1 204 No Content\r\n", "Access-Control-Allow-Methods: POST\r\n",
        "Access-Control-Max-Age: " },
      { "Content-Length", "\nContent-Type", "Access-Control-Allow-Credentials" } },
    { "retry is rounded up",
      { .status = 503, .request_id = "r1", .retry_after_ms = 1001 },
      { "Retry-After: 2\r\n" },
      { "Allow:" } },
    { "method",
      { .status = 405, .request_id = "r1", .allow = "POST" },
      { "Allow: POST\r\n" },
      { 0 } },
};

static void answers_written(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(answers); i++) {
        struct gh_buf buf;
        const char *text;

        gh_buf_init(&buf, 0);
        assert_int_equal(http_answer_write(&answers[i].answer, &buf), GH_OK);
        text = gh_buf_cstr(&buf);
        for (size_t j = 0; j < COUNT(answers[i].has) && answers[i].has[j] != NULL; j++)
            if (strstr(text, answers[i].has[j]) == NULL)
                fail_msg("%s: no \"%s\" in\n%s", answers[i].name, answers[i].has[j], text);
        for (size_t j = 0; j < COUNT(answers[i].lacks) && answers[i].lacks[j] != NULL; j++)
            if (strstr(text, answers[i].lacks[j]) != NULL)
                fail_msg("%s: \"%s\" in\n%s", answers[i].name, answers[i].lacks[j], text);
        gh_buf_done(&buf);
    }
}

static void answers_refused(void **state)
{
    static const struct http_answer rows[] = {
        { .status = 101, .request_id = "r1" },
        { .status = 600, .request_id = "r1" },
        { .status = 401, .request_id = "r1", .www = SPAN("Bearer\r\nSet-Cookie: a=b") },
        { .status = 401, .request_id = "r1", .www = SPAN("Bearer\0") },
    };
    char big[300];
    struct http_answer fat = { .status = 401, .request_id = "r1", .www = { big, sizeof big } };
    struct gh_buf buf;

    (void)state;
    memset(big, 'a', sizeof big);
    gh_buf_init(&buf, 0);
    assert_int_equal(gh_buf_append(&buf, "before", 6), GH_OK);
    for (size_t i = 0; i < COUNT(rows); i++)
        assert_int_equal(http_answer_write(&rows[i], &buf), GH_ERR_BAD_MESSAGE);
    assert_int_equal(http_answer_write(&fat, &buf), GH_ERR_BAD_MESSAGE);
    assert_int_equal(buf.len, 6);
    gh_buf_done(&buf);
}

static void an_answer_too_large_leaves_nothing(void **state)
{
    const struct http_answer answer = {
        .status = 200, .request_id = "r1", .body = "0123456789", .body_len = 10
    };
    char array[256];
    struct gh_buf buf, whole;

    (void)state;
    gh_buf_init(&whole, 0);
    assert_int_equal(http_answer_write(&answer, &whole), GH_OK);
    for (size_t size = 0; size <= whole.len; size++) {
        assert_true(whole.len <= sizeof array);
        gh_buf_init_fixed(&buf, array, size);
        assert_int_equal(http_answer_write(&answer, &buf),
                         size == whole.len ? GH_OK : GH_ERR_LIMIT);
        assert_int_equal(buf.len, size == whole.len ? whole.len : 0);
    }
    gh_buf_done(&whole);
}

/* --- tickets ---------------------------------------------------------------------------------- */

#define T43 "0123456789012345678901234567890123456789_-A"
#define JWT "eyJhbGciOiJFUzI1NiJ9.eyJleHAiOjF9.c2ln"

static const struct {
    const char *query, *protocol, *authorization;
    enum gh_code code; /* of finding it, then of its form */
} tickets[] = {
    { "ticket=" T43, NULL, NULL, GH_CODE_OK },
    { "a=b&ticket=" T43 "&c=d", NULL, NULL, GH_CODE_OK },
    { NULL, "gatehouse.ticket." T43, NULL, GH_CODE_OK },
    { "ticket=" T43, "gatehouse.ticket." T43, NULL, GH_CODE_BAD_REQUEST },
    { "ticket=" T43 "&ticket=" T43, NULL, NULL, GH_CODE_BAD_REQUEST },
    { "ticket=" T43, NULL, "Bearer " JWT, GH_CODE_BAD_REQUEST },
    { "ticket=" T43 "x", NULL, NULL, GH_CODE_UNAUTHENTICATED },
    { "ticket=", NULL, NULL, GH_CODE_UNAUTHENTICATED },
    { "ticket", NULL, NULL, GH_CODE_UNAUTHENTICATED },
    { "Ticket=" T43, NULL, NULL, GH_CODE_UNAUTHENTICATED },
    { "ticket=0123456789012345678901234567890123456789%41", NULL, NULL, GH_CODE_UNAUTHENTICATED },
    { "ticket=" JWT, NULL, NULL, GH_CODE_UNAUTHENTICATED },
    { "x=" JWT, NULL, "Bearer " JWT, GH_CODE_UNAUTHENTICATED },
    { "access_token=" T43, NULL, NULL, GH_CODE_UNAUTHENTICATED },
    { "TOKEN=x", NULL, "Bearer " JWT, GH_CODE_UNAUTHENTICATED },
    { NULL, "gatehouse.ticket.", NULL, GH_CODE_UNAUTHENTICATED },
    { NULL, "gatehouse.ticket.short", NULL, GH_CODE_UNAUTHENTICATED },
};

static struct span span_of(const char *text)
{
    return (struct span){ text, text != NULL ? strlen(text) : 0 };
}

static void tickets_judged(void **state)
{
    const struct credential_rules all = { .accepted = UINT32_MAX }, none = { .accepted = 1 };

    (void)state;
    for (size_t i = 0; i < COUNT(tickets); i++) {
        struct head head = { .query = span_of(tickets[i].query),
                             .authorization = span_of(tickets[i].authorization) };
        struct credential found = { 0 };
        const char *reason = "";
        enum gh_code code;

        if (tickets[i].protocol != NULL)
            head.protocols[head.n_protocols++] = span_of(tickets[i].protocol);
        code = credential_find(&head, &all, (struct span){ NULL, 0 }, &found, &reason);
        if (code == GH_CODE_OK) {
            assert_int_equal(found.kind, GH__CREDENTIAL_KIND__CREDENTIAL_TICKET);
            code = credential_check_ticket(found.value, &reason);
        }
        if (code != tickets[i].code)
            fail_msg("row %zu: %s (%s)", i, gh_code_info(code)->name, reason);
        if (code == GH_CODE_OK) {
            assert_memory_equal(found.value.data, T43, 43);
            assert_int_equal(
                credential_find(&head, &none, (struct span){ NULL, 0 }, &found, &reason),
                GH_CODE_UNAUTHENTICATED); /* a route that takes none */
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_written),
        cmocka_unit_test(answers_refused),
        cmocka_unit_test(an_answer_too_large_leaves_nothing),
        cmocka_unit_test(tickets_judged),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
