#include "certificate.h"

#include "common/random.h"

#include <openssl/err.h>
#include <openssl/sha.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

struct certificates {
    const struct auth_certificates_config *cfg;
    struct issuer issuer; /* stands for all of them: has a name and no keys */
    X509_STORE *store;
};

void certificates_free(struct certificates *certificates)
{
    if (certificates == NULL) return;
    X509_STORE_free(certificates->store);
    free(certificates);
}

enum gh_err certificates_new(struct gh_config *config, const struct auth_certificates_config *cfg,
                             struct certificates **ret_certificates)
{
    struct certificates *c;

    *ret_certificates = NULL;
    if (cfg->ca_file[0] == '\0') return GH_OK;
    c = calloc(1, sizeof(*c));
    if (c == NULL) return GH_ERR_NOMEM;
    c->cfg = cfg;
    c->issuer.rule.name = cfg->name;
    c->store = X509_STORE_new();
    if (c->store == NULL) {
        certificates_free(c);
        return GH_ERR_NOMEM;
    }
    if (X509_STORE_load_file(c->store, cfg->ca_file) != 1) {
        ERR_clear_error();
        certificates_free(c);
        return gh_config_fail(config, "auth", "certificates.ca_file",
                              "\"%s\" holds no certificates of authorities in PEM", cfg->ca_file);
    }
    *ret_certificates = c;
    return GH_OK;
}

/* ---- is it good ---- */

static enum auth_reason verify(const struct certificates *c, X509 *cert, int64_t now_ms)
{
    X509_STORE_CTX *ctx = X509_STORE_CTX_new();
    enum auth_reason reason = AUTH_NO_MEMORY;

    if (ctx != NULL && X509_STORE_CTX_init(ctx, c->store, cert, NULL) == 1) {
        /* An intermediate of ours may stand alone in the file: only the leaf is sent here. */
        X509_STORE_CTX_set_flags(ctx, X509_V_FLAG_PARTIAL_CHAIN);
        X509_STORE_CTX_set_time(ctx, 0, (time_t)(now_ms / 1000));
        (void)X509_STORE_CTX_set_purpose(ctx, X509_PURPOSE_SSL_CLIENT);
        if (X509_verify_cert(ctx) == 1)
            reason = AUTH_OK;
        else if (X509_STORE_CTX_get_error(ctx) == X509_V_ERR_CERT_HAS_EXPIRED)
            reason = AUTH_EXPIRED;
        else if (X509_STORE_CTX_get_error(ctx) == X509_V_ERR_CERT_NOT_YET_VALID)
            reason = AUTH_NOT_YET;
        else
            reason = AUTH_CERTIFICATE;
    }
    X509_STORE_CTX_free(ctx);
    ERR_clear_error();
    return reason;
}

static bool time_ms(const ASN1_TIME *time, int64_t *ret_ms)
{
    struct tm tm;

    if (ASN1_TIME_to_tm(time, &tm) != 1) return false;
    *ret_ms = (int64_t)timegm(&tm) * 1000;
    return true;
}

/* ---- whom does it name ---- */

/* Text without control characters, NUL among them, copied NUL-ended. */
static bool copy_text(const unsigned char *text, int len, char *dst, size_t size)
{
    if (len <= 0 || (size_t)len >= size || memchr(text, 0, (size_t)len) != NULL ||
        !verify_is_text((const char *)text, (size_t)len))
        return false;
    memcpy(dst, text, (size_t)len);
    dst[len] = '\0';
    return true;
}

static bool name_of_san(X509 *cert, int type, char *dst, size_t size)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
    int found = 0;
    bool ok = false;

    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);

        if (name->type != type) continue;
        found++;
        ok = copy_text(ASN1_STRING_get0_data(name->d.ia5), ASN1_STRING_length(name->d.ia5), dst,
                       size);
    }
    GENERAL_NAMES_free(names);
    return ok && found == 1; /* which of two it is, nobody can say */
}

static bool entry_text(X509_NAME *subject, int at, char *dst, size_t size)
{
    unsigned char *utf8 = NULL;
    int len =
        ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
    bool ok = len > 0 && copy_text(utf8, len, dst, size);

    OPENSSL_free(utf8);
    return ok;
}

static bool name_of_subject(X509 *cert, char *dst, size_t size)
{
    X509_NAME *subject = X509_get_subject_name(cert);
    int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);

    return at >= 0 && X509_NAME_get_index_by_NID(subject, NID_commonName, at) < 0 &&
           entry_text(subject, at, dst, size);
}

static bool find_user(const struct certificates *c, X509 *cert, struct identity *id)
{
    const char *prefix = c->cfg->user_prefix;
    const size_t skip = strlen(prefix);
    char name[VERIFY_USER_MAX_BYTES + 257];
    bool found = false;

    switch ((enum certificate_user)c->cfg->user) {
    case CERTIFICATE_SAN_URI: found = name_of_san(cert, GEN_URI, name, sizeof(name)); break;
    case CERTIFICATE_SAN_EMAIL: found = name_of_san(cert, GEN_EMAIL, name, sizeof(name)); break;
    case CERTIFICATE_SAN_DNS: found = name_of_san(cert, GEN_DNS, name, sizeof(name)); break;
    case CERTIFICATE_SUBJECT_CN: found = name_of_subject(cert, name, sizeof(name)); break;
    }
    if (!found || strncmp(name, prefix, skip) != 0) return false;
    id->user_len = strlen(name + skip);
    if (id->user_len == 0 || id->user_len > VERIFY_USER_MAX_BYTES) return false;
    memcpy(id->user, name + skip, id->user_len + 1);
    return true;
}

static void add_grant(struct identity *id, const char *grant)
{
    for (size_t i = 0; i < id->grant_count; i++)
        if (strcmp(id->grants[i], grant) == 0) return;
    if (id->grant_count < VERIFY_GRANTS_MAX && strlen(grant) <= VERIFY_GRANT_MAX_BYTES)
        memcpy(id->grants[id->grant_count++], grant, strlen(grant) + 1);
}

static void find_grants(const struct certificates *c, X509 *cert, struct identity *id)
{
    X509_NAME *subject = X509_get_subject_name(cert);
    char unit[VERIFY_GRANT_MAX_BYTES + 1];

    for (size_t i = 0; i < c->cfg->roles.count; i++)
        add_grant(id, c->cfg->roles.items[i]);
    if (c->cfg->roles_from != CERTIFICATE_ROLES_OU) return;
    for (int at = -1;
         (at = X509_NAME_get_index_by_NID(subject, NID_organizationalUnitName, at)) >= 0;)
        if (entry_text(subject, at, unit, sizeof(unit))) add_grant(id, unit);
}

static enum auth_reason judge(const struct certificates *c, X509 *cert, const void *der, size_t len,
                              int64_t now_ms, struct identity *id)
{
    unsigned char digest[SHA256_DIGEST_LENGTH];
    enum auth_reason reason = verify(c, cert, now_ms);

    if (reason != AUTH_OK) return reason;
    id->issuer = &c->issuer;
    if (!find_user(c, cert, id)) return AUTH_CERTIFICATE_NAME;
    if (!time_ms(X509_get0_notAfter(cert), &id->expires_ms) ||
        !time_ms(X509_get0_notBefore(cert), &id->issued_ms))
        return AUTH_CERTIFICATE;
    find_grants(c, cert, id);
    SHA256(der, len, digest);
    memcpy(id->token_id, "x5t-", 4);
    gh_b64url_encode(digest, sizeof(digest), id->token_id + 4);
    id->token_id_len = strlen(id->token_id);
    return AUTH_OK;
}

enum auth_reason certificates_check(const struct certificates *certificates, const void *der,
                                    size_t len, int64_t now_ms, struct identity *identity)
{
    const unsigned char *at = der;
    enum auth_reason reason = AUTH_CERTIFICATE;
    X509 *cert;

    memset(identity, 0, sizeof(*identity));
    if (len == 0 || len > CERTIFICATE_MAX_BYTES) return AUTH_TOO_LARGE;
    cert = d2i_X509(NULL, &at, (long)len);
    if (cert != NULL && at == (const unsigned char *)der + len)
        reason = judge(certificates, cert, der, len, now_ms, identity);
    X509_free(cert);
    ERR_clear_error();
    return reason;
}
