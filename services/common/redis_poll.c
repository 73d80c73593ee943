#include "common/redis_poll.h"

#include <stdlib.h>

struct watcher {
    uv_poll_t poll;
    redisAsyncContext *context; /* NULL once hiredis has let go */
    int events;
};

static void on_event(uv_poll_t *poll, int status, int events)
{
    struct watcher *watcher = poll->data;

    /* An error becomes a read: hiredis then sees it on the socket and ends the connection. */
    if (watcher->context != NULL && (status != 0 || (events & UV_READABLE) != 0))
        redisAsyncHandleRead(watcher->context);
    if (watcher->context != NULL && status == 0 && (events & UV_WRITABLE) != 0)
        redisAsyncHandleWrite(watcher->context);
}

static void set_events(struct watcher *watcher, int events)
{
    if (events == watcher->events) return;
    watcher->events = events;
    if (events != 0)
        uv_poll_start(&watcher->poll, events, on_event);
    else
        uv_poll_stop(&watcher->poll);
}

static void add_read(void *data)
{
    struct watcher *watcher = data;

    set_events(watcher, watcher->events | UV_READABLE);
}

static void del_read(void *data)
{
    struct watcher *watcher = data;

    set_events(watcher, watcher->events & ~UV_READABLE);
}

static void add_write(void *data)
{
    struct watcher *watcher = data;

    set_events(watcher, watcher->events | UV_WRITABLE);
}

static void del_write(void *data)
{
    struct watcher *watcher = data;

    set_events(watcher, watcher->events & ~UV_WRITABLE);
}

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void cleanup(void *data)
{
    struct watcher *watcher = data;

    watcher->context = NULL;
    uv_close((uv_handle_t *)&watcher->poll, on_closed);
}

enum gh_err redis_poll_attach(uv_loop_t *loop, redisAsyncContext *context)
{
    struct watcher *watcher = calloc(1, sizeof *watcher);

    if (watcher == NULL) return GH_ERR_NOMEM;
    if (uv_poll_init(loop, &watcher->poll, context->c.fd) != 0) {
        free(watcher);
        return GH_ERR_IO;
    }
    watcher->poll.data = watcher;
    watcher->context = context;
    context->ev.data = watcher;
    context->ev.addRead = add_read;
    context->ev.delRead = del_read;
    context->ev.addWrite = add_write;
    context->ev.delWrite = del_write;
    context->ev.cleanup = cleanup;
    return GH_OK;
}
