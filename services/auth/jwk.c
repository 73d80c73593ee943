#include "jwk.h"

#include "b64.h"

#include "common/json/tape.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <stdint.h>
#include <string.h>

#define RSA_N_MAX_BYTES 1024u /* 8192 bits */
#define RSA_E_MAX_BYTES 32u
#define P256_BYTES      32u
#define VALUE_MAX_CHARS 2048u
#define KEYS_LOOKED_AT  256u

static const struct gh_json_limits set_limits = {
    .max_bytes = JWK_SET_MAX_BYTES,
    .max_depth = 6,
    .max_nodes = 16384,
    .max_members = 64,
    .max_items = KEYS_LOOKED_AT,
    .max_string_bytes = 65536, /* certificate chains, which are not looked at */
    .max_key_bytes = 64,
    .max_number_chars = 32,
    .refuse_nul = true,
};

struct reader { /* one key being read */
    const struct gh_tape *tape;
    uint32_t node;
    const char *why; /* why it is skipped */
    char kid[TOKEN_KID_MAX_BYTES + 1];
};

/* A string member of at most max bytes; false with why set when it is something else. Absent:
 * true, *ret_text NULL. scratch holds max bytes. */
static bool text_of(struct reader *r, const char *name, char *scratch, size_t max,
                    const char **ret_text, size_t *ret_len, const char *why)
{
    uint32_t node = gh_tape_get(r->tape, r->node, name, strlen(name));

    *ret_text = NULL;
    *ret_len = 0;
    if (node == GH_TAPE_NONE) return true;
    if (gh_tape_kind(r->tape, node) != GH_JSON_STR || gh_tape_str_len(r->tape, node) > max) {
        r->why = why;
        return false;
    }
    *ret_text = gh_tape_str(r->tape, node, scratch, ret_len);
    return true;
}

static bool is(const char *text, size_t len, const char *word)
{
    return strlen(word) == len && memcmp(text, word, len) == 0;
}

/* A base64url member of min..max bytes. */
static bool value_of(struct reader *r, const char *name, unsigned char *dst, size_t min, size_t max,
                     size_t *ret_len)
{
    unsigned char bytes[B64_DECODED_MAX(VALUE_MAX_CHARS)];
    char scratch[VALUE_MAX_CHARS];
    const char *text;
    size_t len, n = 0;
    bool good;

    r->why = "a value is missing, not base64url without padding, or of a wrong length";
    good = text_of(r, name, scratch, sizeof(scratch), &text, &len, r->why) && text != NULL &&
           b64_decode(text, len, bytes, &n) == GH_OK && n >= min && n <= max;
    if (good) {
        memcpy(dst, bytes, n);
        *ret_len = n;
        r->why = NULL;
    }
    OPENSSL_cleanse(bytes, sizeof(bytes));
    OPENSSL_cleanse(scratch, sizeof(scratch));
    return good;
}

/* ---- what is said about a key ---- */

static bool read_kid(struct reader *r)
{
    char scratch[TOKEN_KID_MAX_BYTES];
    const char *text;
    size_t len;

    r->kid[0] = '\0';
    if (!text_of(r, "kid", scratch, sizeof(scratch), &text, &len,
                 "kid is not a string of at most 128 bytes"))
        return false;
    if (text == NULL) return true;
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];

        if (c < 0x20 || c == 0x7f) len = 0;
    }
    if (len == 0) {
        r->why = "kid is empty or has control characters";
        return false;
    }
    memcpy(r->kid, text, len);
    r->kid[len] = '\0';
    return true;
}

static bool check_use(struct reader *r)
{
    uint32_t ops = gh_tape_get_lit(r->tape, r->node, "key_ops");
    char scratch[32];
    const char *text;
    size_t len;

    if (!text_of(r, "use", scratch, sizeof(scratch), &text, &len, "use is not sig")) return false;
    if (text != NULL && !is(text, len, "sig")) {
        r->why = "use is not sig";
        return false;
    }
    if (ops == GH_TAPE_NONE) return true;
    r->why = "key_ops does not have verify";
    if (gh_tape_kind(r->tape, ops) != GH_JSON_ARR) return false;
    for (uint32_t i = ops + 1; i < r->tape->nodes[ops].next; i = r->tape->nodes[i].next) {
        if (gh_tape_str_eq_lit(r->tape, i, "verify")) r->why = NULL;
    }
    return r->why == NULL;
}

/* The one algorithm the key is for. */
static bool choose_alg(struct reader *r, const struct jwk_rules *rules, enum token_alg *ret_alg)
{
    static const struct {
        const char *kty;
        enum token_alg alg;
    } kinds[] = { { "RSA", TOKEN_RS256 }, { "EC", TOKEN_ES256 }, { "oct", TOKEN_HS256 } };
    char kty_bytes[16], alg_bytes[32];
    const char *kty, *alg;
    size_t kty_len, alg_len, kind = 0;

    if (!text_of(r, "kty", kty_bytes, sizeof(kty_bytes), &kty, &kty_len, "kty is not known") ||
        !text_of(r, "alg", alg_bytes, sizeof(alg_bytes), &alg, &alg_len, "alg is not ours"))
        return false;
    if (kty == NULL) {
        r->why = "kty is missing";
        return false;
    }
    while (kind < 3 && !is(kty, kty_len, kinds[kind].kty))
        kind++;
    if (kind == 3) {
        r->why = "kty is not known";
        return false;
    }
    *ret_alg = kinds[kind].alg;
    if (alg != NULL && !is(alg, alg_len, token_alg_name(*ret_alg))) {
        r->why = "alg is not ours or not of its kty";
        return false;
    }
    if (!rules->allowed[*ret_alg]) {
        r->why = *ret_alg == TOKEN_HS256 ? "a shared secret is taken from a file alone, with HS256 "
                                           "among the algorithms"
                                         : "its algorithm is not among those of the issuer";
        return false;
    }
    return true;
}

/* ---- the key itself ---- */

static bool build(const char *type, OSSL_PARAM_BLD *builder, EVP_PKEY **ret_pkey)
{
    OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(builder);
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    bool good = params != NULL && ctx != NULL && EVP_PKEY_fromdata_init(ctx) == 1 &&
                EVP_PKEY_fromdata(ctx, ret_pkey, EVP_PKEY_PUBLIC_KEY, params) == 1;

    EVP_PKEY_CTX_free(ctx);
    OSSL_PARAM_free(params);
    ERR_clear_error();
    return good;
}

static bool no_private_part(struct reader *r)
{
    static const char *const names[] = { "d", "p", "q", "dp", "dq", "qi", "oth", "k" };

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (gh_tape_get(r->tape, r->node, names[i], strlen(names[i])) != GH_TAPE_NONE) {
            r->why = "it holds a private key: whoever published it must replace it";
            return false;
        }
    }
    return true;
}

static EVP_PKEY *rsa_key(struct reader *r)
{
    unsigned char n[RSA_N_MAX_BYTES], e[RSA_E_MAX_BYTES];
    size_t n_len, e_len;
    OSSL_PARAM_BLD *builder;
    BIGNUM *bn_n, *bn_e;
    EVP_PKEY *pkey = NULL;

    if (!no_private_part(r) || !value_of(r, "n", n, 1, sizeof(n), &n_len) ||
        !value_of(r, "e", e, 1, sizeof(e), &e_len))
        return NULL;
    if (n[0] == 0 || e[0] == 0) {
        r->why = "n or e has leading zero bytes (RFC 7518 section 2)";
        return NULL;
    }
    bn_n = BN_bin2bn(n, (int)n_len, NULL);
    bn_e = BN_bin2bn(e, (int)e_len, NULL);
    builder = OSSL_PARAM_BLD_new();
    if (bn_n == NULL || bn_e == NULL || builder == NULL ||
        OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_N, bn_n) != 1 ||
        OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_E, bn_e) != 1 ||
        !build("RSA", builder, &pkey))
        r->why = "n and e are no RSA key";
    OSSL_PARAM_BLD_free(builder);
    BN_free(bn_n);
    BN_free(bn_e);
    return pkey;
}

static EVP_PKEY *ec_key(struct reader *r)
{
    unsigned char point[1 + 2 * P256_BYTES] = { POINT_CONVERSION_UNCOMPRESSED };
    char scratch[16];
    const char *crv;
    size_t len;
    OSSL_PARAM_BLD *builder;
    EVP_PKEY *pkey = NULL;

    if (!no_private_part(r) ||
        !text_of(r, "crv", scratch, sizeof(scratch), &crv, &len, "crv is not P-256"))
        return NULL;
    if (crv == NULL || !is(crv, len, "P-256")) {
        r->why = "crv is not P-256";
        return NULL;
    }
    if (!value_of(r, "x", point + 1, P256_BYTES, P256_BYTES, &len) ||
        !value_of(r, "y", point + 1 + P256_BYTES, P256_BYTES, P256_BYTES, &len))
        return NULL;
    builder = OSSL_PARAM_BLD_new();
    if (builder == NULL ||
        OSSL_PARAM_BLD_push_utf8_string(builder, OSSL_PKEY_PARAM_GROUP_NAME, "prime256v1", 0) !=
            1 ||
        OSSL_PARAM_BLD_push_octet_string(builder, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof(point)) !=
            1 ||
        !build("EC", builder, &pkey))
        r->why = "x and y are no point of the curve";
    OSSL_PARAM_BLD_free(builder);
    return pkey;
}

static enum gh_err secret_key(struct reader *r, const char *kid, struct key **ret_key)
{
    unsigned char secret[KEY_SECRET_MAX_BYTES];
    enum gh_err err = GH_ERR_CRYPTO;
    size_t len;

    if (value_of(r, "k", secret, 1, sizeof(secret), &len))
        err = key_from_secret(secret, len, kid, ret_key, &r->why);
    OPENSSL_cleanse(secret, sizeof(secret));
    return err;
}

static enum gh_err read_key(struct reader *r, const struct jwk_rules *rules, struct key **ret_key)
{
    const char *kid;
    enum token_alg alg;
    EVP_PKEY *pkey;
    enum gh_err err;

    r->kid[0] = '\0';
    if (gh_tape_kind(r->tape, r->node) != GH_JSON_OBJ) {
        r->why = "it is not an object";
        return GH_ERR_CRYPTO;
    }
    if (!read_kid(r) || !choose_alg(r, rules, &alg) || !check_use(r)) return GH_ERR_CRYPTO;
    kid = r->kid[0] != '\0' ? r->kid : NULL;
    if (alg == TOKEN_HS256) return secret_key(r, kid, ret_key);
    pkey = alg == TOKEN_RS256 ? rsa_key(r) : ec_key(r);
    if (pkey == NULL) return GH_ERR_CRYPTO;
    err = key_from_pkey(pkey, alg, kid, ret_key, &r->why);
    EVP_PKEY_free(pkey);
    return err;
}

/* ---- the set ---- */

static enum gh_err read_keys(const struct gh_tape *tape, uint32_t keys,
                             const struct jwk_rules *rules, struct issuer *issuer)
{
    struct reader r = { .tape = tape };
    size_t index = 0;

    for (uint32_t i = keys + 1; i < tape->nodes[keys].next; i = tape->nodes[i].next, index++) {
        struct key *key = NULL;
        enum gh_err err;

        r.node = i;
        r.why = "it could not be set up";
        err = read_key(&r, rules, &key);
        if (err == GH_OK) {
            err = issuer_add_key(issuer, key);
            if (err == GH_ERR_EXISTS) r.why = "a key before it has the same kid";
            if (err == GH_ERR_LIMIT) r.why = "there are too many keys";
            if (err != GH_OK) key_free(key);
        }
        if (err == GH_ERR_NOMEM) return err;
        if (err != GH_OK && rules->on_skip != NULL) rules->on_skip(rules->ctx, index, r.kid, r.why);
    }
    return issuer->key_count > 0 ? GH_OK : GH_ERR_NOT_FOUND;
}

enum gh_err jwk_set_parse(const void *json, size_t len, const struct jwk_rules *rules,
                          struct issuer *issuer, const char **ret_why)
{
    struct gh_tape tape;
    uint32_t keys = GH_TAPE_NONE;
    enum gh_json_err parsed;
    enum gh_err err = GH_ERR_BAD_MESSAGE;

    gh_tape_init(&tape);
    parsed = gh_tape_parse(&tape, json, len, &set_limits);
    if (parsed == GH_JSON_NOMEM)
        err = GH_ERR_NOMEM;
    else if (parsed == GH_JSON_DUPLICATE)
        *ret_why = "an object in it has a member twice";
    else if (parsed != GH_JSON_OK)
        *ret_why = "it is not strict JSON, or too large";
    else if ((keys = gh_tape_get_lit(&tape, 0, "keys")) == GH_TAPE_NONE ||
             gh_tape_kind(&tape, keys) != GH_JSON_ARR)
        *ret_why = "it is not a JWK Set: {\"keys\": [...]}";
    else
        err = read_keys(&tape, keys, rules, issuer);
    gh_tape_done(&tape);
    if (err == GH_ERR_NOT_FOUND) *ret_why = "no key in it can be used";
    if (err != GH_OK) issuer_clear_keys(issuer);
    return err;
}
