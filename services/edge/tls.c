#include "tls.h"

#include "ticket_keys.h"
#include "tls_pair.h"

#include "common/clock.h"
#include "common/log.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>

struct tls_set { /* what files say; replaced as a whole */
    struct tls_pair pairs[TLS_PAIRS_MAX];
    size_t n_pairs;
    X509_STORE *authorities; /* of client certificates; NULL: none are asked for */
    STACK_OF(X509_NAME) * names;
};

struct tls {
    const struct edge_tls_config *config;
    struct tls_set set;
    struct ticket_keys keys;
    SSL_CTX *ctx; /* libwebsockets' */
};

static const uint8_t alpn[] = { 8, 'h', 't', 't', 'p', '/', '1', '.', '1' };

/* --- files ------------------------------------------------------------------------------------ */

static void set_done(struct tls_set *set)
{
    for (size_t i = 0; i < set->n_pairs; i++)
        tls_pair_done(&set->pairs[i]);
    X509_STORE_free(set->authorities);
    sk_X509_NAME_pop_free(set->names, X509_NAME_free);
    *set = (struct tls_set){ 0 };
}

static enum gh_err add_pair(struct tls_set *set, const char *cert, const char *key,
                            const char *ocsp)
{
    struct tls_pair *pair = &set->pairs[set->n_pairs];
    enum gh_err err = tls_pair_load(cert, key, ocsp, pair);

    if (err != GH_OK) return err;
    set->n_pairs++;
    for (size_t i = 0; i + 1 < set->n_pairs; i++)
        if (EVP_PKEY_get_base_id(set->pairs[i].key) == EVP_PKEY_get_base_id(pair->key))
            return tls_pair_fail(cert, "has a key of the same kind as another certificate");
    return GH_OK;
}

static enum gh_err load_authorities(struct tls_set *set, const char *file)
{
    set->authorities = X509_STORE_new();
    set->names = SSL_load_client_CA_file(file);
    if (set->authorities == NULL || set->names == NULL ||
        X509_STORE_load_file(set->authorities, file) != 1)
        return tls_pair_fail(file, "holds no certificates of authorities");
    return GH_OK;
}

static enum gh_err set_load(const struct edge_tls_config *config, struct tls_set *ret_set)
{
    const struct edge_tls_pair_config *more = config->more.items;
    struct tls_set set = { 0 };
    enum gh_err err = add_pair(&set, config->cert_file, config->key_file, config->ocsp_file);

    for (size_t i = 0; err == GH_OK && i < config->more.count; i++)
        err = add_pair(&set, more[i].cert_file, more[i].key_file, more[i].ocsp_file);
    if (err == GH_OK && config->client_certificates != EDGE_CLIENT_CERTS_NONE)
        err = load_authorities(&set, config->client_ca_file);
    if (err != GH_OK) {
        set_done(&set);
        return err;
    }
    *ret_set = set;
    return GH_OK;
}

/* --- handshakes ------------------------------------------------------------------------------- */

/* Each handshake takes references of its own. */
static int give_certificates(SSL *ssl, void *arg)
{
    const struct tls *tls = arg;

    SSL_certs_clear(ssl);
    for (size_t i = 0; i < tls->set.n_pairs; i++) {
        const struct tls_pair *pair = &tls->set.pairs[i];

        if (SSL_use_cert_and_key(ssl, pair->cert, pair->key, pair->chain, 1) != 1) return 0;
    }
    if (tls->set.authorities != NULL &&
        (SSL_set1_verify_cert_store(ssl, tls->set.authorities) != 1))
        return 0;
    return 1;
}

static int choose_protocol(SSL *ssl, const unsigned char **out, unsigned char *out_len,
                           const unsigned char *in, unsigned in_len, void *arg)
{
    (void)ssl;
    (void)arg;
    /* RFC 7301 section 3.2: without a common protocol, no connection. */
    if (SSL_select_next_proto((unsigned char **)out, out_len, alpn, sizeof alpn, in, in_len) !=
        OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    return SSL_TLSEXT_ERR_OK;
}

static int staple(SSL *ssl, void *arg)
{
    const struct tls *tls = arg;
    const X509 *chosen = SSL_get_certificate(ssl);

    for (size_t i = 0; i < tls->set.n_pairs; i++) {
        const struct tls_pair *pair = &tls->set.pairs[i];
        unsigned char *copy;

        if (pair->cert != chosen || pair->ocsp == NULL || time(NULL) > pair->ocsp_until) continue;
        copy = OPENSSL_memdup(pair->ocsp, pair->ocsp_len);
        if (copy == NULL) return SSL_TLSEXT_ERR_NOACK;
        (void)SSL_set_tlsext_status_ocsp_resp(ssl, copy, (long)pair->ocsp_len);
        return SSL_TLSEXT_ERR_OK;
    }
    return SSL_TLSEXT_ERR_NOACK;
}

/* --- session tickets -------------------------------------------------------------------------- */

static int keys_index(void)
{
    static int index = -1;

    if (index < 0) index = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, NULL);
    return index;
}

static bool use_key(const struct ticket_key *key, const unsigned char *iv, EVP_CIPHER_CTX *cipher,
                    EVP_MAC_CTX *mac, bool seal)
{
    OSSL_PARAM params[3];

    params[0] = OSSL_PARAM_construct_octet_string("key", (void *)key->mac, sizeof key->mac);
    params[1] = OSSL_PARAM_construct_utf8_string("digest", (char *)"SHA256", 0);
    params[2] = OSSL_PARAM_construct_end();
    return EVP_MAC_CTX_set_params(mac, params) == 1 &&
           EVP_CipherInit_ex(cipher, EVP_aes_256_cbc(), NULL, key->cipher, iv, seal) == 1;
}

/* Contract: SSL_CTX_set_tlsext_ticket_key_evp_cb(3). */
static int on_ticket(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
                     EVP_MAC_CTX *mac, int seal)
{
    struct tls *tls = SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), keys_index());
    const int64_t now_ms = gh_clock_mono_ms();
    const struct ticket_key *key;
    bool renew = false;

    if (seal) {
        key = ticket_keys_seal(&tls->keys, now_ms);
        memcpy(name, key->name, TICKET_NAME_BYTES);
        if (RAND_bytes(iv, EVP_CIPHER_get_iv_length(EVP_aes_256_cbc())) != 1) return -1;
    } else {
        key = ticket_keys_open(&tls->keys, name, now_ms, &renew);
        if (key == NULL) return 0; /* a full handshake */
    }
    if (!use_key(key, iv, cipher, mac, seal != 0)) return -1;
    return renew ? 2 : 1;
}

static bool setup_tickets(struct tls *tls, SSL_CTX *ctx)
{
    uint64_t life_s = 2 * tls->config->ticket_rotation_ms / 1000;

    if (!tls->config->session_tickets) {
        (void)SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET);
        return SSL_CTX_set_num_tickets(ctx, 0) == 1;
    }
    (void)SSL_CTX_clear_options(ctx, SSL_OP_NO_TICKET);
    (void)SSL_CTX_set_timeout(ctx, (long)(life_s > 0 ? life_s : 1));
    return SSL_CTX_set_ex_data(ctx, keys_index(), tls) == 1 &&
           SSL_CTX_set_num_tickets(ctx, 1) == 1 &&
           SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, on_ticket) == 1;
}

/* --- the context ------------------------------------------------------------------------------ */

/* A list of the configuration as OpenSSL wants it. False: it knows none of that name. */
static bool use_list(SSL_CTX *ctx, int (*fn)(SSL_CTX *ctx, const char *list),
                     const struct gh_config_list *list, const char *key)
{
    char text[1024] = "";
    size_t len = 0;

    for (size_t i = 0; i < list->count; i++) {
        size_t n = strlen(list->items[i]);

        if (len + n + 2 > sizeof text) return false;
        if (len > 0) text[len++] = ':';
        memcpy(text + len, list->items[i], n + 1);
        len += n;
    }
    if (fn(ctx, text) == 1) return true;
    gh_log(GH_LOG_ERROR, "tls_setup_failed", "key=edge.tls.%s value=\"%s\" error=\"not known\"",
           key, text);
    return false;
}

static int set_groups(SSL_CTX *ctx, const char *list)
{
    return (int)SSL_CTX_set1_groups_list(ctx, list);
}

static bool use_lists(SSL_CTX *ctx, const struct edge_tls_config *config)
{
    static const int versions[] = {
        [EDGE_TLS_1_2] = TLS1_2_VERSION, [EDGE_TLS_1_3] = TLS1_3_VERSION
    };

    return SSL_CTX_set_min_proto_version(ctx, versions[config->min_version]) == 1 &&
           SSL_CTX_set_max_proto_version(ctx, versions[config->max_version]) == 1 &&
           use_list(ctx, SSL_CTX_set_cipher_list, &config->ciphers, "ciphers") &&
           use_list(ctx, SSL_CTX_set_ciphersuites, &config->ciphersuites, "ciphersuites") &&
           use_list(ctx, set_groups, &config->groups, "groups");
}

static void ask_for_certificates(const struct tls *tls, SSL_CTX *ctx,
                                 const struct edge_tls_config *config)
{
    static const int modes[] = { [EDGE_CLIENT_CERTS_NONE] = SSL_VERIFY_NONE,
                                 [EDGE_CLIENT_CERTS_OPTIONAL] = SSL_VERIFY_PEER,
                                 [EDGE_CLIENT_CERTS_REQUIRED] =
                                     SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT };

    SSL_CTX_set_verify(ctx, modes[config->client_certificates], NULL);
    SSL_CTX_set_client_CA_list(ctx, SSL_dup_CA_list(tls->set.names));
}

bool tls_setup(struct tls *tls, SSL_CTX *ctx)
{
    static const unsigned char session_context[] = "gatehouse-edge";
    bool ok = use_lists(ctx, tls->config) &&
              SSL_CTX_set_session_id_context(ctx, session_context, sizeof session_context - 1) == 1;

    tls->ctx = ctx;
    (void)SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                       SSL_OP_CIPHER_SERVER_PREFERENCE);
    /* Idle connections hold no record buffers; writes may be cut and moved. */
    (void)SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                    SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    (void)SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_cert_cb(ctx, give_certificates, tls);
    (void)SSL_CTX_set_tlsext_status_cb(ctx, staple);
    (void)SSL_CTX_set_tlsext_status_arg(ctx, tls);
    ask_for_certificates(tls, ctx, tls->config);
    return ok && setup_tickets(tls, ctx);
}

void tls_finish(struct tls *tls)
{
    SSL_CTX_set_alpn_select_cb(tls->ctx, choose_protocol, NULL);
}

/* --- life ------------------------------------------------------------------------------------- */

enum gh_err tls_new(const struct edge_tls_config *config, struct tls **ret_tls)
{
    struct tls *tls = calloc(1, sizeof *tls);
    enum gh_err err;

    if (tls == NULL) return GH_ERR_NOMEM;
    tls->config = config;
    err = set_load(config, &tls->set);
    if (err == GH_OK)
        err = ticket_keys_init(&tls->keys, (int64_t)config->ticket_rotation_ms, gh_clock_mono_ms());
    if (err != GH_OK) {
        tls_free(tls);
        return err;
    }
    *ret_tls = tls;
    return GH_OK;
}

void tls_free(struct tls *tls)
{
    if (tls == NULL) return;
    set_done(&tls->set);
    ticket_keys_done(&tls->keys);
    free(tls);
}

enum gh_err tls_reload(struct tls *tls, const struct edge_tls_config *config)
{
    struct tls_set set;
    SSL_CTX *trial = SSL_CTX_new(TLS_server_method());
    bool known = trial != NULL && use_lists(trial, config);
    enum gh_err err = known ? set_load(config, &set) : GH_ERR_CRYPTO;

    SSL_CTX_free(trial);
    if (err != GH_OK) return err;
    set_done(&tls->set);
    tls->set = set;
    (void)use_lists(tls->ctx, config); /* tried above */
    ask_for_certificates(tls, tls->ctx, config);
    tls->keys.rotate_ms = (int64_t)config->ticket_rotation_ms;
    gh_log(GH_LOG_INFO, "tls_reloaded", "file=%s certificates=%zu", config->cert_file, set.n_pairs);
    return GH_OK;
}

bool tls_client_certificate(SSL *ssl, uint8_t **ret_der, size_t *ret_len)
{
    X509 *cert = SSL_get0_peer_certificate(ssl);
    unsigned char *der = NULL;
    int len;

    if (cert == NULL || SSL_get_verify_result(ssl) != X509_V_OK) return false;
    len = i2d_X509(cert, &der);
    if (len <= 0) return false;
    *ret_der = malloc((size_t)len);
    if (*ret_der != NULL) memcpy(*ret_der, der, (size_t)len);
    OPENSSL_free(der);
    *ret_len = (size_t)len;
    return *ret_der != NULL;
}
