/*
 * session_link - the edge's side of the session service: heartbeats, ends, orders.
 *
 * Every SESSION_TOUCH_MS the sessions of all open connections are touched in batches; the answer
 * and the pushed orders name those that no longer live, whose connections are closed with the code
 * given. A lost order costs one heartbeat, not safety.
 */
#ifndef EDGE_SESSION_LINK_H
#define EDGE_SESSION_LINK_H

#include "common/client.h"

#define SESSION_TOUCH_MS  5000
#define SESSION_TOUCH_MAX 1024

struct conn;
struct edge;
struct session_link;

GH_NODISCARD enum gh_err session_link_new(struct edge *edge, const char *endpoint,
                                          struct session_link **ret_link);
void session_link_free(struct session_link *link); /* NULL is a no-op */
struct gh_client *session_link_client(struct session_link *link);

/* The connection is over: its session ends, quietly. While the service is away it is said again
 * until it was heard. */
void session_link_end(struct session_link *link, const struct conn *conn);
/* A session made for a connection that did not come to be. */
void session_link_undo(struct session_link *link, const char *session_id, const void *user,
                       size_t user_len, uint32_t code);

#endif
