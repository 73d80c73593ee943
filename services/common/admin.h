/*
 * admin - /healthz, /readyz, /metrics over HTTP on an endpoint clients cannot reach.
 *
 * GET and HEAD only; request heads up to 4 KiB, 2 s to send them, 16 connections; each answer
 * closes the connection. endpoint: "unix:PATH" (mode 0600) or "tcp:ADDRESS:PORT". /healthz: 200
 * while the loop turns. /readyz: 200 "ready", or 503 with the name of each check that fails, one a
 * line.
 */
#ifndef GH_ADMIN_H
#define GH_ADMIN_H

#include "common/err.h"
#include "common/metrics.h"

#include <stdbool.h>
#include <uv.h>

struct gh_admin;
typedef bool (*gh_ready_fn)(void *ctx);

GH_NODISCARD enum gh_err gh_admin_new(uv_loop_t *loop, const char *endpoint,
                                      struct gh_metrics *metrics, struct gh_admin **ret_admin);
void gh_admin_free(struct gh_admin *admin); /* closes its handles; run the loop once more after */
void gh_admin_add_check(struct gh_admin *admin, const char *name, gh_ready_fn fn, void *ctx);
bool gh_admin_ready(const struct gh_admin *admin);

#endif
