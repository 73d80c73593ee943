/* Finding, comparing and hashing values on a tape. */
#include "common/json/parse.h"

#include <string.h>

#define SMALL_OBJECT 16

uint32_t gh_tape_get(const struct gh_tape *tape, uint32_t obj, const char *key, size_t key_len)
{
    const struct gh_node *nodes = tape->nodes;

    if (nodes[obj].kind != GH_JSON_OBJ) return GH_TAPE_NONE;
    for (uint32_t k = obj + 1; k < nodes[obj].next; k = nodes[k + 1].next)
        if (nodes[k].len - nodes[k].count == key_len && gh_tape_str_eq(tape, k, key, key_len))
            return k + 1;
    return GH_TAPE_NONE;
}

uint32_t gh_tape_at(const struct gh_tape *tape, uint32_t arr, uint32_t i)
{
    const struct gh_node *nodes = tape->nodes;
    uint32_t at = arr + 1;

    if (nodes[arr].kind != GH_JSON_ARR || i >= nodes[arr].count) return GH_TAPE_NONE;
    while (i-- > 0)
        at = nodes[at].next;
    return at;
}

/* Decoded bytes of a reference token against a key: ~0 is '~', ~1 is '/'. */
static bool token_is(const struct gh_tape *tape, uint32_t key, const char *token, size_t len)
{
    const char *p = tape->src + tape->nodes[key].off;
    const char *end = p + tape->nodes[key].len;
    char piece[4];
    unsigned have = 0;
    unsigned used = 0;

    for (size_t i = 0; i < len; i++) {
        char want = token[i];

        if (want == '~') want = token[++i] == '1' ? '/' : '~';
        if (used == have) {
            if (p == end) return false;
            p = gh_json_next_piece(p, piece, &have);
            used = 0;
        }
        if (piece[used++] != want) return false;
    }
    return p == end && used == have;
}

static bool token_is_valid(const char *token, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (token[i] == '~' && (++i == len || (token[i] != '0' && token[i] != '1'))) return false;
    return true;
}

static bool token_index(const char *token, size_t len, uint32_t *ret_i)
{
    uint32_t v = 0;

    if (len == 0 || len > 8 || (len > 1 && token[0] == '0')) return false;
    for (size_t i = 0; i < len; i++) {
        if (token[i] < '0' || token[i] > '9') return false;
        v = v * 10 + (uint32_t)(token[i] - '0');
    }
    *ret_i = v;
    return true;
}

uint32_t gh_tape_pointer(const struct gh_tape *tape, uint32_t node, const char *ptr, size_t len)
{
    const char *end = ptr + len;

    while (ptr < end && node != GH_TAPE_NONE) {
        if (*ptr++ != '/') return GH_TAPE_NONE;

        const char *slash = memchr(ptr, '/', (size_t)(end - ptr));
        size_t n = (size_t)((slash != NULL ? slash : end) - ptr);
        const struct gh_node *here = &tape->nodes[node];
        uint32_t next = GH_TAPE_NONE;
        uint32_t i;

        if (!token_is_valid(ptr, n)) return GH_TAPE_NONE;
        if (here->kind == GH_JSON_ARR && token_index(ptr, n, &i))
            next = gh_tape_at(tape, node, i);
        else if (here->kind == GH_JSON_OBJ)
            for (uint32_t k = node + 1; k < here->next; k = tape->nodes[k + 1].next)
                if (token_is(tape, k, ptr, n)) {
                    next = k + 1;
                    break;
                }
        node = next;
        ptr += n;
    }
    return node;
}

/* ---- equality ---- */

struct comparison {
    struct gh_tape *a;
    const struct gh_tape *b;
    uint32_t n_pairs; /* in use, of a->pairs */
    bool no_memory;
};

static bool equal(struct comparison *c, uint32_t i, uint32_t j);

/* For each member of a's object in turn, b's value for that key, pushed onto a->pairs. */
static bool pair_by_table(struct comparison *c, uint32_t i, uint32_t j, uint32_t count)
{
    const struct gh_node *na = c->a->nodes;
    const struct gh_node *nb = c->b->nodes;
    const uint64_t *seed = c->a->seed;
    uint32_t size = 64;

    while (size < count * 2)
        size *= 2;
    if (!gh_tape_clear_table(c->a, size) || !gh_tape_room_for_pairs(c->a, c->n_pairs + count)) {
        c->no_memory = true;
        return false;
    }

    uint64_t *table = c->a->table;

    for (uint32_t k = j + 1; k < nb[j].next; k = nb[k + 1].next) {
        uint64_t hash = gh_json_hash_str(c->b, k, seed);
        uint32_t at = (uint32_t)(hash >> 24) & (size - 1);

        while (table[at] != 0)
            at = (at + 1) & (size - 1);
        table[at] = (hash & 0xFFFFFFFF00000000u) | (k + 1);
    }
    for (uint32_t k = i + 1; k < na[i].next; k = na[k + 1].next) {
        uint64_t hash = gh_json_hash_str(c->a, k, seed);
        uint32_t at = (uint32_t)(hash >> 24) & (size - 1);

        for (; table[at] != 0; at = (at + 1) & (size - 1))
            if ((table[at] ^ hash) >> 32 == 0 &&
                gh_tape_same_str(c->a, k, c->b, (uint32_t)table[at] - 1))
                break;
        if (table[at] == 0) return false;
        c->a->pairs[c->n_pairs++] = (uint32_t)table[at];
    }
    return true;
}

static uint32_t find_same_key(const struct comparison *c, uint32_t k, uint32_t j)
{
    const struct gh_node *nb = c->b->nodes;

    for (uint32_t l = j + 1; l < nb[j].next; l = nb[l + 1].next)
        if (gh_tape_same_str(c->a, k, c->b, l)) return l + 1;
    return GH_TAPE_NONE;
}

/* Equally many members, and keys are unique in both: so every key of a in b is enough. */
static bool equal_objects(struct comparison *c, uint32_t i, uint32_t j)
{
    const struct gh_node *na = c->a->nodes;
    const struct gh_node *nb = c->b->nodes;
    uint32_t mark = c->n_pairs;
    uint32_t pair = mark;
    bool paired = false;
    uint32_t l = j + 1; /* b's key at the same place: most often the one */

    for (uint32_t k = i + 1; k < na[i].next; k = na[k + 1].next) {
        uint32_t v;

        if (paired) {
            v = c->a->pairs[pair];
        } else if (gh_tape_same_str(c->a, k, c->b, l)) {
            v = l + 1;
        } else if (na[i].count <= SMALL_OBJECT) {
            v = find_same_key(c, k, j);
        } else {
            if (!pair_by_table(c, i, j, na[i].count)) return false;
            paired = true;
            for (uint32_t before = i + 1; before != k; before = na[before + 1].next)
                pair++;
            v = c->a->pairs[pair];
        }
        if (v == GH_TAPE_NONE || !equal(c, k + 1, v)) return false;
        l = nb[l + 1].next;
        pair++;
    }
    c->n_pairs = mark;
    return true;
}

static bool equal(struct comparison *c, uint32_t i, uint32_t j)
{
    const struct gh_node *x = &c->a->nodes[i];
    const struct gh_node *y = &c->b->nodes[j];

    if (x->kind != y->kind) return false;
    switch ((enum gh_json_kind)x->kind) {
    case GH_JSON_NULL:
    case GH_JSON_FALSE:
    case GH_JSON_TRUE: return true;
    case GH_JSON_NUM:
        return gh_json_num_cmp(c->a->src + x->off, x->len, c->b->src + y->off, y->len) == 0;
    case GH_JSON_STR: return gh_tape_same_str(c->a, i, c->b, j);
    case GH_JSON_ARR:
        if (x->count != y->count) return false;
        for (uint32_t k = i + 1, l = j + 1; k < x->next; k = c->a->nodes[k].next) {
            if (!equal(c, k, l)) return false;
            l = c->b->nodes[l].next;
        }
        return true;
    case GH_JSON_OBJ: return x->count == y->count && equal_objects(c, i, j);
    }
    return false;
}

enum gh_err gh_tape_equal(struct gh_tape *a, uint32_t i, const struct gh_tape *b, uint32_t j,
                          bool *ret_equal)
{
    struct comparison c = { .a = a, .b = b };
    bool same = equal(&c, i, j);

    if (c.no_memory) return GH_ERR_NOMEM;
    *ret_equal = same;
    return GH_OK;
}

/* ---- hashing ---- */

static uint64_t mix(uint64_t a, uint64_t b)
{
    unsigned __int128 m = (unsigned __int128)(a ^ 0x9E3779B97F4A7C15u) * (b ^ 0xD6E8FEB86659FD93u);

    return (uint64_t)m ^ (uint64_t)(m >> 64);
}

uint64_t gh_tape_hash(const struct gh_tape *tape, uint32_t node, uint64_t seed)
{
    const struct gh_node *nodes = tape->nodes;
    const struct gh_node *n = &nodes[node];
    const uint64_t keys[2] = { mix(seed, 1), mix(seed, 2) };
    uint64_t h = mix(seed, n->kind + 3u);

    switch ((enum gh_json_kind)n->kind) {
    case GH_JSON_NULL:
    case GH_JSON_FALSE:
    case GH_JSON_TRUE: return h;
    case GH_JSON_NUM: return gh_json_hash_num(tape->src + n->off, n->len, h);
    case GH_JSON_STR: return mix(h, gh_json_hash_str(tape, node, keys));
    case GH_JSON_ARR:
        for (uint32_t i = node + 1; i < n->next; i = nodes[i].next)
            h = mix(h, gh_tape_hash(tape, i, seed));
        return h;
    case GH_JSON_OBJ:
        for (uint32_t k = node + 1; k < n->next; k = nodes[k + 1].next)
            h += mix(gh_json_hash_str(tape, k, keys), gh_tape_hash(tape, k + 1, seed));
        return h;
    }
    return h;
}
