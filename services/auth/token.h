/*
 * token - a compact JWS taken apart and judged as far as that goes without a key.
 *
 * token_parse accepts exactly three base64url parts (b64.h), a header that is a strict JSON object
 * (services/common/json/tape.h: no duplicate member, valid UTF-8, no NUL) with an `alg` we know and
 * none of the parameters that let a token bring its own key or change what is signed, and claims
 * that are a strict JSON object. Nothing in it has been verified then.
 *
 * One struct token is used again and again: it holds its buffers (about 20 KiB). What it points to
 * is valid until the next parse, and signed_part as long as the caller's text. Not thread-safe.
 *
 * Source: RFC 7515, RFC 7519, RFC 8725 sections 3.1 to 3.5 and 3.9.
 */
#ifndef AUTH_TOKEN_H
#define AUTH_TOKEN_H

#include "reason.h"

#include "common/err.h"
#include "common/json/tape.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TOKEN_MAX_BYTES        8192u
#define TOKEN_HEADER_MAX_BYTES 1024u /* decoded */
#define TOKEN_KID_MAX_BYTES    128u
#define TOKEN_TYP_MAX_BYTES    64u
#define TOKEN_CLAIMS_DEPTH     8u

#define TOKEN_ALG_LIST(X)                                                                          \
    X(TOKEN_HS256, "HS256")                                                                        \
    X(TOKEN_RS256, "RS256")                                                                        \
    X(TOKEN_ES256, "ES256")
#define TOKEN_ALG_ENUM(sym, name) sym,
enum token_alg { TOKEN_ALG_LIST(TOKEN_ALG_ENUM) TOKEN_ALG_COUNT };

const char *token_alg_name(enum token_alg alg);
/* Exact and case-sensitive. Errors: GH_ERR_NOT_FOUND. */
GH_NODISCARD enum gh_err token_alg_parse(const char *name, size_t len, enum token_alg *ret_alg);

struct token {
    enum token_alg alg;
    size_t kid_len; /* 0: none */
    char kid[TOKEN_KID_MAX_BYTES + 1];
    size_t typ_len; /* 0: none */
    char typ[TOKEN_TYP_MAX_BYTES + 1];
    const char *signed_part; /* header.payload as it came */
    size_t signed_len;
    const uint8_t *signature;
    size_t signature_len;
    struct gh_tape claims; /* node 0 is an object */

    /* private */
    struct gh_tape header;
    uint8_t header_bytes[TOKEN_MAX_BYTES];
    uint8_t claims_bytes[TOKEN_MAX_BYTES];
    uint8_t signature_bytes[TOKEN_MAX_BYTES];
};

GH_NODISCARD enum gh_err token_new(struct token **ret_token);
void token_free(struct token *token); /* NULL is a no-op */

/* max_bytes is at most TOKEN_MAX_BYTES. AUTH_OK or why not. */
GH_NODISCARD enum auth_reason token_parse(struct token *token, const char *text, size_t len,
                                          size_t max_bytes);

#endif
