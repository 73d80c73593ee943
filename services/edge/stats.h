/*
 * stats - the edge's counters: connections by state, ends by reason, refusals, messages, queues.
 */
#ifndef EDGE_STATS_H
#define EDGE_STATS_H

#include "http.h"
#include "route.h"

struct edge;

struct stats {
    uint64_t *accepted;
    uint64_t *handshakes_failed;       /* ended without an answer: TLS, or the client left */
    uint64_t *refused[GH_CODE_COUNT];  /* handshakes, by code */
    uint64_t *closed[GH_CODE_COUNT];   /* open connections, by code */
    uint64_t *rejected[GH_CODE_COUNT]; /* messages, by code */
    uint64_t *withheld[GH_CODE_COUNT]; /* messages to clients, by code, once for each receiver */
    uint64_t *judged;                  /* messages to clients that had a verdict */
    uint64_t *conflated;               /* messages slow clients were spared */
    uint64_t *batches, *batch_items, *resent;
    uint64_t *app_batches, *app_items, *app_ops;
    uint64_t *lease_asks, *lease_tokens, *local_share;
    uint64_t *pauses;
    uint64_t *deflated_in, *deflated_in_plain, *deflated_in_wire; /* messages, bytes, bytes */
    uint64_t *deflated_out, *deflated_out_plain, *deflated_out_wire;
    uint64_t *health_failed; /* no pong in time */
    uint64_t *http_requests[HTTP_PATHS];
    uint64_t *http_answers[GH_CODE_COUNT];
    struct gh_histogram *admission_us, *pong_us;
};

void stats_init(struct stats *stats, struct gh_metrics *metrics, struct edge *edge,
                struct route_table *routes);

#endif
