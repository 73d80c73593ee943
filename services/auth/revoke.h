/*
 * revoke - the handlers for revocations; contracts as gh_handler_fn, ctx: struct auth.
 */
#ifndef AUTH_REVOKE_H
#define AUTH_REVOKE_H

#include "common/server.h"

enum gh_err revoke_on_request(void *ctx, const struct gh_peer *peer, const void *body,
                              struct gh_reply *reply);
enum gh_err revoke_on_list(void *ctx, const struct gh_peer *peer, const void *body,
                           struct gh_reply *reply);

#endif
