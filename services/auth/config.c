#include "config.h"

#include "keyset.h"
#include "roles.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct gh_config_field key_fields[] = {
    { "kid", GH_CFG_STRING, offsetof(struct auth_key_config, kid), .required = true,
      .max = TOKEN_KID_MAX_BYTES, .help = "write the key's id as tokens name it" },
    { "algorithm", GH_CFG_STRING, offsetof(struct auth_key_config, algorithm), .required = true,
      .help = "write HS256, RS256 or ES256" },
    { "file", GH_CFG_PATH, offsetof(struct auth_key_config, file), .required = true },
    { 0 },
};

#define DAY_MS 86400000ull

#define JWKS(key, kind, member, ...)                                                               \
    {                                                                                              \
        key, kind, offsetof(struct auth_jwks_config, member), __VA_ARGS__                          \
    }
static const struct gh_config_field jwks_fields[] = {
    JWKS("url", GH_CFG_STRING, url, .dflt = "", .max = 1024),
    JWKS("file", GH_CFG_PATH, file, .dflt = ""),
    JWKS("ca_file", GH_CFG_PATH, ca_file, .dflt = ""),
    JWKS("algorithms", GH_CFG_LIST, algorithms, .dflt = "RS256,ES256", .min = 1, .max = 3,
         .help = "write RS256, ES256 or, for a file, HS256"),
    JWKS("timeout", GH_CFG_MS, timeout_ms, .dflt = "3s", .min = 100, .max = 30000),
    JWKS("min_age", GH_CFG_MS, min_age_ms, .dflt = "1m", .min = 100, .max = DAY_MS),
    JWKS("max_age", GH_CFG_MS, max_age_ms, .dflt = "1h", .min = 100, .max = 30 * DAY_MS),
    JWKS("unknown_kid", GH_CFG_MS, unknown_kid_ms, .dflt = "10s", .min = 100, .max = DAY_MS,
         .help = "how long after asking the source an unknown kid does not make it ask again"),
    JWKS("keep", GH_CFG_MS, keep_ms, .dflt = "7d", .max = 366 * DAY_MS,
         .help = "how long the last good set is kept while the source is away; 0s for ever"),
    JWKS("max_bytes", GH_CFG_BYTES, max_bytes, .dflt = "64KiB", .min = 256,
         .max = JWK_SET_MAX_BYTES),
    { 0 },
};

#define ISSUER(key, kind, member, ...)                                                             \
    {                                                                                              \
        key, kind, offsetof(struct auth_issuer_config, member), __VA_ARGS__                        \
    }
static const struct gh_config_field issuer_fields[] = {
    ISSUER("name", GH_CFG_STRING, name, .required = true, .max = 200,
           .help = "write the exact iss of its tokens"),
    ISSUER("audiences", GH_CFG_LIST, audiences, .required = true, .min = 1, .max = 32,
           .help = "write at least one audience; tokens for anybody are not accepted"),
    ISSUER("algorithm", GH_CFG_STRING, algorithm, .dflt = "",
           .help = "write HS256, RS256 or ES256"),
    ISSUER("key_file", GH_CFG_PATH, key_file, .dflt = ""),
    ISSUER("kid", GH_CFG_STRING, kid, .dflt = "", .max = TOKEN_KID_MAX_BYTES),
    ISSUER("keys", GH_CFG_STRUCTS, keys, .max = ISSUER_MAX_KEYS, .fields = key_fields,
           .item_size = sizeof(struct auth_key_config)),
    ISSUER("jwks", GH_CFG_STRUCT, jwks, .fields = jwks_fields),
    ISSUER("types", GH_CFG_LIST, types, .dflt = "JWT,at+jwt", .min = 1, .max = 8,
           .help = "write the accepted values of typ"),
    ISSUER("type_required", GH_CFG_BOOL, type_required, .dflt = "false"),
    ISSUER("required_claims", GH_CFG_LIST, required_claims, .dflt = "", .max = 32),
    ISSUER("subject_claim", GH_CFG_STRING, subject_claim, .dflt = "sub", .min = 1, .max = 128),
    ISSUER("roles_claim", GH_CFG_STRING, roles_claim, .dflt = "roles", .max = 256),
    ISSUER("leeway", GH_CFG_STRING, leeway, .dflt = ""),
    ISSUER("max_lifetime", GH_CFG_MS, max_lifetime_ms, .dflt = "0s"),
    { 0 },
};

static const struct gh_config_field role_fields[] = {
    { "from", GH_CFG_LIST, offsetof(struct role_config, from), .dflt = "", .max = 64 },
    { "inherits", GH_CFG_LIST, offsetof(struct role_config, inherits), .dflt = "",
      .max = ROLES_MAX },
    { 0 },
};

static const struct gh_config_field client_fields[] = {
    { "secret_file", GH_CFG_SECRET_FILE, offsetof(struct auth_client_config, secret),
      .required = true },
    { "roles", GH_CFG_LIST, offsetof(struct auth_client_config, roles), .dflt = "", .max = 64 },
    { 0 },
};

#define TOKENS(member) offsetof(struct auth_tokens_config, member)
static const struct gh_config_field tokens_fields[] = {
    { "issuer", GH_CFG_STRING, TOKENS(issuer), .dflt = "", .max = 200 },
    { "algorithm", GH_CFG_STRING, TOKENS(algorithm), .dflt = "ES256",
      .help = "write HS256, RS256 or ES256" },
    { "key_file", GH_CFG_PATH, TOKENS(key_file), .dflt = "" },
    { "kid", GH_CFG_STRING, TOKENS(kid), .dflt = "own", .min = 1, .max = TOKEN_KID_MAX_BYTES },
    { "audience", GH_CFG_STRING, TOKENS(audience), .dflt = "gatehouse", .min = 1, .max = 200 },
    { "access_ttl", GH_CFG_MS, TOKENS(access_ttl_ms), .dflt = "5m", .min = 1000, .max = DAY_MS },
    { "refresh_idle", GH_CFG_MS, TOKENS(refresh_idle_ms), .dflt = "7d", .min = 1000,
      .max = 366 * DAY_MS },
    { "refresh_max", GH_CFG_MS, TOKENS(refresh_max_ms), .dflt = "30d", .min = 1000,
      .max = 366 * DAY_MS },
    { "clients", GH_CFG_MAP, TOKENS(clients), .fields = client_fields, .max = 64,
      .item_size = sizeof(struct auth_client_config) },
    { 0 },
};

#define CERTS(member) offsetof(struct auth_certificates_config, member)
static const char *const certificate_users[] = { "san_uri", "san_email", "san_dns", "subject_cn",
                                                 NULL };
static const char *const certificate_roles[] = { "none", "ou", NULL };
static const struct gh_config_field certificates_fields[] = {
    { "ca_file", GH_CFG_PATH, CERTS(ca_file), .dflt = "" },
    { "name", GH_CFG_STRING, CERTS(name), .dflt = "certificate", .min = 1, .max = 200 },
    { "user", GH_CFG_ENUM, CERTS(user), .dflt = "san_uri", .choices = certificate_users },
    { "user_prefix", GH_CFG_STRING, CERTS(user_prefix), .dflt = "", .max = 256 },
    { "roles", GH_CFG_LIST, CERTS(roles), .dflt = "", .max = 64 },
    { "roles_from", GH_CFG_ENUM, CERTS(roles_from), .dflt = "none", .choices = certificate_roles },
    { 0 },
};

static const struct gh_config_field auth_fields[] = {
    { "bind", GH_CFG_STRING, offsetof(struct auth_config, bind),
      .dflt = "ipc://${run_dir}/auth.${instance}" },
    { "issuers", GH_CFG_STRUCTS, offsetof(struct auth_config, issuers), .max = 64,
      .fields = issuer_fields, .item_size = sizeof(struct auth_issuer_config) },
    { "leeway", GH_CFG_MS, offsetof(struct auth_config, leeway_ms), .dflt = "30s", .max = 300000 },
    { "max_token_bytes", GH_CFG_BYTES, offsetof(struct auth_config, max_token_bytes),
      .dflt = "8KiB", .min = 256, .max = TOKEN_MAX_BYTES },
    { "roles", GH_CFG_MAP, offsetof(struct auth_config, roles), .fields = role_fields,
      .max = ROLES_MAX, .item_size = sizeof(struct role_config) },
    { "tokens", GH_CFG_STRUCT, offsetof(struct auth_config, tokens), .fields = tokens_fields },
    { "certificates", GH_CFG_STRUCT, offsetof(struct auth_config, certificates),
      .fields = certificates_fields },
    { "revocation_age", GH_CFG_MS, offsetof(struct auth_config, revocation_age_ms), .dflt = "30d",
      .min = 60000, .max = 3660 * DAY_MS, .help = "as long as a token can live" },
    { "max_revocations", GH_CFG_U32, offsetof(struct auth_config, max_revocations),
      .dflt = "100000", .min = 1, .max = 1000000 },
    { "poll", GH_CFG_MS, offsetof(struct auth_config, poll_ms), .dflt = "250ms", .min = 10,
      .max = 900, .help = "how often revocations by other processes are looked for" },
    { "ticket_ttl", GH_CFG_MS, offsetof(struct auth_config, ticket_ttl_ms), .dflt = "30s",
      .min = 1000, .max = 300000 },
    { 0 },
};

enum gh_err auth_config_load(struct gh_config *config, struct auth_config *ret_cfg)
{
    return gh_config_bind(config, "auth", auth_fields, ret_cfg);
}

enum gh_err auth_config_read_key(const char *path, bool secret, unsigned char *dst, size_t *ret_len,
                                 const char **ret_why)
{
    struct stat st;
    size_t len = 0;
    ssize_t got = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0) {
        *ret_why = strerror(errno);
        return GH_ERR_IO;
    }
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        *ret_why = "is not a regular file";
    } else if (secret && (st.st_mode & 077) != 0) {
        *ret_why = "holds a secret but others may read it; chmod 600";
    } else {
        while (len <= KEY_PEM_MAX_BYTES &&
               (got = read(fd, dst + len, KEY_PEM_MAX_BYTES + 1 - len)) > 0)
            len += (size_t)got;
        *ret_why = got < 0                   ? strerror(errno)
                   : len > KEY_PEM_MAX_BYTES ? "is larger than 16 KiB"
                                             : NULL;
    }
    close(fd);
    if (*ret_why != NULL) return GH_ERR_IO;
    if (secret && len > 0 && dst[len - 1] == '\n') len--;
    *ret_len = len;
    return GH_OK;
}

static enum gh_err load_key(const char *path, const char *algorithm, const char *kid,
                            struct key **ret_key, const char **ret_why)
{
    unsigned char bytes[KEY_PEM_MAX_BYTES + 1];
    enum token_alg alg;
    size_t len = 0;
    enum gh_err err;

    if (token_alg_parse(algorithm, strlen(algorithm), &alg) != GH_OK) {
        *ret_why = "the algorithm must be HS256, RS256 or ES256";
        return GH_ERR_CONFIG;
    }
    err = auth_config_read_key(path, alg == TOKEN_HS256, bytes, &len, ret_why);
    if (err == GH_OK) {
        if (kid != NULL && kid[0] == '\0') kid = NULL;
        err = alg == TOKEN_HS256 ? key_from_secret(bytes, len, kid, ret_key, ret_why)
                                 : key_from_pem(bytes, len, alg, kid, ret_key, ret_why);
    }
    OPENSSL_cleanse(bytes, sizeof(bytes));
    return err;
}

static enum gh_err add_key(struct gh_config *config, struct issuer *issuer, const char *where,
                           const char *path, const char *algorithm, const char *kid)
{
    struct key *key = NULL;
    const char *why = "out of memory";
    enum gh_err err = load_key(path, algorithm, kid, &key, &why);

    if (err != GH_OK) return gh_config_fail(config, "auth", where, "\"%s\": %s", path, why);
    err = issuer_add_key(issuer, key);
    if (err == GH_OK) return GH_OK;
    key_free(key);
    return gh_config_fail(config, "auth", where, "\"%s\": %s", path,
                          err == GH_ERR_EXISTS
                              ? "the issuer has a key of this kid already; give each its own"
                              : "too many keys");
}

static struct issuer_texts texts(const struct gh_config_list *list)
{
    return (struct issuer_texts){ (const char *const *)list->items, list->count };
}

/* A duration as the configuration writes it; only what leeway needs. */
static bool parse_leeway(const char *text, uint64_t *ret_ms)
{
    char *end;
    unsigned long n;

    if (text[0] < '0' || text[0] > '9') return false;
    n = strtoul(text, &end, 10);
    if (n > 300000) return false;
    if (strcmp(end, "ms") == 0) {
        *ret_ms = n;
    } else if (strcmp(end, "s") == 0 && n <= 300) {
        *ret_ms = n * 1000;
    } else if (strcmp(end, "m") == 0 && n <= 5) {
        *ret_ms = n * 60000;
    } else {
        return false;
    }
    return true;
}

/* ---- a JWK Set ---- */

static const char *bad_url(const char *url)
{
    if (strncmp(url, "https://", 8) != 0) return "must begin with https://";
    if (url[8] == '\0' || url[8] == '/') return "names no host";
    if (strpbrk(url, "@#") != NULL) return "may have neither a user nor a fragment";
    for (const char *p = url; *p != '\0'; p++) {
        if (*p <= ' ' || *p > '~') return "has a character that is not of a URL";
    }
    return NULL;
}

static enum gh_err load_jwks(struct gh_config *config, const struct auth_issuer_config *from,
                             size_t i, struct issuer *issuer)
{
    const struct auth_jwks_config *jwks = &from->jwks;
    struct keyset_config keys = {
        .url = jwks->url,
        .file = jwks->file,
        .ca_file = jwks->ca_file,
        .timeout_ms = jwks->timeout_ms,
        .min_age_ms = jwks->min_age_ms,
        .max_age_ms = jwks->max_age_ms,
        .unknown_kid_ms = jwks->unknown_kid_ms,
        .keep_ms = jwks->keep_ms,
        .max_bytes = jwks->max_bytes,
    };
    const bool from_net = jwks->url[0] != '\0';
    const char *why = NULL;
    char where[64];
    enum gh_err err;

    snprintf(where, sizeof(where), "issuers[%zu].jwks", i);
    if (from_net && jwks->file[0] != '\0')
        return gh_config_fail(config, "auth", where, "has both url and file; write one");
    if (from->key_file[0] != '\0' || from->keys.count > 0)
        return gh_config_fail(config, "auth", where,
                              "an issuer has its keys from one place: jwks, or key_file and keys");
    if (jwks->min_age_ms > jwks->max_age_ms)
        return gh_config_fail(config, "auth", where, "min_age is more than max_age");
    for (size_t k = 0; k < jwks->algorithms.count; k++) {
        const char *name = jwks->algorithms.items[k];
        enum token_alg alg;

        if (token_alg_parse(name, strlen(name), &alg) != GH_OK || (from_net && alg == TOKEN_HS256))
            return gh_config_fail(config, "auth", where,
                                  "algorithms: \"%s\" is not RS256, ES256 or, for a file, HS256",
                                  name);
        keys.allowed[alg] = true;
    }
    if (from_net && (why = bad_url(jwks->url)) != NULL)
        return gh_config_fail(config, "auth", where, "url: \"%s\" %s", jwks->url, why);
    err = keyset_new(issuer, &keys, &issuer->keyset, &why);
    if (err == GH_ERR_CONFIG)
        return gh_config_fail(config, "auth", where, "file: \"%s\": %s", jwks->file, why);
    return err;
}

static enum gh_err load_issuer(struct gh_config *config, const struct auth_config *cfg, size_t i,
                               struct issuers *issuers)
{
    const struct auth_issuer_config *from = &((struct auth_issuer_config *)cfg->issuers.items)[i];
    struct issuer *issuer = &issuers->items[issuers->count];
    char where[64];
    enum gh_err err = GH_OK;

    snprintf(where, sizeof(where), "issuers[%zu].name", i);
    if (issuers_find(issuers, from->name, strlen(from->name)) != NULL)
        return gh_config_fail(config, "auth", where, "\"%s\" is there twice", from->name);
    issuers->count++;
    issuer->rule = (struct issuer_rule){
        .name = from->name,
        .audiences = texts(&from->audiences),
        .types = texts(&from->types),
        .type_required = from->type_required,
        .required = texts(&from->required_claims),
        .subject_claim = from->subject_claim,
        .roles_claim = from->roles_claim,
        .leeway_ms = cfg->leeway_ms,
        .max_lifetime_ms = from->max_lifetime_ms,
    };
    snprintf(where, sizeof(where), "issuers[%zu].leeway", i);
    if (from->leeway[0] != '\0' && !parse_leeway(from->leeway, &issuer->rule.leeway_ms))
        return gh_config_fail(config, "auth", where, "\"%s\" is not a duration of at most 5m",
                              from->leeway);
    if (from->jwks.url[0] != '\0' || from->jwks.file[0] != '\0')
        return load_jwks(config, from, i, issuer);
    if (from->key_file[0] != '\0') {
        snprintf(where, sizeof(where), "issuers[%zu].key_file", i);
        err = add_key(config, issuer, where, from->key_file, from->algorithm, from->kid);
    }
    for (size_t k = 0; err == GH_OK && k < from->keys.count; k++) {
        const struct auth_key_config *key = &((struct auth_key_config *)from->keys.items)[k];

        snprintf(where, sizeof(where), "issuers[%zu].keys[%zu].file", i, k);
        err = add_key(config, issuer, where, key->file, key->algorithm, key->kid);
    }
    if (err == GH_OK && issuer->key_count == 0) {
        snprintf(where, sizeof(where), "issuers[%zu].name", i);
        err = gh_config_fail(config, "auth", where,
                             "\"%s\" has no key; write key_file with algorithm, keys, or jwks",
                             from->name);
    }
    return err;
}

enum gh_err auth_config_issuers(struct gh_config *config, const struct auth_config *cfg,
                                struct issuers *ret_issuers)
{
    struct issuers issuers = { calloc(cfg->issuers.count + 1, sizeof(struct issuer)), 0 };
    enum gh_err err = issuers.items != NULL ? GH_OK : GH_ERR_NOMEM;

    for (size_t i = 0; err == GH_OK && i < cfg->issuers.count; i++)
        err = load_issuer(config, cfg, i, &issuers);
    if (err != GH_OK) {
        issuers_done(&issuers);
        return err;
    }
    *ret_issuers = issuers;
    return GH_OK;
}
