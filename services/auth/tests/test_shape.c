/* Shape, encoding and header of tokens. Each rule with a valid twin. */
#include "mint.h"

#include <stdlib.h>
#include <string.h>

/* ---- tweaks on the text ---- */

static void set(char *token, const char *text)
{
    memmove(token, text, strlen(text) + 1);
}

static void append(char *token, const char *text)
{
    memcpy(token + strlen(token), text, strlen(text) + 1);
}

static void insert(char *token, size_t at, const char *text)
{
    size_t n = strlen(text);

    memmove(token + at + n, token + at, strlen(token + at) + 1);
    memcpy(token + at, text, n);
}

static void t_empty(struct mint *m, char *t)
{
    (void)m, set(t, "");
}
static void t_dot(struct mint *m, char *t)
{
    (void)m, set(t, ".");
}
static void t_two_dots(struct mint *m, char *t)
{
    (void)m, set(t, "..");
}
static void t_word(struct mint *m, char *t)
{
    (void)m, set(t, "token");
}
static void t_bearer(struct mint *m, char *t)
{
    (void)m, insert(t, 0, "Bearer ");
}
static void t_leading_dot(struct mint *m, char *t)
{
    (void)m, insert(t, 0, ".");
}
static void t_trailing_dot(struct mint *m, char *t)
{
    (void)m, append(t, ".");
}
static void t_five_parts(struct mint *m, char *t)
{
    (void)m, append(t, ".AAAA.AAAA");
}
static void t_six_parts(struct mint *m, char *t)
{
    (void)m, append(t, ".AAAA.AAAA.AAAA");
}
static void t_two_parts(struct mint *m, char *t)
{
    (void)m, *strrchr(t, '.') = '\0';
}
static void t_leading_space(struct mint *m, char *t)
{
    (void)m, insert(t, 0, " ");
}
static void t_trailing_space(struct mint *m, char *t)
{
    (void)m, append(t, " ");
}
static void t_trailing_newline(struct mint *m, char *t)
{
    (void)m, append(t, "\n");
}
static void t_pad_signature(struct mint *m, char *t)
{
    (void)m, append(t, "=");
}
static void t_pad_signature_2(struct mint *m, char *t)
{
    (void)m, append(t, "==");
}

static void in_part(char *t, int part, const char *text)
{
    size_t len;
    size_t at = mint_part(t, part, &len);

    insert(t, at + len / 2, text);
}
static void end_of_part(char *t, int part, const char *text)
{
    size_t len;
    size_t at = mint_part(t, part, &len);

    insert(t, at + len, text);
}
static void t_pad_header(struct mint *m, char *t)
{
    (void)m, end_of_part(t, 0, "=");
}
static void t_pad_claims(struct mint *m, char *t)
{
    (void)m, end_of_part(t, 1, "=");
}
static void t_plus_header(struct mint *m, char *t)
{
    (void)m, in_part(t, 0, "++++");
}
static void t_slash_claims(struct mint *m, char *t)
{
    (void)m, in_part(t, 1, "////");
}
static void t_plus_signature(struct mint *m, char *t)
{
    (void)m, in_part(t, 2, "+/+/");
}
static void t_newline_header(struct mint *m, char *t)
{
    (void)m, in_part(t, 0, "\n");
}
static void t_space_claims(struct mint *m, char *t)
{
    (void)m, in_part(t, 1, " ");
}
static void t_crlf_signature(struct mint *m, char *t)
{
    (void)m, in_part(t, 2, "\r\n");
}
static void t_high_byte(struct mint *m, char *t)
{
    (void)m, in_part(t, 1, "\xc3\xa9\xc3\xa9");
}
static void t_percent(struct mint *m, char *t)
{
    (void)m, in_part(t, 1, "%41%");
}
static void t_length_1_mod_4(struct mint *m, char *t)
{
    (void)m;
    append(t, "AAA"); /* ES256: 86 characters, 86 % 4 == 2 */
}
static void t_drop_header(struct mint *m, char *t)
{
    size_t len;
    size_t at = mint_part(t, 1, &len);

    (void)m;
    memmove(t, t + at - 1, strlen(t + at - 1) + 1);
}
static void t_drop_claims(struct mint *m, char *t)
{
    size_t len;
    size_t at = mint_part(t, 2, &len);
    char *first = strchr(t, '.');

    (void)m;
    memmove(first + 1, t + at - 1, strlen(t + at - 1) + 1);
}
/* The last character of 86 holds 2 unused bits... of a signature whose value stays the same. */
static void t_unused_bits(struct mint *m, char *t)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    char *last = t + strlen(t) - 1;

    (void)m;
    *last = alphabet[(strchr(alphabet, *last) - alphabet) | 1];
}

#define H(json)     json, NULL, BY_ES1, NULL
#define TWEAK(fn)   NULL, NULL, BY_ES1, fn
#define ALG(value)  "{\"alg\":" value ",\"typ\":\"JWT\",\"kid\":\"es1\"}", NULL, BY_ES1, NULL
#define WITH(param) MINT_HEADER("," param), NULL, BY_ES1, NULL
#define X16(s)      s s s s s s s s s s s s s s s s

static const struct mint_row rows[] = {
    { "valid: ES256", NULL, NULL, BY_ES1, NULL, AUTH_OK },
    { "valid: the issuer's other key", NULL, NULL, BY_ES2, NULL, AUTH_OK },
    { "valid: RS256", NULL, NULL, BY_RS1, NULL, AUTH_OK },
    { "valid: HS256 without kid", NULL, NULL, BY_HS1, NULL, AUTH_OK },
    { "valid: without typ", H("{\"alg\":\"ES256\",\"kid\":\"es1\"}"), AUTH_OK },

    { "shape: empty", TWEAK(t_empty), AUTH_EMPTY },
    { "shape: one dot", TWEAK(t_dot), AUTH_NOT_THREE_PARTS },
    { "shape: two dots", TWEAK(t_two_dots), AUTH_HEADER_JSON },
    { "shape: a word", TWEAK(t_word), AUTH_NOT_THREE_PARTS },
    { "shape: two parts", TWEAK(t_two_parts), AUTH_NOT_THREE_PARTS },
    { "shape: leading dot", TWEAK(t_leading_dot), AUTH_NOT_THREE_PARTS },
    { "shape: trailing dot", TWEAK(t_trailing_dot), AUTH_NOT_THREE_PARTS },
    { "shape: five parts are an encrypted token", TWEAK(t_five_parts), AUTH_ENCRYPTED },
    { "shape: six parts", TWEAK(t_six_parts), AUTH_NOT_THREE_PARTS },
    { "shape: scheme left in", TWEAK(t_bearer), AUTH_BASE64 },
    { "shape: no header", TWEAK(t_drop_header), AUTH_HEADER_JSON },
    { "shape: no claims", TWEAK(t_drop_claims), AUTH_CLAIMS_JSON },
    { "shape: no signature", NULL, NULL, BY_NOBODY, NULL, AUTH_SIGNATURE_EMPTY },

    { "base64: leading space", TWEAK(t_leading_space), AUTH_BASE64 },
    { "base64: trailing space", TWEAK(t_trailing_space), AUTH_BASE64 },
    { "base64: trailing newline", TWEAK(t_trailing_newline), AUTH_BASE64 },
    { "base64: padded signature", TWEAK(t_pad_signature), AUTH_BASE64 },
    { "base64: doubly padded signature", TWEAK(t_pad_signature_2), AUTH_BASE64 },
    { "base64: padded header", TWEAK(t_pad_header), AUTH_BASE64 },
    { "base64: padded claims", TWEAK(t_pad_claims), AUTH_BASE64 },
    { "base64: + in the header", TWEAK(t_plus_header), AUTH_BASE64 },
    { "base64: / in the claims", TWEAK(t_slash_claims), AUTH_BASE64 },
    { "base64: + and / in the signature", TWEAK(t_plus_signature), AUTH_BASE64 },
    { "base64: newline in the header", TWEAK(t_newline_header), AUTH_BASE64 },
    { "base64: space in the claims", TWEAK(t_space_claims), AUTH_BASE64 },
    { "base64: line break in the signature", TWEAK(t_crlf_signature), AUTH_BASE64 },
    { "base64: UTF-8 in the claims", TWEAK(t_high_byte), AUTH_BASE64 },
    { "base64: percent-encoding", TWEAK(t_percent), AUTH_BASE64 },
    { "base64: impossible length", TWEAK(t_length_1_mod_4), AUTH_BASE64 },
    { "base64: unused bits set say the same again", TWEAK(t_unused_bits), AUTH_BASE64 },

    { "alg: none unsigned", "{\"alg\":\"none\"}", NULL, BY_NOBODY, NULL, AUTH_ALG_NONE },
    { "alg: none with a signature", ALG("\"none\""), AUTH_ALG_NONE },
    { "alg: None", ALG("\"None\""), AUTH_ALG_NONE },
    { "alg: NONE", ALG("\"NONE\""), AUTH_ALG_NONE },
    { "alg: nOnE", ALG("\"nOnE\""), AUTH_ALG_NONE },
    { "alg: none spelled with escapes", ALG("\"n\\u006fne\""), AUTH_ALG_NONE },
    { "alg: none with a space", ALG("\"none \""), AUTH_ALG_UNKNOWN },
    { "alg: empty", ALG("\"\""), AUTH_ALG_UNKNOWN },
    { "alg: null", ALG("null"), AUTH_ALG_UNKNOWN },
    { "alg: false", ALG("false"), AUTH_ALG_UNKNOWN },
    { "alg: number", ALG("256"), AUTH_ALG_UNKNOWN },
    { "alg: list", ALG("[\"ES256\"]"), AUTH_ALG_UNKNOWN },
    { "alg: object", ALG("{\"ES256\":1}"), AUTH_ALG_UNKNOWN },
    { "alg: missing", H("{\"typ\":\"JWT\",\"kid\":\"es1\"}"), AUTH_ALG_MISSING },
    { "alg: under another name's case", H("{\"Alg\":\"ES256\",\"kid\":\"es1\"}"),
      AUTH_ALG_MISSING },
    { "alg: es256", ALG("\"es256\""), AUTH_ALG_UNKNOWN },
    { "alg: Es256", ALG("\"Es256\""), AUTH_ALG_UNKNOWN },
    { "alg: ES256 and a space", ALG("\"ES256 \""), AUTH_ALG_UNKNOWN },
    { "alg: ES256 and NUL", ALG("\"ES256\\u0000\""), AUTH_HEADER_JSON },
    { "alg: ES256 spelled with escapes is ES256", ALG("\"\\u0045S256\""), AUTH_OK },
    { "alg: ES384", ALG("\"ES384\""), AUTH_ALG_UNKNOWN },
    { "alg: ES512", ALG("\"ES512\""), AUTH_ALG_UNKNOWN },
    { "alg: ES256K", ALG("\"ES256K\""), AUTH_ALG_UNKNOWN },
    { "alg: EdDSA", ALG("\"EdDSA\""), AUTH_ALG_UNKNOWN },
    { "alg: PS256", ALG("\"PS256\""), AUTH_ALG_UNKNOWN },
    { "alg: RS384", ALG("\"RS384\""), AUTH_ALG_UNKNOWN },
    { "alg: RS512", ALG("\"RS512\""), AUTH_ALG_UNKNOWN },
    { "alg: HS384", ALG("\"HS384\""), AUTH_ALG_UNKNOWN },
    { "alg: HS512", ALG("\"HS512\""), AUTH_ALG_UNKNOWN },
    { "alg: dir", ALG("\"dir\""), AUTH_ALG_UNKNOWN },
    { "alg: RSA-OAEP", ALG("\"RSA-OAEP\""), AUTH_ALG_UNKNOWN },
    { "alg: twice, none last", H("{\"alg\":\"ES256\",\"kid\":\"es1\",\"alg\":\"none\"}"),
      AUTH_HEADER_DUPLICATE },
    { "alg: twice, none first", H("{\"alg\":\"none\",\"kid\":\"es1\",\"alg\":\"ES256\"}"),
      AUTH_HEADER_DUPLICATE },
    { "alg: twice, once with escapes",
      H("{\"alg\":\"ES256\",\"kid\":\"es1\",\"\\u0061lg\":\"none\"}"), AUTH_HEADER_DUPLICATE },

    { "header: crit empty", WITH("\"crit\":[]"), AUTH_CRIT },
    { "header: crit of a known claim", WITH("\"crit\":[\"exp\"]"), AUTH_CRIT },
    { "header: crit null", WITH("\"crit\":null"), AUTH_CRIT },
    { "header: crit spelled with escapes", WITH("\"cri\\u0074\":[\"x\"]"), AUTH_CRIT },
    { "header: jku", WITH("\"jku\":\"https://evil.example/keys\""), AUTH_JKU },
    { "header: jku of the issuer itself", WITH("\"jku\":\"https://es.example/keys\""), AUTH_JKU },
    { "header: jwk", WITH("\"jwk\":{\"kty\":\"oct\",\"k\":\"AAAA\"}"), AUTH_JWK },
    { "header: x5u", WITH("\"x5u\":\"https://evil.example/c\""), AUTH_X5U },
    { "header: x5c", WITH("\"x5c\":[\"MIIB\"]"), AUTH_X5C },
    { "header: zip", WITH("\"zip\":\"DEF\""), AUTH_ZIP },
    { "header: b64 false", WITH("\"b64\":false"), AUTH_B64 },
    { "header: b64 true", WITH("\"b64\":true"), AUTH_B64 },
    { "header: enc", WITH("\"enc\":\"A128GCM\""), AUTH_ENC },
    { "header: cty JWT, a token in a token", WITH("\"cty\":\"JWT\""), AUTH_CTY },
    { "header: x5t is a hint only", WITH("\"x5t\":\"abc\""), AUTH_OK },
    { "header: an unknown parameter is ignored", WITH("\"hint\":\"x\""), AUTH_OK },
    { "header: CRIT is another name", WITH("\"CRIT\":[]"), AUTH_OK },

    { "kid: unknown", H("{\"alg\":\"ES256\",\"kid\":\"es3\"}"), AUTH_KEY_UNKNOWN },
    { "kid: another case", H("{\"alg\":\"ES256\",\"kid\":\"ES1\"}"), AUTH_KEY_UNKNOWN },
    { "kid: a prefix of one", H("{\"alg\":\"ES256\",\"kid\":\"es\"}"), AUTH_KEY_UNKNOWN },
    { "kid: one with more behind", H("{\"alg\":\"ES256\",\"kid\":\"es11\"}"), AUTH_KEY_UNKNOWN },
    { "kid: missing with several keys", H("{\"alg\":\"ES256\"}"), AUTH_KEY_AMBIGUOUS },
    { "kid: of another issuer", H("{\"alg\":\"ES256\",\"kid\":\"es-m\"}"), AUTH_KEY_UNKNOWN },
    { "kid: number", H("{\"alg\":\"ES256\",\"kid\":1}"), AUTH_KID },
    { "kid: null", H("{\"alg\":\"ES256\",\"kid\":null}"), AUTH_KID },
    { "kid: empty", H("{\"alg\":\"ES256\",\"kid\":\"\"}"), AUTH_KID },
    { "kid: list", H("{\"alg\":\"ES256\",\"kid\":[\"es1\"]}"), AUTH_KID },
    { "kid: line break", H("{\"alg\":\"ES256\",\"kid\":\"es1\\n\"}"), AUTH_KID },
    { "kid: NUL", H("{\"alg\":\"ES256\",\"kid\":\"es1\\u0000\"}"), AUTH_HEADER_JSON },
    { "kid: path", H("{\"alg\":\"ES256\",\"kid\":\"../../dev/null\"}"), AUTH_KEY_UNKNOWN },
    { "kid: SQL", H("{\"alg\":\"ES256\",\"kid\":\"x' UNION SELECT 'k\"}"), AUTH_KEY_UNKNOWN },
    { "kid: 128 bytes", H("{\"alg\":\"ES256\",\"kid\":\"" X16("12345678") "\"}"),
      AUTH_KEY_UNKNOWN },
    { "kid: 129 bytes", H("{\"alg\":\"ES256\",\"kid\":\"" X16("12345678") "9\"}"), AUTH_KID },
    { "kid: twice", WITH("\"kid\":\"es2\""), AUTH_HEADER_DUPLICATE },
    { "kid: of its own choice where the issuer's one key has none",
      "{\"alg\":\"HS256\",\"kid\":\"whatever\"}", NULL, BY_HS1, NULL, AUTH_OK },

    { "typ: jwt in lower case", H("{\"alg\":\"ES256\",\"typ\":\"jwt\",\"kid\":\"es1\"}"), AUTH_OK },
    { "typ: at+jwt", H("{\"alg\":\"ES256\",\"typ\":\"at+jwt\",\"kid\":\"es1\"}"), AUTH_OK },
    { "typ: of another kind of token",
      H("{\"alg\":\"ES256\",\"typ\":\"logout+jwt\",\"kid\":\"es1\"}"), AUTH_TYP_OTHER },
    { "typ: empty", H("{\"alg\":\"ES256\",\"typ\":\"\",\"kid\":\"es1\"}"), AUTH_TYP },
    { "typ: number", H("{\"alg\":\"ES256\",\"typ\":1,\"kid\":\"es1\"}"), AUTH_TYP },
    { "typ: null", H("{\"alg\":\"ES256\",\"typ\":null,\"kid\":\"es1\"}"), AUTH_TYP },
    { "typ: longer than JWT", H("{\"alg\":\"ES256\",\"typ\":\"JWTX\",\"kid\":\"es1\"}"),
      AUTH_TYP_OTHER },

    { "header: not an object", H("[\"ES256\"]"), AUTH_HEADER_NOT_OBJECT },
    { "header: a string", H("\"ES256\""), AUTH_HEADER_NOT_OBJECT },
    { "header: empty object", H("{}"), AUTH_ALG_MISSING },
    { "header: white space", H(" { \"alg\" : \"ES256\" , \"kid\" : \"es1\" } "), AUTH_OK },
    { "header: trailing comma", H("{\"alg\":\"ES256\",\"kid\":\"es1\",}"), AUTH_HEADER_JSON },
    { "header: something behind", H("{\"alg\":\"ES256\",\"kid\":\"es1\"}x"), AUTH_HEADER_JSON },
    { "header: two objects", H("{\"alg\":\"ES256\",\"kid\":\"es1\"}{}"), AUTH_HEADER_JSON },
    { "header: single quotes", H("{'alg':'ES256','kid':'es1'}"), AUTH_HEADER_JSON },
    { "header: a comment", H("{\"alg\":\"ES256\",/**/\"kid\":\"es1\"}"), AUTH_HEADER_JSON },
    { "header: byte order mark", H("\xef\xbb\xbf{\"alg\":\"ES256\",\"kid\":\"es1\"}"),
      AUTH_HEADER_JSON },
    { "header: bad UTF-8", WITH("\"x\":\"\xff\""), AUTH_HEADER_JSON },
    { "header: lone surrogate", WITH("\"x\":\"\\ud800\""), AUTH_HEADER_JSON },
    { "header: control character", WITH("\"x\":\"\x01\""), AUTH_HEADER_JSON },
    { "header: nested as deep as allowed", WITH("\"x\":[[1]]"), AUTH_OK },
    { "header: nested deeper", WITH("\"x\":[[[1]]]"), AUTH_HEADER_JSON },
    { "header: over 1 KiB", WITH("\"x\":\"" X16(X16("12345")) "\""), AUTH_HEADER_TOO_LARGE },
    { "header: not base64 of JSON", "!AAAA", NULL, BY_ES1, NULL, AUTH_HEADER_JSON },
};

int main(void)
{
    return mint_run("token shape and header", rows, sizeof(rows) / sizeof(rows[0]));
}
