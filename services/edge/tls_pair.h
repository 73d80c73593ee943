/*
 * tls_pair - one certificate with its chain, its key and what its authority says of it.
 *
 * A pair is whole or not there: loading checks that the key belongs to the certificate, and that an
 * OCSP response is good, fresh and about this certificate. Reasons go to the log with the file's
 * name. Source: RFC 6066 section 8, RFC 6960 section 4.2.
 */
#ifndef EDGE_TLS_PAIR_H
#define EDGE_TLS_PAIR_H

#include "common/err.h"

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#define TLS_PAIRS_MAX 4

struct tls_pair {
    X509 *cert;
    EVP_PKEY *key;
    STACK_OF(X509) * chain;
    unsigned char *ocsp; /* DER, for stapling; NULL: none */
    size_t ocsp_len;
    time_t ocsp_until; /* after it nothing is stapled */
};

/* cert_file: PEM, the leaf first. ocsp_file: DER; "" for none. On GH_OK tls_pair_done is due.
 * Errors: GH_ERR_CRYPTO (on the log). */
GH_NODISCARD enum gh_err tls_pair_load(const char *cert_file, const char *key_file,
                                       const char *ocsp_file, struct tls_pair *ret_pair);
void tls_pair_done(struct tls_pair *pair); /* a zeroed one is a no-op */

/* Logs file and reason with OpenSSL's last error; returns GH_ERR_CRYPTO. */
enum gh_err tls_pair_fail(const char *file, const char *what);

#endif
