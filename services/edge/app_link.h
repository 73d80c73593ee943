/*
 * app_link - the edge's side of the applications on the bus.
 *
 * One link per application of the configuration, one lane per running instance of it. A connection
 * is announced to one instance (rendezvous hash) and stays with it while it is up; when it goes
 * away its connections are announced to another one, or, when there is none, to the first that
 * comes. All that a turn has for one instance leaves as one AppBatch; the window of unanswered
 * batches is the back-pressure. A batch that an instance took to its grave is not sent again: it
 * may have been worked on. Its messages are answered with `unavailable`, for the client to decide.
 *
 * What applications answer and push is carried out by app_ops.h.
 */
#ifndef EDGE_APP_LINK_H
#define EDGE_APP_LINK_H

#include "head.h"

#include "common/err.h"

#include <app.pb-c.h>

struct app_link;
struct app_links;
struct conn;
struct edge;

struct app_message { /* everything is borrowed for the call */
    struct span type, id, rate_class, data;
    bool binary;
};

GH_NODISCARD enum gh_err app_links_new(struct edge *edge, struct app_links **ret_links);
void app_links_free(struct app_links *links); /* NULL is a no-op */
struct app_link *app_links_find(struct app_links *links, const char *name);
void app_links_flush(struct app_links *links);
bool app_link_up(const struct app_link *link); /* an instance is up */

void app_link_join(struct conn *conn);  /* announces an open connection */
void app_link_leave(struct conn *conn); /* and its end */
/* GH_OK: taken. GH_ERR_BUSY: no room; the connection was put on the list of those that delivery
 * wakes when there is. GH_ERR_UNAVAILABLE: no instance is up. GH_ERR_NOMEM. */
GH_NODISCARD enum gh_err app_link_message(struct conn *conn, const struct app_message *message);

#endif
