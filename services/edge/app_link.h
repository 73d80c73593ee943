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
 *
 * A resumable connection is announced to the instance its session id names, so that the session
 * comes back to the one that knows it. All others are told, too, that it is back: each says again
 * what it had for it. An instance that was out of sight for a while is asked by every session that
 * was here.
 */
#ifndef EDGE_APP_LINK_H
#define EDGE_APP_LINK_H

#include "head.h"

#include "common/bus.h"

#include <app.pb-c.h>

#define APP_ORIGIN_MAX (GH_BUS_INSTANCE_MAX + 1 + 16) /* "instance/boot" */

struct app_lane; /* the way to one instance */
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

/* ---- for sessions that come back (resume.h) ---- */

/* Connections of this application may be resumed within window_ms: instances are told. */
void app_link_keep(struct app_link *link, uint64_t window_ms);
/* An instance and its boot: what its operations' numbers mean something under. */
const char *app_lane_origin(const struct app_lane *lane);
/* The number of the last operation that was carried out. */
uint64_t app_lane_cursor(const struct app_lane *lane);
/* The lanes of a link in turn, from NULL to NULL. */
const struct app_lane *app_link_next_lane(const struct app_link *link, const struct app_lane *lane);

struct app_cursor {
    const struct app_lane *lane;
    const char *origin;
    uint64_t number;
};
/* Of all lanes of links that keep; returns how many, at most max. */
size_t app_links_cursors(const struct app_links *links, struct app_cursor *cursors, size_t max);

/* From app_ops: operations up to this number are carried out. */
void app_lane_passed(struct app_lane *lane, uint64_t number);
/* The instance says that something did not get here: every session asks it again. */
void app_lane_ask_again(struct app_lane *lane);

#endif
