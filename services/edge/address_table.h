/*
 * address_table - what the edge keeps per client address: open connections and a bucket of
 * connection attempts.
 *
 * An IPv6 client owns at least a /64, so that is what counts as one address there. Entries of
 * addresses without connections and with a full bucket make room when the table is full. Pure:
 * now_ms is monotonic milliseconds.
 */
#ifndef EDGE_ADDRESS_TABLE_H
#define EDGE_ADDRESS_TABLE_H

#include "addr.h"
#include "hmap.h"

#define ADDRESS_TABLE_MAX 200000

struct address_entry {
    struct hmap_node node;
    struct addr addr;
    uint32_t connections;
    uint32_t handshakes; /* of them, those under way; counted by who begins and ends them */
    float tokens;
    int64_t filled_ms;
};

struct address_table {
    struct hmap map;
    struct hmap_walk hand; /* where the search for room goes on */
    uint32_t per_s, burst, max_connections;
};

enum address_answer { ADDRESS_OK, ADDRESS_RATE, ADDRESS_FULL };

GH_NODISCARD enum gh_err address_table_init(struct address_table *table, uint32_t per_s,
                                            uint32_t burst, uint32_t max_connections);
void address_table_done(struct address_table *table);

/* One attempt. On ADDRESS_OK *ret_entry (NULL when there is no room for it) counts one connection
 * more, until address_leave. On ADDRESS_RATE *ret_retry_ms says when. */
enum address_answer address_enter(struct address_table *table, const struct addr *addr,
                                  int64_t now_ms, struct address_entry **ret_entry,
                                  uint64_t *ret_retry_ms);
void address_leave(struct address_table *table, struct address_entry *entry); /* NULL: no-op */

#endif
