#include "conn_table.h"

#include <stdlib.h>
#include <string.h>

#define SLOT_MASK ((1u << CONN_TABLE_SLOT_BITS) - 1)
#define NONE      UINT32_MAX
#define FIRST     256

static enum gh_err grow(struct conn_table *table)
{
    uint32_t size = table->size == 0 ? FIRST : table->size * 2;
    struct conn_slot *slots;

    if (size > SLOT_MASK) return GH_ERR_LIMIT;
    slots = realloc(table->slots, size * sizeof *slots);
    if (slots == NULL) return GH_ERR_NOMEM;
    for (uint32_t i = table->size; i < size; i++) {
        slots[i].conn = NULL;
        slots[i].id = (uint64_t)1 << CONN_TABLE_SLOT_BITS | i;
        slots[i].next_free = i + 1 < size ? i + 1 : table->free_head;
    }
    table->free_head = table->size;
    table->slots = slots;
    table->size = size;
    return GH_OK;
}

enum gh_err conn_table_init(struct conn_table *table, uint32_t max)
{
    memset(table, 0, sizeof *table);
    table->max = max;
    table->free_head = NONE;
    return grow(table);
}

void conn_table_done(struct conn_table *table)
{
    free(table->slots);
    memset(table, 0, sizeof *table);
}

enum gh_err conn_table_add(struct conn_table *table, struct conn *conn, uint64_t *ret_id)
{
    struct conn_slot *slot;

    if (table->used >= table->max) return GH_ERR_LIMIT;
    if (table->free_head == NONE) {
        enum gh_err err = grow(table);

        if (err != GH_OK) return err;
    }
    slot = &table->slots[table->free_head];
    table->free_head = slot->next_free;
    slot->conn = conn;
    table->used++;
    *ret_id = slot->id;
    return GH_OK;
}

struct conn *conn_table_find(const struct conn_table *table, uint64_t id)
{
    uint32_t index = (uint32_t)(id & SLOT_MASK);

    if (index >= table->size || table->slots[index].id != id) return NULL;
    return table->slots[index].conn;
}

void conn_table_remove(struct conn_table *table, uint64_t id)
{
    uint32_t index = (uint32_t)(id & SLOT_MASK);
    struct conn_slot *slot;

    if (conn_table_find(table, id) == NULL) return;
    slot = &table->slots[index];
    slot->conn = NULL;
    slot->id += (uint64_t)1 << CONN_TABLE_SLOT_BITS;
    slot->next_free = table->free_head;
    table->free_head = index;
    table->used--;
}

struct conn *conn_table_walk(const struct conn_table *table, uint32_t *at)
{
    while (*at < table->size) {
        struct conn *conn = table->slots[(*at)++].conn;

        if (conn != NULL) return conn;
    }
    return NULL;
}
