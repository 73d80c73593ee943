/*
 * charge - every message pays its limits: the user's, and that of its type's rate class.
 *
 * Tokens come from leases (lease.h) that this module asks of the limiter ahead of need, all asks of
 * a turn in one call. A connection whose message must wait for an answer is put on the lease's list
 * and resumed by delivery_pump() when the answer is there. The limiter being away leaves each class
 * its local share; security is never more open than limiter_away_share says.
 */
#ifndef EDGE_CHARGE_H
#define EDGE_CHARGE_H

#include "lease.h"

#include "common/client.h"

struct charge;
struct conn;
struct edge;

GH_NODISCARD enum gh_err charge_new(struct edge *edge, const char *endpoint,
                                    struct charge **ret_charge);
void charge_free(struct charge *charge); /* NULL is a no-op; tokens in hand go back */
struct gh_client *charge_client(struct charge *charge);

/* One message of this rate class ("": only the user's). LEASE_WAIT: *ret_lease is what to wait for.
 * LEASE_NO: *ret_retry_ms. */
enum lease_answer charge_take(struct conn *conn, const void *rate_class, size_t len,
                              struct lease **ret_lease, uint64_t *ret_retry_ms);
/* The connection will soon send: its user's lease is asked for. */
void charge_prefetch(struct conn *conn);
void charge_forget(struct conn *conn);
void charge_flush(struct charge *charge); /* end of turn: the asks leave */

#endif
