/*
 * anchor - a signed statement of how far the log reaches, kept outside the log's folder.
 *
 * Two lines: {"anchor":1,"seq":N,"hash":"hex","time":ms} and the Ed25519 signature (RFC 8032) in
 * hex over ANCHOR_CONTEXT followed by the first line without its line feed. It is replaced after
 * each commit and before the commit is acknowledged, so cutting acknowledged records off the end
 * of the log shows.
 *
 * The same key signs the ledger's state (signer_sign with another context).
 */
#ifndef AUDIT_ANCHOR_H
#define AUDIT_ANCHOR_H

#include "common/clients/audit_hash.h"

#include <stdbool.h>
#include <stdint.h>

#define ANCHOR_CONTEXT  "gatehouse-audit-anchor-v1\n"
#define SIGNATURE_BYTES 64u
#define SIGNATURE_HEX   128u
#define ANCHOR_MAX      1024u

struct signer; /* one Ed25519 key; used by one thread at a time */

/* pem: a private key. Errors: GH_ERR_CRYPTO when it is no Ed25519 private key, GH_ERR_NOMEM. */
GH_NODISCARD enum gh_err signer_new(const void *pem, size_t len, struct signer **ret_signer);
void signer_free(struct signer *signer);
GH_NODISCARD enum gh_err signer_sign(const struct signer *signer, const void *bytes, size_t len,
                                     char ret_hex[SIGNATURE_HEX + 1]);
bool signer_check(const struct signer *signer, const void *bytes, size_t len, const char *hex,
                  size_t hex_len);

struct anchor {
    uint64_t seq; /* 0: nothing was logged yet, hash is all zeros */
    struct gh_audit_hash hash;
    int64_t time_ms;
};

/* The file's text. */
GH_NODISCARD enum gh_err anchor_write(const struct signer *signer, const struct anchor *anchor,
                                      char ret_text[ANCHOR_MAX], size_t *ret_len);
/* Errors: GH_ERR_BAD_MESSAGE; GH_ERR_CRYPTO when the signature is not ours. */
GH_NODISCARD enum gh_err anchor_read(const struct signer *signer, const char *text, size_t len,
                                     struct anchor *ret_anchor);

#endif
