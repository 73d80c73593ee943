/*
 * conn - one WebSocket client connection that does no more than a load generator needs.
 *
 * Non-blocking over TCP or TLS. The server's handshake answer is checked for status and
 * Sec-WebSocket-Accept; its frames for masking and reserved bits. Whole messages are handed to
 * on_message; pings are answered. What is sent gathers in a buffer until conn_flush.
 * Single-threaded.
 *
 * Source: RFC 6455 sections 4.1 and 5.
 */
#ifndef WSBENCH_CONN_H
#define WSBENCH_CONN_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum conn_state { CONN_NEW, CONN_CONNECTING, CONN_TLS, CONN_UPGRADE, CONN_OPEN, CONN_CLOSED };

struct conn_buf {
    unsigned char *data;
    size_t off, len, cap;
};

struct conn {
    int fd;
    enum conn_state state;
    SSL *ssl;
    unsigned index;
    uint64_t started_ns;
    struct conn_buf in, out, message; /* message: the fragments so far */
    bool want_write, fragmented;
    char accept[29]; /* the Sec-WebSocket-Accept to expect */
    int http_status; /* of the handshake's answer; 0 before */
    int close_code;  /* from the server's Close; 0 without */
    void *user;
};

struct conn_target {
    const char *host; /* an IPv4 loopback address */
    uint16_t port;
    const char *path;
    const char *headers;   /* extra header lines, each ended by CRLF */
    SSL_CTX *tls;          /* NULL: plain */
    unsigned source_count; /* spread over 127.0.0.1 .. 127.0.0.N; 0: the kernel chooses */
    int epoll;
};

struct conn_events {
    void (*on_open)(struct conn *conn);
    void (*on_message)(struct conn *conn, const unsigned char *data, size_t len);
};

/* Begins connecting; token may be NULL, else it goes into an Authorization header. False: failed at
 * once, conn is CONN_CLOSED. */
bool conn_start(struct conn *conn, const struct conn_target *target, const char *token);
/* Handles what epoll reported. False: the connection has ended and conn_close must follow. */
bool conn_io(struct conn *conn, const struct conn_target *target, const struct conn_events *events,
             uint32_t ready);
void conn_send_text(struct conn *conn, const char *text, size_t len);
bool conn_flush(struct conn *conn, const struct conn_target *target);
/* Frees all but the struct. reset: RST instead of FIN, so that ports do not wait. */
void conn_close(struct conn *conn, bool reset);
uint64_t conn_now_ns(void);

#endif
