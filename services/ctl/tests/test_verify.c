/* The checker on logs made here by its description, and spoilt in every way that must show. */
#include "audit_verify.h"

#include <inttypes.h>
#include <openssl/evp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define LINES 10

struct log {
    char *line[LINES + 2];
    size_t count;
    struct gh_audit_hash last;
};

static void make(struct log *log, size_t count)
{
    struct gh_audit_hash chain = { { 0 } };
    char hex[GH_AUDIT_HASH_HEX + 1];

    log->count = count;
    for (size_t i = 0; i < count; i++) {
        log->line[i] = malloc(256);
        gh_audit_hash_hex(&chain, hex);
        int n =
            snprintf(log->line[i], 256,
                     "{\"seq\":%zu,\"prev\":\"%s\",\"time\":1,\"taken\":2,\"sender\":\"edge-1\","
                     "\"spool\":\"00\",\"number\":%zu,\"via\":\"edge\","
                     "\"severity\":\"warning\",\"kind\":\"a.b\"}",
                     i + 1, hex, i + 1);
        assert_int_equal(gh_audit_hash_next(&chain, log->line[i], (size_t)n, &chain), GH_OK);
    }
    log->last = chain;
}

static void take_out(struct log *log, size_t at, size_t n)
{
    for (size_t i = 0; i < n; i++)
        free(log->line[at + i]);
    memmove(&log->line[at], &log->line[at + n], (log->count - at - n) * sizeof(char *));
    log->count -= n;
}

static void swap(struct log *log, size_t a, size_t b)
{
    char *line = log->line[a];

    log->line[a] = log->line[b];
    log->line[b] = line;
}

/* Spoils the log; lines are counted from 1, as in what is expected. */
static void nothing(struct log *log)
{
    (void)log;
}
static void flip_kind_5(struct log *log)
{
    *strstr(log->line[4], "a.b") = 'x';
}
static void flip_number_1(struct log *log)
{
    strstr(log->line[0], "number")[8] ^= 1;
}
static void flip_prev_5(struct log *log)
{
    char *digit = strstr(log->line[4], "prev") + 10;

    *digit = *digit == '0' ? '1' : '0';
}
static void flip_seq_5(struct log *log)
{
    log->line[4][strlen("{\"seq\":")] = '7';
}
static void flip_last(struct log *log)
{
    *strstr(log->line[LINES - 1], "a.b") = 'x';
}
static void flip_brace_5(struct log *log)
{
    log->line[4][0] = '[';
}
static void drop_first(struct log *log)
{
    take_out(log, 0, 1);
}
static void drop_5(struct log *log)
{
    take_out(log, 4, 1);
}
static void drop_5_to_7(struct log *log)
{
    take_out(log, 4, 3);
}
static void cut_last(struct log *log)
{
    take_out(log, LINES - 1, 1);
}
static void cut_three(struct log *log)
{
    take_out(log, LINES - 3, 3);
}
static void cut_all(struct log *log)
{
    take_out(log, 0, LINES);
}
static void swap_5_6(struct log *log)
{
    swap(log, 4, 5);
}
static void swap_2_9(struct log *log)
{
    swap(log, 1, 8);
}
static void repeat_5(struct log *log)
{
    memmove(&log->line[6], &log->line[5], (log->count - 5) * sizeof(char *));
    log->line[5] = strdup(log->line[4]);
    log->count++;
}
static void forge_5(struct log *log)
{
    /* A record with the right seq and prev, other text: only the next prev betrays it. */
    memcpy(strstr(log->line[4], "edge-1"), "edge-2", 6);
}
static void add_forged_end(struct log *log)
{
    char hex[GH_AUDIT_HASH_HEX + 1];

    gh_audit_hash_hex(&log->last, hex);
    log->line[log->count] = malloc(256);
    snprintf(log->line[log->count], 256, "{\"seq\":%d,\"prev\":\"%s\",\"x\":1}", LINES + 1, hex);
    log->count++;
}
static void empty_line(struct log *log)
{
    log->line[4][0] = '\0';
}

static const struct row {
    const char *name;
    void (*spoil)(struct log *log);
    unsigned problems; /* 0: intact; else at least the first is compared */
    uint64_t line, seq;
    const char *says;
    unsigned unanchored;
} rows[] = {
    { "intact", nothing, 0, 0, 0, NULL, 0 },
    { "one byte of a record", flip_kind_5, 1, 5, 5, "not what was written", 0 },
    { "one byte of the first", flip_number_1, 1, 1, 1, "not what was written", 0 },
    { "one byte of a prev", flip_prev_5, 1, 5, 5, "not what was written", 0 },
    { "one byte of a seq", flip_seq_5, 2, 5, 7, "records 5 to 6 are missing", 0 },
    { "one byte of the last", flip_last, 1, 10, 10, "anchor has another hash", 0 },
    { "one byte of the frame", flip_brace_5, 1, 5, 5, "no record", 0 },
    { "the first dropped", drop_first, 1, 1, 2, "record 1 is missing", 0 },
    { "one dropped", drop_5, 1, 5, 6, "record 5 is missing", 0 },
    { "three dropped", drop_5_to_7, 1, 5, 8, "records 5 to 7 are missing", 0 },
    { "the tail cut by one", cut_last, 1, 9, 9, "records up to 10 were written", 0 },
    { "the tail cut by three", cut_three, 1, 7, 7, "records up to 10 were written", 0 },
    { "all cut", cut_all, 1, 0, 10, "records up to 10 were written", 0 },
    { "two neighbours swapped", swap_5_6, 3, 5, 6, "record 5 is missing", 0 },
    { "two others swapped", swap_2_9, 4, 2, 9, "are missing", 0 },
    { "one twice", repeat_5, 1, 6, 5, "record 5 stands where 6 belongs", 0 },
    { "one rewritten", forge_5, 1, 5, 5, "not what was written", 0 },
    { "one added at the end", add_forged_end, 0, 0, 0, NULL, 1 },
    { "one emptied", empty_line, 1, 5, 5, "no record", 0 },
};

static void check_row(void **state)
{
    const struct row *row = *state;
    struct log log = { .count = 0 };
    struct audit_verdict *v = calloc(1, sizeof(*v));
    struct audit_checker checker;

    make(&log, LINES);
    const struct audit_anchor anchor = { .seq = LINES, .hash = log.last };
    row->spoil(&log);
    audit_checker_init(&checker, &anchor, v);
    audit_checker_segment(&checker, "audit-00000000000000000001.log", 1);
    for (size_t i = 0; i < log.count; i++)
        audit_checker_line(&checker, "audit-00000000000000000001.log", i + 1, log.line[i],
                           strlen(log.line[i]));
    audit_checker_end(&checker);

    if (row->problems == 0) {
        assert_int_equal(v->problem_count, 0);
    } else {
        assert_true(v->problem_count >= 1);
        if (v->problem_count != row->problems || strstr(v->problems[0].text, row->says) == NULL)
            for (size_t i = 0; i < v->problem_count; i++)
                print_message("%s:%" PRIu64 ": seq %" PRIu64 ": %s\n", v->problems[i].file,
                              v->problems[i].line, v->problems[i].seq, v->problems[i].text);
        assert_int_equal(v->problem_count, row->problems);
        assert_int_equal(v->problems[0].line, row->line);
        assert_int_equal(v->problems[0].seq, row->seq);
        assert_non_null(strstr(v->problems[0].text, row->says));
    }
    assert_int_equal(v->unanchored, row->unanchored);
    while (log.count > 0)
        free(log.line[--log.count]);
    free(v);
}

/* Every single bit of a log, and every single byte taken out. */
static void every_bit_shows(void **state)
{
    (void)state;
    struct log log = { .count = 0 };
    struct audit_verdict *v = calloc(1, sizeof(*v));
    struct audit_checker checker;

    make(&log, 3);
    const struct audit_anchor anchor = { .seq = 3, .hash = log.last };
    for (size_t line = 0; line < 3; line++) {
        size_t len = strlen(log.line[line]);
        for (size_t bit = 0; bit < 8 * len; bit++) {
            log.line[line][bit / 8] ^= (char)(1 << bit % 8);
            memset(v, 0, sizeof(*v));
            audit_checker_init(&checker, &anchor, v);
            for (size_t i = 0; i < 3; i++)
                audit_checker_line(&checker, "s", i + 1, log.line[i],
                                   i == line ? len : strlen(log.line[i]));
            audit_checker_end(&checker);
            assert_true(v->problem_count > 0);
            log.line[line][bit / 8] ^= (char)(1 << bit % 8);
        }
    }
    while (log.count > 0)
        free(log.line[--log.count]);
    free(v);
}

static void a_missing_segment_is_named(void **state)
{
    (void)state;
    struct log log = { .count = 0 };
    struct audit_verdict *v = calloc(1, sizeof(*v));
    struct audit_checker checker;

    make(&log, 9);
    const struct audit_anchor anchor = { .seq = 9, .hash = log.last };
    audit_checker_init(&checker, &anchor, v);
    audit_checker_segment(&checker, "one", 1);
    for (size_t i = 0; i < 3; i++)
        audit_checker_line(&checker, "one", i + 1, log.line[i], strlen(log.line[i]));
    audit_checker_segment(&checker, "three", 7); /* 4 to 6 were in the second */
    for (size_t i = 6; i < 9; i++)
        audit_checker_line(&checker, "three", i - 5, log.line[i], strlen(log.line[i]));
    audit_checker_end(&checker);
    assert_int_equal(v->problem_count, 1);
    assert_string_equal(v->problems[0].file, "three");
    assert_non_null(strstr(v->problems[0].text, "segment is missing before it: records 4 to 6"));
    while (log.count > 0)
        free(log.line[--log.count]);
    free(v);
}

static void the_first_line_of_a_segment_dropped_shows(void **state)
{
    (void)state;
    struct log log = { .count = 0 };
    struct audit_verdict *v = calloc(1, sizeof(*v));
    struct audit_checker checker;

    make(&log, 6);
    audit_checker_init(&checker, NULL, v);
    audit_checker_segment(&checker, "one", 1);
    for (size_t i = 0; i < 3; i++)
        audit_checker_line(&checker, "one", i + 1, log.line[i], strlen(log.line[i]));
    audit_checker_segment(&checker, "two", 4);
    for (size_t i = 4; i < 6; i++)
        audit_checker_line(&checker, "two", i - 3, log.line[i], strlen(log.line[i]));
    audit_checker_end(&checker);
    assert_int_equal(v->problem_count, 1);
    assert_string_equal(v->problems[0].file, "two");
    assert_int_equal(v->problems[0].line, 1);
    assert_non_null(strstr(v->problems[0].text, "record 4 is missing"));
    while (log.count > 0)
        free(log.line[--log.count]);
    free(v);
}

/* ---- anchors ---- */

static EVP_PKEY *key;

static int make_key(void **state)
{
    (void)state;
    key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    return key != NULL ? 0 : -1;
}

static int drop_key(void **state)
{
    (void)state;
    EVP_PKEY_free(key);
    return 0;
}

static size_t sign(char *text, size_t size, const char *line)
{
    static const char context[] = "gatehouse-audit-anchor-v1\n";
    unsigned char signature[64];
    char said[512];
    size_t len = sizeof(signature);

    int n = snprintf(said, sizeof(said), "%s%s", context, line);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    assert_int_equal(EVP_DigestSignInit(ctx, NULL, NULL, NULL, key), 1);
    assert_int_equal(EVP_DigestSign(ctx, signature, &len, (const unsigned char *)said, (size_t)n),
                     1);
    EVP_MD_CTX_free(ctx);
    n = snprintf(text, size, "%s\n", line);
    for (size_t i = 0; i < sizeof(signature); i++)
        n += snprintf(text + n, size - (size_t)n, "%02x", signature[i]);
    n += snprintf(text + n, size - (size_t)n, "\n");
    return (size_t)n;
}

static void anchors_are_held_to_their_signature(void **state)
{
    (void)state;
    static const char line[] =
        "{\"anchor\":1,\"seq\":12,\"hash\":\""
        "00000000000000000000000000000000000000000000000000000000000000ff\",\"time\":34}";
    char text[1024];
    struct audit_anchor anchor;
    size_t len = sign(text, sizeof(text), line);

    assert_null(audit_anchor_parse(text, len, key, &anchor));
    assert_int_equal(anchor.seq, 12);
    assert_int_equal(anchor.time_ms, 34);
    assert_int_equal(anchor.hash.bytes[31], 0xff);
    for (size_t i = 0; i < len; i++) { /* any byte changed, any end cut */
        text[i] ^= 1;
        assert_non_null(audit_anchor_parse(text, len, key, &anchor));
        text[i] ^= 1;
        assert_non_null(audit_anchor_parse(text, i, key, &anchor));
    }
    EVP_PKEY *other = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    assert_non_null(
        strstr(audit_anchor_parse(text, len, other, &anchor), "not made with this key"));
    EVP_PKEY_free(other);
    len = sign(text, sizeof(text), "{\"anchor\":2,\"seq\":12}");
    assert_non_null(audit_anchor_parse(text, len, key, &anchor));
}

int main(void)
{
    enum { N = sizeof(rows) / sizeof(rows[0]), MORE = 4 };
    struct CMUnitTest tests[N + MORE] = {
        cmocka_unit_test(every_bit_shows),
        cmocka_unit_test(a_missing_segment_is_named),
        cmocka_unit_test(the_first_line_of_a_segment_dropped_shows),
        cmocka_unit_test(anchors_are_held_to_their_signature),
    };

    for (size_t i = 0; i < N; i++)
        tests[MORE + i] =
            (struct CMUnitTest){ rows[i].name, check_row, NULL, NULL, (void *)&rows[i] };
    return _cmocka_run_group_tests("verify", tests, N + MORE, make_key, drop_key);
}
