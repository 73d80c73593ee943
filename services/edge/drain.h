/*
 * drain - the edge goes away politely.
 *
 * The port is closed at once. Open connections are told to go (going_away with a jittered
 * reconnectAfterMs) one after another over most of the drain time, so that they do not all arrive
 * at the next edge together. A connection that was told is not read any more; what it had sent is
 * finished first, then it is closed with 1012.
 */
#ifndef EDGE_DRAIN_H
#define EDGE_DRAIN_H

#include "common/err.h"

struct drain;
struct edge;

GH_NODISCARD enum gh_err drain_new(struct edge *edge, struct drain **ret_drain);
void drain_free(struct drain *drain); /* NULL is a no-op */
void drain_start(void *edge);         /* gh_service_fn */

#endif
