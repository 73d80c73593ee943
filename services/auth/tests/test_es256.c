/* es256 against OpenSSL's own ECDSA: whatever the signature, both say the same. */
#include "es256.h"

#include "common/random.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/obj_mac.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define KEYS   4
#define ROUNDS 400

struct pair {
    EVP_PKEY *pkey;
    struct es256 *es256;
    BIGNUM *secret;
    EC_GROUP *curve;
    BN_CTX *ctx;
};

static void pair_init(struct pair *p)
{
    p->pkey = EVP_EC_gen("P-256");
    p->secret = NULL;
    assert_int_equal(EVP_PKEY_get_bn_param(p->pkey, OSSL_PKEY_PARAM_PRIV_KEY, &p->secret), 1);
    p->curve = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
    p->ctx = BN_CTX_new();
    assert_int_equal(es256_new(p->pkey, &p->es256), GH_OK);
}

static void pair_done(struct pair *p)
{
    es256_free(p->es256);
    EVP_PKEY_free(p->pkey);
    BN_clear_free(p->secret);
    EC_GROUP_free(p->curve);
    BN_CTX_free(p->ctx);
}

static void sign(const struct pair *p, const unsigned char *digest, unsigned char *raw)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(p->pkey, NULL);
    unsigned char der[80];
    const unsigned char *at = der;
    size_t len = sizeof(der);
    ECDSA_SIG *sig;

    assert_int_equal(EVP_PKEY_sign_init(ctx), 1);
    assert_int_equal(EVP_PKEY_sign(ctx, der, &len, digest, 32), 1);
    EVP_PKEY_CTX_free(ctx);
    sig = d2i_ECDSA_SIG(NULL, &at, (long)len);
    BN_bn2binpad(ECDSA_SIG_get0_r(sig), raw, 32);
    BN_bn2binpad(ECDSA_SIG_get0_s(sig), raw + 32, 32);
    ECDSA_SIG_free(sig);
}

static bool openssl_says(const struct pair *p, const unsigned char *digest,
                         const unsigned char *raw)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(p->pkey, NULL);
    ECDSA_SIG *sig = ECDSA_SIG_new();
    unsigned char *der = NULL;
    int len, good;

    ECDSA_SIG_set0(sig, BN_bin2bn(raw, 32, NULL), BN_bin2bn(raw + 32, 32, NULL));
    len = i2d_ECDSA_SIG(sig, &der);
    assert_int_equal(EVP_PKEY_verify_init(ctx), 1);
    good = EVP_PKEY_verify(ctx, der, (size_t)len, digest, 32);
    OPENSSL_free(der);
    ECDSA_SIG_free(sig);
    EVP_PKEY_CTX_free(ctx);
    ERR_clear_error();
    return good == 1;
}

static void both_say(const struct pair *p, const unsigned char *digest, const unsigned char *raw,
                     bool expected)
{
    bool good = !expected;

    assert_int_equal(es256_verify(p->es256, digest, raw, &good), GH_OK);
    assert_int_equal(good, expected);
    assert_int_equal(openssl_says(p, digest, raw), expected);
}

static void test_random(void **state)
{
    struct pair pairs[KEYS];
    unsigned char digest[32], raw[64];

    (void)state;
    for (size_t k = 0; k < KEYS; k++)
        pair_init(&pairs[k]);
    for (unsigned i = 0; i < ROUNDS; i++) {
        struct pair *p = &pairs[i % KEYS];
        uint64_t random = gh_random_u64();
        bool good;

        assert_int_equal(gh_random_bytes(digest, sizeof(digest)), GH_OK);
        sign(p, digest, raw);
        both_say(p, digest, raw, true);
        both_say(&pairs[(i + 1) % KEYS], digest, raw, false); /* another's key */
        raw[random % 64] ^= (unsigned char)(1u << (random >> 8) % 8);
        /* (r, n - s) verifies too, and a flip may leave the range: ask, do not assume */
        if (es256_verify(p->es256, digest, raw, &good) == GH_OK)
            assert_int_equal(good, openssl_says(p, digest, raw));
        assert_int_equal(gh_random_bytes(raw, sizeof(raw)), GH_OK);
        raw[0] &= 0x7f;
        raw[32] &= 0x7f;
        both_say(p, digest, raw, false);
    }
    for (size_t k = 0; k < KEYS; k++)
        pair_done(&pairs[k]);
}

/* Values that make the equation special, with the help of the secret key. */
static void test_special(void **state)
{
    struct pair p;
    unsigned char digest[32] = { 0 }, raw[64];
    BIGNUM *r = BN_new(), *s = BN_new(), *e = BN_new(), *u = BN_new();
    const BIGNUM *n;
    EC_POINT *point;

    (void)state;
    pair_init(&p);
    n = EC_GROUP_get0_order(p.curve);
    point = EC_POINT_new(p.curve);

    sign(&p, digest, raw); /* e = 0: u1 * G is nothing */
    both_say(&p, digest, raw, true);
    memset(digest, 0xff, sizeof(digest)); /* e over n */
    sign(&p, digest, raw);
    both_say(&p, digest, raw, true);

    /* the other s of the same signature */
    BN_bin2bn(raw + 32, 32, s);
    BN_sub(s, n, s);
    BN_bn2binpad(s, raw + 32, 32);
    both_say(&p, digest, raw, true);

    /* the sum is nothing: e = -r d */
    assert_int_equal(gh_random_bytes(raw, sizeof(raw)), GH_OK);
    raw[0] &= 0x7f;
    raw[32] &= 0x7f;
    BN_bin2bn(raw, 32, r);
    BN_mod_mul(e, r, p.secret, n, p.ctx);
    BN_sub(e, n, e);
    BN_bn2binpad(e, digest, 32);
    both_say(&p, digest, raw, false);

    /* both halves are the same point, so that the sum is a doubling: r = x(2uG), e = r d, s = e/u
     */
    assert_int_equal(gh_random_bytes(raw, 32), GH_OK);
    raw[0] &= 0x7f;
    BN_bin2bn(raw, 32, u);
    BN_lshift1(s, u);
    BN_nnmod(s, s, n, p.ctx);
    assert_int_equal(EC_POINT_mul(p.curve, point, s, NULL, NULL, p.ctx), 1);
    assert_int_equal(EC_POINT_get_affine_coordinates(p.curve, point, r, NULL, p.ctx), 1);
    BN_nnmod(r, r, n, p.ctx);
    BN_mod_mul(e, r, p.secret, n, p.ctx);
    assert_non_null(BN_mod_inverse(s, u, n, p.ctx));
    BN_mod_mul(s, s, e, n, p.ctx);
    BN_bn2binpad(r, raw, 32);
    BN_bn2binpad(s, raw + 32, 32);
    BN_bn2binpad(e, digest, 32);
    both_say(&p, digest, raw, true);

    /* the ends of the range */
    BN_sub(s, n, BN_value_one());
    BN_bn2binpad(s, raw, 32);
    BN_bn2binpad(s, raw + 32, 32);
    both_say(&p, digest, raw, false);
    memset(raw, 0, sizeof(raw));
    raw[31] = raw[63] = 1;
    both_say(&p, digest, raw, false);

    EC_POINT_free(point);
    BN_free(r);
    BN_free(s);
    BN_free(e);
    BN_free(u);
    pair_done(&p);
}

static void test_tables_are_bounded(void **state)
{
    static struct es256 *all[ES256_TABLES_MAX];
    EVP_PKEY *pkey = EVP_EC_gen("P-256");
    struct es256 *more = NULL;

    (void)state;
    for (size_t i = 0; i < ES256_TABLES_MAX; i++)
        assert_int_equal(es256_new(pkey, &all[i]), GH_OK);
    assert_int_equal(es256_new(pkey, &more), GH_ERR_LIMIT);
    assert_null(more);
    es256_free(all[0]);
    assert_int_equal(es256_new(pkey, &all[0]), GH_OK);
    for (size_t i = 0; i < ES256_TABLES_MAX; i++)
        es256_free(all[i]);
    EVP_PKEY_free(pkey);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random),
        cmocka_unit_test(test_special),
        cmocka_unit_test(test_tables_are_bounded),
    };

    return cmocka_run_group_tests_name("es256", tests, NULL, NULL);
}
