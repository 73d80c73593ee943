/*
 * fuzz_json - the tape against jansson, against itself, and the writer against a plain model.
 *
 * For any bytes:
 *  1. every instruction set gives the same verdict, offset and nodes;
 *  2. jansson agrees on accept or refuse, but for the differences `explained` names;
 *  3. what both accept has the same values;
 *  4. the canonical text is accepted, equal to its source by gh_tape_equal, by gh_tape_hash and by
 *     jansson, a fixed point, and the same when no piece may be copied whole;
 *  5. edits give what a model that knows nothing of copying gives;
 *  6. limits refuse exactly what is over them.
 */
#include "common/json/builder.h"
#include "common/json/parse.h"
#include "common/json/writer.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(what)                                                                                \
    do {                                                                                           \
        if (!(what)) {                                                                             \
            fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #what);              \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

static struct gh_tape tape; /* the one under test */
static struct gh_tape other;
static struct gh_buf out;
static struct gh_buf model;
static struct gh_json_edits edits;

static void start(void)
{
    static bool started;

    if (started) return;
    started = true;
    gh_tape_init(&tape);
    gh_tape_init(&other);
    gh_buf_init(&out, 0);
    gh_buf_init(&model, 0);
    gh_json_edits_init(&edits, 0);
}

/* ---- 1 ---- */

static void check_implementations(const char *text, size_t len)
{
    size_t n;
    const struct gh_json_impl *const *impls = gh_json_impls(&n);
    enum gh_json_err err = gh_tape_parse(&tape, text, len, &gh_json_limits_trusted);

    CHECK(err == tape.err && tape.err_off <= len);
    for (size_t i = 0; i < n; i++) {
        other.impl = impls[i];
        CHECK(gh_tape_parse(&other, text, len, &gh_json_limits_trusted) == err);
        CHECK(other.err_off == tape.err_off);
        if (err == GH_JSON_OK) {
            CHECK(other.n_nodes == tape.n_nodes);
            CHECK(memcmp(other.nodes, tape.nodes, tape.n_nodes * sizeof *tape.nodes) == 0);
        }
    }
    other.impl = impls[0];
}

/* ---- 2 and 3 ---- */

static void check_value(uint32_t node, const json_t *v, bool ints_as_reals)
{
    const struct gh_node *n = &tape.nodes[node];
    int64_t i;
    double d;

    switch ((enum gh_json_kind)n->kind) {
    case GH_JSON_NULL: CHECK(json_is_null(v)); break;
    case GH_JSON_FALSE: CHECK(json_is_false(v)); break;
    case GH_JSON_TRUE: CHECK(json_is_true(v)); break;
    case GH_JSON_NUM:
        CHECK(gh_tape_double(&tape, node, &d) == GH_OK);
        if (n->flags & GH_NODE_INT && !ints_as_reals) {
            CHECK(json_is_integer(v));
            CHECK(n->flags & GH_NODE_INT64);
            CHECK(gh_tape_int64(&tape, node, &i) == GH_OK && i == json_integer_value(v));
        } else {
            double w = json_real_value(v);

            CHECK(json_is_real(v));
            CHECK(d == w); /* -0 as an integer is 0 to jansson */
        }
        break;
    case GH_JSON_STR: {
        char *scratch = malloc(gh_tape_str_len(&tape, node) + 1);
        size_t len;
        const char *s = gh_tape_str(&tape, node, scratch, &len);

        CHECK(json_is_string(v) && json_string_length(v) == len);
        CHECK(memcmp(json_string_value(v), s, len) == 0);
        CHECK(gh_tape_str_eq(&tape, node, json_string_value(v), len));
        free(scratch);
        break;
    }
    case GH_JSON_ARR:
        CHECK(json_is_array(v) && json_array_size(v) == n->count);
        for (uint32_t k = node + 1, at = 0; k < n->next; k = tape.nodes[k].next)
            check_value(k, json_array_get(v, at++), ints_as_reals);
        break;
    case GH_JSON_OBJ:
        CHECK(json_is_object(v) && json_object_size(v) == n->count);
        for (uint32_t k = node + 1; k < n->next; k = tape.nodes[k + 1].next) {
            char *scratch = malloc(gh_tape_str_len(&tape, k) + 1);
            size_t len;
            const char *s = gh_tape_str(&tape, k, scratch, &len);
            const json_t *member = json_object_getn(v, s, len);

            CHECK(member != NULL && tape.nodes[k].flags & GH_NODE_KEY);
            CHECK(gh_tape_get(&tape, node, s, len) == k + 1);
            check_value(k + 1, member, ints_as_reals);
            free(scratch);
        }
        break;
    }
}

static json_t *by_jansson(const char *text, size_t len, bool *ret_ints_as_reals,
                          enum json_error_code *ret_code)
{
    size_t flags = JSON_DECODE_ANY | JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL;
    json_error_t e;
    json_t *v = json_loadb(text, len, flags, &e);

    *ret_ints_as_reals = false;
    if (v == NULL && json_error_code(&e) == json_error_numeric_overflow) {
        v = json_loadb(text, len, flags | JSON_DECODE_INT_AS_REAL, &e);
        *ret_ints_as_reals = true; /* it has 64 bits for an integer; we keep the text */
    }
    *ret_code = v == NULL ? json_error_code(&e) : json_error_unknown;
    return v;
}

/* Differences that are meant. */
static bool explained(const char *text, size_t len, bool jansson_accepts, enum json_error_code code)
{
    if (!jansson_accepts) return code == json_error_null_byte_in_key; /* its keys are C strings */
    if (memchr(text, 0, len) != NULL) return true; /* it loses a NUL behind a number: "1\0" is 1 */
    return tape.err == GH_JSON_TOO_DEEP ||         /* its stack is 2048 deep, ours 1024 */
           tape.err == GH_JSON_NUMBER_RANGE;       /* an exponent below -999999999 is 0 to strtod */
}

/* Only such an exponent may be out of range for us and not for jansson. */
static bool has_tiny_exponent(const char *text, size_t len)
{
    for (size_t i = tape.err_off; i + 10 < len && text[i] != ',' && text[i] != ']'; i++)
        if ((text[i] | 0x20) == 'e') return text[i + 1] == '-';
    return false;
}

/* ---- 4 ---- */

static void check_write(const json_t *v, bool ints_as_reals)
{
    bool ok_reals;
    enum json_error_code code;
    bool same = false;

    gh_buf_reset(&out);
    CHECK(gh_json_write(&tape, 0, NULL, &out) == GH_OK);
    CHECK(out.len <= tape.src_len);

    char *exact = malloc(out.len); /* for the sanitizer */

    memcpy(exact, out.data, out.len);
    CHECK(gh_tape_parse(&other, exact, out.len, &gh_json_limits_trusted) == GH_JSON_OK);
    CHECK(other.n_nodes == tape.n_nodes);
    CHECK(other.nodes[0].flags & GH_NODE_VERBATIM);
    CHECK(gh_tape_equal(&tape, 0, &other, 0, &same) == GH_OK && same);
    CHECK(gh_tape_equal(&other, 0, &tape, 0, &same) == GH_OK && same);
    CHECK(gh_tape_hash(&tape, 0, 7) == gh_tape_hash(&other, 0, 7));
    if (v != NULL) {
        json_t *w = by_jansson(exact, out.len, &ok_reals, &code);

        CHECK(w != NULL && ok_reals == ints_as_reals && json_equal(v, w));
        json_decref(w);
    }

    /* Without the knowledge of what is canonical already. */
    for (uint32_t i = 0; i < other.n_nodes; i++)
        if (other.nodes[i].kind >= GH_JSON_STR) other.nodes[i].flags &= ~(unsigned)GH_NODE_VERBATIM;
    gh_buf_reset(&model);
    CHECK(gh_json_write(&other, 0, NULL, &model) == GH_OK);
    CHECK(model.len == out.len && memcmp(model.data, out.data, out.len) == 0);
    free(exact);
}

/* ---- 5 ---- */

static uint32_t roll_state;

static uint32_t roll(uint32_t below)
{
    roll_state = roll_state * 1664525u + 1013904223u;
    return (roll_state >> 8) % below;
}

static const struct gh_json_edit *edit_of(uint32_t node)
{
    for (uint32_t i = 0; i < edits.n; i++)
        if (edits.list[i].node == node) return &edits.list[i];
    return NULL;
}

static void model_string(struct gh_json *j, uint32_t node, bool key)
{
    const struct gh_json_edit *e = edit_of(node);
    char *scratch = malloc(gh_tape_str_len(&tape, node) + 1);
    size_t len;
    const char *s = gh_tape_str(&tape, node, scratch, &len);

    if (e != NULL && e->op == GH_JSON_EDIT_TEXT) {
        s = edits.bytes.data + e->off;
        len = e->len;
    }
    if (key)
        gh_json_key_n(j, s, len);
    else
        gh_json_str_n(j, s, len);
    free(scratch);
}

static void model_write(struct gh_json *j, uint32_t node)
{
    const struct gh_node *n = &tape.nodes[node];
    const struct gh_json_edit *e = edit_of(node);
    const struct gh_json_edit *f;

    if (e != NULL && e->op == GH_JSON_EDIT_RAW) {
        gh_json_raw(j, edits.bytes.data + e->off, e->len);
        return;
    }
    switch ((enum gh_json_kind)n->kind) {
    case GH_JSON_NULL: gh_json_null(j); break;
    case GH_JSON_FALSE: gh_json_bool(j, false); break;
    case GH_JSON_TRUE: gh_json_bool(j, true); break;
    case GH_JSON_NUM: gh_json_raw(j, tape.src + n->off, n->len); break;
    case GH_JSON_STR: model_string(j, node, false); break;
    case GH_JSON_ARR:
        gh_json_begin_array(j);
        for (uint32_t k = node + 1; k < n->next; k = tape.nodes[k].next)
            if ((f = edit_of(k)) == NULL || f->op != GH_JSON_EDIT_DROP) model_write(j, k);
        gh_json_end_array(j);
        break;
    case GH_JSON_OBJ:
        gh_json_begin_object(j);
        for (uint32_t k = node + 1; k < n->next; k = tape.nodes[k + 1].next) {
            if ((f = edit_of(k)) != NULL && f->op == GH_JSON_EDIT_DROP) continue;
            model_string(j, k, true);
            model_write(j, k + 1);
        }
        gh_json_end_object(j);
        break;
    }
}

static void check_edits(void)
{
    static const char *const texts[] = { "", "a", "\"\\\n\x01", "\xD0\xB4\xF0\x9F\x98\x80",
                                         "a longer text than one block of the scanner has" };
    static const char *const raws[] = { "null", "[1,{\"k\":2}]", "\"\"", "-1e3" };
    struct gh_json j;
    bool root_dropped = false;

    gh_json_edits_reset(&edits);
    for (uint32_t i = 0, tries = 1 + roll(6); i < tries; i++) {
        uint32_t node = roll(tape.n_nodes);
        const char *text = texts[roll(5)];
        const char *raw = raws[roll(4)];
        bool key = tape.nodes[node].flags & GH_NODE_KEY;
        bool member_value = node > 0 && tape.nodes[node - 1].flags & GH_NODE_KEY;

        switch (roll(3)) {
        case 0:
            CHECK((gh_json_edit_text(&edits, &tape, node, text, strlen(text)) == GH_OK) ==
                  (tape.nodes[node].kind == GH_JSON_STR));
            break;
        case 1:
            CHECK((gh_json_edit_raw(&edits, &tape, node, raw, strlen(raw)) == GH_OK) == !key);
            break;
        default:
            if (!member_value) { /* a member is dropped by its key */
                CHECK(gh_json_edit_drop(&edits, &tape, node) == GH_OK);
                root_dropped |= node == 0;
            }
        }
    }

    gh_buf_reset(&out);

    enum gh_err err = gh_json_write(&tape, 0, &edits, &out);
    const struct gh_json_edit *root = edit_of(0);

    if (root != NULL && root->op == GH_JSON_EDIT_DROP) {
        CHECK(root_dropped && err == GH_ERR_NOT_FOUND);
        return;
    }
    gh_buf_reset(&model);
    gh_json_init(&j, &model);
    model_write(&j, 0);

    bool model_ok = gh_json_finish(&j) == GH_OK;
    enum gh_json_err reparse = GH_JSON_OK;

    if (!model_ok) { /* deeper than the builder goes */
        CHECK(tape.n_nodes > GH_JSON_BUILDER_DEPTH);
        return;
    }
    reparse = gh_tape_parse(&other, model.data, model.len, &gh_json_limits_trusted);
    if (err == GH_ERR_EXISTS) {
        CHECK(reparse == GH_JSON_DUPLICATE);
        return;
    }
    CHECK(err == GH_OK && reparse == GH_JSON_OK);
    CHECK(model.len == out.len && memcmp(model.data, out.data, out.len) == 0);
}

/* ---- 6 ---- */

static bool within(uint32_t node, const struct gh_json_limits *limits, uint32_t depth)
{
    const struct gh_node *n = &tape.nodes[node];

    switch ((enum gh_json_kind)n->kind) {
    case GH_JSON_NULL:
    case GH_JSON_FALSE:
    case GH_JSON_TRUE: return true;
    case GH_JSON_NUM: return n->len <= limits->max_number_chars;
    case GH_JSON_STR: {
        uint32_t len = gh_tape_str_len(&tape, node);
        char *scratch = malloc(len + 1);
        size_t got;
        const char *s = gh_tape_str(&tape, node, scratch, &got);
        bool nul = memchr(s, 0, got) != NULL;

        free(scratch);
        return len <= (n->flags & GH_NODE_KEY ? limits->max_key_bytes : limits->max_string_bytes) &&
               !(nul && limits->refuse_nul);
    }
    case GH_JSON_ARR:
    case GH_JSON_OBJ: break;
    }
    if (depth == limits->max_depth ||
        n->count > (n->kind == GH_JSON_ARR ? limits->max_items : limits->max_members))
        return false;
    for (uint32_t i = node + 1; i < n->next; i = tape.nodes[i].next)
        if (!within(i, limits, depth + 1)) return false;
    return true;
}

static void check_limits(const char *text, size_t len)
{
    struct gh_json_limits limits = {
        .max_bytes = 1 + roll(400),
        .max_depth = roll(6),
        .max_nodes = 1 + roll(40),
        .max_members = roll(10),
        .max_items = roll(10),
        .max_string_bytes = roll(30),
        .max_key_bytes = roll(12),
        .max_number_chars = 1 + roll(12),
        .refuse_nul = roll(2),
    };
    bool fits =
        len <= limits.max_bytes && tape.n_nodes <= limits.max_nodes && within(0, &limits, 0);
    enum gh_json_err err = gh_tape_parse(&other, text, len, &limits);

    CHECK(fits == (err == GH_JSON_OK));
    CHECK(fits || err >= GH_JSON_TOO_BIG);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    bool ints_as_reals;
    enum json_error_code code;

    start();
    roll_state = (uint32_t)size;
    for (size_t i = 0; i < size; i++)
        roll_state = roll_state * 31 + data[i];

    check_implementations(text, size);

    json_t *v = by_jansson(text, size, &ints_as_reals, &code);
    bool accepted = tape.err == GH_JSON_OK;

    if (accepted != (v != NULL)) {
        CHECK(explained(text, size, v != NULL, code));
        CHECK(tape.err != GH_JSON_NUMBER_RANGE || has_tiny_exponent(text, size));
    }
    if (accepted) {
        if (v != NULL) check_value(0, v, ints_as_reals);
        check_write(v, ints_as_reals);
        check_limits(text, size);
        check_edits();
    }
    json_decref(v);
    return 0;
}
