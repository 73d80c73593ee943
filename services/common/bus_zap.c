#include "common/bus_zap.h"

#include "common/bus_internal.h"
#include "common/log.h"
#include "common/zpoll.h"

#include <stdlib.h>
#include <string.h>

#define ZAP_ENDPOINT  "inproc://zeromq.zap.01"
#define ZAP_KEY_BYTES 32

/* Frames of a request (RFC 27): version, request id, domain, address, identity, mechanism, key. */
enum { ZAP_VERSION, ZAP_REQUEST_ID, ZAP_DOMAIN, ZAP_ADDRESS, ZAP_IDENTITY, ZAP_MECHANISM, ZAP_KEY };

struct gh_bus_zap {
    const struct gh_bus_keys *keys;
    zsock_t *sock;
    struct gh_zpoll *poll;
};

static enum gh_role zap_judge(const struct gh_bus_zap *zap, zframe_t *const *frames, size_t count)
{
    if (count != ZAP_KEY + 1 || !zframe_streq(frames[ZAP_MECHANISM], "CURVE") ||
        zframe_size(frames[ZAP_KEY]) != ZAP_KEY_BYTES)
        return (enum gh_role)0;
    return gh_bus_keys_role(zap->keys, zframe_data(frames[ZAP_KEY]));
}

static void zap_answer(struct gh_bus_zap *zap, zmsg_t *request)
{
    zframe_t *frames[ZAP_KEY + 2];
    size_t count = 0;
    enum gh_role role;
    char *request_id;

    for (zframe_t *f = zmsg_first(request); f != NULL && count < ZAP_KEY + 2;
         f = zmsg_next(request))
        frames[count++] = f;
    if (count <= ZAP_REQUEST_ID) return;
    role = zap_judge(zap, frames, count);
    if (role == 0) {
        char *address = count > ZAP_ADDRESS ? zframe_strdup(frames[ZAP_ADDRESS]) : NULL;

        gh_log(GH_LOG_WARN, "bus_key_unknown", "address=%s", address == NULL ? "?" : address);
        free(address);
    }
    request_id = zframe_strdup(frames[ZAP_REQUEST_ID]);
    (void)zstr_sendx(zap->sock, "1.0", request_id == NULL ? "" : request_id, role ? "200" : "400",
                     role ? "OK" : "unknown key", role ? gh_role_name(role) : "", "", NULL);
    free(request_id);
}

static bool zap_on_readable(void *ctx)
{
    struct gh_bus_zap *zap = ctx;
    zmsg_t *request = zmsg_recv_nowait(zap->sock);

    if (request == NULL) return false;
    zap_answer(zap, request);
    zmsg_destroy(&request);
    return true;
}

enum gh_err gh_bus_zap_new(uv_loop_t *loop, const struct gh_bus_keys *keys,
                           struct gh_bus_zap **ret_zap)
{
    struct gh_bus_zap *zap = calloc(1, sizeof *zap);
    enum gh_err err;

    if (zap == NULL) return GH_ERR_NOMEM;
    zap->keys = keys;
    zap->sock = zsock_new(ZMQ_REP);
    if (zap->sock == NULL || zsock_bind(zap->sock, ZAP_ENDPOINT) < 0) {
        gh_bus_zap_free(zap);
        return GH_ERR_IO;
    }
    err = gh_zpoll_new(loop, zap->sock, zap_on_readable, zap, &zap->poll);
    if (err != GH_OK) {
        gh_bus_zap_free(zap);
        return err;
    }
    *ret_zap = zap;
    return GH_OK;
}

void gh_bus_zap_free(struct gh_bus_zap *zap)
{
    if (zap == NULL) return;
    gh_zpoll_free(zap->poll);
    zsock_destroy(&zap->sock);
    free(zap);
}
