#include "address_table.h"

#include <stdlib.h>
#include <string.h>

#define LOOK_MAX 32 /* entries looked at for room, per new address */

enum gh_err address_table_init(struct address_table *table, uint32_t per_s, uint32_t burst,
                               uint32_t max_connections)
{
    memset(table, 0, sizeof *table);
    table->per_s = per_s;
    table->burst = burst;
    table->max_connections = max_connections;
    return hmap_init(&table->map);
}

void address_table_done(struct address_table *table)
{
    struct hmap_walk walk = { 0 };
    struct hmap_node *node;

    if (table->map.buckets == NULL) return;
    while ((node = hmap_walk(&table->map, &walk)) != NULL)
        free(hmap_entry(node, struct address_entry, node));
    hmap_done(&table->map);
}

static void fill(const struct address_table *table, struct address_entry *entry, int64_t now_ms)
{
    if (now_ms <= entry->filled_ms) return;
    entry->tokens += (float)table->per_s * (float)(now_ms - entry->filled_ms) / 1000.0f;
    if (entry->tokens > (float)table->burst) entry->tokens = (float)table->burst;
    entry->filled_ms = now_ms;
}

/* Forgets a few entries that say nothing any more. */
static void make_room(struct address_table *table, int64_t now_ms)
{
    for (int i = 0; i < LOOK_MAX; i++) {
        struct hmap_node *node = hmap_walk(&table->map, &table->hand);
        struct address_entry *entry;

        if (node == NULL) {
            table->hand = (struct hmap_walk){ 0 };
            return;
        }
        entry = hmap_entry(node, struct address_entry, node);
        fill(table, entry, now_ms);
        if (entry->connections > 0 || entry->tokens < (float)table->burst) continue;
        hmap_remove(&table->map, node);
        free(entry);
    }
}

static struct address_entry *find(struct address_table *table, const struct addr *addr,
                                  int64_t now_ms)
{
    struct addr key;
    struct hmap_node *node;
    struct address_entry *entry;
    uint64_t hash;

    addr_mask(addr, addr_is_v4(addr) ? 128 : 64, &key);
    hash = hmap_hash(key.ip, sizeof key.ip, 3);
    for (node = hmap_first(&table->map, hash); node != NULL; node = hmap_next(node)) {
        entry = hmap_entry(node, struct address_entry, node);
        if (addr_equal(&entry->addr, &key)) return entry;
    }
    /* The walk holds a pointer to a node: it starts anew whenever the table changes under it. */
    table->hand = (struct hmap_walk){ .bucket = table->hand.bucket };
    if (table->map.count >= ADDRESS_TABLE_MAX / 2) make_room(table, now_ms);
    if (table->map.count >= ADDRESS_TABLE_MAX) return NULL;
    entry = calloc(1, sizeof *entry);
    if (entry == NULL) return NULL;
    entry->addr = key;
    entry->tokens = (float)table->burst;
    entry->filled_ms = now_ms;
    hmap_insert(&table->map, &entry->node, hash);
    return entry;
}

enum address_answer address_enter(struct address_table *table, const struct addr *addr,
                                  int64_t now_ms, struct address_entry **ret_entry,
                                  uint64_t *ret_retry_ms)
{
    struct address_entry *entry = find(table, addr, now_ms);

    if (entry == NULL) { /* a flood of addresses: the global cap is what holds */
        *ret_entry = NULL;
        return ADDRESS_OK;
    }
    fill(table, entry, now_ms);
    if (entry->tokens < 1) {
        *ret_retry_ms = 1 + (uint64_t)((1 - entry->tokens) * 1000.0f / (float)table->per_s);
        return ADDRESS_RATE;
    }
    entry->tokens -= 1;
    if (entry->connections >= table->max_connections) return ADDRESS_FULL;
    entry->connections++;
    *ret_entry = entry;
    return ADDRESS_OK;
}

void address_leave(struct address_table *table, struct address_entry *entry)
{
    (void)table;
    if (entry != NULL) entry->connections--;
}
