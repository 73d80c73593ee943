#include "handlers.h"

#include "common/arena.h"
#include "common/clock.h"
#include "policy/rules.h"
#include "verdict/judge.h"

#include <stdlib.h>
#include <string.h>

#define ROLES_MAX_BYTES 4096
#define RULES_MAX_BYTES (8u << 20)
/* When a batch's answers together are too large, those that grew by more than this are refused:
 * the rest then fits, since 4 MiB * 7 / 4 is 7 MiB. */
#define GROWTH_NUM 7u
#define GROWTH_DEN 4u

struct handlers {
    const struct policy *policy;
    struct stats *stats;
    struct judge *judge;
    struct judge_context contexts[HANDLERS_CONTEXTS_MAX];
    struct judgement judgements[HANDLERS_ITEMS_MAX];
    Gh__Verdict verdicts[HANDLERS_ITEMS_MAX];
    Gh__Verdict *pointers[HANDLERS_ITEMS_MAX];
    Gh__VerdictBatch answer;
    struct gh_arena *arena; /* of rules */
    Gh__PolicyRules *rules;
};

enum gh_err handlers_new(const struct policy *policy, struct replay *replay, struct stats *stats,
                         struct handlers **ret_handlers)
{
    struct handlers *h = calloc(1, sizeof *h);
    enum gh_err err;

    if (h == NULL) return GH_ERR_NOMEM;
    h->policy = policy;
    h->stats = stats;
    err = judge_new(policy, replay, &h->judge);
    if (err == GH_OK) err = gh_arena_new(RULES_MAX_BYTES, &h->arena);
    if (err == GH_OK) err = rules_of(policy, h->arena, &h->rules);
    if (err != GH_OK) {
        handlers_free(h);
        return err;
    }
    for (size_t i = 0; i < HANDLERS_ITEMS_MAX; i++) {
        gh__verdict__init(&h->verdicts[i]);
        h->pointers[i] = &h->verdicts[i];
    }
    gh__verdict_batch__init(&h->answer);
    h->answer.verdicts = h->pointers;
    h->answer.policy_version = policy_version(policy);
    *ret_handlers = h;
    return GH_OK;
}

void handlers_free(struct handlers *handlers)
{
    if (handlers == NULL) return;
    judge_free(handlers->judge);
    gh_arena_free(handlers->arena);
    free(handlers);
}

static enum gh_err check_batch(const Gh__ValidateBatch *batch)
{
    size_t bytes = 0;

    if (batch->n_contexts > HANDLERS_CONTEXTS_MAX || batch->n_items > HANDLERS_ITEMS_MAX)
        return GH_ERR_BAD_MESSAGE;
    for (size_t i = 0; i < batch->n_items; i++)
        bytes += batch->items[i]->data.len;
    if (bytes > HANDLERS_DATA_MAX_BYTES) return GH_ERR_BAD_MESSAGE;
    for (size_t i = 0; i < batch->n_contexts; i++)
        if (batch->contexts[i]->roles.len > ROLES_MAX_BYTES) return GH_ERR_BAD_MESSAGE;
    return GH_OK;
}

static bool same(ProtobufCBinaryData a, ProtobufCBinaryData b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

static void resolve_contexts(struct handlers *h, const Gh__ValidateBatch *batch)
{
    for (size_t i = 0; i < batch->n_contexts; i++) {
        const Gh__ValidateContext *from = batch->contexts[i];
        const Gh__ValidateContext *before = i > 0 ? batch->contexts[i - 1] : NULL;
        struct judge_context *to = &h->contexts[i];

        /* Neighbours are mostly alike. */
        if (before != NULL && same(before->route, from->route))
            to->route = to[-1].route;
        else
            to->route = policy_find_route(h->policy, from->route.data, from->route.len);
        if (before != NULL && same(before->roles, from->roles))
            to->roles = to[-1].roles;
        else
            to->roles = policy_roles(h->policy, (const char *)from->roles.data, from->roles.len);
        to->csrf = (const char *)from->csrf.data;
        to->csrf_len = from->csrf.len;
        to->csrf_previous = (const char *)from->csrf_previous.data;
        to->csrf_previous_len = from->csrf_previous.len;
        to->session = from->session_id.data;
        to->session_len = from->session_id.len;
        to->any_receiver = from->any_receiver;
    }
}

static ProtobufCBinaryData bytes_of(const struct handlers *h, struct judge_span span)
{
    return gh_bytes(span.len > 0 ? judge_bytes(h->judge) + span.off : NULL, span.len);
}

static void hold_to_size(struct handlers *h, const Gh__ValidateBatch *batch)
{
    size_t total = 0;

    for (size_t i = 0; i < batch->n_items; i++)
        total += h->judgements[i].output.len;
    if (total <= HANDLERS_OUTPUT_MAX_BYTES) return;
    for (size_t i = 0; i < batch->n_items; i++) {
        struct judgement *j = &h->judgements[i];

        if (j->output.len <= batch->items[i]->data.len * GROWTH_NUM / GROWTH_DEN) continue;
        j->code = GH_CODE_TOO_LARGE;
        j->output.len = 0;
    }
}

static void fill_answer(struct handlers *h, const Gh__ValidateBatch *batch)
{
    for (size_t i = 0; i < batch->n_items; i++) {
        const struct judgement *j = &h->judgements[i];
        Gh__Verdict *to = &h->verdicts[i];

        to->code = (uint32_t)j->code;
        to->score = j->score;
        to->output = bytes_of(h, j->output);
        to->id = bytes_of(h, j->id);
        to->pointer = bytes_of(h, j->pointer);
        to->rule = bytes_of(h, j->rule);
        if (j->type != NULL) {
            to->type = gh_bytes(j->type->name, j->type->name_len);
            to->rate_class = gh_bytes(j->type->rate, j->type->rate_len);
        } else {
            to->type = to->rate_class = gh_bytes(NULL, 0);
        }
        stats_add(&h->stats->verdicts[batch->items[i]->direction ==
                                      GH__DIRECTION__DIRECTION_OUTBOUND][j->code],
                  1);
        if (j->redactions > 0) stats_add(&h->stats->redactions, j->redactions);
        stats_add(&h->stats->bytes_in, batch->items[i]->data.len);
        stats_add(&h->stats->bytes_out, j->output.len);
    }
    h->answer.n_verdicts = batch->n_items;
}

/* One name for an item over all edges and their restarts. */
static uint64_t owner_of(uint64_t boot_id, uint64_t serial)
{
    uint64_t mixed = (boot_id ^ serial * 0x9e3779b97f4a7c15u) * 0xbf58476d1ce4e5b9u;

    return serial == 0 ? 0 : (mixed ^ mixed >> 31) | 1;
}

enum gh_err handlers_validate(struct handlers *handlers, uint64_t boot_id,
                              const Gh__ValidateBatch *batch, Gh__VerdictBatch **ret_answer)
{
    struct handlers *h = handlers;
    enum gh_err err = check_batch(batch);

    if (err != GH_OK) {
        stats_add(&h->stats->bad_batches, 1);
        return err;
    }
    resolve_contexts(h, batch);
    judge_begin(h->judge);
    for (size_t i = 0; i < batch->n_items; i++) {
        const Gh__ValidateItem *from = batch->items[i];
        struct judge_item item = { .data = from->data.data,
                                   .len = from->data.len,
                                   .binary = from->binary,
                                   .outbound = from->direction == GH__DIRECTION__DIRECTION_OUTBOUND,
                                   .now_ms = batch->now_ms,
                                   .owner = owner_of(boot_id, from->serial) };

        if (from->context < batch->n_contexts &&
            (unsigned)from->direction <= GH__DIRECTION__DIRECTION_OUTBOUND)
            judge_message(h->judge, &h->contexts[from->context], &item, &h->judgements[i]);
        else
            h->judgements[i] = (struct judgement){ .code = GH_CODE_INTERNAL };
    }
    hold_to_size(h, batch);
    fill_answer(h, batch);
    stats_add(&h->stats->batches, 1);
    *ret_answer = &h->answer;
    return GH_OK;
}

static enum gh_err on_validate_batch(void *ctx, const struct gh_peer *peer, const void *body,
                                     struct gh_reply *reply)
{
    struct handlers *h = ctx;
    int64_t start_us = gh_clock_mono_us();
    Gh__VerdictBatch *answer = NULL;
    enum gh_err err = handlers_validate(h, peer->boot_id, body, &answer);

    if (err != GH_OK) return err;
    gh_reply_send(reply, GH__ENVELOPE__BODY_VERDICT_BATCH, answer);
    stats_add(&h->stats->busy_us, (uint64_t)(gh_clock_mono_us() - start_us));
    return GH_OK;
}

static enum gh_err on_policy_ask(void *ctx, const struct gh_peer *peer, const void *body,
                                 struct gh_reply *reply)
{
    struct handlers *h = ctx;

    (void)peer;
    (void)body;
    gh_reply_send(reply, GH__ENVELOPE__BODY_POLICY_RULES, h->rules);
    return GH_OK;
}

const struct gh_route validator_routes[] = {
    { GH__ENVELOPE__BODY_VALIDATE_BATCH, GH_ROLE_EDGE, on_validate_batch },
    { GH__ENVELOPE__BODY_POLICY_ASK, GH_ROLE_EDGE, on_policy_ask },
    { 0 },
};
