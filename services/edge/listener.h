/*
 * listener - accepts sockets and decides what they may become.
 *
 * Edges of one host share the port (SO_REUSEPORT). What comes before a connection costs next to
 * nothing: the PROXY header of a trusted balancer is taken off, and with TLS the first record must
 * be there whole before any TLS state is made, so a client that opens and stalls holds a few
 * hundred bytes until its deadline. How many handshakes may be under way at once is capped; the
 * others wait their turn.
 *
 * Caps and bans are judged here and told over HTTP, as long as not too many have to be told.
 */
#ifndef EDGE_LISTENER_H
#define EDGE_LISTENER_H

#include "wheel.h"

#include "common/err.h"

#include <stdint.h>

struct edge;
struct listener;

/* Binds and listens. Errors: GH_ERR_IO, with the reason on the log. */
GH_NODISCARD enum gh_err listener_new(struct edge *edge, struct listener **ret_listener);
void listener_free(struct listener *listener); /* NULL is a no-op */
void listener_stop(struct listener *listener); /* closes the port; what was accepted goes on */
/* End of turn: sockets whose turn has come become connections. */
void listener_admit(struct listener *listener);
/* From the preface wheel. */
void listener_on_timer(void *ctx, struct wheel_timer *timer, int64_t now_ms);
uint32_t listener_waiting(const struct listener *listener);

#endif
