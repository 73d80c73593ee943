/*
 * bus - what the two halves of the bus (server.h, client.h) share: roles, endpoints, keys, frames.
 *
 * Wire: one ZeroMQ frame = one packed Gh__Envelope of at most GH_BUS_MAX_BYTES. Callers connect
 * DEALER, services bind ROUTER.
 *
 * Endpoint specifications, as they stand in the configuration:
 *   ipc:///run/gatehouse/session             one service on this host
 *   ipc:///run/gatehouse/validator.*         every service whose socket matches, looked up again
 * every 2 s tcp://validator:5710                     every address the name resolves to, looked up
 * again every 2 s tcp://10.0.0.1:5710,tcp://10.0.0.2:5710  a fixed list On ipc the socket is
 * PATH.<role>.sock, one per role that may call: the role of a peer is the socket it came in on. On
 * tcp CURVE is required and the role is that of the peer's public key.
 */
#ifndef GH_BUS_H
#define GH_BUS_H

#include "common/err.h"

#include <envelope.pb-c.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GH_BUS_VERSION      1u
#define GH_BUS_MAX_BYTES    (8u << 20)
#define GH_BUS_INSTANCE_MAX 64u
#define GH_BUS_HELLO_MS     1000 /* a caller's heartbeat */
#define GH_BUS_PEER_LOST_MS 5000 /* silence after which a peer counts as gone */

#define GH_ROLE_LIST(X)                                                                            \
    X(GH_ROLE_EDGE, 0, "edge")                                                                     \
    X(GH_ROLE_AUTH, 1, "auth")                                                                     \
    X(GH_ROLE_VALIDATOR, 2, "validator")                                                           \
    X(GH_ROLE_LIMITER, 3, "limiter")                                                               \
    X(GH_ROLE_SESSION, 4, "session")                                                               \
    X(GH_ROLE_AUDIT, 5, "audit")                                                                   \
    X(GH_ROLE_APP, 6, "app")                                                                       \
    X(GH_ROLE_CONSOLE, 7, "console")                                                               \
    X(GH_ROLE_CTL, 8, "ctl")
#define GH_ROLE_ENUM(sym, bit, name) sym = 1u << (bit),
enum gh_role { GH_ROLE_LIST(GH_ROLE_ENUM) };
#define GH_ROLE_COUNT 9
#define GH_ROLE_ANY   ((1u << GH_ROLE_COUNT) - 1)

const char *gh_role_name(enum gh_role role); /* NULL for none */
GH_NODISCARD enum gh_err gh_role_parse(const char *name, size_t len, enum gh_role *ret_role);

/* protobuf bytes from and to C strings. gh_bytes_str borrows; the message must not outlive str. */
ProtobufCBinaryData gh_bytes(const void *data, size_t len);
ProtobufCBinaryData gh_bytes_str(const char *str);
bool gh_bytes_eq(ProtobufCBinaryData bytes, const char *str);
/* NUL-ended copy into dst of size; GH_ERR_BAD_MESSAGE when too long or holding NUL. */
GH_NODISCARD enum gh_err gh_bytes_copy(ProtobufCBinaryData bytes, char *dst, size_t size);

/* CURVE keys of one process, from `bus.keys_dir`: <role>.secret (own, mode 0600) and every
 * <role>.pub. NULL when keys_dir is not set: then only ipc endpoints are accepted. Files: one line
 * of Z85. */
struct gh_bus_keys;
GH_NODISCARD enum gh_err gh_bus_keys_load(const char *dir, enum gh_role self,
                                          struct gh_bus_keys **ret_keys);
void gh_bus_keys_free(struct gh_bus_keys *keys);
/* Writes fresh pairs for every role into dir (gatehousectl keys init); existing ones are kept. */
GH_NODISCARD enum gh_err gh_bus_keys_init(const char *dir);

#endif
