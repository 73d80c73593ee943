/*
 * park - a request that waits for its issuer's keys, and is then handled again, once.
 */
#ifndef AUTH_PARK_H
#define AUTH_PARK_H

#include "auth.h"

/* waited: GH_OK when the keys were read anew; else they could not be. */
typedef void (*park_fn)(struct auth *auth, const void *msg, struct gh_reply *reply,
                        enum gh_err waited);

/* Copies msg; the reply is fn's from then on. Errors as keyset_wait: fn is not called, the reply
 * stays the caller's. */
GH_NODISCARD enum gh_err auth_park(struct auth *auth, struct keyset *keyset,
                                   const ProtobufCMessage *msg, struct gh_reply *reply, park_fn fn);

#endif
