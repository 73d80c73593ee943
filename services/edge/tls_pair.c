#include "tls_pair.h"

#include "common/log.h"

#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <openssl/pem.h>
#include <stdlib.h>

#define OCSP_SKEW_S 300

enum gh_err tls_pair_fail(const char *file, const char *what)
{
    char text[160];
    unsigned long code = ERR_get_error();

    ERR_error_string_n(code, text, sizeof text);
    gh_log(GH_LOG_ERROR, "tls_load_failed", "file=%s error=\"%s\" detail=\"%s\"", file, what,
           code != 0 ? text : "");
    ERR_clear_error();
    return GH_ERR_CRYPTO;
}

void tls_pair_done(struct tls_pair *pair)
{
    X509_free(pair->cert);
    EVP_PKEY_free(pair->key);
    sk_X509_pop_free(pair->chain, X509_free);
    OPENSSL_free(pair->ocsp);
    *pair = (struct tls_pair){ 0 };
}

static enum gh_err load_chain(const char *file, struct tls_pair *pair)
{
    BIO *bio = BIO_new_file(file, "r");
    X509 *cert;

    if (bio == NULL) return tls_pair_fail(file, "cannot be read");
    pair->cert = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    pair->chain = sk_X509_new_null();
    while (pair->cert != NULL && pair->chain != NULL &&
           (cert = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL)
        if (sk_X509_push(pair->chain, cert) == 0) X509_free(cert);
    BIO_free(bio);
    if (pair->cert == NULL || pair->chain == NULL)
        return tls_pair_fail(file, "holds no certificate");
    ERR_clear_error(); /* the end of the file is one, to PEM_read */
    return GH_OK;
}

static enum gh_err load_key(const char *file, struct tls_pair *pair)
{
    BIO *bio = BIO_new_file(file, "r");

    if (bio == NULL) return tls_pair_fail(file, "cannot be read");
    pair->key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
    BIO_free(bio);
    return pair->key != NULL ? GH_OK : tls_pair_fail(file, "holds no private key");
}

/* *ret_until: when the response lapses. NULL: it is good; else what is wrong. */
static const char *judge_ocsp(OCSP_RESPONSE *response, X509 *cert, time_t *ret_until)
{
    OCSP_BASICRESP *basic = NULL;
    OCSP_SINGLERESP *single;
    ASN1_INTEGER *serial = NULL;
    ASN1_GENERALIZEDTIME *made = NULL, *until = NULL;
    struct tm tm;
    const char *wrong = NULL;

    if (OCSP_response_status(response) != OCSP_RESPONSE_STATUS_SUCCESSFUL)
        return "is not a successful OCSP response";
    basic = OCSP_response_get1_basic(response);
    single = basic != NULL ? OCSP_resp_get0(basic, 0) : NULL;
    if (single == NULL)
        wrong = "answers for no certificate";
    else if (OCSP_id_get0_info(NULL, NULL, NULL, &serial,
                               (OCSP_CERTID *)OCSP_SINGLERESP_get0_id(single)) != 1 ||
             ASN1_INTEGER_cmp(serial, X509_get0_serialNumber(cert)) != 0)
        wrong = "is about another certificate";
    else if (OCSP_single_get0_status(single, NULL, NULL, &made, &until) != V_OCSP_CERTSTATUS_GOOD)
        wrong = "says that the certificate is not good";
    else if (until == NULL || OCSP_check_validity(made, until, OCSP_SKEW_S, -1) != 1 ||
             ASN1_TIME_to_tm(until, &tm) != 1)
        wrong = "is not valid now";
    else
        *ret_until = timegm(&tm);
    OCSP_BASICRESP_free(basic);
    return wrong;
}

static enum gh_err load_ocsp(const char *file, struct tls_pair *pair)
{
    BIO *bio = BIO_new_file(file, "r");
    OCSP_RESPONSE *response;
    const char *wrong = "is not a DER OCSP response";
    int len;

    if (bio == NULL) return tls_pair_fail(file, "cannot be read");
    response = d2i_OCSP_RESPONSE_bio(bio, NULL);
    BIO_free(bio);
    if (response != NULL) wrong = judge_ocsp(response, pair->cert, &pair->ocsp_until);
    if (wrong == NULL) {
        len = i2d_OCSP_RESPONSE(response, &pair->ocsp);
        if (len > 0)
            pair->ocsp_len = (size_t)len;
        else
            wrong = "cannot be written";
    }
    OCSP_RESPONSE_free(response);
    return wrong == NULL ? GH_OK : tls_pair_fail(file, wrong);
}

enum gh_err tls_pair_load(const char *cert_file, const char *key_file, const char *ocsp_file,
                          struct tls_pair *ret_pair)
{
    struct tls_pair pair = { 0 };
    enum gh_err err = load_chain(cert_file, &pair);

    if (err == GH_OK) err = load_key(key_file, &pair);
    if (err == GH_OK && X509_check_private_key(pair.cert, pair.key) != 1)
        err = tls_pair_fail(key_file, "does not belong to the certificate");
    if (err == GH_OK && ocsp_file[0] != 0) err = load_ocsp(ocsp_file, &pair);
    if (err != GH_OK) {
        tls_pair_done(&pair);
        return err;
    }
    *ret_pair = pair;
    return GH_OK;
}
