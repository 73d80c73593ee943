/* Claims, each with a valid twin. The clock stands at 1700000000; leeway is 30 s unless said. */
#include "mint.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define C(json)    NULL, json, BY_ES1, NULL
#define WITH(more) NULL, MINT_CLAIMS(more), BY_ES1, NULL
/* Good claims but for the one named. */
#define ISS(v) C("{\"iss\":" v ",\"sub\":\"alice\",\"aud\":\"gatehouse\",\"exp\":1700000600}")
#define SUB(v)                                                                                     \
    C("{\"iss\":\"https://es.example\",\"sub\":" v ",\"aud\":\"gatehouse\",\"exp\":1700000600}")
#define AUD(v)                                                                                     \
    C("{\"iss\":\"https://es.example\",\"sub\":\"alice\",\"aud\":" v ",\"exp\":1700000600}")
#define EXP(v)                                                                                     \
    C("{\"iss\":\"https://es.example\",\"sub\":\"alice\",\"aud\":\"gatehouse\",\"exp\":" v "}")
#define X16(s) s s s s s s s s s s s s s s s s

/* The strict issuer: typ at+jwt, client_id and jti, uid as the subject, 10 minutes at most, no
 * leeway. */
#define T_HEADER "{\"alg\":\"ES256\",\"typ\":\"at+jwt\",\"kid\":\"t1\"}"
#define TYPED_(head, claims)                                                                       \
    head, "{\"iss\":\"https://typed.example\",\"aud\":\"gatehouse\"," claims "}", BY_ES1, NULL
#define TYPED(claims) TYPED_(T_HEADER, claims)
#define T_GOOD                                                                                     \
    "\"uid\":\"u-1\",\"client_id\":\"web\",\"jti\":\"j1\",\"exp\":1700000600,\"iat\":1700000000"

static const struct mint_row rows[] = {
    { "iss: valid", ISS("\"https://es.example\""), AUTH_OK },
    { "iss: missing", C("{\"sub\":\"alice\",\"aud\":\"gatehouse\",\"exp\":1700000600}"),
      AUTH_ISS_MISSING },
    { "iss: null", ISS("null"), AUTH_ISS_MALFORMED },
    { "iss: number", ISS("1"), AUTH_ISS_MALFORMED },
    { "iss: list", ISS("[\"https://es.example\"]"), AUTH_ISS_MALFORMED },
    { "iss: empty", ISS("\"\""), AUTH_ISS_UNKNOWN },
    { "iss: unknown", ISS("\"https://evil.example\""), AUTH_ISS_UNKNOWN },
    { "iss: trailing slash", ISS("\"https://es.example/\""), AUTH_ISS_UNKNOWN },
    { "iss: another case", ISS("\"https://ES.example\""), AUTH_ISS_UNKNOWN },
    { "iss: a prefix", ISS("\"https://es.exampl\""), AUTH_ISS_UNKNOWN },
    { "iss: one with more behind", ISS("\"https://es.example.evil.example\""), AUTH_ISS_UNKNOWN },
    { "iss: spelled with escapes", ISS("\"https:\\/\\/es.example\""), AUTH_OK },
    { "iss: with NUL", ISS("\"https://es.example\\u0000\""), AUTH_CLAIMS_JSON },
    { "iss: twice", WITH(",\"iss\":\"https://rs.example\""), AUTH_CLAIMS_DUPLICATE },
    { "iss: whose keys were never fetched", ISS("\"https://away.example\""), AUTH_KEYS_AWAY },

    { "exp: valid", EXP("1700000600"), AUTH_OK },
    { "exp: missing", C("{\"iss\":\"https://es.example\",\"sub\":\"a\",\"aud\":\"gatehouse\"}"),
      AUTH_EXP_MISSING },
    { "exp: a string", EXP("\"1700000600\""), AUTH_EXP_MALFORMED },
    { "exp: null", EXP("null"), AUTH_EXP_MALFORMED },
    { "exp: true", EXP("true"), AUTH_EXP_MALFORMED },
    { "exp: list", EXP("[1700000600]"), AUTH_EXP_MALFORMED },
    { "exp: negative", EXP("-1700000600"), AUTH_EXP_MALFORMED },
    { "exp: minus zero", EXP("-0"), AUTH_EXPIRED },
    { "exp: zero", EXP("0"), AUTH_EXPIRED },
    { "exp: past by more than the leeway", EXP("1699999969"), AUTH_EXPIRED },
    { "exp: past by exactly the leeway", EXP("1699999970"), AUTH_EXPIRED },
    { "exp: past within the leeway", EXP("1699999971"), AUTH_OK },
    { "exp: past within the leeway by a fraction", EXP("1699999970.001"), AUTH_OK },
    { "exp: a fraction", EXP("1700000600.5"), AUTH_OK },
    { "exp: in exponent form", EXP("17000006e2"), AUTH_OK },
    { "exp: the end of time", EXP("253402300799"), AUTH_OK },
    { "exp: past the end of time", EXP("253402300800"), AUTH_EXP_MALFORMED },
    { "exp: in milliseconds", EXP("1700000600000"), AUTH_EXP_MALFORMED },
    { "exp: huge", EXP("1e300"), AUTH_EXP_MALFORMED },
    { "exp: infinite", EXP("1e400"), AUTH_CLAIMS_JSON },
    { "exp: overflowing 64 bits", EXP("18446744073709551617"), AUTH_EXP_MALFORMED },
    { "exp: leading zero", EXP("01700000600"), AUTH_CLAIMS_JSON },
    { "exp: plus sign", EXP("+1700000600"), AUTH_CLAIMS_JSON },
    { "exp: hexadecimal", EXP("0x6553f358"), AUTH_CLAIMS_JSON },
    { "exp: NaN", EXP("NaN"), AUTH_CLAIMS_JSON },
    { "exp: twice, past last", WITH(",\"exp\":1"), AUTH_CLAIMS_DUPLICATE },
    { "exp: twice, once with escapes", WITH(",\"\\u0065xp\":9999999999"), AUTH_CLAIMS_DUPLICATE },

    { "nbf: past", WITH(",\"nbf\":1699999000"), AUTH_OK },
    { "nbf: now", WITH(",\"nbf\":1700000000"), AUTH_OK },
    { "nbf: ahead within the leeway", WITH(",\"nbf\":1700000030"), AUTH_OK },
    { "nbf: ahead", WITH(",\"nbf\":1700000031"), AUTH_NOT_YET },
    { "nbf: a string", WITH(",\"nbf\":\"1\""), AUTH_NBF_MALFORMED },
    { "nbf: null", WITH(",\"nbf\":null"), AUTH_NBF_MALFORMED },
    { "nbf: negative", WITH(",\"nbf\":-1"), AUTH_NBF_MALFORMED },

    { "iat: absent", EXP("1700000600"), AUTH_OK },
    { "iat: within the leeway",
      C("{\"iss\":\"https://es.example\",\"sub\":\"a\",\"aud\":\"gatehouse\",\"exp\":1700000600,\"iat\":1700000030}"),
      AUTH_OK },
    { "iat: in the future",
      C("{\"iss\":\"https://es.example\",\"sub\":\"a\",\"aud\":\"gatehouse\",\"exp\":1700000600,\"iat\":1700000031}"),
      AUTH_IAT_FUTURE },
    { "iat: a string",
      C("{\"iss\":\"https://es.example\",\"sub\":\"a\",\"aud\":\"gatehouse\",\"exp\":1700000600,\"iat\":\"1\"}"),
      AUTH_IAT_MALFORMED },

    { "aud: valid", AUD("\"gatehouse\""), AUTH_OK },
    { "aud: the other accepted one", AUD("\"gatehouse-2\""), AUTH_OK },
    { "aud: one of a list", AUD("[\"x\",\"gatehouse\",\"y\"]"), AUTH_OK },
    { "aud: missing", C("{\"iss\":\"https://es.example\",\"sub\":\"a\",\"exp\":1700000600}"),
      AUTH_AUD_MISSING },
    { "aud: another", AUD("\"other\""), AUTH_AUD_OTHER },
    { "aud: another case", AUD("\"Gatehouse\""), AUTH_AUD_OTHER },
    { "aud: a prefix", AUD("\"gatehous\""), AUTH_AUD_OTHER },
    { "aud: with more behind", AUD("\"gatehouse-3\""), AUTH_AUD_OTHER },
    { "aud: names in one string", AUD("\"x gatehouse\""), AUTH_AUD_OTHER },
    { "aud: empty list", AUD("[]"), AUTH_AUD_OTHER },
    { "aud: a list of others", AUD("[\"x\",\"y\"]"), AUTH_AUD_OTHER },
    { "aud: a number in the list", AUD("[\"gatehouse\",1]"), AUTH_AUD_MALFORMED },
    { "aud: nested list", AUD("[[\"gatehouse\"]]"), AUTH_AUD_MALFORMED },
    { "aud: object", AUD("{\"gatehouse\":true}"), AUTH_AUD_MALFORMED },
    { "aud: null", AUD("null"), AUTH_AUD_MALFORMED },
    { "aud: empty string", AUD("\"\""), AUTH_AUD_OTHER },

    { "sub: any UTF-8", SUB("\"Z\xc3\xbcrich \xf0\x9f\x98\x80\""), AUTH_OK },
    { "sub: missing",
      C("{\"iss\":\"https://es.example\",\"aud\":\"gatehouse\",\"exp\":1700000600}"),
      AUTH_SUB_MISSING },
    { "sub: number", SUB("42"), AUTH_SUB_MALFORMED },
    { "sub: null", SUB("null"), AUTH_SUB_MALFORMED },
    { "sub: empty", SUB("\"\""), AUTH_SUB_MALFORMED },
    { "sub: list", SUB("[\"alice\"]"), AUTH_SUB_MALFORMED },
    { "sub: NUL inside", SUB("\"admin\\u0000evil\""), AUTH_CLAIMS_JSON },
    { "sub: line break", SUB("\"alice\\nadmin\""), AUTH_SUB_MALFORMED },
    { "sub: DEL", SUB("\"alice\\u007f\""), AUTH_SUB_MALFORMED },
    { "sub: C1 control", SUB("\"alice\\u0085\""), AUTH_SUB_MALFORMED },
    { "sub: lone surrogate", SUB("\"\\udc00\""), AUTH_CLAIMS_JSON },
    { "sub: overlong UTF-8", SUB("\"\xc0\xaf\""), AUTH_CLAIMS_JSON },
    { "sub: bad UTF-8", SUB("\"\xff\xfe\""), AUTH_CLAIMS_JSON },
    { "sub: 256 bytes", SUB("\"" X16("0123456789abcdef") "\""), AUTH_OK },
    { "sub: 257 bytes", SUB("\"" X16("0123456789abcdef") "X\""), AUTH_SUB_MALFORMED },
    { "sub: twice", WITH(",\"sub\":\"admin\""), AUTH_CLAIMS_DUPLICATE },
    { "sub: twice, once with escapes", WITH(",\"s\\u0075b\":\"admin\""), AUTH_CLAIMS_DUPLICATE },

    { "jti: valid", WITH(",\"jti\":\"abc\""), AUTH_OK },
    { "jti: number", WITH(",\"jti\":7"), AUTH_JTI_MALFORMED },
    { "jti: empty", WITH(",\"jti\":\"\""), AUTH_JTI_MALFORMED },
    { "jti: control character", WITH(",\"jti\":\"a\\tb\""), AUTH_JTI_MALFORMED },
    { "jti: 128 bytes", WITH(",\"jti\":\"" X16("01234567") "\""), AUTH_OK },
    { "jti: 129 bytes", WITH(",\"jti\":\"" X16("01234567") "8\""), AUTH_JTI_MALFORMED },

    { "roles: list", WITH(",\"roles\":[\"user\",\"moderator\"]"), AUTH_OK },
    { "roles: string", WITH(",\"roles\":\"user moderator\""), AUTH_OK },
    { "roles: empty list", WITH(",\"roles\":[]"), AUTH_OK },
    { "roles: number", WITH(",\"roles\":1"), AUTH_ROLES_MALFORMED },
    { "roles: null", WITH(",\"roles\":null"), AUTH_ROLES_MALFORMED },
    { "roles: object", WITH(",\"roles\":{\"admin\":true}"), AUTH_ROLES_MALFORMED },
    { "roles: a number in the list", WITH(",\"roles\":[\"user\",1]"), AUTH_ROLES_MALFORMED },
    { "roles: nested list", WITH(",\"roles\":[[\"admin\"]]"), AUTH_ROLES_MALFORMED },

    { "claims: not an object", C("[]"), AUTH_CLAIMS_NOT_OBJECT },
    { "claims: a string", C("\"x\""), AUTH_CLAIMS_NOT_OBJECT },
    { "claims: null", C("null"), AUTH_CLAIMS_NOT_OBJECT },
    { "claims: nothing but space", C(" "), AUTH_CLAIMS_JSON },
    { "claims: trailing comma", C("{\"iss\":\"https://es.example\",}"), AUTH_CLAIMS_JSON },
    { "claims: something behind", C(MINT_CLAIMS("") "x"), AUTH_CLAIMS_JSON },
    { "claims: cut off", C("{\"iss\":\"https://es.example\""), AUTH_CLAIMS_JSON },
    { "claims: nested duplicate", WITH(",\"x\":{\"a\":1,\"a\":2}"), AUTH_CLAIMS_DUPLICATE },
    { "claims: nested as deep as allowed", WITH(",\"x\":[[[[[[[1]]]]]]]"), AUTH_OK },
    { "claims: nested deeper", WITH(",\"x\":[[[[[[[[1]]]]]]]]"), AUTH_CLAIMS_LIMIT },
    { "claims: a million deep would cost nothing", C(X16(X16("[[[[[[[["))), AUTH_CLAIMS_LIMIT },
    { "claims: __proto__ is a claim like any other", WITH(",\"__proto__\":{\"sub\":\"admin\"}"),
      AUTH_OK },
    { "claims: a number of 65 digits", WITH(",\"x\":1" X16("0000")), AUTH_CLAIMS_LIMIT },

    { "strict: valid", TYPED(T_GOOD), AUTH_OK },
    { "strict: typ JWT is another kind of token",
      TYPED_("{\"alg\":\"ES256\",\"typ\":\"JWT\",\"kid\":\"t1\"}", T_GOOD), AUTH_TYP_OTHER },
    { "strict: typ missing", TYPED_("{\"alg\":\"ES256\",\"kid\":\"t1\"}", T_GOOD), AUTH_TYP_OTHER },
    { "strict: required claim missing",
      TYPED("\"uid\":\"u\",\"jti\":\"j\",\"exp\":1700000600,\"iat\":1700000000"),
      AUTH_CLAIM_REQUIRED },
    { "strict: required claim null",
      TYPED("\"uid\":\"u\",\"client_id\":null,\"jti\":\"j\",\"exp\":1700000600,\"iat\":1700000000"),
      AUTH_CLAIM_REQUIRED },
    { "strict: sub is not the subject",
      TYPED(
          "\"sub\":\"u\",\"client_id\":\"w\",\"jti\":\"j\",\"exp\":1700000600,\"iat\":1700000000"),
      AUTH_SUB_MISSING },
    { "strict: iat missing",
      TYPED("\"uid\":\"u\",\"client_id\":\"w\",\"jti\":\"j\",\"exp\":1700000600"),
      AUTH_IAT_MISSING },
    { "strict: lives too long",
      TYPED(
          "\"uid\":\"u\",\"client_id\":\"w\",\"jti\":\"j\",\"exp\":1700000601,\"iat\":1700000000"),
      AUTH_LIFETIME },
    { "strict: exp now",
      TYPED(
          "\"uid\":\"u\",\"client_id\":\"w\",\"jti\":\"j\",\"exp\":1700000000,\"iat\":1699999999"),
      AUTH_EXPIRED },
    { "strict: exp a moment ahead",
      TYPED(
          "\"uid\":\"u\",\"client_id\":\"w\",\"jti\":\"j\",\"exp\":1700000000.001,\"iat\":1699999999"),
      AUTH_OK },
    { "strict: iat a moment ahead",
      TYPED(
          "\"uid\":\"u\",\"client_id\":\"w\",\"jti\":\"j\",\"exp\":1700000600,\"iat\":1700000000.001"),
      AUTH_IAT_FUTURE },
    { "strict: roles by pointer", TYPED(T_GOOD ",\"realm\":{\"roles\":[\"user\"]}"), AUTH_OK },
    { "strict: malformed roles by pointer", TYPED(T_GOOD ",\"realm\":{\"roles\":7}"),
      AUTH_ROLES_MALFORMED },
};

/* ---- what a good token says ---- */

static struct identity identify(struct mint *mint, const char *claims)
{
    char *token = mint_token(mint, MINT_HEADER(""), claims, BY_ES1);
    struct identity identity;

    assert_int_equal(
        verifier_check(mint_verifier(mint), token, strlen(token), MINT_NOW_MS, &identity), AUTH_OK);
    return identity;
}

static void test_identity(void **state)
{
    struct mint *mint = mint_new();
    struct identity id = identify(
        mint, MINT_CLAIMS(",\"jti\":\"j-1\",\"roles\":[\"user\",\"mod\\u0065rator\",\"user\","
                          "\"a,b\",\"\",\"with space\",\"x:y.z_1-2\"]"));

    (void)state;
    assert_string_equal(id.user, "alice");
    assert_string_equal(id.issuer->rule.name, "https://es.example");
    assert_string_equal(id.kid, "es1");
    assert_string_equal(id.token_id, "j-1");
    assert_int_equal(id.expires_ms, 1700000600000);
    assert_int_equal(id.issued_ms, 1699999990000);
    assert_int_equal(id.grant_count, 5); /* each once */
    assert_string_equal(id.grants[0], "user");
    assert_string_equal(id.grants[1], "moderator");
    assert_string_equal(id.grants[3], "with space");

    id = identify(mint, MINT_CLAIMS(",\"roles\":\" user  admin \""));
    assert_int_equal(id.grant_count, 2);
    assert_string_equal(id.grants[1], "admin");
    id = identify(mint, MINT_CLAIMS(""));
    assert_int_equal(id.grant_count, 0);
    mint_free(mint);
}

static void test_token_id_without_jti(void **state)
{
    struct mint *mint = mint_new();
    struct identity first = identify(mint, MINT_CLAIMS(""));
    struct identity again = identify(mint, MINT_CLAIMS("")); /* ECDSA: another signature */
    struct identity other = identify(mint, MINT_CLAIMS(",\"x\":1"));

    (void)state;
    assert_int_equal(strncmp(first.token_id, "sha256.", 7), 0);
    assert_string_equal(first.token_id, again.token_id);
    assert_string_not_equal(first.token_id, other.token_id);
    mint_free(mint);
}

static void test_role_limits(void **state)
{
    struct mint *mint = mint_new();
    char claims[8192];
    struct identity identity;
    char *token;

    (void)state;
    for (int count = VERIFY_GRANTS_MAX; count <= (int)VERIFY_GRANTS_MAX + 1; count++) {
        size_t at = (size_t)snprintf(claims, sizeof(claims), "%s",
                                     "{\"iss\":\"https://es.example\",\"sub\":\"a\",\"aud\":"
                                     "\"gatehouse\",\"exp\":1700000600,\"roles\":[");

        for (int i = 0; i < count; i++)
            at += (size_t)snprintf(claims + at, sizeof(claims) - at, "%s\"r%d\"", i > 0 ? "," : "",
                                   i);
        (void)snprintf(claims + at, sizeof(claims) - at, "]}");
        token = mint_token(mint, MINT_HEADER(""), claims, BY_ES1);
        assert_int_equal(
            verifier_check(mint_verifier(mint), token, strlen(token), MINT_NOW_MS, &identity),
            count <= (int)VERIFY_GRANTS_MAX ? AUTH_OK : AUTH_ROLES_MANY);
    }
    mint_free(mint);
}

static void test_size_of_the_token(void **state)
{
    struct mint *mint = mint_new();
    struct identity identity;
    char claims[8192];
    char *token;
    bool exact = false;

    (void)state;
    for (int pad = 5800; pad < 6100 && !exact; pad++) {
        size_t len;

        (void)snprintf(claims, sizeof(claims),
                       "{\"iss\":\"https://es.example\",\"sub\":\"a\",\"aud\":\"gatehouse\","
                       "\"exp\":1700000600,\"p\":\"%0*d\",\"q\":\"%0*d\"}",
                       pad / 2, 0, pad - pad / 2, 0);
        token = mint_token(mint, MINT_HEADER(""), claims, BY_ES1);
        len = strlen(token);
        if (len == TOKEN_MAX_BYTES) {
            exact = true;
            assert_int_equal(
                verifier_check(mint_verifier(mint), token, len, MINT_NOW_MS, &identity), AUTH_OK);
            assert_int_equal(
                verifier_check(mint_verifier(mint), token, len + 1, MINT_NOW_MS, &identity),
                AUTH_TOO_LARGE);
        } else if (len > TOKEN_MAX_BYTES) {
            assert_int_equal(
                verifier_check(mint_verifier(mint), token, len, MINT_NOW_MS, &identity),
                AUTH_TOO_LARGE);
            break;
        }
    }
    mint_free(mint);
}

static void test_many_claims(void **state)
{
    struct mint *mint = mint_new();
    struct identity identity;
    char claims[8192];
    char *token;

    (void)state;
    for (int more = 124; more <= 125; more++) { /* with four of ours: 128 and 129 */
        size_t at = (size_t)snprintf(claims, sizeof(claims), "%s",
                                     "{\"iss\":\"https://es.example\",\"sub\":\"a\",\"aud\":"
                                     "\"gatehouse\",\"exp\":1700000600");

        for (int i = 0; i < more; i++)
            at += (size_t)snprintf(claims + at, sizeof(claims) - at, ",\"c%d\":0", i);
        (void)snprintf(claims + at, sizeof(claims) - at, "}");
        token = mint_token(mint, MINT_HEADER(""), claims, BY_ES1);
        assert_int_equal(
            verifier_check(mint_verifier(mint), token, strlen(token), MINT_NOW_MS, &identity),
            more == 124 ? AUTH_OK : AUTH_CLAIMS_LIMIT);
    }
    mint_free(mint);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_identity),    cmocka_unit_test(test_token_id_without_jti),
        cmocka_unit_test(test_role_limits), cmocka_unit_test(test_size_of_the_token),
        cmocka_unit_test(test_many_claims),
    };
    int failed = mint_run("token claims", rows, sizeof(rows) / sizeof(rows[0]));

    return failed + cmocka_run_group_tests_name("token identity", tests, NULL, NULL);
}
