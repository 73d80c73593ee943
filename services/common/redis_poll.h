/*
 * redis_poll - drives a redisAsyncContext on a libuv loop.
 *
 * hiredis 0.14's own adapter (hiredis/adapters/libuv.h) drops the error libuv reports for a refused
 * TCP connection (POLLERR arrives as a status, and the adapter returns), so that connection would
 * hang for ever; it also leaks when uv_poll_init fails. This one hands every event on.
 */
#ifndef GH_REDIS_POLL_H
#define GH_REDIS_POLL_H

#include "common/err.h"

#include <hiredis/async.h>
#include <uv.h>

/* From here on hiredis owns the watcher and closes it when the context is freed. */
GH_NODISCARD enum gh_err redis_poll_attach(uv_loop_t *loop, redisAsyncContext *context);

#endif
