/*
 * latest - what a slow client is spared: of each topic, all conflatable messages but the newest.
 *
 * An application marks a message as conflatable when a newer one of the same topic makes it
 * worthless: a price, a position, who is typing. To a client with a quarter of its queue full such
 * a message is not queued but held, and the next of its topic takes its place; when the queue has
 * drained, what is held goes the way of any other message (outbound.h). So a slow client sees fewer
 * of them, never an old one last, and they never fill its queue. One that is not conflatable is not
 * held back and may overtake.
 *
 * A connection holds at most LATEST_TOPICS_MAX topics and a quarter of its queue in bytes; past
 * that a message is lost. Replaced and lost ones are counted. Not for sessions that can be resumed:
 * their messages have numbers, and none of those may be missing.
 */
#ifndef EDGE_LATEST_H
#define EDGE_LATEST_H

#include <app.pb-c.h>
#include <stdbool.h>

#define LATEST_TOPICS_MAX 64u

struct conn;
struct latest;

/* True: the client is behind, and the message is held or lost. False: it is to be sent. */
bool latest_hold(struct conn *conn, const Gh__AppOp *op);
/* The queue has drained: sends what is held. May end the connection, but not free it. */
void latest_pump(struct conn *conn);
void latest_forget(struct conn *conn);

#endif
