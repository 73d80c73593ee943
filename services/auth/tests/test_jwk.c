/* JWK Sets: what becomes a key, what is skipped and why, what refuses the whole set. */
#include "fetch.h"
#include "jwk.h"

#include "common/random.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define TEXT_MAX 16384

/* Stands for what is made at the start: @N@ @E@ a good RSA key, @S@ one of 1024 bits, @X@ @Y@ a
 * good point, @Z@ a coordinate off the curve, @K@ a good secret. */
static struct {
    const char *name;
    char text[2048];
} values[] = { { "@N@", "" }, { "@E@", "" }, { "@S@", "" }, { "@X@", "" },
               { "@Y@", "" }, { "@Z@", "" }, { "@K@", "" } };

enum { N, E, S, X, Y, Z, K };

static void set_bn(int which, const BIGNUM *bn, int width)
{
    unsigned char bytes[1024];
    int len = width > 0 ? BN_bn2binpad(bn, bytes, width) : BN_bn2bin(bn, bytes);

    assert_true(len > 0);
    gh_b64url_encode(bytes, (size_t)len, values[which].text);
}

static BIGNUM *param(EVP_PKEY *pkey, const char *name)
{
    BIGNUM *bn = NULL;

    assert_int_equal(EVP_PKEY_get_bn_param(pkey, name, &bn), 1);
    return bn;
}

static int make_values(void **state)
{
    EVP_PKEY *rsa = EVP_RSA_gen(2048u), *small = EVP_RSA_gen(1024u), *ec = EVP_EC_gen("P-256");
    BIGNUM *n = param(rsa, OSSL_PKEY_PARAM_RSA_N), *e = param(rsa, OSSL_PKEY_PARAM_RSA_E);
    BIGNUM *s = param(small, OSSL_PKEY_PARAM_RSA_N);
    BIGNUM *x = param(ec, OSSL_PKEY_PARAM_EC_PUB_X), *y = param(ec, OSSL_PKEY_PARAM_EC_PUB_Y);

    (void)state;
    set_bn(N, n, 0);
    set_bn(E, e, 0);
    set_bn(S, s, 0);
    set_bn(X, x, 32);
    set_bn(Y, y, 32);
    assert_int_equal(BN_add_word(x, 1), 1);
    set_bn(Z, x, 32);
    gh_random_token(48, values[K].text);
    BN_free(n);
    BN_free(e);
    BN_free(s);
    BN_free(x);
    BN_free(y);
    EVP_PKEY_free(rsa);
    EVP_PKEY_free(small);
    EVP_PKEY_free(ec);
    return 0;
}

static size_t fill_in(const char *pattern, char *dst)
{
    size_t at = 0;

    while (*pattern != '\0') {
        size_t v = 0;

        while (v < sizeof(values) / sizeof(values[0]) && strncmp(pattern, values[v].name, 3) != 0)
            v++;
        if (v < sizeof(values) / sizeof(values[0])) {
            at += (size_t)snprintf(dst + at, TEXT_MAX - at, "%s", values[v].text);
            pattern += 3;
        } else {
            dst[at++] = *pattern++;
        }
        assert_true(at < TEXT_MAX - 1);
    }
    dst[at] = '\0';
    return at;
}

#define RSA(more) "{\"kty\":\"RSA\",\"n\":\"@N@\",\"e\":\"@E@\"" more "}"
#define EC(more)  "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"@X@\",\"y\":\"@Y@\"" more "}"
#define OCT(more) "{\"kty\":\"oct\",\"k\":\"@K@\"" more "}"
#define SET(keys) "{\"keys\":[" keys "]}"
#define KID(kid)  ",\"kid\":\"" kid "\""

struct row {
    const char *name;
    const char *json;
    size_t keys;
    const char *why; /* part of why the last one was skipped, or the set was refused; NULL: none */
    bool from_file;  /* HS256 is allowed */
    enum gh_err err;
};

static const struct row rows[] = {
    /* what is taken */
    { "jwk: RSA", SET(RSA("")), 1, NULL },
    { "jwk: EC", SET(EC("")), 1, NULL },
    { "jwk: several", SET(RSA(KID("a")) "," EC(KID("b"))), 2, NULL },
    { "jwk: with alg, use and key_ops",
      SET(EC(KID("a") ",\"alg\":\"ES256\",\"use\":\"sig\",\"key_ops\":[\"sign\",\"verify\"]")), 1 },
    { "jwk: what it does not know is left alone",
      "{\"more\":{\"a\":1},\"keys\":[" RSA(",\"x5c\":[\"MII\"],\"x5t\":\"q\",\"ext\":true") "]}",
      1 },
    { "jwk: members spelled with escapes",
      SET("{\"k\\u0074y\":\"\\u0045C\",\"crv\":\"P\\u002d256\",\"x\":\"@X@\",\"y\":\"@Y@\"}"), 1 },
    { "jwk: oct from a file", SET(OCT("")), 1, NULL, .from_file = true },
    /* the set */
    { "jwks: empty", "", 0, "strict JSON", .err = GH_ERR_BAD_MESSAGE },
    { "jwks: garbage", "<html>busy</html>", 0, "strict JSON", .err = GH_ERR_BAD_MESSAGE },
    { "jwks: a bare key", RSA(""), 0, "JWK Set", .err = GH_ERR_BAD_MESSAGE },
    { "jwks: an array", "[" RSA("") "]", 0, "JWK Set", .err = GH_ERR_BAD_MESSAGE },
    { "jwks: keys is an object", "{\"keys\":{}}", 0, "JWK Set", .err = GH_ERR_BAD_MESSAGE },
    { "jwks: keys is null", "{\"keys\":null}", 0, "JWK Set", .err = GH_ERR_BAD_MESSAGE },
    { "jwks: no keys", SET(""), 0, "can be used", .err = GH_ERR_NOT_FOUND },
    { "jwks: keys twice", "{\"keys\":[" RSA("") "],\"keys\":[]}", 0, "twice",
      .err = GH_ERR_BAD_MESSAGE },
    { "jwks: a member twice in a key", SET(RSA(",\"n\":\"AQAB\"")), 0, "twice",
      .err = GH_ERR_BAD_MESSAGE },
    { "jwks: something behind it", SET(RSA("")) "x", 0, "strict JSON", .err = GH_ERR_BAD_MESSAGE },
    { "jwks: cut off", "{\"keys\":[" RSA(""), 0, "strict JSON", .err = GH_ERR_BAD_MESSAGE },
    { "jwks: too deep", "{\"a\":[[[[[[[[1]]]]]]]],\"keys\":[" RSA("") "]}", 0, "strict JSON",
      .err = GH_ERR_BAD_MESSAGE },
    /* kty, crv, alg, use */
    { "jwk: no object", SET("1," EC("")), 1, "not an object" },
    { "jwk: kty missing", SET("{\"n\":\"@N@\",\"e\":\"@E@\"}," EC("")), 1, "kty is missing" },
    { "jwk: kty in another case", SET("{\"kty\":\"rsa\",\"n\":\"@N@\",\"e\":\"@E@\"}," EC("")), 1,
      "kty is not known" },
    { "jwk: kty OKP", SET("{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"@X@\"}," EC("")), 1,
      "kty is not known" },
    { "jwk: kty a number", SET("{\"kty\":1}," EC("")), 1, "kty is not known" },
    { "jwk: kty too long", SET("{\"kty\":\"RSARSARSARSARSARSA\"}," EC("")), 1, "kty" },
    { "jwk: crv P-384",
      SET("{\"kty\":\"EC\",\"crv\":\"P-384\",\"x\":\"@X@\",\"y\":\"@Y@\"}," RSA("")), 1, "P-256" },
    { "jwk: crv in another case",
      SET("{\"kty\":\"EC\",\"crv\":\"p-256\",\"x\":\"@X@\",\"y\":\"@Y@\"}," RSA("")), 1, "P-256" },
    { "jwk: crv missing", SET("{\"kty\":\"EC\",\"x\":\"@X@\",\"y\":\"@Y@\"}," RSA("")), 1,
      "P-256" },
    { "jwk: alg none", SET(EC(",\"alg\":\"none\"") "," RSA("")), 1, "alg is not" },
    { "jwk: alg of another kty", SET(EC(",\"alg\":\"RS256\"") "," RSA("")), 1, "alg is not" },
    { "jwk: alg RS512", SET(RSA(",\"alg\":\"RS512\"") "," EC("")), 1, "alg is not" },
    { "jwk: alg HS256 on an RSA key", SET(RSA(",\"alg\":\"HS256\"") "," EC("")), 1, "alg is not" },
    { "jwk: alg null", SET(RSA(",\"alg\":null") "," EC("")), 1, "alg is not" },
    { "jwk: use enc", SET(RSA(",\"use\":\"enc\"") "," EC("")), 1, "use is not" },
    { "jwk: use in another case", SET(RSA(",\"use\":\"SIG\"") "," EC("")), 1, "use is not" },
    { "jwk: use a list", SET(RSA(",\"use\":[\"sig\"]") "," EC("")), 1, "use is not" },
    { "jwk: key_ops encrypt", SET(RSA(",\"key_ops\":[\"encrypt\"]") "," EC("")), 1, "key_ops" },
    { "jwk: key_ops empty", SET(RSA(",\"key_ops\":[]") "," EC("")), 1, "key_ops" },
    { "jwk: key_ops a string", SET(RSA(",\"key_ops\":\"verify\"") "," EC("")), 1, "key_ops" },
    /* kid */
    { "jwk: kid twice", SET(RSA(KID("a")) "," EC(KID("a"))), 1, "same kid" },
    { "jwk: two without kid", SET(RSA("") "," EC("")), 1, "same kid" },
    { "jwk: kid empty", SET(RSA(KID("")) "," EC("")), 1, "kid is empty" },
    { "jwk: kid a number", SET(RSA(",\"kid\":7") "," EC("")), 1, "kid is not" },
    { "jwk: kid with a line end", SET(RSA(KID("a\\nb")) "," EC("")), 1, "control" },
    /* private and secret */
    { "jwk: a private RSA key", SET(RSA(",\"d\":\"AQAB\"") "," EC("")), 1, "private" },
    { "jwk: a private EC key", SET(EC(",\"d\":\"AQAB\"") "," RSA("")), 1, "private" },
    { "jwk: primes", SET(RSA(",\"p\":\"AQAB\"") "," EC("")), 1, "private" },
    { "jwk: an RSA key that says k", SET(RSA(",\"k\":\"AQAB\"") "," EC("")), 1, "private" },
    { "jwk: oct from the net", SET(OCT("") "," EC("")), 1, "from a file alone" },
    { "jwk: a short secret", SET("{\"kty\":\"oct\",\"k\":\"c2hvcnQ\"}," EC("")), 1, "256 bits",
      .from_file = true },
    { "jwk: a secret in base64 with padding", SET("{\"kty\":\"oct\",\"k\":\"@K@==\"}," EC("")), 1,
      "base64url", .from_file = true },
    /* values */
    { "jwk: n missing", SET("{\"kty\":\"RSA\",\"e\":\"@E@\"}," EC("")), 1, "missing" },
    { "jwk: n a number", SET("{\"kty\":\"RSA\",\"n\":5,\"e\":\"@E@\"}," EC("")), 1, "missing" },
    { "jwk: n empty", SET("{\"kty\":\"RSA\",\"n\":\"\",\"e\":\"@E@\"}," EC("")), 1, "length" },
    { "jwk: n with padding", SET("{\"kty\":\"RSA\",\"n\":\"@N@==\",\"e\":\"@E@\"}," EC("")), 1,
      "padding" },
    { "jwk: n in base64", SET("{\"kty\":\"RSA\",\"n\":\"a+b/\",\"e\":\"@E@\"}," EC("")), 1,
      "base64url" },
    { "jwk: n with a leading zero",
      SET("{\"kty\":\"RSA\",\"n\":\"AAAA@N@\",\"e\":\"@E@\"}," EC("")), 1, "leading zero" },
    { "jwk: n of 1024 bits", SET("{\"kty\":\"RSA\",\"n\":\"@S@\",\"e\":\"@E@\"}," EC("")), 1,
      "2048" },
    { "jwk: e is 3", SET("{\"kty\":\"RSA\",\"n\":\"@N@\",\"e\":\"Aw\"}," EC("")), 1, "exponent" },
    { "jwk: e is even", SET("{\"kty\":\"RSA\",\"n\":\"@N@\",\"e\":\"AQAC\"}," EC("")), 1,
      "exponent" },
    { "jwk: e missing", SET("{\"kty\":\"RSA\",\"n\":\"@N@\"}," EC("")), 1, "missing" },
    { "jwk: a point off the curve",
      SET("{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"@Z@\",\"y\":\"@Y@\"}," RSA("")), 1, "" },
    { "jwk: x of 31 bytes",
      SET("{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":"
          "\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\",\"y\":\"@Y@\"}," RSA("")),
      1, "length" },
    { "jwk: x of 33 bytes",
      SET("{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":"
          "\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\",\"y\":\"@Y@\"}," RSA("")),
      1, "length" },
    { "jwk: the point at nought",
      SET("{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\","
          "\"y\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"}," RSA("")),
      1, "" },
    { "jwk: y missing", SET("{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"@X@\"}," RSA("")), 1,
      "missing" },
};

struct seen {
    unsigned skipped;
    char why[200];
};

static void on_skip(void *ctx, size_t index, const char *kid, const char *why)
{
    struct seen *seen = ctx;

    (void)index;
    assert_non_null(kid);
    assert_non_null(why);
    seen->skipped++;
    (void)snprintf(seen->why, sizeof(seen->why), "%s", why);
}

static void jwk_row(void **state)
{
    const struct row *row = *state;
    struct seen seen = { 0 };
    struct jwk_rules rules = { { [TOKEN_RS256] = true, [TOKEN_ES256] = true }, on_skip, &seen };
    struct issuer issuer = { 0 };
    const char *why = NULL;
    char text[TEXT_MAX];
    size_t len = fill_in(row->json, text);

    rules.allowed[TOKEN_HS256] = row->from_file;
    assert_int_equal(jwk_set_parse(text, len, &rules, &issuer, &why), row->err);
    assert_int_equal(issuer.key_count, row->keys);
    if (row->err != GH_OK) {
        assert_non_null(why);
        assert_non_null(strstr(why, row->why));
    } else if (row->why == NULL) {
        assert_int_equal(seen.skipped, 0);
    } else {
        assert_int_equal(seen.skipped, 1);
        assert_non_null(strstr(seen.why, row->why));
    }
    issuer_clear_keys(&issuer);
}

static void test_too_many(void **state)
{
    struct seen seen = { 0 };
    struct jwk_rules rules = { { [TOKEN_ES256] = true }, on_skip, &seen };
    struct issuer issuer = { 0 };
    char *text = malloc(JWK_SET_MAX_BYTES);
    const char *why = NULL;
    size_t at = 0;

    (void)state;
    at += (size_t)snprintf(text, JWK_SET_MAX_BYTES, "{\"keys\":[");
    for (int i = 0; i < 70; i++) {
        at += (size_t)snprintf(text + at, JWK_SET_MAX_BYTES - at,
                               "%s{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"%s\",\"y\":\"%s\","
                               "\"kid\":\"k%d\"}",
                               i > 0 ? "," : "", values[X].text, values[Y].text, i);
    }
    at += (size_t)snprintf(text + at, JWK_SET_MAX_BYTES - at, "]}");
    assert_int_equal(jwk_set_parse(text, at, &rules, &issuer, &why), GH_OK);
    assert_int_equal(issuer.key_count, ISSUER_MAX_KEYS);
    assert_int_equal(seen.skipped, 70 - ISSUER_MAX_KEYS);
    assert_non_null(strstr(seen.why, "too many"));
    issuer_clear_keys(&issuer);
    free(text);
}

struct age_row {
    const char *name, *value;
    int64_t ms;
};

static const struct age_row age_rows[] = {
    { "max-age: said", "max-age=300", 300000 },
    { "max-age: among others", "public, max-age=60 , must-revalidate", 60000 },
    { "max-age: in another case", "Public,MAX-AGE=5", 5000 },
    { "max-age: quoted", "max-age=\"7\"", 7000 },
    { "max-age: not said", "public", -1 },
    { "max-age: empty", "", -1 },
    { "max-age: no-store wins", "max-age=300, no-store", 0 },
    { "max-age: no-cache wins", "no-cache, max-age=300", 0 },
    { "max-age: twice counts the less", "max-age=300, max-age=20", 20000 },
    { "max-age: not a number", "max-age=abc", 0 },
    { "max-age: negative", "max-age=-5", 0 },
    { "max-age: nothing", "max-age=", 0 },
    { "max-age: huge", "max-age=99999999999999999999", 315360000000 },
    { "max-age: another directive with it in its name", "s-max-age=3", -1 },
    { "max-age: commas alone", ",,, ,", -1 },
};

static void age_row(void **state)
{
    const struct age_row *row = *state;

    assert_int_equal(fetch_max_age(row->value, strlen(row->value)), row->ms);
}

int main(void)
{
    enum { ROWS = sizeof(rows) / sizeof(rows[0]), AGES = sizeof(age_rows) / sizeof(age_rows[0]) };
    static struct CMUnitTest tests[ROWS + AGES + 1];

    for (size_t i = 0; i < ROWS; i++)
        tests[i] = (struct CMUnitTest){ rows[i].name, jwk_row, NULL, NULL, (void *)&rows[i] };
    for (size_t i = 0; i < AGES; i++)
        tests[ROWS + i] =
            (struct CMUnitTest){ age_rows[i].name, age_row, NULL, NULL, (void *)&age_rows[i] };
    tests[ROWS + AGES] = (struct CMUnitTest){ "jwks: more keys than an issuer may have",
                                              test_too_many, NULL, NULL, NULL };
    return cmocka_run_group_tests_name("jwk", tests, make_values, NULL);
}
