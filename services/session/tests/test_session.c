/* The session service's handlers over the bus, with a real Redis. */
#include "desk.h"

#include "common/code.h"

#include <stdio.h>
#include <string.h>

static void test_create(void **state)
{
    struct desk *f = *state;
    char id[SESSION_ID_LEN + 1], csrf[SESSION_CSRF_LEN + 1];
    uint64_t cred = desk_in_ms(600000);

    assert_int_equal(desk_create_at(f, "alice", "192.0.2.1", 0, cred), GH_CODE_OK);
    assert_true(session_id_valid(f->id, strlen(f->id)));
    assert_int_equal(strlen(f->csrf), SESSION_CSRF_LEN);
    assert_int_equal(f->expires_ms, cred); /* the credential ends before the session's age */
    memcpy(id, f->id, sizeof(id));
    memcpy(csrf, f->csrf, sizeof(csrf));
    assert_int_equal(desk_create_at(f, "alice", "192.0.2.1", 1, desk_in_ms(86400000)), GH_CODE_OK);
    assert_true(f->expires_ms <= desk_in_ms(3600000) && f->expires_ms > desk_in_ms(3500000));
    assert_string_not_equal(id, f->id);
    assert_string_not_equal(csrf, f->csrf);
    assert_int_equal(desk_create_at(f, "alice", "192.0.2.1", 0, desk_in_ms(-1)),
                     GH_CODE_TOKEN_EXPIRED);
    assert_int_equal(desk_list(f, "alice", 10), 2);
}

static void test_create_bounds_and_authority(void **state)
{
    struct desk *f = *state;
    Gh__SessionCreate msg;
    char user[SESSION_USER_MAX + 2], agent[2000];

    memset(user, 'u', sizeof(user));
    memset(agent, 'a', sizeof(agent));
#define ASK(who)                                                                                   \
    stage_ask(who, GH__ENVELOPE__BODY_SESSION_CREATE, &msg, GH__ENVELOPE__BODY_SESSION_CREATED,    \
              desk_on_created, f)
    desk_fill_create(&msg, "", "192.0.2.1", 0, desk_in_ms(60000));
    assert_int_equal(ASK(f->edges[0]), GH_ERR_BAD_MESSAGE);
    msg.user = gh_bytes(user, SESSION_USER_MAX + 1);
    assert_int_equal(ASK(f->edges[0]), GH_ERR_BAD_MESSAGE);
    msg.user = gh_bytes(user, SESSION_USER_MAX);
    msg.agent = gh_bytes(agent, sizeof(agent)); /* cut, not refused */
    assert_int_equal(ASK(f->edges[0]), GH_OK);
    assert_int_equal(f->code, GH_CODE_OK);
    msg.user = gh_bytes("a\0{}\xff", 5); /* any bytes are a name of their own */
    assert_int_equal(ASK(f->edges[0]), GH_OK);
    assert_int_equal(f->code, GH_CODE_OK);
    msg.address = gh_bytes_str("");
    assert_int_equal(ASK(f->edges[0]), GH_ERR_BAD_MESSAGE);
    desk_fill_create(&msg, "alice", "192.0.2.1", 0, desk_in_ms(60000));
    assert_int_equal(ASK(f->ctl), GH_ERR_FORBIDDEN);
#undef ASK
}

static void test_limit_refuses(void **state)
{
    struct desk *f = *state;
    char first[SESSION_ID_LEN + 1];

    assert_int_equal(desk_create(f, "alice"), GH_CODE_OK);
    memcpy(first, f->id, sizeof(first));
    assert_int_equal(desk_create(f, "alice"), GH_CODE_OK);
    assert_int_equal(desk_create(f, "alice"), GH_CODE_OK);
    assert_int_equal(desk_create(f, "alice"), GH_CODE_SESSION_LIMIT);
    assert_true(f->retry_ms >= 1000);
    assert_int_equal(desk_create(f, "bob"), GH_CODE_OK); /* his own limit */
    assert_int_equal(desk_end(f, f->edges[0], first, "alice", "", true), GH_OK);
    assert_int_equal(f->count, 1);
    assert_int_equal(desk_create(f, "alice"), GH_CODE_OK);
    assert_int_equal(desk_create(f, "alice"), GH_CODE_SESSION_LIMIT);
    assert_int_equal(desk_list(f, "", 2), 4);
}

static bool ordered(void *ctx)
{
    return ((struct desk *)ctx)->ordered > 0;
}

static void test_limit_ends_the_oldest(void **state)
{
    struct desk *f = *state;
    char ids[5][SESSION_ID_LEN + 1];

    for (int i = 0; i < 5; i++) {
        assert_int_equal(desk_create(f, "alice"), GH_CODE_OK);
        memcpy(ids[i], f->id, sizeof(ids[i]));
    }
    stage_spin(&f->stage, ordered, f);
    assert_int_equal(f->ordered_code, GH_CODE_SUPERSEDED);
    assert_int_equal(desk_list(f, "alice", 10), 3);
    assert_int_equal(desk_touch(f, 0, 77, (struct desk_live[]){ { ids[0], "alice" } }, 1), GH_OK);
    assert_int_equal(f->gone, 1);
    assert_int_equal(f->gone_code, GH_CODE_SUPERSEDED);
    assert_int_equal(
        desk_touch(f, 0, 77, (struct desk_live[]){ { ids[2], "alice" }, { ids[4], "alice" } }, 2),
        GH_OK);
    assert_int_equal(f->gone, 0);
}

/* Admissions follow each other within a millisecond: each ends the one that is really the oldest.
 */
static void test_oldest_within_a_moment(void **state)
{
    struct desk *f = *state;
    enum { ROUNDS = 200, LIMIT = 3 };
    char ids[ROUNDS][SESSION_ID_LEN + 1];

    for (int i = 0; i < ROUNDS; i++) {
        assert_int_equal(desk_create(f, "alice"), GH_CODE_OK);
        memcpy(ids[i], f->id, sizeof(ids[i]));
        if (i < LIMIT) continue;
        assert_int_equal(
            desk_touch(f, 0, 77, (struct desk_live[]){ { ids[i - LIMIT], "alice" } }, 1), GH_OK);
        assert_int_equal(f->gone, 1);
        assert_int_equal(f->gone_code, GH_CODE_SUPERSEDED);
        assert_int_equal(
            desk_touch(f, 0, 77, (struct desk_live[]){ { ids[i - LIMIT + 1], "alice" } }, 1),
            GH_OK);
        assert_int_equal(f->gone, 0);
    }
}

static void test_touch(void **state)
{
    struct desk *f = *state;
    char a[SESSION_ID_LEN + 1], b[SESSION_ID_LEN + 1];

    assert_int_equal(desk_create(f, "alice"), GH_CODE_OK);
    memcpy(a, f->id, sizeof(a));
    assert_int_equal(desk_create(f, "bob"), GH_CODE_OK);
    memcpy(b, f->id, sizeof(b));
    assert_int_equal(desk_touch(f, 0, 77, (struct desk_live[]){ { a, "alice" }, { b, "bob" } }, 2),
                     GH_OK);
    assert_int_equal(f->gone, 0);
    assert_int_equal(desk_touch(f, 0, 77, (struct desk_live[]){ { a, "alice" } }, 1), GH_OK);
    assert_int_equal(desk_list(f, "alice", 1), 1);
    assert_int_equal(f->messages_in, 10);
    /* Never begun, of somebody else, on another edge, in another life of the edge. */
    assert_int_equal(
        desk_touch(f, 0, 77, (struct desk_live[]){ { "AAAAAAAAAAAAAAAAAAAAAA", "alice" } }, 1),
        GH_OK);
    assert_int_equal(f->gone_code, GH_CODE_SESSION_ENDED);
    f->gone = 0;
    assert_int_equal(desk_touch(f, 0, 77, (struct desk_live[]){ { a, "bob" } }, 1), GH_OK);
    assert_int_equal(f->gone, 1);
    assert_int_equal(desk_touch(f, 1, 77, (struct desk_live[]){ { a, "alice" } }, 1), GH_OK);
    assert_int_equal(f->gone_code, GH_CODE_SUPERSEDED);
    assert_int_equal(desk_touch(f, 0, 78, (struct desk_live[]){ { a, "alice" } }, 1), GH_OK);
    assert_int_equal(f->gone, 1);
    assert_int_equal(desk_touch(f, 0, 77, (struct desk_live[]){ { a, "alice" } }, 1), GH_OK);
    assert_int_equal(f->gone, 0);
    assert_int_equal(desk_touch(f, 0, 77, (struct desk_live[]){ { "short", "alice" } }, 1),
                     GH_ERR_BAD_MESSAGE);
    assert_int_equal(desk_touch(f, 0, 77, (struct desk_live[]){ { a, "" } }, 1),
                     GH_ERR_BAD_MESSAGE);
    assert_int_equal(desk_touch(f, 0, 77, NULL, 0), GH_OK); /* asks for the version alone */
}

static void test_end_everywhere(void **state)
{
    struct desk *f = *state;
    char id[SESSION_ID_LEN + 1];

    for (int i = 0; i < 3; i++)
        assert_int_equal(
            desk_create_at(f, "alice", i == 0 ? "192.0.2.9" : "192.0.2.1", i, desk_in_ms(60000)),
            GH_CODE_OK);
    assert_int_equal(desk_create_at(f, "bob", "192.0.2.9", 0, desk_in_ms(60000)), GH_CODE_OK);
    memcpy(id, f->id, sizeof(id));

    assert_int_equal(desk_end(f, f->ctl, "", "", "192.0.2.9", false), GH_OK);
    assert_int_equal(f->count, 2);
    assert_int_equal(desk_touch(f, 0, 77, (struct desk_live[]){ { id, "bob" } }, 1), GH_OK);
    assert_int_equal(f->gone_code, GH_CODE_SESSION_ENDED);
    assert_int_equal(desk_end(f, f->ctl, "", "alice", "", false), GH_OK);
    assert_int_equal(f->count, 2);
    assert_int_equal(desk_create(f, "carol"), GH_CODE_OK);
    memcpy(id, f->id, sizeof(id));
    assert_int_equal(desk_end(f, f->ctl, id, "", "", false), GH_OK); /* by id alone */
    assert_int_equal(f->count, 1);
    assert_int_equal(desk_end(f, f->ctl, id, "", "", false), GH_OK);
    assert_int_equal(f->count, 0);
    assert_int_equal(desk_list(f, "", 100), 0);
    stage_spin_ms(&f->stage, 50);
    assert_int_equal(f->ordered, 5);
    /* One version for each order, as every heartbeat says. */
    assert_int_equal(desk_touch(f, 3, 77, NULL, 0), GH_OK);
    assert_int_equal(f->orders_version, f->orders);

    assert_int_equal(desk_end(f, f->edges[0], "", "alice", "", false), GH_ERR_BAD_MESSAGE);
    assert_int_equal(desk_end(f, f->edges[0], "", "", "192.0.2.1", false), GH_ERR_BAD_MESSAGE);
    assert_int_equal(desk_end(f, f->ctl, "", "", "", false), GH_ERR_BAD_MESSAGE);
    assert_int_equal(desk_end(f, f->ctl, "", "alice", "192.0.2.1", false), GH_ERR_BAD_MESSAGE);
}

static void test_end_leaves_nothing_but_tombstones(void **state)
{
    struct desk *f = *state;
    long long before = desk_count_keys(f);
    char id[SESSION_ID_LEN + 1];
    redisReply *reply;

    assert_int_equal(desk_create(f, "alice"), GH_CODE_OK);
    memcpy(id, f->id, sizeof(id));
    assert_int_equal(desk_end(f, f->edges[0], id, "alice", "", true), GH_OK);
    stage_spin_ms(&f->stage, 50);
    assert_int_equal(f->orders, 0); /* quiet */
    assert_int_equal(desk_count_keys(f), before + 2);
    reply = redis_server_call(f->stage.redis, "KEYS *:t:*");
    assert_int_equal(reply->elements, 1);
    freeReplyObject(reply);
    /* and where the token was seen, as long as it is good */
    reply = redis_server_call(f->stage.redis, "KEYS *:k:*");
    assert_int_equal(reply->elements, 1);
    freeReplyObject(reply);
}

static void test_list_in_pages(void **state)
{
    struct desk *f = *state;
    char user[16];

    for (int i = 0; i < 300; i++) {
        (void)snprintf(user, sizeof(user), "user%d", i % 100);
        assert_int_equal(desk_create(f, user), GH_CODE_OK);
    }
    for (int i = 0; i < 25; i++)
        assert_int_equal(desk_create(f, "busy"), GH_CODE_OK);
    assert_int_equal(desk_list(f, "", 1000), 325);
    assert_int_equal(desk_list(f, "", 7), 325);
    assert_int_equal(desk_list(f, "busy", 4), 25);
    assert_string_equal(f->user, "busy");
    assert_int_equal(desk_list(f, "nobody", 10), 0);
}

int main(void)
{
#define T(fn, how) cmocka_unit_test_setup_teardown(fn, how, desk_teardown)
    const struct CMUnitTest tests[] = {
        T(test_create, desk_setup),
        T(test_create_bounds_and_authority, desk_setup),
        T(test_limit_refuses, desk_setup),
        T(test_limit_ends_the_oldest, desk_setup_oldest),
        T(test_oldest_within_a_moment, desk_setup_oldest),
        T(test_touch, desk_setup),
        T(test_end_everywhere, desk_setup),
        T(test_end_leaves_nothing_but_tombstones, desk_setup),
        T(test_list_in_pages, desk_setup_many),
    };

    return cmocka_run_group_tests_name("session", tests, NULL, NULL);
}
