/*
 * zpoll - a ZeroMQ socket on a libuv loop.
 *
 * ZeroMQ's descriptor is edge-triggered: it tells that something changed, once, and a send may
 * swallow the news. So ZMQ_EVENTS is looked at again after every receive (here) and every send
 * (gh_zpoll_kick, by the sender).
 * Source: zmq_getsockopt(3), ZMQ_FD and ZMQ_EVENTS.
 */
#ifndef GH_ZPOLL_H
#define GH_ZPOLL_H

#include "common/err.h"

#include <czmq.h>
#include <stdbool.h>
#include <uv.h>

struct gh_zpoll;

/* Called when the socket is readable. Reads some messages; returns true when it stopped before the
 * socket was empty (it is called again in the next turn, so that one busy socket does not starve
 * the others). It may free its own gh_zpoll. */
typedef bool (*gh_zpoll_fn)(void *ctx);

/* Borrows sock, which must outlive gh_zpoll_free. */
GH_NODISCARD enum gh_err gh_zpoll_new(uv_loop_t *loop, zsock_t *sock, gh_zpoll_fn fn, void *ctx,
                                      struct gh_zpoll **ret_zpoll);
/* Stops at once; memory goes when the loop has closed the handles. The socket may be destroyed
 * right after. */
void gh_zpoll_free(struct gh_zpoll *zpoll);
void gh_zpoll_kick(struct gh_zpoll *zpoll);

#endif
