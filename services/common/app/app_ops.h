/*
 * app_ops - the operations that wait to leave for one edge; private to the application SDK.
 *
 * Texts are copied into an arena shared by all edges and reset when everything has left, so an
 * operation for every edge is stored once.
 */
#ifndef GH_APP_OPS_H
#define GH_APP_OPS_H

#include "common/arena.h"

#include <envelope.pb-c.h>
#include <stdbool.h>

struct gh_app_ops {
    Gh__AppOp **list;
    size_t count, size;
    size_t bytes; /* about what they take on the wire */
};

void gh_app_ops_done(struct gh_app_ops *ops);
void gh_app_ops_reset(struct gh_app_ops *ops);
/* Borrows op, which stays until the reset. Errors: GH_ERR_NOMEM. */
GH_NODISCARD enum gh_err gh_app_ops_add(struct gh_app_ops *ops, Gh__AppOp *op);

/* A copy of op and its bytes in arena; NULL without memory. */
Gh__AppOp *gh_app_op_copy(struct gh_arena *arena, const Gh__AppOp *op);

#endif
