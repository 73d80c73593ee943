#include "common/clients/audit_hash.h"

#include <openssl/evp.h>

enum gh_err gh_audit_hash_next(const struct gh_audit_hash *prev, const void *line, size_t len,
                               struct gh_audit_hash *ret_next)
{
    static EVP_MD_CTX *ctx; /* one owner: the process is single-threaded */
    static EVP_MD *sha256;
    struct gh_audit_hash next;
    unsigned size = 0;

    if (sha256 == NULL) /* fetched once: a fetch per record would cost more than the hash */
        sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    if (ctx == NULL) ctx = EVP_MD_CTX_new();
    if (sha256 == NULL || ctx == NULL || EVP_DigestInit_ex2(ctx, sha256, NULL) != 1 ||
        EVP_DigestUpdate(ctx, prev->bytes, sizeof(prev->bytes)) != 1 ||
        EVP_DigestUpdate(ctx, line, len) != 1 || EVP_DigestFinal_ex(ctx, next.bytes, &size) != 1 ||
        size != sizeof(next.bytes))
        return GH_ERR_CRYPTO;
    *ret_next = next;
    return GH_OK;
}

void gh_audit_hash_hex(const struct gh_audit_hash *hash, char dst[GH_AUDIT_HASH_HEX + 1])
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < GH_AUDIT_HASH_BYTES; i++) {
        dst[2 * i] = digits[hash->bytes[i] >> 4];
        dst[2 * i + 1] = digits[hash->bytes[i] & 15];
    }
    dst[GH_AUDIT_HASH_HEX] = '\0';
}

static int digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

enum gh_err gh_audit_hash_parse(const char *hex, size_t len, struct gh_audit_hash *ret_hash)
{
    struct gh_audit_hash hash;

    if (len != GH_AUDIT_HASH_HEX) return GH_ERR_BAD_MESSAGE;
    for (size_t i = 0; i < GH_AUDIT_HASH_BYTES; i++) {
        int hi = digit(hex[2 * i]), lo = digit(hex[2 * i + 1]);
        if (hi < 0 || lo < 0) return GH_ERR_BAD_MESSAGE;
        hash.bytes[i] = (uint8_t)(hi << 4 | lo);
    }
    *ret_hash = hash;
    return GH_OK;
}
