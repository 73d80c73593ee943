#include "key.h"

#include "es256.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/obj_mac.h>
#include <openssl/params.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>

#define RSA_MIN_BITS 2048
#define RSA_MAX_BITS 8192
#define ES256_BYTES  32
#define ES256_OFTEN  64 /* verifications after which a key gets a table of its own (es256.h) */

struct key {
    enum token_alg alg;
    char *kid;
    EVP_PKEY *pkey;
    EVP_PKEY_CTX *verify; /* initialised for verifying; used again for each token */
    EVP_MAC_CTX *mac;     /* keyed; initialised again for each token */
    size_t rsa_bytes;
    struct es256 *table; /* ES256, once it is used often; else verify does it */
    unsigned used;       /* up to ES256_OFTEN */
};

/* The order n of P-256, big-endian (FIPS 186-4 D.1.2.3): r and s are in 1..n-1. */
static const unsigned char p256_order[ES256_BYTES] = {
    0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
};

enum token_alg key_alg(const struct key *key)
{
    return key->alg;
}

const char *key_kid(const struct key *key)
{
    return key->kid;
}

void key_free(struct key *key)
{
    if (key == NULL) return;
    es256_free(key->table);
    EVP_PKEY_CTX_free(key->verify);
    EVP_PKEY_free(key->pkey);
    EVP_MAC_CTX_free(key->mac);
    free(key->kid);
    free(key);
}

static enum gh_err make(enum token_alg alg, const char *kid, struct key **ret_key)
{
    struct key *key = calloc(1, sizeof(*key));

    if (key == NULL) return GH_ERR_NOMEM;
    key->alg = alg;
    if (kid != NULL && (key->kid = strdup(kid)) == NULL) {
        free(key);
        return GH_ERR_NOMEM;
    }
    *ret_key = key;
    return GH_OK;
}

enum gh_err key_from_secret(const void *secret, size_t len, const char *kid, struct key **ret_key,
                            const char **ret_why)
{
    char digest[] = "SHA256";
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end(),
    };
    struct key *key = NULL;
    EVP_MAC *hmac;
    const char *why = key_secret_weakness(secret, len);
    enum gh_err err;

    if (why != NULL) {
        *ret_why = why;
        return GH_ERR_CRYPTO;
    }
    err = make(TOKEN_HS256, kid, &key);
    if (err != GH_OK) return err;
    hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    key->mac = hmac != NULL ? EVP_MAC_CTX_new(hmac) : NULL;
    EVP_MAC_free(hmac);
    if (key->mac == NULL || EVP_MAC_init(key->mac, secret, len, params) != 1) {
        key_free(key);
        *ret_why = "the HMAC could not be set up";
        return GH_ERR_CRYPTO;
    }
    *ret_key = key;
    return GH_OK;
}

static const char *rsa_weakness(const EVP_PKEY *pkey)
{
    BIGNUM *e = NULL;
    int bits = EVP_PKEY_get_bits(pkey);
    const char *why = NULL;

    if (!EVP_PKEY_is_a(pkey, "RSA")) return "RS256 needs an RSA key";
    if (bits < RSA_MIN_BITS)
        return "the RSA key is shorter than 2048 bits; make one of at least 2048 bits";
    if (bits > RSA_MAX_BITS) return "the RSA key is longer than 8192 bits";
    if (EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_RSA_E, &e) != 1)
        return "the RSA key cannot be read";
    if (BN_num_bits(e) < 17 || BN_num_bits(e) > 256 || !BN_is_odd(e))
        why = "the RSA public exponent must be odd, at least 65537 and under 2^256";
    BN_free(e);
    return why;
}

static const char *ec_weakness(EVP_PKEY *pkey)
{
    char group[64] = "";
    EVP_PKEY_CTX *ctx;
    const char *why = NULL;

    if (!EVP_PKEY_is_a(pkey, "EC")) return "ES256 needs an EC key on P-256";
    if (EVP_PKEY_get_group_name(pkey, group, sizeof(group), NULL) != 1 ||
        strcmp(group, SN_X9_62_prime256v1) != 0)
        return "the EC key is not on the named curve P-256 (prime256v1)";
    ctx = EVP_PKEY_CTX_new_from_pkey(NULL, pkey, NULL);
    if (ctx == NULL || EVP_PKEY_public_check(ctx) != 1) why = "the EC point is not on its curve";
    EVP_PKEY_CTX_free(ctx);
    return why;
}

enum gh_err key_from_pkey(EVP_PKEY *pkey, enum token_alg alg, const char *kid, struct key **ret_key,
                          const char **ret_why)
{
    struct key *key = NULL;
    const char *why = NULL;
    enum gh_err err;

    switch (alg) {
    case TOKEN_RS256: why = rsa_weakness(pkey); break;
    case TOKEN_ES256: why = ec_weakness(pkey); break;
    default: why = "a public key is for RS256 or ES256; HS256 takes a secret"; break;
    }
    if (why != NULL) {
        *ret_why = why;
        return GH_ERR_CRYPTO;
    }
    err = make(alg, kid, &key);
    if (err != GH_OK) return err;
    EVP_PKEY_up_ref(pkey);
    key->pkey = pkey;
    key->rsa_bytes = alg == TOKEN_RS256 ? (size_t)EVP_PKEY_get_size(pkey) : 0;
    key->verify = EVP_PKEY_CTX_new_from_pkey(NULL, pkey, NULL);
    if (key->verify == NULL || EVP_PKEY_verify_init(key->verify) != 1 ||
        (alg == TOKEN_RS256 && EVP_PKEY_CTX_set_rsa_padding(key->verify, RSA_PKCS1_PADDING) != 1) ||
        EVP_PKEY_CTX_set_signature_md(key->verify, EVP_sha256()) != 1) {
        key_free(key);
        *ret_why = "the key cannot verify signatures";
        return GH_ERR_CRYPTO;
    }
    *ret_key = key;
    return GH_OK;
}

enum gh_err key_from_pem(const void *pem, size_t len, enum token_alg alg, const char *kid,
                         struct key **ret_key, const char **ret_why)
{
    BIO *bio;
    EVP_PKEY *pkey;
    enum gh_err err;

    if (len > KEY_PEM_MAX_BYTES) {
        *ret_why = "the key file is too large";
        return GH_ERR_CRYPTO;
    }
    if (memmem(pem, len, "PRIVATE KEY-----", 16) != NULL) {
        *ret_why = "the file holds a private key; auth verifies with the public half alone";
        return GH_ERR_CRYPTO;
    }
    bio = BIO_new_mem_buf(pem, (int)len);
    if (bio == NULL) return GH_ERR_NOMEM;
    pkey = PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL);
    BIO_free(bio);
    if (pkey == NULL) {
        ERR_clear_error();
        *ret_why = "not a PEM public key (-----BEGIN PUBLIC KEY-----)";
        return GH_ERR_CRYPTO;
    }
    err = key_from_pkey(pkey, alg, kid, ret_key, ret_why);
    EVP_PKEY_free(pkey);
    ERR_clear_error();
    return err;
}

static enum auth_reason verify_hmac(struct key *key, const struct token *token)
{
    unsigned char mac[SHA256_DIGEST_LENGTH];
    size_t len = 0;

    if (token->signature_len != sizeof(mac)) return AUTH_SIGNATURE_SIZE;
    if (EVP_MAC_init(key->mac, NULL, 0, NULL) != 1 ||
        EVP_MAC_update(key->mac, (const unsigned char *)token->signed_part, token->signed_len) !=
            1 ||
        EVP_MAC_final(key->mac, mac, &len, sizeof(mac)) != 1 || len != sizeof(mac))
        return AUTH_NO_MEMORY;
    return CRYPTO_memcmp(mac, token->signature, sizeof(mac)) == 0 ? AUTH_OK : AUTH_SIGNATURE;
}

/* A DER INTEGER of an unsigned big-endian number; at most ES256_BYTES + 3 bytes. */
static size_t der_integer(const unsigned char *number, unsigned char *dst)
{
    size_t skip = 0, len, pad;

    while (skip < ES256_BYTES - 1 && number[skip] == 0)
        skip++;
    len = ES256_BYTES - skip;
    pad = number[skip] & 0x80 ? 1 : 0;
    dst[0] = 0x02;
    dst[1] = (unsigned char)(len + pad);
    dst[2] = 0;
    memcpy(dst + 2 + pad, number + skip, len);
    return 2 + pad + len;
}

/* Public values: nothing here needs constant time. */
static bool in_range(const unsigned char *number)
{
    static const unsigned char zero[ES256_BYTES];

    return memcmp(number, zero, ES256_BYTES) != 0 && memcmp(number, p256_order, ES256_BYTES) < 0;
}

/* With the key's table; false when there is none, or it does not serve. */
static bool verify_by_table(struct key *key, const unsigned char *digest, const unsigned char *sig,
                            bool *ret_good)
{
    if (key->used < ES256_OFTEN && ++key->used == ES256_OFTEN &&
        es256_new(key->pkey, &key->table) != GH_OK)
        key->table = NULL; /* goes on without */
    return key->table != NULL && es256_verify(key->table, digest, sig, ret_good) == GH_OK;
}

static enum auth_reason verify_public(struct key *key, const struct token *token)
{
    unsigned char digest[SHA256_DIGEST_LENGTH];
    unsigned char der[2 + 2 * (ES256_BYTES + 3)];
    const unsigned char *sig = token->signature;
    size_t len = token->signature_len;
    bool good;
    int verified;

    SHA256((const unsigned char *)token->signed_part, token->signed_len, digest);
    if (key->alg == TOKEN_RS256) {
        if (len != key->rsa_bytes) return AUTH_SIGNATURE_SIZE;
    } else {
        /* RFC 7518 section 3.4: r and s, 32 bytes each; DER is not accepted. */
        if (len != 2 * ES256_BYTES) return AUTH_SIGNATURE_SIZE;
        if (!in_range(sig) || !in_range(sig + ES256_BYTES)) return AUTH_SIGNATURE_RANGE;
        if (verify_by_table(key, digest, sig, &good)) return good ? AUTH_OK : AUTH_SIGNATURE;
        len = 2;
        len += der_integer(sig, der + len);
        len += der_integer(sig + ES256_BYTES, der + len);
        der[0] = 0x30;
        der[1] = (unsigned char)(len - 2);
        sig = der;
    }
    verified = EVP_PKEY_verify(key->verify, sig, len, digest, sizeof(digest));
    if (verified == 1) return AUTH_OK;
    ERR_clear_error();
    return AUTH_SIGNATURE;
}

enum auth_reason key_verify(struct key *key, const struct token *token)
{
    return key->alg == TOKEN_HS256 ? verify_hmac(key, token) : verify_public(key, token);
}
