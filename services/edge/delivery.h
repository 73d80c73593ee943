/*
 * delivery - what becomes of a verdict: refused messages are answered, accepted ones pay their
 * limits and go to the application, in order.
 *
 * A message that must wait (for a lease, or for room at the application) is held, and every later
 * one of its connection behind it; the connection is not read meanwhile, so what is held is bounded
 * by what had been read.
 */
#ifndef EDGE_DELIVERY_H
#define EDGE_DELIVERY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <validator.pb-c.h>

struct conn;
struct edge;

void delivery_verdict(struct conn *conn, const Gh__Verdict *verdict, bool binary);
/* A message that came to no verdict. */
void delivery_refused(struct conn *conn, uint32_t code, const void *id, size_t id_len,
                      uint64_t retry_after_ms);
/* The same, before anybody has read the message: its id is looked for in the bytes. */
void delivery_unread(struct conn *conn, uint32_t code, const void *data, size_t len, bool binary);
/* Puts a connection on the list of those that wait for the same thing. */
void delivery_wait(struct conn *conn, struct conn **list);
/* Their reason to wait is over: empties the list and lets each go on, as far as it comes. */
void delivery_wake(struct conn **list);
void delivery_prefetch(struct conn *conn);
void delivery_forget(struct conn *conn);
/* After a run of verdicts or answers: what they asked for leaves. */
void delivery_flush(struct edge *edge);
bool delivery_idle(const struct conn *conn); /* nothing of it is under way */

#endif
