/*
 * ban_table - who may not come in: addresses, CIDR blocks, users, tokens.
 *
 * Blocks are kept in one hash keyed by (length, masked address), with a note of which lengths are
 * in use, so a look-up costs one probe per length in use, however many bans there are. Entries
 * expire by themselves. Pure: now_ms is wall-clock milliseconds, as the limiter gives them.
 */
#ifndef EDGE_BAN_TABLE_H
#define EDGE_BAN_TABLE_H

#include "addr.h"

#include <limiter.pb-c.h>

#define BAN_TABLE_MAX   500000
#define BAN_SUBJECT_MAX 512

struct ban_table;

GH_NODISCARD enum gh_err ban_table_new(struct ban_table **ret_table);
void ban_table_free(struct ban_table *table);
/* The same subject again replaces its expiry. expires_ms 0: never. Errors: GH_ERR_BAD_MESSAGE for
 * a subject that is no address block of BAN_ADDRESS, or too long; GH_ERR_LIMIT; GH_ERR_NOMEM. */
GH_NODISCARD enum gh_err ban_table_add(struct ban_table *table, Gh__BanKind kind,
                                       const void *subject, size_t len, uint64_t expires_ms);
void ban_table_lift(struct ban_table *table, Gh__BanKind kind, const void *subject, size_t len);
bool ban_table_address(struct ban_table *table, const struct addr *addr, uint64_t now_ms);
/* BAN_USER and BAN_TOKEN. */
bool ban_table_subject(struct ban_table *table, Gh__BanKind kind, const void *subject, size_t len,
                       uint64_t now_ms);
size_t ban_table_count(const struct ban_table *table);

#endif
