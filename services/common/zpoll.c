#include "common/zpoll.h"

#include <stdlib.h>

struct gh_zpoll {
    uv_poll_t poll;
    uv_idle_t idle; /* runs only while messages are known to wait */
    void *handle;   /* zmq socket */
    gh_zpoll_fn fn;
    void *ctx;
    unsigned open_handles;
    bool idling;
    bool closed;
};

static bool zpoll_readable(const struct gh_zpoll *zpoll)
{
    int events = 0;
    size_t len = sizeof events;

    if (zmq_getsockopt(zpoll->handle, ZMQ_EVENTS, &events, &len) != 0) return false;
    return (events & ZMQ_POLLIN) != 0;
}

static void zpoll_on_idle(uv_idle_t *idle);

static void zpoll_again(struct gh_zpoll *zpoll, bool again)
{
    if (again == zpoll->idling) return;
    zpoll->idling = again;
    if (again)
        (void)uv_idle_start(&zpoll->idle, zpoll_on_idle);
    else
        (void)uv_idle_stop(&zpoll->idle);
}

static void zpoll_closed(uv_handle_t *handle)
{
    struct gh_zpoll *zpoll = handle->data;

    if (--zpoll->open_handles == 0) free(zpoll);
}

static void zpoll_run(struct gh_zpoll *zpoll)
{
    bool more = false;

    if (zpoll_readable(zpoll)) {
        more = zpoll->fn(zpoll->ctx);
        if (zpoll->closed) return; /* freed by its own callback; memory still held by libuv */
        more = more || zpoll_readable(zpoll);
    }
    zpoll_again(zpoll, more);
}

static void zpoll_on_idle(uv_idle_t *idle)
{
    zpoll_run(idle->data);
}

static void zpoll_on_event(uv_poll_t *poll, int status, int events)
{
    (void)status; /* the descriptor is an eventfd: errors do not happen on it */
    (void)events;
    zpoll_run(poll->data);
}

enum gh_err gh_zpoll_new(uv_loop_t *loop, zsock_t *sock, gh_zpoll_fn fn, void *ctx,
                         struct gh_zpoll **ret_zpoll)
{
    struct gh_zpoll *zpoll = calloc(1, sizeof *zpoll);

    if (zpoll == NULL) return GH_ERR_NOMEM;
    zpoll->handle = zsock_resolve(sock);
    zpoll->fn = fn;
    zpoll->ctx = ctx;
    if (uv_poll_init(loop, &zpoll->poll, (int)zsock_fd(sock)) != 0) {
        free(zpoll);
        return GH_ERR_IO;
    }
    (void)uv_idle_init(loop, &zpoll->idle);
    zpoll->poll.data = zpoll->idle.data = zpoll;
    zpoll->open_handles = 2;
    if (uv_poll_start(&zpoll->poll, UV_READABLE, zpoll_on_event) != 0) {
        gh_zpoll_free(zpoll);
        return GH_ERR_IO;
    }
    zpoll_again(zpoll, true); /* what came before we watched */
    *ret_zpoll = zpoll;
    return GH_OK;
}

void gh_zpoll_free(struct gh_zpoll *zpoll)
{
    if (zpoll == NULL || zpoll->closed) return;
    zpoll->closed = true;
    uv_close((uv_handle_t *)&zpoll->poll, zpoll_closed);
    uv_close((uv_handle_t *)&zpoll->idle, zpoll_closed);
}

void gh_zpoll_kick(struct gh_zpoll *zpoll)
{
    if (!zpoll->idling && zpoll_readable(zpoll)) zpoll_again(zpoll, true);
}
