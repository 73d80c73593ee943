#define OPENSSL_SUPPRESS_DEPRECATED    /* EC_GROUP_precompute_mult: deprecated in 3.0 without      \
                                          successor */
#include "es256.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/obj_mac.h>
#include <stdlib.h>

#define BYTES 32

struct es256 {
    EC_GROUP *curve;        /* P-256 */
    EC_GROUP *own;          /* P-256 with the public key as its generator, and the table */
    EC_POINT *left, *right; /* u1 * G, u2 * Q, their sum */
    BIGNUM *r, *s, *e, *u;
    BN_CTX *ctx;
};

static unsigned tables;

void es256_free(struct es256 *es256)
{
    if (es256 == NULL) return;
    if (es256->own != NULL) tables--;
    EC_POINT_free(es256->left);
    EC_POINT_free(es256->right);
    EC_GROUP_free(es256->own);
    EC_GROUP_free(es256->curve);
    BN_free(es256->r);
    BN_free(es256->s);
    BN_free(es256->e);
    BN_free(es256->u);
    BN_CTX_free(es256->ctx);
    free(es256);
}

static bool make_table(struct es256 *es256, EVP_PKEY *pkey)
{
    unsigned char point[1 + 2 * BYTES];
    size_t len = 0;

    es256->own = EC_GROUP_dup(es256->curve);
    if (es256->own == NULL) return false;
    tables++;
    return EVP_PKEY_get_octet_string_param(pkey, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof(point),
                                           &len) == 1 &&
           EC_POINT_oct2point(es256->curve, es256->left, point, len, es256->ctx) == 1 &&
           EC_GROUP_set_generator(es256->own, es256->left, EC_GROUP_get0_order(es256->curve),
                                  BN_value_one()) == 1 &&
           EC_GROUP_precompute_mult(es256->own, es256->ctx) == 1;
}

enum gh_err es256_new(EVP_PKEY *pkey, struct es256 **ret_es256)
{
    struct es256 *es256;
    enum gh_err err = GH_ERR_NOMEM;

    if (tables >= ES256_TABLES_MAX) return GH_ERR_LIMIT;
    es256 = calloc(1, sizeof(*es256));
    if (es256 == NULL) return GH_ERR_NOMEM;
    es256->curve = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
    if (es256->curve != NULL) {
        es256->left = EC_POINT_new(es256->curve);
        es256->right = EC_POINT_new(es256->curve);
    }
    es256->r = BN_new();
    es256->s = BN_new();
    es256->e = BN_new();
    es256->u = BN_new();
    es256->ctx = BN_CTX_new();
    if (es256->left != NULL && es256->right != NULL && es256->r != NULL && es256->s != NULL &&
        es256->e != NULL && es256->u != NULL && es256->ctx != NULL)
        err = make_table(es256, pkey) ? GH_OK : GH_ERR_CRYPTO;
    if (err != GH_OK) {
        ERR_clear_error();
        es256_free(es256);
        return err;
    }
    *ret_es256 = es256;
    return GH_OK;
}

/* R = (e/s) * G + (r/s) * Q. */
static bool compute(struct es256 *v, const unsigned char *digest, const unsigned char *signature)
{
    const BIGNUM *n = EC_GROUP_get0_order(v->curve);

    return BN_bin2bn(signature, BYTES, v->r) != NULL &&
           BN_bin2bn(signature + BYTES, BYTES, v->s) != NULL &&
           BN_bin2bn(digest, BYTES, v->e) != NULL &&
           BN_mod_inverse(v->s, v->s, n, v->ctx) != NULL &&
           BN_mod_mul(v->u, v->e, v->s, n, v->ctx) == 1 &&
           EC_POINT_mul(v->curve, v->left, v->u, NULL, NULL, v->ctx) == 1 &&
           BN_mod_mul(v->u, v->r, v->s, n, v->ctx) == 1 &&
           EC_POINT_mul(v->own, v->right, v->u, NULL, NULL, v->ctx) == 1 &&
           EC_POINT_add(v->curve, v->left, v->left, v->right, v->ctx) == 1;
}

enum gh_err es256_verify(struct es256 *v, const unsigned char digest[32],
                         const unsigned char signature[64], bool *ret_good)
{
    const BIGNUM *n = EC_GROUP_get0_order(v->curve);

    if (!compute(v, digest, signature)) {
        ERR_clear_error();
        return GH_ERR_CRYPTO;
    }
    if (EC_POINT_is_at_infinity(v->curve, v->left)) {
        *ret_good = false;
        return GH_OK;
    }
    /* x is under p, and p under 2n: one subtraction makes it x mod n. */
    if (EC_POINT_get_affine_coordinates(v->curve, v->left, v->e, NULL, v->ctx) != 1 ||
        (BN_cmp(v->e, n) >= 0 && BN_sub(v->e, v->e, n) != 1)) {
        ERR_clear_error();
        return GH_ERR_CRYPTO;
    }
    *ret_good = BN_cmp(v->e, v->r) == 0;
    return GH_OK;
}
