#include "token_oracle.h"

#include "verify.h"

#include "common/random.h"

#include <jwt.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NOW_MS 1700000000000LL

static const char secret[] = "V9p2kQzR7xTn4bLw8YcF1mHs6JgD3aUe0iXo5TrEqWnBvC2y";
static const char es_pem[] = "-----BEGIN PUBLIC KEY-----\n"
                             "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEAakhjLgdjzNZ+2ea5A5lT2RUEmNy\n"
                             "VxKqeyPzENuv88rJKMRIhGkT+3Ep9fzxglYJSLd6LpDYnmCPelL2AF2HgA==\n"
                             "-----END PUBLIC KEY-----\n";
static const char rs_pem[] = "-----BEGIN PUBLIC KEY-----\n"
                             "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAyV3Kw3GoKnkA6fC8gT2k\n"
                             "h7sPhYwEE7XDd49kfejSp+NGm18F1ero/XZ41yAy99EQFmCAJWRtkFYlrvZ0vk5R\n"
                             "dkBBqCRwQZODH5fG+clyy1l41Eq1cyrseKL/H7lajRvizDK7PuyjX4GLz90iwHKy\n"
                             "E/znRP7IQRX3O5hxDnd86OoBq2KKy1sV1S7QPA3023bWQA0qy+RkNBR/BqslHHCu\n"
                             "INaz3pbSKhW0Gi0sSh5PtmfYh0eUCE1szSxTftcCXi/IO3n9/Plb+/JI0RReXZZa\n"
                             "BCGXrPmCOMtkqH/7WWZ7L4LrIiH6VUp4sXowpa1MiIsXJYij8wr+j15DI40LoLtR\n"
                             "rQIDAQAB\n"
                             "-----END PUBLIC KEY-----\n";

struct token_oracle {
    struct issuers issuers;
    struct verifier *verifier;
};

static const char *const audiences[] = { "gatehouse" };
static const char *const types[] = { "JWT", "at+jwt" };

static void die(const char *what)
{
    fprintf(stderr, "token_oracle: %s\n", what);
    abort();
}

static void trust(struct token_oracle *oracle, enum token_alg alg, const char *name,
                  const char *material)
{
    struct issuer *issuer = &oracle->issuers.items[oracle->issuers.count++];
    struct key *key = NULL;
    const char *why = "no memory";
    enum gh_err err = alg == TOKEN_HS256
                          ? key_from_secret(material, strlen(material), NULL, &key, &why)
                          : key_from_pem(material, strlen(material), alg, NULL, &key, &why);

    issuer->rule = (struct issuer_rule){ .name = name,
                                         .audiences = { audiences, 1 },
                                         .types = { types, 2 },
                                         .roles_claim = "roles",
                                         .leeway_ms = 30000 };
    if (err != GH_OK || issuer_add_key(issuer, key) != GH_OK) die(why);
}

struct token_oracle *token_oracle_new(void)
{
    struct token_oracle *oracle = calloc(1, sizeof(*oracle));

    if (oracle == NULL) die("no memory");
    oracle->issuers.items = calloc(3, sizeof(struct issuer));
    if (oracle->issuers.items == NULL) die("no memory");
    trust(oracle, TOKEN_HS256, "https://hs.example", secret);
    trust(oracle, TOKEN_RS256, "https://rs.example", rs_pem);
    trust(oracle, TOKEN_ES256, "https://es.example", es_pem);
    if (verifier_new(&oracle->issuers, TOKEN_MAX_BYTES, &oracle->verifier) != GH_OK)
        die("no memory");
    return oracle;
}

static const char *material_of(const struct issuer *issuer)
{
    switch (key_alg(issuer->keys[0])) {
    case TOKEN_HS256: return secret;
    case TOKEN_RS256: return rs_pem;
    default: return es_pem;
    }
}

/* libjwt refuses every typ but JWT, which is why at+jwt is not held against it. */
static bool typ_is_other(const char *token)
{
    jwt_t *jwt = NULL;

    if (jwt_decode(&jwt, token, NULL, 0) != 0) return true;
    jwt_free(jwt);
    return false;
}

static void ask_libjwt(const char *token, const struct identity *identity)
{
    const char *material = material_of(identity->issuer);
    jwt_t *jwt = NULL;
    const char *subject;

    if (jwt_decode(&jwt, token, (const unsigned char *)material, (int)strlen(material)) != 0) {
        if (typ_is_other(token)) return;
        die("libjwt refuses what we accept");
    }
    if (strcmp(jwt_get_grant(jwt, "iss"), identity->issuer->rule.name) != 0)
        die("libjwt reads another issuer");
    subject = jwt_get_grant(jwt, "sub");
    if (subject == NULL || strcmp(subject, identity->user) != 0)
        die("libjwt reads another subject");
    if (jwt_get_alg(jwt) == JWT_ALG_NONE) die("libjwt reads no algorithm");
    jwt_free(jwt);
}

void token_oracle_try(struct token_oracle *oracle, const char *token, size_t len)
{
    struct identity identity;
    enum auth_reason reason = verifier_check(oracle->verifier, token, len, NOW_MS, &identity);
    char *copy;

    if (reason != AUTH_OK) return;
    if (identity.user_len == 0 || strlen(identity.user) != identity.user_len ||
        identity.expires_ms + 30000 <= NOW_MS || identity.token_id_len == 0)
        die("accepted with an identity that makes no sense");
    for (size_t i = 0; i < identity.grant_count; i++) {
        if (identity.grants[i][0] == '\0' || strpbrk(identity.grants[i], "\n\r\t") != NULL)
            die("accepted with a grant that is none");
    }
    copy = strndup(token, len);
    if (copy == NULL) die("no memory");
    if (strlen(copy) != len) die("accepted with a NUL");
    ask_libjwt(copy, &identity);
    free(copy);
}

char *token_oracle_sign(struct token_oracle *oracle, const void *header, size_t header_len,
                        const void *claims, size_t claims_len, size_t *ret_len)
{
    unsigned char mac[32];
    unsigned n = sizeof(mac);
    char *token;
    size_t at;

    (void)oracle;
    if (header_len + claims_len > TOKEN_MAX_BYTES) return NULL;
    token = malloc((header_len + claims_len) * 4 / 3 + 64);
    if (token == NULL) die("no memory");
    gh_b64url_encode(header, header_len, token);
    at = strlen(token);
    token[at++] = '.';
    gh_b64url_encode(claims, claims_len, token + at);
    at += strlen(token + at);
    if (HMAC(EVP_sha256(), secret, (int)strlen(secret), (const unsigned char *)token, at, mac,
             &n) == NULL)
        die("no HMAC");
    token[at++] = '.';
    gh_b64url_encode(mac, n, token + at);
    *ret_len = at + strlen(token + at);
    return token;
}
