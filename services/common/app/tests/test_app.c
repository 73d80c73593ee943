/* The kit between two edges: real sockets, one loop, an application that does what it is told. */
#include "common/app/app.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define WAIT_MS 10000 /* a lost event shows as a failed test, not a hung one */
#define SEEN    4096

struct edge {
    struct gh_client *client;
    struct gh_client_peer *peer;
    char answer[SEEN]; /* operations that rode on answers, and those pushed */
    char pushed[SEEN];
    unsigned answers, pushes;
    enum gh_err err;
};

struct fixture {
    char dir[64];
    struct gh_service *service;
    struct gh_app *app;
    struct edge edges[2];
    char told[SEEN];    /* what the callbacks were told */
    uint64_t resume_ms; /* what the edges say */
    enum gh_err batch_err;
};

static void put(char *dst, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void put(char *dst, const char *fmt, ...)
{
    size_t len = strlen(dst);
    va_list args;

    va_start(args, fmt);
    int n = vsnprintf(dst + len, SEEN - len, fmt, args);
    va_end(args);
    assert_true(n >= 0 && (size_t)n < SEEN - len);
}

#define TEXT(bytes) (int)(bytes).len, (const char *)(bytes).data

/* ---- the application: the message's text says what to do ---- */

static void on_open(void *ctx, struct gh_app_conn *conn)
{
    struct fixture *f = ctx;

    put(f->told, "open %u %.*s%s", (unsigned)conn->id, TEXT(conn->user),
        gh_app_has_role(conn, "boss") ? " boss" : "");
    if (conn->resumed) put(f->told, " again");
    for (size_t i = 0; i < conn->topic_count; i++)
        put(f->told, " in %.*s", TEXT(conn->topics[i]));
    put(f->told, ";");
}

static void on_close(void *ctx, struct gh_app_conn *conn, uint32_t close_code)
{
    struct fixture *f = ctx;

    put(f->told, "close %u %u;", (unsigned)conn->id, (unsigned)close_code);
}

static void on_message(void *ctx, struct gh_app_conn *conn, const struct gh_app_message *msg)
{
    struct fixture *f = ctx;
    const ProtobufCBinaryData topic = gh_bytes_str("tea");
    struct gh_app_out out = { .type = "t", .data = msg->data.data, .len = msg->data.len };

    put(f->told, "%.*s %u;", TEXT(msg->data), (unsigned)conn->id);
    if (gh_bytes_eq(msg->data, "back")) gh_app_send(f->app, gh_app_to_conn(conn), out);
    if (gh_bytes_eq(msg->data, "join")) gh_app_subscribe(f->app, conn, topic);
    if (gh_bytes_eq(msg->data, "leave")) gh_app_unsubscribe(f->app, conn, topic);
    if (gh_bytes_eq(msg->data, "all")) gh_app_send(f->app, gh_app_to_topic(topic), out);
    if (gh_bytes_eq(msg->data, "bob"))
        gh_app_send(f->app, gh_app_to_user(gh_bytes_str("bob")), out);
    if (gh_bytes_eq(msg->data, "out")) gh_app_disconnect(f->app, conn, 4403, "go");
    if (gh_bytes_eq(msg->data, "others")) {
        struct gh_app_target target = gh_app_to_topic(topic);
        target.except = conn;
        gh_app_send(f->app, target, out);
    }
}

static enum gh_err on_batch(void *ctx)
{
    return ((struct fixture *)ctx)->batch_err;
}

/* ---- the edges ---- */

static void put_ops(char *dst, Gh__AppOp **ops, size_t n)
{
    static const char *const kinds[] = { "send", "in", "out", "end", "attached", "lost" };

    for (size_t i = 0; i < n; i++) {
        const Gh__AppOp *op = ops[i];
        put(dst, "%s", kinds[op->kind]);
        if (op->conn != 0) put(dst, " c%u", (unsigned)op->conn);
        if (op->user.len > 0) put(dst, " u=%.*s", TEXT(op->user));
        if (op->topic.len > 0) put(dst, " t=%.*s", TEXT(op->topic));
        if (op->data.len > 0) put(dst, " %.*s", TEXT(op->data));
        if (op->except_conn != 0) put(dst, " not c%u", (unsigned)op->except_conn);
        if (op->close_code != 0)
            put(dst, " %u %.*s", (unsigned)op->close_code, TEXT(op->close_reason));
        if (op->number != 0) put(dst, " #%u", (unsigned)op->number);
        put(dst, ";");
    }
}

static void on_answer(void *ctx, enum gh_err err, const void *body)
{
    struct edge *edge = ctx;
    const Gh__AppAnswer *answer = body;

    edge->answers++;
    edge->err = err;
    if (err == GH_OK) put_ops(edge->answer, answer->ops, answer->n_ops);
}

static void on_push(void *ctx, struct gh_client_peer *peer, uint32_t arm, const void *body)
{
    struct edge *edge = ctx;
    const Gh__AppPush *push = body;

    (void)peer;
    assert_int_equal(arm, GH__ENVELOPE__BODY_APP_PUSH);
    edge->pushes++;
    put_ops(edge->pushed, push->ops, push->n_ops);
}

static void on_up(void *ctx, struct gh_client_peer *peer, uint64_t version)
{
    (void)version;
    ((struct edge *)ctx)->peer = peer;
}

static void on_wake(uv_timer_t *timer)
{
    (void)timer;
}

static void spin(struct fixture *f, bool (*done)(const struct fixture *f))
{
    int64_t end = gh_clock_mono_ms() + WAIT_MS;
    uv_timer_t *wake = malloc(sizeof(*wake));

    (void)uv_timer_init(gh_service_loop(f->service), wake);
    while (!done(f) && gh_clock_mono_ms() < end) {
        (void)uv_timer_start(wake, on_wake, 10, 0);
        (void)uv_run(gh_service_loop(f->service), UV_RUN_ONCE);
    }
    uv_close((uv_handle_t *)wake, (uv_close_cb)free);
    assert_true(done(f));
}

static void edge_start(struct fixture *f, unsigned i)
{
    char endpoint[128], name[16];
    struct gh_client_config config = { .self = GH_ROLE_EDGE,
                                       .service = GH_ROLE_APP,
                                       .boot_id = gh_random_u64(),
                                       .metrics = gh_service_metrics(f->service),
                                       .ctx = &f->edges[i],
                                       .on_up = on_up,
                                       .on_push = on_push };

    snprintf(endpoint, sizeof(endpoint), "ipc://%s/app.x", f->dir);
    snprintf(name, sizeof(name), "edge-%u", i);
    config.endpoint = endpoint;
    config.instance = name;
    assert_int_equal(gh_client_new(gh_service_loop(f->service), &config, &f->edges[i].client),
                     GH_OK);
}

static bool both_up(const struct fixture *f)
{
    return f->edges[0].peer != NULL && f->edges[1].peer != NULL;
}

static bool first_answered(const struct fixture *f)
{
    return f->edges[0].answers > 0;
}

static bool second_answered(const struct fixture *f)
{
    return f->edges[1].answers > 0;
}

static bool second_pushed(const struct fixture *f)
{
    return f->edges[1].pushes > 0;
}

/* "user:cursor" or "user:cursor:topic" */
static void fill_resume(const char *word, Gh__AppItem *item, Gh__AppIdentity *who,
                        Gh__AppResume *resume, ProtobufCBinaryData *topic, char *text)
{
    char *user, *cursor, *name, *at = NULL;

    (void)snprintf(text, 64, "%s", word);
    user = strtok_r(text, ":", &at);
    cursor = strtok_r(NULL, ":", &at);
    name = strtok_r(NULL, ":", &at);
    who->user = who->session_id = gh_bytes_str(user);
    who->resumable = true;
    item->identity = who;
    if (cursor == NULL) return;
    gh__app_resume__init(resume);
    resume->cursor = strtoull(cursor, NULL, 10);
    if (name != NULL) {
        *topic = gh_bytes_str(name);
        resume->topics = topic;
        resume->n_topics = 1;
    }
    item->resume = resume;
}

/* One batch from an edge: items as "conn:word"; "+user" opens, "-" closes with 1000. "=user" opens
 * a resumable one, "/" detaches it, "<user:cursor:topic" opens it again, "?user:cursor:topic" only
 * asks for what it missed. */
static void batch(struct fixture *f, unsigned i, size_t count, const uint64_t *conns,
                  const char *const *words)
{
    Gh__AppBatch msg = GH__APP_BATCH__INIT;
    Gh__AppItem items[8], *list[8];
    Gh__AppIdentity who[8];
    Gh__AppResume resumes[8];
    ProtobufCBinaryData topics[8];
    char texts[8][64];
    ProtobufCBinaryData roles[] = { gh_bytes_str("user"), gh_bytes_str("boss") };

    f->told[0] = '\0';
    f->edges[i].answer[0] = '\0';
    f->edges[i].answers = 0;
    for (size_t n = 0; n < count; n++) {
        gh__app_item__init(&items[n]);
        list[n] = &items[n];
        items[n].conn = conns[n];
        if (words[n][0] == '+') {
            gh__app_identity__init(&who[n]);
            who[n].user = gh_bytes_str(words[n] + 1);
            who[n].roles = roles;
            who[n].n_roles = words[n][1] == 'b' ? 2 : 1;
            items[n].identity = &who[n];
            items[n].kind = GH__APP_ITEM_KIND__APP_OPEN;
        } else if (strchr("=<?", words[n][0]) != NULL) {
            gh__app_identity__init(&who[n]);
            items[n].kind =
                words[n][0] == '?' ? GH__APP_ITEM_KIND__APP_RESUME : GH__APP_ITEM_KIND__APP_OPEN;
            fill_resume(words[n] + 1, &items[n], &who[n], &resumes[n], &topics[n], texts[n]);
        } else if (words[n][0] == '/') {
            items[n].kind = GH__APP_ITEM_KIND__APP_CLOSE;
            items[n].detached = true;
        } else if (words[n][0] == '-') {
            items[n].kind = GH__APP_ITEM_KIND__APP_CLOSE;
            items[n].close_code = 1000;
        } else {
            items[n].data = gh_bytes_str(words[n]);
            items[n].type = gh_bytes_str("t");
        }
    }
    msg.items = list;
    msg.n_items = count;
    msg.resume_ms = f->resume_ms;
    assert_int_equal(
        gh_client_call(f->edges[i].client, f->edges[i].peer, GH__ENVELOPE__BODY_APP_BATCH, &msg,
                       GH__ENVELOPE__BODY_APP_ANSWER, WAIT_MS, on_answer, &f->edges[i]),
        GH_OK);
    spin(f, i == 0 ? first_answered : second_answered);
}

#define BATCH(f, edge, words, ...)                                                                 \
    batch(f, edge, sizeof((const char *[])words) / sizeof(char *), (const uint64_t[])__VA_ARGS__,  \
          (const char *const[])words)
#define W(...)                                                                                     \
    {                                                                                              \
        __VA_ARGS__                                                                                \
    }

static int setup(void **state)
{
    static const struct gh_app_handlers handlers = {
        .on_open = on_open, .on_message = on_message, .on_close = on_close, .on_batch = on_batch
    };
    struct fixture *f = calloc(1, sizeof(*f));
    char path[128], endpoint[128];

    gh_log_set_level(GH_LOG_ERROR);
    snprintf(f->dir, sizeof(f->dir), "/tmp/gh-app-XXXXXX");
    if (mkdtemp(f->dir) == NULL) return -1;
    snprintf(path, sizeof(path), "%s/c.yaml", f->dir);
    FILE *out = fopen(path, "w");
    fprintf(out, "run_dir: %s\nstate_dir: %s\nlog: {level: error}\n", f->dir, f->dir);
    fclose(out);
    char *argv[] = { (char *)"app",        (char *)"--config", path,
                     (char *)"--instance", (char *)"app-1",    NULL };
    snprintf(endpoint, sizeof(endpoint), "ipc://%s/app.x", f->dir);
    if (gh_service_new("chat", GH_ROLE_APP, 5, argv, NULL, &f->service) != GH_OK ||
        gh_app_new(f->service, endpoint, &handlers, f, &f->app) != GH_OK)
        return -1;
    edge_start(f, 0);
    edge_start(f, 1);
    spin(f, both_up);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    char command[128];

    gh_client_free(f->edges[0].client);
    gh_client_free(f->edges[1].client);
    gh_app_free(f->app);
    if (gh_service_exit(f->service, GH_OK) != 0) return -1;
    snprintf(command, sizeof(command), "rm -rf %s", f->dir);
    free(f);
    return system(command);
}

static void connections_are_announced_with_who_they_are(void **state)
{
    struct fixture *f = *state;

    BATCH(f, 0, W("+alice", "back", "+bob", "back", "-", "back"), { 1, 1, 2, 2, 1, 1 });
    assert_string_equal(f->told, "open 1 alice;back 1;open 2 bob boss;back 2;close 1 1000;");
    assert_string_equal(f->edges[0].answer, "send c1 back;send c2 back;");
    assert_int_equal(f->edges[0].pushes, 0);
    assert_int_equal(gh_app_conn_count(f->app), 1);
    BATCH(f, 1, W("+carol", "back"), { 2, 2 }); /* the same number on another edge */
    assert_string_equal(f->told, "open 2 carol;back 2;");
    assert_int_equal(gh_app_conn_count(f->app), 2);
    BATCH(f, 1, W("back"), { 77 }); /* nobody: passed over */
    assert_string_equal(f->told, "");
    BATCH(f, 1, W("+carol"), { 2 }); /* announced again: the same connection */
    assert_string_equal(f->told, "");
}

static void topics_and_users_reach_every_edge(void **state)
{
    struct fixture *f = *state;

    /* The second has said nothing yet: the first open of its connections may be on its way. */
    BATCH(f, 0, W("+alice", "join", "all", "bob", "leave"), { 1, 1, 1, 1, 1 });
    assert_string_equal(f->edges[0].answer,
                        "in c1 t=tea;send t=tea all;send u=bob bob;out c1 t=tea;");
    spin(f, second_pushed);
    assert_string_equal(f->edges[1].pushed, "send t=tea all;send u=bob bob;");
    assert_int_equal(f->edges[1].pushes, 1);
}

static void a_number_excepts_on_its_own_edge_only(void **state)
{
    struct fixture *f = *state;

    BATCH(f, 1, W("+dave"), { 1 });
    BATCH(f, 0, W("+alice", "others"), { 1, 1 });
    assert_string_equal(f->edges[0].answer, "send t=tea others not c1;");
    spin(f, second_pushed);
    assert_string_equal(f->edges[1].pushed, "send t=tea others;");
}

static void a_disconnect_carries_code_and_reason(void **state)
{
    struct fixture *f = *state;

    BATCH(f, 0, W("+alice", "out"), { 1, 1 });
    assert_string_equal(f->edges[0].answer, "end c1 4403 go;");
}

static void a_failed_batch_says_nothing_to_nobody(void **state)
{
    struct fixture *f = *state;

    BATCH(f, 1, W("+dave"), { 9 });
    BATCH(f, 0, W("+alice"), { 1 });
    f->batch_err = GH_ERR_IO;
    BATCH(f, 0, W("back", "all", "bob"), { 1, 1, 1 });
    assert_int_equal(f->edges[0].err, GH_ERR_IO);
    assert_string_equal(f->edges[0].answer, "");
    f->batch_err = GH_OK;
    BATCH(f, 1, W("back"), { 9 }); /* what was pushed before its answer would be here */
    assert_string_equal(f->edges[1].answer, "send c9 back;");
    assert_string_equal(f->edges[1].pushed, "");
    BATCH(f, 0, W("back"), { 1 });
    assert_string_equal(f->edges[0].answer, "send c1 back;"); /* only this one's */
}

static bool two_left(const struct fixture *f)
{
    return gh_app_conn_count(f->app) == 2;
}

static bool none_left(const struct fixture *f)
{
    return gh_app_conn_count(f->app) == 1;
}

static void an_edge_that_ends_takes_its_connections_along(void **state)
{
    struct fixture *f = *state;

    BATCH(f, 1, W("+dave"), { 9 });
    BATCH(f, 0, W("+alice", "+bob"), { 1, 2 });
    f->told[0] = '\0';
    gh_client_free(f->edges[0].client);
    f->edges[0].client = NULL;
    f->edges[0].peer = NULL;
    edge_start(f, 0); /* the same name, another boot */
    spin(f, none_left);
    assert_non_null(strstr(f->told, "close 1 1006;"));
    assert_non_null(strstr(f->told, "close 2 1006;"));
    assert_null(strstr(f->told, "close 9"));
}

static void a_session_goes_on_at_another_edge(void **state)
{
    struct fixture *f = *state;

    f->resume_ms = 2000;
    BATCH(f, 1, W("+dave"), { 9 });
    BATCH(f, 0, W("=alice", "join", "all", "back", "/"), { 1, 1, 1, 1, 1 });
    assert_string_equal(f->edges[0].answer, "in c1 t=tea #1;send t=tea all #2;send c1 back #3;");
    assert_null(strstr(f->told, "close"));     /* it may come back */
    BATCH(f, 1, W("others", "bob"), { 9, 9 }); /* said while it is away */
    assert_string_equal(f->edges[1].answer, "send t=tea others not c9 #4;send u=bob bob #5;");
    BATCH(f, 1, W("<alice:2:tea", "back"), { 5, 5 });
    assert_string_equal(f->told, "back 5;"); /* the connection it knows */
    assert_string_equal(f->edges[1].answer,
                        "send c5 back #3;send c5 others #4;attached c5 #5;send c5 back #6;");
    assert_int_equal(gh_app_conn_count(f->app), 2);
    BATCH(f, 0, W("back"), { 1 }); /* its old edge has nothing to say any more */
    assert_string_equal(f->told, "");
    BATCH(f, 1, W("-"), { 5 });
    assert_string_equal(f->told, "close 5 1000;");
}

static void what_it_joined_unheard_is_said_again(void **state)
{
    struct fixture *f = *state;

    f->resume_ms = 2000;
    BATCH(f, 1, W("+dave"), { 9 });
    BATCH(f, 0, W("=alice", "all", "join", "all", "leave", "all"), { 1, 1, 1, 1, 1, 1 });
    /* Nothing of it was heard: only what was said between joining and leaving was for it. */
    BATCH(f, 1, W("<alice:0"), { 5 });
    assert_string_equal(f->edges[1].answer,
                        "in c5 t=tea #2;send c5 all #3;out c5 t=tea #4;attached c5 #5;");
}

static void an_instance_that_is_not_its_home_says_again_what_it_said(void **state)
{
    struct fixture *f = *state;

    f->resume_ms = 2000;
    BATCH(f, 1, W("+dave", "bob", "all"), { 9, 9, 9 });
    BATCH(f, 0, W("?bob:0:tea", "?carol:0:tea", "?bob:2"), { 4, 5, 6 });
    assert_string_equal(f->told, "");
    assert_string_equal(f->edges[0].answer, "send c4 bob #1;send c4 all #2;attached c4 #2;"
                                            "send c5 all #2;attached c5 #2;attached c6 #2;");
    assert_int_equal(gh_app_conn_count(f->app), 1);
}

static void an_instance_that_forgot_is_told_what_a_session_is_in(void **state)
{
    struct fixture *f = *state;

    f->resume_ms = 2000;
    BATCH(f, 0, W("<alice:70:tea"), { 1 }); /* the number was one of its last life */
    assert_string_equal(f->told, "open 1 alice again in tea;");
    assert_string_equal(f->edges[0].answer, "attached c1;");
}

static void what_was_never_said_is_not_said_again(void **state)
{
    struct fixture *f = *state;

    f->resume_ms = 2000;
    BATCH(f, 1, W("+dave"), { 9 });
    BATCH(f, 0, W("=alice", "back"), { 1, 1 });
    f->batch_err = GH_ERR_IO;
    BATCH(f, 0, W("back", "all"), { 1, 1 });
    f->batch_err = GH_OK;
    BATCH(f, 1, W("<alice:0:tea"), { 5 });
    assert_string_equal(f->edges[1].answer, "send c5 back #1;attached c5 #3;");
}

static void a_dead_edge_leaves_resumable_ones_open(void **state)
{
    struct fixture *f = *state;

    f->resume_ms = 2000;
    BATCH(f, 1, W("+dave"), { 9 });
    BATCH(f, 0, W("=alice", "+bob"), { 1, 2 });
    f->told[0] = '\0';
    gh_client_free(f->edges[0].client);
    f->edges[0].client = NULL;
    f->edges[0].peer = NULL;
    edge_start(f, 0);
    spin(f, two_left);
    assert_string_equal(f->told, "close 2 1006;");
    BATCH(f, 1, W("<alice:0"), { 5 });
    assert_string_equal(f->told, "");
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(connections_are_announced_with_who_they_are),
        T(topics_and_users_reach_every_edge),
        T(a_number_excepts_on_its_own_edge_only),
        T(a_disconnect_carries_code_and_reason),
        T(a_failed_batch_says_nothing_to_nobody),
        T(an_edge_that_ends_takes_its_connections_along),
        T(a_session_goes_on_at_another_edge),
        T(what_it_joined_unheard_is_said_again),
        T(an_instance_that_is_not_its_home_says_again_what_it_said),
        T(an_instance_that_forgot_is_told_what_a_session_is_in),
        T(what_was_never_said_is_not_said_again),
        T(a_dead_edge_leaves_resumable_ones_open),
    };
    return cmocka_run_group_tests_name("app", tests, NULL, NULL);
}
