/*
 * resume - what makes a connection's session survive it.
 *
 * On a resumable route every message of the application gets a number and is kept in the session's
 * stream (session service) before the client gets it. So whatever dies, what the client has is a
 * beginning of the stream, and the rest of the stream is what it has not: any edge can go on from
 * there. Of each application instance the stream's record says up to which of its operations all is
 * in the stream (its cursor); what came after, the instance says again to the next edge.
 *
 * One append of a connection is under way at a time and takes all that waits, so batches grow with
 * load; each append names the cursors at the moment it was cut. What is cut is everything there is,
 * therefore everything up to those cursors is in the stream once it is kept.
 *
 * A lane is the way to one application instance. A connection may be behind on a lane (app_link has
 * asked the instance to say again what its session missed): what comes there for its user or its
 * topics is passed over, what comes for itself is taken, until the instance says that this was all.
 *
 * While nothing can be kept, messages wait, RESUME_STALL_MS at most; then, or when too much waits,
 * they go out and the client is told that it cannot resume any more (`resume_lost`). A gap is never
 * hidden: where one would be, the connection ends.
 */
#ifndef EDGE_RESUME_H
#define EDGE_RESUME_H

#include "common/client.h"

#include <validator.pb-c.h>

#define RESUME_SECRET_BYTES 43u /* as base64url */
#define RESUME_STALL_MS     3000
#define RESUME_QUEUE_MAX                                                                           \
    (4500u << 10) /* bytes that wait, of one connection; they fit into one append */

struct conn;
struct edge;
struct app_lane;
struct resume;
struct resume_link;

/* --- all connections of an edge --- */

GH_NODISCARD enum gh_err resume_link_new(struct edge *edge, struct resume_link **ret_link);
void resume_link_free(struct resume_link *link); /* NULL is a no-op */
/* The end of a turn: what waits to be kept leaves. */
void resume_flush(struct resume_link *link);

/* --- one connection: conn->resume, NULL when it is not resumable --- */

/* From the answer of the session service, before there is an open connection to have it.
 * Errors: GH_ERR_NOMEM, GH_ERR_BAD_MESSAGE. */
GH_NODISCARD enum gh_err resume_new(const Gh__SessionCreated *created, struct resume **ret_resume);
void resume_free(struct resume *resume); /* NULL is a no-op */
/* The connection opens: its identity is entered, its route known. Joins the topics it was in. */
GH_NODISCARD enum gh_err resume_adopt(struct conn *conn, struct resume *resume);
/* Sends what is kept, as far as the connection's queue should be filled; again when that has left.
 * False: there was nothing to send. After `welcome` this is what the client has not had. */
bool resume_pump(struct conn *conn);

bool resume_was_resumed(const struct resume *resume);
uint64_t resume_generation(const struct resume *resume);
/* For `welcome`: the number before the first message that follows it; the secret, which is wiped
 * by the second call. */
uint64_t resume_seen(const struct resume *resume);
const char *resume_secret(const struct resume *resume);
void resume_wipe_secret(struct resume *resume);

/* One message of the application for this client. */
void resume_send(struct conn *conn, const void *data, size_t len, bool binary);
void resume_topic(struct conn *conn, const void *topic, size_t len, bool leave);
/* Was it a message that acknowledges numbers? Then it was meant for us. */
bool resume_ack(struct conn *conn, const Gh__Verdict *verdict);
bool resume_idle(const struct conn *conn); /* nothing of it waits */

/* It leaves: may its client come back? */
bool resume_may_return(const struct conn *conn);
/* Then its session is detached, and true is returned; else it is to be ended. */
bool resume_leave(struct conn *conn);

/* --- lanes --- */

/* Did it come with a cursor of this instance that was not asked for yet? Once. */
bool resume_take_known(struct conn *conn, const struct app_lane *lane, uint64_t *ret_cursor);
/* It is behind: what was asked for comes after this number. */
GH_NODISCARD enum gh_err resume_behind(struct conn *conn, const struct app_lane *lane,
                                       uint64_t cursor);
bool resume_is_behind(const struct conn *conn, const struct app_lane *lane);
void resume_attached(struct conn *conn, const struct app_lane *lane); /* that was all */
void resume_broken(struct conn *conn); /* the instance does not have it: the connection ends */
bool resume_has_own(const struct conn *conn, const struct app_lane *lane); /* not where it is */
void resume_forget_lane(struct conn *conn, const struct app_lane *lane);
/* From the row of messages that wait for a verdict (outbound.h): from now on what was taken from
 * lanes may not be in our hands yet; this one of this lane is dealt with; none waits any more. */
void resume_hold(struct conn *conn);
void resume_passed(struct conn *conn, const struct app_lane *lane, uint64_t number);
void resume_release(struct conn *conn);

#endif
