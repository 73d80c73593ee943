/* What the edge makes of foreign bytes, and the arithmetic around it: tables, no sockets. */
#include "addr.h"
#include "ban_table.h"
#include "credential.h"
#include "forwarded.h"
#include "frame.h"
#include "head.h"
#include "lease.h"
#include "proxy_header.h"
#include "refusal.h"
#include "utf8.h"
#include "wheel.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* --- head ------------------------------------------------------------------------------------- */

#define GOOD                                                                                       \
    "Host: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"                             \
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"

static const struct {
    const char *name, *head;
    enum gh_code code;
} head_rows[] = {
    { "plain", "GET /ws HTTP/1.1\r\n" GOOD "\r\n", GH_CODE_OK },
    { "query", "GET /ws?a=b HTTP/1.1\r\n" GOOD "\r\n", GH_CODE_OK },
    { "list in Connection", "GET / HTTP/1.1\r\n" GOOD "Connection: keep-alive\r\n\r\n",
      GH_CODE_OK },
    { "IPv6 host", "GET / HTTP/1.1\r\nHost: [::1]:80\r\n" GOOD "\r\n", GH_CODE_BAD_REQUEST },
    { "HTTP/1.0", "GET /ws HTTP/1.0\r\n" GOOD "\r\n", GH_CODE_BAD_REQUEST },
    { "HTTP/2.0", "GET /ws HTTP/2.0\r\n" GOOD "\r\n", GH_CODE_BAD_REQUEST },
    { "absolute form", "GET http://localhost/ws HTTP/1.1\r\n" GOOD "\r\n", GH_CODE_BAD_REQUEST },
    { "CONNECT", "CONNECT localhost:443 HTTP/1.1\r\n" GOOD "\r\n", GH_CODE_BAD_REQUEST },
    { "asterisk", "OPTIONS * HTTP/1.1\r\n" GOOD "\r\n", GH_CODE_BAD_REQUEST },
    { "fragment", "GET /ws#x HTTP/1.1\r\n" GOOD "\r\n", GH_CODE_BAD_REQUEST },
    { "POST", "POST /ws HTTP/1.1\r\n" GOOD "\r\n", GH_CODE_METHOD },
    { "bare LF", "GET /ws HTTP/1.1\n" GOOD "\r\n", GH_CODE_BAD_REQUEST },
    { "LF in the middle", "GET /ws HTTP/1.1\r\nX: a\nY: b\r\n" GOOD "\r\n", GH_CODE_BAD_REQUEST },
    { "bare CR", "GET /ws HTTP/1.1\r\nX: a\rb\r\n" GOOD "\r\n", GH_CODE_BAD_REQUEST },
    { "folded line", "GET /ws HTTP/1.1\r\nX: a\r\n b\r\n" GOOD "\r\n", GH_CODE_BAD_REQUEST },
    { "blank before colon", "GET /ws HTTP/1.1\r\nX : a\r\n" GOOD "\r\n", GH_CODE_BAD_REQUEST },
    { "empty line first", "\r\nGET /ws HTTP/1.1\r\n" GOOD "\r\n", GH_CODE_BAD_REQUEST },
    { "control character", "GET /ws HTTP/1.1\r\nX: a\001b\r\n" GOOD "\r\n", GH_CODE_BAD_REQUEST },
    { "two hosts", "GET /ws HTTP/1.1\r\nHost: a\r\n" GOOD "\r\n", GH_CODE_BAD_REQUEST },
    { "two keys", "GET /ws HTTP/1.1\r\n" GOOD "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
      GH_CODE_BAD_REQUEST },
    { "two versions", "GET /ws HTTP/1.1\r\n" GOOD "Sec-WebSocket-Version: 13\r\n\r\n",
      GH_CODE_BAD_REQUEST },
    { "content-length", "GET /ws HTTP/1.1\r\n" GOOD "Content-Length: 0\r\n\r\n",
      GH_CODE_BAD_REQUEST },
    { "transfer-encoding", "GET /ws HTTP/1.1\r\n" GOOD "Transfer-Encoding: chunked\r\n\r\n",
      GH_CODE_BAD_REQUEST },
    { "accept in a request", "GET /ws HTTP/1.1\r\n" GOOD "Sec-WebSocket-Accept: x\r\n\r\n",
      GH_CODE_BAD_REQUEST },
    { "no upgrade", "GET /ws HTTP/1.1\r\nHost: a\r\n\r\n", GH_CODE_UPGRADE_REQUIRED },
    { "no host", "GET /ws HTTP/1.1\r\nUpgrade: websocket\r\n\r\n", GH_CODE_BAD_REQUEST },
    { "host with a user",
      "GET /ws HTTP/1.1\r\nHost: a@b\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
      GH_CODE_BAD_REQUEST },
    { "version 8",
      "GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 8\r\n\r\n",
      GH_CODE_UPGRADE_REQUIRED },
    { "short key",
      "GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
      "Sec-WebSocket-Key: dGhlIHNhbXBsZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
      GH_CODE_BAD_REQUEST },
    { "upgrade to something else",
      "GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n",
      GH_CODE_BAD_REQUEST },
};

static void head_judges(void **state)
{
    const struct head_limits limits = { 16384, 64, 4096 };

    (void)state;
    for (size_t i = 0; i < COUNT(head_rows); i++) {
        struct head_scanner scanner = { 0 };
        struct head head;
        const char *reason = "";
        size_t len = strlen(head_rows[i].head);
        enum gh_code code = GH_CODE_BAD_REQUEST;
        enum head_scan scan = HEAD_MORE;

        for (size_t n = 1; n <= len && scan == HEAD_MORE; n++) /* byte by byte */
            scan = head_scan(&scanner, &limits, head_rows[i].head, n);
        if (scan == HEAD_DONE) {
            code = head_parse(head_rows[i].head, scanner.at, &limits, &head, &reason);
            if (code == GH_CODE_OK) code = head_judge_upgrade(&head, &reason);
        }
        if (code != head_rows[i].code)
            fail_msg("%s: %s, not %s (%s)", head_rows[i].name, gh_code_info(code)->name,
                     gh_code_info(head_rows[i].code)->name, reason);
    }
}

static void head_caps(void **state)
{
    const struct head_limits limits = { 1024, 8, 128 };
    struct head_scanner scanner = { 0 };
    char big[4096];

    (void)state;
    memset(big, 'a', sizeof big);
    memcpy(big, "GET / HTTP/1.1\r\nX: ", 19);
    assert_int_equal(head_scan(&scanner, &limits, big, sizeof big), HEAD_TOO_LARGE);
    memset(big, 'a', sizeof big);
    scanner = (struct head_scanner){ 0 };
    assert_int_equal(head_scan(&scanner, &limits, big, 500), HEAD_TOO_LARGE); /* the first line */
    scanner = (struct head_scanner){ 0 };
    strcpy(big, "GET / HTTP/1.1\r\n");
    for (int i = 0; i < 9; i++)
        strcat(big, "A: b\r\n");
    assert_int_equal(head_scan(&scanner, &limits, big, strlen(big)), HEAD_TOO_LARGE);
}

/* --- PROXY header ----------------------------------------------------------------------------- */

#define V2 "\r\n\r\n\0\r\nQUIT\n"
#define ROW(name, text, result, address)                                                           \
    {                                                                                              \
        name, text, sizeof(text) - 1, result, address                                              \
    }
static const struct {
    const char *name, *bytes;
    size_t len;
    enum proxy_result result;
    const char *address;
} proxy_rows[] = {
    ROW("v1 TCP4", "PROXY TCP4 192.0.2.1 10.0.0.1 4000 443\r\nrest", PROXY_OK, "192.0.2.1"),
    ROW("v1 TCP6", "PROXY TCP6 2001:db8::1 ::1 4000 443\r\n", PROXY_OK, "2001:db8::1"),
    ROW("v1 unknown", "PROXY UNKNOWN\r\n", PROXY_OK, NULL),
    ROW("v1 unknown with words", "PROXY UNKNOWN what ever\r\n", PROXY_OK, NULL),
    ROW("v1 begun", "PROXY TCP4 192.0.2.1", PROXY_MORE, NULL),
    ROW("v1 just the word", "PRO", PROXY_MORE, NULL),
    ROW("v1 mixed families", "PROXY TCP4 ::1 ::1 1 2\r\n", PROXY_BAD, NULL),
    ROW("v1 port too large", "PROXY TCP4 192.0.2.1 10.0.0.1 65536 443\r\n", PROXY_BAD, NULL),
    ROW("v1 port with a zero", "PROXY TCP4 192.0.2.1 10.0.0.1 0400 443\r\n", PROXY_BAD, NULL),
    ROW("v1 field missing", "PROXY TCP4 192.0.2.1 10.0.0.1 4000\r\n", PROXY_BAD, NULL),
    ROW("v1 field too many", "PROXY TCP4 192.0.2.1 10.0.0.1 1 2 3\r\n", PROXY_BAD, NULL),
    ROW("v1 bare LF", "PROXY TCP4 192.0.2.1 10.0.0.1 1 2\n", PROXY_BAD, NULL),
    ROW("v1 two blanks", "PROXY  TCP4 192.0.2.1 10.0.0.1 1 2\r\n", PROXY_BAD, NULL),
    ROW("v2 TCP4", V2 "\x21\x11\0\x0c\xc0\0\x02\x07\x0a\0\0\x01\x0f\xa0\x01\xbb", PROXY_OK,
        "192.0.2.7"),
    ROW("v2 LOCAL", V2 "\x20\0\0\0", PROXY_OK, NULL),
    ROW("v2 begun", V2 "\x21\x11\0\x0c\xc0", PROXY_MORE, NULL),
    ROW("v2 version 3", V2 "\x31\x11\0\x0c\xc0\0\x02\x07\x0a\0\0\x01\x0f\xa0\x01\xbb", PROXY_BAD,
        NULL),
    ROW("v2 too short for its addresses",
        V2 "\x21\x21\0\x0c\xc0\0\x02\x07\x0a\0\0\x01\x0f\xa0\x01\xbb", PROXY_BAD, NULL),
    ROW("v2 datagram", V2 "\x21\x12\0\x0c\xc0\0\x02\x07\x0a\0\0\x01\x0f\xa0\x01\xbb", PROXY_BAD,
        NULL),
    ROW("v2 longer than we take", V2 "\x21\x11\xff\xff", PROXY_BAD, NULL),
    ROW("HTTP", "GET / HTTP/1.1\r\n", PROXY_NONE, NULL),
    ROW("TLS", "\x16\x03\x01\x02", PROXY_NONE, NULL),
    ROW("POST begins like it", "PO", PROXY_NONE, NULL),
};

static void proxy_headers(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(proxy_rows); i++) {
        struct proxy_header proxy = { 0 };
        char text[ADDR_TEXT_MAX] = "";
        enum proxy_result result =
            proxy_header_parse((const uint8_t *)proxy_rows[i].bytes, proxy_rows[i].len, &proxy);

        if (result != proxy_rows[i].result) fail_msg("%s: %d", proxy_rows[i].name, (int)result);
        assert_int_equal(proxy.has_address, proxy_rows[i].address != NULL);
        if (!proxy.has_address) continue;
        addr_format(&proxy.source, text);
        assert_string_equal(text, proxy_rows[i].address);
    }
}

/* --- addresses, forwarded, bans --------------------------------------------------------------- */

static void cidr_blocks(void **state)
{
    static const struct {
        const char *cidr, *addr;
        bool parses, in;
    } rows[] = {
        { "10.0.0.0/8", "10.255.0.1", true, true },
        { "10.0.0.0/8", "11.0.0.1", true, false },
        { "10.0.0.1/8", "", false, false },
        { "192.0.2.1", "192.0.2.1", true, true },
        { "2001:db8::/32", "2001:db8::5", true, true },
        { "2001:db8::/32", "2001:db9::", true, false },
        { "10.0.0.0/33", "", false, false },
        { "10.0.0.0/08", "", false, false },
        { "10.0.0.0/", "", false, false },
        { "::/0", "192.0.2.1", true, true },
        { "0.0.0.0/0", "::1", true, false },
        { "10.0.0.0/8", "::ffff:10.1.1.1", true, true },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct cidr cidr;
        struct addr addr;

        assert_int_equal(cidr_parse(rows[i].cidr, strlen(rows[i].cidr), &cidr) == GH_OK,
                         rows[i].parses);
        if (!rows[i].parses) continue;
        assert_int_equal(addr_parse(rows[i].addr, strlen(rows[i].addr), &addr), GH_OK);
        assert_int_equal(cidr_contains(&cidr, &addr), rows[i].in);
    }
}

static void forwarded_headers(void **state)
{
    struct cidr trusted[1];
    struct addr addr, want;

    (void)state;
    assert_int_equal(cidr_parse("10.0.0.0/8", 10, &trusted[0]), GH_OK);
    assert_int_equal(addr_parse("192.0.2.9", 9, &want), GH_OK);
#define SPAN(text) ((struct span){ text, sizeof(text) - 1 })
    assert_int_equal(forwarded_xff(SPAN("1.1.1.1, 192.0.2.9, 10.1.2.3"), trusted, 1, &addr),
                     FORWARDED_OK);
    assert_true(addr_equal(&addr, &want)); /* not what the client wrote on the left */
    assert_int_equal(forwarded_xff(SPAN("rubbish"), trusted, 1, &addr), FORWARDED_BAD);
    assert_int_equal(forwarded_xff((struct span){ NULL, 0 }, trusted, 1, &addr), FORWARDED_NONE);
    assert_int_equal(
        forwarded_rfc7239(SPAN("for=1.1.1.1, for=\"192.0.2.9:80\";proto=https"), trusted, 1, &addr),
        FORWARDED_OK);
    assert_true(addr_equal(&addr, &want));
    assert_int_equal(forwarded_rfc7239(SPAN("for=unknown"), trusted, 1, &addr), FORWARDED_BAD);
}

static void bans(void **state)
{
    struct ban_table *table = NULL;
    struct addr addr;

    (void)state;
    assert_int_equal(ban_table_new(&table), GH_OK);
    assert_int_equal(addr_parse("192.0.2.77", 10, &addr), GH_OK);
    assert_false(ban_table_address(table, &addr, 1000));
    assert_int_equal(ban_table_add(table, GH__BAN_KIND__BAN_ADDRESS, "192.0.2.0/24", 12, 5000),
                     GH_OK);
    assert_true(ban_table_address(table, &addr, 1000));
    assert_false(ban_table_address(table, &addr, 5000)); /* lapsed, and gone with that */
    assert_int_equal(ban_table_count(table), 0);
    assert_int_equal(ban_table_add(table, GH__BAN_KIND__BAN_ADDRESS, "192.0.2.77", 10, 0), GH_OK);
    assert_true(ban_table_address(table, &addr, 1u << 30));
    ban_table_lift(table, GH__BAN_KIND__BAN_ADDRESS, "192.0.2.77", 10);
    assert_false(ban_table_address(table, &addr, 1000));
    assert_int_equal(ban_table_add(table, GH__BAN_KIND__BAN_ADDRESS, "nonsense", 8, 0),
                     GH_ERR_BAD_MESSAGE);
    assert_int_equal(ban_table_add(table, GH__BAN_KIND__BAN_USER, "eve", 3, 0), GH_OK);
    assert_true(ban_table_subject(table, GH__BAN_KIND__BAN_USER, "eve", 3, 1));
    assert_false(ban_table_subject(table, GH__BAN_KIND__BAN_TOKEN, "eve", 3, 1));
    ban_table_free(table);
}

/* --- frames and text -------------------------------------------------------------------------- */

static void frames_cut_anywhere(void **state)
{
    const struct frame_limits limits = { 65536, 16, false };
    static const uint8_t wire[] = { 0x01, 0x83, 1, 2, 3, 4, 'a' ^ 1, 'b' ^ 2, 'c' ^ 3, /* "abc" */
                                    0x89, 0x81, 9, 9, 9, 9, 'p' ^ 9,                   /* ping */
                                    0x80, 0x82, 7, 7, 7, 7, 'd' ^ 7, 'e' ^ 7 };        /* "de" */

    (void)state;
    for (size_t cut = 0; cut <= sizeof wire; cut++) {
        struct frame_decoder decoder = { 0 };
        uint8_t copy[sizeof wire], text[8];
        size_t n = 0, pings = 0, whole = 0;

        memcpy(copy, wire, sizeof wire);
        for (int half = 0; half < 2; half++) {
            uint8_t *data = half == 0 ? copy : copy + cut;
            size_t len = half == 0 ? cut : sizeof wire - cut;
            struct frame_piece piece;
            enum frame_result result;

            while ((result = frame_decode(&decoder, &limits, &data, &len, &piece)) != FRAME_MORE) {
                assert_true(result == FRAME_PIECE || result == FRAME_CONTROL);
                if (result == FRAME_CONTROL) {
                    assert_memory_equal(piece.data, "p", 1);
                    pings++;
                    continue;
                }
                memcpy(text + n, piece.data, piece.len);
                n += piece.len;
                whole += piece.last;
            }
        }
        assert_int_equal(n, 5);
        assert_memory_equal(text, "abcde", 5);
        assert_int_equal(pings, 1);
        assert_int_equal(whole, 1);
        assert_true(frame_idle(&decoder));
    }
}

static void frame_heads(void **state)
{
    uint8_t head[FRAME_HEAD_MAX];

    (void)state;
    assert_int_equal(frame_encode_head(FRAME_TEXT, false, 125, head), 2);
    assert_int_equal(frame_encode_head(FRAME_TEXT, false, 126, head), 4);
    assert_int_equal(frame_encode_head(FRAME_TEXT, false, 65535, head), 4);
    assert_int_equal(frame_encode_head(FRAME_BINARY, false, 65536, head), 10);
    assert_int_equal(head[0], 0x82);
    assert_true(frame_close_code_ok(1000) && frame_close_code_ok(4999));
    assert_false(frame_close_code_ok(1005) || frame_close_code_ok(1015) ||
                 frame_close_code_ok(999));
}

static void text_in_pieces(void **state)
{
    static const char good[] =
        "a\xc2\x80\xed\x9f\xbf\xf4\x8f\xbf\xbf z and some more to fill a word";

    (void)state;
    for (size_t cut = 0; cut < sizeof good; cut++) {
        struct utf8 utf8 = { 0 };

        assert_true(utf8_feed(&utf8, good, cut));
        assert_true(utf8_feed(&utf8, good + cut, sizeof good - 1 - cut));
        assert_true(utf8_whole(&utf8));
    }
    struct utf8 cut_short = { 0 };
    assert_true(utf8_feed(&cut_short, "\xf0\x9f", 2));
    assert_false(utf8_whole(&cut_short));
    assert_false(utf8_feed(&cut_short, "A", 1));
}

/* --- credentials ------------------------------------------------------------------------------ */

static void jwt_forms(void **state)
{
    /* {"alg":"ES256"} . {"exp":2000000000} . signature bytes */
    static const struct {
        const char *token;
        int64_t now_s;
        enum gh_code code;
    } rows[] = {
        { "eyJhbGciOiJFUzI1NiJ9.eyJleHAiOjIwMDAwMDAwMDB9.AAAA", 1700000000, GH_CODE_OK },
        { "eyJhbGciOiJFUzI1NiJ9.eyJleHAiOjIwMDAwMDAwMDB9.AAAA", 2100000000,
          GH_CODE_UNAUTHENTICATED },
        { "eyJhbGciOiJub25lIn0.eyJleHAiOjIwMDAwMDAwMDB9.AAAA", 1700000000,
          GH_CODE_UNAUTHENTICATED },
        { "eyJhbGciOiJFUzI1NiJ9.eyJleHAiOjIwMDAwMDAwMDB9", 1700000000, GH_CODE_UNAUTHENTICATED },
        { "eyJhbGciOiJFUzI1NiJ9.eyJleHAiOjIwMDAwMDAwMDB9.", 1700000000, GH_CODE_UNAUTHENTICATED },
        { "eyJhbGciOiJFUzI1NiJ9.eyJleHAiOjIwMDAwMDAwMDB9.AAAA.AAAA", 1700000000,
          GH_CODE_UNAUTHENTICATED },
        { "eyJhbGciOiJFUzI1NiJ9.eyJleHAiOjIwMDAwMDAwMDB9.AA==", 1700000000,
          GH_CODE_UNAUTHENTICATED },
        { "eyJhbGciOiJFUzI1NiJ9.e30.AAAA", 1700000000, GH_CODE_UNAUTHENTICATED },
        { "not a token", 1700000000, GH_CODE_UNAUTHENTICATED },
    };
    struct gh_tape tape;

    (void)state;
    gh_tape_init(&tape);
    for (size_t i = 0; i < COUNT(rows); i++) {
        const char *reason;

        assert_int_equal(credential_check_jwt(&tape,
                                              (struct span){ rows[i].token, strlen(rows[i].token) },
                                              rows[i].now_s, 60, &reason),
                         rows[i].code);
    }
    gh_tape_done(&tape);
}

static void query_tokens(void **state)
{
    const struct credential_rules rules = { ~0u, NULL };
    static const char *const refused[] = { "token=abc", "access_token=", "x=1&jwt=a",
                                           "x=eyJhbGciOiJFUzI1NiJ9.eyJleHAiOjF9.AAAA" };
    struct head head = { 0 };
    struct credential found;
    const char *reason;

    (void)state;
    head.authorization = SPAN("Bearer abc");
    head.query = SPAN("room=1&x=eyJ.short");
    assert_int_equal(credential_find(&head, &rules, (struct span){ NULL, 0 }, &found, &reason),
                     GH_CODE_OK);
    for (size_t i = 0; i < COUNT(refused); i++) {
        head.query = (struct span){ refused[i], strlen(refused[i]) };
        assert_int_equal(credential_find(&head, &rules, (struct span){ NULL, 0 }, &found, &reason),
                         GH_CODE_UNAUTHENTICATED);
    }
    head.query = (struct span){ NULL, 0 };
    head.protocols[head.n_protocols++] = SPAN("gatehouse.bearer.abc");
    assert_int_equal(credential_find(&head, &rules, (struct span){ NULL, 0 }, &found, &reason),
                     GH_CODE_BAD_REQUEST);
}

/* --- leases, wheel, refusals ------------------------------------------------------------------ */

static void give_back(void *ctx, const struct lease *lease, uint32_t tokens)
{
    (void)lease;
    *(uint32_t *)ctx += tokens;
}

static void leases(void **state)
{
    const struct lease_class classes[] = { { "chat", 100, 100 } };
    struct lease_table *table = NULL;
    struct lease *lease;
    uint32_t returned = 0;

    (void)state;
    assert_int_equal(lease_table_new(classes, 1, 4, &table), GH_OK);
    lease = lease_pin(table, "chat", 4, "alice", 5, 0);
    assert_ptr_equal(lease, lease_pin(table, "chat", 4, "alice", 5, 0));
    lease_unpin(table, lease);
    assert_int_equal(lease_spend(table, lease, 1, false, 0), LEASE_WAIT);
    assert_int_equal(lease_wants(lease, 0), LEASE_ASK_MIN);
    lease_asked(lease);
    assert_int_equal(lease_wants(lease, 0), 0);
    lease_granted(lease, 3, 0, 2000, true, 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(lease_spend(table, lease, 1, false, 1), LEASE_YES);
    assert_int_equal(lease_spend(table, lease, 1, false, 1), LEASE_WAIT);
    lease_granted(lease, 0, 500, 0, true, 10); /* the limiter says no */
    assert_int_equal(lease_spend(table, lease, 1, false, 11), LEASE_NO);
    assert_int_equal(lease_retry_ms(lease, 11), 499);
    lease_granted(lease, 5, 0, 2000, true, 600);
    assert_int_equal(lease_spend(table, lease, 1, false, 2600), LEASE_WAIT); /* lapsed */
    lease_sweep(table, 10, 2600, give_back, &returned);
    assert_int_equal(returned, 5);
    for (int i = 0; i < 25; i++) /* limiter away: a quarter of the burst */
        assert_int_equal(lease_spend(table, lease, 1, true, 3000), LEASE_YES);
    assert_int_equal(lease_spend(table, lease, 1, true, 3000), LEASE_NO);
    assert_int_equal(lease_spend(table, lease, 1, true, 3050), LEASE_YES); /* 25 a second */
    lease_unpin(table, lease);
    lease_sweep(table, 10, 3050 + LEASE_IDLE_MS + 1, give_back, &returned);
    assert_int_equal(lease_count(table), 0);
    lease_table_free(table);
}

static struct wheel_timer *fired[16];
static size_t n_fired;

static void on_fire(void *ctx, struct wheel_timer *timer, int64_t now_ms)
{
    (void)now_ms;
    fired[n_fired++] = timer;
    if (ctx != NULL) wheel_set(ctx, timer, now_ms + 100);
}

static void wheel_fires(void **state)
{
    static struct wheel wheel;
    struct wheel_timer a = { 0 }, b = { 0 }, far = { 0 };

    (void)state;
    wheel_init(&wheel, 0, on_fire, NULL);
    wheel_set(&wheel, &a, 100);
    wheel_set(&wheel, &b, 1000);
    wheel_set(&wheel, &far, 200000); /* three rounds away */
    assert_int_equal(wheel_turn(&wheel, 99, 100), 0);
    assert_int_equal(wheel_turn(&wheel, 192, 100), 1);
    assert_ptr_equal(fired[0], &a);
    wheel_set(&wheel, &b, 5000); /* moved */
    assert_int_equal(wheel_turn(&wheel, 2000, 100), 0);
    wheel_clear(&wheel, &b);
    assert_int_equal(wheel_turn(&wheel, 199999, 100), 0);
    assert_int_equal(wheel_turn(&wheel, 200064, 100), 1);
    assert_int_equal(wheel.count, 0);
    wheel_set(&wheel, &a, 0);                             /* long past */
    assert_int_equal(wheel_turn(&wheel, 200064, 100), 0); /* the clock stands still */
    assert_int_equal(wheel_turn(&wheel, 200128, 100), 1);
}

static struct wheel_timer crowd[10];
static size_t crowd_fired;

/* The fourth takes the second away, and sets itself anew. */
static void on_crowd(void *ctx, struct wheel_timer *timer, int64_t now_ms)
{
    crowd_fired++;
    if (timer != &crowd[3]) return;
    wheel_clear(ctx, &crowd[1]);
    wheel_set(ctx, timer, now_ms);
}

static void wheel_fires_no_more_than_asked(void **state)
{
    struct wheel wheel;

    (void)state;
    wheel_init(&wheel, 0, on_crowd, &wheel);
    for (size_t i = 0; i < COUNT(crowd); i++)
        wheel_set(&wheel, &crowd[i], 100 + (i % 2 ? 200 : 0));
    assert_int_equal(wheel_turn(&wheel, 128, 3), 3);
    assert_true(wheel_behind(&wheel));
    assert_int_equal(wheel_turn(&wheel, 128, 3), 2); /* the even ones are done */
    assert_false(wheel_behind(&wheel));
    wheel_set(&wheel, &crowd[0], 310);
    assert_int_equal(wheel_turn(&wheel, 320, 1), 1);
    assert_int_equal(wheel_turn(&wheel, 320, 100), 4); /* 9, 7, 5, 3 */
    assert_false(wheel_behind(&wheel));
    assert_int_equal(crowd_fired, 10);
    assert_int_equal(wheel.count, 1);
    wheel_clear(&wheel, &crowd[3]);
    for (size_t i = 0; i < COUNT(crowd);
         i++) /* cleared from the end of what is due, and set again */
        wheel_set(&wheel, &crowd[i], 400);
    assert_int_equal(wheel_turn(&wheel, 448, 1), 1);
    for (size_t i = 0; i < COUNT(crowd); i++)
        wheel_clear(&wheel, &crowd[i]);
    assert_false(wheel_behind(&wheel));
    wheel_set(&wheel, &crowd[1], 500);
    assert_int_equal(wheel_turn(&wheel, 512, 9), 1);
    assert_int_equal(wheel.count, 0);
}

static void refusals(void **state)
{
    char answer[REFUSAL_MAX + 1];

    (void)state;
    for (uint32_t code = 1; code < GH_CODE_COUNT; code++) {
        const struct gh_code_info *info = gh_code_info(code);
        const struct refusal refusal = { code, "r0123456789abcdef", 1500, true, NULL };
        size_t len = refusal_write(&refusal, answer);
        char status[48];

        assert_in_range(len, 100, REFUSAL_MAX);
        answer[len] = 0;
        (void)snprintf(status, sizeof status, "HTTP/1.1 %u ", info->http_status);
        assert_memory_equal(answer, status, strlen(status));
        assert_non_null(strstr(answer, "X-Request-Id: r0123456789abcdef\r\n"));
        assert_non_null(strstr(answer, "Strict-Transport-Security: "));
        assert_non_null(strstr(answer, "Connection: close"));
        if (info->http_status == 429 || info->http_status == 503)
            assert_non_null(strstr(answer, "Retry-After: 2\r\n"));
        if (info->http_status == 426)
            assert_non_null(strstr(answer, "Sec-WebSocket-Version: 13\r\n"));
        if (info->http_status == 401) assert_non_null(strstr(answer, "WWW-Authenticate: Bearer"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(head_judges),
        cmocka_unit_test(head_caps),
        cmocka_unit_test(proxy_headers),
        cmocka_unit_test(cidr_blocks),
        cmocka_unit_test(forwarded_headers),
        cmocka_unit_test(bans),
        cmocka_unit_test(frames_cut_anywhere),
        cmocka_unit_test(frame_heads),
        cmocka_unit_test(text_in_pieces),
        cmocka_unit_test(jwt_forms),
        cmocka_unit_test(query_tokens),
        cmocka_unit_test(leases),
        cmocka_unit_test(wheel_fires),
        cmocka_unit_test(wheel_fires_no_more_than_asked),
        cmocka_unit_test(refusals),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
