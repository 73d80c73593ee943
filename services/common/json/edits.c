/* The list of changes a writer applies. */
#include "common/json/escape.h"
#include "common/json/parse.h"
#include "common/json/utf8.h"

#include <stdlib.h>
#include <string.h>

void gh_json_edits_init(struct gh_json_edits *edits, size_t max_bytes)
{
    *edits = (struct gh_json_edits){ 0 };
    gh_buf_init(&edits->bytes, max_bytes);
    gh_tape_init(&edits->raw);
}

void gh_json_edits_done(struct gh_json_edits *edits)
{
    free(edits->list);
    gh_buf_done(&edits->bytes);
    gh_tape_done(&edits->raw);
    *edits = (struct gh_json_edits){ 0 };
}

void gh_json_edits_reset(struct gh_json_edits *edits)
{
    edits->n = 0;
    edits->keys_changed = false;
    gh_buf_reset(&edits->bytes);
}

/* Where an edit of this node is or would be. */
static uint32_t place(const struct gh_json_edits *edits, uint32_t node)
{
    uint32_t low = 0;
    uint32_t high = edits->n;

    if (high == 0 || edits->list[high - 1].node < node) return high;
    while (low < high) {
        uint32_t mid = low + (high - low) / 2;

        if (edits->list[mid].node < node)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

static enum gh_err add(struct gh_json_edits *edits, uint32_t node, enum gh_json_edit_op op,
                       const void *bytes, size_t len)
{
    uint32_t at = place(edits, node);
    bool there = at < edits->n && edits->list[at].node == node;
    size_t off = edits->bytes.len;
    enum gh_err err;

    if (edits->bytes.max == 0) /* only zeroed */
        gh_buf_init(&edits->bytes, 0);
    if (!there && edits->n == edits->cap) {
        uint32_t cap = edits->cap < 16 ? 16 : edits->cap * 2;
        struct gh_json_edit *list = realloc(edits->list, cap * sizeof *list);

        if (list == NULL) return GH_ERR_NOMEM;
        edits->list = list;
        edits->cap = cap;
    }
    if (len > GH_JSON_MAX_BYTES || off > UINT32_MAX - len) return GH_ERR_LIMIT;
    err = gh_buf_append(&edits->bytes, bytes, len);
    if (err != GH_OK) return err;
    if (!there) {
        memmove(&edits->list[at + 1], &edits->list[at], (edits->n - at) * sizeof *edits->list);
        edits->n++;
    }
    edits->list[at] = (struct gh_json_edit){ node, op, (uint32_t)off, (uint32_t)len };
    return GH_OK;
}

enum gh_err gh_json_edit_text(struct gh_json_edits *edits, const struct gh_tape *tape, uint32_t str,
                              const void *utf8, size_t len)
{
    enum gh_err err;

    if (tape->nodes[str].kind != GH_JSON_STR || !gh_utf8_valid(utf8, len))
        return GH_ERR_BAD_MESSAGE;
    err = add(edits, str, GH_JSON_EDIT_TEXT, utf8, len);
    if (err == GH_OK && tape->nodes[str].flags & GH_NODE_KEY) edits->keys_changed = true;
    return err;
}

enum gh_err gh_json_edit_raw(struct gh_json_edits *edits, const struct gh_tape *tape,
                             uint32_t value, const void *json, size_t len)
{
    enum gh_json_err err;

    if (tape->nodes[value].flags & GH_NODE_KEY) return GH_ERR_BAD_MESSAGE;
    if (edits->raw.impl == NULL) /* only zeroed */
        gh_tape_init(&edits->raw);
    err = gh_tape_parse(&edits->raw, json, len, &gh_json_limits_trusted);
    if (err != GH_JSON_OK) return err == GH_JSON_NOMEM ? GH_ERR_NOMEM : GH_ERR_BAD_MESSAGE;
    return add(edits, value, GH_JSON_EDIT_RAW, json, len);
}

enum gh_err gh_json_edit_drop(struct gh_json_edits *edits, const struct gh_tape *tape,
                              uint32_t key_or_element)
{
    (void)tape;
    return add(edits, key_or_element, GH_JSON_EDIT_DROP, "", 0);
}

const char *gh_json_edit_find_text(const struct gh_json_edits *edits, uint32_t str, size_t *ret_len)
{
    uint32_t at = place(edits, str);

    if (at == edits->n || edits->list[at].node != str || edits->list[at].op != GH_JSON_EDIT_TEXT)
        return NULL;
    *ret_len = edits->list[at].len;
    return edits->bytes.data + edits->list[at].off;
}

/* ---- keys that collide once edited ---- */

static int compare_u64(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

/* By their hashes: that two different keys share one is less likely than a broken machine. */
static enum gh_err check_object(const struct gh_json_edits *edits, const struct gh_tape *tape,
                                uint32_t obj)
{
    const struct gh_node *nodes = tape->nodes;
    uint64_t *hashes = malloc((nodes[obj].count + 1) * sizeof *hashes);
    uint32_t n = 0;
    uint32_t at = place(edits, obj);
    bool twice = false;

    if (hashes == NULL) return GH_ERR_NOMEM;

    for (uint32_t k = obj + 1; k < nodes[obj].next; k = nodes[k + 1].next) {
        while (at < edits->n && edits->list[at].node < k)
            at++;

        const struct gh_json_edit *e =
            at < edits->n && edits->list[at].node == k ? &edits->list[at] : NULL;

        if (e != NULL && e->op == GH_JSON_EDIT_DROP) continue;
        hashes[n++] = e != NULL ? gh_json_hash_bytes(edits->bytes.data + e->off, e->len, tape->seed)
                                : gh_json_hash_str(tape, k, tape->seed);
    }
    if (n > 1) qsort(hashes, n, sizeof *hashes, compare_u64);
    for (uint32_t i = 1; i < n; i++)
        twice |= hashes[i] == hashes[i - 1];
    free(hashes);
    return twice ? GH_ERR_EXISTS : GH_OK;
}

enum gh_err gh_json_edits_check(const struct gh_json_edits *edits, const struct gh_tape *tape,
                                uint32_t node)
{
    const struct gh_node *nodes = tape->nodes;
    bool is_obj = nodes[node].kind == GH_JSON_OBJ;
    bool key_changed = false;
    uint32_t at = place(edits, node);

    if (nodes[node].kind < GH_JSON_ARR || (at < edits->n && edits->list[at].node == node))
        return GH_OK; /* no container, or one that is replaced or dropped whole */
    for (uint32_t i = node + 1; i < nodes[node].next;) {
        uint32_t value = is_obj ? i + 1 : i;
        uint32_t past = nodes[value].next;

        while (at < edits->n && edits->list[at].node < i)
            at++;
        if (at == edits->n) break;

        const struct gh_json_edit *e = &edits->list[at];
        bool dropped = e->node == i && e->op == GH_JSON_EDIT_DROP;

        if (e->node == i && is_obj && e->op == GH_JSON_EDIT_TEXT) key_changed = true;
        if (e->node < past && !dropped) {
            enum gh_err err = gh_json_edits_check(edits, tape, value);

            if (err != GH_OK) return err;
        }
        i = past;
    }
    return key_changed ? check_object(edits, tape, node) : GH_OK;
}
