#include "mint.h"

#include "b64.h"

#include "common/random.h"

#include <openssl/bn.h>
#include <openssl/ecdsa.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    PKEY_ES1,
    PKEY_ES2,
    PKEY_ESM,
    PKEY_ESX,
    PKEY_RS1,
    PKEY_RSM,
    PKEY_RSX,
    PKEY_P384,
    PKEY_COUNT
};

static const unsigned char hs1[] = "V9p2kQzR7xTn4bLw8YcF1mHs6JgD3aUe0iXo5TrEqWnBvC2y";
static const unsigned char hsm[] = "k3Zr8Wq1Bt6Ny9Lc5Xv2Mf7Hj4Ps0GdA-TqYeUiOpAsDf6Gh";
static const unsigned char hsx[] = "Qm7Vw2Lx9Kc4Zb1Rn6Tf3Hy8Js5Dg0Pa-aXcEzRtYuIoPqWs";

struct mint {
    EVP_PKEY *pkeys[PKEY_COUNT];
    char *pem[PKEY_COUNT];
    struct issuers issuers;
    struct verifier *verifier;
    char token[MINT_MAX];
};

static const char *const audiences[] = { "gatehouse", "gatehouse-2" };
static const char *const types[] = { "JWT", "at+jwt" };
static const char *const strict_types[] = { "at+jwt" };
static const char *const strict_required[] = { "client_id", "jti" };

static char *pem_of(EVP_PKEY *pkey)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *text, *data;
    long len;

    assert_int_equal(PEM_write_bio_PUBKEY(bio, pkey), 1);
    len = BIO_get_mem_data(bio, &data);
    text = strndup(data, (size_t)len);
    BIO_free(bio);
    return text;
}

static struct issuer *add_issuer(struct mint *mint, const char *name)
{
    struct issuer *issuer = &mint->issuers.items[mint->issuers.count++];

    issuer->rule = (struct issuer_rule){ .name = name,
                                         .audiences = { audiences, 2 },
                                         .types = { types, 2 },
                                         .roles_claim = "roles",
                                         .leeway_ms = 30000 };
    return issuer;
}

static void trust(struct mint *mint, struct issuer *issuer, int which, enum token_alg alg,
                  const char *kid)
{
    struct key *key = NULL;
    const char *why = "";

    if (key_from_pem(mint->pem[which], strlen(mint->pem[which]), alg, kid, &key, &why) != GH_OK)
        fail_msg("%s", why);
    assert_int_equal(issuer_add_key(issuer, key), GH_OK);
}

static void trust_secret(struct issuer *issuer, const void *secret, size_t len, const char *kid)
{
    struct key *key = NULL;
    const char *why = "";

    if (key_from_secret(secret, len, kid, &key, &why) != GH_OK) fail_msg("%s", why);
    assert_int_equal(issuer_add_key(issuer, key), GH_OK);
}

struct mint *mint_new(void)
{
    struct mint *mint = calloc(1, sizeof(*mint));
    struct issuer *issuer;

    assert_non_null(mint);
    for (int i = 0; i < PKEY_COUNT; i++) {
        mint->pkeys[i] = i >= PKEY_RS1 && i <= PKEY_RSX ? EVP_RSA_gen(2048)
                         : i == PKEY_P384               ? EVP_EC_gen("P-384")
                                                        : EVP_EC_gen("P-256");
        assert_non_null(mint->pkeys[i]);
        mint->pem[i] = pem_of(mint->pkeys[i]);
    }
    mint->issuers.items = calloc(8, sizeof(struct issuer));
    issuer = add_issuer(mint, "https://es.example");
    trust(mint, issuer, PKEY_ES1, TOKEN_ES256, "es1");
    trust(mint, issuer, PKEY_ES2, TOKEN_ES256, "es2");
    issuer = add_issuer(mint, "https://rs.example");
    trust(mint, issuer, PKEY_RS1, TOKEN_RS256, "rs1");
    issuer = add_issuer(mint, "https://hs.example");
    trust_secret(issuer, hs1, sizeof(hs1) - 1, NULL);
    issuer = add_issuer(mint, "https://mixed.example");
    trust(mint, issuer, PKEY_ESM, TOKEN_ES256, "es-m");
    trust(mint, issuer, PKEY_RSM, TOKEN_RS256, "rs-m");
    trust_secret(issuer, hsm, sizeof(hsm) - 1, "hs-m");
    issuer = add_issuer(mint, "https://typed.example");
    trust(mint, issuer, PKEY_ES1, TOKEN_ES256, "t1");
    issuer->rule.types = (struct issuer_texts){ strict_types, 1 };
    issuer->rule.type_required = true;
    issuer->rule.required = (struct issuer_texts){ strict_required, 2 };
    issuer->rule.roles_claim = "/realm/roles";
    issuer->rule.subject_claim = "uid";
    issuer->rule.leeway_ms = 0;
    issuer->rule.max_lifetime_ms = 600000;
    issuer = add_issuer(mint, "https://away.example"); /* its keys were never fetched */
    assert_int_equal(verifier_new(&mint->issuers, TOKEN_MAX_BYTES, &mint->verifier), GH_OK);
    return mint;
}

void mint_free(struct mint *mint)
{
    verifier_free(mint->verifier);
    issuers_done(&mint->issuers);
    for (int i = 0; i < PKEY_COUNT; i++) {
        EVP_PKEY_free(mint->pkeys[i]);
        free(mint->pem[i]);
    }
    free(mint);
}

struct verifier *mint_verifier(struct mint *mint)
{
    return mint->verifier;
}

struct issuers *mint_issuers(struct mint *mint)
{
    return &mint->issuers;
}

const char *mint_public_pem(struct mint *mint, enum signer who)
{
    return mint->pem[who == BY_RS1 ? PKEY_RS1 : who == BY_RSM ? PKEY_RSM : PKEY_ES1];
}

/* ---- signing ---- */

static size_t hmac(const void *key, size_t key_len, const char *text, size_t len,
                   unsigned char *sig)
{
    unsigned n = 0;

    assert_non_null(
        HMAC(EVP_sha256(), key, (int)key_len, (const unsigned char *)text, len, sig, &n));
    return n;
}

static size_t sign_pkey(EVP_PKEY *pkey, const EVP_MD *md, int padding, const char *text, size_t len,
                        unsigned char *sig)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    EVP_PKEY_CTX *pctx = NULL;
    size_t n = 1024;

    assert_int_equal(EVP_DigestSignInit(ctx, &pctx, md, NULL, pkey), 1);
    if (padding != 0) assert_int_equal(EVP_PKEY_CTX_set_rsa_padding(pctx, padding), 1);
    assert_int_equal(EVP_DigestSign(ctx, sig, &n, (const unsigned char *)text, len), 1);
    EVP_MD_CTX_free(ctx);
    return n;
}

static size_t sign_raw_ec(EVP_PKEY *pkey, const char *text, size_t len, unsigned char *sig)
{
    unsigned char der[256];
    const unsigned char *at = der;
    size_t n = sign_pkey(pkey, EVP_sha256(), 0, text, len, der);
    int half = (EVP_PKEY_get_bits(pkey) + 7) / 8;
    ECDSA_SIG *parsed = d2i_ECDSA_SIG(NULL, &at, (long)n);

    assert_non_null(parsed);
    assert_int_equal(BN_bn2binpad(ECDSA_SIG_get0_r(parsed), sig, half), half);
    assert_int_equal(BN_bn2binpad(ECDSA_SIG_get0_s(parsed), sig + half, half), half);
    ECDSA_SIG_free(parsed);
    return (size_t)half * 2;
}

static size_t sign_der_key(EVP_PKEY *pkey, const char *text, size_t len, unsigned char *sig)
{
    unsigned char *der = NULL;
    int n = i2d_PUBKEY(pkey, &der);
    size_t made = hmac(der, (size_t)n, text, len, sig);

    OPENSSL_free(der);
    return made;
}

static size_t sign(struct mint *m, enum signer who, const char *text, size_t len,
                   unsigned char *sig)
{
#define HMAC_PEM(which) hmac(m->pem[which], strlen(m->pem[which]), text, len, sig)
    switch (who) {
    case BY_ES1: return sign_raw_ec(m->pkeys[PKEY_ES1], text, len, sig);
    case BY_ES2: return sign_raw_ec(m->pkeys[PKEY_ES2], text, len, sig);
    case BY_ESM: return sign_raw_ec(m->pkeys[PKEY_ESM], text, len, sig);
    case BY_ES_STRANGER: return sign_raw_ec(m->pkeys[PKEY_ESX], text, len, sig);
    case BY_ES_P384: return sign_raw_ec(m->pkeys[PKEY_P384], text, len, sig);
    case BY_RS1: return sign_pkey(m->pkeys[PKEY_RS1], EVP_sha256(), 0, text, len, sig);
    case BY_RSM: return sign_pkey(m->pkeys[PKEY_RSM], EVP_sha256(), 0, text, len, sig);
    case BY_RS_STRANGER: return sign_pkey(m->pkeys[PKEY_RSX], EVP_sha256(), 0, text, len, sig);
    case BY_RS1_SHA1: return sign_pkey(m->pkeys[PKEY_RS1], EVP_sha1(), 0, text, len, sig);
    case BY_RS1_PSS:
        return sign_pkey(m->pkeys[PKEY_RS1], EVP_sha256(), RSA_PKCS1_PSS_PADDING, text, len, sig);
    case BY_HS1: return hmac(hs1, sizeof(hs1) - 1, text, len, sig);
    case BY_HSM: return hmac(hsm, sizeof(hsm) - 1, text, len, sig);
    case BY_HS_STRANGER: return hmac(hsx, sizeof(hsx) - 1, text, len, sig);
    case BY_HS_ES1_PEM: return HMAC_PEM(PKEY_ES1);
    case BY_HS_RS1_PEM: return HMAC_PEM(PKEY_RS1);
    case BY_HS_RSM_PEM: return HMAC_PEM(PKEY_RSM);
    case BY_HS_RS1_DER: return sign_der_key(m->pkeys[PKEY_RS1], text, len, sig);
    case BY_HS_EMPTY: return hmac("", 0, text, len, sig);
    case BY_NOBODY: return 0;
    }
    return 0;
#undef HMAC_PEM
}

/* ---- tokens ---- */

static size_t put_part(char *dst, const void *data, size_t len)
{
    const char *text = data;

    if (len > 0 && text[0] == '!') {
        memcpy(dst, text + 1, len - 1);
        return len - 1;
    }
    gh_b64url_encode(data, len, dst);
    return strlen(dst);
}

char *mint_bytes(struct mint *mint, const char *header, const void *claims, size_t claims_len,
                 enum signer who)
{
    unsigned char sig[1024];
    size_t at;

    assert_true((strlen(header) + claims_len) * 4 / 3 + 800 < MINT_MAX);
    at = put_part(mint->token, header, strlen(header));
    mint->token[at++] = '.';
    at += put_part(mint->token + at, claims, claims_len);
    mint->token[at] = '\0';
    {
        size_t n = sign(mint, who, mint->token, at, sig);

        mint->token[at++] = '.';
        gh_b64url_encode(sig, n, mint->token + at);
        if (n == 0) mint->token[at] = '\0';
    }
    return mint->token;
}

char *mint_token(struct mint *mint, const char *header, const char *claims, enum signer who)
{
    return mint_bytes(mint, header, claims, strlen(claims), who);
}

size_t mint_part(const char *token, int part, size_t *ret_len)
{
    const char *at = token;
    const char *dot;

    for (int i = 0; i < part; i++) {
        at = strchr(at, '.');
        assert_non_null(at);
        at++;
    }
    dot = strchr(at, '.');
    *ret_len = dot != NULL ? (size_t)(dot - at) : strlen(at);
    return (size_t)(at - token);
}

void mint_set_signature(char *token, const void *sig, size_t len)
{
    size_t old;
    size_t at = mint_part(token, 2, &old);

    gh_b64url_encode(sig, len, token + at);
    if (len == 0) token[at] = '\0';
}

size_t mint_get_signature(const char *token, void *sig)
{
    size_t text_len, len = 0;
    size_t at = mint_part(token, 2, &text_len);

    assert_int_equal(b64_decode(token + at, text_len, sig, &len), GH_OK);
    return len;
}

/* ---- tables ---- */

static const char *default_header(enum signer who)
{
    switch (who) {
    case BY_ES2: return "{\"alg\":\"ES256\",\"typ\":\"JWT\",\"kid\":\"es2\"}";
    case BY_ESM: return "{\"alg\":\"ES256\",\"typ\":\"JWT\",\"kid\":\"es-m\"}";
    case BY_RS1:
    case BY_RS1_PSS:
    case BY_RS1_SHA1:
    case BY_RS_STRANGER: return "{\"alg\":\"RS256\",\"typ\":\"JWT\",\"kid\":\"rs1\"}";
    case BY_RSM: return "{\"alg\":\"RS256\",\"typ\":\"JWT\",\"kid\":\"rs-m\"}";
    case BY_HS1:
    case BY_HS_EMPTY:
    case BY_HS_STRANGER: return "{\"alg\":\"HS256\",\"typ\":\"JWT\"}";
    case BY_HSM: return "{\"alg\":\"HS256\",\"typ\":\"JWT\",\"kid\":\"hs-m\"}";
    default: return MINT_HEADER("");
    }
}

static const char *default_claims(enum signer who)
{
    switch (who) {
    case BY_ESM:
    case BY_RSM:
    case BY_HSM: return MINT_ISS("https://mixed.example", "");
    case BY_RS1:
    case BY_RS1_PSS:
    case BY_RS1_SHA1:
    case BY_RS_STRANGER: return MINT_ISS("https://rs.example", "");
    case BY_HS1:
    case BY_HS_EMPTY:
    case BY_HS_STRANGER: return MINT_ISS("https://hs.example", "");
    default: return MINT_CLAIMS("");
    }
}

void mint_check_row(struct mint *mint, const struct mint_row *row)
{
    const char *header = row->header != NULL ? row->header : default_header(row->who);
    const char *claims = row->claims != NULL ? row->claims : default_claims(row->who);
    char *token = mint_token(mint, header, claims, row->who);
    struct identity identity;
    enum auth_reason got;

    if (row->tweak != NULL) row->tweak(mint, token);
    got = verifier_check(mint->verifier, token, strlen(token), MINT_NOW_MS, &identity);
    if (got != row->expect)
        fail_msg("%s, not %s", auth_reason_name(got), auth_reason_name(row->expect));
}

struct run_row {
    struct mint *mint;
    const struct mint_row *row;
};

static void check(void **state)
{
    const struct run_row *run = *state;

    mint_check_row(run->mint, run->row);
}

int mint_run(const char *group, const struct mint_row *rows, size_t count)
{
    struct CMUnitTest *tests = calloc(count, sizeof(*tests));
    struct run_row *runs = calloc(count, sizeof(*runs));
    struct mint *mint = mint_new();
    int failed;

    for (size_t i = 0; i < count; i++) {
        runs[i] = (struct run_row){ mint, &rows[i] };
        tests[i] = (struct CMUnitTest){ rows[i].name, check, NULL, NULL, &runs[i] };
    }
    failed = _cmocka_run_group_tests(group, tests, count, NULL, NULL);
    mint_free(mint);
    free(tests);
    free(runs);
    return failed;
}
