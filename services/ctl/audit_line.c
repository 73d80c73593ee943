#include "audit_line.h"

#include <openssl/evp.h>
#include <string.h>

struct cursor {
    const char *at, *end;
};

static bool skip(struct cursor *c, const char *text)
{
    size_t len = strlen(text);

    if ((size_t)(c->end - c->at) < len || memcmp(c->at, text, len) != 0) return false;
    c->at += len;
    return true;
}

static bool number(struct cursor *c, uint64_t *ret_value)
{
    const char *start = c->at;
    uint64_t value = 0;

    while (c->at < c->end && *c->at >= '0' && *c->at <= '9') {
        uint64_t digit = (uint64_t)(*c->at - '0');
        if (value > (UINT64_MAX - digit) / 10) return false;
        value = value * 10 + digit;
        c->at++;
    }
    if (c->at == start || (*start == '0' && c->at - start > 1)) return false;
    *ret_value = value;
    return true;
}

static bool hash(struct cursor *c, struct gh_audit_hash *ret_hash)
{
    if ((size_t)(c->end - c->at) < GH_AUDIT_HASH_HEX ||
        gh_audit_hash_parse(c->at, GH_AUDIT_HASH_HEX, ret_hash) != GH_OK)
        return false;
    c->at += GH_AUDIT_HASH_HEX;
    return true;
}

bool audit_line_parse(const char *line, size_t len, struct audit_line *ret_line)
{
    struct cursor c = { line, line + len };
    struct audit_line parsed;

    for (size_t i = 0; i < len; i++)
        if ((unsigned char)line[i] < ' ') return false;
    if (!skip(&c, "{\"seq\":") || !number(&c, &parsed.seq) || !skip(&c, ",\"prev\":\"") ||
        !hash(&c, &parsed.prev) || !skip(&c, "\",") || c.end[-1] != '}')
        return false;
    *ret_line = parsed;
    return true;
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

const char *audit_anchor_parse(const char *text, size_t len, EVP_PKEY *key,
                               struct audit_anchor *ret_anchor)
{
    static const char context[] = "gatehouse-audit-anchor-v1\n";
    unsigned char signature[64], said[512];
    struct audit_anchor anchor;
    struct cursor c = { text, text + len };

    if (!skip(&c, "{\"anchor\":1,\"seq\":") || !number(&c, &anchor.seq) ||
        !skip(&c, ",\"hash\":\"") || !hash(&c, &anchor.hash) || !skip(&c, "\",\"time\":") ||
        !number(&c, &anchor.time_ms) || !skip(&c, "}"))
        return "it is not an anchor";
    size_t line = (size_t)(c.at - text);
    if (!skip(&c, "\n") || c.end - c.at != 2 * (long)sizeof(signature) + 1)
        return "its signature is missing or has the wrong length";
    for (size_t i = 0; i < sizeof(signature); i++) {
        int hi = hex_digit(c.at[2 * i]), lo = hex_digit(c.at[2 * i + 1]);
        if (hi < 0 || lo < 0) return "its signature is not in hex";
        signature[i] = (unsigned char)(hi << 4 | lo);
    }
    if (c.end[-1] != '\n' || sizeof(context) - 1 + line > sizeof(said))
        return "something follows its signature";
    memcpy(said, context, sizeof(context) - 1);
    memcpy(said + sizeof(context) - 1, text, line);

    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool good =
        ctx != NULL && EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, key) == 1 &&
        EVP_DigestVerify(ctx, signature, sizeof(signature), said, sizeof(context) - 1 + line) == 1;
    EVP_MD_CTX_free(ctx);
    if (!good) return "its signature was not made with this key";
    *ret_anchor = anchor;
    return NULL;
}
