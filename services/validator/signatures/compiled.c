#include "validator/signatures/compiled.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define MAGIC       "gatehouse-signatures-2"
#define MAX_ENTRIES 65536u

struct entry {
    const char *pattern; /* not NUL-ended */
    const char *db;
    uint32_t pattern_len;
    uint32_t db_len;
    uint32_t flags;
    uint32_t next; /* of its chain: entry + 1 */
};

struct compiled {
    struct entry *entries;
    uint32_t n, cap;
    uint32_t *chains;
    uint32_t mask;
};

static uint32_t hash(const char *bytes, size_t len, uint32_t flags)
{
    uint32_t h = 0x811c9dc5u ^ flags; /* FNV-1a */

    for (size_t i = 0; i < len; i++)
        h = (h ^ (unsigned char)bytes[i]) * 0x01000193u;
    return h ^ h >> 15;
}

static const struct entry *find(const struct compiled *c, const char *pattern, size_t len,
                                uint32_t flags)
{
    if (c->n == 0) return NULL;
    for (uint32_t i = c->chains[hash(pattern, len, flags) & c->mask]; i != 0;
         i = c->entries[i - 1].next) {
        const struct entry *e = &c->entries[i - 1];

        if (e->flags == flags && e->pattern_len == len && memcmp(e->pattern, pattern, len) == 0)
            return e;
    }
    return NULL;
}

/* The entry at *at, which moves past it; false at the end, or at what is no entry. */
static bool read_entry(const char *bytes, size_t len, size_t *at, struct entry *ret_entry)
{
    struct entry e = { 0 };
    uint32_t head[3]; /* flags, length of the pattern, of the database */
    size_t left = len - *at;

    if (left < sizeof(head)) return false;
    memcpy(head, bytes + *at, sizeof(head));
    left -= sizeof(head);
    if (head[1] > left || head[2] > left - head[1]) return false;
    e.flags = head[0];
    e.pattern_len = head[1];
    e.db_len = head[2];
    e.pattern = bytes + *at + sizeof(head);
    e.db = e.pattern + e.pattern_len;
    *at += sizeof(head) + e.pattern_len + e.db_len;
    *ret_entry = e;
    return true;
}

static enum gh_err grow(struct compiled *c)
{
    uint32_t cap = c->cap == 0 ? 256 : c->cap * 2;
    struct entry *entries;

    if (c->n < c->cap) return GH_OK;
    entries = realloc(c->entries, cap * sizeof(*entries));
    if (entries == NULL) return GH_ERR_NOMEM;
    c->entries = entries;
    c->cap = cap;
    return GH_OK;
}

static enum gh_err build_chains(struct compiled *c)
{
    uint32_t size = 64;

    while (size < c->n)
        size *= 2;
    c->chains = calloc(size, sizeof(*c->chains));
    if (c->chains == NULL) return GH_ERR_NOMEM;
    c->mask = size - 1;
    for (uint32_t i = 0; i < c->n; i++) {
        struct entry *e = &c->entries[i];
        uint32_t *chain = &c->chains[hash(e->pattern, e->pattern_len, e->flags) & c->mask];

        e->next = *chain;
        *chain = i + 1;
    }
    return GH_OK;
}

enum gh_err compiled_new(const void *bytes, size_t len, struct compiled **ret_compiled)
{
    struct compiled *c = calloc(1, sizeof(*c));
    size_t at = sizeof(MAGIC);
    enum gh_err err = c == NULL ? GH_ERR_NOMEM : GH_OK;
    struct entry e;

    if (err == GH_OK && len >= sizeof(MAGIC) && memcmp(bytes, MAGIC, sizeof(MAGIC)) == 0)
        while (err == GH_OK && c->n < MAX_ENTRIES && read_entry(bytes, len, &at, &e)) {
            err = grow(c);
            if (err == GH_OK) c->entries[c->n++] = e;
        }
    if (err == GH_OK) err = build_chains(c);
    if (err != GH_OK) {
        compiled_free(c);
        return err;
    }
    *ret_compiled = c;
    return GH_OK;
}

void compiled_free(struct compiled *compiled)
{
    if (compiled == NULL) return;
    free(compiled->entries);
    free(compiled->chains);
    free(compiled);
}

hs_database_t *compiled_take(const struct compiled *compiled, const char *pattern, unsigned flags)
{
    const struct entry *e = find(compiled, pattern, strlen(pattern), flags);
    hs_database_t *db = NULL;

    if (e == NULL || hs_deserialize_database(e->db, e->db_len, &db) != HS_SUCCESS) return NULL;
    return db;
}

enum gh_err compiled_begin(struct gh_buf *out)
{
    return gh_buf_append(out, MAGIC, sizeof(MAGIC));
}

static enum gh_err append(struct gh_buf *out, uint32_t flags, const char *pattern,
                          uint32_t pattern_len, const char *db, uint32_t db_len)
{
    uint32_t head[3] = { flags, pattern_len, db_len };
    enum gh_err err = gh_buf_reserve(out, sizeof(head) + pattern_len + db_len);

    if (err == GH_OK) err = gh_buf_append(out, head, sizeof(head));
    if (err == GH_OK) err = gh_buf_append(out, pattern, pattern_len);
    if (err == GH_OK) err = gh_buf_append(out, db, db_len);
    return err;
}

enum gh_err compiled_add(struct gh_buf *out, const char *pattern, unsigned flags,
                         const hs_database_t *db)
{
    char *bytes = NULL;
    size_t len = 0;
    enum gh_err err;

    if (hs_serialize_database(db, &bytes, &len) != HS_SUCCESS) return GH_ERR_NOMEM;
    err = len > UINT32_MAX
              ? GH_ERR_LIMIT
              : append(out, flags, pattern, (uint32_t)strlen(pattern), bytes, (uint32_t)len);
    free(bytes); /* the library's allocator is malloc */
    return err;
}

enum gh_err compiled_merge(struct gh_buf *out, const struct compiled *more, size_t max_bytes)
{
    struct compiled *have = NULL;
    struct gh_buf tail;
    enum gh_err err = compiled_new(out->data, out->len, &have);

    gh_buf_init(&tail, 0);
    for (uint32_t i = 0; i < more->n && err == GH_OK; i++) {
        const struct entry *e = &more->entries[i];

        if (find(have, e->pattern, e->pattern_len, e->flags) != NULL) continue;
        if (out->len + tail.len + e->pattern_len + e->db_len + 12 > max_bytes) continue;
        err = append(&tail, e->flags, e->pattern, e->pattern_len, e->db, e->db_len);
    }
    if (err == GH_OK) err = gh_buf_append(out, tail.data, tail.len);
    gh_buf_done(&tail);
    compiled_free(have);
    return err;
}
