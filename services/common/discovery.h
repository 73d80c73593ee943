/*
 * discovery - which addresses does an endpoint specification (bus.h) mean right now?
 *
 * ipc patterns are globbed, tcp names resolved (off the loop), every GH_DISCOVERY_MS; a resolver
 * that fails changes nothing. found is called with the whole set each time, sorted, without
 * repeats, at most GH_DISCOVERY_MAX. Never from inside gh_discovery_new.
 */
#ifndef GH_DISCOVERY_H
#define GH_DISCOVERY_H

#include "common/bus.h"

#include <uv.h>

#define GH_DISCOVERY_MS  2000
#define GH_DISCOVERY_MAX 256

struct gh_discovery;

/* addresses: ready for zmq_connect; valid during the call. */
typedef void (*gh_discovery_fn)(void *ctx, const char *const *addresses, size_t count);

/* self: our role, which is part of the ipc socket's name. GH_ERR_CONFIG: not an endpoint. */
GH_NODISCARD enum gh_err gh_discovery_new(uv_loop_t *loop, const char *endpoint, enum gh_role self,
                                          gh_discovery_fn fn, void *ctx,
                                          struct gh_discovery **ret_discovery);
void gh_discovery_free(struct gh_discovery *discovery);
/* Looks again at once: somebody was lost. */
void gh_discovery_hurry(struct gh_discovery *discovery);

#endif
