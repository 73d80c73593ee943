/*
 * certificate - whose client certificate is this?
 *
 * The edge has seen in the TLS handshake that the client holds the certificate's key. Everything
 * else is judged again here: that an authority of ours signed it directly, for clients, that it is
 * valid now, and whom it names. So an edge that was taken over must at least own a real
 * certificate's bytes, and a certificate is revoked like a token: by its id, its user, its issuer.
 *
 * The name comes from one place that the configuration says (one SAN of a kind, or the CN), must be
 * there exactly once and may have to begin with a prefix, which is taken off. Roles are those of
 * the configuration, and with roles_from: ou the subject's OUs, through the role table like any
 * claim. The clock is the caller's. Pure. Source: RFC 5280 section 6, RFC 6125 section 1.8.
 */
#ifndef AUTH_CERTIFICATE_H
#define AUTH_CERTIFICATE_H

#include "config.h"
#include "verify.h"

#define CERTIFICATE_MAX_BYTES 8192u

enum certificate_user {
    CERTIFICATE_SAN_URI,
    CERTIFICATE_SAN_EMAIL,
    CERTIFICATE_SAN_DNS,
    CERTIFICATE_SUBJECT_CN,
};
enum certificate_roles { CERTIFICATE_ROLES_NONE, CERTIFICATE_ROLES_OU };

struct certificates;

/* cfg must outlive it. *ret_certificates is NULL when auth.certificates.ca_file is not set.
 * Errors: GH_ERR_CONFIG (reported), GH_ERR_NOMEM. */
GH_NODISCARD enum gh_err certificates_new(struct gh_config *config,
                                          const struct auth_certificates_config *cfg,
                                          struct certificates **ret_certificates);
void certificates_free(struct certificates *certificates); /* NULL is a no-op */

/* der: one certificate and nothing after it. On AUTH_OK fills *identity: the issuer is the name in
 * the configuration, the token id "x5t-" and the SHA-256 of the certificate. Else only
 * identity->issuer is defined: NULL until an authority's signature was found good. */
GH_NODISCARD enum auth_reason certificates_check(const struct certificates *certificates,
                                                 const void *der, size_t len, int64_t now_ms,
                                                 struct identity *identity);

#endif
