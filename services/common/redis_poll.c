#include "common/redis_poll.h"

#include <stdbool.h>
#include <stdlib.h>

struct watcher {
    uv_poll_t poll;
    uv_idle_t turn;             /* runs once at the end of a turn in which something was asked */
    redisAsyncContext *context; /* NULL once hiredis has let go */
    int events;
    unsigned open_handles;
    bool writing;
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

static void on_turn(uv_idle_t *turn)
{
    struct watcher *watcher = turn->data;

    (void)uv_idle_stop(turn);
    if (watcher->context == NULL) return;
    watcher->writing = true;
    redisAsyncHandleWrite(watcher->context);
    watcher->writing = false;
}

/* A socket is nearly always writable, so what a turn asks is written at its end, in one piece, and
 * the kernel is asked only when not all of it went. Idle handles keep the loop from waiting. */
static void add_write(void *data)
{
    struct watcher *watcher = data;

    if (watcher->writing || (watcher->context->c.flags & REDIS_CONNECTED) == 0)
        set_events(watcher, watcher->events | UV_WRITABLE);
    else if ((watcher->events & UV_WRITABLE) == 0)
        (void)uv_idle_start(&watcher->turn, on_turn);
}

static void del_write(void *data)
{
    struct watcher *watcher = data;

    (void)uv_idle_stop(&watcher->turn);
    set_events(watcher, watcher->events & ~UV_WRITABLE);
}

static void on_closed(uv_handle_t *handle)
{
    struct watcher *watcher = handle->data;

    if (--watcher->open_handles == 0) free(watcher);
}

static void cleanup(void *data)
{
    struct watcher *watcher = data;

    watcher->context = NULL;
    uv_close((uv_handle_t *)&watcher->poll, on_closed);
    uv_close((uv_handle_t *)&watcher->turn, on_closed);
}

enum gh_err redis_poll_attach(uv_loop_t *loop, redisAsyncContext *context)
{
    struct watcher *watcher = calloc(1, sizeof *watcher);

    if (watcher == NULL) return GH_ERR_NOMEM;
    if (uv_poll_init(loop, &watcher->poll, context->c.fd) != 0) {
        free(watcher);
        return GH_ERR_IO;
    }
    (void)uv_idle_init(loop, &watcher->turn);
    watcher->poll.data = watcher->turn.data = watcher;
    watcher->open_handles = 2;
    watcher->context = context;
    context->ev.data = watcher;
    context->ev.addRead = add_read;
    context->ev.delRead = del_read;
    context->ev.addWrite = add_write;
    context->ev.delWrite = del_write;
    context->ev.cleanup = cleanup;
    return GH_OK;
}
