#include "common/admin.h"

#include "common/admin_http.h"
#include "common/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define CONNS_MAX   16
#define CHECKS_MAX  32
#define BACKLOG     32
#define HEAD_MS     2000 /* to send the head */
#define ANSWER_MS   5000 /* to take the answer */
#define LINGER_MS   1000 /* to close after it */
#define BUFFER_SIZE 1024

union stream {
    uv_handle_t handle;
    uv_stream_t stream;
    uv_tcp_t tcp;
    uv_pipe_t pipe;
};

struct conn {
    struct conn *next;
    struct gh_admin *admin;
    union stream peer;
    uv_timer_t timer;
    uv_write_t write;
    uv_shutdown_t shutdown;
    struct admin_head head;
    unsigned open_handles;
    bool closing, answered;
    char *answer;
    char buffer[BUFFER_SIZE];
};

struct check {
    char *name;
    gh_ready_fn fn;
    void *ctx;
};

struct gh_admin {
    uv_loop_t *loop;
    struct gh_metrics *metrics;
    union stream listener;
    bool listener_open; /* needs uv_close */
    bool closing;
    char *socket_path;  /* to unlink */
    struct conn *conns; /* newest first */
    unsigned conn_count;
    struct check checks[CHECKS_MAX];
    size_t check_count;
};

static void admin_release(struct gh_admin *admin)
{
    if (!admin->closing || admin->listener_open || admin->conns != NULL) return;
    for (size_t i = 0; i < admin->check_count; i++)
        free(admin->checks[i].name);
    free(admin);
}

static void on_conn_closed(uv_handle_t *handle)
{
    struct conn *conn = handle->data;
    struct gh_admin *admin = conn->admin;

    if (--conn->open_handles > 0) return;
    for (struct conn **at = &admin->conns; *at != NULL; at = &(*at)->next) {
        if (*at != conn) continue;
        *at = conn->next;
        break;
    }
    free(conn->answer);
    free(conn);
    admin_release(admin);
}

static void conn_close(struct conn *conn)
{
    if (conn->closing) return;
    conn->closing = true;
    conn->admin->conn_count--;
    uv_close(&conn->peer.handle, on_conn_closed);
    uv_close((uv_handle_t *)&conn->timer, on_conn_closed);
}

static void on_deadline(uv_timer_t *timer)
{
    conn_close(timer->data);
}

static void on_shutdown(uv_shutdown_t *req, int status)
{
    struct conn *conn = req->handle->data;

    /* Closing with unread bytes would reset the connection and could take the answer with it: read
     * on until the peer closes, for a moment. */
    if (status != 0)
        conn_close(conn);
    else if (!conn->closing)
        uv_timer_start(&conn->timer, on_deadline, LINGER_MS, 0);
}

static void on_written(uv_write_t *req, int status)
{
    struct conn *conn = req->handle->data;

    if (conn->closing) return;
    if (status != 0 || uv_shutdown(&conn->shutdown, &conn->peer.stream, on_shutdown) != 0)
        conn_close(conn);
}

/* The names of the failing checks, one a line, or "ready". */
static unsigned ready_body(const struct gh_admin *admin, char **ret_body, size_t *ret_len)
{
    char *body = NULL;
    size_t len = 0;
    unsigned failing = 0;
    FILE *out = open_memstream(&body, &len);

    if (out == NULL) return 500;
    for (size_t i = 0; i < admin->check_count; i++) {
        const struct check *check = &admin->checks[i];

        if (check->fn(check->ctx)) continue;
        failing++;
        fprintf(out, "%s\n", check->name);
    }
    if (failing == 0) fputs("ready\n", out);
    if (fclose(out) != 0) {
        free(body);
        return 500;
    }
    *ret_body = body;
    *ret_len = len;
    return failing == 0 ? 200 : 503;
}

static void answer(struct conn *conn, unsigned status)
{
    const struct gh_admin *admin = conn->admin;
    const char *path = conn->head.path;
    const char *type = "text/plain; charset=utf-8";
    char *body = NULL;
    size_t body_len = 0, len = 0;

    if (status == 200 && strcmp(path, "/readyz") == 0) {
        status = ready_body(admin, &body, &body_len);
    } else if (status == 200 && strcmp(path, "/metrics") == 0) {
        type = "text/plain; version=0.0.4; charset=utf-8";
        if (gh_metrics_text(admin->metrics, &body, &body_len) != GH_OK) status = 500;
    } else if (status == 200 && strcmp(path, "/healthz") == 0) {
        body = strdup("ok\n");
        body_len = body != NULL ? 3 : 0;
    } else if (status == 200) {
        status = 404;
    }

    const enum gh_err err = admin_answer(status, type, body, body_len, admin_head_only(&conn->head),
                                         &conn->answer, &len);
    free(body);
    conn->answered = true;
    uv_timer_start(&conn->timer, on_deadline, ANSWER_MS, 0);
    const uv_buf_t buf = uv_buf_init(conn->answer, (unsigned)len);
    if (err != GH_OK || uv_write(&conn->write, &conn->peer.stream, &buf, 1, on_written) != 0)
        conn_close(conn);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct conn *conn = handle->data;

    (void)suggested;
    *buf = uv_buf_init(conn->buffer, sizeof conn->buffer);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct conn *conn = stream->data;

    if (n < 0) {
        if (conn->answered && n == UV_EOF && uv_stream_get_write_queue_size(stream) > 0)
            uv_read_stop(stream); /* it half-closed and still takes the answer */
        else
            conn_close(conn);
    } else if (n > 0 && !conn->answered) {
        const unsigned status = admin_head_feed(&conn->head, buf->base, (size_t)n);

        if (status != 0) answer(conn, status);
    }
}

static void evict_oldest(struct gh_admin *admin)
{
    struct conn *oldest = NULL;

    for (struct conn *conn = admin->conns; conn != NULL; conn = conn->next)
        if (!conn->closing) oldest = conn;
    if (oldest != NULL) conn_close(oldest);
}

static void on_connection(uv_stream_t *listener, int status)
{
    struct gh_admin *admin = listener->data;

    if (status != 0 || admin->closing) return;
    struct conn *conn = calloc(1, sizeof *conn);
    if (conn == NULL) return; /* answers no more: whoever watches /healthz sees it */
    conn->admin = admin;
    const bool tcp = listener->type == UV_TCP;
    if ((tcp ? uv_tcp_init(admin->loop, &conn->peer.tcp)
             : uv_pipe_init(admin->loop, &conn->peer.pipe, 0)) != 0) {
        free(conn);
        return;
    }
    uv_timer_init(admin->loop, &conn->timer);
    conn->peer.handle.data = conn;
    conn->timer.data = conn;
    conn->open_handles = 2;
    conn->next = admin->conns;
    admin->conns = conn;
    admin->conn_count++;
    admin_head_init(&conn->head);

    /* The oldest makes room: a client that only sits there must not keep a health check out. */
    if (admin->conn_count > CONNS_MAX) evict_oldest(admin);
    if (uv_accept(listener, &conn->peer.stream) != 0 ||
        uv_read_start(&conn->peer.stream, on_alloc, on_read) != 0) {
        conn_close(conn);
        return;
    }
    uv_timer_start(&conn->timer, on_deadline, HEAD_MS, 0);
}

/* A socket file nobody answers on is left from a crash; one that answers is somebody else's. */
static enum gh_err clear_stale(const char *path)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    struct stat st = { 0 };

    if (strlen(path) >= sizeof address.sun_path) {
        gh_log(GH_LOG_ERROR, "admin_listen_failed", "path=%s reason=\"path too long\"", path);
        return GH_ERR_LIMIT;
    }
    if (lstat(path, &st) != 0) return GH_OK;
    if (!S_ISSOCK(st.st_mode)) {
        gh_log(GH_LOG_ERROR, "admin_listen_failed", "path=%s reason=\"not a socket\"", path);
        return GH_ERR_EXISTS;
    }
    strcpy(address.sun_path, path);
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) return GH_ERR_IO;
    const bool alive =
        connect(fd, (struct sockaddr *)&address, sizeof address) == 0 || errno == EAGAIN;
    close(fd);
    if (alive) {
        gh_log(GH_LOG_ERROR, "admin_listen_failed", "path=%s reason=\"in use\"", path);
        return GH_ERR_EXISTS;
    }
    return unlink(path) == 0 || errno == ENOENT ? GH_OK : GH_ERR_IO;
}

static enum gh_err listen_unix(struct gh_admin *admin, const char *path)
{
    enum gh_err err = clear_stale(path);

    if (err != GH_OK) return err;
    if (uv_pipe_init(admin->loop, &admin->listener.pipe, 0) != 0) return GH_ERR_IO;
    admin->listener_open = true;
    const mode_t old = umask(0177); /* 0600 from the very bind on */
    const int bound = uv_pipe_bind(&admin->listener.pipe, path);
    umask(old);
    if (bound != 0) {
        gh_log(GH_LOG_ERROR, "admin_listen_failed", "path=%s reason=\"%s\"", path,
               uv_strerror(bound));
        return GH_ERR_IO;
    }
    return GH_OK;
}

static enum gh_err listen_tcp(struct gh_admin *admin, const char *address)
{
    const char *colon = strrchr(address, ':');
    char host[64] = "";
    char *end = NULL;
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } sa;
    size_t host_len = colon != NULL ? (size_t)(colon - address) : 0;
    const unsigned long port = colon != NULL ? strtoul(colon + 1, &end, 10) : 0;

    if (host_len >= 2 && address[0] == '[' && address[host_len - 1] == ']') {
        address++;
        host_len -= 2;
    }
    if (host_len > 0 && host_len < sizeof host) memcpy(host, address, host_len);
    if (end == NULL || colon[1] < '0' || colon[1] > '9' || *end != '\0' || port > 65535 ||
        (uv_ip4_addr(host, (int)port, &sa.v4) != 0 && uv_ip6_addr(host, (int)port, &sa.v6) != 0)) {
        gh_log(GH_LOG_ERROR, "admin_listen_failed",
               "endpoint=tcp:%s reason=\"write tcp:ADDRESS:PORT\"", address);
        return GH_ERR_CONFIG;
    }
    if (uv_tcp_init(admin->loop, &admin->listener.tcp) != 0) return GH_ERR_IO;
    admin->listener_open = true;
    const int bound = uv_tcp_bind(&admin->listener.tcp, &sa.any, 0);
    if (bound != 0) {
        gh_log(GH_LOG_ERROR, "admin_listen_failed", "endpoint=tcp:%s reason=\"%s\"", address,
               uv_strerror(bound));
        return GH_ERR_IO;
    }
    return GH_OK;
}

enum gh_err gh_admin_new(uv_loop_t *loop, const char *endpoint, struct gh_metrics *metrics,
                         struct gh_admin **ret_admin)
{
    struct gh_admin *admin = calloc(1, sizeof *admin);
    enum gh_err err = GH_ERR_CONFIG;

    if (admin == NULL) return GH_ERR_NOMEM;
    admin->loop = loop;
    admin->metrics = metrics;
    if (strncmp(endpoint, "unix:", 5) == 0)
        err = listen_unix(admin, endpoint + 5);
    else if (strncmp(endpoint, "tcp:", 4) == 0)
        err = listen_tcp(admin, endpoint + 4);
    else
        gh_log(GH_LOG_ERROR, "admin_listen_failed",
               "endpoint=%s reason=\"write unix:PATH or tcp:ADDRESS:PORT\"", endpoint);
    if (admin->listener_open) admin->listener.handle.data = admin;
    if (err == GH_OK) {
        const int listening = uv_listen(&admin->listener.stream, BACKLOG, on_connection);

        if (listening != 0) {
            gh_log(GH_LOG_ERROR, "admin_listen_failed", "endpoint=%s reason=\"%s\"", endpoint,
                   uv_strerror(listening));
            err = listening == UV_EADDRINUSE ? GH_ERR_EXISTS : GH_ERR_IO;
        }
    }
    if (err != GH_OK) {
        gh_admin_free(admin);
        return err;
    }
    *ret_admin = admin;
    return GH_OK;
}

static void on_listener_closed(uv_handle_t *handle)
{
    struct gh_admin *admin = handle->data;

    admin->listener_open = false;
    admin_release(admin);
}

void gh_admin_free(struct gh_admin *admin)
{
    if (admin == NULL || admin->closing) return;
    admin->closing = true;
    for (struct conn *conn = admin->conns; conn != NULL; conn = conn->next)
        conn_close(conn);
    if (admin->listener_open)
        uv_close(&admin->listener.handle, on_listener_closed); /* libuv unlinks the socket file */
    else
        admin_release(admin);
}

void gh_admin_add_check(struct gh_admin *admin, const char *name, gh_ready_fn fn, void *ctx)
{
    char *copy = strdup(name);

    if (copy == NULL || admin->check_count == CHECKS_MAX) abort(); /* at start, from fixed lists */
    admin->checks[admin->check_count++] = (struct check){ copy, fn, ctx };
}

bool gh_admin_ready(const struct gh_admin *admin)
{
    for (size_t i = 0; i < admin->check_count; i++)
        if (!admin->checks[i].fn(admin->checks[i].ctx)) return false;
    return true;
}
