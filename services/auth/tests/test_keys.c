/* Keys and signatures: confusion in every pairing, encodings of signatures, weak keys. */
#include "mint.h"

#include "b64.h"

#include <openssl/bn.h>
#include <openssl/ecdsa.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- tweaks on the signature ---- */

static const unsigned char order[32] = {
    0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
};

#define TWEAK(name, body)                                                                          \
    static void name(struct mint *m, char *t)                                                      \
    {                                                                                              \
        unsigned char s[2048];                                                                     \
        size_t n = mint_get_signature(t, s);                                                       \
        (void)m;                                                                                   \
        body;                                                                                      \
        mint_set_signature(t, s, n);                                                               \
    }

TWEAK(s_flip_first, s[0] ^= 1)
TWEAK(s_flip_last, s[n - 1] ^= 1)
TWEAK(s_cut_1, n -= 1)
TWEAK(s_cut_half, n /= 2)
TWEAK(s_one_byte, n = 1)
TWEAK(s_longer, s[n++] = 0)
TWEAK(s_leading_zero, memmove(s + 1, s, n++); s[0] = 0)
TWEAK(s_all_zero, memset(s, 0, n))
TWEAK(s_all_ones, memset(s, 0xff, n))
TWEAK(s_r_zero, memset(s, 0, 32))
TWEAK(s_s_zero, memset(s + 32, 0, 32))
TWEAK(s_r_order, memcpy(s, order, 32))
TWEAK(s_s_order, memcpy(s + 32, order, 32))
TWEAK(s_r_past, memset(s, 0xff, 32))
TWEAK(s_s_past, memset(s + 32, 0xff, 32))
TWEAK(s_one_one, memset(s, 0, 64); s[31] = s[63] = 1)
TWEAK(s_swap, unsigned char x[32]; memcpy(x, s, 32); memmove(s, s + 32, 32); memcpy(s + 32, x, 32))
TWEAK(s_twice, memcpy(s + n, s, n); n *= 2)
TWEAK(s_64_zero, memset(s, 0, 64); n = 64)
TWEAK(s_32_zero, memset(s, 0, 32); n = 32)

static void s_der(struct mint *m, char *t)
{
    unsigned char s[256], *der = NULL;
    size_t n = mint_get_signature(t, s);
    ECDSA_SIG *sig = ECDSA_SIG_new();
    int len;

    (void)m;
    ECDSA_SIG_set0(sig, BN_bin2bn(s, (int)n / 2, NULL), BN_bin2bn(s + n / 2, (int)n / 2, NULL));
    len = i2d_ECDSA_SIG(sig, &der);
    mint_set_signature(t, der, (size_t)len);
    OPENSSL_free(der);
    ECDSA_SIG_free(sig);
}

/* (r, n - s) verifies too: that is ECDSA, and why a token's id is not taken from its signature. */
static void s_negated(struct mint *m, char *t)
{
    unsigned char s[64];
    size_t n = mint_get_signature(t, s);
    BIGNUM *a = BN_bin2bn(order, 32, NULL), *b = BN_bin2bn(s + 32, 32, NULL);

    (void)m;
    BN_sub(a, a, b);
    BN_bn2binpad(a, s + 32, 32);
    mint_set_signature(t, s, n);
    BN_free(a);
    BN_free(b);
}

/* r + n as a 33-byte number, in 66 bytes. */
static void s_wide(struct mint *m, char *t)
{
    unsigned char s[64], wide[66];
    BIGNUM *a = BN_bin2bn(order, 32, NULL), *b;

    (void)m;
    (void)mint_get_signature(t, s);
    b = BN_bin2bn(s, 32, NULL);
    BN_add(a, a, b);
    BN_bn2binpad(a, wide, 33);
    wide[33] = 0;
    memcpy(wide + 34, s + 32, 32);
    mint_set_signature(t, wide, 66);
    BN_free(a);
    BN_free(b);
}

static void p_claims(struct mint *m, char *t) /* other claims under the same signature */
{
    char other[MINT_MAX], sig[256];
    size_t len, at;

    at = mint_part(t, 2, &len);
    memcpy(sig, t + at, len + 1);
    (void)snprintf(
        other, sizeof(other), "%s",
        mint_token(m, MINT_HEADER(""), MINT_CLAIMS(",\"roles\":[\"admin\"]"), BY_NOBODY));
    memcpy(t, other, strlen(other) + 1);
    memcpy(t + strlen(t), sig, len + 1);
}

#define HEAD(alg, kid) "{\"alg\":\"" alg "\",\"typ\":\"JWT\",\"kid\":\"" kid "\"}"
#define RS_CLAIMS      MINT_ISS("https://rs.example", "")
#define HS_CLAIMS      MINT_ISS("https://hs.example", "")
#define M_CLAIMS       MINT_ISS("https://mixed.example", "")

static const struct mint_row rows[] = {
    { "mixed issuer: ES256 by its key", NULL, NULL, BY_ESM, NULL, AUTH_OK },
    { "mixed issuer: RS256 by its key", NULL, NULL, BY_RSM, NULL, AUTH_OK },
    { "mixed issuer: HS256 by its key", NULL, NULL, BY_HSM, NULL, AUTH_OK },

    /* Header's algorithm against the key's, each pair; signed as the header says where one can. */
    { "confusion: ES key, RS256", HEAD("RS256", "es-m"), M_CLAIMS, BY_RSM, NULL,
      AUTH_ALG_NOT_OF_KEY },
    { "confusion: ES key, HS256", HEAD("HS256", "es-m"), M_CLAIMS, BY_HSM, NULL,
      AUTH_ALG_NOT_OF_KEY },
    { "confusion: RS key, ES256", HEAD("ES256", "rs-m"), M_CLAIMS, BY_ESM, NULL,
      AUTH_ALG_NOT_OF_KEY },
    { "confusion: RS key, HS256", HEAD("HS256", "rs-m"), M_CLAIMS, BY_HSM, NULL,
      AUTH_ALG_NOT_OF_KEY },
    { "confusion: HS key, ES256", HEAD("ES256", "hs-m"), M_CLAIMS, BY_ESM, NULL,
      AUTH_ALG_NOT_OF_KEY },
    { "confusion: HS key, RS256", HEAD("RS256", "hs-m"), M_CLAIMS, BY_RSM, NULL,
      AUTH_ALG_NOT_OF_KEY },
    { "confusion: RS key's PEM as the HMAC secret", HEAD("HS256", "rs-m"), M_CLAIMS, BY_HS_RSM_PEM,
      NULL, AUTH_ALG_NOT_OF_KEY },
    { "confusion: the same at the RS issuer", HEAD("HS256", "rs1"), RS_CLAIMS, BY_HS_RS1_PEM, NULL,
      AUTH_ALG_NOT_OF_KEY },
    { "confusion: RS key's DER as the HMAC secret", HEAD("HS256", "rs1"), RS_CLAIMS, BY_HS_RS1_DER,
      NULL, AUTH_ALG_NOT_OF_KEY },
    { "confusion: ES key's PEM as the HMAC secret", HEAD("HS256", "es1"), NULL, BY_HS_ES1_PEM, NULL,
      AUTH_ALG_NOT_OF_KEY },
    { "confusion: HMAC with the PEM, header left at RS256", HEAD("RS256", "rs1"), RS_CLAIMS,
      BY_HS_RS1_PEM, NULL, AUTH_SIGNATURE_SIZE },
    { "confusion: HMAC under ES256", NULL, MINT_CLAIMS(""), BY_HS_ES1_PEM, NULL,
      AUTH_SIGNATURE_SIZE },
    { "confusion: HS256 with an empty secret", NULL, NULL, BY_HS_EMPTY, NULL, AUTH_SIGNATURE },
    { "confusion: none with the HS key's kid", "{\"alg\":\"none\",\"kid\":\"hs-m\"}", M_CLAIMS,
      BY_NOBODY, NULL, AUTH_ALG_NONE },

    /* One issuer's key under another's name. */
    { "issuers: ES key of another issuer", HEAD("ES256", "es-m"), M_CLAIMS, BY_ES1, NULL,
      AUTH_SIGNATURE },
    { "issuers: another issuer's kid", HEAD("ES256", "es1"), M_CLAIMS, BY_ES1, NULL,
      AUTH_KEY_UNKNOWN },
    { "issuers: HS key of another issuer", NULL, HS_CLAIMS, BY_HS_STRANGER, NULL, AUTH_SIGNATURE },
    { "issuers: HS issuer's claims by the mixed one", HEAD("HS256", "hs-m"), HS_CLAIMS, BY_HSM,
      NULL, AUTH_SIGNATURE },
    { "issuers: RS key of another issuer", HEAD("RS256", "rs1"), RS_CLAIMS, BY_RSM, NULL,
      AUTH_SIGNATURE },
    { "issuers: the other key of the same issuer", HEAD("ES256", "es1"), NULL, BY_ES2, NULL,
      AUTH_SIGNATURE },
    { "issuers: one key, no kid in the token", "{\"alg\":\"RS256\"}", NULL, BY_RS1, NULL, AUTH_OK },

    { "stranger: ES256", NULL, MINT_CLAIMS(""), BY_ES_STRANGER, NULL, AUTH_SIGNATURE },
    { "stranger: RS256", NULL, NULL, BY_RS_STRANGER, NULL, AUTH_SIGNATURE },
    { "stranger: HS256", NULL, NULL, BY_HS_STRANGER, NULL, AUTH_SIGNATURE },
    { "stranger: P-384 under ES256", NULL, MINT_CLAIMS(""), BY_ES_P384, NULL, AUTH_SIGNATURE_SIZE },
    { "other claims under a good signature", NULL, NULL, BY_ES1, p_claims, AUTH_SIGNATURE },

    { "ES256: first bit flipped", NULL, NULL, BY_ES1, s_flip_first, AUTH_SIGNATURE },
    { "ES256: last bit flipped", NULL, NULL, BY_ES1, s_flip_last, AUTH_SIGNATURE },
    { "ES256: one byte short", NULL, NULL, BY_ES1, s_cut_1, AUTH_SIGNATURE_SIZE },
    { "ES256: half of it", NULL, NULL, BY_ES1, s_cut_half, AUTH_SIGNATURE_SIZE },
    { "ES256: one byte", NULL, NULL, BY_ES1, s_one_byte, AUTH_SIGNATURE_SIZE },
    { "ES256: one byte more", NULL, NULL, BY_ES1, s_longer, AUTH_SIGNATURE_SIZE },
    { "ES256: a zero before it", NULL, NULL, BY_ES1, s_leading_zero, AUTH_SIGNATURE_SIZE },
    { "ES256: twice", NULL, NULL, BY_ES1, s_twice, AUTH_SIGNATURE_SIZE },
    { "ES256: DER instead of raw", NULL, NULL, BY_ES1, s_der, AUTH_SIGNATURE_SIZE },
    { "ES256: r + n in 66 bytes", NULL, NULL, BY_ES1, s_wide, AUTH_SIGNATURE_SIZE },
    { "ES256: r and s zero", NULL, NULL, BY_ES1, s_all_zero, AUTH_SIGNATURE_RANGE },
    { "ES256: r zero", NULL, NULL, BY_ES1, s_r_zero, AUTH_SIGNATURE_RANGE },
    { "ES256: s zero", NULL, NULL, BY_ES1, s_s_zero, AUTH_SIGNATURE_RANGE },
    { "ES256: r is the order", NULL, NULL, BY_ES1, s_r_order, AUTH_SIGNATURE_RANGE },
    { "ES256: s is the order", NULL, NULL, BY_ES1, s_s_order, AUTH_SIGNATURE_RANGE },
    { "ES256: r past the order", NULL, NULL, BY_ES1, s_r_past, AUTH_SIGNATURE_RANGE },
    { "ES256: s past the order", NULL, NULL, BY_ES1, s_s_past, AUTH_SIGNATURE_RANGE },
    { "ES256: r and s one", NULL, NULL, BY_ES1, s_one_one, AUTH_SIGNATURE },
    { "ES256: r and s swapped", NULL, NULL, BY_ES1, s_swap, AUTH_SIGNATURE },
    { "ES256: s negated verifies, as it must", NULL, NULL, BY_ES1, s_negated, AUTH_OK },

    { "RS256: first bit flipped", NULL, NULL, BY_RS1, s_flip_first, AUTH_SIGNATURE },
    { "RS256: last bit flipped", NULL, NULL, BY_RS1, s_flip_last, AUTH_SIGNATURE },
    { "RS256: one byte short", NULL, NULL, BY_RS1, s_cut_1, AUTH_SIGNATURE_SIZE },
    { "RS256: one byte more", NULL, NULL, BY_RS1, s_longer, AUTH_SIGNATURE_SIZE },
    { "RS256: a zero before it", NULL, NULL, BY_RS1, s_leading_zero, AUTH_SIGNATURE_SIZE },
    { "RS256: half of it", NULL, NULL, BY_RS1, s_cut_half, AUTH_SIGNATURE_SIZE },
    { "RS256: all zero", NULL, NULL, BY_RS1, s_all_zero, AUTH_SIGNATURE },
    { "RS256: past the modulus", NULL, NULL, BY_RS1, s_all_ones, AUTH_SIGNATURE },
    { "RS256: PSS padding", NULL, NULL, BY_RS1_PSS, NULL, AUTH_SIGNATURE },
    { "RS256: SHA-1", NULL, NULL, BY_RS1_SHA1, NULL, AUTH_SIGNATURE },
    { "RS256: 64 zero bytes, as of an EC signature", NULL, NULL, BY_RS1, s_64_zero,
      AUTH_SIGNATURE_SIZE },

    { "HS256: first bit flipped", NULL, NULL, BY_HS1, s_flip_first, AUTH_SIGNATURE },
    { "HS256: last bit flipped", NULL, NULL, BY_HS1, s_flip_last, AUTH_SIGNATURE },
    { "HS256: one byte short", NULL, NULL, BY_HS1, s_cut_1, AUTH_SIGNATURE_SIZE },
    { "HS256: half of it", NULL, NULL, BY_HS1, s_cut_half, AUTH_SIGNATURE_SIZE },
    { "HS256: one byte", NULL, NULL, BY_HS1, s_one_byte, AUTH_SIGNATURE_SIZE },
    { "HS256: one byte more", NULL, NULL, BY_HS1, s_longer, AUTH_SIGNATURE_SIZE },
    { "HS256: all zero", NULL, NULL, BY_HS1, s_32_zero, AUTH_SIGNATURE },
};

/* ---- what may be a key ---- */

static const char *weakness_of(EVP_PKEY *pkey, enum token_alg alg)
{
    struct key *key = NULL;
    const char *why = NULL;

    assert_non_null(pkey);
    if (key_from_pkey(pkey, alg, NULL, &key, &why) == GH_OK) why = NULL;
    key_free(key);
    EVP_PKEY_free(pkey);
    return why;
}

static EVP_PKEY *rsa(unsigned bits, unsigned long exponent)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
    BIGNUM *e = BN_new();
    EVP_PKEY *pkey = NULL;

    BN_set_word(e, exponent);
    assert_int_equal(EVP_PKEY_keygen_init(ctx), 1);
    assert_int_equal(EVP_PKEY_CTX_set_rsa_keygen_bits(ctx, (int)bits), 1);
    assert_int_equal(EVP_PKEY_CTX_set1_rsa_keygen_pubexp(ctx, e), 1);
    assert_int_equal(EVP_PKEY_generate(ctx, &pkey), 1);
    BN_free(e);
    EVP_PKEY_CTX_free(ctx);
    return pkey;
}

static void test_public_keys(void **state)
{
    (void)state;
    assert_null(weakness_of(rsa(2048, 65537), TOKEN_RS256));
    assert_non_null(strstr(weakness_of(rsa(1024, 65537), TOKEN_RS256), "2048"));
    assert_non_null(strstr(weakness_of(rsa(2047, 65537), TOKEN_RS256), "2048"));
    assert_non_null(strstr(weakness_of(rsa(2048, 3), TOKEN_RS256), "exponent"));
    assert_null(weakness_of(EVP_EC_gen("P-256"), TOKEN_ES256));
    assert_non_null(strstr(weakness_of(EVP_EC_gen("P-384"), TOKEN_ES256), "P-256"));
    assert_non_null(strstr(weakness_of(EVP_EC_gen("secp256k1"), TOKEN_ES256), "P-256"));
    assert_non_null(weakness_of(EVP_EC_gen("P-256"), TOKEN_RS256));
    assert_non_null(weakness_of(rsa(2048, 65537), TOKEN_ES256));
    assert_non_null(weakness_of(rsa(2048, 65537), TOKEN_HS256));
    assert_non_null(weakness_of(EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"), TOKEN_ES256));
}

static void test_pem(void **state)
{
    EVP_PKEY *pkey = EVP_EC_gen("P-256");
    BIO *bio = BIO_new(BIO_s_mem());
    struct key *key = NULL;
    const char *why = NULL;
    char *data;
    long len;

    (void)state;
    PEM_write_bio_PrivateKey(bio, pkey, NULL, NULL, 0, NULL, NULL);
    len = BIO_get_mem_data(bio, &data);
    assert_int_equal(key_from_pem(data, (size_t)len, TOKEN_ES256, NULL, &key, &why), GH_ERR_CRYPTO);
    assert_non_null(strstr(why, "private key"));
    assert_int_equal(key_from_pem("nonsense", 8, TOKEN_ES256, NULL, &key, &why), GH_ERR_CRYPTO);
    assert_int_equal(key_from_pem("", 0, TOKEN_ES256, NULL, &key, &why), GH_ERR_CRYPTO);
    assert_null(key);
    BIO_free(bio);
    EVP_PKEY_free(pkey);
}

struct secret {
    const char *name, *text, *why; /* why NULL: good */
};
#define LEN_31 "V9p2kQzR7xTn4bLw8YcF1mHs6JgD3aU"
static const struct secret secrets[] = {
    { "secret: base64 of 32 bytes", "m3Q0pPzv1r9kqFJm7oVQzLr0bHq2o5Yt6u8xWcEeR1k=", NULL },
    { "secret: base64url of 32 bytes", "m3Q0pPzv1r9kqFJm7oVQzLr0bHq2o5Yt6u8xWcEeR1k", NULL },
    { "secret: 64 hex digits", "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
      NULL },
    { "secret: 63 hex digits", "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a0",
      "256 bits" },
    { "secret: 32 hex digits are 128 bits", "9f86d081884c7d659a2feaa0c55ad015", "256 bits" },
    { "secret: 31 characters", LEN_31, "256 bits" },
    { "secret: empty", "", "256 bits" },
    { "secret: secret", "secret", "256 bits" },
    { "secret: the example of a well-known page", "your-256-bit-secret-your-256-bit-secret-your",
      "" },
    { "secret: one letter",
      "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "repeats" },
    { "secret: a block again and again", "Zx9Kq2Lm7Zx9Kq2Lm7Zx9Kq2Lm7Zx9Kq2Lm7Zx9Kq2Lm7",
      "repeats" },
    { "secret: a pass phrase", "correct horse battery staple correct9Horse Battery1Staple",
      "password" },
    { "secret: words", "MyVeryLongPasswordThatNobodyWillEverGuess2024x", "password" },
    { "secret: the keyboard", "Qwerty7UiopAsdf3GhjklZxcv9BnmQwe1RtyUiop4Asdf", "password" },
    { "secret: digits", "31415926535897932384626433832795028841971693993751", "256 bits" },
    { "secret: the alphabet", "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789",
      "repeats" },
    { "secret: a public key", "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE",
      "PEM" },
    { "secret: random printable", "fT7#kQ9!zL2@xV5$wB8%nM1^jH4&cR6*pD3(eG0)", NULL },
};

static void check_secret(void **state)
{
    const struct secret *row = *state;
    const char *why = key_secret_weakness(row->text, strlen(row->text));

    if (row->why == NULL) {
        if (why != NULL) fail_msg("%s", why);
    } else {
        assert_non_null(why);
        if (strstr(why, row->why) == NULL) fail_msg("%s", why);
    }
}

static void test_random_secrets_are_good(void **state)
{
    (void)state;
    srand(5);
    for (int round = 0; round < 20000; round++) {
        unsigned char bytes[48];

        for (size_t i = 0; i < sizeof(bytes); i++)
            bytes[i] = (unsigned char)(rand() >> 7);
        if (key_secret_weakness(bytes, 32) != NULL) fail_msg("%s", key_secret_weakness(bytes, 32));
        for (size_t i = 0; i < sizeof(bytes); i++)
            bytes[i] =
                (unsigned char)"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
                               "-_"[bytes[i] & 63];
        if (key_secret_weakness(bytes, 48) != NULL)
            fail_msg("%.48s: %s", bytes, key_secret_weakness(bytes, 48));
    }
}

static void test_one_kid_one_key(void **state)
{
    struct mint *mint = mint_new();
    struct issuer *issuer = issuers_find(mint_issuers(mint), "https://es.example", 18);
    const char *pem = mint_public_pem(mint, BY_RSM);
    const char *why = NULL;
    struct key *key = NULL;

    (void)state;
    assert_int_equal(key_from_pem(pem, strlen(pem), TOKEN_RS256, "es1", &key, &why), GH_OK);
    assert_int_equal(issuer_add_key(issuer, key), GH_ERR_EXISTS);
    key_free(key);
    mint_free(mint);
}

int main(void)
{
    enum { N = sizeof(secrets) / sizeof(secrets[0]) };
    struct CMUnitTest tests[N + 4];
    int failed = mint_run("token keys and signatures", rows, sizeof(rows) / sizeof(rows[0]));

    for (size_t i = 0; i < N; i++)
        tests[i] =
            (struct CMUnitTest){ secrets[i].name, check_secret, NULL, NULL, (void *)&secrets[i] };
    tests[N] = (struct CMUnitTest)cmocka_unit_test(test_public_keys);
    tests[N + 1] = (struct CMUnitTest)cmocka_unit_test(test_pem);
    tests[N + 2] = (struct CMUnitTest)cmocka_unit_test(test_random_secrets_are_good);
    tests[N + 3] = (struct CMUnitTest)cmocka_unit_test(test_one_kid_one_key);
    return failed + cmocka_run_group_tests_name("keys", tests, NULL, NULL);
}
