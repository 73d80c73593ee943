/*
 * roles - what a new role table of auth makes of connections that are open (A8).
 *
 * A connection keeps what the claims of its token say (its grants, in struct origin); the table
 * says which roles they are worth. The next message is judged by the new roles, and so is what is
 * sent to it. Connections that are being admitted meanwhile are looked at when they open.
 */
#ifndef EDGE_ROLES_H
#define EDGE_ROLES_H

#include "revoke_feed.h"

#include <auth.pb-c.h>

#define ROLES_LIST_MAX 2048u /* bytes of all roles of a connection, with commas */

struct conn;

/* Comma-separated, each once, those of the table's order. set is false: the grants themselves, as
 * far as they are names of roles. False: they are more than fit; *ret_len is then 0. Pure. */
bool roles_expand(const Gh__RoleTable *table, const struct origin *origin, char *dst, size_t size,
                  size_t *ret_len);

/* To one connection; to all that are open. The table is copied: later openings are held to it. */
void roles_apply(struct conn *conn, const Gh__RoleTable *table);
void roles_apply_all(struct edge *edge, const Gh__RoleTable *table);

#endif
