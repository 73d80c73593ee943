#include "anchor.h"

#include "scan.h"

#include <inttypes.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct signer {
    EVP_PKEY *key;
};

enum gh_err signer_new(const void *pem, size_t len, struct signer **ret_signer)
{
    struct signer *signer = calloc(1, sizeof(*signer));
    BIO *bio = len > 0 && len < 65536 ? BIO_new_mem_buf(pem, (int)len) : NULL;

    if (signer == NULL) {
        BIO_free(bio);
        return GH_ERR_NOMEM;
    }
    signer->key = bio != NULL ? PEM_read_bio_PrivateKey(bio, NULL, NULL, (void *)"") : NULL;
    BIO_free(bio);
    if (signer->key == NULL || EVP_PKEY_get_base_id(signer->key) != EVP_PKEY_ED25519) {
        signer_free(signer);
        return GH_ERR_CRYPTO;
    }
    *ret_signer = signer;
    return GH_OK;
}

void signer_free(struct signer *signer)
{
    if (signer == NULL) return;
    EVP_PKEY_free(signer->key);
    free(signer);
}

enum gh_err signer_sign(const struct signer *signer, const void *bytes, size_t len,
                        char ret_hex[SIGNATURE_HEX + 1])
{
    unsigned char signature[SIGNATURE_BYTES];
    size_t size = sizeof(signature);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();

    bool ok = ctx != NULL && EVP_DigestSignInit(ctx, NULL, NULL, NULL, signer->key) == 1 &&
              EVP_DigestSign(ctx, signature, &size, bytes, len) == 1 && size == sizeof(signature);
    EVP_MD_CTX_free(ctx);
    if (!ok) return GH_ERR_CRYPTO;
    for (size_t i = 0; i < sizeof(signature); i++)
        snprintf(ret_hex + 2 * i, 3, "%02x", signature[i]);
    return GH_OK;
}

bool signer_check(const struct signer *signer, const void *bytes, size_t len, const char *hex,
                  size_t hex_len)
{
    unsigned char signature[SIGNATURE_BYTES];

    if (hex_len != SIGNATURE_HEX || strspn(hex, "0123456789abcdef") < SIGNATURE_HEX) return false;
    for (size_t i = 0; i < sizeof(signature); i++) {
        char byte[3] = { hex[2 * i], hex[2 * i + 1], '\0' };
        signature[i] = (unsigned char)strtoul(byte, NULL, 16);
    }
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool ok = ctx != NULL && EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, signer->key) == 1 &&
              EVP_DigestVerify(ctx, signature, sizeof(signature), bytes, len) == 1;
    EVP_MD_CTX_free(ctx);
    return ok;
}

enum gh_err anchor_write(const struct signer *signer, const struct anchor *anchor,
                         char ret_text[ANCHOR_MAX], size_t *ret_len)
{
    char hex[GH_AUDIT_HASH_HEX + 1], signature[SIGNATURE_HEX + 1], signed_text[ANCHOR_MAX / 2];

    gh_audit_hash_hex(&anchor->hash, hex);
    int n = snprintf(signed_text, sizeof(signed_text),
                     ANCHOR_CONTEXT "{\"anchor\":1,\"seq\":%" PRIu64
                                    ",\"hash\":\"%s\",\"time\":%" PRId64 "}",
                     anchor->seq, hex, anchor->time_ms);
    enum gh_err err = signer_sign(signer, signed_text, (size_t)n, signature);
    if (err != GH_OK) return err;
    *ret_len = (size_t)snprintf(ret_text, ANCHOR_MAX, "%s\n%s\n",
                                signed_text + strlen(ANCHOR_CONTEXT), signature);
    return GH_OK;
}

enum gh_err anchor_read(const struct signer *signer, const char *text, size_t len,
                        struct anchor *ret_anchor)
{
    const char *at = text;
    char hex[GH_AUDIT_HASH_HEX + 1], signature[SIGNATURE_HEX + 1], signed_text[ANCHOR_MAX];
    struct anchor anchor = { 0 };
    uint64_t time_ms = 0;

    if (len >= ANCHOR_MAX - sizeof(ANCHOR_CONTEXT) || memchr(text, '\0', len) != NULL ||
        !scan_literal(&at, "{\"anchor\":1,\"seq\":") || !scan_u64(&at, &anchor.seq) ||
        !scan_literal(&at, ",\"hash\":\"") || !scan_word(&at, hex, sizeof(hex)) ||
        !scan_literal(&at, "\",\"time\":") || !scan_u64(&at, &time_ms) || !scan_literal(&at, "}"))
        return GH_ERR_BAD_MESSAGE;
    size_t line_len = (size_t)(at - text);
    if (!scan_literal(&at, "\n") || !scan_word(&at, signature, sizeof(signature)) ||
        !scan_literal(&at, "\n") || *at != '\0' || time_ms > INT64_MAX ||
        gh_audit_hash_parse(hex, strlen(hex), &anchor.hash) != GH_OK)
        return GH_ERR_BAD_MESSAGE;
    anchor.time_ms = (int64_t)time_ms;
    int n = snprintf(signed_text, sizeof(signed_text), ANCHOR_CONTEXT "%.*s", (int)line_len, text);
    if (!signer_check(signer, signed_text, (size_t)n, signature, strlen(signature)))
        return GH_ERR_CRYPTO;
    *ret_anchor = anchor;
    return GH_OK;
}
