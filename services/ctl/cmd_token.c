/* Development tokens. Signed by libjwt, which auth does not use: the two agree or a test fails. */
#include "commands.h"

#include "yaml_peek.h"

#include "common/random.h"

#include <errno.h>
#include <jwt.h>
#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define KEY_MAX_BYTES 65536

struct token_options {
    const char *key, *alg, *user, *roles, *ttl, *iss, *aud, *kid, *typ, *claims, *roles_claim;
    const char *not_before;
};

static bool read_file(const char *path, unsigned char *dst, size_t *len)
{
    FILE *in = strcmp(path, "-") == 0 ? stdin : fopen(path, "rb");

    if (in == NULL) return false;
    *len = fread(dst, 1, KEY_MAX_BYTES, in);
    bool ok = ferror(in) == 0 && *len > 0 && *len < KEY_MAX_BYTES;
    if (in != stdin) fclose(in);
    dst[ok ? *len : 0] = '\0';
    return ok;
}

/* What the key is made for, when --alg does not say. NULL: for nothing we sign with. */
static const char *guess_alg(const unsigned char *pem, size_t len)
{
    if (strstr((const char *)pem, "-----BEGIN") == NULL) return "HS256";
    BIO *bio = BIO_new_mem_buf(pem, (int)len);
    EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, NULL, (void *)"");
    const char *alg = NULL;
    if (key != NULL && EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA) alg = "RS256";
    if (key != NULL && EVP_PKEY_get_base_id(key) == EVP_PKEY_EC && EVP_PKEY_get_bits(key) == 256)
        alg = "ES256";
    EVP_PKEY_free(key);
    BIO_free(bio);
    return alg;
}

/* "a,b" as ["a","b"]. */
static bool json_list(const char *text, char *dst, size_t size)
{
    FILE *out = fmemopen(dst, size, "w");
    bool first = true;

    if (out == NULL) return false;
    fputc('[', out);
    while (*text != '\0') {
        size_t len = strcspn(text, ",");
        if (len > 0) {
            if (!first) fputc(',', out);
            ctl_put_json(out, text, len);
            first = false;
        }
        text += len + (text[len] == ',');
    }
    fputc(']', out);
    bool ok = fflush(out) == 0 && ftell(out) < (long)size - 1;
    return fclose(out) == 0 && ok;
}

static int add_claims(jwt_t *jwt, const struct token_options *o, uint64_t ttl_ms, uint64_t nbf_ms)
{
    char roles[4096], object[4200], jti[GH_B64URL_LEN(16) + 1];
    long now = (long)time(NULL);
    int err = 0;

    gh_random_token(16, jti);
    if (!json_list(o->roles, roles, sizeof(roles))) return EINVAL;
    FILE *out = fmemopen(object, sizeof(object), "w");
    if (out == NULL) return ENOMEM;
    fputc('{', out);
    ctl_put_json(out, o->roles_claim, strlen(o->roles_claim));
    fprintf(out, ":%s}", roles);
    if (fclose(out) != 0) return EINVAL;

    err = jwt_add_grant(jwt, "sub", o->user);
    if (err == 0 && o->iss[0] != '\0') err = jwt_add_grant(jwt, "iss", o->iss);
    if (err == 0 && o->aud[0] != '\0') err = jwt_add_grant(jwt, "aud", o->aud);
    if (err == 0) err = jwt_add_grant_int(jwt, "iat", now);
    if (err == 0 && o->not_before != NULL)
        err = jwt_add_grant_int(jwt, "nbf", now + (long)(nbf_ms / 1000));
    if (err == 0) err = jwt_add_grant_int(jwt, "exp", now + (long)(ttl_ms / 1000));
    if (err == 0) err = jwt_add_grant(jwt, "jti", jti);
    if (err == 0) err = jwt_add_grants_json(jwt, object);
    if (err == 0 && o->claims != NULL) err = jwt_add_grants_json(jwt, o->claims);
    if (err == 0 && o->kid[0] != '\0') err = jwt_add_header(jwt, "kid", o->kid);
    if (err == 0) err = jwt_add_header(jwt, "typ", o->typ);
    return err;
}

static int sign(const struct token_options *o, uint64_t ttl_ms, uint64_t nbf_ms)
{
    static unsigned char key[KEY_MAX_BYTES + 1];
    size_t len = 0;
    jwt_t *jwt = NULL;

    if (!read_file(o->key, key, &len)) return ctl_fail(CTL_AWAY, "%s: cannot be read", o->key);
    const char *name = o->alg != NULL ? o->alg : guess_alg(key, len);
    jwt_alg_t alg = name != NULL ? jwt_str_alg(name) : JWT_ALG_INVAL;
    if (name == NULL ||
        (strcmp(name, "HS256") != 0 && strcmp(name, "RS256") != 0 && strcmp(name, "ES256") != 0)) {
        OPENSSL_cleanse(key, sizeof(key));
        return ctl_fail(CTL_USAGE, "%s: no key for HS256, RS256 or ES256", o->key);
    }
    if (alg == JWT_ALG_HS256 && len > 0 && key[len - 1] == '\n') len--; /* as secret files end */

    int err = jwt_new(&jwt);
    if (err == 0) err = jwt_set_alg(jwt, alg, key, (int)len);
    if (err == 0) err = add_claims(jwt, o, ttl_ms, nbf_ms);
    char *token = err == 0 ? jwt_encode_str(jwt) : NULL;
    OPENSSL_cleanse(key, sizeof(key));
    jwt_free(jwt);
    if (token == NULL)
        return ctl_fail(CTL_WRONG, "cannot sign: %s", err != 0 ? strerror(err) : "bad key");
    puts(token);
    free(token);
    return CTL_OK;
}

int cmd_token(struct ctl *ctl, const struct ctl_command *self, int argc, char **argv)
{
    char iss[512] = "", aud[256] = "", kid[128] = "", roles_claim[256] = "roles";
    struct token_options o = { .user = "alice", .roles = "user", .ttl = "1h", .typ = "JWT" };
    const struct ctl_option options[] = {
        { "--key", &o.key, .arg = "FILE", .help = "PEM private key, or the secret for HS256" },
        { "--alg", &o.alg, .arg = "NAME", .help = "HS256, RS256 or ES256 (default: by the key)" },
        { "--user", &o.user, .arg = "NAME", .help = "sub (default alice)" },
        { "--sub", &o.user, .arg = "NAME", .help = "the same" },
        { "--roles", &o.roles, .arg = "A,B", .help = "(default user)" },
        { "--ttl", &o.ttl, .arg = "TIME", .help = "30s, 5m, 2h ... (default 1h)" },
        { "--not-before", &o.not_before, .arg = "TIME", .help = "from now; sets nbf" },
        { "--iss", &o.iss, .arg = "URL",
          .help = "(default: the first issuer of the configuration)" },
        { "--aud", &o.aud, .arg = "NAME", .help = "(default: its first audience)" },
        { "--kid", &o.kid, .arg = "NAME", .help = "(default: its kid)" },
        { "--typ", &o.typ, .arg = "NAME", .help = "(default JWT)" },
        { "--claims", &o.claims, .arg = "JSON", .help = "an object of further claims" },
        { 0 },
    };
    struct ctl_args args;
    uint64_t ttl_ms = 0, nbf_ms = 0;
    int status;

    if (!ctl_parse(self, options, argc, argv, 0, 0, &args, &status)) return status;
    if (o.key == NULL) return ctl_usage(self, "--key FILE is missing");
    if (!ctl_duration(o.ttl, &ttl_ms)) return ctl_usage(self, "--ttl %s is no time", o.ttl);
    if (o.not_before != NULL && !ctl_duration(o.not_before, &nbf_ms))
        return ctl_usage(self, "--not-before %s is no time", o.not_before);
    (void)yaml_peek(ctl->config_path, "auth.issuers.0.name", iss, sizeof(iss));
    (void)yaml_peek(ctl->config_path, "auth.issuers.0.audiences.0", aud, sizeof(aud));
    (void)yaml_peek(ctl->config_path, "auth.issuers.0.kid", kid, sizeof(kid));
    (void)yaml_peek(ctl->config_path, "auth.issuers.0.roles_claim", roles_claim,
                    sizeof(roles_claim));
    if (o.iss == NULL) o.iss = iss;
    if (o.aud == NULL) o.aud = aud;
    if (o.kid == NULL) o.kid = kid;
    o.roles_claim = roles_claim;
    if (o.iss[0] == '\0' || o.aud[0] == '\0')
        return ctl_fail(CTL_USAGE, "no issuer in %s: give --iss and --aud", ctl->config_path);
    return sign(&o, ttl_ms, nbf_ms);
}
