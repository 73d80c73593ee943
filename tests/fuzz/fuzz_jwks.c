/*
 * What the source of an issuer's keys may answer. The first byte chooses: odd, a JWK Set (bit 1: as
 * from a file, so with secrets); even, a Cache-Control value.
 *
 * Keys that are accepted must hold what issuer.h and key.h say, and refuse a signature of nothing.
 */
#include "fetch.h"
#include "jwk.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(condition)                                                                            \
    if (!(condition)) abort()

static void on_skip(void *ctx, size_t index, const char *kid, const char *why)
{
    size_t *skipped = ctx;

    MUST(index < JWK_SET_MAX_BYTES && kid != NULL && strlen(kid) <= TOKEN_KID_MAX_BYTES &&
         why != NULL && why[0] != '\0');
    (*skipped)++;
}

static void try_set(const uint8_t *data, size_t size, bool from_file)
{
    static uint8_t signature[1024];
    size_t skipped = 0;
    struct jwk_rules rules = {
        { [TOKEN_HS256] = from_file, [TOKEN_RS256] = true, [TOKEN_ES256] = true }, on_skip, &skipped
    };
    struct issuer issuer = { 0 };
    const char *why = NULL;
    enum gh_err err = jwk_set_parse(data, size, &rules, &issuer, &why);

    MUST(err == GH_OK || (issuer.key_count == 0 && (why != NULL || err == GH_ERR_NOMEM)));
    MUST(err != GH_OK || (issuer.key_count > 0 && issuer.key_count <= ISSUER_MAX_KEYS));
    for (size_t i = 0; i < issuer.key_count; i++) {
        struct key *key = issuer.keys[i];
        struct token token = { .alg = key_alg(key),
                               .signed_part = "a.b",
                               .signed_len = 3,
                               .signature = signature,
                               .signature_len = key_alg(key) == TOKEN_HS256   ? 32
                                                : key_alg(key) == TOKEN_ES256 ? 64
                                                                              : 256 };

        MUST(from_file || key_alg(key) != TOKEN_HS256);
        MUST(key_verify(key, &token) != AUTH_OK);
        for (size_t k = 0; k < i; k++) {
            const char *a = key_kid(issuer.keys[k]), *b = key_kid(key);

            MUST(a == NULL || b == NULL ? a != b : strcmp(a, b) != 0);
        }
    }
    issuer_clear_keys(&issuer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) return 0;
    if (data[0] & 1)
        try_set(data + 1, size - 1, (data[0] & 2) != 0);
    else
        MUST(fetch_max_age((const char *)data + 1, size - 1) >= -1);
    return 0;
}
