/* What chat says to whom: its handlers, with the kit's sending half replaced by a notebook. */
#include "chat.h"

#include "common/json/tape.h"
#include "common/log.h"
#include "rooms.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char notes[16384]; /* "to NAME JSON\n", "in NAME\n", "out NAME\n" */
static size_t noted;

static void note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

static void note(const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    int n = vsnprintf(notes + noted, sizeof(notes) - noted, fmt, args);
    va_end(args);
    assert_true(n >= 0 && (size_t)n < sizeof(notes) - noted);
    noted += (size_t)n;
}

void __wrap_gh_app_send(struct gh_app *app, struct gh_app_target target, struct gh_app_out out);
void __wrap_gh_app_subscribe(struct gh_app *app, const struct gh_app_conn *conn,
                             ProtobufCBinaryData topic);
void __wrap_gh_app_unsubscribe(struct gh_app *app, const struct gh_app_conn *conn,
                               ProtobufCBinaryData topic);

/* Every output must be one strict JSON text; timestamps and request ids are left out of the notes.
 */
void __wrap_gh_app_send(struct gh_app *app, struct gh_app_target target, struct gh_app_out out)
{
    static struct gh_tape tape; /* kept for all tests */
    static char text[sizeof(notes)];
    size_t used = 0;

    (void)app;
    if (tape.cap_nodes == 0) gh_tape_init(&tape);
    assert_int_equal(gh_tape_parse(&tape, out.data, out.len, &gh_json_limits_trusted), GH_JSON_OK);
    assert_true(
        gh_tape_str_eq(&tape, gh_tape_get_lit(&tape, 0, "type"), out.type, strlen(out.type)));
    assert_true(gh_tape_get_lit(&tape, 0, "timestamp") != GH_TAPE_NONE);
    for (size_t i = 0; i < out.len;) {
        const char *at = (const char *)out.data + i;
        size_t skip = 0;
        if (out.len - i > 13 && memcmp(at, ",\"timestamp\":", 13) == 0)
            skip = 13 + strspn(at + 13, "0123456789");
        if (out.len - i > 33 && memcmp(at, ",\"requestId\":\"", 14) == 0) skip = 14 + 18;
        if (skip == 0) text[used++] = *at;
        i += skip > 0 ? skip : 1;
        assert_true(used < sizeof(text));
    }
    text[used] = '\0';
    if (target.conn != NULL)
        note("to conn %s\n", text);
    else if (target.user.len > 0)
        note("to user %.*s %s\n", (int)target.user.len, (const char *)target.user.data, text);
    else
        note("to %.*s %s\n", (int)target.topic.len, (const char *)target.topic.data, text);
}

void __wrap_gh_app_subscribe(struct gh_app *app, const struct gh_app_conn *conn,
                             ProtobufCBinaryData topic)
{
    (void)app;
    (void)conn;
    note("in %.*s\n", (int)topic.len, (const char *)topic.data);
}

void __wrap_gh_app_unsubscribe(struct gh_app *app, const struct gh_app_conn *conn,
                               ProtobufCBinaryData topic)
{
    (void)app;
    (void)conn;
    note("out %.*s\n", (int)topic.len, (const char *)topic.data);
}

struct row;
struct fixture {
    const struct row *row; /* of the table, or NULL */
    struct chat *chat;
    struct gh_app_conn conn;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    if (f == NULL) return -1;
    f->row = *state;
    gh_log_set_level(GH_LOG_ERROR);
    if (chat_new(NULL, &f->chat) != GH_OK) return -1;
    f->conn.user = gh_bytes_str("alice");
    f->conn.session_id = gh_bytes_str("s1");
    chat_handlers.on_open(f->chat, &f->conn);
    noted = 0;
    notes[0] = '\0';
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    chat_handlers.on_close(f->chat, &f->conn, 1000);
    chat_free(f->chat);
    free(f);
    return 0;
}

static void say(struct fixture *f, const char *type, const char *id, const char *data)
{
    const struct gh_app_message msg = { .type = gh_bytes_str(type),
                                        .id = gh_bytes_str(id),
                                        .data = gh_bytes_str(data) };

    noted = 0;
    notes[0] = '\0';
    chat_handlers.on_message(f->chat, &f->conn, &msg);
}

#define ERROR(code, message, id)                                                                   \
    "to conn {\"type\":\"error\",\"payload\":{\"code\":\"" code "\",\"message\":\"" message        \
    "\"" id "}}\n"
#define NOT_THIS ERROR("schema_violation", "not a message of this type", "")
#define ACK(id)  "to conn {\"type\":\"ack\",\"payload\":{\"id\":\"" id "\"}}\n"

static const struct row {
    const char *name, *type, *id, *data, *want; /* in the room "tea", not in "den" */
} rows[] = {
    { "a message to nobody comes back", "chat", "", "{\"payload\":{\"text\":\"hi\"}}",
      "to conn {\"type\":\"chat\",\"payload\":{\"from\":\"alice\",\"text\":\"hi\"}}\n" },
    { "with an id it is acknowledged after", "chat", "m1", "{\"payload\":{\"text\":\"hi\"}}",
      "to conn {\"type\":\"chat\",\"payload\":{\"from\":\"alice\",\"text\":\"hi\"},\"id\":\"m1\"}"
      "\n" ACK("m1") },
    { "an escaped id stays escaped", "chat", "\\\"\\u0001", "{\"payload\":{}}",
      "to conn {\"type\":\"chat\",\"payload\":{\"from\":\"alice\"},\"id\":\"\\\"\\u0001\"}\n" ACK(
          "\\\"\\u0001") },
    { "who speaks is not the payload's to say", "chat", "",
      "{\"payload\":{\"from\":\"root\",\"fr\\u006fm\":\"x\"}}", NOT_THIS },
    { "not in escapes either", "chat", "", "{\"payload\":{\"fr\\u006fm\":\"root\",\"text\":1}}",
      "to conn {\"type\":\"chat\",\"payload\":{\"from\":\"alice\",\"text\":1}}\n" },
    { "a room it is in", "chat", "", "{\"payload\":{\"room\":\"tea\",\"text\":\"hi\"}}",
      "to room:tea {\"type\":\"chat\",\"payload\":{\"from\":\"alice\",\"room\":\"tea\",\"text\":"
      "\"hi\"}}\n" },
    { "the same room in escapes", "chat", "", "{\"payload\":{\"room\":\"t\\u0065a\"}}",
      "to room:tea {\"type\":\"chat\",\"payload\":{\"from\":\"alice\",\"room\":\"tea\"}}\n" },
    { "a room it is not in", "chat", "m", "{\"payload\":{\"room\":\"den\",\"text\":\"hi\"}}",
      ERROR("forbidden", "join the room first", ",\"id\":\"m\"") },
    { "a topic that is no room", "chat", "", "{\"payload\":{\"room\":\"all\"}}",
      ERROR("forbidden", "join the room first", "") },
    { "a user", "chat", "", "{\"payload\":{\"to\":\"bob\",\"text\":\"hi\"}}",
      "to user bob {\"type\":\"chat\",\"payload\":{\"from\":\"alice\",\"to\":\"bob\",\"text\":"
      "\"hi\"}}\n" },
    { "a room that is no text", "chat", "", "{\"payload\":{\"room\":7}}",
      "to conn {\"type\":\"chat\",\"payload\":{\"from\":\"alice\",\"room\":7}}\n" },
    { "joining", "join", "j", "{\"payload\":{\"room\":\"den\"}}", "in room:den\n" ACK("j") },
    { "joining twice", "join", "j", "{\"payload\":{\"room\":\"tea\"}}", ACK("j") },
    { "joining nothing", "join", "", "{\"payload\":{}}", NOT_THIS },
    { "joining an empty name", "join", "", "{\"payload\":{\"room\":\"\"}}", NOT_THIS },
    { "a room's name has no control characters", "join", "",
      "{\"payload\":{\"room\":\"a\\u0000\"}}", NOT_THIS },
    { "a room's name of 64 bytes", "join", "",
      "{\"payload\":{\"room\":"
      "\"0123456789012345678901234567890123456789012345678901234567890123\"}}",
      "in room:0123456789012345678901234567890123456789012345678901234567890123\n" },
    { "a room's name of 65 bytes", "join", "",
      "{\"payload\":{\"room\":"
      "\"01234567890123456789012345678901234567890123456789012345678901234\"}}",
      NOT_THIS },
    { "leaving", "leave", "l", "{\"payload\":{\"room\":\"tea\"}}", "out room:tea\n" ACK("l") },
    { "leaving where it is not", "leave", "l", "{\"payload\":{\"room\":\"den\"}}", ACK("l") },
    { "a file for a room", "file_upload", "", "{\"payload\":{\"room\":\"tea\",\"name\":\"a.png\"}}",
      "to room:tea {\"type\":\"file_upload\",\"payload\":{\"from\":\"alice\",\"room\":\"tea\","
      "\"name\":\"a.png\"}}\n" },
    { "a file for nobody", "file_upload", "", "{\"payload\":{\"name\":\"a.png\"}}", NOT_THIS },
    { "a file without a name", "file_upload", "", "{\"payload\":{\"room\":\"tea\"}}", NOT_THIS },
    { "a file for a room it is not in", "file_upload", "",
      "{\"payload\":{\"room\":\"den\",\"name\":\"a\"}}",
      ERROR("forbidden", "join the room first", "") },
    { "a notification to a room from outside", "notification", "",
      "{\"payload\":{\"room\":\"den\",\"text\":\"t\"}}",
      "to room:den {\"type\":\"notification\",\"payload\":{\"from\":\"alice\",\"room\":\"den\","
      "\"text\":\"t\"}}\n" },
    { "a notification to everybody", "notification", "", "{\"payload\":{\"text\":\"t\"}}",
      "to all {\"type\":\"notification\",\"payload\":{\"from\":\"alice\",\"text\":\"t\"}}\n" },
    { "a receipt", "ack", "", "{\"payload\":{\"id\":\"m9\",\"to\":\"bob\"}}",
      "to user bob {\"type\":\"ack\",\"payload\":{\"from\":\"alice\",\"id\":\"m9\",\"to\":\"bob\"}"
      "}\n" },
    { "a receipt for nobody", "ack", "", "{\"payload\":{\"id\":\"m9\"}}", NOT_THIS },
    { "a receipt of nothing", "ack", "", "{\"payload\":{\"to\":\"bob\"}}", NOT_THIS },
    { "another type", "launch", "", "{\"payload\":{}}", NOT_THIS },
    { "no payload", "chat", "", "{}", NOT_THIS },
    { "a payload that is no object", "chat", "", "{\"payload\":[{\"room\":\"tea\"}]}", NOT_THIS },
    { "a payload that is null", "chat", "", "{\"payload\":null}", NOT_THIS },
    { "a message that is an array", "chat", "", "[{\"payload\":{}}]", NOT_THIS },
    { "a message that is a number", "chat", "", "7", NOT_THIS },
    { "no JSON", "chat", "", "{\"payload\":", NOT_THIS },
    { "nothing", "chat", "", "", NOT_THIS },
};

static void check_row(void **state)
{
    struct fixture *f = *state;

    say(f, "join", "", "{\"payload\":{\"room\":\"tea\"}}");
    assert_string_equal(notes, "in room:tea\n");
    say(f, f->row->type, f->row->id, f->row->data);
    assert_string_equal(notes, f->row->want);
}

static void rooms_of_a_connection_are_capped(void **state)
{
    struct fixture *f = *state;
    char data[64];

    for (unsigned i = 0; i < ROOMS_MAX; i++) {
        snprintf(data, sizeof(data), "{\"payload\":{\"room\":\"r%u\"}}", i);
        say(f, "join", "", data);
        assert_int_equal(strncmp(notes, "in ", 3), 0);
    }
    say(f, "join", "", "{\"payload\":{\"room\":\"more\"}}");
    assert_string_equal(notes, ERROR("forbidden", "in too many rooms", ""));
    say(f, "leave", "", "{\"payload\":{\"room\":\"r3\"}}");
    say(f, "join", "", "{\"payload\":{\"room\":\"more\"}}");
    assert_string_equal(notes, "in room:more\n");
}

static void binary_is_no_message(void **state)
{
    struct fixture *f = *state;
    const struct gh_app_message msg = { .type = gh_bytes_str("chat"),
                                        .data = gh_bytes_str("{\"payload\":{}}"),
                                        .binary = true };

    chat_handlers.on_message(f->chat, &f->conn, &msg);
    assert_string_equal(notes, NOT_THIS);
}

/* ---- journal ---- */

static void what_is_taken_is_in_the_journal_before_it_is_acknowledged(void **state)
{
    char path[] = "/tmp/gh-journal-XXXXXX", text[1024];
    struct fixture f = { .conn = { .user = gh_bytes_str("al\"ice") } };
    struct journal *journal = NULL;
    int fd = mkstemp(path);

    (void)state;
    assert_int_equal(journal_new(path, &journal), GH_OK);
    assert_int_equal(chat_new(journal, &f.chat), GH_OK);
    chat_handlers.on_open(f.chat, &f.conn);
    say(&f, "chat", "1", "{\"type\":\"chat\",\"payload\":{\"text\":\"one\"}}");
    say(&f, "chat", "2", "{\"type\":\"chat\",\"payload\":{\"text\":\"two\"}}");
    assert_int_equal(pread(fd, text, sizeof(text), 0), 0); /* one write a batch */
    assert_int_equal(chat_handlers.on_batch(f.chat), GH_OK);
    ssize_t n = pread(fd, text, sizeof(text) - 1, 0);
    assert_true(n > 0);
    text[n] = '\0';
    assert_string_equal(
        text,
        "{\"user\":\"al\\\"ice\",\"message\":{\"type\":\"chat\",\"payload\":{\"text\":\"one\"}}}\n"
        "{\"user\":\"al\\\"ice\",\"message\":{\"type\":\"chat\",\"payload\":{\"text\":\"two\"}}}\n");
    assert_int_equal(chat_handlers.on_batch(f.chat), GH_OK);
    assert_int_equal(pread(fd, text, sizeof(text), 0), n);

    /* A disk that refuses: the batch, and with it the acknowledgements, fail. */
    struct rlimit old, tight;
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &old);
    tight = (struct rlimit){ .rlim_cur = (rlim_t)n, .rlim_max = old.rlim_max };
    say(&f, "chat", "3", "{\"type\":\"chat\",\"payload\":{\"text\":\"three\"}}");
    setrlimit(RLIMIT_FSIZE, &tight);
    enum gh_err err = chat_handlers.on_batch(f.chat);
    setrlimit(RLIMIT_FSIZE, &old);
    assert_int_equal(err, GH_ERR_IO);

    chat_handlers.on_close(f.chat, &f.conn, 1000);
    chat_free(f.chat);
    journal_free(journal);
    close(fd);
    unlink(path);
}

int main(void)
{
    enum { N = sizeof(rows) / sizeof(rows[0]), MORE = 3 };
    struct CMUnitTest tests[N + MORE] = {
        cmocka_unit_test_setup_teardown(rooms_of_a_connection_are_capped, setup, teardown),
        cmocka_unit_test_setup_teardown(binary_is_no_message, setup, teardown),
        cmocka_unit_test(what_is_taken_is_in_the_journal_before_it_is_acknowledged),
    };

    for (size_t i = 0; i < N; i++)
        tests[MORE + i] =
            (struct CMUnitTest){ rows[i].name, check_row, setup, teardown, (void *)&rows[i] };
    return _cmocka_run_group_tests("chat", tests, N + MORE, NULL, NULL);
}
