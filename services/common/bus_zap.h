/*
 * bus_zap - answers ZeroMQ's question "may this CURVE key come in, and as whom?" (ZAP, RFC 27).
 *
 * One per process, made before any tcp endpoint is bound: a socket with a ZAP domain and no handler
 * lets nobody in. The user id of a connection is the role name of its key.
 */
#ifndef GH_BUS_ZAP_H
#define GH_BUS_ZAP_H

#include "common/bus.h"

#include <uv.h>

struct gh_bus_zap;

/* Borrows keys. */
GH_NODISCARD enum gh_err gh_bus_zap_new(uv_loop_t *loop, const struct gh_bus_keys *keys,
                                        struct gh_bus_zap **ret_zap);
void gh_bus_zap_free(struct gh_bus_zap *zap);

#endif
