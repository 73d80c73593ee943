/*
 * app_conns - the open connections of one edge, by id; private to the application SDK.
 */
#ifndef GH_APP_CONNS_H
#define GH_APP_CONNS_H

#include "common/app/app.h"

#define GH_APP_CONNS_MAX (1u << 20) /* of one edge; more are refused */

struct gh_app_conns {
    struct gh_app_conn **buckets;
    size_t bucket_count; /* a power of two, or 0 */
    size_t count;
};

void gh_app_conns_done(struct gh_app_conns *conns);
struct gh_app_conn *gh_app_conns_find(const struct gh_app_conns *conns, uint64_t id);
/* Copies the identity. Errors: GH_ERR_EXISTS, GH_ERR_LIMIT, GH_ERR_BAD_MESSAGE, GH_ERR_NOMEM. */
GH_NODISCARD enum gh_err gh_app_conns_add(struct gh_app_conns *conns, struct gh_app_edge *edge,
                                          uint64_t id, const Gh__AppIdentity *identity,
                                          struct gh_app_conn **ret_conn);
/* One that was taken out before, now with this id on this edge and this identity; its application
 * keeps its pointer to it. Errors: as above; it is on no edge then. */
GH_NODISCARD enum gh_err gh_app_conns_move(struct gh_app_conns *conns, struct gh_app_edge *edge,
                                           uint64_t id, const Gh__AppIdentity *identity,
                                           struct gh_app_conn *conn);
/* Takes it out without freeing it; gh_app_conn_free does. */
void gh_app_conns_remove(struct gh_app_conns *conns, struct gh_app_conn *conn);
void gh_app_conn_free(struct gh_app_conn *conn);
/* Any one, or NULL when empty. */
struct gh_app_conn *gh_app_conns_first(const struct gh_app_conns *conns);

#endif
