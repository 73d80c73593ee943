#include "conn.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MESSAGE_MAX (16u << 20)
#define READ_CHUNK  65536u

#ifndef IP_BIND_ADDRESS_NO_PORT
#define IP_BIND_ADDRESS_NO_PORT 24
#endif

/* All connections read through one buffer: what 20,000 idle ones cost here is not the question. */
static unsigned char scratch[READ_CHUNK];

uint64_t conn_now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void *must(void *p)
{
    if (p == NULL) {
        fprintf(stderr, "wsbench: out of memory\n");
        exit(2);
    }
    return p;
}

static void buf_put(struct conn_buf *b, const void *data, size_t len)
{
    if (b->off == b->len) b->off = b->len = 0;
    if (b->len + len > b->cap) {
        b->cap = (b->len + len) * 2;
        b->data = must(realloc(b->data, b->cap));
    }
    memcpy(b->data + b->len, data, len);
    b->len += len;
}

static void buf_take(struct conn_buf *b, size_t len)
{
    b->off += len;
    if (b->off == b->len) {
        b->off = b->len = 0;
    } else if (b->off > 65536) {
        memmove(b->data, b->data + b->off, b->len - b->off);
        b->len -= b->off;
        b->off = 0;
    }
}

static void buf_done(struct conn_buf *b)
{
    free(b->data);
    *b = (struct conn_buf){ 0 };
}

/* xorshift is enough for masks (they guard proxies, not secrets) and costs nothing. */
static uint32_t next_mask(void)
{
    static uint64_t s;
    if (s == 0 && getrandom(&s, sizeof s, 0) != (ssize_t)sizeof s) s = 88172645463325252u;
    s ^= s << 13;
    s ^= s >> 7;
    s ^= s << 17;
    return (uint32_t)s;
}

static void put_frame(struct conn *conn, unsigned opcode, const void *data, size_t len)
{
    unsigned char head[14] = { (unsigned char)(0x80u | opcode) };
    size_t n = 2;
    if (len < 126) {
        head[1] = (unsigned char)(0x80u | len);
    } else if (len < 65536) {
        head[1] = 0x80 | 126;
        head[n++] = (unsigned char)(len >> 8);
        head[n++] = (unsigned char)len;
    } else {
        head[1] = 0x80 | 127;
        for (int shift = 56; shift >= 0; shift -= 8)
            head[n++] = (unsigned char)((uint64_t)len >> shift);
    }
    uint32_t mask = next_mask();
    memcpy(head + n, &mask, 4);
    buf_put(&conn->out, head, n + 4);
    buf_put(&conn->out, data, len);

    unsigned char *p = conn->out.data + conn->out.len - len;
    uint64_t wide = (uint64_t)mask << 32 | mask, word;
    size_t i = 0;
    for (; i + 8 <= len; i += 8) {
        memcpy(&word, p + i, 8);
        word ^= wide;
        memcpy(p + i, &word, 8);
    }
    for (; i < len; i++)
        p[i] ^= ((const unsigned char *)&mask)[i & 3];
}

void conn_send_text(struct conn *conn, const char *text, size_t len)
{
    put_frame(conn, 1, text, len);
}

static void arm(struct conn *conn, int epoll, bool want_write)
{
    if (conn->want_write == want_write) return;
    conn->want_write = want_write;
    struct epoll_event ev = { .events = EPOLLIN | (want_write ? EPOLLOUT : 0), .data.ptr = conn };
    epoll_ctl(epoll, EPOLL_CTL_MOD, conn->fd, &ev);
}

bool conn_start(struct conn *conn, const struct conn_target *target, const char *token)
{
    conn->started_ns = conn_now_ns();
    conn->http_status = conn->close_code = 0;
    conn->fragmented = false;
    conn->state = CONN_CLOSED;
    conn->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (conn->fd < 0) return false;
    int one = 1;
    setsockopt(conn->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (target->source_count > 0) {
        struct sockaddr_in src = { .sin_family = AF_INET };
        src.sin_addr.s_addr = htonl(0x7f000001u + conn->index % target->source_count);
        setsockopt(conn->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
        if (bind(conn->fd, (struct sockaddr *)&src, sizeof src) != 0) goto fail;
    }
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(target->port) };
    if (inet_pton(AF_INET, target->host, &to.sin_addr) != 1) goto fail;
    if (connect(conn->fd, (struct sockaddr *)&to, sizeof to) != 0 && errno != EINPROGRESS)
        goto fail;
    struct epoll_event ev = { .events = EPOLLIN | EPOLLOUT, .data.ptr = conn };
    conn->want_write = true;
    if (epoll_ctl(target->epoll, EPOLL_CTL_ADD, conn->fd, &ev) != 0) goto fail;

    unsigned char nonce[16], digest[20];
    char key[25], joined[64];
    if (RAND_bytes(nonce, sizeof nonce) != 1) goto fail;
    EVP_EncodeBlock((unsigned char *)key, nonce, sizeof nonce);
    int n = snprintf(joined, sizeof joined, "%s258EAFA5-E914-47DA-95CA-C5AB0DC85B11", key);
    EVP_Digest(joined, (size_t)n, digest, NULL, EVP_sha1(), NULL);
    EVP_EncodeBlock((unsigned char *)conn->accept, digest, sizeof digest);

    char head[24576];
    n = snprintf(head, sizeof head,
                 "GET %s HTTP/1.1\r\nHost: %s:%u\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                 "Sec-WebSocket-Key: %s\r\nSec-WebSocket-Version: 13\r\n%s%s%s%s\r\n",
                 target->path, target->host, target->port, key,
                 token ? "Authorization: Bearer " : "", token ? token : "", token ? "\r\n" : "",
                 target->headers);
    if (n < 0 || (size_t)n >= sizeof head) goto fail;
    buf_put(&conn->out, head, (size_t)n);
    conn->state = CONN_CONNECTING;
    return true;
fail:
    close(conn->fd);
    conn->fd = -1;
    return false;
}

void conn_close(struct conn *conn, bool reset)
{
    if (conn->state == CONN_CLOSED || conn->state == CONN_NEW) return;
    SSL_free(conn->ssl);
    conn->ssl = NULL;
    if (reset) {
        struct linger now = { .l_onoff = 1, .l_linger = 0 };
        setsockopt(conn->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    }
    close(conn->fd);
    conn->fd = -1;
    conn->state = CONN_CLOSED;
    buf_done(&conn->in);
    buf_done(&conn->out);
    buf_done(&conn->message);
}

/* Up to size bytes; 0: would block, -1: ended. */
static ssize_t receive(struct conn *conn, void *dst, size_t size)
{
    if (conn->ssl != NULL) {
        int n = SSL_read(conn->ssl, dst, (int)size);
        if (n > 0) return n;
        int why = SSL_get_error(conn->ssl, n);
        return why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE ? 0 : -1;
    }
    ssize_t n = read(conn->fd, dst, size);
    if (n > 0) return n;
    return n < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : -1;
}

bool conn_flush(struct conn *conn, const struct conn_target *target)
{
    if (conn->state != CONN_UPGRADE && conn->state != CONN_OPEN) return true;
    while (conn->out.off < conn->out.len) {
        const unsigned char *p = conn->out.data + conn->out.off;
        size_t len = conn->out.len - conn->out.off;
        ssize_t n;
        if (conn->ssl != NULL) {
            n = SSL_write(conn->ssl, p, (int)len);
            if (n <= 0) {
                int why = SSL_get_error(conn->ssl, (int)n);
                if (why != SSL_ERROR_WANT_WRITE && why != SSL_ERROR_WANT_READ) return false;
                arm(conn, target->epoll, true);
                return true;
            }
        } else {
            n = write(conn->fd, p, len);
            if (n < 0) {
                if (errno != EAGAIN && errno != EINTR) return false;
                arm(conn, target->epoll, true);
                return true;
            }
        }
        buf_take(&conn->out, (size_t)n);
    }
    arm(conn, target->epoll, false);
    return true;
}

/* True once the whole answer is there and right; *ret_bad when it is wrong. */
static bool upgraded(struct conn *conn, bool *ret_bad)
{
    char *head = (char *)conn->in.data + conn->in.off;
    char *end = memmem(head, conn->in.len - conn->in.off, "\r\n\r\n", 4);
    if (end == NULL) return false;
    *end = '\0';
    char *accept = strcasestr(head, "\r\nSec-WebSocket-Accept:");
    conn->http_status = strncmp(head, "HTTP/1.1 ", 9) == 0 ? (int)strtol(head + 9, NULL, 10) : -1;
    if (accept != NULL) accept += strspn(accept + 23, " \t") + 23;
    if (conn->http_status != 101 || accept == NULL || strncmp(accept, conn->accept, 28) != 0) {
        *ret_bad = true;
        return false;
    }
    buf_take(&conn->in, (size_t)(end - head) + 4);
    return true;
}

/* Handles one whole frame of the buffer. 1: did, 0: more bytes are needed, -1: the end. */
static int take_frame(struct conn *conn, const struct conn_events *events)
{
    const unsigned char *p = conn->in.data + conn->in.off;
    size_t have = conn->in.len - conn->in.off, head = 2;
    if (have < 2) return 0;
    if ((p[0] & 0x70) != 0 || (p[1] & 0x80) != 0) return -1;
    uint64_t len = p[1] & 127u;
    if (len == 126) {
        head = 4;
        if (have < head) return 0;
        len = (uint64_t)p[2] << 8 | p[3];
    } else if (len == 127) {
        head = 10;
        if (have < head) return 0;
        len = 0;
        for (int i = 2; i < 10; i++)
            len = len << 8 | p[i];
    }
    if (len > MESSAGE_MAX) return -1;
    if (have < head + len) return 0;
    const unsigned char *data = p + head;
    bool fin = (p[0] & 0x80) != 0;
    switch (p[0] & 15) {
    case 0:
    case 1:
    case 2:
        if (fin && !conn->fragmented) {
            events->on_message(conn, data, len);
        } else {
            buf_put(&conn->message, data, len);
            conn->fragmented = !fin;
            if (fin) {
                events->on_message(conn, conn->message.data, conn->message.len);
                conn->message.len = 0;
            }
        }
        break;
    case 8:
        if (len >= 2) conn->close_code = data[0] << 8 | data[1];
        return -1;
    case 9: put_frame(conn, 10, data, len); break;
    case 10: break;
    default: return -1;
    }
    if (conn->state == CONN_CLOSED) return -1;
    buf_take(&conn->in, head + len);
    return 1;
}

static bool take_all(struct conn *conn, const struct conn_events *events)
{
    if (conn->state == CONN_UPGRADE) {
        bool bad = false;
        if (!upgraded(conn, &bad)) return !bad;
        conn->state = CONN_OPEN;
        buf_done(&conn->out); /* it held the head, token and all */
        events->on_open(conn);
    }
    int more = 1;
    while (conn->state == CONN_OPEN && more == 1)
        more = take_frame(conn, events);
    return more >= 0 && conn->state == CONN_OPEN;
}

bool conn_io(struct conn *conn, const struct conn_target *target, const struct conn_events *events,
             uint32_t ready)
{
    if (conn->state == CONN_CONNECTING) {
        int err = 0;
        socklen_t len = sizeof err;
        getsockopt(conn->fd, SOL_SOCKET, SO_ERROR, &err, &len);
        if (err != 0) return false;
        if ((ready & EPOLLOUT) == 0) return true;
        if (target->tls != NULL) {
            conn->ssl = must(SSL_new(target->tls));
            SSL_set_fd(conn->ssl, conn->fd);
            SSL_set_connect_state(conn->ssl);
            conn->state = CONN_TLS;
        } else {
            conn->state = CONN_UPGRADE;
        }
    }
    if (conn->state == CONN_TLS) {
        int n = SSL_do_handshake(conn->ssl);
        if (n != 1) {
            int why = SSL_get_error(conn->ssl, n);
            if (why != SSL_ERROR_WANT_READ && why != SSL_ERROR_WANT_WRITE) return false;
            arm(conn, target->epoll, why == SSL_ERROR_WANT_WRITE);
            return true;
        }
        conn->state = CONN_UPGRADE;
    }
    if ((ready & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) {
        for (;;) {
            ssize_t n = receive(conn, scratch, sizeof scratch);
            if (n < 0) return false;
            if (n == 0) break;
            buf_put(&conn->in, scratch, (size_t)n);
            if (!take_all(conn, events)) return false;
            if (conn->ssl == NULL && (size_t)n < sizeof scratch) break;
        }
    }
    return conn_flush(conn, target);
}
