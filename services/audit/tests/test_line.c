#include "line.h"

#include "common/bus.h"
#include "common/json/tape.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct gh_audit_hash zero;

static json_t *written(const Gh__AuditEvent *event, struct gh_buf *out)
{
    const struct line_source source = {
        .sender = "edge-1", .spool = "00", .via = "edge", .taken_ms = 12
    };
    struct gh_audit_hash hash;

    gh_buf_init(out, 0);
    assert_int_equal(line_write(out, 7, &zero, &source, event, &hash), GH_OK);
    assert_int_equal(out->data[out->len - 1], '\n');
    assert_null(memchr(out->data, '\n', out->len - 1));
    json_t *json = json_loadb(out->data, out->len, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(json);
    return json;
}

static void a_line_is_what_it_should_be(void **state)
{
    (void)state;
    static const char want[] =
        "{\"seq\":7,\"prev\":\"0000000000000000000000000000000000000000000000000000000000000000\","
        "\"time\":11,\"taken\":12,\"sender\":\"edge-1\",\"spool\":\"00\",\"number\":3,"
        "\"via\":\"edge\",\"severity\":\"warning\",\"kind\":\"a.b\",\"user\":\"al\","
        "\"code\":\"forbidden\",\"fields\":{\"why\":\"x\"}}\n";
    Gh__AuditEvent event = GH__AUDIT_EVENT__INIT;
    Gh__AuditField field = GH__AUDIT_FIELD__INIT, *fields[] = { &field };
    struct gh_buf out;

    event.number = 3;
    event.time_ms = 11;
    event.severity = GH__SEVERITY__SEVERITY_WARNING;
    event.kind = gh_bytes_str("a.b");
    event.user = gh_bytes_str("al");
    event.code = gh_bytes_str("forbidden");
    field.name = gh_bytes_str("why");
    field.value = gh_bytes_str("x");
    event.fields = fields;
    event.n_fields = 1;
    json_decref(written(&event, &out));
    assert_int_equal(out.len, strlen(want));
    assert_memory_equal(out.data, want, out.len);
    gh_buf_done(&out);
}

static void values_cannot_leave_their_place(void **state)
{
    (void)state;
    static const char evil[] = "\"},\n{\"seq\":8,\"x\":\"\\\r\x1b[2J\x7f\xff\xed\xa0\x80\x00.";
    Gh__AuditEvent event = GH__AUDIT_EVENT__INIT;
    Gh__AuditField field[2] = { GH__AUDIT_FIELD__INIT, GH__AUDIT_FIELD__INIT };
    Gh__AuditField *fields[] = { &field[0], &field[1] };
    struct gh_buf out;

    event.kind = gh_bytes_str("k");
    event.user = gh_bytes(evil, sizeof(evil) - 1);
    field[0].name = field[1].name = gh_bytes_str("same");
    field[0].value = field[1].value = event.user;
    event.fields = fields;
    event.n_fields = 2;
    const struct line_source source = { .sender = "e", .spool = "s", .via = "edge" };
    struct gh_audit_hash hash;
    gh_buf_init(&out, 0);
    assert_int_equal(line_write(&out, 7, &zero, &source, &event, &hash), GH_OK);
    assert_null(memchr(out.data, '\n', out.len - 1));
    for (size_t i = 0; i < out.len - 1; i++)
        assert_true((unsigned char)out.data[i] >= ' ');
    json_t *json = json_loadb(out.data, out.len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
    assert_non_null(json);
    assert_int_equal(json_integer_value(json_object_get(json, "seq")), 7);
    assert_int_equal(json_object_size(json_object_get(json, "fields")), 2);
    assert_non_null(json_object_get(json_object_get(json, "fields"), "same_2"));
    json_decref(json);
    gh_buf_done(&out);
}

static void the_largest_event_fits(void **state)
{
    (void)state;
    static char worst[512];
    Gh__AuditEvent event = GH__AUDIT_EVENT__INIT;
    Gh__AuditField field[16], *fields[16];
    struct gh_buf out;
    struct gh_audit_hash hash;
    const struct line_source source = { .sender = "e", .spool = "s", .via = "edge" };

    memset(worst, 1, sizeof(worst)); /* \u0001: six characters for a byte */
    event.kind = gh_bytes_str("k");
    event.request_id = event.session_id = event.user = event.address = event.code =
        gh_bytes(worst, 256);
    for (size_t i = 0; i < 16; i++) {
        gh__audit_field__init(&field[i]);
        field[i].name = gh_bytes_str("abcdefghijklmnopqrstuvwxyzabcdef");
        field[i].value = gh_bytes(worst, 512);
        fields[i] = &field[i];
    }
    event.fields = fields;
    event.n_fields = 16;
    gh_buf_init(&out, 0);
    assert_int_equal(line_write(&out, UINT64_MAX, &zero, &source, &event, &hash), GH_OK);
    assert_true(out.len < AUDIT_LINE_MAX);
    gh_buf_done(&out);
}

static void recovery_reads_what_was_written(void **state)
{
    (void)state;
    Gh__AuditEvent event = GH__AUDIT_EVENT__INIT;
    struct gh_buf out;
    struct gh_tape tape;
    struct line_view view;
    struct gh_audit_hash hash, other = { { 1 } };
    const struct line_source source = { .sender = "e", .spool = "s", .via = "edge" };

    event.kind = gh_bytes_str("k");
    event.number = 77;
    gh_buf_init(&out, 0);
    gh_tape_init(&tape);
    assert_int_equal(line_write(&out, 9, &other, &source, &event, &hash), GH_OK);
    assert_int_equal(line_read(&tape, out.data, out.len - 1, &other, &view), GH_OK);
    assert_int_equal(view.seq, 9);
    assert_int_equal(view.number, 77);
    assert_string_equal(view.sender, "e");
    assert_string_equal(view.spool, "s");
    assert_memory_equal(&view.hash, &hash, sizeof(hash));
    assert_int_equal(line_read(&tape, out.data, out.len - 1, &zero, &view), GH_ERR_BAD_MESSAGE);
    assert_int_equal(line_read(&tape, out.data, out.len - 2, &other, &view), GH_ERR_BAD_MESSAGE);
    assert_int_equal(line_read(&tape, "", 0, &other, &view), GH_ERR_BAD_MESSAGE);
    assert_int_equal(line_read(&tape, "[]", 2, &other, &view), GH_ERR_BAD_MESSAGE);
    gh_tape_done(&tape);
    gh_buf_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_is_what_it_should_be),
        cmocka_unit_test(values_cannot_leave_their_place),
        cmocka_unit_test(the_largest_event_fits),
        cmocka_unit_test(recovery_reads_what_was_written),
    };
    return cmocka_run_group_tests_name("line", tests, NULL, NULL);
}
