#include "sanitize/redact.h"

#include <string.h>

#define CARD_MIN 12
#define CARD_MAX 19

#define REDACT_NAME(sym, bit, name) name,
const char *const redact_names[] = { REDACT_LIST(REDACT_NAME) NULL };

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_word(char c)
{
    return is_digit(c) || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_' || c == '-';
}

/* --- cards ------------------------------------------------------------------------------------ */

static bool luhn(const char *digits, size_t len)
{
    unsigned sum = 0;

    for (size_t i = 0; i < len; i++) {
        unsigned d = (unsigned)(digits[len - 1 - i] - '0');

        if (i % 2 == 1) d = d * 2 > 9 ? d * 2 - 9 : d * 2;
        sum += d;
    }
    return sum % 10 == 0;
}

struct brand {
    unsigned low, high; /* of the first four digits */
    unsigned char lens[5];
};

/* Without brand and length every tenth number would do: timestamps, order numbers. */
static const struct brand brands[] = {
    { 4000, 4999, { 13, 16, 19 } },         /* Visa */
    { 5100, 5599, { 16 } },                 /* Mastercard */
    { 2221, 2720, { 16 } },                 /* Mastercard */
    { 3400, 3499, { 15 } },                 /* American Express */
    { 3700, 3799, { 15 } },                 /* American Express */
    { 6011, 6011, { 16, 17, 18, 19 } },     /* Discover */
    { 6440, 6599, { 16, 17, 18, 19 } },     /* Discover */
    { 3528, 3589, { 16, 17, 18, 19 } },     /* JCB */
    { 3000, 3059, { 14, 16, 19 } },         /* Diners */
    { 3600, 3699, { 14, 16, 19 } },         /* Diners */
    { 3800, 3999, { 14, 16, 19 } },         /* Diners */
    { 6200, 6299, { 16, 17, 18, 19 } },     /* UnionPay */
    { 8100, 8199, { 16, 17, 18, 19 } },     /* UnionPay */
    { 5018, 5018, { 12, 13, 15, 16, 19 } }, /* Maestro */
    { 5020, 5020, { 12, 13, 15, 16, 19 } }, /* Maestro */
    { 5038, 5038, { 12, 13, 15, 16, 19 } }, /* Maestro */
    { 6304, 6304, { 12, 13, 15, 16, 19 } }, /* Maestro */
    { 6759, 6763, { 12, 13, 15, 16, 19 } }, /* Maestro */
    { 2200, 2204, { 16, 19 } },             /* Mir */
};

bool redact_is_card(const char *digits, size_t len)
{
    unsigned first = 0;

    if (len < CARD_MIN || len > CARD_MAX) return false;
    for (int i = 0; i < 4; i++)
        first = first * 10 + (unsigned)(digits[i] - '0');
    for (size_t b = 0; b < sizeof brands / sizeof brands[0]; b++) {
        if (first < brands[b].low || first > brands[b].high) continue;
        if (memchr(brands[b].lens, (int)len, sizeof brands[b].lens) != NULL)
            return luhn(digits, len);
    }
    return false;
}

/* Digits in groups parted by one space or dash each. Returns the source length of a card. */
static size_t match_card(const char *at, const char *end)
{
    char digits[CARD_MAX];
    size_t n = 0, best = 0;
    const char *p = at;

    while (p < end && n < CARD_MAX) {
        if ((*p == ' ' || *p == '-') && n > 0 && p + 1 < end && is_digit(p[1])) p++;
        if (!is_digit(*p)) break;
        digits[n++] = *p++;
        if (n >= CARD_MIN && (p == end || !is_digit(*p)) && redact_is_card(digits, n))
            best = (size_t)(p - at);
    }
    return best;
}

/* --- tokens ----------------------------------------------------------------------------------- */

static size_t run(const char *at, const char *end)
{
    const char *p = at;

    while (p < end && is_word(*p))
        p++;
    return (size_t)(p - at);
}

static size_t match_jwt(const char *at, const char *end)
{
    size_t len = 0;

    if (end - at < 20 || memcmp(at, "eyJ", 3) != 0) return 0;
    for (int part = 0; part < 3; part++) {
        size_t n = run(at + len, end);

        if (n < 4) return 0;
        len += n;
        if (part < 2 && (at + len >= end || at[len++] != '.')) return 0;
    }
    return len;
}

static size_t match_private_key(const char *at, const char *end)
{
    static const char begin[] = "-----BEGIN ", key[] = "PRIVATE KEY", close[] = "-----END ";
    const char *line_end, *p;

    if ((size_t)(end - at) < sizeof begin + sizeof key || memcmp(at, begin, sizeof begin - 1) != 0)
        return 0;
    line_end = end - at > 80 ? at + 80 : end;
    if (memmem(at, (size_t)(line_end - at), key, sizeof key - 1) == NULL) return 0;
    p = memmem(at, (size_t)(end - at), close, sizeof close - 1);
    if (p == NULL) return (size_t)(end - at); /* cut short: still a secret */
    p += sizeof close - 1;
    p = memmem(p, (size_t)(end - p), "-----", 5);
    return p == NULL ? (size_t)(end - at) : (size_t)(p + 5 - at);
}

struct prefix {
    const char *text;
    unsigned char min, max; /* word characters after it */
};

static const struct prefix prefixes[] = {
    { "AKIA", 16, 16 },
    { "ASIA", 16, 16 },
    { "AGPA", 16, 16 },
    { "AIDA", 16, 16 },
    { "AROA", 16, 16 },
    { "AIza", 35, 35 },
    { "GOCSPX-", 28, 28 },
    { "ghp_", 36, 255 },
    { "gho_", 36, 255 },
    { "ghu_", 36, 255 },
    { "ghs_", 36, 255 },
    { "ghr_", 36, 255 },
    { "github_pat_", 22, 255 },
    { "glpat-", 20, 64 },
    { "xoxb-", 20, 255 },
    { "xoxp-", 20, 255 },
    { "xoxa-", 20, 255 },
    { "xoxr-", 20, 255 },
    { "xoxs-", 20, 255 },
    { "sk_live_", 16, 255 },
    { "rk_live_", 16, 255 },
    { "sk-ant-", 32, 255 },
    { "sk-proj-", 32, 255 },
    { "sk-", 40, 255 },
    { "npm_", 36, 36 },
    { "dop_v1_", 64, 64 },
    { "shpat_", 32, 32 },
    { "hf_", 34, 40 },
    { "pypi-AgEIcHlwaS", 40, 255 },
    { "AccountKey=", 20, 255 },
};

static size_t match_cloud_key(const char *at, const char *end)
{
    size_t left = (size_t)(end - at);

    for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++) {
        size_t n = strlen(prefixes[i].text);
        size_t tail;

        if (left <= n || memcmp(at, prefixes[i].text, n) != 0) continue;
        tail = run(at + n, end);
        if (tail >= prefixes[i].min && tail <= prefixes[i].max) return n + tail;
    }
    return 0;
}

/* --- all -------------------------------------------------------------------------------------- */

/* Length of a secret that starts at `at`; 0: none. */
static size_t match(unsigned what, const char *text, const char *at, const char *end,
                    const char **ret_name)
{
    bool starts_word = at == text || !is_word(at[-1]);
    size_t len = 0;

    if (is_digit(*at)) {
        bool starts_number = at == text || !is_digit(at[-1]);

        if ((what & REDACT_CARDS) != 0 && starts_number) len = match_card(at, end);
        *ret_name = "[redacted:card]";
        return len;
    }
    if (*at == '-') {
        if ((what & REDACT_PRIVATE_KEYS) != 0) len = match_private_key(at, end);
        *ret_name = "[redacted:private_key]";
        return len;
    }
    if (!starts_word) return 0;
    if (*at == 'e' && (what & REDACT_JWT) != 0) {
        len = match_jwt(at, end);
        *ret_name = "[redacted:jwt]";
        if (len > 0) return len;
    }
    if ((what & REDACT_CLOUD_KEYS) != 0 && strchr("AGdghnprsx", *at) != NULL) {
        len = match_cloud_key(at, end);
        *ret_name = "[redacted:key]";
    }
    return len;
}

enum gh_err redact_text(unsigned what, const char *text, size_t len, struct gh_buf *out,
                        bool *ret_changed)
{
    const char *end = text + len, *kept = text, *at = text;
    enum gh_err err = GH_OK;
    bool changed = false;

    while (err == GH_OK && at < end) {
        const char *name = "";
        size_t n = *at == '\0' ? 0 : match(what, text, at, end, &name);

        if (n == 0) {
            at++;
            continue;
        }
        changed = true;
        err = gh_buf_append(out, kept, (size_t)(at - kept));
        if (err == GH_OK) err = gh_buf_append(out, name, strlen(name));
        at += n;
        kept = at;
    }
    if (err == GH_OK && changed) err = gh_buf_append(out, kept, (size_t)(end - kept));
    if (err == GH_OK) *ret_changed = changed;
    return err;
}
