#include "transport.h"

#include "common/log.h"

#include <errno.h>
#include <libwebsockets.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define READ_BUFFER_BYTES (64u << 10) /* one for all connections */
#define DESTROY_TURNS     10
#define DROPS_PER_LOOK    16

struct transport {
    struct transport_hooks hooks;
    uv_loop_t *loop;
    struct lws_context *context;
    struct lws_vhost *plain, *tls;
    struct lws *current; /* whose hook is running */
    bool kill_current;
    bool tls_ok;
};

static struct transport *transport_of(struct lws *wsi)
{
    return lws_context_user(lws_get_context(wsi));
}

/* Runs one hook; returns -1 for libwebsockets to close the connection. */
static int run_hook(struct transport *t, struct lws *wsi, enum lws_callback_reasons reason,
                    uint8_t *data, size_t len)
{
    struct lws *outer = t->current;
    bool outer_kill = t->kill_current;
    void *user = lws_get_opaque_user_data(wsi);
    bool kill;

    t->current = wsi;
    t->kill_current = false;
    if (reason == LWS_CALLBACK_RAW_RX)
        t->hooks.rx(t->hooks.ctx, user, data, len);
    else if (reason == LWS_CALLBACK_RAW_WRITEABLE)
        t->hooks.writable(t->hooks.ctx, user);
    else
        t->hooks.closed(t->hooks.ctx, user);
    kill = t->kill_current;
    t->current = outer;
    t->kill_current = outer_kill;
    return kill ? -1 : 0;
}

static int on_event(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
                    size_t len)
{
    struct transport *t;

    switch (reason) {
    case LWS_CALLBACK_OPENSSL_LOAD_EXTRA_SERVER_VERIFY_CERTS:
        t = lws_context_user(lws_get_context(wsi));
        t->tls_ok = t->hooks.setup_tls(t->hooks.ctx, user);
        return t->tls_ok ? 0 : 1;
    case LWS_CALLBACK_RAW_RX:
        /* After a TLS accept libwebsockets gives the connection 5 s to become something it knows,
         * and would cut it then; the deadlines are ours. Costs one list look-up that finds nothing.
         */
        lws_set_timeout(wsi, NO_PENDING_TIMEOUT, 0);
        t = transport_of(wsi);
        if (lws_get_opaque_user_data(wsi) == NULL) return 0;
        return run_hook(t, wsi, reason, in, len);
    case LWS_CALLBACK_RAW_WRITEABLE:
    case LWS_CALLBACK_RAW_CLOSE:
        t = transport_of(wsi);
        if (lws_get_opaque_user_data(wsi) == NULL) return 0;
        return run_hook(t, wsi, reason, in, len);
    default: return 0;
    }
}

static const struct lws_protocols protocols[] = {
    /* tx_packet_size: one write is one system call, however long */
    { .name = "raw", .callback = on_event, .tx_packet_size = 1u << 20 },
    { 0 },
};

/* The library's own words say nothing an operator can use; its errors are worth a debug line. */
static void on_log(int level, const char *line)
{
    (void)level;
    gh_log(GH_LOG_DEBUG, "libwebsockets", "text=\"%.*s\"", (int)strcspn(line, "\n"), line);
}

static struct lws_vhost *make_vhost(struct transport *t, const char *name, bool tls)
{
    struct lws_context_creation_info info = { 0 };

    info.port = CONTEXT_PORT_NO_LISTEN_SERVER;
    info.vhost_name = name;
    info.protocols = protocols;
    info.gid = (gid_t)-1;
    info.uid = (uid_t)-1;
    if (tls)
        /* The certificate is ours to load (setup_tls), which CREATE_VHOST_SSL_CTX announces. */
        info.options =
            LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT | LWS_SERVER_OPTION_CREATE_VHOST_SSL_CTX;
    return lws_create_vhost(t->context, &info);
}

enum gh_err transport_new(uv_loop_t *loop, const struct transport_config *config,
                          struct transport **ret_transport)
{
    struct transport *t = calloc(1, sizeof *t);
    struct lws_context_creation_info info = { 0 };
    void *loops[1] = { loop };

    if (t == NULL) return GH_ERR_NOMEM;
    t->hooks = config->hooks;
    t->loop = loop;
    lws_set_log_level(LLL_ERR | LLL_WARN, on_log);
    info.port = CONTEXT_PORT_NO_LISTEN;
    info.gid = (gid_t)-1;
    info.uid = (uid_t)-1;
    info.user = t;
    /* Our own loop: libwebsockets' traps SIGSEGV and spins. */
    info.foreign_loops = loops;
    info.pt_serv_buf_size = READ_BUFFER_BYTES;
    info.fd_limit_per_thread = config->max_connections;
    info.options = LWS_SERVER_OPTION_LIBUV | LWS_SERVER_OPTION_EXPLICIT_VHOSTS |
                   LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT;
    t->context = lws_create_context(&info);
    if (t->context == NULL) {
        free(t);
        return GH_ERR_INTERNAL;
    }
    t->plain = make_vhost(t, "plain", false);
    if (config->tls) t->tls = make_vhost(t, "tls", true);
    if (t->plain == NULL || (config->tls && (t->tls == NULL || !t->tls_ok))) {
        enum gh_err err = t->plain == NULL ? GH_ERR_INTERNAL : GH_ERR_CRYPTO;

        transport_free(t);
        return err;
    }
    *ret_transport = t;
    return GH_OK;
}

void transport_free(struct transport *transport)
{
    if (transport == NULL) return;
    /* On a loop of ours it is done in two steps: the first closes its handles, the second, once the
     * loop has told it so, frees the rest. */
    lws_context_destroy(transport->context);
    for (int i = 0; i < DESTROY_TURNS; i++)
        (void)uv_run(transport->loop, UV_RUN_NOWAIT);
    lws_context_destroy(transport->context);
    free(transport);
}

struct lws *transport_adopt(struct transport *transport, int fd, bool tls, void *user)
{
    lws_adopt_desc_t info = { 0 };
    struct lws *outer = transport->current, *wsi;

    info.vh = tls ? transport->tls : transport->plain;
    info.type = LWS_ADOPT_SOCKET | (tls ? LWS_ADOPT_ALLOW_SSL : 0);
    info.fd.sockfd = fd;
    info.vh_prot_name = "raw";
    info.opaque = user;
    transport->current = NULL;
    wsi = lws_adopt_descriptor_vhost_via_info(&info);
    transport->current = outer;
    return wsi;
}

void transport_own_deadlines(struct lws *wsi)
{
    lws_set_timeout(wsi, NO_PENDING_TIMEOUT, 0);
}

bool transport_write(struct lws *wsi, uint8_t *data, size_t len)
{
    return lws_write(wsi, data, len, LWS_WRITE_RAW) >= 0;
}

bool transport_choked(struct lws *wsi)
{
    return lws_partial_buffered(wsi) != 0;
}

void transport_want_writable(struct lws *wsi)
{
    lws_callback_on_writable(wsi);
}

void transport_pause(struct lws *wsi, bool pause)
{
    (void)lws_rx_flow_control(wsi, pause ? 0 : 1);
}

void transport_finish(struct lws *wsi)
{
    SSL *ssl = lws_get_ssl(wsi);

    if (ssl != NULL) (void)SSL_shutdown(ssl);
    (void)shutdown(lws_get_socket_fd(wsi), SHUT_WR);
}

bool transport_over(struct lws *wsi)
{
    uint8_t dropped[4096];

    for (int i = 0; i < DROPS_PER_LOOK; i++) {
        const ssize_t n = recv(lws_get_socket_fd(wsi), dropped, sizeof dropped, MSG_DONTWAIT);

        if (n == 0) return true;
        if (n < 0) return errno != EAGAIN && errno != EINTR;
    }
    return false;
}

void transport_kill(struct transport *transport, struct lws *wsi)
{
    if (wsi == transport->current) {
        transport->kill_current = true;
        return;
    }
    lws_set_timeout(wsi, PENDING_TIMEOUT_USER_OK, LWS_TO_KILL_SYNC);
}

SSL *transport_tls(struct lws *wsi)
{
    return lws_get_ssl(wsi);
}

int transport_fd(struct lws *wsi)
{
    return lws_get_socket_fd(wsi);
}
