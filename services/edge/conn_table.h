/*
 * conn_table - connections by id.
 *
 * An id is slot and serial number in one: unique for the life of the process, found without
 * hashing, and never again valid once its connection is gone. 0 is no id. Pure but for memory.
 */
#ifndef EDGE_CONN_TABLE_H
#define EDGE_CONN_TABLE_H

#include "common/err.h"

#include <stddef.h>
#include <stdint.h>

#define CONN_TABLE_SLOT_BITS 21

struct conn;

struct conn_slot {
    struct conn *conn;
    uint64_t id; /* of the connection in it, or of the next one */
    uint32_t next_free;
};

struct conn_table {
    struct conn_slot *slots;
    uint32_t size, used, max;
    uint32_t free_head;
};

/* Errors: GH_ERR_NOMEM. */
GH_NODISCARD enum gh_err conn_table_init(struct conn_table *table, uint32_t max);
void conn_table_done(struct conn_table *table);
/* Errors: GH_ERR_LIMIT, GH_ERR_NOMEM. */
GH_NODISCARD enum gh_err conn_table_add(struct conn_table *table, struct conn *conn,
                                        uint64_t *ret_id);
void conn_table_remove(struct conn_table *table, uint64_t id);
struct conn *conn_table_find(const struct conn_table *table, uint64_t id); /* NULL: gone */
/* Every connection: *at starts at 0. NULL at the end. Connections may go while walking. */
struct conn *conn_table_walk(const struct conn_table *table, uint32_t *at);

#endif
