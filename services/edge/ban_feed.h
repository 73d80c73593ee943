/*
 * ban_feed - keeps the ban table in step with the limiter's orders.
 *
 * A snapshot on start, on every reconnect that shows a newer version, and after a gap; orders in
 * between. While the limiter is away the bans known so far hold. Who is banned while connected is
 * disconnected.
 */
#ifndef EDGE_BAN_FEED_H
#define EDGE_BAN_FEED_H

#include "common/client.h"

struct ban_feed;
struct edge;

GH_NODISCARD enum gh_err ban_feed_new(struct edge *edge, struct ban_feed **ret_feed);
void ban_feed_free(struct ban_feed *feed); /* NULL is a no-op */
/* Puts the feed's callbacks into the configuration of the client of the limiter; once that client
 * is made, ban_feed_start tells the feed of it. */
void ban_feed_attach(struct ban_feed *feed, struct gh_client_config *config);
void ban_feed_start(struct ban_feed *feed, struct gh_client *client);
bool ban_feed_ready(void *feed); /* gh_ready_fn: a snapshot was read */

#endif
