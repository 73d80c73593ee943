/* The walk over a payload: every key and string once, in order, its changes noted as edits. */
#include "sanitize/markup.h"
#include "sanitize/redact.h"
#include "verdict/judge_internal.h"

#include <stdio.h>
#include <string.h>

#define DEPTH_MAX 257 /* policies allow 256 */

struct frame {
    uint32_t end;
    uint32_t step; /* of the container, in the field tree */
    uint32_t index;
    uint8_t mode;
    bool is_array;
    bool redact; /* all below it */
};

struct walk {
    struct trial *trial;
    const struct gh_tape *tape;
    const struct policy_route *route;
    const struct policy_type *type;
    const struct fields *fields;
    unsigned redact; /* enum redact bits */
    bool sanitize;
    bool suspect; /* signatures are looked for */
    bool failed;
};

static void fail(struct walk *w, enum gh_code code, const char *rule, uint32_t node)
{
    judge_refuse_node(w->trial, code, rule, node);
    w->failed = true;
}

/* --- signatures ------------------------------------------------------------------------------- */

/* A name like a variable's can hold no attack. */
static bool is_identifier(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        char c = text[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '_' || c == '-'))
            return false;
    }
    return len <= 64;
}

static void scan(const struct walk *w, enum signatures_field field, const char *text, size_t len,
                 uint32_t node)
{
    const struct judge *judge = w->trial->judge;

    if (w->suspect) signatures_scan(judge->signatures, judge->suspicion, field, text, len, node);
}

static enum signatures_field field_of(uint8_t mode)
{
    if (mode == TEXT_FILENAME || mode == TEXT_PATH) return SIGNATURES_NAME;
    return mode == TEXT_URL ? SIGNATURES_URL : SIGNATURES_TEXT;
}

static void weigh(struct walk *w)
{
    struct judge *judge = w->trial->judge;
    const struct signatures_result *result;
    const struct signatures_hit *top;
    char rule[160];

    if (!w->suspect || w->failed) return;
    result = signatures_result(judge->suspicion);
    w->trial->result->score = result->score;
    if (result->score < w->type->threshold || result->n_hits == 0) {
        if (result->exhausted)
            fail(w, GH_CODE_CONTENT, "signatures: more to look at than limits.signature_work",
                 w->trial->env.payload);
        return;
    }
    top = &result->hits[result->top];
    (void)snprintf(rule, sizeof rule, "signature: %.120s",
                   signatures_rule(judge->signatures, top->rule)->id);
    fail(w, GH_CODE_CONTENT, rule, top->tag);
}

static void edit(struct walk *w, uint32_t node, const char *text, size_t len)
{
    struct judge *judge = w->trial->judge;

    if (gh_json_edit_text(&judge->edits, &judge->tape, node, text, len) != GH_OK)
        fail(w, GH_CODE_INTERNAL, "content: out of memory", node);
}

/* --- keys ------------------------------------------------------------------------------------- */

/* Names through which JavaScript reaches the prototype of every object. */
static bool is_unsafe_key(const struct gh_tape *tape, uint32_t key)
{
    switch (gh_tape_str_len(tape, key)) {
    case 9:
        return gh_tape_str_eq_lit(tape, key, "__proto__") ||
               gh_tape_str_eq_lit(tape, key, "prototype");
    case 11: return gh_tape_str_eq_lit(tape, key, "constructor");
    default: return false;
    }
}

/* False: the member goes. */
static bool judge_key(struct walk *w, uint32_t key, uint8_t mode)
{
    struct judge *judge = w->trial->judge;
    const char *text, *out = NULL, *rule = NULL;
    size_t len, out_len = 0;

    if (is_unsafe_key(w->tape, key)) {
        if (w->route->unsafe_keys == POLICY_KEYS_REFUSE) {
            fail(w, GH_CODE_CONTENT, "key: reaches a prototype", key + 1);
        } else if (gh_json_edit_drop(&judge->edits, &judge->tape, key) != GH_OK) {
            fail(w, GH_CODE_INTERNAL, "content: out of memory", key + 1);
        }
        return false;
    }
    text = judge_string(judge, key, &len);
    if (text == NULL) {
        fail(w, GH_CODE_INTERNAL, "content: out of memory", key + 1);
        return false;
    }
    if (!is_identifier(text, len)) scan(w, SIGNATURES_KEY, text, len, key + 1);
    if (markup_scan(text, len) == 0) return true;
    if (mode != TEXT_REJECT && mode != TEXT_PLAIN) mode = TEXT_ESCAPE;
    switch (
        text_sanitize(judge->text, (enum text_mode)mode, NULL, text, len, &out, &out_len, &rule)) {
    case TEXT_SAME: break;
    case TEXT_CHANGED: edit(w, key, out, out_len); break;
    case TEXT_REFUSED: fail(w, GH_CODE_CONTENT, rule, key + 1); break;
    }
    return !w->failed;
}

/* --- values ----------------------------------------------------------------------------------- */

static void sanitize(struct walk *w, uint32_t node, uint8_t mode)
{
    struct judge *judge = w->trial->judge;
    const char *text, *out = NULL, *rule = NULL;
    size_t len, out_len = 0;

    text = judge_string(judge, node, &len);
    if (text == NULL) {
        fail(w, GH_CODE_INTERNAL, "content: out of memory", node);
        return;
    }
    scan(w, field_of(mode), text, len, node);
    switch (text_sanitize(judge->text, (enum text_mode)mode, &w->route->rich, text, len, &out,
                          &out_len, &rule)) {
    case TEXT_SAME: return;
    case TEXT_CHANGED: edit(w, node, out, out_len); return;
    case TEXT_REFUSED: fail(w, GH_CODE_CONTENT, rule, node); return;
    }
}

static void redact(struct walk *w, uint32_t node)
{
    struct judge *judge = w->trial->judge;
    bool changed = false;
    size_t len;
    const char *text = judge_string(judge, node, &len);

    gh_buf_reset(&judge->redacted);
    if (text == NULL || redact_text(w->redact, text, len, &judge->redacted, &changed) != GH_OK) {
        fail(w, GH_CODE_INTERNAL, "content: out of memory", node);
        return;
    }
    if (!changed) return;
    w->trial->result->redactions++;
    edit(w, node, judge->redacted.data, judge->redacted.len);
}

static void replace_whole(struct walk *w, uint32_t node)
{
    static const char text[] = "\"[redacted]\"";
    struct judge *judge = w->trial->judge;

    w->trial->result->redactions++;
    if (gh_json_edit_raw(&judge->edits, &judge->tape, node, text, sizeof text - 1) != GH_OK)
        fail(w, GH_CODE_INTERNAL, "content: out of memory", node);
}

static void judge_value(struct walk *w, uint32_t node, uint8_t mode)
{
    const struct gh_node *n = &w->tape->nodes[node];

    if (n->kind == GH_JSON_STR) {
        if (w->sanitize) sanitize(w, node, mode);
        if (!w->failed && w->redact != 0) redact(w, node);
    } else if (n->kind == GH_JSON_NUM && (w->redact & REDACT_CARDS) != 0 &&
               (n->flags & GH_NODE_INT) != 0 && n->len >= 12 &&
               redact_is_card(w->tape->src + n->off, n->len)) {
        replace_whole(w, node);
    }
}

/* --- the walk --------------------------------------------------------------------------------- */

/* Nothing is said of single places: one mode for all, and no need to know where we are. */
static void walk_flat(struct walk *w, uint32_t from, uint8_t mode)
{
    uint32_t end = w->tape->nodes[from].next;

    for (uint32_t i = from; i < end && !w->failed; i++) {
        if ((w->tape->nodes[i].flags & GH_NODE_KEY) == 0) {
            judge_value(w, i, mode);
        } else if (w->sanitize && !judge_key(w, i, mode)) {
            i = w->tape->nodes[i + 1].next - 1;
        }
    }
}

struct place {
    uint32_t step;
    uint8_t mode;
    bool redact;
};

static struct place place_of(const struct walk *w, uint32_t step, uint8_t mode, bool is_redacted)
{
    struct place place = { step, mode, is_redacted };

    if (step != FIELDS_NONE) {
        const struct field *f = &w->fields->steps[step];

        if (f->mode != FIELDS_UNSET) place.mode = f->mode;
        place.redact |= f->redact;
    }
    return place;
}

static void walk_fields(struct walk *w, uint32_t from, struct place place)
{
    struct frame frames[DEPTH_MAX];
    uint32_t depth = 0, i = from;
    uint32_t end = w->tape->nodes[from].next;

    while (!w->failed) {
        const struct gh_node *n = &w->tape->nodes[i];

        if (place.redact) {
            replace_whole(w, i);
            i = n->next;
        } else if (n->kind >= GH_JSON_ARR) {
            if (depth == DEPTH_MAX) {
                fail(w, GH_CODE_BAD_JSON, "content: too deep", i);
                return;
            }
            frames[depth++] = (struct frame){ .end = n->next,
                                              .step = place.step,
                                              .mode = place.mode,
                                              .is_array = n->kind == GH_JSON_ARR };
            i++;
        } else {
            judge_value(w, i, place.mode);
            i++;
        }
        /* i is the next key or element, or the end of containers. */
        for (;;) {
            struct frame *top;

            while (depth > 0 && frames[depth - 1].end == i)
                depth--;
            if (i == end || w->failed) return;
            top = &frames[depth - 1];
            if (top->is_array) {
                place =
                    place_of(w, fields_index(w->fields, top->step, top->index++), top->mode, false);
                break;
            }
            place = place_of(w, fields_key(w->fields, top->step, w->tape, i), top->mode, false);
            if (!w->sanitize || judge_key(w, i, top->mode)) {
                i++;
                break;
            }
            i = w->tape->nodes[i + 1].next; /* the member goes */
        }
    }
}

bool judge_content(struct trial *t)
{
    const struct policy_type *type = t->result->type;
    struct walk w = { .trial = t,
                      .tape = &t->judge->tape,
                      .route = t->context->route,
                      .type = type,
                      .sanitize = !t->item->outbound,
                      .fields = t->item->outbound ? &type->out_fields : &type->fields,
                      .redact = t->item->outbound ? type->redact : 0 };
    uint8_t mode = (uint8_t)type->mode;

    w.suspect = w.sanitize && t->judge->signatures != NULL && type->threshold > 0;
    if (w.suspect) {
        signatures_begin(t->judge->suspicion);
        signatures_limit(t->judge->suspicion, w.route->signature_work);
    }
    if (t->item->outbound && w.redact == 0 && w.fields->n == 0) return true;
    if (w.fields->n == 0) {
        walk_flat(&w, t->env.payload, mode);
    } else {
        struct place root = place_of(&w, FIELDS_ROOT, mode, false);
        uint32_t step = fields_name(w.fields, FIELDS_ROOT, "payload", 7);

        walk_fields(&w, t->env.payload, place_of(&w, step, root.mode, root.redact));
    }
    weigh(&w);
    return !w.failed;
}
