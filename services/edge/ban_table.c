#include "ban_table.h"

#include "hmap.h"

#include <stdlib.h>
#include <string.h>

struct ban {
    struct hmap_node node;
    uint64_t expires_ms;
    uint8_t kind;
    uint8_t bits; /* BAN_ADDRESS */
    uint16_t len;
    uint8_t key[]; /* masked address, or the subject */
};

struct ban_table {
    struct hmap map;
    uint32_t lengths[129]; /* blocks per prefix length */
};

struct ban_key {
    uint8_t kind, bits;
    uint16_t len;
    const void *bytes;
    struct cidr cidr;
};

enum gh_err ban_table_new(struct ban_table **ret_table)
{
    struct ban_table *table = calloc(1, sizeof *table);

    if (table == NULL) return GH_ERR_NOMEM;
    if (hmap_init(&table->map) != GH_OK) {
        free(table);
        return GH_ERR_NOMEM;
    }
    *ret_table = table;
    return GH_OK;
}

void ban_table_free(struct ban_table *table)
{
    struct hmap_walk walk = { 0 };
    struct hmap_node *node;

    if (table == NULL) return;
    while ((node = hmap_walk(&table->map, &walk)) != NULL)
        free(hmap_entry(node, struct ban, node));
    hmap_done(&table->map);
    free(table);
}

static bool make_key(Gh__BanKind kind, const void *subject, size_t len, struct ban_key *key)
{
    if (len == 0 || len > BAN_SUBJECT_MAX || (unsigned)kind > GH__BAN_KIND__BAN_TOKEN) return false;
    key->kind = (uint8_t)kind;
    key->bits = 0;
    if (kind == GH__BAN_KIND__BAN_ADDRESS) {
        if (cidr_parse(subject, len, &key->cidr) != GH_OK) return false;
        key->bits = key->cidr.bits;
        key->bytes = key->cidr.base.ip;
        key->len = sizeof key->cidr.base.ip;
    } else {
        key->bytes = subject;
        key->len = (uint16_t)len;
    }
    return true;
}

static uint64_t key_hash(const struct ban_key *key)
{
    return hmap_hash(key->bytes, key->len, (uint64_t)key->kind << 8 | key->bits);
}

static struct ban *find(const struct ban_table *table, const struct ban_key *key)
{
    struct hmap_node *node = hmap_first(&table->map, key_hash(key));

    for (; node != NULL; node = hmap_next(node)) {
        struct ban *ban = hmap_entry(node, struct ban, node);

        if (ban->kind == key->kind && ban->bits == key->bits && ban->len == key->len &&
            memcmp(ban->key, key->bytes, key->len) == 0)
            return ban;
    }
    return NULL;
}

static void drop(struct ban_table *table, struct ban *ban)
{
    hmap_remove(&table->map, &ban->node);
    if (ban->kind == GH__BAN_KIND__BAN_ADDRESS) table->lengths[ban->bits]--;
    free(ban);
}

enum gh_err ban_table_add(struct ban_table *table, Gh__BanKind kind, const void *subject,
                          size_t len, uint64_t expires_ms)
{
    struct ban_key key;
    struct ban *ban;

    if (!make_key(kind, subject, len, &key)) return GH_ERR_BAD_MESSAGE;
    ban = find(table, &key);
    if (ban != NULL) {
        ban->expires_ms = expires_ms;
        return GH_OK;
    }
    if (table->map.count >= BAN_TABLE_MAX) return GH_ERR_LIMIT;
    ban = calloc(1, sizeof *ban + key.len);
    if (ban == NULL) return GH_ERR_NOMEM;
    ban->kind = key.kind;
    ban->bits = key.bits;
    ban->len = key.len;
    ban->expires_ms = expires_ms;
    memcpy(ban->key, key.bytes, key.len);
    if (ban->kind == GH__BAN_KIND__BAN_ADDRESS) table->lengths[ban->bits]++;
    hmap_insert(&table->map, &ban->node, key_hash(&key));
    return GH_OK;
}

void ban_table_lift(struct ban_table *table, Gh__BanKind kind, const void *subject, size_t len)
{
    struct ban_key key;
    struct ban *ban;

    if (!make_key(kind, subject, len, &key)) return;
    ban = find(table, &key);
    if (ban != NULL) drop(table, ban);
}

static bool holds(struct ban_table *table, const struct ban_key *key, uint64_t now_ms)
{
    struct ban *ban = find(table, key);

    if (ban == NULL) return false;
    if (ban->expires_ms == 0 || now_ms < ban->expires_ms) return true;
    drop(table, ban);
    return false;
}

bool ban_table_address(struct ban_table *table, const struct addr *addr, uint64_t now_ms)
{
    struct ban_key key = { .kind = GH__BAN_KIND__BAN_ADDRESS, .len = sizeof addr->ip };

    if (table->map.count == 0) return false;
    for (unsigned bits = 0; bits <= 128; bits++) {
        if (table->lengths[bits] == 0) continue;
        key.bits = (uint8_t)bits;
        addr_mask(addr, key.bits, &key.cidr.base);
        key.bytes = key.cidr.base.ip;
        if (holds(table, &key, now_ms)) return true;
    }
    return false;
}

bool ban_table_subject(struct ban_table *table, Gh__BanKind kind, const void *subject, size_t len,
                       uint64_t now_ms)
{
    struct ban_key key;

    if (table->map.count == 0) return false;
    return make_key(kind, subject, len, &key) && holds(table, &key, now_ms);
}

size_t ban_table_count(const struct ban_table *table)
{
    return table->map.count;
}
