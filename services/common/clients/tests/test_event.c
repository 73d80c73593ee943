#include "common/clients/event_pack.h"
#include "common/clients/event_queue.h"
#include "common/clients/event_sum.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* ---- pack ---- */

static Gh__AuditEvent *round_trip(enum gh_severity severity, const char *kind,
                                  const struct gh_audit_event *event, struct gh_event_stamp stamp)
{
    static uint8_t packed[GH_SPOOL_PAYLOAD_MAX];
    size_t len = gh_event_pack(packed, severity, kind, event, stamp);

    assert_true(len <= sizeof(packed));
    Gh__AuditEvent *msg = gh__audit_event__unpack(NULL, len, packed);
    assert_non_null(msg);
    return msg;
}

static void packs_what_was_given(void **state)
{
    (void)state;
    struct gh_audit_event event = { .request_id = gh_bytes_str("r1"),
                                    .user = gh_bytes("a\0b", 3),
                                    .code = "forbidden",
                                    .fields = { { "why", gh_bytes_str("x") },
                                                { "bytes", .number = UINT64_MAX },
                                                { "none", gh_bytes_str("") } } };
    Gh__AuditEvent *msg = round_trip(GH_SEV_ERROR, "a.b", &event,
                                     (struct gh_event_stamp){ .time_ms = 42, .count = 7 });

    assert_int_equal(msg->time_ms, 42);
    assert_int_equal(msg->count, 7);
    assert_int_equal(msg->severity, GH__SEVERITY__SEVERITY_ERROR);
    assert_true(gh_bytes_eq(msg->kind, "a.b"));
    assert_true(gh_bytes_eq(msg->request_id, "r1"));
    assert_int_equal(msg->user.len, 3);
    assert_int_equal(msg->session_id.len, 0);
    assert_true(gh_bytes_eq(msg->code, "forbidden"));
    assert_int_equal(msg->n_fields, 3);
    assert_true(gh_bytes_eq(msg->fields[0]->name, "why"));
    assert_true(gh_bytes_eq(msg->fields[1]->value, "18446744073709551615"));
    assert_int_equal(msg->fields[2]->value.len, 0);
    gh__audit_event__free_unpacked(msg, NULL);
}

static void every_value_is_cut_to_its_limit(void **state)
{
    (void)state;
    static char huge[100000];
    struct gh_audit_event event = { 0 };

    memset(huge, 'x', sizeof(huge) - 1);
    event.request_id = event.session_id = event.user = event.address = gh_bytes_str(huge);
    event.code = huge;
    for (size_t i = 0; i < GH_AUDIT_FIELDS_MAX; i++)
        event.fields[i] = (struct gh_audit_field){ huge, gh_bytes_str(huge) };
    Gh__AuditEvent *msg =
        round_trip(GH_SEV_WARNING, huge, &event, (struct gh_event_stamp){ .time_ms = INT64_MAX });
    assert_int_equal(msg->kind.len, GH_AUDIT_KIND_MAX);
    assert_int_equal(msg->user.len, GH_AUDIT_ID_MAX);
    assert_int_equal(msg->code.len, GH_AUDIT_ID_MAX);
    assert_int_equal(msg->n_fields, GH_AUDIT_FIELDS_MAX);
    assert_int_equal(msg->fields[15]->name.len, GH_AUDIT_NAME_MAX);
    assert_int_equal(msg->fields[15]->value.len, GH_AUDIT_VALUE_MAX);
    gh__audit_event__free_unpacked(msg, NULL);
}

static void names_hold_only_what_audit_takes(void **state)
{
    (void)state;
    struct gh_audit_event event = { .fields = { { "A b.\n", .number = 1 } } };
    Gh__AuditEvent *msg =
        round_trip(GH_SEV_INFO, "Bad kind\n.x_1", &event, (struct gh_event_stamp){ 0 });

    assert_true(gh_bytes_eq(msg->kind, "_ad_kind_.x_1"));
    assert_true(gh_bytes_eq(msg->fields[0]->name, "__b__"));
    gh__audit_event__free_unpacked(msg, NULL);
}

static const struct cut_row {
    const char *text;
    size_t max, want;
} cut_rows[] = {
    { "abc", 3, 3 },
    { "abcd", 3, 3 },
    { "ab\xc3\xa9", 3, 2 },           /* two-byte character across the limit */
    { "ab\xc3\xa9z", 4, 4 },          /* it ends at the limit */
    { "\xf0\x9f\x98\x80", 3, 0 },     /* four-byte character */
    { "\x80\x80\x80\x80\x80", 4, 4 }, /* not UTF-8: anywhere */
    { "x", 0, 0 },
};

static void text_is_cut_between_characters(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cut_rows) / sizeof(cut_rows[0]); i++) {
        const struct cut_row *row = &cut_rows[i];
        assert_int_equal(gh_text_cut((const uint8_t *)row->text, strlen(row->text), row->max),
                         row->want);
    }
}

/* ---- sum ---- */

struct sums {
    unsigned calls;
    uint32_t count;
    char address[GH_EVENT_SUM_ADDRESS + 1];
};

static void on_sum(void *ctx, const struct gh_event_summed *summed)
{
    struct sums *sums = ctx;

    sums->calls++;
    sums->count += summed->count;
    memcpy(sums->address, summed->address.data, summed->address.len);
    sums->address[summed->address.len] = '\0';
}

static void sums_only_the_rest_of_a_flood(void **state)
{
    (void)state;
    struct gh_event_sum *sum = NULL;
    struct gh_audit_event event = { .address = gh_bytes_str("10.0.0.1"), .code = "c" };
    struct sums sums = { 0 };
    unsigned passed = 0;

    assert_int_equal(gh_event_sum_new(1, &sum), GH_OK);
    for (int i = 0; i < 1000; i++)
        passed += gh_event_sum_take(sum, GH_SEV_INFO, "k", &event, 5000 + i / 2);
    assert_int_equal(passed, GH_AUDIT_SINGLE_MAX);
    gh_event_sum_flush(sum, 5999, false, on_sum, &sums);
    assert_int_equal(sums.calls, 0); /* its second has not ended */
    gh_event_sum_flush(sum, 6000, false, on_sum, &sums);
    assert_int_equal(sums.calls, 1);
    assert_int_equal(sums.count, 1000 - GH_AUDIT_SINGLE_MAX);
    assert_string_equal(sums.address, "10.0.0.1");
    assert_false(gh_event_sum_waiting(sum));
    assert_true(gh_event_sum_take(sum, GH_SEV_INFO, "k", &event, 6001)); /* a new second */
    gh_event_sum_free(sum);
}

static void different_events_are_not_alike(void **state)
{
    (void)state;
    struct gh_event_sum *sum = NULL;
    struct sums sums = { 0 };

    assert_int_equal(gh_event_sum_new(2, &sum), GH_OK);
    for (int i = 0; i < 40; i++) { /* 8 each of 5 kinds of difference */
        struct gh_audit_event event = { .address = gh_bytes_str(i % 5 == 0 ? "a" : "b"),
                                        .code = i % 5 == 1 ? NULL : "c" };
        assert_true(gh_event_sum_take(sum, i % 5 == 2 ? GH_SEV_NOTICE : GH_SEV_INFO,
                                      i % 5 == 3 ? "k1" : "k2", &event, 0));
    }
    gh_event_sum_flush(sum, 0, true, on_sum, &sums);
    assert_int_equal(sums.calls, 0);
    gh_event_sum_free(sum);
}

/* More addresses than slots: each event either passes or comes out in a sum, exactly once. */
static void nothing_is_lost_when_slots_run_out(void **state)
{
    (void)state;
    struct gh_event_sum *sum = NULL;
    struct sums sums = { 0 };
    unsigned passed = 0, given = 0;
    char address[32];

    assert_int_equal(gh_event_sum_new(3, &sum), GH_OK);
    for (int64_t now_ms = 0; now_ms < 5000; now_ms += 50) {
        for (int i = 0; i < 2000; i++, given++) {
            snprintf(address, sizeof(address), "10.0.%d.%d", i / 2 / 250, i / 2 % 250);
            struct gh_audit_event event = { .address = gh_bytes_str(address) };
            passed += gh_event_sum_take(sum, GH_SEV_INFO, "k", &event, now_ms);
        }
        gh_event_sum_flush(sum, now_ms, false, on_sum, &sums);
    }
    gh_event_sum_flush(sum, 0, true, on_sum, &sums);
    assert_int_equal(passed + sums.count, given);
    assert_true(sums.count > 0);
    gh_event_sum_free(sum);
}

/* ---- queue ---- */

static void queue_keeps_order_through_drop_and_rewind(void **state)
{
    (void)state;
    struct gh_event_queue queue = { .max_bytes = 64 * 1024 };
    struct gh_event_item item;
    uint64_t pushed = 0, expected = 1;
    uint8_t payload[300];

    for (int round = 0; round < 500; round++) {
        for (int i = 0; i < 20; i++) {
            memset(payload, (int)(++pushed % 251), sizeof(payload));
            assert_int_equal(gh_event_queue_push(&queue, pushed, payload, pushed % 300), GH_OK);
        }
        for (int again = 0; again < 2; again++) {
            gh_event_queue_rewind(&queue);
            for (unsigned i = 0; i < 20; i++) {
                assert_true(gh_event_queue_peek(&queue, &item));
                assert_int_equal(item.number, expected + i);
                assert_int_equal(item.len, item.number % 300);
                for (size_t b = 0; b < item.len; b++)
                    assert_int_equal(item.payload[b], item.number % 251);
                gh_event_queue_advance(&queue);
            }
        }
        gh_event_queue_drop(&queue);
        expected += 20;
    }
    assert_true(gh_event_queue_empty(&queue));
    assert_false(gh_event_queue_peek(&queue, &item));
    gh_event_queue_done(&queue);
}

static void queue_holds_its_cap(void **state)
{
    (void)state;
    struct gh_event_queue queue = { .max_bytes = 1000 };
    uint8_t payload[100] = { 0 };
    unsigned n = 0;

    while (gh_event_queue_push(&queue, n + 1, payload, sizeof(payload)) == GH_OK)
        n++;
    assert_int_equal(n, 1000 / 116);
    gh_event_queue_advance(&queue);
    gh_event_queue_drop(&queue);
    assert_int_equal(gh_event_queue_push(&queue, 99, payload, sizeof(payload)), GH_OK);
    assert_int_equal(gh_event_queue_push(&queue, 100, payload, sizeof(payload)), GH_ERR_LIMIT);
    gh_event_queue_done(&queue);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(packs_what_was_given),
        cmocka_unit_test(every_value_is_cut_to_its_limit),
        cmocka_unit_test(names_hold_only_what_audit_takes),
        cmocka_unit_test(text_is_cut_between_characters),
        cmocka_unit_test(sums_only_the_rest_of_a_flood),
        cmocka_unit_test(different_events_are_not_alike),
        cmocka_unit_test(nothing_is_lost_when_slots_run_out),
        cmocka_unit_test(queue_keeps_order_through_drop_and_rewind),
        cmocka_unit_test(queue_holds_its_cap),
    };
    return cmocka_run_group_tests_name("event", tests, NULL, NULL);
}
