/*
 * events - what the edge tells the audit log about its connections. The only module that knows the
 * audit client; never a token, a credential or message content.
 */
#ifndef EDGE_EVENTS_H
#define EDGE_EVENTS_H

#include <stdint.h>
#include <validator.pb-c.h>

struct addr;
struct conn;
struct edge;
struct route;

void events_refused(struct conn *conn, uint32_t code, const char *reason);
/* path: one of our own */
void events_http_refused(struct conn *conn, const char *path, uint32_t code, const char *reason);
/* A socket that ended before there was anybody to answer. Counted, and told once a second with the
 * number of them and the address of the last: a flood must not become a flood of events. */
void events_handshake_failed(struct edge *edge, const struct addr *addr);
void events_tick(struct edge *edge); /* tells what is to be told by now */
void events_opened(struct conn *conn);
void events_closing(struct conn *conn, const char *reason); /* when the edge ends it */
void events_closed(struct conn *conn);                      /* with its counters */
/* A message the validator refused, or one that was let through with a score. Refusals of one
 * connection are capped (event_cap.h). */
void events_verdict(struct conn *conn, const char *request_id, const Gh__Verdict *verdict);
/* A message of an application that went to nobody, since its verdict says so. */
void events_withheld(struct edge *edge, const struct route *route, uint32_t code,
                     const Gh__Verdict *verdict);

#endif
