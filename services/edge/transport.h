/*
 * transport - TCP and TLS under the connections, by libwebsockets in its raw role.
 *
 * The only module that knows libwebsockets. It runs on the service's loop, takes over accepted
 * sockets, hands up decrypted bytes in a buffer shared by all connections (valid and writable
 * during the hook only) and writes when asked. See services/edge/README.md for what of
 * libwebsockets 4.1.6 is worked around here and why.
 *
 * Hooks are called from the loop. A hook may write, pause, resume or kill any connection; killing
 * the connection whose hook runs takes effect when the hook returns, killing another one at once.
 */
#ifndef EDGE_TRANSPORT_H
#define EDGE_TRANSPORT_H

#include "common/err.h"

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

struct transport;
struct lws;

struct transport_hooks {
    void *ctx;
    void (*rx)(void *ctx, void *user, uint8_t *data, size_t len);
    void (*writable)(void *ctx, void *user); /* after a write that could not go out whole */
    void (*closed)(void *ctx, void *user);   /* once, for every connection that was adopted */
    /* Sets up the server's TLS context; false: it cannot be used. NULL: no TLS. */
    bool (*setup_tls)(void *ctx, SSL_CTX *tls);
};

struct transport_config {
    struct transport_hooks hooks;
    uint32_t max_connections; /* sockets in all, other descriptors of the process included */
    bool tls;
};

/* Errors: GH_ERR_CRYPTO when TLS cannot be set up, GH_ERR_INTERNAL. */
GH_NODISCARD enum gh_err transport_new(uv_loop_t *loop, const struct transport_config *config,
                                       struct transport **ret_transport);
/* Closes what is left, with its hooks; run the loop after. */
void transport_free(struct transport *transport);

/* Takes over fd, whatever comes of it. NULL: it could not, and fd is closed; hooks.closed may or
 * may not have been called, which *user's owner tells by its own state. */
struct lws *transport_adopt(struct transport *transport, int fd, bool tls, void *user);

/* Takes libwebsockets' timeout off: after adoption, since its list of them is sorted by walking it,
 * which a thousand handshakes under way make dear, and all of one moment's would be cut in one
 * turn; and when the first bytes have come, since it sets another after a TLS handshake. */
void transport_own_deadlines(struct lws *wsi);
/* Sends or keeps all of it. False: the connection is broken and about to close. */
bool transport_write(struct lws *wsi, uint8_t *data, size_t len);
/* Something of the last write is still waiting: writing more only makes it longer. */
bool transport_choked(struct lws *wsi);
void transport_want_writable(struct lws *wsi);
void transport_pause(struct lws *wsi, bool pause); /* stops reading its socket */
/* Says that no more comes (close_notify and FIN); what the peer still sends is to be read. */
void transport_finish(struct lws *wsi);
/* Drops what has come on a paused one, unread, so that closing it resets nothing (RFC 9112 section
 * 9.6). True: the peer has closed, too, or the connection is broken. */
bool transport_over(struct lws *wsi);
void transport_kill(struct transport *transport, struct lws *wsi);
SSL *transport_tls(struct lws *wsi); /* NULL for a plain connection */
int transport_fd(struct lws *wsi);

#endif
