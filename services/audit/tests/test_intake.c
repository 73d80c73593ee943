#include "intake.h"

#include "common/clients/audit_client.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* One good message; each row spoils one thing and, where there is one, has its twin at the limit.
 */
struct message {
    Gh__AuditAppend append;
    Gh__AuditEvent events[GH_AUDIT_BATCH_MAX + 1];
    Gh__AuditEvent *event_list[GH_AUDIT_BATCH_MAX + 1];
    Gh__AuditField fields[GH_AUDIT_FIELDS_MAX + 1];
    Gh__AuditField *field_list[GH_AUDIT_FIELDS_MAX + 1];
};
static char filler[1024];

static ProtobufCBinaryData of(size_t len)
{
    return (ProtobufCBinaryData){ .len = len, .data = (uint8_t *)filler };
}

static void set_events(struct message *m, size_t n)
{
    m->append.n_events = n;
}

static void good(struct message *m)
{
    memset(filler, 'x', sizeof(filler));
    gh__audit_append__init(&m->append);
    m->append.sender = gh_bytes_str("edge-1");
    m->append.spool = gh_bytes_str("00aa");
    m->append.events = m->event_list;
    for (size_t i = 0; i <= GH_AUDIT_BATCH_MAX; i++) {
        gh__audit_event__init(&m->events[i]);
        m->events[i].number = i + 1;
        m->events[i].severity = GH__SEVERITY__SEVERITY_WARNING;
        m->events[i].kind = gh_bytes_str("a.b_1");
        m->event_list[i] = &m->events[i];
    }
    for (size_t i = 0; i <= GH_AUDIT_FIELDS_MAX; i++) {
        gh__audit_field__init(&m->fields[i]);
        m->fields[i].name = gh_bytes_str("n");
        m->field_list[i] = &m->fields[i];
    }
    m->events[0].fields = m->field_list;
    m->events[0].n_fields = 1;
    set_events(m, 2);
}

#define CHANGE(fn, body)                                                                           \
    static void fn(struct message *m)                                                              \
    {                                                                                              \
        body;                                                                                      \
    }
CHANGE(nothing, (void)m)
CHANGE(no_sender, m->append.sender.len = 0)
CHANGE(sender_64, m->append.sender = of(64))
CHANGE(sender_65, m->append.sender = of(65))
CHANGE(sender_space, m->append.sender = gh_bytes_str("edge 1"))
CHANGE(sender_slash, m->append.sender = gh_bytes_str("../edge"))
CHANGE(sender_nul, m->append.sender = gh_bytes("a\0b", 3))
CHANGE(no_spool, m->append.spool.len = 0)
CHANGE(spool_feed, m->append.spool = gh_bytes_str("a\n"))
CHANGE(no_events, set_events(m, 0))
CHANGE(events_512, set_events(m, GH_AUDIT_BATCH_MAX))
CHANGE(events_513, set_events(m, GH_AUDIT_BATCH_MAX + 1))
CHANGE(number_0, m->events[0].number = 0)
CHANGE(number_same, m->events[1].number = 1)
CHANGE(number_back, m->events[0].number = 9)
CHANGE(number_gap, m->events[1].number = UINT64_MAX)
CHANGE(severity_4, m->events[1].severity = (Gh__Severity)4)
CHANGE(severity_5, m->events[1].severity = (Gh__Severity)5)
CHANGE(severity_minus, m->events[1].severity = (Gh__Severity)-1)
CHANGE(no_kind, m->events[1].kind.len = 0)
CHANGE(kind_64, m->events[1].kind = of(64))
CHANGE(kind_65, m->events[1].kind = of(65))
CHANGE(kind_capital, m->events[1].kind = gh_bytes_str("A"))
CHANGE(time_9999, m->events[1].time_ms = 253402300799999u)
CHANGE(time_10000, m->events[1].time_ms = 253402300800000u)
CHANGE(user_256, m->events[1].user = of(256))
CHANGE(user_257, m->events[1].user = of(257))
CHANGE(code_257, m->events[1].code = of(257))
CHANGE(address_257, m->events[1].address = of(257))
CHANGE(session_257, m->events[1].session_id = of(257))
CHANGE(request_257, m->events[1].request_id = of(257))
CHANGE(warning_counted, m->events[1].count = 2)
CHANGE(info_counted, (m->events[1].count = 2, m->events[1].severity = (Gh__Severity)0))
CHANGE(fields_16, m->events[0].n_fields = 16)
CHANGE(fields_17, m->events[0].n_fields = 17)
CHANGE(field_no_name, m->fields[0].name.len = 0)
CHANGE(field_dot, m->fields[0].name = gh_bytes_str("a.b"))
CHANGE(field_name_32, m->fields[0].name = of(32))
CHANGE(field_name_33, m->fields[0].name = of(33))
CHANGE(field_512, m->fields[0].value = of(512))
CHANGE(field_513, m->fields[0].value = of(513))

static const struct row {
    const char *name;
    void (*change)(struct message *m);
    bool taken;
} rows[] = {
    { "the good one is taken", nothing, true },
    { "no sender", no_sender, false },
    { "sender of 64 bytes", sender_64, true },
    { "sender of 65 bytes", sender_65, false },
    { "space in the sender", sender_space, false },
    { "slash in the sender", sender_slash, false },
    { "NUL in the sender", sender_nul, false },
    { "no spool", no_spool, false },
    { "line feed in the spool", spool_feed, false },
    { "no events", no_events, false },
    { "512 events", events_512, true },
    { "513 events", events_513, false },
    { "number 0", number_0, false },
    { "the same number twice", number_same, false },
    { "numbers that go back", number_back, false },
    { "a gap in the numbers", number_gap, true },
    { "severity critical", severity_4, true },
    { "severity past critical", severity_5, false },
    { "severity below info", severity_minus, false },
    { "no kind", no_kind, false },
    { "kind of 64 bytes", kind_64, true },
    { "kind of 65 bytes", kind_65, false },
    { "capital in the kind", kind_capital, false },
    { "the last millisecond of 9999", time_9999, true },
    { "the year 10000", time_10000, false },
    { "user of 256 bytes", user_256, true },
    { "user of 257 bytes", user_257, false },
    { "code of 257 bytes", code_257, false },
    { "address of 257 bytes", address_257, false },
    { "session of 257 bytes", session_257, false },
    { "request of 257 bytes", request_257, false },
    { "a warning that stands for two", warning_counted, false },
    { "an info that stands for two", info_counted, true },
    { "16 fields", fields_16, true },
    { "17 fields", fields_17, false },
    { "a field without a name", field_no_name, false },
    { "dot in a field's name", field_dot, false },
    { "field name of 32 bytes", field_name_32, true },
    { "field name of 33 bytes", field_name_33, false },
    { "field value of 512 bytes", field_512, true },
    { "field value of 513 bytes", field_513, false },
};

static void check_row(void **state)
{
    const struct row *row = *state;
    struct message *m = calloc(1, sizeof(*m));
    char sender[LEDGER_NAME_MAX + 1] = "untouched", spool[LEDGER_NAME_MAX + 1] = "untouched";

    assert_non_null(m);
    good(m);
    row->change(m);
    assert_int_equal(intake_check(&m->append, sender, spool),
                     row->taken ? GH_OK : GH_ERR_BAD_MESSAGE);
    if (row->taken) assert_int_equal(strlen(sender), m->append.sender.len);
    free(m);
}

int main(void)
{
    enum { N = sizeof(rows) / sizeof(rows[0]) };
    struct CMUnitTest tests[N];

    for (size_t i = 0; i < N; i++)
        tests[i] = (struct CMUnitTest){ rows[i].name, check_row, NULL, NULL, (void *)&rows[i] };
    return _cmocka_run_group_tests("intake", tests, N, NULL, NULL);
}
