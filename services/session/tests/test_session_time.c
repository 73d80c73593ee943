/* Sessions as time passes: idle, expiring, renewed, and while Redis is away. */
#include "desk.h"

#include "common/code.h"

#include <string.h>

static bool nobody_left(void *ctx)
{
    return desk_list(ctx, "", 100) == 0;
}

static void test_idle_sessions_are_swept(void **state)
{
    struct desk *f = *state;
    char kept[SESSION_ID_LEN + 1];

    assert_int_equal(desk_create(f, "bob"), GH_CODE_OK);
    assert_int_equal(desk_create(f, "alice"), GH_CODE_OK);
    memcpy(kept, f->id, sizeof(kept));
    for (int i = 0; i < 20; i++) {
        stage_spin_ms(&f->stage, 350);
        assert_int_equal(desk_touch(f, 0, 77, (struct desk_live[]){ { kept, "alice" } }, 1), GH_OK);
        assert_int_equal(f->gone, 0);
    }
    assert_int_equal(desk_list(f, "bob", 10), 0);
    assert_int_equal(desk_list(f, "alice", 10), 1);
    assert_int_equal(f->ordered, 1); /* should its edge live after all, it is told */
    assert_int_equal(f->ordered_code, GH_CODE_IDLE);
    stage_spin(&f->stage, nobody_left, f);
    stage_spin_ms(&f->stage, 50);
    {
        redisReply *reply = redis_server_call(f->stage.redis, "KEYS gh:{i*");

        assert_int_equal(reply->elements, 0); /* the index is empty too */
        freeReplyObject(reply);
    }
}

static void test_limit_counts_only_the_living(void **state)
{
    struct desk *f = *state;

    for (int i = 0; i < 3; i++)
        assert_int_equal(desk_create(f, "alice"), GH_CODE_OK);
    assert_int_equal(desk_create(f, "alice"), GH_CODE_SESSION_LIMIT);
    stage_spin_ms(&f->stage, 4100);
    for (int i = 0; i < 3; i++)
        assert_int_equal(desk_create(f, "alice"), GH_CODE_OK);
    assert_int_equal(desk_create(f, "alice"), GH_CODE_SESSION_LIMIT);
}

static void test_expiry_of_the_credential(void **state)
{
    struct desk *f = *state;
    char id[SESSION_ID_LEN + 1];

    assert_int_equal(desk_create_at(f, "alice", "192.0.2.1", 0, desk_in_ms(3000)), GH_CODE_OK);
    memcpy(id, f->id, sizeof(id));
    stage_spin_ms(&f->stage, 3100);
    assert_int_equal(desk_touch(f, 0, 77, (struct desk_live[]){ { id, "alice" } }, 1), GH_OK);
    assert_int_equal(f->gone, 1);
    assert_int_equal(f->gone_code, GH_CODE_TOKEN_EXPIRED);
}

static void test_renew(void **state)
{
    struct desk *f = *state;
    char id[SESSION_ID_LEN + 1], csrf[SESSION_CSRF_LEN + 1];
    uint64_t later = desk_in_ms(900000);

    assert_int_equal(desk_create_at(f, "alice", "192.0.2.1", 0, desk_in_ms(4000)), GH_CODE_OK);
    memcpy(id, f->id, sizeof(id));
    memcpy(csrf, f->csrf, sizeof(csrf));
    assert_int_equal(desk_renew(f, id, "alice", later), GH_CODE_OK);
    assert_int_equal(f->expires_ms, later);
    assert_string_not_equal(csrf, f->csrf); /* C2: rotated with the credential */
    stage_spin_ms(&f->stage, 4100);
    assert_int_equal(desk_touch(f, 0, 77, (struct desk_live[]){ { id, "alice" } }, 1), GH_OK);
    assert_int_equal(f->gone, 0);
    assert_int_equal(desk_renew(f, id, "alice", desk_in_ms(86400000)), GH_CODE_OK);
    assert_true(f->expires_ms <= desk_in_ms(3600000)); /* never past the session's age */
    assert_int_equal(desk_renew(f, id, "bob", later), GH_CODE_SESSION_ENDED);
    assert_int_equal(desk_end(f, f->ctl, id, "alice", "", false), GH_OK);
    assert_int_equal(desk_renew(f, id, "alice", later), GH_CODE_SESSION_ENDED);
}

static void test_csrf_rotates_on_schedule(void **state)
{
    struct desk *f = *state;
    char id[SESSION_ID_LEN + 1], csrf[SESSION_CSRF_LEN + 1];

    assert_int_equal(desk_create(f, "alice"), GH_CODE_OK);
    memcpy(id, f->id, sizeof(id));
    memcpy(csrf, f->csrf, sizeof(csrf));
    assert_int_equal(desk_touch(f, 0, 77, (struct desk_live[]){ { id, "alice" } }, 1), GH_OK);
    assert_int_equal(f->rotated, 0);
    stage_spin_ms(&f->stage, 2100);
    assert_int_equal(desk_touch(f, 0, 77, (struct desk_live[]){ { id, "alice" } }, 1), GH_OK);
    assert_int_equal(f->rotated, 1);
    assert_int_equal(strlen(f->csrf), SESSION_CSRF_LEN);
    assert_string_not_equal(csrf, f->csrf);
    assert_int_equal(desk_touch(f, 0, 77, (struct desk_live[]){ { id, "alice" } }, 1), GH_OK);
    assert_int_equal(f->rotated, 0);
}

static void test_redis_away(void **state)
{
    struct desk *f = *state;
    char id[SESSION_ID_LEN + 1];

    assert_int_equal(desk_create(f, "alice"), GH_CODE_OK);
    memcpy(id, f->id, sizeof(id));
    redis_server_kill(f->stage.redis);
    stage_spin_ms(&f->stage, 50);
    assert_int_equal(desk_create(f, "alice"), GH_CODE_UNAVAILABLE);
    assert_true(f->retry_ms > 0);
    assert_int_equal(desk_touch(f, 0, 77, (struct desk_live[]){ { id, "alice" } }, 1),
                     GH_ERR_UNAVAILABLE);
    assert_int_equal(desk_renew(f, id, "alice", desk_in_ms(60000)), GH_CODE_UNAVAILABLE);
    assert_int_equal(desk_end(f, f->ctl, id, "alice", "", false), GH_ERR_UNAVAILABLE);
    assert_true(redis_server_restart(f->stage.redis)); /* empty */
    stage_spin(&f->stage, desk_ready, f);
    assert_int_equal(desk_create(f, "alice"), GH_CODE_OK);
    stage_spin_ms(&f->stage, 100);
    {
        /* The end that Redis did not hear of was done when it came back. */
        redisReply *reply = redis_server_call(f->stage.redis, "KEYS *:t:%s", id);

        assert_int_equal(reply->elements, 1);
        freeReplyObject(reply);
    }
}

static bool touched(void *ctx)
{
    struct desk *f = ctx;
    static const char *id;

    if (id == NULL) id = strdup(f->id);
    return desk_touch(f, 0, 77, (struct desk_live[]){ { id, "alice" } }, 1) == GH_OK;
}

/* An outage longer than the idle time ends nobody who is still there. */
static void test_outage_is_not_idleness(void **state)
{
    struct desk *f = *state;
    redisReply *reply;

    assert_int_equal(desk_create(f, "alice"), GH_CODE_OK);
    /* From a connection of its own: Redis hangs for longer than the time-out and the idle time. */
    reply = redis_server_call(f->stage.redis, "CLIENT PAUSE 5000 ALL");
    freeReplyObject(reply);
    stage_spin_ms(&f->stage, 5100);
    stage_spin(&f->stage, desk_ready, f);
    stage_spin(&f->stage, touched, f);
    assert_int_equal(f->gone, 0);
    assert_int_equal(desk_list(f, "alice", 10), 1);
}

static void test_connections_killed(void **state)
{
    struct desk *f = *state;
    char id[SESSION_ID_LEN + 1];

    assert_int_equal(desk_create(f, "alice"), GH_CODE_OK);
    memcpy(id, f->id, sizeof(id));
    for (int i = 0; i < 5; i++) {
        redisReply *reply = redis_server_call(f->stage.redis, "CLIENT KILL TYPE normal SKIPME yes");

        freeReplyObject(reply);
        stage_spin_ms(&f->stage, 30);
        stage_spin(&f->stage, desk_ready, f);
        assert_int_equal(desk_touch(f, 0, 77, (struct desk_live[]){ { id, "alice" } }, 1), GH_OK);
        assert_int_equal(f->gone, 0);
    }
}

int main(void)
{
#define T(fn, how) cmocka_unit_test_setup_teardown(fn, how, desk_teardown)
    const struct CMUnitTest tests[] = {
        T(test_idle_sessions_are_swept, desk_setup_idle),
        T(test_limit_counts_only_the_living, desk_setup_idle),
        T(test_expiry_of_the_credential, desk_setup),
        T(test_renew, desk_setup),
        T(test_csrf_rotates_on_schedule, desk_setup_rotate),
        T(test_redis_away, desk_setup),
        T(test_outage_is_not_idleness, desk_setup_idle),
        T(test_connections_killed, desk_setup),
    };

    return cmocka_run_group_tests_name("session_time", tests, NULL, NULL);
}
