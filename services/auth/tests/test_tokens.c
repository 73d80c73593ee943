/* Our own tokens: made, refreshed, stolen, logged out. */
#include "desk.h"

#include "families.h"

#include "common/clock.h"
#include "common/code.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int setup(void **state)
{
    struct desk *desk = calloc(1, sizeof(*desk));

    desk_open(desk, "");
    *state = desk;
    return 0;
}

static int teardown(void **state)
{
    desk_close(*state);
    free(*state);
    return 0;
}

struct pair {
    char access[4096], refresh[128];
};

static void take_pair(struct desk *desk, struct pair *pair)
{
    (void)snprintf(pair->access, sizeof(pair->access), "%s", desk_member(desk, "access_token"));
    (void)snprintf(pair->refresh, sizeof(pair->refresh), "%s", desk_member(desk, "refresh_token"));
}

static void login(struct desk *desk, struct pair *pair)
{
    assert_int_equal(desk_post(desk, "/auth/token", desk_basic,
                               "{\"user\":\"alice\",\"roles\":[\"user\",\"moderator\"]}"),
                     200);
    take_pair(desk, pair);
}

static uint32_t refresh(struct desk *desk, const char *token, struct pair *pair)
{
    char body[256];

    (void)snprintf(body, sizeof(body), "{\"refresh_token\":\"%s\"}", token);
    if (desk_post(desk, "/auth/refresh", "", body) == 200 && pair != NULL) take_pair(desk, pair);
    return desk->status;
}

static uint32_t verify(struct desk *desk, const char *token)
{
    return desk_verify(desk, 0, GH__CREDENTIAL_KIND__CREDENTIAL_BEARER, token, "");
}

static uint32_t logout(struct desk *desk, const char *token, const char *body)
{
    char header[5000];

    (void)snprintf(header, sizeof(header), "Bearer %s", token);
    return desk_post(desk, "/auth/logout", header, body);
}

static bool access_dead(void *ctx)
{
    struct desk *desk = ((void **)ctx)[0];

    return verify(desk, ((void **)ctx)[1]) == GH_CODE_UNAUTHENTICATED &&
           verify(desk, ((void **)ctx)[1]) == GH_CODE_UNAUTHENTICATED;
}

static void wait_dead(struct desk *desk, const char *token)
{
    void *what[] = { desk, (void *)token };

    stage_spin(&desk->stage, access_dead, what);
}

static void test_token(void **state)
{
    struct desk *desk = *state;
    struct pair pair;

    login(desk, &pair);
    assert_int_equal(strlen(pair.refresh), FAMILY_TOKEN_LEN);
    assert_int_equal(verify(desk, pair.access), GH_CODE_OK);
    assert_string_equal(desk->user, "alice");
    assert_string_equal(desk->roles, "user,moderator");
    assert_int_equal(strncmp(desk->token_id, pair.refresh, FAMILY_ID_LEN), 0);
    assert_true(desk->expires_ms <= (uint64_t)gh_clock_wall_ms() + 300000);
    /* A refresh token opens nothing by itself. */
    assert_int_equal(verify(desk, pair.refresh), GH_CODE_UNAUTHENTICATED);
    assert_int_equal(desk_post(desk, "/auth/token", desk_basic, "{\"user\":\"bob\"}"), 200);
    take_pair(desk, &pair);
    assert_int_equal(verify(desk, pair.access), GH_CODE_OK);
    assert_string_equal(desk->roles, "");
}

static void test_token_refusals(void **state)
{
    struct desk *desk = *state;
    static const char good[] = "{\"user\":\"alice\"}";

#define POST(auth, body) desk_post(desk, "/auth/token", auth, body)
    assert_int_equal(POST(desk_basic, good), 200);
    assert_int_equal(POST("", good), 401);
    assert_string_equal(desk->www, "Basic realm=\"gatehouse\"");
    assert_int_equal(POST("Basic YmFja2VuZDp3cm9uZw==", good), 401); /* backend:wrong */
    assert_int_equal(POST("Basic bm9ib2R5OmNvcnJlY3QtYmFja2VuZC1zZWNyZXQ=", good), 401);
    assert_int_equal(POST("Basic bm9ib2R5Og==", good), 401); /* nobody and no secret */
    assert_int_equal(POST("Basic Og==", good), 401);
    assert_int_equal(POST("Basic !!!!", good), 401);
    assert_int_equal(POST("Basic YmFja2VuZA==", good), 401); /* no colon */
    assert_int_equal(POST("Bearer x", good), 401);
    assert_int_equal(POST(desk_basic, ""), 400);
    assert_int_equal(POST(desk_basic, "[]"), 400);
    assert_int_equal(POST(desk_basic, "{\"user\":\"\"}"), 400);
    assert_int_equal(POST(desk_basic, "{\"user\":7}"), 400);
    assert_int_equal(POST(desk_basic, "{\"user\":\"a\\nb\"}"), 400);
    assert_int_equal(POST(desk_basic, "{\"user\":\"a\",\"user\":\"b\"}"), 400);
    assert_int_equal(POST(desk_basic, "{\"user\":\"a\",\"roles\":\"user\"}"), 400);
    assert_int_equal(POST(desk_basic, "{\"user\":\"a\",\"roles\":[1]}"), 400);
    assert_int_equal(POST(desk_basic, "{\"user\":\"a\",\"roles\":[\"x\\ny\"]}"), 400);
    assert_int_equal(POST(desk_basic, "{\"user\":\"a\",\"roles\":[\"admin\"]}"), 403);
    assert_int_equal(POST(desk_basic, "{\"user\":\"a\",\"roles\":[\"user\",\"moderator\"]}"), 200);
#undef POST
}

static void test_refresh_rotates(void **state)
{
    struct desk *desk = *state;
    struct pair first, second, third;

    login(desk, &first);
    assert_int_equal(refresh(desk, first.refresh, &second), 200);
    assert_string_not_equal(first.refresh, second.refresh);
    assert_string_not_equal(first.access, second.access);
    assert_int_equal(verify(desk, second.access), GH_CODE_OK);
    assert_string_equal(desk->roles, "user,moderator");
    assert_int_equal(verify(desk, first.access), GH_CODE_OK); /* until it expires */
    assert_int_equal(refresh(desk, second.refresh, &third), 200);
    assert_int_equal(refresh(desk, "x", NULL), 401);
    assert_int_equal(refresh(desk, "", NULL), 401);
    assert_int_equal(
        refresh(desk, "AAAAAAAAAAAAAAAAAAAAAA.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", NULL),
        401);
    assert_int_equal(desk_post(desk, "/auth/refresh", "", "{}"), 401);
    assert_int_equal(desk_post(desk, "/auth/refresh", "", "{"), 400);
}

/* The thief is first: the owner's next refresh kills the family, and both are out. */
static void test_theft_thief_first(void **state)
{
    struct desk *desk = *state;
    struct pair owner, thief, later;

    login(desk, &owner);
    assert_int_equal(refresh(desk, owner.refresh, &thief), 200);
    assert_int_equal(refresh(desk, thief.refresh, &later), 200);
    assert_int_equal(verify(desk, later.access), GH_CODE_OK);
    assert_int_equal(refresh(desk, owner.refresh, NULL), 401); /* spent: somebody has been here */
    wait_dead(desk, owner.access);
    wait_dead(desk, thief.access);
    wait_dead(desk, later.access);
    assert_string_equal(desk->reason, "revoked_token");
    assert_int_equal(refresh(desk, later.refresh, NULL), 401); /* the thief's good one too */
    assert_int_equal(*desk->services[0]->reused, 1);
    /* Edges were told once, of the family: what is open closes. */
    assert_int_equal(desk->added, 1);
    assert_int_equal(strlen(desk->last_subject), FAMILY_ID_LEN);
    assert_int_equal(strncmp(desk->last_subject, owner.refresh, FAMILY_ID_LEN), 0);
}

/* The owner is first: the thief's try kills it just the same. */
static void test_theft_owner_first(void **state)
{
    struct desk *desk = *state;
    struct pair owner, next, other;

    login(desk, &owner);
    login(desk, &other);
    assert_int_equal(refresh(desk, owner.refresh, &next), 200);
    assert_int_equal(refresh(desk, owner.refresh, NULL), 401); /* the thief, with the copy */
    assert_int_equal(refresh(desk, next.refresh, NULL), 401);
    wait_dead(desk, next.access);
    /* Another login of the same user is another family. */
    assert_int_equal(verify(desk, other.access), GH_CODE_OK);
    assert_int_equal(refresh(desk, other.refresh, NULL), 200);
}

static void on_http_status(void *ctx, enum gh_err err, const void *body)
{
    unsigned *counts = ctx;

    assert_int_equal(err, GH_OK);
    counts[((const Gh__AuthHttpReply *)body)->status == 200]++;
}

/* Two at the same moment: one gets the tokens, and the family does not survive it. */
static void test_theft_at_the_same_moment(void **state)
{
    struct desk *desk = *state;

    for (int round = 0; round < 20; round++) {
        Gh__AuthHttp msg = GH__AUTH_HTTP__INIT;
        unsigned counts[2] = { 0 };
        struct pair pair;
        char body[256];

        login(desk, &pair);
        (void)snprintf(body, sizeof(body), "{\"refresh_token\":\"%s\"}", pair.refresh);
        msg.method = gh_bytes_str("POST");
        msg.path = gh_bytes_str("/auth/refresh");
        msg.content_type = gh_bytes_str("application/json");
        msg.body = gh_bytes_str(body);
        for (int i = 0; i < 10; i++)
            stage_send(desk->edges[i % DESK_EDGES], (size_t)i, GH__ENVELOPE__BODY_AUTH_HTTP, &msg,
                       GH__ENVELOPE__BODY_AUTH_HTTP_REPLY, on_http_status, counts);
        stage_settle(&desk->stage);
        assert_int_equal(counts[1], 1);
        wait_dead(desk, pair.access);
    }
}

/* The family's id can be read in every access token: with that alone nobody can kill it. */
static void test_no_death_by_guess(void **state)
{
    struct desk *desk = *state;
    struct pair pair;
    char forged[FAMILY_TOKEN_LEN + 1];

    login(desk, &pair);
    memcpy(forged, pair.refresh, sizeof(forged));
    memset(forged + FAMILY_ID_LEN + 1, 'A', FAMILY_TOKEN_LEN - FAMILY_ID_LEN - 1);
    assert_int_equal(refresh(desk, forged, NULL), 401);
    assert_int_equal(*desk->services[0]->reused, 0);
    assert_int_equal(refresh(desk, pair.refresh, &pair), 200);
}

static void test_logout(void **state)
{
    struct desk *desk = *state;
    struct pair pair, other;

    login(desk, &pair);
    login(desk, &other);
    assert_int_equal(logout(desk, pair.access, ""), 200);
    assert_string_equal(desk->body, "{\"logged_out\":true}");
    wait_dead(desk, pair.access);
    assert_int_equal(refresh(desk, pair.refresh, NULL), 401);
    assert_int_equal(verify(desk, other.access), GH_CODE_OK); /* the other device stays */
    assert_int_equal(logout(desk, pair.access, ""), 401);     /* out is out */
    assert_int_equal(logout(desk, other.access, "{\"everywhere\":true}"), 200);
    wait_dead(desk, other.access);
    assert_int_equal(refresh(desk, other.refresh, NULL), 401);
}

static void test_logout_of_a_foreign_token(void **state)
{
    struct desk *desk = *state;
    char *token = strdup(desk_token("alice", ",\"jti\":\"f1\"", 600));
    char *other = strdup(desk_token("alice", ",\"jti\":\"f2\"", 600));

    assert_int_equal(logout(desk, token, "{}"), 200);
    wait_dead(desk, token);
    assert_int_equal(verify(desk, other), GH_CODE_OK);
    assert_int_equal(logout(desk, other, "{\"everywhere\":true}"), 200);
    wait_dead(desk, other);
    assert_string_equal(desk->reason, "revoked_user");
    free(token);
    free(other);
}

/* ---- expiry, on the families themselves ---- */

struct outcome {
    bool told;
    struct family_answer answer;
};

static void on_family(void *ctx, const struct family_answer *answer)
{
    struct outcome *outcome = ctx;

    outcome->told = true;
    outcome->answer = *answer;
}

static bool told(void *ctx)
{
    return ((struct outcome *)ctx)->told;
}

static enum family_outcome rotate(struct desk *desk, const struct family_lives *lives,
                                  const char *token, char *ret_next)
{
    struct outcome outcome = { 0 };

    assert_int_equal(
        family_rotate(desk->services[0]->redis, lives, token, strlen(token), on_family, &outcome),
        GH_OK);
    stage_spin(&desk->stage, told, &outcome);
    if (outcome.answer.outcome == FAMILY_OK) strcpy(ret_next, outcome.answer.token);
    return outcome.answer.outcome;
}

static void begin(struct desk *desk, const struct family_lives *lives, char *ret_token)
{
    struct outcome outcome = { 0 };

    assert_int_equal(family_begin(desk->services[0]->redis, lives, "alice", "backend", "user",
                                  on_family, &outcome),
                     GH_OK);
    stage_spin(&desk->stage, told, &outcome);
    assert_int_equal(outcome.answer.outcome, FAMILY_OK);
    strcpy(ret_token, outcome.answer.token);
}

static void test_idle_expiry(void **state)
{
    struct desk *desk = *state;
    const struct family_lives lives = { 4000, 60000 };
    char token[FAMILY_TOKEN_LEN + 1], next[FAMILY_TOKEN_LEN + 1];

    begin(desk, &lives, token);
    for (int i = 0; i < 4; i++) { /* used in time it goes on past its idle time */
        stage_spin_ms(&desk->stage, 1300);
        assert_int_equal(rotate(desk, &lives, token, next), FAMILY_OK);
        strcpy(token, next);
    }
    stage_spin_ms(&desk->stage, 4200);
    assert_int_equal(rotate(desk, &lives, token, next), FAMILY_EXPIRED);
}

static void test_absolute_expiry(void **state)
{
    struct desk *desk = *state;
    const struct family_lives lives = { 60000, 4000 };
    char token[FAMILY_TOKEN_LEN + 1], next[FAMILY_TOKEN_LEN + 1];

    begin(desk, &lives, token);
    stage_spin_ms(&desk->stage, 200);
    assert_int_equal(rotate(desk, &lives, token, next), FAMILY_OK);
    stage_spin_ms(&desk->stage, 4000); /* refreshing does not move the end */
    assert_int_equal(rotate(desk, &lives, next, token), FAMILY_UNKNOWN);
}

static void test_stored_as_digest(void **state)
{
    struct desk *desk = *state;
    struct pair pair;
    redisReply *keys;

    login(desk, &pair);
    keys = redis_server_call(desk->stage.redis, "KEYS *:family");
    assert_int_equal(keys->elements, 1);
    {
        redisReply *all = redis_server_call(desk->stage.redis, "HGETALL %s", keys->element[0]->str);

        for (size_t i = 0; i < all->elements; i++)
            assert_null(strstr(all->element[i]->str, pair.refresh + FAMILY_ID_LEN + 1));
        freeReplyObject(all);
    }
    freeReplyObject(keys);
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_token),
        T(test_token_refusals),
        T(test_refresh_rotates),
        T(test_theft_thief_first),
        T(test_theft_owner_first),
        T(test_theft_at_the_same_moment),
        T(test_no_death_by_guess),
        T(test_logout),
        T(test_logout_of_a_foreign_token),
        T(test_idle_expiry),
        T(test_absolute_expiry),
        T(test_stored_as_digest),
    };

    return cmocka_run_group_tests_name("tokens", tests, NULL, NULL);
}
