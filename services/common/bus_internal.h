/*
 * bus_internal - the codec and socket set-up shared by server.c and client_peer.c; not for
 * services.
 */
#ifndef GH_BUS_INTERNAL_H
#define GH_BUS_INTERNAL_H

#include "common/arena.h"
#include "common/bus.h"

#include <czmq.h>

#define GH_BUS_ARENA_MAX  (64u << 20) /* a message may unpack to this much and no more */
#define GH_BUS_TURN_MAX   64          /* messages read from one socket in one turn of the loop */
#define GH_BUS_HWM        65536 /* messages queued per peer inside ZeroMQ; windows are smaller */
#define GH_BUS_SOCKET_EXT ".sock"

/* Packs {version, call_id, arm, body} into *ret_msg, which the caller must send or close. */
GH_NODISCARD enum gh_err gh_bus_encode(uint64_t call_id, uint32_t arm, void *body,
                                       zmq_msg_t *ret_msg);

/* Unpacks one frame into arena. GH_ERR_BAD_MESSAGE: too large, not an Envelope, another version, or
 * an arm this build does not know; *ret_call_id is then still set when it could be read (else 0).
 */
GH_NODISCARD enum gh_err gh_bus_decode(struct gh_arena *arena, const void *frame, size_t len,
                                       uint64_t *ret_call_id, uint32_t *ret_arm,
                                       const void **ret_body);

/* Limits every socket gets before it is bound or connected. */
void gh_bus_socket_limits(zsock_t *sock);
/* CURVE for a bound or connecting socket; server_role is whose key the caller expects. */
void gh_bus_keys_serve(const struct gh_bus_keys *keys, zsock_t *sock);
void gh_bus_keys_call(const struct gh_bus_keys *keys, enum gh_role server_role, zsock_t *sock);
/* The role of a public key (32 bytes); 0 when unknown. Constant time per key. */
enum gh_role gh_bus_keys_role(const struct gh_bus_keys *keys, const unsigned char *public_key);

bool gh_bus_is_ipc(const char *endpoint);
bool gh_bus_is_tcp(const char *endpoint);

#endif
