/*
 * tickets - single-use stand-ins for a credential that a browser cannot put into a header.
 *
 * POST /auth/ticket with a bearer token gives 43 characters that open one connection within
 * auth.ticket_ttl. Redis holds what the credential said under the ticket's digest; reading it
 * removes it, so of two who bring the same ticket one gets in. The credential's own expiry and
 * revocation are judged again when it is used.
 */
#ifndef AUTH_TICKETS_H
#define AUTH_TICKETS_H

#include "auth.h"

#define TICKET_LEN 43u

/* ticket: the new one, NULL when Redis did not take it. */
typedef void (*ticket_made_fn)(void *ctx, const char *ticket);
GH_NODISCARD enum gh_err ticket_make(struct auth *auth, const struct identity *identity,
                                     ticket_made_fn fn, void *ctx);

/* On AUTH_OK *identity is that of the credential. unavailable: Redis did not answer. */
typedef void (*ticket_used_fn)(void *ctx, enum auth_reason reason, bool unavailable,
                               const struct identity *identity);
/* Errors at once (fn is not called): GH_ERR_BAD_MESSAGE for what is no ticket, GH_ERR_UNAVAILABLE,
 * GH_ERR_NOMEM. */
GH_NODISCARD enum gh_err ticket_use(struct auth *auth, ProtobufCBinaryData ticket,
                                    ticket_used_fn fn, void *ctx);

#endif
