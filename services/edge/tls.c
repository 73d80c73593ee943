#include "tls.h"

#include "common/log.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdlib.h>

/* Forward secrecy and AEAD only (Mozilla "intermediate" without DHE). */
#define CIPHERS_12                                                                                 \
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"                                   \
    "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"                                   \
    "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"
#define CIPHERS_13 "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"
#define GROUPS     "X25519:P-256:P-384"

struct pair {
    X509 *cert;
    EVP_PKEY *key;
    STACK_OF(X509) * chain;
};

struct tls {
    const struct edge_tls_config *config;
    struct pair pair;
};

static void pair_done(struct pair *pair)
{
    X509_free(pair->cert);
    EVP_PKEY_free(pair->key);
    sk_X509_pop_free(pair->chain, X509_free);
}

static enum gh_err fail(const char *file, const char *what)
{
    char text[160];
    unsigned long code = ERR_get_error();

    ERR_error_string_n(code, text, sizeof text);
    gh_log(GH_LOG_ERROR, "tls_load_failed", "file=%s error=\"%s\" detail=\"%s\"", file, what,
           code != 0 ? text : "");
    ERR_clear_error();
    return GH_ERR_CRYPTO;
}

static enum gh_err load_chain(const char *file, struct pair *pair)
{
    BIO *bio = BIO_new_file(file, "r");
    X509 *cert;

    if (bio == NULL) return fail(file, "cannot be read");
    pair->cert = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    pair->chain = sk_X509_new_null();
    while (pair->cert != NULL && pair->chain != NULL &&
           (cert = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL)
        if (sk_X509_push(pair->chain, cert) == 0) X509_free(cert);
    BIO_free(bio);
    if (pair->cert == NULL || pair->chain == NULL) return fail(file, "holds no certificate");
    ERR_clear_error(); /* the end of the file is one, to PEM_read */
    return GH_OK;
}

static enum gh_err load_key(const char *file, struct pair *pair)
{
    BIO *bio = BIO_new_file(file, "r");

    if (bio == NULL) return fail(file, "cannot be read");
    pair->key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
    BIO_free(bio);
    return pair->key != NULL ? GH_OK : fail(file, "holds no private key");
}

static enum gh_err load_pair(const struct edge_tls_config *config, struct pair *ret_pair)
{
    struct pair pair = { 0 };
    enum gh_err err = load_chain(config->cert_file, &pair);

    if (err == GH_OK) err = load_key(config->key_file, &pair);
    if (err == GH_OK && X509_check_private_key(pair.cert, pair.key) != 1)
        err = fail(config->key_file, "does not belong to the certificate");
    if (err != GH_OK) {
        pair_done(&pair);
        return err;
    }
    *ret_pair = pair;
    return GH_OK;
}

enum gh_err tls_new(const struct edge_tls_config *config, struct tls **ret_tls)
{
    struct tls *tls = calloc(1, sizeof *tls);
    enum gh_err err;

    if (tls == NULL) return GH_ERR_NOMEM;
    tls->config = config;
    err = load_pair(config, &tls->pair);
    if (err != GH_OK) {
        free(tls);
        return err;
    }
    *ret_tls = tls;
    return GH_OK;
}

void tls_free(struct tls *tls)
{
    if (tls == NULL) return;
    pair_done(&tls->pair);
    free(tls);
}

enum gh_err tls_reload(struct tls *tls)
{
    struct pair pair = { 0 };
    enum gh_err err = load_pair(tls->config, &pair);

    if (err != GH_OK) return err;
    pair_done(&tls->pair);
    tls->pair = pair;
    gh_log(GH_LOG_INFO, "tls_reloaded", "file=%s", tls->config->cert_file);
    return GH_OK;
}

/* Each handshake takes references of its own. */
static int give_certificate(SSL *ssl, void *arg)
{
    const struct tls *tls = arg;

    return SSL_use_cert_and_key(ssl, tls->pair.cert, tls->pair.key, tls->pair.chain, 1) == 1;
}

bool tls_setup(struct tls *tls, SSL_CTX *ctx)
{
    bool ok = SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) == 1 &&
              SSL_CTX_set_max_proto_version(ctx, TLS1_3_VERSION) == 1 &&
              SSL_CTX_set_cipher_list(ctx, CIPHERS_12) == 1 &&
              SSL_CTX_set_ciphersuites(ctx, CIPHERS_13) == 1 &&
              SSL_CTX_set1_groups_list(ctx, GROUPS) == 1;

    (void)SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                       SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_NO_TICKET);
    /* Idle connections hold no record buffers; writes may be cut and moved. */
    (void)SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                    SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    (void)SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_cert_cb(ctx, give_certificate, tls);
    return ok;
}
