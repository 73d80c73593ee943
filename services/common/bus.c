#include "common/bus_internal.h"

#include <string.h>

_Static_assert(sizeof(void *) == sizeof(((Gh__Envelope *)0)->hello), "arms are plain pointers");

enum gh_err gh_bus_encode(uint64_t call_id, uint32_t arm, void *body, zmq_msg_t *ret_msg)
{
    Gh__Envelope env = GH__ENVELOPE__INIT;
    zmq_msg_t msg;
    size_t size;

    env.version = GH_BUS_VERSION;
    env.call_id = call_id;
    env.body_case = (Gh__Envelope__BodyCase)arm;
    env.hello = body; /* every arm of the oneof is a pointer in the same place */
    size = gh__envelope__get_packed_size(&env);
    if (size > GH_BUS_MAX_BYTES) return GH_ERR_LIMIT;
    if (zmq_msg_init_size(&msg, size) != 0) return GH_ERR_NOMEM;
    (void)gh__envelope__pack(&env, zmq_msg_data(&msg));
    *ret_msg = msg;
    return GH_OK;
}

enum gh_err gh_bus_decode(struct gh_arena *arena, const void *frame, size_t len,
                          uint64_t *ret_call_id, uint32_t *ret_arm, const void **ret_body)
{
    const Gh__Envelope *env;

    *ret_call_id = 0;
    if (len == 0 || len > GH_BUS_MAX_BYTES) return GH_ERR_BAD_MESSAGE;
    env = gh__envelope__unpack(gh_arena_protobuf(arena), len, frame);
    if (env == NULL) return GH_ERR_BAD_MESSAGE;
    *ret_call_id = env->call_id;
    if (env->version != GH_BUS_VERSION) return GH_ERR_BAD_MESSAGE;
    if (env->body_case == GH__ENVELOPE__BODY__NOT_SET || env->hello == NULL)
        return GH_ERR_BAD_MESSAGE;
    *ret_arm = (uint32_t)env->body_case;
    *ret_body = env->hello;
    return GH_OK;
}

void gh_bus_socket_limits(zsock_t *sock)
{
    zsock_set_linger(sock, 0);
    zsock_set_sndhwm(sock, GH_BUS_HWM);
    zsock_set_rcvhwm(sock, GH_BUS_HWM);
    zsock_set_maxmsgsize(sock, GH_BUS_MAX_BYTES);
    zsock_set_reconnect_ivl(sock, 50);
    zsock_set_reconnect_ivl_max(sock, 1000);
    zsock_set_handshake_ivl(sock, 5000);
    zsock_set_heartbeat_ivl(sock, 2000);
    zsock_set_heartbeat_timeout(sock, GH_BUS_PEER_LOST_MS);
    zsock_set_ipv6(sock, 1);
}

bool gh_bus_is_ipc(const char *endpoint)
{
    return strncmp(endpoint, "ipc://", 6) == 0;
}

bool gh_bus_is_tcp(const char *endpoint)
{
    return strncmp(endpoint, "tcp://", 6) == 0;
}
