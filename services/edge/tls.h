/*
 * tls - the server's TLS: versions, ciphers, certificates, session tickets, client certificates.
 *
 * Which versions, suites and groups are spoken is configuration (edge.tls); renegotiation and
 * compression are never. Certificates are given to each handshake by a callback, from pairs that
 * were checked when they were loaded. So a reload is one step: connections keep what they have, new
 * handshakes see the new pairs, and a pair that does not match never gets in. Several pairs stand
 * side by side, one for each kind of key; OpenSSL takes the one the client can verify.
 *
 * ALPN: http/1.1 is the only protocol; a client that offers only others is refused by alert.
 */
#ifndef EDGE_TLS_H
#define EDGE_TLS_H

#include "config.h"

#include <openssl/ssl.h>

struct tls;

/* Loads and checks; reasons go to the log. config must outlive it. Errors: GH_ERR_CRYPTO,
 * GH_ERR_NOMEM. */
GH_NODISCARD enum gh_err tls_new(const struct edge_tls_config *config, struct tls **ret_tls);
void tls_free(struct tls *tls); /* NULL is a no-op */
bool tls_setup(struct tls *tls, SSL_CTX *ctx);
/* After libwebsockets has made its virtual host: what it sets itself, in its own way. */
void tls_finish(struct tls *tls);
/* Reads the files of config and takes its lists, for what may change at run time (not
 * session_tickets). On failure what is in use stays in use. */
GH_NODISCARD enum gh_err tls_reload(struct tls *tls, const struct edge_tls_config *config);

/* The client's certificate as DER, when it showed one and it was verified: *ret_der is malloc'd.
 * False: there is none. */
bool tls_client_certificate(SSL *ssl, uint8_t **ret_der, size_t *ret_len);

#endif
