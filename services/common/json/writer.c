#include "common/json/writer.h"
#include "common/json/escape.h"

#include <string.h>

/* Short strings are copied in blocks, so a write may run past the end by this. */
#define SLACK GH_JSON_RECODE_SLACK

struct writer {
    const struct gh_tape *tape;
    const char *src;
    const struct gh_json_edit *edit; /* the next one; the one at `edits_end` is past all nodes */
    const struct gh_json_edit *edits_end;
    const char *edit_bytes;
};

/* len bytes of source at off. Room for len + SLACK bytes is there. */
static inline char *put(const struct writer *w, char *out, uint32_t off, uint32_t len)
{
    if (len <= SLACK && off + SLACK <= w->tape->src_len) {
        memcpy(out, w->src + off, SLACK);
        return out + len;
    }
    memcpy(out, w->src + off, len);
    return out + len;
}

static inline char *put_string(const struct writer *w, char *out, const struct gh_node *node)
{
    if (node->flags & GH_NODE_VERBATIM) /* with its quotes */
        return put(w, out, node->off - 1, node->len + 2);
    *out++ = '"';
    out = gh_json_recode(w->src + node->off, node->len, out);
    *out++ = '"';
    return out;
}

/* ---- without edits: never longer than the source, so one reservation is enough ---- */

static char *write_plain(const struct writer *w, uint32_t node, char *out)
{
    const struct gh_node *nodes = w->tape->nodes;
    uint32_t open[GH_JSON_MAX_DEPTH]; /* containers, outermost first */
    uint32_t depth = 0;
    uint32_t i = node;
    uint32_t end = nodes[node].next;

    for (;;) {
        const struct gh_node *n = &nodes[i];

        if (n->kind == GH_JSON_STR) {
            out = put_string(w, out, n);
            i++;
            if (n->flags & GH_NODE_KEY) {
                *out++ = ':';
                continue;
            }
        } else if (n->flags & GH_NODE_VERBATIM) { /* scalars always are */
            out = put(w, out, n->off, n->len);
            i = n->next;
        } else {
            *out++ = n->kind == GH_JSON_OBJ ? '{' : '[';
            if (n->next > i + 1) {
                open[depth++] = i;
                i++;
                continue;
            }
            *out++ = n->kind == GH_JSON_OBJ ? '}' : ']';
            i++;
        }
        while (depth > 0 && nodes[open[depth - 1]].next == i)
            *out++ = nodes[open[--depth]].kind == GH_JSON_OBJ ? '}' : ']';
        if (i == end) return out;
        *out++ = ',';
    }
}

/* A lone string may be a key, whose value does not belong to it. */
static char *write_unedited(const struct writer *w, uint32_t node, char *out)
{
    const struct gh_node *n = &w->tape->nodes[node];

    return n->kind == GH_JSON_STR ? put_string(w, out, n) : write_plain(w, node, out);
}

static enum gh_err write_without_edits(const struct writer *w, uint32_t node, struct gh_buf *out)
{
    const struct gh_node *n = &w->tape->nodes[node];
    bool is_str = n->kind == GH_JSON_STR;
    size_t len = n->len + (is_str ? 2 : 0);
    enum gh_err err;

    if (n->flags & GH_NODE_VERBATIM) return gh_buf_append(out, w->src + n->off - is_str, len);
    err = gh_buf_reserve(out, len + SLACK);
    if (err == GH_OK) {
        out->len = (size_t)(write_unedited(w, node, out->data + out->len) - out->data);
        return GH_OK;
    }
    if (err != GH_ERR_LIMIT) return err;

    /* No room for the worst case; the text may fit all the same. */
    struct gh_buf wide;

    gh_buf_init(&wide, 0);
    err = gh_buf_reserve(&wide, len + SLACK);
    if (err == GH_OK)
        err =
            gh_buf_append(out, wide.data, (size_t)(write_unedited(w, node, wide.data) - wide.data));
    gh_buf_done(&wide);
    return err;
}

/* ---- with edits ---- */

static inline uint32_t next_edited(const struct writer *w)
{
    return w->edit < w->edits_end ? w->edit->node : GH_TAPE_NONE;
}

static inline void skip_edits_before(struct writer *w, uint32_t node)
{
    while (w->edit < w->edits_end && w->edit->node < node)
        w->edit++;
}

static enum gh_err put_edit(struct writer *w, struct gh_buf *out)
{
    const struct gh_json_edit *e = w->edit++;

    if (e->op == GH_JSON_EDIT_TEXT)
        return gh_json_write_string(out, w->edit_bytes + e->off, e->len);
    return gh_buf_append(out, w->edit_bytes + e->off, e->len);
}

/* Offset of a value's or key's first source byte and just past its last, quotes included. */
static uint32_t source_start(const struct gh_node *n)
{
    return n->off - (n->kind == GH_JSON_STR);
}

static uint32_t source_end(const struct gh_node *n)
{
    return n->off + n->len + (n->kind == GH_JSON_STR);
}

/* In a VERBATIM container: from child i as many as come before the next edit, in one piece, commas
 * and colons included. Returns the first child that is left. */
static enum gh_err write_run(const struct writer *w, uint32_t i, uint32_t end, bool is_obj,
                             struct gh_buf *out, uint32_t *ret_next)
{
    const struct gh_node *nodes = w->tape->nodes;
    uint32_t edited = next_edited(w);
    uint32_t start = source_start(&nodes[i]);
    uint32_t last = i;

    while (i < end) {
        uint32_t past = is_obj ? nodes[i + 1].next : nodes[i].next;

        if (past > edited) break;
        last = is_obj ? i + 1 : i;
        i = past;
    }
    *ret_next = i;
    return gh_buf_append(out, w->src + start, source_end(&nodes[last]) - start);
}

static enum gh_err write_edited(struct writer *w, uint32_t node, struct gh_buf *out);

static enum gh_err write_member(struct writer *w, uint32_t i, bool is_obj, struct gh_buf *out)
{
    enum gh_err err = write_edited(w, i, out);

    if (err == GH_OK && is_obj) err = gh_buf_append(out, ":", 1);
    if (err == GH_OK && is_obj) err = write_edited(w, i + 1, out);
    return err;
}

static enum gh_err write_children(struct writer *w, uint32_t node, struct gh_buf *out)
{
    const struct gh_node *nodes = w->tape->nodes;
    bool is_obj = nodes[node].kind == GH_JSON_OBJ;
    bool verbatim = nodes[node].flags & GH_NODE_VERBATIM;
    uint32_t end = nodes[node].next;
    bool comma = false;
    enum gh_err err = gh_buf_append(out, is_obj ? "{" : "[", 1);

    for (uint32_t i = node + 1; i < end && err == GH_OK;) {
        uint32_t past = is_obj ? nodes[i + 1].next : nodes[i].next;

        skip_edits_before(w, i);
        if (next_edited(w) == i && w->edit->op == GH_JSON_EDIT_DROP) {
            skip_edits_before(w, past);
            i = past;
            continue;
        }
        if (comma) err = gh_buf_append(out, ",", 1);
        comma = true;
        if (err != GH_OK) return err;
        if (verbatim && next_edited(w) >= past)
            err = write_run(w, i, end, is_obj, out, &past);
        else
            err = write_member(w, i, is_obj, out);
        i = past;
    }
    if (err == GH_OK) err = gh_buf_append(out, is_obj ? "}" : "]", 1);
    return err;
}

static enum gh_err write_edited(struct writer *w, uint32_t node, struct gh_buf *out)
{
    const struct gh_node *n = &w->tape->nodes[node];
    enum gh_err err;

    skip_edits_before(w, node);
    if (next_edited(w) >= n->next) return write_without_edits(w, node, out);
    if (next_edited(w) > node || w->edit->op == GH_JSON_EDIT_DROP)
        return write_children(w, node, out); /* the edit is further down */
    err = put_edit(w, out);
    skip_edits_before(w, n->next);
    return err;
}

enum gh_err gh_json_write(const struct gh_tape *tape, uint32_t node,
                          const struct gh_json_edits *edits, struct gh_buf *out)
{
    struct writer w = { .tape = tape, .src = tape->src };
    size_t start = out->len;
    enum gh_err err;

    if (edits == NULL || edits->n == 0) return write_without_edits(&w, node, out);
    w.edit = edits->list;
    w.edits_end = edits->list + edits->n;
    w.edit_bytes = edits->bytes.data;
    skip_edits_before(&w, node);
    if (next_edited(&w) == node && w.edit->op == GH_JSON_EDIT_DROP) return GH_ERR_NOT_FOUND;
    err = edits->keys_changed ? gh_json_edits_check(edits, tape, node) : GH_OK;
    if (err == GH_OK) err = write_edited(&w, node, out);
    if (err != GH_OK) out->len = start;
    return err;
}
