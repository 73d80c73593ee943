#include "verdict/judge_internal.h"

#include "replay/replay.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OUT_MAX_BYTES     (32u << 20) /* of one batch; the handler holds the answer to far less */
#define EDITS_MAX_BYTES   (16u << 20)
#define SCRATCH_MAX_BYTES (16u << 20)
#define POINTER_MAX       256

static enum gh_err fit_schemas(struct judge *judge)
{
    struct schema_limits limits = { .max_steps = policy_schema_steps(judge->policy),
                                    .max_string_bytes = GH_JSON_MAX_BYTES };
    const struct schema *schema;
    enum gh_err err = schema_scratch_new(&limits, &judge->schema);

    for (uint32_t i = 0; err == GH_OK && (schema = policy_schema_at(judge->policy, i)) != NULL; i++)
        err = schema_scratch_fit(judge->schema, schema);
    return err;
}

enum gh_err judge_new(const struct policy *policy, struct replay *replay, struct judge **ret_judge)
{
    struct judge *judge = calloc(1, sizeof *judge);
    enum gh_err err;

    if (judge == NULL) return GH_ERR_NOMEM;
    judge->policy = policy;
    judge->replay = replay;
    gh_tape_init(&judge->tape);
    gh_json_edits_init(&judge->edits, EDITS_MAX_BYTES);
    gh_buf_init(&judge->out, OUT_MAX_BYTES);
    gh_buf_init(&judge->scratch, SCRATCH_MAX_BYTES);
    gh_buf_init(&judge->redacted, SCRATCH_MAX_BYTES);
    err = text_new(&judge->text);
    if (err == GH_OK) err = fit_schemas(judge);
    judge->signatures = policy_signatures(policy);
    if (err == GH_OK && judge->signatures != NULL)
        err = signatures_scratch_new(judge->signatures, 0, &judge->suspicion);
    if (err != GH_OK) {
        judge_free(judge);
        return err;
    }
    *ret_judge = judge;
    return GH_OK;
}

void judge_free(struct judge *judge)
{
    if (judge == NULL) return;
    gh_tape_done(&judge->tape);
    gh_json_edits_done(&judge->edits);
    gh_buf_done(&judge->out);
    gh_buf_done(&judge->scratch);
    gh_buf_done(&judge->redacted);
    text_free(judge->text);
    schema_scratch_free(judge->schema);
    signatures_scratch_free(judge->suspicion);
    free(judge);
}

void judge_begin(struct judge *judge)
{
    gh_buf_reset(&judge->out);
}

const char *judge_bytes(const struct judge *judge)
{
    return judge->out.data;
}

/* --- answers ---------------------------------------------------------------------------------- */

struct judge_span judge_keep(struct judge *judge, const void *bytes, size_t len)
{
    struct judge_span span = { judge->out.len, len };

    if (gh_buf_append(&judge->out, bytes, len) != GH_OK) span.len = 0;
    return span;
}

void judge_refuse(struct trial *t, enum gh_code code, const char *rule, const char *pointer)
{
    t->result->code = code;
    t->result->rule = judge_keep(t->judge, rule, strlen(rule));
    t->result->pointer = judge_keep(t->judge, pointer, strlen(pointer));
}

void judge_refuse_node(struct trial *t, enum gh_code code, const char *rule, uint32_t node)
{
    char pointer[POINTER_MAX];

    (void)schema_instance_path(&t->judge->tape, 0, node, pointer, sizeof pointer);
    judge_refuse(t, code, rule, pointer);
}

const char *judge_string(struct judge *judge, uint32_t node, size_t *ret_len)
{
    const struct gh_tape *tape = &judge->tape;

    if (tape->nodes[node].flags & GH_NODE_ESCAPED) {
        gh_buf_reset(&judge->scratch);
        if (gh_buf_reserve(&judge->scratch, gh_tape_str_len(tape, node) + 1u) != GH_OK) return NULL;
    }
    return gh_tape_str(tape, node, judge->scratch.data, ret_len);
}

/* The id as canonical string content: what an answer to the client can carry as it is. */
static struct judge_span keep_id(struct trial *t)
{
    const struct gh_tape *tape = &t->judge->tape;
    const struct gh_node *node = &tape->nodes[t->env.id];
    struct judge_span span;

    if (node->flags & GH_NODE_VERBATIM)
        return judge_keep(t->judge, tape->src + node->off, node->len);
    span.off = t->judge->out.len + 1;
    if (gh_json_write(tape, t->env.id, NULL, &t->judge->out) != GH_OK)
        return (struct judge_span){ 0, 0 };
    span.len = t->judge->out.len - span.off - 1;
    return span;
}

/* --- the steps -------------------------------------------------------------------------------- */

static bool judge_json(struct trial *t)
{
    struct judge *judge = t->judge;
    enum gh_json_err err =
        gh_tape_parse(&judge->tape, t->item->data, t->item->len, &t->context->route->limits);

    if (err == GH_JSON_OK) return true;
    judge_refuse(t,
                 err == GH_JSON_TOO_BIG ? GH_CODE_TOO_LARGE
                 : err == GH_JSON_UTF8  ? GH_CODE_BAD_UTF8
                 : err == GH_JSON_NOMEM ? GH_CODE_INTERNAL
                                        : GH_CODE_BAD_JSON,
                 gh_json_err_text(err), "");
    return false;
}

/* It goes to the application and comes back in answers, and cannot be changed on the way: so it has
 * to be such that nothing would have to change. */
static bool id_is_harmless(const struct trial *t)
{
    const char *out, *rule;
    size_t out_len, len;
    const char *id = judge_string(t->judge, t->env.id, &len);

    return id != NULL && text_sanitize(t->judge->text, TEXT_ESCAPE, NULL, id, len, &out, &out_len,
                                       &rule) == TEXT_SAME;
}

static bool judge_envelope(struct trial *t)
{
    const struct gh_tape *tape = &t->judge->tape;
    struct envelope_problem problem = envelope_read(tape, &t->env);

    if (t->env.id != GH_TAPE_NONE) {
        t->result->id = keep_id(t);
        if (t->result->id.len > ENVELOPE_ID_MAX) {
            t->result->id.len = 0;
            if (problem.rule == NULL)
                problem = (struct envelope_problem){
                    "envelope: id is longer than 64 bytes as canonical text", "/id"
                };
        }
    }
    if (problem.rule == NULL && t->env.id != GH_TAPE_NONE && !id_is_harmless(t)) {
        t->result->id.len = 0;
        problem =
            (struct envelope_problem){ "envelope: id has markup or control characters", "/id" };
    }
    if (problem.rule == NULL) return true;
    judge_refuse(t, GH_CODE_BAD_ENVELOPE, problem.rule, problem.pointer);
    return false;
}

static bool judge_type(struct trial *t)
{
    const struct gh_tape *tape = &t->judge->tape;
    char scratch[ENVELOPE_TYPE_MAX];
    size_t len;
    const char *name = gh_tape_str(tape, t->env.type, scratch, &len);
    const struct policy_type *type = policy_find_type(t->context->route, name, len);

    if (type == NULL) {
        judge_refuse(t, GH_CODE_UNKNOWN_TYPE, "type: not in the policy of this route", "/type");
        return false;
    }
    t->result->type = type;
    if (t->item->len <= type->max_bytes) return true;
    judge_refuse(t, GH_CODE_TOO_LARGE, "type: more bytes than this type may have", "");
    return false;
}

static bool token_equal(const char *given, size_t given_len, const char *token, size_t len)
{
    return len > 0 && given_len == len && CRYPTO_memcmp(given, token, len) == 0;
}

static bool judge_csrf(struct trial *t)
{
    const struct judge_context *context = t->context;
    char scratch[ENVELOPE_CSRF_MAX];
    const char *given;
    bool current, previous;
    size_t len;

    if (t->result->type->csrf_exempt || t->item->outbound || context->csrf_not_asked) return true;
    if (t->env.csrf == GH_TAPE_NONE) {
        judge_refuse(t, GH_CODE_CSRF, "csrf: csrfToken is missing", "");
        return false;
    }
    given = gh_tape_str(&t->judge->tape, t->env.csrf, scratch, &len);
    current = token_equal(given, len, context->csrf, context->csrf_len);
    previous = token_equal(given, len, context->csrf_previous, context->csrf_previous_len);
    if (current || previous) return true;
    judge_refuse(t, GH_CODE_CSRF, "csrf: csrfToken is wrong", "/csrfToken");
    return false;
}

static bool judge_role(struct trial *t)
{
    const struct policy_type *type = t->result->type;
    uint64_t may = t->item->outbound ? type->receive : type->send;

    if ((may & t->context->roles) != 0 || (t->item->outbound && t->context->any_receiver))
        return true;
    judge_refuse(t, GH_CODE_ROLE,
                 t->item->outbound ? "role: may not receive this type"
                                   : "role: may not send this type",
                 "/type");
    return false;
}

static bool judge_schema(struct trial *t)
{
    const struct policy_type *type = t->result->type;
    const struct schema *schema = t->item->outbound ? type->out_schema : type->schema;
    struct schema_failure failure = { 0 };

    if (schema == NULL) return true;
    switch (schema_validate(schema, t->judge->schema, &t->judge->tape, t->env.payload, &failure)) {
    case SCHEMA_VALID: return true;
    case SCHEMA_INVALID:
        judge_refuse_node(t, GH_CODE_SCHEMA, failure.schema_path, failure.node);
        return false;
    case SCHEMA_LIMIT:
        judge_refuse(t, GH_CODE_SCHEMA, "schema: more work than the policy allows", "/payload");
        return false;
    case SCHEMA_NOMEM: break;
    }
    judge_refuse(t, GH_CODE_INTERNAL, "schema: out of memory", "/payload");
    return false;
}

static bool judge_replay(struct trial *t)
{
    const struct policy_type *type = t->result->type;
    struct replay_message m = { .session = t->context->session,
                                .session_len = t->context->session_len,
                                .type = type->name,
                                .type_len = type->name_len,
                                .timestamp_ms = t->env.timestamp_ms,
                                .now_ms = t->item->now_ms,
                                .window_ms = type->replay_window_ms,
                                .owner = t->item->owner };

    if (type->replay_window_ms == 0 || t->item->outbound) return true;
    if (t->env.timestamp == GH_TAPE_NONE || t->env.id == GH_TAPE_NONE) {
        judge_refuse(t, GH_CODE_BAD_ENVELOPE, "replay: this type needs a timestamp and an id", "");
        return false;
    }
    if (t->judge->replay == NULL) {
        judge_refuse(t, GH_CODE_INTERNAL, "replay: no table", "");
        return false;
    }
    m.id = judge_string(t->judge, t->env.id, &m.id_len);
    switch (replay_judge(t->judge->replay, &m)) {
    case REPLAY_NEW:
    case REPLAY_AGAIN: return true;
    case REPLAY_SEEN: judge_refuse(t, GH_CODE_REPLAY, "replay: seen before", "/id"); break;
    case REPLAY_TOO_OLD: judge_refuse(t, GH_CODE_REPLAY, "replay: too old", "/timestamp"); break;
    case REPLAY_TOO_NEW:
        judge_refuse(t, GH_CODE_REPLAY, "replay: from the future", "/timestamp");
        break;
    case REPLAY_FULL:
        judge_refuse(t, GH_CODE_UNAVAILABLE, "replay: too many of this session in the window", "");
        break;
    }
    return false;
}

/* The application never sees the token. Edits are made in node order, hence two calls. */
static bool drop_csrf(struct trial *t, bool before_payload)
{
    struct judge *judge = t->judge;

    if (t->env.csrf == GH_TAPE_NONE || (t->env.csrf < t->env.payload) != before_payload)
        return true;
    if (gh_json_edit_drop(&judge->edits, &judge->tape, t->env.csrf - 1) == GH_OK) return true;
    judge_refuse(t, GH_CODE_INTERNAL, "output: out of memory", "");
    return false;
}

static bool write_output(struct trial *t)
{
    struct judge *judge = t->judge;
    size_t before = judge->out.len;
    enum gh_err err =
        gh_json_write(&judge->tape, 0, judge->edits.n > 0 ? &judge->edits : NULL, &judge->out);

    if (err == GH_OK) {
        t->result->output = (struct judge_span){ before, judge->out.len - before };
        return true;
    }
    if (err == GH_ERR_EXISTS)
        judge_refuse(t, GH_CODE_CONTENT, "key: twice the same once made harmless", "/payload");
    else
        judge_refuse(t, GH_CODE_INTERNAL, gh_err_text(err), "");
    return false;
}

void judge_message(struct judge *judge, const struct judge_context *context,
                   const struct judge_item *item, struct judgement *ret_judgement)
{
    struct trial t = { judge, context, item, ret_judgement, { 0 } };

    *ret_judgement = (struct judgement){ .code = GH_CODE_OK };
    if (context->route == NULL) {
        judge_refuse(&t, GH_CODE_NOT_FOUND, "route: no policy has this name", "");
        return;
    }
    if (item->binary) {
        judge_binary(&t);
        return;
    }
    gh_json_edits_reset(&judge->edits);
    text_begin(judge->text);
    (void)(judge_json(&t) && judge_envelope(&t) && judge_type(&t) && judge_csrf(&t) &&
           judge_role(&t) && judge_schema(&t) && drop_csrf(&t, true) && judge_content(&t) &&
           drop_csrf(&t, false) && judge_replay(&t) && write_output(&t));
}
