/* Sessions that survive their connection: over the bus, with a real Redis. */
#include "handlers.h"
#include "session.h"

#include "common/clock.h"
#include "common/code.h"
#include "support/stage.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECRET_LEN 43

struct fixture {
    struct stage stage;
    struct gh_config *config;
    struct session_config cfg;
    struct session *service;
    struct stage_caller *edges[2], *ctl;
    /* of the last SessionCreated */
    uint32_t code;
    bool resumed;
    char id[SESSION_ID_LEN + 1], secret[SECRET_LEN + 1], csrf[SESSION_CSRF_LEN + 1];
    uint64_t generation, last_seq;
    char entries[2048], topics[512], cursors[512]; /* written out, in order */
    /* of the last SessionAppendReply */
    uint32_t codes[4];
    size_t n_codes;
    /* orders pushed to the first edge */
    unsigned ordered;
    uint64_t ordered_generation;
    uint32_t ended, state_detached, listed;
    uint64_t turn;
};

static bool ready(void *ctx)
{
    return session_ready(((struct fixture *)ctx)->service);
}

static void on_push(void *ctx, uint32_t arm, const void *body)
{
    const Gh__SessionOrder *msg = body;
    struct fixture *f = ctx;

    assert_int_equal(arm, GH__ENVELOPE__BODY_SESSION_ORDER);
    f->ordered += msg->n_gone;
    if (msg->n_gone > 0) f->ordered_generation = msg->gone[0]->generation;
}

static void open_all(struct fixture *f, const char *text)
{
    struct gh_redis_config redis;

    stage_init(&f->stage, true, NULL);
    f->config = stage_config(&f->stage, text);
    assert_int_equal(session_config_load(f->config, &f->cfg), GH_OK);
    stage_redis_config(&f->stage, &redis);
    assert_int_equal(session_new(&f->stage.loop, &f->cfg, &redis, f->stage.metrics, &f->service),
                     GH_OK);
    f->service->slack_ms = 0; /* as if it had been up for long */
    f->service->server = stage_serve(&f->stage, "session", session_routes, f->service);
    stage_spin(&f->stage, ready, f);
    f->edges[0] = stage_call_as(&f->stage, "session", GH_ROLE_EDGE, GH_ROLE_SESSION, "edge-0");
    f->edges[1] = stage_call_as(&f->stage, "session", GH_ROLE_EDGE, GH_ROLE_SESSION, "edge-1");
    f->ctl = stage_call_as(&f->stage, "session", GH_ROLE_CTL, GH_ROLE_SESSION, "ctl");
    f->edges[0]->on_push = on_push;
    f->edges[0]->ctx = f;
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    open_all(f, "session:\n  max_age: 1h\n  max_per_user: 2\n  idle: 4s\n  sweep: 10ms\n");
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    session_free(f->service);
    stage_done(&f->stage);
    gh_config_free(f->config);
    free(f);
    return 0;
}

/* ---- asking ---- */

static uint64_t in_ms(int64_t ms)
{
    return (uint64_t)(gh_clock_wall_ms() + ms);
}

static void put(char *dst, size_t size, ProtobufCBinaryData text, const char *more)
{
    size_t len = strlen(dst);
    int n = snprintf(dst + len, size - len, "%.*s%s", (int)text.len, (const char *)text.data, more);

    assert_true(n >= 0 && (size_t)n < size - len);
}

static void on_created(void *ctx, enum gh_err err, const void *body)
{
    const Gh__SessionCreated *msg = body;
    struct fixture *f = ctx;
    char number[32];

    if (err != GH_OK) return;
    f->code = msg->code;
    if (msg->code != GH_CODE_OK) return;
    f->resumed = msg->resumed;
    f->generation = msg->generation;
    f->last_seq = msg->last_seq;
    f->turn = 0;
    assert_int_equal(gh_bytes_copy(msg->session_id, f->id, sizeof(f->id)), GH_OK);
    assert_int_equal(gh_bytes_copy(msg->csrf_token, f->csrf, sizeof(f->csrf)), GH_OK);
    assert_int_equal(gh_bytes_copy(msg->resume_secret, f->secret, sizeof(f->secret)), GH_OK);
    f->entries[0] = f->topics[0] = f->cursors[0] = '\0';
    for (size_t i = 0; i < msg->n_entries; i++)
        put(f->entries, sizeof(f->entries), msg->entries[i]->data,
            msg->entries[i]->binary ? "! " : " ");
    for (size_t i = 0; i < msg->n_topics; i++)
        put(f->topics, sizeof(f->topics), msg->topics[i], " ");
    for (size_t i = 0; i < msg->n_cursors; i++) {
        (void)snprintf(number, sizeof(number), "=%llu ",
                       (unsigned long long)msg->cursors[i]->number);
        put(f->cursors, sizeof(f->cursors), msg->cursors[i]->origin, number);
    }
}

struct back { /* what a client that comes back shows; zeros: the usual */
    const char *user, *route, *id, *secret;
    uint64_t last_seq, expires_ms;
    int edge;
    uint64_t window_ms, max_bytes;
    uint32_t max_messages;
};

static enum gh_err ask(struct fixture *f, const struct back *b, bool resume)
{
    Gh__SessionCreate msg = GH__SESSION_CREATE__INIT;
    Gh__SessionKeep keep = GH__SESSION_KEEP__INIT;
    Gh__SessionResume claim = GH__SESSION_RESUME__INIT;
    char id[SESSION_ID_LEN + 1], secret[64];

    msg.user = gh_bytes_str(b->user != NULL ? b->user : "alice");
    msg.address = gh_bytes_str("192.0.2.1");
    msg.agent = gh_bytes_str("test/1.0");
    msg.route = gh_bytes_str(b->route != NULL ? b->route : "main");
    msg.token_id = gh_bytes_str("jti");
    msg.edge = gh_bytes_str(b->edge == 0 ? "edge-0" : "edge-1");
    msg.edge_boot_id = 77;
    msg.request_id = gh_bytes_str("r1");
    msg.expires_ms = b->expires_ms != 0 ? b->expires_ms : in_ms(600000);
    keep.window_ms = b->window_ms != 0 ? b->window_ms : 2000;
    keep.max_messages = b->max_messages != 0 ? b->max_messages : 100;
    keep.max_bytes = b->max_bytes != 0 ? b->max_bytes : 65536;
    msg.keep = &keep;
    (void)snprintf(id, sizeof(id), "%s", b->id != NULL ? b->id : f->id);
    (void)snprintf(secret, sizeof(secret), "%s", b->secret != NULL ? b->secret : f->secret);
    claim.session_id = gh_bytes_str(id);
    claim.secret = gh_bytes_str(secret);
    claim.last_seq = b->last_seq;
    if (resume) msg.resume = &claim;
    f->code = 999;
    f->resumed = false;
    return stage_ask(f->edges[b->edge], GH__ENVELOPE__BODY_SESSION_CREATE, &msg,
                     GH__ENVELOPE__BODY_SESSION_CREATED, on_created, f);
}

static void begin(struct fixture *f, struct back b)
{
    assert_int_equal(ask(f, &b, false), GH_OK);
    assert_int_equal(f->code, GH_CODE_OK);
    assert_false(f->resumed);
    assert_int_equal(f->generation, 1);
    assert_int_equal(strlen(f->secret), SECRET_LEN);
}

static uint32_t come_back(struct fixture *f, struct back b)
{
    assert_int_equal(ask(f, &b, true), GH_OK);
    return f->code;
}

static void on_appended(void *ctx, enum gh_err err, const void *body)
{
    const Gh__SessionAppendReply *msg = body;
    struct fixture *f = ctx;

    if (err != GH_OK) return;
    f->n_codes = msg->n_codes;
    for (size_t i = 0; i < msg->n_codes && i < 4; i++)
        f->codes[i] = msg->codes[i];
}

struct more {                   /* one SessionAppend of one item; texts separated by spaces */
    const char *texts, *topics; /* "+tea -tea" */
    uint64_t first_seq, acked, cursor;
    uint64_t generation, turn; /* 0: as is */
    bool detach, binary;
};

static enum gh_err append_as(struct fixture *f, struct stage_caller *who, struct more m)
{
    Gh__SessionAppend msg = GH__SESSION_APPEND__INIT;
    Gh__SessionAppendItem item = GH__SESSION_APPEND_ITEM__INIT, *items = &item;
    Gh__SessionEntry entries[64], *entry_list[64];
    Gh__SessionTopic topics[16], *topic_list[16];
    Gh__SessionCursor cursor = GH__SESSION_CURSOR__INIT, *cursors = &cursor;
    char texts[2048], names[256], *at;

    item.session_id = gh_bytes_str(f->id);
    item.user = gh_bytes_str("alice");
    item.generation = m.generation != 0 ? m.generation : f->generation;
    item.turn = m.turn != 0 ? m.turn : ++f->turn;
    item.first_seq = m.first_seq != 0 ? m.first_seq : 1;
    item.acked = m.acked;
    item.detach = m.detach;
    (void)snprintf(texts, sizeof(texts), "%s", m.texts != NULL ? m.texts : "");
    for (char *text = strtok_r(texts, " ", &at); text != NULL; text = strtok_r(NULL, " ", &at)) {
        gh__session_entry__init(&entries[item.n_entries]);
        entries[item.n_entries].data = gh_bytes_str(text);
        entries[item.n_entries].binary = m.binary;
        entry_list[item.n_entries] = &entries[item.n_entries];
        item.n_entries++;
    }
    item.entries = entry_list;
    (void)snprintf(names, sizeof(names), "%s", m.topics != NULL ? m.topics : "");
    for (char *name = strtok_r(names, " ", &at); name != NULL; name = strtok_r(NULL, " ", &at)) {
        gh__session_topic__init(&topics[item.n_topics]);
        topics[item.n_topics].leave = name[0] == '-';
        topics[item.n_topics].topic = gh_bytes_str(name + 1);
        topic_list[item.n_topics] = &topics[item.n_topics];
        item.n_topics++;
    }
    item.topics = topic_list;
    cursor.origin = gh_bytes_str("app-1/7");
    cursor.number = m.cursor;
    msg.cursors = &cursors;
    msg.n_cursors = 1;
    msg.items = &items;
    msg.n_items = 1;
    f->n_codes = 0;
    return stage_ask(who, GH__ENVELOPE__BODY_SESSION_APPEND, &msg,
                     GH__ENVELOPE__BODY_SESSION_APPEND_REPLY, on_appended, f);
}

static uint32_t append(struct fixture *f, struct more m)
{
    assert_int_equal(append_as(f, f->edges[0], m), GH_OK);
    assert_int_equal(f->n_codes, 1);
    return f->codes[0];
}

static void on_ended(void *ctx, enum gh_err err, const void *body)
{
    assert_int_equal(err, GH_OK);
    ((struct fixture *)ctx)->ended = ((const Gh__SessionEnded *)body)->count;
}

static void end(struct fixture *f, uint32_t code)
{
    Gh__SessionEnd msg = GH__SESSION_END__INIT;

    msg.session_id = gh_bytes_str(f->id);
    msg.code = code;
    assert_int_equal(stage_ask(f->ctl, GH__ENVELOPE__BODY_SESSION_END, &msg,
                               GH__ENVELOPE__BODY_SESSION_ENDED, on_ended, f),
                     GH_OK);
}

static void on_listed(void *ctx, enum gh_err err, const void *body)
{
    const Gh__SessionListed *msg = body;
    struct fixture *f = ctx;

    assert_int_equal(err, GH_OK);
    f->listed = (uint32_t)msg->n_sessions;
    f->state_detached = 0;
    for (size_t i = 0; i < msg->n_sessions; i++)
        f->state_detached += gh_bytes_eq(msg->sessions[i]->state, "detached");
}

static uint32_t list(struct fixture *f)
{
    Gh__SessionList msg = GH__SESSION_LIST__INIT;

    msg.user = gh_bytes_str("alice");
    msg.limit = 100;
    assert_int_equal(stage_ask(f->ctl, GH__ENVELOPE__BODY_SESSION_LIST, &msg,
                               GH__ENVELOPE__BODY_SESSION_LISTED, on_listed, f),
                     GH_OK);
    return f->listed;
}

/* ---- tests ---- */

static void test_comes_back_with_what_it_missed(void **state)
{
    struct fixture *f = *state;
    char id[SESSION_ID_LEN + 1], secret[SECRET_LEN + 1], csrf[SESSION_CSRF_LEN + 1];

    begin(f, (struct back){ 0 });
    memcpy(id, f->id, sizeof(id));
    memcpy(secret, f->secret, sizeof(secret));
    memcpy(csrf, f->csrf, sizeof(csrf));
    assert_int_equal(
        append(f, (struct more){ .texts = "a b c", .topics = "+tea +milk -tea", .cursor = 10 }),
        GH_CODE_OK);
    assert_int_equal(
        append(f,
               (struct more){
                   .texts = "d", .first_seq = 4, .cursor = 12, .binary = true, .detach = true }),
        GH_CODE_OK);
    assert_int_equal(list(f), 1);
    assert_int_equal(f->state_detached, 1);

    assert_int_equal(come_back(f, (struct back){ .last_seq = 2, .edge = 1 }), GH_CODE_OK);
    assert_true(f->resumed);
    assert_string_equal(f->id, id);
    assert_string_not_equal(f->secret, secret);
    assert_string_not_equal(f->csrf, csrf);
    assert_int_equal(f->generation, 2);
    assert_int_equal(f->last_seq, 4);
    assert_string_equal(f->entries, "c d! ");
    assert_string_equal(f->topics, "milk ");
    assert_string_equal(f->cursors, "app-1/7=12 ");
    assert_int_equal(list(f), 1);
    assert_int_equal(f->state_detached, 0);
    stage_spin_ms(&f->stage, 100);
    assert_int_equal(f->ordered, 0); /* nobody had it: nobody is told */

    assert_int_equal(append(f, (struct more){ .texts = "e", .first_seq = 5, .cursor = 13 }),
                     GH_CODE_OK);
    assert_int_equal(come_back(f, (struct back){ .last_seq = 4 }), GH_CODE_OK);
    assert_string_equal(f->entries, "e ");
    assert_int_equal(f->generation, 3);
}

static void test_only_the_right_secret_of_the_right_user_once(void **state)
{
    struct fixture *f = *state;
    static const char wrong[] = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    char secret[SECRET_LEN + 1], id[SESSION_ID_LEN + 1];

    begin(f, (struct back){ 0 });
    memcpy(secret, f->secret, sizeof(secret));
    memcpy(id, f->id, sizeof(id));
    assert_int_equal(come_back(f, (struct back){ .secret = wrong }), GH_CODE_FORBIDDEN);
    assert_int_equal(come_back(f, (struct back){ .user = "bob" }), GH_CODE_FORBIDDEN);
    assert_int_equal(come_back(f, (struct back){ .route = "other" }), GH_CODE_FORBIDDEN);
    assert_int_equal(append(f, (struct more){ .texts = "a" }), GH_CODE_OK); /* undisturbed */
    assert_int_equal(come_back(f, (struct back){ 0 }), GH_CODE_OK);
    assert_int_equal(come_back(f, (struct back){ .secret = secret }), GH_CODE_FORBIDDEN);
    assert_int_equal(*f->service->resume_refused, 4);
    assert_int_equal(*f->service->resumed, 1);
    /* Nothing is known of this one, with anybody. */
    assert_int_equal(come_back(f, (struct back){ .id = "BBBBBBBBBBBBBBBBBBBBBB" }), GH_CODE_OK);
    assert_false(f->resumed);
    assert_string_not_equal(f->id, id);
}

static bool ordered(void *ctx)
{
    return ((struct fixture *)ctx)->ordered > 0;
}

static void test_the_edge_that_has_it_is_told_and_fenced_off(void **state)
{
    struct fixture *f = *state;

    begin(f, (struct back){ 0 });
    assert_int_equal(append(f, (struct more){ .texts = "a b", .cursor = 5 }), GH_CODE_OK);
    assert_int_equal(come_back(f, (struct back){ .edge = 1 }), GH_CODE_OK);
    stage_spin(&f->stage, ordered, f);
    assert_int_equal(f->ordered_generation, 2);
    assert_int_equal(
        append(f,
               (struct more){
                   .texts = "x", .first_seq = 3, .cursor = 9, .generation = 1, .turn = 50 }),
        GH_CODE_SUPERSEDED);
    assert_int_equal(append(f, (struct more){ .generation = 1, .turn = 51, .detach = true }),
                     GH_CODE_SUPERSEDED);
    assert_int_equal(list(f), 1);
    assert_int_equal(f->state_detached, 0);
    assert_int_equal(come_back(f, (struct back){ 0 }), GH_CODE_OK);
    assert_string_equal(f->entries, "a b ");
    assert_string_equal(f->cursors, "app-1/7=5 ");
}

static void test_repeats_and_latecomers_are_harmless(void **state)
{
    struct fixture *f = *state;

    begin(f, (struct back){ 0 });
    assert_int_equal(append(f, (struct more){ .texts = "a b", .cursor = 5 }), GH_CODE_OK);
    /* Asked again with more: what is there is passed over. */
    assert_int_equal(append(f, (struct more){ .texts = "a b c", .cursor = 7 }), GH_CODE_OK);
    /* The first one again, after the second: it changes nothing, not even the cursor. */
    assert_int_equal(
        append(f, (struct more){ .texts = "a b", .cursor = 5, .topics = "+old", .turn = 1 }),
        GH_CODE_OK);
    assert_int_equal(append(f, (struct more){ .texts = "z", .first_seq = 5, .cursor = 9 }),
                     GH_CODE_UNAVAILABLE); /* 4 is missing */
    assert_int_equal(come_back(f, (struct back){ 0 }), GH_CODE_OK);
    assert_string_equal(f->entries, "a b c ");
    assert_string_equal(f->cursors, "app-1/7=7 ");
    assert_string_equal(f->topics, "");
}

static void test_streams_are_bounded(void **state)
{
    struct fixture *f = *state;
    char text[2000];

    begin(f, (struct back){ .max_messages = 3 });
    assert_int_equal(append(f, (struct more){ .texts = "a b c d e" }), GH_CODE_OK);
    assert_int_equal(come_back(f, (struct back){ .last_seq = 2 }), GH_CODE_OK);
    assert_true(f->resumed);
    assert_string_equal(f->entries, "c d e ");
    end(f, GH_CODE_OK);

    begin(f, (struct back){ .max_bytes = 4000 });
    memset(text, 'x', 1500);
    text[1500] = '\0';
    for (uint64_t seq = 1; seq <= 5; seq++)
        assert_int_equal(append(f, (struct more){ .texts = text, .first_seq = seq }), GH_CODE_OK);
    assert_int_equal(come_back(f, (struct back){ .last_seq = 2 }), GH_CODE_OK);
    assert_false(f->resumed); /* 4 and 5 are all there is */
}

static void test_acknowledged_ones_go(void **state)
{
    struct fixture *f = *state;

    begin(f, (struct back){ 0 });
    assert_int_equal(append(f, (struct more){ .texts = "a b c d" }), GH_CODE_OK);
    assert_int_equal(append(f, (struct more){ .first_seq = 5, .acked = 3 }), GH_CODE_OK);
    assert_int_equal(come_back(f, (struct back){ .last_seq = 3 }), GH_CODE_OK);
    assert_true(f->resumed);
    assert_string_equal(f->entries, "d ");
    assert_int_equal(come_back(f, (struct back){ .last_seq = 2 }), GH_CODE_OK);
    assert_false(f->resumed);
}

static void test_what_it_cannot_have_seen(void **state)
{
    struct fixture *f = *state;

    begin(f, (struct back){ 0 });
    assert_int_equal(append(f, (struct more){ .texts = "a" }), GH_CODE_OK);
    assert_int_equal(come_back(f, (struct back){ .last_seq = 2 }), GH_CODE_OK);
    assert_false(f->resumed);
    assert_int_equal(list(f), 1); /* the old one has gone */
}

static void test_the_window(void **state)
{
    struct fixture *f = *state;
    char id[SESSION_ID_LEN + 1];

    begin(f, (struct back){ .window_ms = 300 });
    memcpy(id, f->id, sizeof(id));
    assert_int_equal(append(f, (struct more){ .detach = true }), GH_CODE_OK);
    stage_spin_ms(&f->stage, 400);
    assert_int_equal(list(f), 0);
    assert_int_equal(come_back(f, (struct back){ .window_ms = 300 }), GH_CODE_OK);
    assert_false(f->resumed);
    assert_string_not_equal(f->id, id);
    assert_int_equal(*f->service->resume_late, 1);
    /* And when the sweep was there before. */
    memcpy(id, f->id, sizeof(id));
    assert_int_equal(append(f, (struct more){ .detach = true }), GH_CODE_OK);
    stage_spin_ms(&f->stage, 4000);
    assert_int_equal(come_back(f, (struct back){ 0 }), GH_CODE_OK);
    assert_false(f->resumed);
    assert_string_not_equal(f->id, id);
}

static void test_a_heartbeat_does_not_prolong_the_window(void **state)
{
    struct fixture *f = *state;
    Gh__SessionTouch msg = GH__SESSION_TOUCH__INIT;
    Gh__SessionTouchItem item = GH__SESSION_TOUCH_ITEM__INIT, *items = &item;

    begin(f, (struct back){ .window_ms = 300 });
    assert_int_equal(append(f, (struct more){ .detach = true }), GH_CODE_OK);
    item.session_id = gh_bytes_str(f->id);
    item.user = gh_bytes_str("alice");
    msg.edge = gh_bytes_str("edge-0");
    msg.edge_boot_id = 77;
    msg.items = &items;
    msg.n_items = 1;
    assert_int_equal(stage_ask(f->edges[0], GH__ENVELOPE__BODY_SESSION_TOUCH, &msg,
                               GH__ENVELOPE__BODY_SESSION_TOUCHED, NULL, NULL),
                     GH_OK);
    stage_spin_ms(&f->stage, 400);
    assert_int_equal(list(f), 0);
}

static void test_ended_is_ended(void **state)
{
    static const struct {
        uint32_t code, answer;
        bool fresh;
    } rows[] = {
        { GH_CODE_OK, GH_CODE_SESSION_ENDED, false }, /* what an edge says of a close 1000 */
        { GH_CODE_SESSION_ENDED, GH_CODE_SESSION_ENDED, false },
        { GH_CODE_BANNED, GH_CODE_BANNED, false },
        { GH_CODE_SUPERSEDED, GH_CODE_SUPERSEDED, false },
        { GH_CODE_UNAUTHENTICATED, GH_CODE_UNAUTHENTICATED, false },
        { GH_CODE_IDLE, GH_CODE_OK, true },
        { GH_CODE_TOKEN_EXPIRED, GH_CODE_OK, true },
        { GH_CODE_GOING_AWAY, GH_CODE_OK, true }, /* what an edge says of a gap */
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        for (int detached = 0; detached < 2; detached++) {
            char id[SESSION_ID_LEN + 1];

            begin(f, (struct back){ 0 });
            memcpy(id, f->id, sizeof(id));
            if (detached)
                assert_int_equal(append(f, (struct more){ .texts = "a", .detach = true }),
                                 GH_CODE_OK);
            end(f, rows[i].code);
            assert_int_equal(f->ended, 1);
            assert_int_equal(append(f, (struct more){ .texts = "b", .first_seq = 2 }),
                             rows[i].code == GH_CODE_OK ? GH_CODE_SESSION_ENDED : rows[i].code);
            assert_int_equal(come_back(f, (struct back){ 0 }), rows[i].answer);
            assert_false(f->resumed);
            if (rows[i].fresh) {
                assert_string_not_equal(f->id, id);
                end(f, GH_CODE_OK);
            }
            assert_int_equal(list(f), 0);
        }
    }
}

static void test_the_credential_decides_how_long(void **state)
{
    struct fixture *f = *state;

    begin(f, (struct back){ 0 });
    assert_int_equal(come_back(f, (struct back){ .expires_ms = in_ms(-1) }), GH_CODE_TOKEN_EXPIRED);
    assert_int_equal(list(f), 0); /* over, for its credential is */
}

static void test_those_away_count_for_the_limit(void **state)
{
    struct fixture *f = *state;
    struct back first = { 0 };
    char id[SESSION_ID_LEN + 1], secret[SECRET_LEN + 1];
    uint64_t generation;

    begin(f, first);
    memcpy(id, f->id, sizeof(id));
    memcpy(secret, f->secret, sizeof(secret));
    generation = f->generation;
    assert_int_equal(append(f, (struct more){ .detach = true }), GH_CODE_OK);
    begin(f, (struct back){ 0 });
    assert_int_equal(ask(f, &first, false), GH_OK);
    assert_int_equal(f->code, GH_CODE_SESSION_LIMIT);
    /* Coming back takes no place more. */
    assert_int_equal(come_back(f, (struct back){ .id = id, .secret = secret }), GH_CODE_OK);
    assert_true(f->resumed);
    assert_int_equal(f->generation, generation + 1);
    assert_int_equal(list(f), 2);
}

static void test_bounds_and_authority(void **state)
{
    struct fixture *f = *state;

    begin(f, (struct back){ 0 });
    assert_int_equal(append_as(f, f->ctl, (struct more){ .texts = "a" }), GH_ERR_FORBIDDEN);
    assert_int_equal(append_as(f, f->edges[0], (struct more){ .first_seq = (1ull << 53) + 1 }),
                     GH_ERR_BAD_MESSAGE);
    assert_int_equal(append_as(f, f->edges[0], (struct more){ .acked = (1ull << 53) + 1 }),
                     GH_ERR_BAD_MESSAGE);
    assert_int_equal(ask(f, &(struct back){ .secret = "short" }, true), GH_ERR_BAD_MESSAGE);
    assert_int_equal(ask(f, &(struct back){ .id = "short" }, true), GH_ERR_BAD_MESSAGE);
    assert_int_equal(ask(f, &(struct back){ .last_seq = (1ull << 53) + 1 }, true),
                     GH_ERR_BAD_MESSAGE);
    assert_int_equal(ask(f, &(struct back){ .window_ms = 3600001 }, false), GH_ERR_BAD_MESSAGE);
    assert_int_equal(ask(f, &(struct back){ .max_bytes = (4u << 20) + 1 }, false),
                     GH_ERR_BAD_MESSAGE);
}

static void test_nothing_is_left_behind(void **state)
{
    struct fixture *f = *state;
    redisReply *reply;
    size_t left = 0;

    begin(f, (struct back){ 0 });
    assert_int_equal(append(f, (struct more){ .texts = "a b", .topics = "+tea", .detach = true }),
                     GH_CODE_OK);
    assert_int_equal(come_back(f, (struct back){ 0 }), GH_CODE_OK);
    end(f, GH_CODE_OK);
    stage_spin_ms(&f->stage, 200);
    reply = redis_server_call(f->stage.redis, "KEYS *");
    for (size_t i = 0; i < reply->elements; i++)
        left += strstr(reply->element[i]->str, ":t:") == NULL &&
                strstr(reply->element[i]->str, ":k:") == NULL &&
                strstr(reply->element[i]->str, "orders") == NULL;
    freeReplyObject(reply);
    assert_int_equal(left, 0);
}

static void test_redis_away(void **state)
{
    struct fixture *f = *state;
    char id[SESSION_ID_LEN + 1];

    begin(f, (struct back){ 0 });
    memcpy(id, f->id, sizeof(id));
    redis_server_kill(f->stage.redis);
    assert_int_equal(append_as(f, f->edges[0], (struct more){ .texts = "a" }), GH_ERR_UNAVAILABLE);
    assert_int_equal(come_back(f, (struct back){ 0 }), GH_CODE_UNAVAILABLE);
    /* It comes back empty: nothing is known, and a new one may be had. */
    assert_true(redis_server_restart(f->stage.redis));
    stage_spin(&f->stage, ready, f);
    assert_int_equal(append(f, (struct more){ .texts = "a" }), GH_CODE_SESSION_ENDED);
    assert_int_equal(come_back(f, (struct back){ 0 }), GH_CODE_OK);
    assert_false(f->resumed);
    assert_string_not_equal(f->id, id);
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_comes_back_with_what_it_missed),
        T(test_only_the_right_secret_of_the_right_user_once),
        T(test_the_edge_that_has_it_is_told_and_fenced_off),
        T(test_repeats_and_latecomers_are_harmless),
        T(test_streams_are_bounded),
        T(test_acknowledged_ones_go),
        T(test_what_it_cannot_have_seen),
        T(test_the_window),
        T(test_a_heartbeat_does_not_prolong_the_window),
        T(test_ended_is_ended),
        T(test_the_credential_decides_how_long),
        T(test_those_away_count_for_the_limit),
        T(test_bounds_and_authority),
        T(test_nothing_is_left_behind),
        T(test_redis_away),
    };

    return cmocka_run_group_tests_name("resume", tests, NULL, NULL);
}
