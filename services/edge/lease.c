#include "lease.h"

#include <stdlib.h>
#include <string.h>

struct lease_table {
    struct hmap map;
    struct lease *oldest, *newest;
    struct lease *cursor; /* where the next sweep goes on */
    const struct lease_class *classes;
    size_t n_classes;
    uint32_t away_share;
};

enum gh_err lease_table_new(const struct lease_class *classes, size_t n_classes,
                            uint32_t away_share, struct lease_table **ret_table)
{
    struct lease_table *table = calloc(1, sizeof *table);

    if (table == NULL) return GH_ERR_NOMEM;
    if (hmap_init(&table->map) != GH_OK) {
        free(table);
        return GH_ERR_NOMEM;
    }
    table->classes = classes;
    table->n_classes = n_classes;
    table->away_share = away_share > 0 ? away_share : 1;
    *ret_table = table;
    return GH_OK;
}

static void unlink_lease(struct lease_table *table, struct lease *lease)
{
    if (table->cursor == lease) table->cursor = lease->newer;
    if (lease->older != NULL)
        lease->older->newer = lease->newer;
    else
        table->oldest = lease->newer;
    if (lease->newer != NULL)
        lease->newer->older = lease->older;
    else
        table->newest = lease->older;
}

static void link_newest(struct lease_table *table, struct lease *lease)
{
    lease->newer = NULL;
    lease->older = table->newest;
    if (table->newest != NULL)
        table->newest->newer = lease;
    else
        table->oldest = lease;
    table->newest = lease;
}

static void drop(struct lease_table *table, struct lease *lease)
{
    unlink_lease(table, lease);
    hmap_remove(&table->map, &lease->node);
    free(lease);
}

void lease_table_free(struct lease_table *table)
{
    if (table == NULL) return;
    while (table->oldest != NULL)
        drop(table, table->oldest);
    hmap_done(&table->map);
    free(table);
}

static void touch(struct lease_table *table, struct lease *lease, int64_t now_ms)
{
    if (lease->used_ms == now_ms && table->newest == lease) return;
    lease->used_ms = now_ms;
    if (table->newest == lease) return;
    unlink_lease(table, lease);
    link_newest(table, lease);
}

static bool make_room(struct lease_table *table)
{
    struct lease *lease = table->oldest;

    if (table->map.count < LEASE_TABLE_MAX) return true;
    /* A pinned entry at the old end belongs to a quiet connection; look a little further. */
    for (unsigned i = 0; lease != NULL && i < 64; i++) {
        if (lease->pins == 0 && !lease->asking) {
            drop(table, lease);
            return true;
        }
        lease = lease->newer;
    }
    return false;
}

struct lease *lease_pin(struct lease_table *table, const void *class_name, size_t class_len,
                        const void *key, size_t key_len, int64_t now_ms)
{
    uint64_t hash;
    struct hmap_node *node;
    struct lease *lease;

    if (class_len > LEASE_CLASS_MAX || key_len > LEASE_KEY_MAX) return NULL;
    hash = hmap_hash(class_name, class_len, 1) ^ hmap_hash(key, key_len, 2);
    for (node = hmap_first(&table->map, hash); node != NULL; node = hmap_next(node)) {
        lease = hmap_entry(node, struct lease, node);
        if (lease->class_len == class_len && lease->key_len == key_len &&
            memcmp(lease->name, class_name, class_len) == 0 &&
            memcmp(lease->name + class_len, key, key_len) == 0) {
            lease->pins++;
            return lease;
        }
    }
    if (!make_room(table)) return NULL;
    lease = calloc(1, sizeof *lease + class_len + key_len);
    if (lease == NULL) return NULL;
    lease->class_len = (uint8_t)class_len;
    lease->key_len = (uint16_t)key_len;
    if (class_len > 0) memcpy(lease->name, class_name, class_len);
    if (key_len > 0) memcpy(lease->name + class_len, key, key_len);
    lease->used_ms = now_ms;
    lease->pins = 1;
    hmap_insert(&table->map, &lease->node, hash);
    link_newest(table, lease);
    return lease;
}

void lease_unpin(struct lease_table *table, struct lease *lease)
{
    (void)table;
    if (lease != NULL) lease->pins--;
}

static const struct lease_class *class_of(const struct lease_table *table,
                                          const struct lease *lease)
{
    for (size_t i = 0; i < table->n_classes; i++)
        if (strlen(table->classes[i].name) == lease->class_len &&
            memcmp(table->classes[i].name, lease->name, lease->class_len) == 0)
            return &table->classes[i];
    return NULL;
}

/* Without the limiter: this edge's own share of the class. A class nobody configured limits
 * nothing, as the limiter would have said. */
static enum lease_answer spend_share(struct lease_table *table, struct lease *lease, uint32_t cost,
                                     int64_t now_ms)
{
    const struct lease_class *class = class_of(table, lease);
    double rate, burst;

    if (class == NULL) return LEASE_YES;
    rate = (double)class->per_s / table->away_share / 1000;
    burst = (double)class->burst / table->away_share;
    if (burst < 1) burst = 1;
    if (!lease->has_share) {
        lease->has_share = true;
        lease->share = burst;
        lease->share_ms = now_ms;
    }
    if (now_ms > lease->share_ms) {
        lease->share += rate * (double)(now_ms - lease->share_ms);
        if (lease->share > burst) lease->share = burst;
        lease->share_ms = now_ms;
    }
    if (lease->share >= cost) {
        lease->share -= cost;
        return LEASE_YES;
    }
    lease->refused_ms = now_ms + 1 + (int64_t)((cost - lease->share) / (rate > 0 ? rate : 1e-3));
    return LEASE_NO;
}

enum lease_answer lease_spend(struct lease_table *table, struct lease *lease, uint32_t cost,
                              bool away, int64_t now_ms)
{
    touch(table, lease, now_ms);
    if (now_ms < lease->ends_ms) {
        if (lease->unlimited) return LEASE_YES;
        if (lease->tokens >= cost) {
            lease->tokens -= cost;
            lease->spent += cost;
            return LEASE_YES;
        }
    }
    if (now_ms < lease->refused_ms) return LEASE_NO;
    if (away && !lease->asking) return spend_share(table, lease, cost, now_ms);
    return LEASE_WAIT;
}

void lease_unspend(struct lease *lease, uint32_t cost)
{
    if (lease->unlimited || lease->spent < cost) return;
    lease->tokens += cost;
    lease->spent -= cost;
}

uint32_t lease_wants(const struct lease *lease, int64_t now_ms)
{
    bool live = now_ms < lease->ends_ms;
    uint32_t want;

    if (lease->asking || now_ms < lease->refused_ms) return 0;
    if (live && (lease->unlimited || lease->tokens > lease->granted / 4)) return 0;
    /* What was spent of the last lease, and half as much again; twice as much when it went before
     * its time. */
    want = lease->spent + lease->spent / 2;
    if (live) want = lease->spent * 2;
    if (want < LEASE_ASK_MIN) want = LEASE_ASK_MIN;
    return want < LEASE_ASK_MAX ? want : LEASE_ASK_MAX;
}

void lease_asked(struct lease *lease)
{
    lease->asking = true;
}

void lease_granted(struct lease *lease, uint32_t tokens, uint64_t retry_after_ms, uint64_t lease_ms,
                   bool known, int64_t now_ms)
{
    bool live = now_ms < lease->ends_ms;

    lease->asking = false;
    lease->has_share = false;
    lease->unlimited = !known;
    if (!known) {
        lease->ends_ms = now_ms + LEASE_UNKNOWN_MS;
        lease->tokens = lease->spent = lease->granted = 0;
        return;
    }
    if (tokens == 0) {
        /* Tokens still in hand go on being spent; only when they are gone is the answer no. */
        int64_t wait =
            (int64_t)(retry_after_ms > LEASE_REFUSAL_MIN ? retry_after_ms : LEASE_REFUSAL_MIN);

        lease->refused_ms = now_ms + wait;
        return;
    }
    lease->refused_ms = 0;
    /* Tokens in hand were deducted as well: they are joined to the new ones and live as long. */
    lease->tokens = tokens + (live ? lease->tokens : 0);
    lease->granted = lease->tokens;
    lease->spent = 0;
    lease->ends_ms = now_ms + (int64_t)lease_ms;
}

void lease_ask_failed(struct lease *lease)
{
    lease->asking = false;
}

uint64_t lease_retry_ms(const struct lease *lease, int64_t now_ms)
{
    return lease->refused_ms > now_ms ? (uint64_t)(lease->refused_ms - now_ms) : 1;
}

void lease_sweep(struct lease_table *table, size_t max, int64_t now_ms, lease_return_fn fn,
                 void *ctx)
{
    struct lease *lease = table->cursor != NULL ? table->cursor : table->oldest;

    for (size_t i = 0; lease != NULL && i < max; i++) {
        struct lease *newer = lease->newer;

        if (now_ms >= lease->ends_ms && lease->tokens > 0) {
            if (!lease->unlimited) fn(ctx, lease, lease->tokens);
            lease->tokens = 0;
        }
        if (lease->pins == 0 && !lease->asking && now_ms - lease->used_ms > LEASE_IDLE_MS)
            drop(table, lease);
        lease = newer;
    }
    table->cursor = lease;
}

void lease_return_all(struct lease_table *table, int64_t now_ms, lease_return_fn fn, void *ctx)
{
    for (struct lease *lease = table->oldest; lease != NULL; lease = lease->newer) {
        if (lease->tokens > 0 && !lease->unlimited && now_ms < lease->ends_ms)
            fn(ctx, lease, lease->tokens);
        lease->tokens = 0;
    }
}

size_t lease_count(const struct lease_table *table)
{
    return table->map.count;
}
