/*
 * tls - the server's TLS: which versions, ciphers and certificates.
 *
 * Certificates are given to each handshake by a callback, from a pair that was checked when it was
 * loaded. So a reload is one pointer: connections keep what they have, new handshakes see the new
 * pair, and a pair that does not match never gets in.
 */
#ifndef EDGE_TLS_H
#define EDGE_TLS_H

#include "config.h"

#include <openssl/ssl.h>

struct tls;

/* Loads and checks; reasons go to the log. Errors: GH_ERR_CRYPTO, GH_ERR_NOMEM. */
GH_NODISCARD enum gh_err tls_new(const struct edge_tls_config *config, struct tls **ret_tls);
void tls_free(struct tls *tls); /* NULL is a no-op */
bool tls_setup(struct tls *tls, SSL_CTX *ctx);
/* Reads the files again. On failure what is in use stays in use. */
GH_NODISCARD enum gh_err tls_reload(struct tls *tls);

#endif
