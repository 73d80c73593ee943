/* Whole batches: what is answered per item, what refuses the batch, and that nothing a peer sends
 * is more than that. */
#include "handlers.h"
#include "policy/rules.h"
#include "support.h"

#include <stdlib.h>
#include <unistd.h>

static const char yaml[] =
    "route: main\n"
    "max_bytes: 1MiB\n"
    "limits: { string: 1MiB }\n"
    "types:\n"
    "  ping: { send: ['*'], csrf: exempt, rate: p }\n"
    "  say: { send: [user], receive: [user] }\n"
    "  pay: { send: ['*'], csrf: exempt, replay: { window: 30s } }\n"
    "  card: { receive: ['*'], outbound: { redact: [cards, /payload/pin] } }\n"
    "binary: { type: file, kinds: [png], send: [user], max_bytes: 64 }\n";

struct fixture {
    struct policy *policy;
    struct replay *replay;
    struct stats stats;
    struct handlers *handlers;
    Gh__ValidateBatch batch;
    Gh__ValidateContext *contexts;
    Gh__ValidateContext **context_pointers;
    Gh__ValidateItem *items;
    Gh__ValidateItem **item_pointers;
};

static struct fixture *setup(size_t n_contexts, size_t n_items)
{
    struct fixture *f = calloc(1, sizeof *f);
    int fd = -1;

    assert_non_null(f);
    f->policy = support_policy(yaml, NULL, NULL);
    assert_int_equal(replay_create(4, &fd), GH_OK);
    assert_int_equal(replay_map(fd, &f->replay), GH_OK);
    close(fd);
    assert_int_equal(handlers_new(f->policy, f->replay, &f->stats, &f->handlers), GH_OK);
    f->contexts = calloc(n_contexts + 1, sizeof *f->contexts);
    f->context_pointers = calloc(n_contexts + 1, sizeof(void *));
    f->items = calloc(n_items + 1, sizeof *f->items);
    f->item_pointers = calloc(n_items + 1, sizeof(void *));
    gh__validate_batch__init(&f->batch);
    f->batch.n_contexts = n_contexts;
    f->batch.contexts = f->context_pointers;
    f->batch.n_items = n_items;
    f->batch.items = f->item_pointers;
    f->batch.now_ms = SUPPORT_NOW;
    for (size_t i = 0; i < n_contexts; i++) {
        gh__validate_context__init(&f->contexts[i]);
        f->context_pointers[i] = &f->contexts[i];
        f->contexts[i].route = gh_bytes_str("main");
        f->contexts[i].roles = gh_bytes_str("user");
        f->contexts[i].csrf = gh_bytes_str(SUPPORT_CSRF);
        f->contexts[i].session_id = gh_bytes_str("s");
    }
    for (size_t i = 0; i < n_items; i++) {
        gh__validate_item__init(&f->items[i]);
        f->item_pointers[i] = &f->items[i];
        f->items[i].data = gh_bytes_str("{\"type\":\"ping\",\"payload\":1}");
    }
    return f;
}

static void teardown(struct fixture *f)
{
    handlers_free(f->handlers);
    policy_free(f->policy);
    replay_unmap(f->replay);
    free(f->contexts);
    free(f->context_pointers);
    free(f->items);
    free(f->item_pointers);
    free(f);
}

static const Gh__VerdictBatch *judge(struct fixture *f)
{
    Gh__VerdictBatch *answer = NULL;

    assert_int_equal(handlers_validate(f->handlers, 7, &f->batch, &answer), GH_OK);
    assert_int_equal(answer->n_verdicts, f->batch.n_items);
    assert_int_equal(answer->policy_version, policy_version(f->policy));
    return answer;
}

static void answers_in_order(void **state)
{
    struct fixture *f = setup(3, 8);
    const Gh__VerdictBatch *a;

    (void)state;
    f->contexts[1].roles = gh_bytes_str("guest");
    f->contexts[2].route = gh_bytes_str("elsewhere");
    f->items[1].data = gh_bytes_str(
        "{\"type\":\"say\",\"payload\":1,\"id\":\"x\",\"csrfToken\":\"" SUPPORT_CSRF "\"}");
    f->items[2].data = f->items[1].data;
    f->items[2].context = 1;
    f->items[3].context = 2;
    f->items[4].context = 3; /* no such context */
    f->items[5].context = UINT32_MAX;
    f->items[6].direction = (Gh__Direction)7;
    f->items[7].data = gh_bytes(NULL, 0);
    a = judge(f);
    assert_int_equal(a->verdicts[0]->code, GH_CODE_OK);
    assert_true(gh_bytes_eq(a->verdicts[0]->output, "{\"type\":\"ping\",\"payload\":1}"));
    assert_true(gh_bytes_eq(a->verdicts[0]->type, "ping"));
    assert_true(gh_bytes_eq(a->verdicts[0]->rate_class, "p"));
    assert_int_equal(a->verdicts[1]->code, GH_CODE_OK);
    assert_true(
        gh_bytes_eq(a->verdicts[1]->output, "{\"type\":\"say\",\"payload\":1,\"id\":\"x\"}"));
    assert_true(gh_bytes_eq(a->verdicts[1]->id, "x"));
    assert_int_equal(a->verdicts[2]->code, GH_CODE_ROLE);
    assert_true(gh_bytes_eq(a->verdicts[2]->id, "x"));
    assert_int_equal(a->verdicts[2]->output.len, 0);
    assert_int_equal(a->verdicts[3]->code, GH_CODE_NOT_FOUND);
    assert_int_equal(a->verdicts[4]->code, GH_CODE_INTERNAL);
    assert_int_equal(a->verdicts[5]->code, GH_CODE_INTERNAL);
    assert_int_equal(a->verdicts[6]->code, GH_CODE_INTERNAL);
    assert_int_equal(a->verdicts[7]->code, GH_CODE_BAD_JSON);
    assert_int_equal(f->stats.verdicts[0][GH_CODE_OK], 2);
    assert_int_equal(f->stats.batches, 1);
    teardown(f);
}

static void empty_batch(void **state)
{
    struct fixture *f = setup(0, 0);

    (void)state;
    (void)judge(f);
    teardown(f);
}

static void caps_of_the_contract(void **state)
{
    struct fixture *f = setup(HANDLERS_CONTEXTS_MAX, HANDLERS_ITEMS_MAX);
    Gh__VerdictBatch *answer = NULL;
    char *big = calloc(1, HANDLERS_DATA_MAX_BYTES + 1);

    (void)state;
    assert_non_null(big);
    (void)judge(f);
    f->batch.n_contexts++;
    assert_int_equal(handlers_validate(f->handlers, 7, &f->batch, &answer), GH_ERR_BAD_MESSAGE);
    f->batch.n_contexts--;
    f->batch.n_items++;
    assert_int_equal(handlers_validate(f->handlers, 7, &f->batch, &answer), GH_ERR_BAD_MESSAGE);
    f->batch.n_items = 1;
    f->items[0].data = gh_bytes(big, HANDLERS_DATA_MAX_BYTES);
    assert_int_equal(judge(f)->verdicts[0]->code, GH_CODE_TOO_LARGE);
    f->items[0].data = gh_bytes(big, HANDLERS_DATA_MAX_BYTES + 1);
    assert_int_equal(handlers_validate(f->handlers, 7, &f->batch, &answer), GH_ERR_BAD_MESSAGE);
    assert_int_equal(f->stats.bad_batches, 3);
    f->batch.n_contexts = 1;
    f->contexts[0].roles = gh_bytes(big, 4097);
    assert_int_equal(handlers_validate(f->handlers, 7, &f->batch, &answer), GH_ERR_BAD_MESSAGE);
    assert_null(answer);
    free(big);
    teardown(f);
}

/* Escaping makes a message five times as long; a batch of such answers would not fit the bus. Then
 * those that grew are refused, and nobody else. */
static void answers_fit_the_bus(void **state)
{
    enum { SIZE = 1000000 };
    struct fixture *f = setup(1, 4);
    char *quotes = malloc(SIZE), *letters = malloc(SIZE);
    static const char head[] = "{\"type\":\"ping\",\"payload\":\"";
    const Gh__VerdictBatch *a;

    (void)state;
    assert_non_null(quotes);
    assert_non_null(letters);
    memset(quotes, '\'', SIZE);
    memset(letters, 'a', SIZE);
    memcpy(quotes, head, sizeof head - 1);
    memcpy(letters, head, sizeof head - 1);
    memcpy(quotes + SIZE - 2, "\"}", 2);
    memcpy(letters + SIZE - 2, "\"}", 2);
    f->items[0].data = f->items[2].data = gh_bytes(letters, SIZE);
    f->items[1].data = gh_bytes(quotes, SIZE);
    a = judge(f); /* one that grew still fits */
    for (int i = 0; i < 4; i++)
        assert_int_equal(a->verdicts[i]->code, GH_CODE_OK);
    assert_true(a->verdicts[1]->output.len > 4 * SIZE);
    f->items[3].data = gh_bytes(quotes, SIZE);
    a = judge(f); /* two do not */
    assert_int_equal(a->verdicts[0]->code, GH_CODE_OK);
    assert_int_equal(a->verdicts[1]->code, GH_CODE_TOO_LARGE);
    assert_int_equal(a->verdicts[2]->code, GH_CODE_OK);
    assert_int_equal(a->verdicts[3]->code, GH_CODE_TOO_LARGE);
    free(quotes);
    free(letters);
    teardown(f);
}

static void replays(void **state)
{
    struct fixture *f = setup(2, 3);
    const Gh__VerdictBatch *a;
    char text[128];

    (void)state;
    (void)snprintf(text, sizeof text,
                   "{\"type\":\"pay\",\"payload\":1,\"id\":\"1\",\"timestamp\":%llu}",
                   (unsigned long long)SUPPORT_NOW);
    f->contexts[1].session_id = gh_bytes_str("t");
    for (int i = 0; i < 3; i++)
        f->items[i].data = gh_bytes_str(text);
    f->items[0].serial = 1;
    f->items[1].serial = 2;
    f->items[2].serial = 3;
    f->items[2].context = 1;
    a = judge(f);
    assert_int_equal(a->verdicts[0]->code, GH_CODE_OK);
    assert_int_equal(a->verdicts[1]->code, GH_CODE_REPLAY);
    assert_true(gh_bytes_eq(a->verdicts[1]->pointer, "/id"));
    assert_int_equal(a->verdicts[2]->code, GH_CODE_OK); /* another session */
    a = judge(f);                                       /* the edge sends the batch again */
    assert_int_equal(a->verdicts[0]->code, GH_CODE_OK);
    assert_int_equal(a->verdicts[1]->code, GH_CODE_REPLAY);
    assert_int_equal(a->verdicts[2]->code, GH_CODE_OK);
    f->batch.now_ms = SUPPORT_NOW + 30001;
    a = judge(f);
    assert_int_equal(a->verdicts[0]->code, GH_CODE_REPLAY);
    assert_true(gh_bytes_eq(a->verdicts[0]->pointer, "/timestamp"));
    f->items[0].data = gh_bytes_str("{\"type\":\"pay\",\"payload\":1,\"id\":\"1\"}");
    f->items[1].data = gh_bytes_str("{\"type\":\"pay\",\"payload\":1,\"timestamp\":1}");
    a = judge(f);
    assert_int_equal(a->verdicts[0]->code, GH_CODE_BAD_ENVELOPE);
    assert_int_equal(a->verdicts[1]->code, GH_CODE_BAD_ENVELOPE);
    teardown(f);
}

static void binary(void **state)
{
    static const char png[] = "\x89PNG\r\n\x1a\n\0\0\0\rIHDR and so on";
    struct fixture *f = setup(2, 4);
    const Gh__VerdictBatch *a;
    char large[65] = { 0 };

    (void)state;
    memcpy(large, png, sizeof png);
    f->contexts[1].roles = gh_bytes_str("guest");
    for (int i = 0; i < 4; i++) {
        f->items[i].binary = true;
        f->items[i].data = gh_bytes(png, sizeof png);
    }
    f->items[1].data = gh_bytes_str("GIF89a but not allowed");
    f->items[2].data = gh_bytes(large, sizeof large);
    f->items[3].context = 1;
    a = judge(f);
    assert_int_equal(a->verdicts[0]->code, GH_CODE_OK);
    assert_int_equal(a->verdicts[0]->output.len, sizeof png);
    assert_memory_equal(a->verdicts[0]->output.data, png, sizeof png);
    assert_true(gh_bytes_eq(a->verdicts[0]->type, "file"));
    assert_int_equal(a->verdicts[1]->code, GH_CODE_BINARY);
    assert_int_equal(a->verdicts[2]->code, GH_CODE_TOO_LARGE);
    assert_int_equal(a->verdicts[3]->code, GH_CODE_ROLE);
    teardown(f);
}

static void outbound(void **state)
{
    struct fixture *f = setup(1, 4);
    const Gh__VerdictBatch *a;

    (void)state;
    for (int i = 0; i < 4; i++)
        f->items[i].direction = GH__DIRECTION__DIRECTION_OUTBOUND;
    f->items[0].data = gh_bytes_str("{\"type\":\"say\",\"payload\":\"<b>\"}");
    f->items[1].data =
        gh_bytes_str("{\"type\":\"card\",\"payload\":{\"no\":\"4111 1111 1111 1111\","
                     "\"n\":4111111111111111,\"pin\":{\"x\":[1,2]},\"ok\":1}}");
    f->items[2].data =
        gh_bytes_str("{\"type\":\"ping\",\"payload\":1}"); /* nobody may receive it */
    f->items[3].data =
        gh_bytes_str("{\"type\":\"card\",\"payload\":{\"pin\":\"1\",\"no\":\"nothing\"}}");
    a = judge(f);
    assert_int_equal(a->verdicts[0]->code, GH_CODE_OK);
    assert_true(gh_bytes_eq(a->verdicts[0]->output, "{\"type\":\"say\",\"payload\":\"<b>\"}"));
    assert_int_equal(a->verdicts[1]->code, GH_CODE_OK);
    assert_true(gh_bytes_eq(a->verdicts[1]->output,
                            "{\"type\":\"card\",\"payload\":{\"no\":\"[redacted:card]\","
                            "\"n\":\"[redacted]\",\"pin\":\"[redacted]\",\"ok\":1}}"));
    assert_int_equal(a->verdicts[2]->code, GH_CODE_ROLE);
    assert_true(
        gh_bytes_eq(a->verdicts[3]->output,
                    "{\"type\":\"card\",\"payload\":{\"pin\":\"[redacted]\",\"no\":\"nothing\"}}"));
    assert_int_equal(f->stats.verdicts[1][GH_CODE_OK], 3);
    teardown(f);
}

/* The edge sees to who may receive it; everything else is judged. */
static void outbound_for_any_receiver(void **state)
{
    struct fixture *f = setup(2, 4);
    const Gh__VerdictBatch *a;

    (void)state;
    f->contexts[0].any_receiver = true;
    f->contexts[0].roles = f->contexts[1].roles = gh_bytes(NULL, 0);
    for (int i = 0; i < 4; i++) {
        f->items[i].direction = GH__DIRECTION__DIRECTION_OUTBOUND;
        f->items[i].data = gh_bytes_str("{\"type\":\"say\",\"payload\":1}");
    }
    f->items[1].context = 1;
    f->items[2].data = gh_bytes_str("{\"type\":\"card\",\"payload\":{\"pin\":1}}");
    f->items[3].direction = GH__DIRECTION__DIRECTION_INBOUND; /* it is not for what clients send */
    a = judge(f);
    assert_int_equal(a->verdicts[0]->code, GH_CODE_OK);
    assert_int_equal(a->verdicts[1]->code, GH_CODE_ROLE);
    assert_true(gh_bytes_eq(a->verdicts[2]->output,
                            "{\"type\":\"card\",\"payload\":{\"pin\":\"[redacted]\"}}"));
    assert_int_equal(a->verdicts[3]->code, GH_CODE_CSRF);
    f->items[3].data =
        gh_bytes_str("{\"type\":\"say\",\"payload\":1,\"csrfToken\":\"" SUPPORT_CSRF "\"}");
    assert_int_equal(judge(f)->verdicts[3]->code, GH_CODE_ROLE);
    assert_int_equal(f->stats.redactions, 2);
    teardown(f);
}

static void tells_edges_the_rules(void **state)
{
    static const struct {
        const char *name;
        uint64_t receive;
        bool judged;
    } expected[] = {
        { "ping", 0, false }, { "say", 2, false }, { "pay", 0, false }, { "card", 1, true }
    };
    struct fixture *f = setup(0, 0);
    struct gh_arena *arena = NULL;
    Gh__PolicyRules *rules = NULL;

    (void)state;
    assert_int_equal(gh_arena_new(1 << 16, &arena), GH_OK);
    assert_int_equal(rules_of(f->policy, arena, &rules), GH_OK);
    assert_int_equal(rules->policy_version, policy_version(f->policy));
    assert_int_equal(rules->n_roles, 2);
    assert_true(gh_bytes_eq(rules->roles[0], "*"));
    assert_true(gh_bytes_eq(rules->roles[1], "user"));
    assert_int_equal(rules->n_routes, 1);
    assert_true(gh_bytes_eq(rules->routes[0]->name, "main"));
    assert_int_equal(rules->routes[0]->n_types, 4);
    for (size_t i = 0; i < 4; i++) {
        const Gh__TypeRules *type = rules->routes[0]->types[i];

        assert_true(gh_bytes_eq(type->name, expected[i].name));
        assert_int_equal(type->receive, expected[i].receive);
        assert_int_equal(type->judged, expected[i].judged);
    }
    assert_non_null(rules->routes[0]->binary);
    assert_true(gh_bytes_eq(rules->routes[0]->binary->name, "file"));
    assert_true(rules->routes[0]->binary->judged);
    gh_arena_free(arena);
    arena = NULL;
    assert_int_equal(gh_arena_new(64, &arena), GH_OK); /* no memory is an error, not half of them */
    assert_int_equal(rules_of(f->policy, arena, &rules), GH_ERR_NOMEM);
    gh_arena_free(arena);
    teardown(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_in_order),
        cmocka_unit_test(empty_batch),
        cmocka_unit_test(caps_of_the_contract),
        cmocka_unit_test(answers_fit_the_bus),
        cmocka_unit_test(replays),
        cmocka_unit_test(binary),
        cmocka_unit_test(outbound),
        cmocka_unit_test(outbound_for_any_receiver),
        cmocka_unit_test(tells_edges_the_rules),
    };

    return cmocka_run_group_tests_name("handlers", tests, NULL, NULL);
}
