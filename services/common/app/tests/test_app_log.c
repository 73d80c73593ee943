/* What was said of late: kept in order, under a cap, never with a hole. */
#include "common/app/app_log.h"
#include "common/bus.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const ProtobufCBinaryData nobody;

static void say(struct gh_app_log *log, uint64_t number, const char *text, int64_t now_ms)
{
    Gh__AppOp op = GH__APP_OP__INIT;

    op.number = number;
    op.topic = gh_bytes_str("tea");
    op.data = gh_bytes_str(text);
    gh_app_log_keep(log, &op, nobody, nobody, now_ms);
}

/* The texts in it, in order. */
static const char *texts(const struct gh_app_log *log)
{
    static char out[256];

    out[0] = '\0';
    for (const struct gh_app_kept *kept = log->first; kept != NULL; kept = kept->next)
        (void)snprintf(out + strlen(out), sizeof(out) - strlen(out), "%.*s", (int)kept->op.data.len,
                       (const char *)kept->op.data.data);
    return out;
}

static void forgets_by_age(void **state)
{
    struct gh_app_log log;

    (void)state;
    gh_app_log_init(&log, 1 << 20);
    assert_true(gh_app_log_reaches(&log, 0)); /* nothing was said: nothing is missing */
    say(&log, 1, "a", 1000);
    say(&log, 2, "b", 2000);
    say(&log, 3, "c", 3000);
    gh_app_log_trim(&log, 2000);
    assert_string_equal(texts(&log), "bc");
    assert_false(gh_app_log_reaches(&log, 0)); /* it would miss a */
    assert_true(gh_app_log_reaches(&log, 1));
    gh_app_log_trim(&log, 9000);
    assert_string_equal(texts(&log), "");
    assert_int_equal(log.bytes, 0);
    assert_false(gh_app_log_reaches(&log, 2));
    assert_true(gh_app_log_reaches(&log, 3));
    say(&log, 4, "d", 9000);
    assert_true(gh_app_log_reaches(&log, 3));
    gh_app_log_done(&log);
}

static void forgets_by_bytes(void **state)
{
    struct gh_app_log log;
    size_t one;

    (void)state;
    gh_app_log_init(&log, 1 << 20);
    say(&log, 1, "a", 0);
    one = log.bytes;
    gh_app_log_done(&log);
    gh_app_log_init(&log, 3 * one);
    for (uint64_t n = 1; n <= 5; n++)
        say(&log, n, (char[]){ (char)('a' + n - 1), 0 }, 0);
    assert_string_equal(texts(&log), "cde");
    assert_true(log.bytes <= 3 * one);
    assert_false(gh_app_log_reaches(&log, 1));
    assert_true(gh_app_log_reaches(&log, 2));
    /* One that is larger than all there is room for: it is not there, and that shows. */
    gh_app_log_done(&log);
    gh_app_log_init(&log, 10);
    say(&log, 6, "f", 0);
    assert_string_equal(texts(&log), "");
    assert_false(gh_app_log_reaches(&log, 5));
    assert_true(gh_app_log_reaches(&log, 6));
    gh_app_log_done(&log);
}

static void takes_back_what_was_not_said(void **state)
{
    struct gh_app_log log;

    (void)state;
    gh_app_log_init(&log, 1 << 20);
    say(&log, 1, "a", 0);
    say(&log, 2, "b", 0);
    say(&log, 3, "c", 0);
    gh_app_log_undo(&log, 1);
    assert_string_equal(texts(&log), "a");
    say(&log, 4, "d", 0);
    assert_string_equal(texts(&log), "ad");
    gh_app_log_undo(&log, 0);
    assert_string_equal(texts(&log), "");
    assert_int_equal(log.bytes, 0);
    assert_true(gh_app_log_reaches(&log, 0));
    say(&log, 5, "e", 0);
    assert_string_equal(texts(&log), "e");
    gh_app_log_done(&log);
}

/* ---- whom an operation concerns ---- */

struct row {
    const char *what;
    Gh__AppOpKind kind;
    const char *conn_session, *session, *user, *topic, *except; /* NULL: empty */
    bool concerns, in_tea_after;
};

static void whom_it_concerns(void **state)
{
    /* The session asked for: "me" of user "u", in the topic tea. */
    static const struct row rows[] = {
        { "its connection", GH__APP_OP_KIND__APP_SEND, "me", NULL, NULL, NULL, NULL, true, true },
        { "another's", GH__APP_OP_KIND__APP_SEND, "you", NULL, NULL, NULL, NULL, false, true },
        { "its session", GH__APP_OP_KIND__APP_SEND, NULL, "me", NULL, NULL, NULL, true, true },
        { "another one", GH__APP_OP_KIND__APP_SEND, NULL, "you", NULL, NULL, NULL, false, true },
        { "its user", GH__APP_OP_KIND__APP_SEND, NULL, NULL, "u", NULL, NULL, true, true },
        { "another user", GH__APP_OP_KIND__APP_SEND, NULL, NULL, "uu", NULL, NULL, false, true },
        { "its topic", GH__APP_OP_KIND__APP_SEND, NULL, NULL, NULL, "tea", NULL, true, true },
        { "another topic", GH__APP_OP_KIND__APP_SEND, NULL, NULL, NULL, "te", NULL, false, true },
        { "not to it", GH__APP_OP_KIND__APP_SEND, NULL, NULL, NULL, "tea", "me", false, true },
        { "not to you", GH__APP_OP_KIND__APP_SEND, NULL, NULL, NULL, "tea", "you", true, true },
        { "to nobody", GH__APP_OP_KIND__APP_SEND, NULL, NULL, NULL, NULL, NULL, false, true },
        { "it leaves", GH__APP_OP_KIND__APP_UNSUBSCRIBE, "me", NULL, NULL, "tea", NULL, true,
          false },
        { "you leave", GH__APP_OP_KIND__APP_UNSUBSCRIBE, "you", NULL, NULL, "tea", NULL, false,
          true },
        { "it joins again", GH__APP_OP_KIND__APP_SUBSCRIBE, "me", NULL, NULL, "tea", NULL, true,
          true },
        { "its end", GH__APP_OP_KIND__APP_DISCONNECT, "me", NULL, NULL, NULL, NULL, true, true },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct row *row = &rows[i];
        ProtobufCBinaryData list[4] = { gh_bytes_str("tea") };
        struct gh_app_topics topics = { list, 1, 4 };
        struct gh_app_log log;
        Gh__AppOp op = GH__APP_OP__INIT;

        op.kind = row->kind;
        op.number = 1;
        op.conn = row->conn_session != NULL ? 7 : 0;
        op.session_id = gh_bytes_str(row->session != NULL ? row->session : "");
        op.user = gh_bytes_str(row->user != NULL ? row->user : "");
        op.topic = gh_bytes_str(row->topic != NULL ? row->topic : "");
        op.except_conn = row->except != NULL ? 9 : 0;
        gh_app_log_init(&log, 1 << 20);
        gh_app_log_keep(&log, &op, gh_bytes_str(row->conn_session != NULL ? row->conn_session : ""),
                        gh_bytes_str(row->except != NULL ? row->except : ""), 0);
        if (gh_app_log_concerns(log.first, gh_bytes_str("me"), gh_bytes_str("u"), &topics) !=
            row->concerns)
            fail_msg("%s", row->what);
        if ((topics.count == 1) != row->in_tea_after) fail_msg("%s: topics", row->what);
        assert_int_equal(log.first->op.conn, 0);
        assert_int_equal(log.first->op.except_conn, 0);
        gh_app_log_done(&log);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forgets_by_age),
        cmocka_unit_test(forgets_by_bytes),
        cmocka_unit_test(takes_back_what_was_not_said),
        cmocka_unit_test(whom_it_concerns),
    };

    return cmocka_run_group_tests_name("app_log", tests, NULL, NULL);
}
