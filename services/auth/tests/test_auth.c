/* The auth service over the bus with a real Redis: verdicts, revocation, tickets, roles, reload. */
#include "desk.h"

#include "common/clock.h"
#include "common/code.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BEARER  GH__CREDENTIAL_KIND__CREDENTIAL_BEARER
#define TICKET  GH__CREDENTIAL_KIND__CREDENTIAL_TICKET
#define REFRESH GH__CREDENTIAL_KIND__CREDENTIAL_REFRESH

static struct desk *setup_with(void **state, const char *more)
{
    struct desk *desk = calloc(1, sizeof(*desk));

    desk_open(desk, more);
    *state = desk;
    return desk;
}

static int setup(void **state)
{
    (void)setup_with(state, "");
    return 0;
}

static const char table[] = "  roles:\n"
                            "    user: { from: [user, \"Domain Users\"] }\n"
                            "    moderator: { inherits: [user] }\n"
                            "    admin: { from: [boss], inherits: [moderator] }\n";

static int setup_table(void **state)
{
    (void)setup_with(state, table);
    return 0;
}

static int teardown(void **state)
{
    desk_close(*state);
    free(*state);
    return 0;
}

static void expect(struct desk *desk, const char *token, const char *reason)
{
    uint32_t code = desk_verify(desk, 0, BEARER, token, "");

    assert_string_equal(desk->reason, reason);
    assert_int_equal(code, reason[0] == '\0' ? GH_CODE_OK : GH_CODE_UNAUTHENTICATED);
}

/* Every service answers in turn: ask twice. */
static void expect_everywhere(struct desk *desk, const char *token, const char *reason)
{
    desk_settle(desk);
    expect(desk, token, reason);
    expect(desk, token, reason);
}

static void test_verdict(void **state)
{
    struct desk *desk = *state;

    expect(desk, desk_token("alice", ",\"jti\":\"j1\",\"roles\":[\"user\",\"a b\"]", 600), "");
    assert_string_equal(desk->user, "alice");
    assert_string_equal(desk->roles, "user");
    assert_string_equal(desk->grants, "user");
    assert_string_equal(desk->token_id, "j1");
    expect(desk, desk_token("alice", "", -100), "expired");
    expect(desk, "rubbish", "not_three_parts");
    assert_string_equal(desk->user, "");
    assert_int_equal(desk_verify(desk, 0, GH__CREDENTIAL_KIND__CREDENTIAL_CERTIFICATE, "CN=x", ""),
                     GH_CODE_UNAUTHENTICATED);
}

static void test_refresh_message(void **state)
{
    struct desk *desk = *state;
    char message[9000];

    (void)snprintf(message, sizeof(message),
                   "{\"type\":\"token_refresh\",\"payload\":{\"token\":\"%s\"}}",
                   desk_token("alice", "", 600));
    assert_int_equal(desk_verify(desk, 0, REFRESH, message, "alice"), GH_CODE_OK);
    assert_int_equal(desk_verify(desk, 0, REFRESH, message, "bob"), GH_CODE_UNAUTHENTICATED);
    assert_string_equal(desk->reason, "subject_changed");
    assert_int_equal(desk_verify(desk, 0, REFRESH, message, ""), GH_CODE_UNAUTHENTICATED);
    assert_int_equal(desk_verify(desk, 0, REFRESH, "{\"payload\":{}}", "alice"),
                     GH_CODE_UNAUTHENTICATED);
    assert_string_equal(desk->reason, "token_refresh_message_malformed");
    assert_int_equal(desk_verify(desk, 0, REFRESH, "{\"payload\":{\"token\":1}}", "alice"),
                     GH_CODE_UNAUTHENTICATED);
    assert_int_equal(
        desk_verify(desk, 0, REFRESH, "{\"payload\":{\"token\":\"x\",\"token\":\"y\"}}", "alice"),
        GH_CODE_UNAUTHENTICATED);
    assert_string_equal(desk->reason, "token_refresh_message_malformed");
}

static void test_revoke_token(void **state)
{
    struct desk *desk = *state;
    char *one = strdup(desk_token("alice", ",\"jti\":\"fam.1\"", 600));
    char *two = strdup(desk_token("alice", ",\"jti\":\"fam.2\"", 600));
    char *bare = strdup(desk_token("alice", "", 600));

    expect(desk, one, "");
    assert_int_equal(desk_revoke(desk, desk->ctl, GH__REVOKE_KIND__REVOKE_TOKEN, "fam.1",
                                 "https://es.example", 0, false),
                     GH_OK);
    assert_true(desk->changed);
    expect_everywhere(desk, one, "revoked_token");
    expect_everywhere(desk, two, "");
    assert_int_equal(desk->added, 1);
    assert_string_equal(desk->last_subject, "fam.1");
    /* lifted */
    assert_int_equal(desk_revoke(desk, desk->ctl, GH__REVOKE_KIND__REVOKE_TOKEN, "fam.1",
                                 "https://es.example", 0, true),
                     GH_OK);
    expect_everywhere(desk, one, "");
    assert_int_equal(desk->lifted, 1);
    /* the whole family */
    assert_int_equal(
        desk_revoke(desk, desk->ctl, GH__REVOKE_KIND__REVOKE_TOKEN, "fam", "", 0, false), GH_OK);
    expect_everywhere(desk, one, "revoked_token");
    expect_everywhere(desk, two, "revoked_token");
    /* by the digest that stands in for a jti */
    expect(desk, bare, "");
    assert_int_equal(
        desk_revoke(desk, desk->ctl, GH__REVOKE_KIND__REVOKE_TOKEN, desk->token_id, "", 0, false),
        GH_OK);
    expect_everywhere(desk, bare, "revoked_token");
    /* an issuer that is not the token's */
    assert_int_equal(desk_revoke(desk, desk->ctl, GH__REVOKE_KIND__REVOKE_TOKEN, "j9",
                                 "https://other.example", 0, false),
                     GH_OK);
    expect_everywhere(desk, desk_token("alice", ",\"jti\":\"j9\"", 600), "");
    free(one);
    free(two);
    free(bare);
}

static void test_revoke_user_issuer_key(void **state)
{
    struct desk *desk = *state;
    uint64_t now = (uint64_t)gh_clock_wall_ms() / 1000 * 1000;

    /* What was issued before; a token of now lives. */
    assert_int_equal(
        desk_revoke(desk, desk->ctl, GH__REVOKE_KIND__REVOKE_USER, "alice", "", now - 5000, false),
        GH_OK);
    expect_everywhere(desk, desk_token("alice", "", 600), "");
    assert_int_equal(
        desk_revoke(desk, desk->ctl, GH__REVOKE_KIND__REVOKE_USER, "alice", "", now + 60000, false),
        GH_OK);
    expect_everywhere(desk, desk_token("alice", "", 600), "revoked_user");
    expect_everywhere(desk, desk_token("bob", "", 600), "");
    assert_int_equal(
        desk_revoke(desk, desk->ctl, GH__REVOKE_KIND__REVOKE_USER, "bob", "", 0, false), GH_OK);
    expect_everywhere(desk, desk_token("bob", "", 600), "revoked_user");

    assert_int_equal(desk_revoke(desk, desk->ctl, GH__REVOKE_KIND__REVOKE_KEY, "es1",
                                 "https://es.example", 0, false),
                     GH_OK);
    expect_everywhere(desk, desk_token("carol", "", 600), "revoked_key");
    assert_int_equal(desk_revoke(desk, desk->ctl, GH__REVOKE_KIND__REVOKE_KEY, "es1",
                                 "https://es.example", 0, true),
                     GH_OK);
    expect_everywhere(desk, desk_token("carol", "", 600), "");
    assert_int_equal(desk_revoke(desk, desk->ctl, GH__REVOKE_KIND__REVOKE_ISSUER,
                                 "https://es.example", "", 0, false),
                     GH_OK);
    expect_everywhere(desk, desk_token("carol", "", 600), "revoked_issuer");
}

static void test_revoke_bounds_and_authority(void **state)
{
    struct desk *desk = *state;
    char subject[300];

    memset(subject, 's', sizeof(subject));
    subject[257] = '\0';
#define TRY(kind, subject, issuer, lift)                                                           \
    desk_revoke(desk, desk->ctl, GH__REVOKE_KIND__##kind, subject, issuer, 0, lift)
    assert_int_equal(TRY(REVOKE_TOKEN, subject, "", false), GH_ERR_BAD_MESSAGE);
    subject[256] = '\0';
    assert_int_equal(TRY(REVOKE_TOKEN, subject, "", false), GH_OK);
    assert_int_equal(TRY(REVOKE_TOKEN, "", "", false), GH_ERR_BAD_MESSAGE);
    assert_int_equal(TRY(REVOKE_TOKEN,
                         "a\x1f"
                         "b",
                         "", false),
                     GH_ERR_BAD_MESSAGE);
    assert_int_equal(TRY(REVOKE_KEY, "k", "", false), GH_ERR_BAD_MESSAGE);
    assert_int_equal(TRY(REVOKE_ISSUER, "i", "x", false), GH_ERR_BAD_MESSAGE);
    assert_int_equal(TRY(REVOKE_SESSION, "s", "", true), GH_ERR_BAD_MESSAGE);
    assert_int_equal(TRY(REVOKE_SESSION, "s", "", false),
                     GH_ERR_UNAVAILABLE); /* no session service */
    assert_int_equal(
        desk_revoke(desk, desk->edges[0], GH__REVOKE_KIND__REVOKE_USER, "alice", "", 0, false),
        GH_ERR_FORBIDDEN);
#undef TRY
}

static void on_list(void *ctx, enum gh_err err, const void *body)
{
    const Gh__AuthRevocationsReply *msg = body;
    struct desk *desk = ctx;

    assert_int_equal(err, GH_OK);
    desk->listed += msg->n_revocations;
    assert_non_null(msg->roles);
    assert_int_equal(msg->version, desk->version);
}

static void test_revocations_are_listed(void **state)
{
    struct desk *desk = *state;
    Gh__AuthRevocations msg = GH__AUTH_REVOCATIONS__INIT;

    for (int i = 0; i < 20; i++) {
        char name[16];

        (void)snprintf(name, sizeof(name), "t%d", i);
        assert_int_equal(
            desk_revoke(desk, desk->ctl, GH__REVOKE_KIND__REVOKE_TOKEN, name, "", 0, false), GH_OK);
    }
    desk_settle(desk);
    assert_int_equal(stage_ask(desk->edges[0], GH__ENVELOPE__BODY_AUTH_REVOCATIONS, &msg,
                               GH__ENVELOPE__BODY_AUTH_REVOCATIONS_REPLY, on_list, desk),
                     GH_OK);
    assert_int_equal(desk->listed, 20);
}

/* ---- tickets ---- */

static const char *get_ticket(struct desk *desk, const char *token)
{
    char header[9000];

    (void)snprintf(header, sizeof(header), "Bearer %s", token);
    assert_int_equal(desk_post(desk, "/auth/ticket", header, ""), 200);
    return desk_member(desk, "ticket");
}

static void test_ticket_opens_once(void **state)
{
    struct desk *desk = *state;
    const char *ticket =
        get_ticket(desk, desk_token("alice", ",\"jti\":\"j1\",\"roles\":[\"user\"]", 600));

    assert_int_equal(strlen(ticket), 43);
    assert_int_equal(desk_verify(desk, 0, TICKET, ticket, ""), GH_CODE_OK);
    assert_string_equal(desk->user, "alice");
    assert_string_equal(desk->roles, "user");
    assert_string_equal(desk->token_id, "j1");
    assert_int_equal(desk_verify(desk, 1, TICKET, ticket, ""), GH_CODE_UNAUTHENTICATED);
    assert_string_equal(desk->reason, "ticket_unknown_or_used");
    assert_int_equal(desk_verify(desk, 1, TICKET, "short", ""), GH_CODE_UNAUTHENTICATED);
    /* A ticket is no token, and a token no ticket. */
    assert_int_equal(desk_verify(desk, 1, BEARER, get_ticket(desk, desk_token("a", "", 600)), ""),
                     GH_CODE_UNAUTHENTICATED);
    assert_int_equal(desk_verify(desk, 1, TICKET, desk_token("a", "", 600), ""),
                     GH_CODE_UNAUTHENTICATED);
}

static void test_ticket_needs_a_credential(void **state)
{
    struct desk *desk = *state;
    char header[9000];

    assert_int_equal(desk_post(desk, "/auth/ticket", "", ""), 401);
    assert_string_equal(desk->www, "Bearer realm=\"gatehouse\"");
    assert_string_equal(desk->body,
                        "{\"error\":\"unauthenticated\",\"message\":\"missing or invalid "
                        "credentials\",\"requestId\":\"r1\"}");
    (void)snprintf(header, sizeof(header), "Bearer %s", desk_token("alice", "", -60));
    assert_int_equal(desk_post(desk, "/auth/ticket", header, ""), 401);
    assert_int_equal(desk_post(desk, "/auth/ticket", desk_basic, ""), 401);
    assert_int_equal(desk_post(desk, "GET /auth/ticket", header, ""), 405);
    assert_int_equal(desk_post(desk, "/auth/nothing", header, ""), 404);
}

static void test_ticket_of_a_revoked_token(void **state)
{
    struct desk *desk = *state;
    char *ticket = strdup(get_ticket(desk, desk_token("alice", ",\"jti\":\"j1\"", 600)));

    assert_int_equal(
        desk_revoke(desk, desk->ctl, GH__REVOKE_KIND__REVOKE_USER, "alice", "", 0, false), GH_OK);
    desk_settle(desk);
    assert_int_equal(desk_verify(desk, 0, TICKET, ticket, ""), GH_CODE_UNAUTHENTICATED);
    assert_string_equal(desk->reason, "revoked_user");
    free(ticket);
}

struct rush {
    unsigned yes, no;
};

static void on_rush(void *ctx, enum gh_err err, const void *body)
{
    struct rush *rush = ctx;

    assert_int_equal(err, GH_OK);
    if (((const Gh__AuthVerdict *)body)->code == GH_CODE_OK)
        rush->yes++;
    else
        rush->no++;
}

static void test_ticket_race(void **state)
{
    struct desk *desk = *state;

    for (int round = 0; round < 50; round++) {
        Gh__AuthVerify msg = GH__AUTH_VERIFY__INIT;
        struct rush rush = { 0 };

        msg.kind = TICKET;
        msg.credential = gh_bytes_str(get_ticket(desk, desk_token("alice", "", 600)));
        for (int i = 0; i < 30; i++)
            stage_send(desk->edges[i % DESK_EDGES], (size_t)i, GH__ENVELOPE__BODY_AUTH_VERIFY, &msg,
                       GH__ENVELOPE__BODY_AUTH_VERDICT, on_rush, &rush);
        stage_settle(&desk->stage);
        assert_int_equal(rush.yes, 1);
        assert_int_equal(rush.no, 29);
    }
}

/* ---- roles ---- */

static void test_role_table(void **state)
{
    struct desk *desk = *state;

    expect(desk, desk_token("a", ",\"roles\":[\"boss\"]", 600), "");
    assert_string_equal(desk->roles, "admin,moderator,user");
    assert_string_equal(desk->grants, "boss");
    expect(desk, desk_token("a", ",\"roles\":[\"Domain Users\"]", 600), "");
    assert_string_equal(desk->roles, "user");
    expect(desk, desk_token("a", ",\"roles\":[\"moderator\",\"nothing\"]", 600), "");
    assert_string_equal(desk->roles, "moderator,user");
    /* A role that says where it comes from comes from nowhere else. */
    expect(desk, desk_token("a", ",\"roles\":[\"admin\"]", 600), "");
    assert_string_equal(desk->roles, "");
    assert_string_equal(desk->grants, "admin");
}

static bool table_pushed(void *ctx)
{
    return ((struct desk *)ctx)->role_orders > 0;
}

static void test_reload(void **state)
{
    struct desk *desk = *state;

    auth_reload(desk->services[0]);
    stage_spin_ms(&desk->stage, 50);
    assert_int_equal(desk->role_orders, 0); /* nothing changed */
    desk_configure(desk,
                   "  roles:\n    user: {}\n    admin: { from: [chief], inherits: [user] }\n");
    auth_reload(desk->services[0]);
    auth_reload(desk->services[1]);
    stage_spin(&desk->stage, table_pushed, desk);
    assert_string_equal(desk->last_table, "chief=admin,user;user=user;");
    expect(desk, desk_token("a", ",\"roles\":[\"chief\"]", 600), "");
    assert_string_equal(desk->roles, "admin,user");
    /* A bad file changes nothing. */
    desk_configure(desk, "  roles:\n    user: { inherits: [nobody] }\n");
    auth_reload(desk->services[0]);
    auth_reload(desk->services[1]);
    expect(desk, desk_token("a", ",\"roles\":[\"chief\"]", 600), "");
    assert_string_equal(desk->roles, "admin,user");
    desk_configure(desk, "  roles:\n    a: { inherits: [b] }\n    b: { inherits: [a] }\n");
    auth_reload(desk->services[0]);
    expect(desk, desk_token("a", ",\"roles\":[\"chief\"]", 600), "");
    assert_string_equal(desk->roles, "admin,user");
}

/* ---- Redis away ---- */

static bool back(void *ctx)
{
    struct desk *desk = ctx;

    return gh_redis_up(desk->services[0]->redis) && gh_redis_up(desk->services[1]->redis);
}

static void test_redis_away(void **state)
{
    struct desk *desk = *state;
    char *bad = strdup(desk_token("mallory", "", 600));
    char header[9000];

    assert_int_equal(
        desk_revoke(desk, desk->ctl, GH__REVOKE_KIND__REVOKE_USER, "mallory", "", 0, false), GH_OK);
    expect_everywhere(desk, bad, "revoked_user");
    redis_server_kill(desk->stage.redis);
    stage_spin_ms(&desk->stage, 50);
    /* Tokens are judged from memory, revocations too; what needs Redis says so. */
    expect(desk, desk_token("alice", "", 600), "");
    expect(desk, bad, "revoked_user");
    assert_int_equal(
        desk_verify(desk, 0, TICKET, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", ""),
        GH_CODE_UNAVAILABLE);
    (void)snprintf(header, sizeof(header), "Bearer %s", desk_token("alice", "", 600));
    assert_int_equal(desk_post(desk, "/auth/ticket", header, ""), 503);
    assert_int_equal(
        desk_revoke(desk, desk->ctl, GH__REVOKE_KIND__REVOKE_USER, "eve", "", 0, false),
        GH_ERR_UNAVAILABLE);
    assert_true(redis_server_restart(desk->stage.redis)); /* empty: but nobody is let in for that */
    stage_spin(&desk->stage, back, desk);
    stage_spin_ms(&desk->stage, 100);
    expect(desk, bad, "revoked_user");
    free(bad);
}

int main(void)
{
#define T(fn, how) cmocka_unit_test_setup_teardown(fn, how, teardown)
    const struct CMUnitTest tests[] = {
        T(test_verdict, setup),
        T(test_refresh_message, setup),
        T(test_revoke_token, setup),
        T(test_revoke_user_issuer_key, setup),
        T(test_revoke_bounds_and_authority, setup),
        T(test_revocations_are_listed, setup),
        T(test_ticket_opens_once, setup),
        T(test_ticket_needs_a_credential, setup),
        T(test_ticket_of_a_revoked_token, setup),
        T(test_ticket_race, setup),
        T(test_role_table, setup_table),
        T(test_reload, setup_table),
        T(test_redis_away, setup),
    };

    return cmocka_run_group_tests_name("auth", tests, NULL, NULL);
}
