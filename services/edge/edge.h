/*
 * edge - the process's parts and what they share. One edge, one loop, one thread.
 *
 * Modules below know the edge and reach each other through it; what each owns stands in its own
 * header. Nothing here is for other processes.
 */
#ifndef EDGE_EDGE_H
#define EDGE_EDGE_H

#include "address_table.h"
#include "ban_table.h"
#include "config.h"
#include "conn.h"
#include "conn_table.h"
#include "directory.h"
#include "outbox.h"
#include "pmd.h"
#include "stats.h"
#include "transport.h"
#include "wheel.h"

#include "common/client.h"
#include "common/clients/audit_client.h"
#include "common/json/buf.h"
#include "common/json/tape.h"
#include "common/service.h"

struct listener;
struct batcher;
struct charge;
struct session_link;
struct ban_feed;
struct revoke_feed;
struct drain;
struct shed;
struct refusals;
struct app_links;
struct outbound;
struct resume_link;
struct tls;
struct tls_watch;

struct edge_failures { /* sockets that ended before any answer, since the last event about them */
    uint64_t count;
    struct addr addr; /* of the last */
    int64_t told_ms;
};

struct edge {
    struct gh_service *service;
    uv_loop_t *loop;
    struct edge_config config;
    const char *instance;
    uint64_t boot_id;

    struct transport *transport;
    struct tls *tls;
    struct tls_watch *tls_watch;
    struct listener *listener;
    struct route_table routes;
    struct conn_table conns;
    struct address_table addresses;
    struct address_table http_addresses; /* buckets of http requests */
    struct ban_table *bans;
    struct directory directory;
    struct wheel wheel;         /* of connections */
    struct wheel preface_wheel; /* of sockets that are none yet */
    struct outbox_pool pool;
    struct pmd *pmd;           /* of all connections that compress */
    struct conn *dirty;        /* connections with something to write */
    struct refusals *refusals; /* of connections that were refused messages in the last second */
    struct stats stats;
    struct edge_failures failures;

    struct gh_client *auth;
    struct batcher *batcher;
    struct app_links *apps;
    struct outbound *outbound;
    struct charge *charge;             /* owns the client of the limiter */
    struct session_link *session_link; /* owns the client of the session service */
    struct resume_link *resumes;
    struct ban_feed *ban_feed;
    struct revoke_feed *revoke_feed;
    struct gh_audit *audit;
    struct drain *drain;
    struct shed *shed;
    struct gh_config *reloaded; /* what config was last bound from; NULL: the service's own */

    struct gh_tape tape;   /* scratch */
    struct gh_buf scratch; /* messages of our own */
    uint32_t handshakes;   /* connections before OPEN */
    uint32_t answered;     /* those that linger with their answer: they take nobody's place */
    uint32_t admitting;
    uint32_t open;
    int64_t message_ms; /* when a client last said something */

    uv_prepare_t prepare; /* the end of a turn: batches and writes leave */
    uv_timer_t tick;      /* turns the wheels */
    uv_idle_t behind;     /* runs while more is due than one turn may do */
    bool handles_made;
    bool draining;
};

/* Errors are reported on the log. *ret_edge is set even on failure, for edge_free. */
GH_NODISCARD enum gh_err edge_new(struct gh_service *service, struct edge **ret_edge);
void edge_free(struct edge *edge);
/* What a configuration says of compression. Errors: GH_ERR_NOMEM. */
GH_NODISCARD enum gh_err edge_pmd_new(const struct edge_config *config, struct pmd **ret_pmd);

static inline int64_t edge_now(const struct edge *edge)
{
    return (int64_t)uv_now(edge->loop);
}

#endif
