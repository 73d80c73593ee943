#include "listener.h"

#include "edge.h"
#include "events.h"
#include "preface.h"
#include "shed.h"

#include "common/clock.h"
#include "common/log.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define BACKLOG        4096
#define ACCEPTS_MAX    16  /* per turn of the loop: a turn is what a message waits for */
#define RESERVE        256 /* sockets past max_connections, to say so */
#define REFUSALS_PER_S 500 /* told over HTTP; more are closed without a word */
#define ADMITS_BUSY    1   /* TLS handshakes begun per turn: each costs half a millisecond */
#define ADMITS_CALM    8   /* the same while nobody inside says anything: they share batches */
#define CALM_MS        100 /* without a message: calm */
#define FULL_PAUSE_MS  100 /* out of descriptors: how long not to accept */

struct listener {
    struct edge *edge;
    int fd;
    uv_poll_t *poll;
    uv_timer_t *pause;
    uv_idle_t *idle; /* runs while sockets are ready that this turn had no time for */
    struct preface *prefaces;
    struct preface *ready, *ready_last;
    uint32_t n_prefaces;
    int64_t refusals_ms;
    uint32_t refusals;
};

/* --- prefaces --------------------------------------------------------------------------------- */

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

/* The socket is no longer its. */
static void let_go(struct preface *preface)
{
    struct listener *listener = preface->listener;
    struct preface **first = preface->ready ? &listener->ready : &listener->prefaces;

    if (preface->prev != NULL)
        preface->prev->next = preface->next;
    else
        *first = preface->next;
    if (preface->next != NULL)
        preface->next->prev = preface->prev;
    else if (preface->ready)
        listener->ready_last = preface->prev;
    listener->n_prefaces--;
    wheel_clear(&listener->edge->preface_wheel, &preface->timer);
    uv_close((uv_handle_t *)&preface->poll, on_closed);
}

static void cut(struct preface *preface)
{
    struct edge *edge = preface->listener->edge;
    int fd = preface->socket.fd;

    address_leave(&edge->addresses, preface->socket.address_entry);
    events_handshake_failed(edge, &preface->socket.addr);
    let_go(preface);
    (void)close(fd);
}

void listener_on_timer(void *ctx, struct wheel_timer *timer, int64_t now_ms)
{
    (void)ctx;
    (void)now_ms;
    cut(hmap_entry(timer, struct preface, timer));
}

/* --- who may come in -------------------------------------------------------------------------- */

static bool may_tell(struct listener *listener, int64_t now_ms)
{
    if (now_ms - listener->refusals_ms >= 1000) {
        listener->refusals_ms = now_ms;
        listener->refusals = 0;
    }
    return ++listener->refusals <= REFUSALS_PER_S;
}

/* Bans and caps for the client's own address. False: close it without a word. */
static bool judge(struct listener *listener, struct conn_socket *socket)
{
    struct edge *edge = listener->edge;
    int64_t now = edge_now(edge);
    uint64_t retry_ms = 0;
    /* Clients behind a balancer that writes their address into the head are counted there. */
    bool counted_later = edge->config.forwarded_header != EDGE_FORWARDED_NONE &&
                         edge_config_trusts(&edge->config, &socket->addr);

    if (socket->refuse != GH_CODE_OK) return true; /* shedding: told as long as it may be */
    if (ban_table_address(edge->bans, &socket->addr, (uint64_t)gh_clock_wall_ms())) {
        socket->refuse = GH_CODE_BANNED;
    } else if (edge->conns.used - edge->answered + listener->n_prefaces >=
               edge->config.max_connections) {
        socket->refuse = GH_CODE_FULL;
    } else if (!counted_later) {
        switch (address_enter(&edge->addresses, &socket->addr, now, &socket->address_entry,
                              &retry_ms)) {
        case ADDRESS_OK: break;
        case ADDRESS_RATE:
        case ADDRESS_FULL: socket->refuse = GH_CODE_RATE_LIMITED; break;
        }
    }
    return socket->refuse == GH_CODE_OK || may_tell(listener, now);
}

/* --- what comes first ------------------------------------------------------------------------- */

static enum preface_step step(struct preface *preface)
{
    uint8_t bytes[PROXY_HEADER_MAX];
    const struct edge *edge = preface->listener->edge;
    ssize_t n = preface_peek(preface, bytes, sizeof bytes);
    int available = 0;

    if (n <= 0) return n == 0 ? PREFACE_WAIT : PREFACE_ABORT;
    /* Woken without anything new: the rest will never come. */
    (void)ioctl(preface->socket.fd, FIONREAD, &available);
    if ((size_t)available == preface->peeked) return PREFACE_ABORT;
    preface->peeked = (size_t)available;
    if (preface->want_proxy) {
        enum preface_step result = preface_take_proxy(
            preface, edge->config.proxy_protocol == EDGE_PROXY_OPTIONAL, bytes, (size_t)n);

        if (result != PREFACE_READY) return result;
        preface->want_proxy = false;
        preface->peeked = 0;
        if (!preface_wait_for(preface, 1)) return PREFACE_ABORT;
        n = preface_peek(preface, bytes, sizeof bytes);
        if (n < 0) return PREFACE_ABORT;
    }
    if (!preface->judged) {
        preface->judged = true;
        if (!judge(preface->listener, &preface->socket)) return PREFACE_ABORT;
    }
    if (n == 0) return preface->socket.tls ? PREFACE_WAIT : PREFACE_READY;
    return preface->socket.tls ? preface_has_record(preface, bytes, (size_t)n) : PREFACE_READY;
}

static void make_ready(struct preface *preface)
{
    struct listener *listener = preface->listener;

    (void)uv_poll_stop(&preface->poll);
    if (preface->prev != NULL)
        preface->prev->next = preface->next;
    else
        listener->prefaces = preface->next;
    if (preface->next != NULL) preface->next->prev = preface->prev;
    preface->ready = true;
    preface->next = NULL;
    preface->prev = listener->ready_last;
    if (listener->ready_last != NULL)
        listener->ready_last->next = preface;
    else
        listener->ready = preface;
    listener->ready_last = preface;
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    struct preface *preface = poll->data;

    (void)events;
    switch (status == 0 ? step(preface) : PREFACE_ABORT) {
    case PREFACE_WAIT: break;
    case PREFACE_ABORT: cut(preface); break;
    case PREFACE_READY: make_ready(preface); break;
    }
}

static void on_idle(uv_idle_t *idle)
{
    (void)idle; /* all it does is to keep the loop from waiting */
}

void listener_admit(struct listener *listener)
{
    struct edge *edge = listener->edge;
    const int most = edge_now(edge) - edge->message_ms < CALM_MS ? ADMITS_BUSY : ADMITS_CALM;

    (void)uv_idle_stop(listener->idle);
    for (int i = 0; listener->ready != NULL && edge->handshakes < edge->config.max_handshakes;
         i++) {
        struct preface *preface = listener->ready;
        struct conn_socket socket = preface->socket;

        if (i == most) { /* the messages of those inside come first */
            (void)uv_idle_start(listener->idle, on_idle);
            return;
        }
        if (socket.address_entry != NULL &&
            socket.address_entry->handshakes >= edge->config.max_handshakes_per_address) {
            cut(preface); /* as with half-open ones, nobody is there to be told why */
            continue;
        }
        (void)preface_wait_for(preface, 1);
        let_go(preface);
        conn_accept(edge, &socket);
    }
}

static bool watch(struct listener *listener, const struct conn_socket *socket, bool want_proxy)
{
    struct edge *edge = listener->edge;
    struct preface *preface = calloc(1, sizeof *preface);

    if (preface == NULL) return false;
    if (uv_poll_init(edge->loop, &preface->poll, socket->fd) != 0) {
        free(preface);
        return false;
    }
    preface->poll.data = preface;
    preface->listener = listener;
    preface->socket = *socket;
    preface->want_proxy = want_proxy;
    preface->next = listener->prefaces;
    if (listener->prefaces != NULL) listener->prefaces->prev = preface;
    listener->prefaces = preface;
    listener->n_prefaces++;
    wheel_set(&edge->preface_wheel, &preface->timer,
              socket->accepted_ms + (int64_t)edge->config.handshake_timeout_ms);
    (void)uv_poll_start(&preface->poll, UV_READABLE, on_readable);
    return true;
}

/* --- accepting -------------------------------------------------------------------------------- */

static void take(struct listener *listener, int fd, const struct sockaddr_storage *peer)
{
    struct edge *edge = listener->edge;
    struct conn_socket socket = { .fd = fd,
                                  .tls = edge->config.tls.enabled,
                                  .accepted_ms = edge_now(edge) };
    bool want_proxy;
    int one = 1;

    (*edge->stats.accepted)++;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    addr_from_sockaddr((const struct sockaddr *)peer, &socket.addr);
    socket.port = ntohs(peer->ss_family == AF_INET6 ? ((const struct sockaddr_in6 *)peer)->sin6_port
                                                    : ((const struct sockaddr_in *)peer)->sin_port);
    want_proxy = edge->config.proxy_protocol != EDGE_PROXY_OFF &&
                 edge->config.forwarded_header == EDGE_FORWARDED_NONE &&
                 edge_config_trusts(&edge->config, &socket.addr);
    if (edge->conns.used + listener->n_prefaces >= edge->config.max_connections + RESERVE) {
        events_handshake_failed(edge, &socket.addr);
        (void)close(fd);
        return;
    }
    shed_accepted(edge->shed, fd);
    switch (shed_judge(edge->shed)) {
    case SHED_TAKE: break;
    case SHED_TELL: socket.refuse = GH_CODE_UNAVAILABLE; break;
    case SHED_CLOSE: (void)close(fd); return;
    }
    /* A plain one has nothing to wait for but its turn. */
    if (!want_proxy && !socket.tls && edge->handshakes < edge->config.max_handshakes) {
        if (judge(listener, &socket))
            conn_accept(edge, &socket);
        else
            (void)close(fd);
        return;
    }
    if (!watch(listener, &socket, want_proxy)) (void)close(fd);
}

static void on_pause_end(uv_timer_t *timer);

static void on_connection(uv_poll_t *poll, int status, int events)
{
    struct listener *listener = poll->data;

    (void)events;
    if (status != 0) return;
    for (int i = 0; i < ACCEPTS_MAX; i++) {
        struct sockaddr_storage peer = { 0 };
        socklen_t len = sizeof peer;
        int fd =
            accept4(listener->fd, (struct sockaddr *)&peer, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (fd >= 0) {
            take(listener, fd, &peer);
            continue;
        }
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            gh_log(GH_LOG_ERROR, "accept_failed", "error=\"%s\" next=\"again in %d ms\"",
                   strerror(errno), FULL_PAUSE_MS);
            (void)uv_poll_stop(listener->poll);
            (void)uv_timer_start(listener->pause, on_pause_end, FULL_PAUSE_MS, 0);
            return;
        }
        if (errno == EAGAIN || errno == EWOULDBLOCK) return;
        /* ECONNABORTED and its like: that one is gone, the next may not be */
    }
}

static void on_pause_end(uv_timer_t *timer)
{
    struct listener *listener = timer->data;

    if (listener->poll != NULL) (void)uv_poll_start(listener->poll, UV_READABLE, on_connection);
}

static void handle_closed(uv_handle_t *handle)
{
    free(handle);
}

void listener_stop(struct listener *listener)
{
    if (listener->poll == NULL) return;
    uv_close((uv_handle_t *)listener->poll, handle_closed);
    listener->poll = NULL;
    (void)close(listener->fd);
    listener->fd = -1;
}

static enum gh_err open_port(struct listener *listener)
{
    const struct edge_config *config = &listener->edge->config;
    const struct sockaddr *addr = (const struct sockaddr *)&config->listen_addr;
    int one = 1;

    listener->fd = socket(addr->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (listener->fd < 0 ||
        setsockopt(listener->fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) != 0 ||
        setsockopt(listener->fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof one) != 0 ||
        bind(listener->fd, addr, config->listen_len) != 0 || listen(listener->fd, BACKLOG) != 0) {
        gh_log(GH_LOG_ERROR, "listen_failed", "address=%s error=\"%s\"", config->listen,
               strerror(errno));
        return GH_ERR_IO;
    }
    return GH_OK;
}

enum gh_err listener_new(struct edge *edge, struct listener **ret_listener)
{
    struct listener *listener = calloc(1, sizeof *listener);
    enum gh_err err = GH_ERR_NOMEM;

    if (listener == NULL) return GH_ERR_NOMEM;
    listener->edge = edge;
    listener->fd = -1;
    listener->pause = malloc(sizeof *listener->pause);
    if (listener->pause == NULL) goto fail;
    (void)uv_timer_init(edge->loop, listener->pause);
    listener->idle = malloc(sizeof *listener->idle);
    if (listener->idle == NULL) goto fail;
    (void)uv_idle_init(edge->loop, listener->idle);
    listener->pause->data = listener;
    err = open_port(listener);
    if (err != GH_OK) goto fail;
    listener->poll = malloc(sizeof *listener->poll);
    err = GH_ERR_NOMEM;
    if (listener->poll == NULL) goto fail;
    (void)uv_poll_init(edge->loop, listener->poll, listener->fd);
    listener->poll->data = listener;
    (void)uv_poll_start(listener->poll, UV_READABLE, on_connection);
    *ret_listener = listener;
    return GH_OK;
fail:
    listener_free(listener);
    return err;
}

void listener_free(struct listener *listener)
{
    if (listener == NULL) return;
    listener_stop(listener);
    while (listener->prefaces != NULL)
        cut(listener->prefaces);
    while (listener->ready != NULL)
        cut(listener->ready);
    if (listener->pause != NULL) uv_close((uv_handle_t *)listener->pause, handle_closed);
    if (listener->idle != NULL) uv_close((uv_handle_t *)listener->idle, handle_closed);
    if (listener->fd >= 0) (void)close(listener->fd);
    free(listener);
}

uint32_t listener_waiting(const struct listener *listener)
{
    return listener->n_prefaces;
}
