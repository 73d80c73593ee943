/* Messages to clients: who gets what, in which order, and what is left when all have theirs. */
#include "batcher.h"
#include "edge.h"
#include "events.h"
#include "latest.h"
#include "outbound.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { CONNS = 8, SAID_MAX = 4096, PENDING_MAX = 1024 };

struct member {
    struct conn conn;
    struct identity *identity;
    char heard[SAID_MAX]; /* what it got, each with a space behind */
    uint32_t closed;      /* the code it was ended with */
};

struct fixture {
    struct edge *edge;
    uint64_t counters[GH_CODE_COUNT], judged, conflated;
    struct route routes[3];
    struct member members[CONNS];
    struct outgoing *pending[PENDING_MAX]; /* at the validator, in order */
    const char *texts[PENDING_MAX];
    uint32_t n_pending, audited;
};

static struct fixture *at_hand;

/* --- what is around it ------------------------------------------------------------------------ */

void __wrap_conn_deliver(struct conn *conn, const void *data, size_t len, bool binary);
void __wrap_conn_deliver(struct conn *conn, const void *data, size_t len, bool binary)
{
    struct member *member = (struct member *)conn;

    (void)binary;
    assert_int_equal(conn->state, CONN_OPEN);
    assert_true(strlen(member->heard) + len + 2 < sizeof member->heard);
    strncat(member->heard, data, len);
    strcat(member->heard, " ");
}

void __wrap_conn_close(struct conn *conn, uint32_t code, uint16_t ws_code, const char *reason);
void __wrap_conn_close(struct conn *conn, uint32_t code, uint16_t ws_code, const char *reason)
{
    (void)ws_code;
    (void)reason;
    if (conn->state != CONN_OPEN) return;
    conn->state = CONN_CLOSING;
    ((struct member *)conn)->closed = code;
    outbound_forget(conn); /* as conn_leave does */
}

void __wrap_conn_pause(struct conn *conn, unsigned why);
void __wrap_conn_pause(struct conn *conn, unsigned why)
{
    conn->paused |= (uint8_t)why;
}

void __wrap_conn_resume(struct conn *conn, unsigned why);
void __wrap_conn_resume(struct conn *conn, unsigned why)
{
    conn->paused &= (uint8_t)~why;
}

void __wrap_batcher_add_outbound(struct batcher *batcher, struct outgoing *outgoing,
                                 const struct route *route, const Gh__AppOp *op);
void __wrap_batcher_add_outbound(struct batcher *batcher, struct outgoing *outgoing,
                                 const struct route *route, const Gh__AppOp *op)
{
    (void)batcher;
    (void)route;
    assert_true(at_hand->n_pending < PENDING_MAX);
    at_hand->texts[at_hand->n_pending] = (const char *)op->data.data;
    at_hand->pending[at_hand->n_pending++] = outgoing;
}

void __wrap_events_withheld(struct edge *edge, const struct route *route, uint32_t code,
                            const Gh__Verdict *verdict);
void __wrap_events_withheld(struct edge *edge, const struct route *route, uint32_t code,
                            const Gh__Verdict *verdict)
{
    (void)edge;
    (void)route;
    (void)code;
    (void)verdict;
    at_hand->audited++;
}

/* --- fixture ---------------------------------------------------------------------------------- */

static void adopt(struct fixture *f)
{
    static const char *const roles[] = { "*", "user", "moderator" };
    static const struct {
        const char *name;
        uint64_t receive;
        bool judged;
    } types[] = { { "free", 1, false },
                  { "held", 1, true },
                  { "staff", 4, false },
                  { "heldstaff", 4, true },
                  { "nobody", 0, false } };
    ProtobufCBinaryData names[3];
    Gh__TypeRules rules[5], *rule_ptrs[5];
    Gh__RouteRules routes[2], *route_ptrs[2];
    Gh__PolicyRules message = GH__POLICY_RULES__INIT;

    for (size_t i = 0; i < 3; i++)
        names[i] = gh_bytes_str(roles[i]);
    for (size_t i = 0; i < 5; i++) {
        gh__type_rules__init(&rules[i]);
        rules[i].name = gh_bytes_str(types[i].name);
        rules[i].receive = types[i].receive;
        rules[i].judged = types[i].judged;
        rule_ptrs[i] = &rules[i];
    }
    for (size_t i = 0; i < 2; i++) {
        gh__route_rules__init(&routes[i]);
        routes[i].name = gh_bytes_str(i == 0 ? "main" : "other");
        routes[i].n_types = 5;
        routes[i].types = rule_ptrs;
        route_ptrs[i] = &routes[i];
    }
    message.n_roles = 3;
    message.roles = names;
    message.n_routes = 2;
    message.routes = route_ptrs;
    outbound_adopt(f->edge->outbound, &message);
}

static int setup_bare(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    assert_non_null(f);
    f->edge = calloc(1, sizeof *f->edge);
    assert_non_null(f->edge);
    f->edge->loop = uv_default_loop();
    f->edge->config.max_queue_bytes = 4096;
    f->edge->stats.judged = &f->judged;
    f->edge->stats.conflated = &f->conflated;
    for (size_t i = 0; i < GH_CODE_COUNT; i++)
        f->edge->stats.withheld[i] = &f->counters[i];
    assert_int_equal(outbound_new(f->edge, &f->edge->outbound), GH_OK);
    f->routes[0].name = "main";
    f->routes[1].name = "other";
    f->routes[2].name = "unknown";
    for (size_t i = 0; i < CONNS; i++) {
        struct member *member = &f->members[i];

        member->conn.edge = f->edge;
        member->conn.state = CONN_OPEN;
        member->conn.route = &f->routes[0];
        member->identity = calloc(1, sizeof *member->identity);
        assert_non_null(member->identity);
        member->conn.identity = member->identity;
        member->identity->roles = i == 0 ? "user,moderator" : "user";
        member->identity->roles_len = (uint16_t)strlen(member->identity->roles);
    }
    at_hand = f;
    *state = f;
    return 0;
}

static int setup(void **state)
{
    (void)setup_bare(state);
    adopt(*state);
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(outbound_bytes(f->edge->outbound), 0);
    outbound_free(f->edge->outbound);
    for (size_t i = 0; i < CONNS; i++)
        free(f->members[i].identity);
    free(f->edge);
    free(f);
    return 0;
}

/* Says {"type":"TYPE",...} under a label to members [from, to). */
static void say_as(struct fixture *f, const char *label, const char *text, size_t from, size_t to)
{
    Gh__AppOp op = GH__APP_OP__INIT;
    struct outbound_send send;

    op.type = gh_bytes_str(label);
    op.data = gh_bytes_str(text);
    outbound_begin(&send, f->edge->outbound, &op);
    for (size_t i = from; i < to; i++)
        outbound_to(&send, &f->members[i].conn);
    outbound_end(&send);
}

#define M(type, n) "{\"type\":\"" type "\",\"n\":" #n "}"

static void say(struct fixture *f, const char *type, const char *text)
{
    say_as(f, type, text, 0, 1);
}

/* The verdict on the i-th that waits; output NULL: as it was. */
static void judge(struct fixture *f, uint32_t i, enum gh_code code, const char *type,
                  const char *output)
{
    Gh__Verdict verdict = GH__VERDICT__INIT;
    struct outgoing *outgoing = f->pending[i];

    assert_non_null(outgoing);
    f->pending[i] = NULL;
    verdict.code = code;
    verdict.type = gh_bytes_str(type);
    verdict.output = gh_bytes_str(output != NULL ? output : f->texts[i]);
    outbound_verdict(outgoing, &verdict);
}

static void heard(const struct fixture *f, size_t i, const char *text)
{
    assert_string_equal(f->members[i].heard, text);
}

/* --- cases ------------------------------------------------------------------------------------ */

static void what_needs_no_verdict_goes_straight(void **state)
{
    struct fixture *f = *state;

    say(f, "free", M("free", 1));
    heard(f, 0, M("free", 1) " ");
    assert_int_equal(f->n_pending, 0);
}

static void nothing_overtakes_what_waits(void **state)
{
    struct fixture *f = *state;

    say(f, "held", M("held", 1));
    say(f, "free", M("free", 2));
    say(f, "held", M("held", 3));
    say(f, "free", M("free", 4));
    heard(f, 0, "");
    assert_int_equal(f->n_pending, 2);
    judge(f, 1, GH_CODE_OK, "held", "three");
    heard(f, 0, "");
    judge(f, 0, GH_CODE_OK, "held", "one");
    heard(f, 0, "one " M("free", 2) " three " M("free", 4) " ");
    say(f, "free", M("free", 5));
    assert_true(strstr(f->members[0].heard, M("free", 5)) != NULL);
}

static void what_is_refused_leaves_no_gap_to_wait_for(void **state)
{
    struct fixture *f = *state;

    say(f, "held", M("held", 1));
    say(f, "free", M("free", 2));
    say(f, "held", M("held", 3));
    judge(f, 0, GH_CODE_SCHEMA, "held", "never");
    heard(f, 0, M("free", 2) " ");
    outbound_failed(f->pending[1], GH_CODE_UNAVAILABLE);
    heard(f, 0, M("free", 2) " ");
    assert_int_equal(f->counters[GH_CODE_SCHEMA], 1);
    assert_int_equal(f->counters[GH_CODE_UNAVAILABLE], 1);
    assert_int_equal(f->audited, 1);
    assert_int_equal(f->judged, 1);
}

static void an_application_is_not_taken_at_its_word(void **state)
{
    struct fixture *f = *state;

    say_as(f, "free", M("held", 1), 0, 1);           /* it says free, and is held */
    say_as(f, "", M("free", 2), 0, 1);               /* it does not say */
    say_as(f, "what", M("what", 3), 0, 1);           /* nobody knows it */
    say_as(f, "free", "{ \"type\":\"free\"}", 0, 1); /* not written as ours are */
    say_as(f, "fre", M("free", 5), 0, 1);
    say_as(f, "free", "", 0, 1);
    assert_int_equal(f->n_pending, 6);
    heard(f, 0, "");
    judge(f, 0, GH_CODE_OK, "held", "clean");
    judge(f, 1, GH_CODE_OK, "free", NULL);
    judge(f, 2, GH_CODE_UNKNOWN_TYPE, "", "no");
    judge(f, 3, GH_CODE_OK, "staff", "for staff");
    judge(f, 4, GH_CODE_OK, "what", "the policy changed");
    judge(f, 5, GH_CODE_BAD_JSON, "", "");
    heard(f, 0, "clean " M("free", 2) " for staff ");
    assert_int_equal(f->counters[GH_CODE_UNKNOWN_TYPE], 2);
}

static void who_may_receive_is_seen_to_for_each(void **state)
{
    struct fixture *f = *state;

    say_as(f, "staff", M("staff", 1), 0, 3);
    say_as(f, "heldstaff", M("heldstaff", 2), 0, 3);
    assert_int_equal(f->n_pending, 1); /* once, not once a member */
    say_as(f, "free", M("free", 3), 0, 3);
    judge(f, 0, GH_CODE_OK, "heldstaff", "two");
    heard(f, 0, M("staff", 1) " two " M("free", 3) " ");
    heard(f, 1, M("free", 3) " ");
    heard(f, 2, M("free", 3) " ");
    say(f, "nobody", M("nobody", 4));
    assert_int_equal(f->counters[GH_CODE_ROLE], 5);
}

static void roles_follow_a_refreshed_token(void **state)
{
    struct fixture *f = *state;
    struct identity *who = f->members[1].identity;

    say_as(f, "staff", M("staff", 1), 1, 2);
    who->roles = "moderator";
    who->roles_len = 9;
    who->rules_epoch = 0; /* as refresh.c does */
    say_as(f, "staff", M("staff", 2), 1, 2);
    heard(f, 1, M("staff", 2) " ");
    adopt(f); /* a new policy */
    say_as(f, "staff", M("staff", 3), 1, 2);
    heard(f, 1, M("staff", 2) " " M("staff", 3) " ");
}

static void once_for_each_route(void **state)
{
    struct fixture *f = *state;

    for (size_t i = 1; i < CONNS; i += 2)
        f->members[i].conn.route = &f->routes[1];
    say_as(f, "held", M("held", 1), 0, CONNS);
    assert_int_equal(f->n_pending, 2);
    judge(f, 0, GH_CODE_OK, "held", "a");
    judge(f, 1, GH_CODE_OK, "held", "a");
    for (size_t i = 0; i < CONNS; i++)
        heard(f, i, "a ");
    f->members[0].conn.route = &f->routes[2]; /* the policy does not know it */
    say_as(f, "free", M("free", 2), 0, 2);
    heard(f, 0, "a ");
    heard(f, 1, "a " M("free", 2) " ");
    assert_int_equal(f->counters[GH_CODE_NOT_FOUND], 1);
}

static void without_a_policy_nothing_goes_out(void **state)
{
    struct fixture *f = *state;

    assert_false(outbound_ready(f->edge->outbound));
    say_as(f, "free", M("free", 1), 0, 3);
    heard(f, 0, "");
    assert_int_equal(f->counters[GH_CODE_UNAVAILABLE], 3);
    adopt(f);
    assert_true(outbound_ready(f->edge->outbound));
    say(f, "free", M("free", 2));
    heard(f, 0, M("free", 2) " ");
}

static void a_policy_that_breaks_the_contract_is_not_taken(void **state)
{
    struct fixture *f = *state;
    Gh__PolicyRules message = GH__POLICY_RULES__INIT;
    ProtobufCBinaryData names[65];

    for (size_t i = 0; i < 65; i++)
        names[i] = gh_bytes_str("r");
    message.n_roles = 65;
    message.roles = names;
    outbound_adopt(f->edge->outbound, &message);
    say(f, "free", M("free", 1));
    heard(f, 0, M("free", 1) " ");
}

static void the_end_waits_its_turn(void **state)
{
    struct fixture *f = *state;

    say(f, "held", M("held", 1));
    outbound_close(f->edge->outbound, &f->members[0].conn, 4001);
    assert_int_equal(f->members[0].conn.state, CONN_OPEN);
    say(f, "free", M("free", 2));
    judge(f, 0, GH_CODE_OK, "held", "last words");
    heard(f, 0, "last words ");
    assert_int_equal(f->members[0].conn.state, CONN_CLOSING);
    outbound_close(f->edge->outbound, &f->members[1].conn, 1000);
    assert_int_equal(f->members[1].conn.state, CONN_CLOSING);
}

static void who_leaves_while_it_waits_is_forgotten(void **state)
{
    struct fixture *f = *state;

    say_as(f, "held", M("held", 1), 0, 3);
    say_as(f, "free", M("free", 2), 0, 3);
    f->members[1].conn.state = CONN_CLOSING;
    outbound_forget(&f->members[1].conn);
    judge(f, 0, GH_CODE_OK, "held", "one");
    heard(f, 0, "one " M("free", 2) " ");
    heard(f, 1, "");
    heard(f, 2, "one " M("free", 2) " ");
    say_as(f, "held", M("held", 3), 3, 4); /* all leave: the verdict finds nobody */
    f->members[3].conn.state = CONN_CLOSING;
    outbound_forget(&f->members[3].conn);
    judge(f, 1, GH_CODE_OK, "held", "three");
    say_as(f, "held", M("held", 4), 4, 4); /* nobody is there: nothing to judge */
    assert_int_equal(f->n_pending, 2);
}

static void what_waits_is_bounded_for_each(void **state)
{
    struct fixture *f = *state;
    char text[1100] = M("held", 0);

    memset(text + strlen(text), 'x', sizeof text - strlen(text) - 1);
    say(f, "held", text);
    assert_int_equal(f->members[0].conn.paused, CONN_PAUSE_OUTBOUND);
    say(f, "free", M("free", 1));
    judge(f, 0, GH_CODE_OK, "held", "short");
    assert_int_equal(f->members[0].conn.paused, 0);
    for (int i = 0; i < 4; i++)
        say(f, "held", text);
    assert_int_equal(f->members[0].closed, GH_CODE_SLOW_CONSUMER);
    for (uint32_t i = 1; i < f->n_pending; i++)
        judge(f, i, GH_CODE_OK, "held", "late");
    heard(f, 0, "short " M("free", 1) " ");
}

static void what_waits_is_bounded_in_all(void **state)
{
    struct fixture *f = *state;
    char *text = malloc(3u << 20);

    assert_non_null(text);
    memset(text, 'x', 3u << 20);
    text[(3u << 20) - 1] = '\0';
    f->edge->config.max_queue_bytes = SIZE_MAX / 2;
    for (int i = 0; i < 30; i++)
        say(f, "held", text);
    assert_int_equal(f->n_pending, 21); /* of 3 MiB in 64 */
    assert_int_equal(f->counters[GH_CODE_UNAVAILABLE], 9);
    for (uint32_t i = 0; i < f->n_pending; i++)
        judge(f, i, GH_CODE_OK, "held", "ok");
    assert_int_equal(strlen(f->members[0].heard), 21 * 3);
    free(text);
    text = calloc(1, BATCH_BYTES_MAX + 2u);
    assert_non_null(text);
    memset(text, 'x', BATCH_BYTES_MAX + 1u);
    say(f, "held", text);
    assert_int_equal(f->counters[GH_CODE_TOO_LARGE], 1);
    free(text);
}

/* --- at random, against what must come out ------------------------------------------------------
 */

/* --- conflatable ------------------------------------------------------------------------------ */

static void update(struct fixture *f, const char *topic, const char *type, const char *text)
{
    Gh__AppOp op = GH__APP_OP__INIT;
    struct outbound_send send;

    op.topic = gh_bytes_str(topic);
    op.type = gh_bytes_str(type);
    op.data = gh_bytes_str(text);
    op.conflatable = true;
    outbound_begin(&send, f->edge->outbound, &op);
    for (size_t i = 0; i < 2; i++)
        outbound_to(&send, &f->members[i].conn);
    outbound_end(&send);
}

/* Member 0 does not read; member 1 does. */
static struct conn *slow_down(struct fixture *f)
{
    f->members[0].conn.outbox.len = 1025; /* over a quarter of the queue */
    return &f->members[0].conn;
}

static void a_slow_client_gets_the_newest_of_each_topic(void **state)
{
    struct fixture *f = *state;
    struct conn *slow = slow_down(f);

    update(f, "gold", "free", M("free", 1));
    update(f, "silver", "free", M("free", 2));
    update(f, "gold", "free", M("free", 3));
    update(f, "gold", "free", M("free", 4));
    say(f, "free", M("free", 5)); /* not conflatable: not held */
    heard(f, 0, M("free", 5) " ");
    heard(f, 1, M("free", 1) " " M("free", 2) " " M("free", 3) " " M("free", 4) " ");
    assert_int_equal(f->conflated, 2);
    slow->outbox.len = 1; /* nearly drained: still behind what is held of its topic */
    update(f, "gold", "free", M("free", 6));
    update(f, "copper", "free", M("free", 7));
    heard(f, 0, M("free", 5) " " M("free", 7) " ");
    slow->outbox.len = 0;
    latest_pump(slow);
    heard(f, 0, M("free", 5) " " M("free", 7) " " M("free", 2) " " M("free", 6) " ");
    assert_int_equal(f->conflated, 3);
    assert_null(slow->latest);
    update(f, "gold", "free", M("free", 8));
    assert_non_null(strstr(f->members[0].heard, M("free", 8)));
    assert_int_equal(f->members[0].closed, 0);
}

static void what_was_held_is_judged_like_the_rest(void **state)
{
    struct fixture *f = *state;
    struct conn *slow = slow_down(f);

    update(f, "gold", "held", M("held", 1));
    update(f, "gold", "held", M("held", 2));
    assert_int_equal(f->n_pending, 2); /* for member 1 */
    slow->outbox.len = 0;
    latest_pump(slow);
    assert_int_equal(f->n_pending, 3);
    heard(f, 0, "");
    judge(f, 2, GH_CODE_OK, "held", "clean");
    heard(f, 0, "clean ");
    judge(f, 0, GH_CODE_OK, "held", NULL);
    judge(f, 1, GH_CODE_SCHEMA, "held", NULL);
    heard(f, 1, M("held", 1) " ");
}

static void what_is_held_is_bounded_and_forgotten(void **state)
{
    struct fixture *f = *state;
    struct conn *slow = slow_down(f);
    char topic[8], large[1024];

    for (unsigned i = 0; i < LATEST_TOPICS_MAX + 3; i++) {
        (void)snprintf(topic, sizeof topic, "t%u", i);
        update(f, topic, "free", "{\"type\":\"free\"}");
    }
    assert_int_equal(f->conflated, 3);
    assert_int_equal(snprintf(large, sizeof large, "{\"type\":\"free\",\"n\":\"%0900d\"}", 1), 922);
    update(f, "t0", "free", large);    /* with the others more than a quarter of the queue */
    assert_int_equal(f->conflated, 5); /* the one before, and itself */
    heard(f, 0, "");
    outbound_forget(slow);
    assert_null(slow->latest);
    latest_pump(slow);
    heard(f, 0, "");
}

static unsigned draw(uint64_t *seed, unsigned n)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(*seed >> 33) % n;
}

enum { ROUNDS = 300, STEPS = 120 };

struct plan { /* one message */
    char text[64];
    enum gh_code code; /* its verdict */
    uint32_t pending;  /* its place, UINT32_MAX: needs none */
};

static void one_round(struct fixture *f, uint64_t *seed)
{
    static struct plan plans[STEPS];
    static int rows[CONNS][STEPS];
    uint32_t n_rows[CONNS] = { 0 }, first = f->n_pending;
    unsigned n = 0;

    for (size_t i = 0; i < CONNS; i++)
        f->members[i].heard[0] = '\0';
    while (n < STEPS) {
        if (draw(seed, 3) == 0 && f->n_pending > first) { /* some verdict comes */
            uint32_t at = first + draw(seed, f->n_pending - first);

            if (f->pending[at] == NULL) continue;
            for (unsigned i = 0; i < n; i++)
                if (plans[i].pending == at) judge(f, at, plans[i].code, "held", plans[i].text);
        } else { /* something is said, to some in a row */
            struct plan *plan = &plans[n];
            bool held = draw(seed, 2) == 0;
            size_t from = draw(seed, CONNS), to = from + 1 + draw(seed, (unsigned)(CONNS - from));

            (void)snprintf(plan->text, sizeof plan->text, "{\"type\":\"%s\",\"n\":%u}",
                           held ? "held" : "free", n);
            plan->code = held && draw(seed, 4) == 0 ? GH_CODE_SCHEMA : GH_CODE_OK;
            plan->pending = held ? f->n_pending : UINT32_MAX;
            say_as(f, held ? "held" : "free", plan->text, from, to);
            for (size_t i = from; i < to; i++)
                if (plan->code == GH_CODE_OK) rows[i][n_rows[i]++] = (int)n;
            n++;
        }
    }
    for (unsigned i = 0; i < n; i++)
        if (plans[i].pending != UINT32_MAX && f->pending[plans[i].pending] != NULL)
            judge(f, plans[i].pending, plans[i].code, "held", plans[i].text);
    for (size_t i = 0; i < CONNS; i++) {
        char all[SAID_MAX] = "";

        for (uint32_t j = 0; j < n_rows[i]; j++)
            (void)snprintf(all + strlen(all), sizeof all - strlen(all), "%s ",
                           plans[rows[i][j]].text);
        assert_string_equal(f->members[i].heard, all);
    }
    f->n_pending = 0;
}

static void in_order_whatever_comes_first(void **state)
{
    struct fixture *f = *state;
    uint64_t seed = 20240611;

    f->edge->config.max_queue_bytes = 1 << 20;
    for (int i = 0; i < ROUNDS; i++) {
        one_round(f, &seed);
        assert_int_equal(outbound_bytes(f->edge->outbound), 0);
    }
}

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(what_needs_no_verdict_goes_straight),
        CASE(nothing_overtakes_what_waits),
        CASE(what_is_refused_leaves_no_gap_to_wait_for),
        CASE(an_application_is_not_taken_at_its_word),
        CASE(who_may_receive_is_seen_to_for_each),
        CASE(roles_follow_a_refreshed_token),
        CASE(once_for_each_route),
        cmocka_unit_test_setup_teardown(without_a_policy_nothing_goes_out, setup_bare, teardown),
        CASE(a_policy_that_breaks_the_contract_is_not_taken),
        CASE(the_end_waits_its_turn),
        CASE(who_leaves_while_it_waits_is_forgotten),
        CASE(what_waits_is_bounded_for_each),
        CASE(what_waits_is_bounded_in_all),
        CASE(a_slow_client_gets_the_newest_of_each_topic),
        CASE(what_was_held_is_judged_like_the_rest),
        CASE(what_is_held_is_bounded_and_forgotten),
        CASE(in_order_whatever_comes_first),
    };

    return cmocka_run_group_tests_name("outbound", tests, NULL, NULL);
}
