#include "token.h"

#include "b64.h"

#include <stdlib.h>
#include <string.h>

static const struct gh_json_limits header_limits = {
    .max_bytes = TOKEN_HEADER_MAX_BYTES,
    .max_depth = 3,
    .max_nodes = 64,
    .max_members = 16,
    .max_items = 16,
    .max_string_bytes = 512,
    .max_key_bytes = 64,
    .max_number_chars = 32,
    .refuse_nul = true,
};

static const struct gh_json_limits claims_limits = {
    .max_bytes = TOKEN_MAX_BYTES,
    .max_depth = TOKEN_CLAIMS_DEPTH,
    .max_nodes = 1024,
    .max_members = 128,
    .max_items = 256,
    .max_string_bytes = 4096,
    .max_key_bytes = 256,
    .max_number_chars = 64,
    .refuse_nul = true,
};

/* Parameters whose mere presence refuses a token: each would have us fetch or trust a key the
 * token names, or read the signed bytes in another way. */
static const struct {
    const char *name;
    enum auth_reason reason;
} refused_parameters[] = {
    { "crit", AUTH_CRIT }, { "jku", AUTH_JKU }, { "jwk", AUTH_JWK },
    { "x5u", AUTH_X5U },   { "x5c", AUTH_X5C }, { "zip", AUTH_ZIP },
    { "b64", AUTH_B64 },   { "enc", AUTH_ENC }, { "cty", AUTH_CTY },
};

const char *token_alg_name(enum token_alg alg)
{
#define TOKEN_ALG_NAME(sym, name) [sym] = name,
    static const char *const names[] = { TOKEN_ALG_LIST(TOKEN_ALG_NAME) };

    return (unsigned)alg < TOKEN_ALG_COUNT ? names[alg] : "unknown";
}

enum gh_err token_alg_parse(const char *name, size_t len, enum token_alg *ret_alg)
{
    for (unsigned i = 0; i < TOKEN_ALG_COUNT; i++) {
        const char *known = token_alg_name((enum token_alg)i);

        if (strlen(known) == len && memcmp(known, name, len) == 0) {
            *ret_alg = (enum token_alg)i;
            return GH_OK;
        }
    }
    return GH_ERR_NOT_FOUND;
}

enum gh_err token_new(struct token **ret_token)
{
    struct token *token = calloc(1, sizeof(*token));

    if (token == NULL) return GH_ERR_NOMEM;
    gh_tape_init(&token->claims);
    gh_tape_init(&token->header);
    *ret_token = token;
    return GH_OK;
}

void token_free(struct token *token)
{
    if (token == NULL) return;
    gh_tape_done(&token->claims);
    gh_tape_done(&token->header);
    free(token);
}

static bool printable(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];

        if (c < 0x20 || c == 0x7f) return false;
    }
    return true;
}

/* Copies an optional header string. An absent member leaves *ret_len 0. */
static bool take_string(struct token *token, const char *name, char *dst, size_t max,
                        size_t *ret_len)
{
    char scratch[TOKEN_HEADER_MAX_BYTES];
    uint32_t node = gh_tape_get(&token->header, 0, name, strlen(name));
    const char *text;
    size_t len;

    *ret_len = 0;
    if (node == GH_TAPE_NONE) return true;
    if (gh_tape_kind(&token->header, node) != GH_JSON_STR) return false;
    text = gh_tape_str(&token->header, node, scratch, &len);
    if (len == 0 || len > max || !printable(text, len)) return false;
    memcpy(dst, text, len);
    dst[len] = '\0';
    *ret_len = len;
    return true;
}

static enum auth_reason parse_alg(struct token *token)
{
    char scratch[TOKEN_HEADER_MAX_BYTES];
    uint32_t node = gh_tape_get_lit(&token->header, 0, "alg");
    const char *name;
    size_t len;

    if (node == GH_TAPE_NONE) return AUTH_ALG_MISSING;
    if (gh_tape_kind(&token->header, node) != GH_JSON_STR) return AUTH_ALG_UNKNOWN;
    name = gh_tape_str(&token->header, node, scratch, &len);
    if (token_alg_parse(name, len, &token->alg) == GH_OK) return AUTH_OK;
    /* However it is spelled, so that the log names the attack; none of them is accepted. */
    return len == 4 && strncasecmp(name, "none", 4) == 0 ? AUTH_ALG_NONE : AUTH_ALG_UNKNOWN;
}

static enum auth_reason parse_header(struct token *token, const char *text, size_t len)
{
    enum gh_json_err json;
    enum auth_reason reason;
    size_t bytes;

    if (B64_DECODED_MAX(len) > TOKEN_HEADER_MAX_BYTES) return AUTH_HEADER_TOO_LARGE;
    if (b64_decode(text, len, token->header_bytes, &bytes) != GH_OK) return AUTH_BASE64;
    json = gh_tape_parse(&token->header, token->header_bytes, bytes, &header_limits);
    if (json == GH_JSON_NOMEM) return AUTH_NO_MEMORY;
    if (json == GH_JSON_DUPLICATE) return AUTH_HEADER_DUPLICATE;
    if (json != GH_JSON_OK) return AUTH_HEADER_JSON;
    if (gh_tape_kind(&token->header, 0) != GH_JSON_OBJ) return AUTH_HEADER_NOT_OBJECT;
    for (size_t i = 0; i < sizeof(refused_parameters) / sizeof(refused_parameters[0]); i++) {
        const char *name = refused_parameters[i].name;

        if (gh_tape_get(&token->header, 0, name, strlen(name)) != GH_TAPE_NONE)
            return refused_parameters[i].reason;
    }
    reason = parse_alg(token);
    if (reason != AUTH_OK) return reason;
    if (!take_string(token, "kid", token->kid, TOKEN_KID_MAX_BYTES, &token->kid_len))
        return AUTH_KID;
    if (!take_string(token, "typ", token->typ, TOKEN_TYP_MAX_BYTES, &token->typ_len))
        return AUTH_TYP;
    return AUTH_OK;
}

static enum auth_reason parse_claims(struct token *token, const char *text, size_t len)
{
    enum gh_json_err json;
    size_t bytes;

    if (b64_decode(text, len, token->claims_bytes, &bytes) != GH_OK) return AUTH_BASE64;
    json = gh_tape_parse(&token->claims, token->claims_bytes, bytes, &claims_limits);
    if (json == GH_JSON_NOMEM) return AUTH_NO_MEMORY;
    if (json == GH_JSON_DUPLICATE) return AUTH_CLAIMS_DUPLICATE;
    if (json >= GH_JSON_TOO_BIG && json < GH_JSON_NUMBER_RANGE) return AUTH_CLAIMS_LIMIT;
    if (json != GH_JSON_OK) return AUTH_CLAIMS_JSON;
    if (gh_tape_kind(&token->claims, 0) != GH_JSON_OBJ) return AUTH_CLAIMS_NOT_OBJECT;
    return AUTH_OK;
}

enum auth_reason token_parse(struct token *token, const char *text, size_t len, size_t max_bytes)
{
    const char *dots[2];
    size_t count = 0;
    enum auth_reason reason;

    if (len == 0) return AUTH_EMPTY;
    if (len > max_bytes || len > TOKEN_MAX_BYTES) return AUTH_TOO_LARGE;
    for (const char *p = text; (p = memchr(p, '.', len - (size_t)(p - text))) != NULL; p++) {
        if (count < 2) dots[count] = p;
        count++;
        if (p + 1 == text + len) break;
    }
    if (count == 4) return AUTH_ENCRYPTED;
    if (count != 2) return AUTH_NOT_THREE_PARTS;

    reason = parse_header(token, text, (size_t)(dots[0] - text));
    if (reason != AUTH_OK) return reason;
    reason = parse_claims(token, dots[0] + 1, (size_t)(dots[1] - dots[0]) - 1);
    if (reason != AUTH_OK) return reason;

    token->signed_part = text;
    token->signed_len = (size_t)(dots[1] - text);
    if (b64_decode(dots[1] + 1, len - token->signed_len - 1, token->signature_bytes,
                   &token->signature_len) != GH_OK)
        return AUTH_BASE64;
    if (token->signature_len == 0) return AUTH_SIGNATURE_EMPTY;
    token->signature = token->signature_bytes;
    return AUTH_OK;
}
