/*
 * app_ops - what applications tell the edge to do with connections.
 *
 * An application reaches only connections of routes that are its own. Ops that name nobody are no
 * error: the connection may have gone meanwhile, or be another edge's. Text that is not UTF-8 is
 * dropped and counted: a client must never get a frame that is not valid.
 */
#ifndef EDGE_APP_OPS_H
#define EDGE_APP_OPS_H

#include <app.pb-c.h>

struct app_lane;
struct app_link;
struct edge;

/* lane: the instance that says it. */
void app_ops_run(struct edge *edge, struct app_link *link, struct app_lane *lane, Gh__AppOp **ops,
                 size_t n_ops);

#endif
