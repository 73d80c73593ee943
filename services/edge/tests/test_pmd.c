/* permessage-deflate: which offer is taken, and what becomes of a message's bytes. The vectors
 * marked 7692 are the RFC's own (section 7.2.3). */
#include "pmd.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
#define P            "permessage-deflate"
#define BOTH         "; server_no_context_takeover; client_no_context_takeover"

/* --- offers ----------------------------------------------------------------------------------- */

struct offer_row {
    const char *name, *header;
    uint32_t mode;
    const char *answer; /* NULL: nothing is taken */
};

static const struct offer_row offer_rows[] = {
    { "offer: off", P, PMD_OFF, NULL },
    { "offer: bare", P, PMD_ON, P BOTH },
    { "offer: bare, takeover: its window of 15 bits is not kept", P, PMD_TAKEOVER,
      P "; client_no_context_takeover; server_max_window_bits=12" },
    { "offer: as Chromium makes it", P "; client_max_window_bits", PMD_ON, P BOTH },
    { "offer: as Chromium makes it, takeover", P "; client_max_window_bits", PMD_TAKEOVER,
      P "; server_max_window_bits=12; client_max_window_bits=12" },
    { "offer: client window smaller than ours", P "; client_max_window_bits=9", PMD_TAKEOVER,
      P "; server_max_window_bits=12; client_max_window_bits=9" },
    { "offer: client window larger than ours", P "; client_max_window_bits=15", PMD_TAKEOVER,
      P "; server_max_window_bits=12; client_max_window_bits=12" },
    { "offer: no takeover by the server", P "; server_no_context_takeover; client_max_window_bits",
      PMD_TAKEOVER,
      P "; server_no_context_takeover; server_max_window_bits=12; client_max_window_bits=12" },
    { "offer: no takeover by the client", P "; client_no_context_takeover", PMD_TAKEOVER,
      P "; client_no_context_takeover; server_max_window_bits=12" },
    { "offer: server window 8", P "; server_max_window_bits=8", PMD_ON,
      P BOTH "; server_max_window_bits=8" },
    { "offer: server window 10", P "; server_max_window_bits=10", PMD_TAKEOVER,
      P "; client_no_context_takeover; server_max_window_bits=10" },
    { "offer: server window 15", P "; server_max_window_bits=15", PMD_ON,
      P BOTH "; server_max_window_bits=15" },
    { "offer: quoted value", P "; server_max_window_bits=\"10\"", PMD_ON,
      P BOTH "; server_max_window_bits=10" },
    { "offer: blanks", P " ;  server_max_window_bits = 10 ; client_max_window_bits", PMD_ON,
      P BOTH "; server_max_window_bits=10" },
    { "offer: all four", P "; client_max_window_bits=11; server_max_window_bits=11" BOTH,
      PMD_TAKEOVER, P BOTH "; server_max_window_bits=11" },
    { "offer: the second is good", P "; what, " P "; server_max_window_bits=9", PMD_ON,
      P BOTH "; server_max_window_bits=9" },
    { "offer: the first good one wins",
      P "; server_max_window_bits=9, " P "; server_max_window_bits=10", PMD_ON,
      P BOTH "; server_max_window_bits=9" },
    { "offer: behind another extension", "x-webkit-deflate-frame, foo; a=b, " P, PMD_ON, P BOTH },
    { "offer: none of ours", "x-webkit-deflate-frame", PMD_ON, NULL },
    { "offer: a name is exact", "Permessage-Deflate", PMD_ON, NULL },
    { "offer: unknown parameter", P "; max_window_bits=10", PMD_ON, NULL },
    { "offer: parameter of another case", P "; Server_No_Context_Takeover", PMD_ON, NULL },
    { "offer: takeover twice", P "; server_no_context_takeover; server_no_context_takeover", PMD_ON,
      NULL },
    { "offer: client takeover twice", P BOTH "; client_no_context_takeover", PMD_ON, NULL },
    { "offer: window twice, alike", P "; server_max_window_bits=10; server_max_window_bits=10",
      PMD_ON, NULL },
    { "offer: client window twice", P "; client_max_window_bits; client_max_window_bits=10", PMD_ON,
      NULL },
    { "offer: takeover with a value", P "; server_no_context_takeover=1", PMD_ON, NULL },
    { "offer: client takeover with a value", P "; client_no_context_takeover=true", PMD_ON, NULL },
    { "offer: server window without a value", P "; server_max_window_bits", PMD_ON, NULL },
    { "offer: server window 7", P "; server_max_window_bits=7", PMD_ON, NULL },
    { "offer: server window 16", P "; server_max_window_bits=16", PMD_ON, NULL },
    { "offer: server window 0", P "; server_max_window_bits=0", PMD_ON, NULL },
    { "offer: server window 08", P "; server_max_window_bits=08", PMD_ON, NULL },
    { "offer: server window +8", P "; server_max_window_bits=+8", PMD_ON, NULL },
    { "offer: server window 8x", P "; server_max_window_bits=8x", PMD_ON, NULL },
    { "offer: server window 100", P "; server_max_window_bits=100", PMD_ON, NULL },
    { "offer: client window 7", P "; client_max_window_bits=7", PMD_ON, NULL },
    { "offer: client window 16", P "; client_max_window_bits=16", PMD_ON, NULL },
    { "offer: client window 010", P "; client_max_window_bits=010", PMD_ON, NULL },
};

static size_t split(const char *header, struct span *items, size_t max)
{
    struct span list = { header, strlen(header) };
    size_t n = 0;

    while (n < max && span_next_item(&list, ',', &items[n])) {
        assert_true(pmd_offer_wellformed(items[n]));
        n++;
    }
    return n;
}

static void offer_row(void **state)
{
    const struct offer_row *row = *state;
    const struct pmd_policy policy = { row->mode, 12 };
    struct pmd_params params = { .server_bits = 99 };
    struct span offers[4];
    char answer[PMD_ANSWER_MAX];
    size_t n = split(row->header, offers, COUNT(offers));

    assert_int_equal(pmd_offer_choose(offers, n, &policy, &params), row->answer != NULL);
    if (row->answer == NULL) {
        assert_int_equal(params.server_bits, 99);
        return;
    }
    assert_int_equal(pmd_offer_answer(&params, answer), strlen(row->answer));
    assert_string_equal(answer, row->answer);
}

static void offers_that_break_the_grammar(void **state)
{
    static const char *const bad[] = { "",
                                       ";",
                                       "a;",
                                       "a b",
                                       "a; b c",
                                       "a; =1",
                                       "a; b=",
                                       "a; b=\"\"",
                                       "a; b=\"1",
                                       "a; b=1\"",
                                       "a; b==1",
                                       "a; b=\"1 2\"",
                                       "a; b=\"\\1\"",
                                       "a; b=\"1\"2",
                                       "a/b",
                                       "a; (b)" };
    static const char *const good[] = { "a", "a;b", "a ; b = c", "a; b=\"c\"; d" };

    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++)
        if (pmd_offer_wellformed((struct span){ bad[i], strlen(bad[i]) })) fail_msg("%s", bad[i]);
    for (size_t i = 0; i < COUNT(good); i++)
        if (!pmd_offer_wellformed((struct span){ good[i], strlen(good[i]) }))
            fail_msg("%s", good[i]);
}

/* --- inflating -------------------------------------------------------------------------------- */

#define CAP 65536

struct bench {
    struct pmd *pmd;
    struct pmd_peer *peer;
};

static struct bench make(const struct pmd_params *params, uint64_t min_bytes)
{
    const struct pmd_config config = { CAP, 100, 6, min_bytes };
    struct bench b;

    assert_int_equal(pmd_new(&config, &b.pmd), GH_OK);
    assert_int_equal(pmd_peer_new(params, &b.peer), GH_OK);
    return b;
}

static void done(struct bench *b)
{
    pmd_peer_free(b->peer);
    pmd_free(b->pmd);
}

static const struct pmd_params alone = { .server_bits = 15, .client_bits = 15 };
static const struct pmd_params together = {
    .server_bits = 15, .client_bits = 15, .server_takeover = true, .client_takeover = true
};

struct inflate_row {
    const char *name, *payload;
    size_t len;
    enum pmd_result result;
    const char *text;
};
#define ROW(name, payload, result, text)                                                           \
    {                                                                                              \
        name, payload, sizeof(payload) - 1, result, text                                           \
    }

static const struct inflate_row inflate_rows[] = {
    ROW("inflate: 7692 one block", "\xf2\x48\xcd\xc9\xc9\x07\x00", PMD_GOOD, "Hello"),
    ROW("inflate: 7692 no compression", "\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00", PMD_GOOD,
        "Hello"),
    ROW("inflate: 7692 BFINAL", "\xf3\x48\xcd\xc9\xc9\x07\x00\x00", PMD_GOOD, "Hello"),
    ROW("inflate: 7692 two blocks", "\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00",
        PMD_GOOD, "Hello"),
    ROW("inflate: 7692 empty", "\x00", PMD_GOOD, ""),
    ROW("inflate: empty by a fixed block", "\x02\x00", PMD_GOOD, ""),
    ROW("inflate: last block final", "\xf2\x48\xcd\xc9\xc9\x07\x04", PMD_GOOD, "Hello"),
    ROW("inflate: two streams, the second refers to the first",
        "\xf3\x48\xcd\xc9\xc9\x07\x00\x02\x13\x00\x00", PMD_GOOD, "HelloHello"),
    ROW("inflate: no byte", "", PMD_BROKEN, NULL),
    ROW("inflate: tail not cut off", "\xf2\x48\xcd\xc9\xc9\x07\x00\x00\x00\xff\xff", PMD_BROKEN,
        NULL),
    ROW("inflate: ends inside a block", "\xf2\x48\xcd\xc9\xc9", PMD_BROKEN, NULL),
    ROW("inflate: ends without an empty block", "\xf2\x48\xcd\xc9\xc9\x07", PMD_BROKEN, NULL),
    ROW("inflate: BFINAL without its padding", "\xf3\x48\xcd\xc9\xc9\x07\x00", PMD_BROKEN, NULL),
    ROW("inflate: reserved block type", "\x06\x00", PMD_BROKEN, NULL),
    ROW("inflate: stored length does not match", "\x00\x05\x00\xfb\xff\x48\x65\x6c\x6c\x6f\x00",
        PMD_BROKEN, NULL),
    ROW("inflate: refers back past the beginning", "\x02\x13\x00\x00", PMD_BROKEN, NULL),
    ROW("inflate: bad code lengths", "\xfc\xff\xff\xff\xff\x00", PMD_BROKEN, NULL),
    ROW("inflate: text", "Hello", PMD_BROKEN, NULL),
};

static void inflate_row(void **state)
{
    const struct inflate_row *row = *state;
    struct bench b = make(&alone, 1);
    const uint8_t *data = NULL;
    size_t len = 0;

    for (int again = 0; again < 2; again++) { /* the shared state holds nothing of the last one */
        assert_int_equal(
            pmd_inflate(b.pmd, b.peer, (const uint8_t *)row->payload, row->len, &data, &len),
            row->result);
        if (row->text == NULL) continue;
        assert_int_equal(len, strlen(row->text));
        assert_memory_equal(data, row->text, len);
    }
    done(&b);
}

static void inflate_with_takeover(void **state)
{
    /* RFC 7692 section 7.2.3.2: "Hello" twice, the second in five bytes. */
    static const uint8_t first[] = { 0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00 };
    static const uint8_t second[] = { 0xf2, 0x00, 0x11, 0x00, 0x00 };
    struct bench b = make(&together, 1);
    struct pmd_peer *other;
    const uint8_t *data;
    size_t len;

    (void)state;
    assert_int_equal(pmd_peer_new(&together, &other), GH_OK);
    assert_int_equal(pmd_inflate(b.pmd, b.peer, first, sizeof first, &data, &len), PMD_GOOD);
    assert_int_equal(pmd_inflate(b.pmd, b.peer, second, sizeof second, &data, &len), PMD_GOOD);
    assert_int_equal(len, 5);
    assert_memory_equal(data, "Hello", 5);
    pmd_peer_rest(b.peer); /* what the client may refer to stays */
    pmd_peer_rest(b.peer);
    assert_int_equal(pmd_inflate(b.pmd, b.peer, second, sizeof second, &data, &len), PMD_GOOD);
    /* Another connection, through the same inflater, has no such past. */
    assert_int_equal(pmd_inflate(b.pmd, other, second, sizeof second, &data, &len), PMD_BROKEN);
    pmd_peer_free(other);
    done(&b);
}

/* zlib's own raw deflate, as a client would run it; returns the length without the tail. */
static size_t client_deflate(z_stream *z, const uint8_t *data, size_t len, uint8_t *dst, size_t cap)
{
    z->next_in = (z_const Bytef *)data;
    z->avail_in = (uInt)len;
    z->next_out = dst;
    z->avail_out = (uInt)cap;
    assert_int_equal(deflate(z, Z_SYNC_FLUSH), Z_OK);
    assert_int_equal(z->avail_in, 0);
    return cap - z->avail_out - 4;
}

static void caps_on_what_comes_out(void **state)
{
    enum { BIG = 80 << 20 };
    static uint8_t wire[128 << 10];
    struct bench b = make(&alone, 1);
    uint8_t *zeros = calloc(1, BIG);
    const uint8_t *data;
    z_stream z = { 0 };
    size_t n, len;

    (void)state;
    assert_non_null(zeros);
    assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, -15, 9, Z_DEFAULT_STRATEGY), Z_OK);
    /* 1 : 1000 and 64 KiB on the wire, and just past the ratio for little */
    n = client_deflate(&z, zeros, 64 << 20, wire, sizeof wire);
    assert_in_range(n, 60000, 70000);
    assert_int_equal(pmd_inflate(b.pmd, b.peer, wire, n, &data, &len), PMD_TOO_LARGE);
    (void)deflateReset(&z);
    n = client_deflate(&z, zeros, 4096, wire, sizeof wire);
    assert_int_equal(pmd_inflate(b.pmd, b.peer, wire, n, &data, &len), PMD_GOOD);
    assert_int_equal(len, 4096);
    (void)deflateReset(&z);
    n = client_deflate(&z, zeros, 4097, wire, sizeof wire);
    assert_true(n * 100 < 4097);
    assert_int_equal(pmd_inflate(b.pmd, b.peer, wire, n, &data, &len), PMD_TOO_LARGE);
    /* the cap itself, with content that no ratio forbids */
    for (size_t i = 0; i <= CAP; i++)
        zeros[i] = (uint8_t)((i * 2654435761u) >> 20 & 63);
    (void)deflateReset(&z);
    n = client_deflate(&z, zeros, CAP, wire, sizeof wire);
    assert_int_equal(pmd_inflate(b.pmd, b.peer, wire, n, &data, &len), PMD_GOOD);
    assert_int_equal(len, CAP);
    assert_memory_equal(data, zeros, CAP);
    (void)deflateReset(&z);
    n = client_deflate(&z, zeros, CAP + 1, wire, sizeof wire);
    assert_int_equal(pmd_inflate(b.pmd, b.peer, wire, n, &data, &len), PMD_TOO_LARGE);
    (void)deflateEnd(&z);
    free(zeros);
    done(&b);
}

/* A dynamic block that holds only its end: two codes of one bit for the code lengths 1 and "138 and
 * 118 zeros", one literal code (the end), one distance code. */
static void put_empty_dynamic(uint8_t *dst, size_t bit)
{
    static const struct {
        uint8_t value, bits;
    } head[] = { { 0, 1 }, { 2, 2 }, { 0, 5 }, { 0, 5 }, { 14, 4 } };
    static const uint8_t order[18] = {
        16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1
    };
    static const uint8_t rest[] = { 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 1, 0, 1, 1, 0, 0, 0 };
    uint8_t bits[90];
    size_t n = 0;

    for (size_t i = 0; i < COUNT(head); i++)
        for (unsigned k = 0; k < head[i].bits; k++)
            bits[n++] = head[i].value >> k & 1;
    for (size_t i = 0; i < COUNT(order); i++)
        for (unsigned k = 0; k < 3; k++)
            bits[n++] = k == 0 && (order[i] == 18 || order[i] == 1);
    for (size_t i = 0; i < COUNT(rest); i++)
        bits[n++] = rest[i];
    assert_int_equal(n, sizeof bits);
    for (size_t i = 0; i < sizeof bits; i++, bit++)
        dst[bit / 8] =
            (uint8_t)((dst[bit / 8] & ~(1u << (bit % 8))) | (unsigned)bits[i] << (bit % 8));
}

static void blocks_without_content(void **state)
{
    static uint8_t wire[60000];
    struct bench b = make(&alone, 1);
    const uint8_t *data;
    size_t len;

    (void)state;
    for (size_t i = 0; i + 5 < sizeof wire; i += 5)
        memcpy(wire + i, "\x00\x00\x00\xff\xff", 5); /* empty stored blocks */
    assert_int_equal(pmd_inflate(b.pmd, b.peer, wire, 5 * 60 + 1, &data, &len), PMD_GOOD);
    assert_int_equal(pmd_inflate(b.pmd, b.peer, wire, 5 * 100 + 1, &data, &len), PMD_TOO_LARGE);
    /* Empty blocks with a Huffman table of their own, 90 bits each: two of them in 22.5 bytes. */
    for (size_t bit = 0; bit + 90 < 8 * sizeof wire; bit += 90)
        put_empty_dynamic(wire, bit);
    assert_int_equal(pmd_inflate(b.pmd, b.peer, wire, sizeof wire, &data, &len), PMD_TOO_LARGE);
    memset(wire, 0, sizeof wire); /* empty fixed blocks, 10 bits each: four in five bytes */
    for (size_t i = 0; i + 5 < sizeof wire; i += 5)
        memcpy(wire + i, "\x02\x08\x20\x80\x00", 5);
    assert_int_equal(pmd_inflate(b.pmd, b.peer, wire, 5 * 1000, &data, &len), PMD_TOO_LARGE);
    wire[5 * 10] = 0;
    assert_int_equal(pmd_inflate(b.pmd, b.peer, wire, 5 * 10 + 1, &data, &len), PMD_GOOD);
    done(&b);
}

/* What honest clients with the least memory send: many short blocks, none refused. */
static void every_zlib_setting_is_read(void **state)
{
    static uint8_t text[CAP], wire[2 * CAP];
    struct bench b = make(&alone, 1);
    const uint8_t *data;
    size_t len;

    (void)state;
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (uint8_t)(33 + ((i * 2654435761u) >> 13) % 90);
    for (int level = 0; level <= 9; level++)
        for (int memory = 1; memory <= 9; memory++)
            for (int bits = 9; bits <= 15; bits += 3) {
                z_stream z = { 0 };
                size_t n;

                assert_int_equal(
                    deflateInit2(&z, level, Z_DEFLATED, -bits, memory, Z_DEFAULT_STRATEGY), Z_OK);
                n = client_deflate(&z, text, sizeof text, wire, sizeof wire);
                assert_true(n <= pmd_wire_max(sizeof text));
                assert_int_equal(pmd_inflate(b.pmd, b.peer, wire, n, &data, &len), PMD_GOOD);
                assert_int_equal(len, sizeof text);
                assert_memory_equal(data, text, sizeof text);
                (void)deflateEnd(&z);
            }
    done(&b);
}

/* --- deflating -------------------------------------------------------------------------------- */

/* Inflates as the strictest client would: a window of exactly 2^bits, one byte of output at a time,
 * so that a reference further back is an error. */
static size_t client_inflate(z_stream *z, const uint8_t *data, size_t len, uint8_t *dst, size_t cap)
{
    static const uint8_t tail[] = { 0, 0, 0xff, 0xff };
    size_t out = 0;

    for (int part = 0; part < 2; part++) {
        z->next_in = (z_const Bytef *)(part == 0 ? data : tail);
        z->avail_in = (uInt)(part == 0 ? len : sizeof tail);
        for (;;) {
            int status;

            assert_true(out < cap);
            z->next_out = dst + out;
            z->avail_out = 1;
            status = inflate(z, Z_NO_FLUSH);
            if (status == Z_BUF_ERROR) break;
            assert_int_equal(status, Z_OK);
            out += 1 - z->avail_out;
            if (z->avail_in == 0 && z->avail_out == 1) break;
        }
    }
    return out;
}

static void make_text(uint8_t *dst, size_t len, unsigned seed)
{
    static const char *const words[] = { "gate ", "house ", "room ", "message ", "\"text\":", "," };

    for (size_t at = 0; at < len; seed = seed * 1103515245u + 12345u) {
        const char *word = words[seed / 65536 % COUNT(words)];
        size_t n = strlen(word) < len - at ? strlen(word) : len - at;

        memcpy(dst + at, word, n);
        at += n;
    }
}

static void every_window_is_kept_to(void **state)
{
    (void)state;
    for (uint8_t bits = PMD_BITS_MIN; bits <= PMD_BITS_MAX; bits++)
        for (int takeover = 0; takeover < 2; takeover++) {
            const struct pmd_params params = { .server_bits = bits,
                                               .client_bits = 15,
                                               .server_takeover = takeover != 0 };
            static uint8_t text[60000], out[70000];
            struct bench b = make(&params, 1);
            z_stream z = { 0 };

            assert_int_equal(inflateInit2(&z, -(int)bits), Z_OK);
            for (unsigned i = 0; i < 6; i++) {
                size_t len = i < 3 ? 300 + 7 * i : sizeof text - i, n;
                const uint8_t *wire;

                make_text(text, len, i < 3 ? 7 : i);
                assert_true(pmd_deflate(b.pmd, b.peer, text, len, &wire, &n));
                assert_true(n < len);
                if (!takeover) assert_int_equal(inflateReset(&z), Z_OK);
                assert_int_equal(client_inflate(&z, wire, n, out, sizeof out), len);
                assert_memory_equal(out, text, len);
                if (takeover && bits >= 10 && i > 0 && i < 3)
                    assert_true(n < 60); /* it remembered */
                if (i == 1) {
                    pmd_peer_rest(b.peer); /* it was sent something: kept */
                    if (takeover) assert_true(pmd_deflate(b.pmd, b.peer, text, len, &wire, &n));
                    if (takeover)
                        assert_int_equal(client_inflate(&z, wire, n, out, sizeof out), len);
                }
            }
            (void)inflateEnd(&z);
            done(&b);
        }
}

static void what_is_sent_as_it_is(void **state)
{
    static uint8_t text[PMD_OUT_MAX + 1], noise[2000];
    struct bench b = make(&alone, 512);
    struct bench t = make(&together, 512);
    const uint8_t *wire = NULL;
    size_t n = 0;

    (void)state;
    make_text(text, sizeof text, 1);
    for (size_t i = 0; i < sizeof noise; i++)
        noise[i] = (uint8_t)((i + 1) * 2654435761u >> 11 ^ (i * i * 40503u) >> 7);
    assert_false(pmd_deflate(b.pmd, b.peer, text, 0, &wire, &n));
    assert_false(pmd_deflate(b.pmd, b.peer, text, 511, &wire, &n));
    assert_true(pmd_deflate(b.pmd, b.peer, text, 512, &wire, &n));
    assert_true(pmd_deflate(b.pmd, b.peer, text, PMD_OUT_MAX, &wire, &n));
    assert_false(pmd_deflate(b.pmd, b.peer, text, PMD_OUT_MAX + 1, &wire, &n));
    for (int again = 0; again < 2; again++) {
        assert_false(pmd_deflate(b.pmd, b.peer, noise, sizeof noise, &wire, &n));
        assert_false(pmd_deflate(t.pmd, t.peer, noise, sizeof noise, &wire, &n));
    }
    done(&t);
    done(&b);
}

/* The same message for many is deflated once; for connections with a past, each by itself. */
static void one_message_for_many(void **state)
{
    const struct pmd_params narrow = { .server_bits = 9, .client_bits = 15 };
    struct bench b = make(&alone, 1);
    struct pmd_peer *second, *third, *own;
    static uint8_t text[5000], first_copy[5000], out[6000];
    const uint8_t *wire;
    size_t n, n2;
    z_stream z = { 0 };

    (void)state;
    assert_int_equal(pmd_peer_new(&alone, &second), GH_OK);
    assert_int_equal(pmd_peer_new(&narrow, &third), GH_OK);
    assert_int_equal(pmd_peer_new(&together, &own), GH_OK);
    assert_int_equal(inflateInit2(&z, -9), Z_OK);
    make_text(text, sizeof text, 3);
    assert_true(pmd_deflate(b.pmd, b.peer, text, sizeof text, &wire, &n));
    memcpy(first_copy, wire, n);
    assert_true(pmd_deflate(b.pmd, second, text, sizeof text, &wire, &n2));
    assert_int_equal(n, n2);
    assert_memory_equal(wire, first_copy, n);
    assert_true(pmd_deflate(b.pmd, third, text, sizeof text, &wire, &n2)); /* another window */
    assert_int_equal(client_inflate(&z, wire, n2, out, sizeof out), sizeof text);
    assert_memory_equal(out, text, sizeof text);
    assert_true(pmd_deflate(b.pmd, own, text, sizeof text, &wire, &n2));
    assert_true(pmd_deflate(b.pmd, own, text, sizeof text, &wire, &n2));
    assert_true(n2 < n / 2);
    text[17] ^= 1; /* of the same length, and not the same */
    assert_true(pmd_deflate(b.pmd, third, text, sizeof text, &wire, &n2));
    (void)inflateReset(&z);
    assert_int_equal(client_inflate(&z, wire, n2, out, sizeof out), sizeof text);
    assert_memory_equal(out, text, sizeof text);
    (void)inflateEnd(&z);
    pmd_peer_free(second);
    pmd_peer_free(third);
    pmd_peer_free(own);
    done(&b);
}

int main(void)
{
    static const struct CMUnitTest others[] = {
        cmocka_unit_test(offers_that_break_the_grammar), cmocka_unit_test(inflate_with_takeover),
        cmocka_unit_test(caps_on_what_comes_out),        cmocka_unit_test(blocks_without_content),
        cmocka_unit_test(every_zlib_setting_is_read),    cmocka_unit_test(every_window_is_kept_to),
        cmocka_unit_test(what_is_sent_as_it_is),         cmocka_unit_test(one_message_for_many),
    };
    static struct CMUnitTest tests[COUNT(offer_rows) + COUNT(inflate_rows) + COUNT(others)];
    size_t n = 0;

    for (size_t i = 0; i < COUNT(offer_rows); i++)
        tests[n++] = (struct CMUnitTest){ offer_rows[i].name, offer_row, NULL, NULL,
                                          (void *)&offer_rows[i] };
    for (size_t i = 0; i < COUNT(inflate_rows); i++)
        tests[n++] = (struct CMUnitTest){ inflate_rows[i].name, inflate_row, NULL, NULL,
                                          (void *)&inflate_rows[i] };
    for (size_t i = 0; i < COUNT(others); i++)
        tests[n++] = others[i];
    return cmocka_run_group_tests(tests, NULL, NULL);
}
