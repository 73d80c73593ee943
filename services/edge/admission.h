/*
 * admission - asks auth, then limiter and session at once, and opens the connection when all three
 * have said yes.
 *
 * An admission outlives its connection: when the client leaves or is refused while answers are on
 * their way, a session that was made meanwhile is ended again. The limiter being away leaves the
 * decision to the edge's own limits; auth or session being away refuses (DESIGN section 10).
 */
#ifndef EDGE_ADMISSION_H
#define EDGE_ADMISSION_H

struct conn;
struct admission;

/* conn is ADMITTING, its handshake judged. Opens or refuses it, now or later. */
void admission_start(struct conn *conn);
/* The connection is no longer there to be opened. NULL is a no-op. */
void admission_abandon(struct admission *admission);

#endif
