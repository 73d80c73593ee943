/* Addresses, host names and mail addresses. */
#include "validator/schema/format.h"

#include "validator/schema/idna.h"

#include <string.h>

#define HOST_MAX_BYTES  253
#define LABEL_MAX_BYTES 63
#define LOCAL_MAX_BYTES 64

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_alnum(char c)
{
    return is_digit(c) || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
}

bool format_ipv4(const char *text, size_t len)
{
    size_t i = 0;

    for (unsigned part = 0; part < 4; part++) {
        unsigned v = 0;
        size_t from;

        if (part > 0 && (i >= len || text[i++] != '.')) return false;
        from = i;
        for (; i < len && is_digit(text[i]) && i - from < 3; i++)
            v = v * 10 + (unsigned)(text[i] - '0');
        if (i == from || v > 255 || (i - from > 1 && text[from] == '0')) return false;
    }
    return i == len;
}

bool format_ipv6(const char *text, size_t len)
{
    unsigned groups = 0;
    bool gap = false;
    size_t i = 0;

    if (len >= 2 && text[0] == ':' && text[1] == ':') {
        gap = true;
        i = 2;
        if (i == len) return true;
    }
    for (;;) {
        size_t from = i;

        while (i < len && i - from < 5 &&
               (is_digit(text[i]) || ((text[i] | 0x20) >= 'a' && (text[i] | 0x20) <= 'f')))
            i++;
        if (i < len && text[i] == '.') {
            groups += 2;
            return format_ipv4(text + from, len - from) && (gap ? groups <= 7 : groups == 8);
        }
        if (i == from || i - from > 4 || ++groups > 8) return false;
        if (i == len) break;
        if (text[i++] != ':' || i == len) return false;
        if (text[i] == ':') {
            if (gap) return false;
            gap = true;
            if (++i == len) break;
        }
    }
    return gap ? groups <= 7 : groups == 8;
}

/* ---- host names ---- */

static bool label(const char *p, size_t n, bool *idna)
{
    if (n == 0 || n > LABEL_MAX_BYTES || p[0] == '-' || p[n - 1] == '-') return false;
    for (size_t i = 0; i < n; i++)
        if (!is_alnum(p[i]) && p[i] != '-') return false;
    *idna |= n >= 4 && p[2] == '-' && p[3] == '-'; /* an A-label, or nothing valid */
    return true;
}

bool format_hostname(const char *text, size_t len)
{
    const char *p = text;
    const char *end = text + len;
    bool idna = false;

    if (len == 0 || len > HOST_MAX_BYTES) return false;
    for (;;) {
        const char *dot = memchr(p, '.', (size_t)(end - p));

        if (!label(p, (size_t)((dot != NULL ? dot : end) - p), &idna)) return false;
        if (dot == NULL) return !idna || idna_is_host_name(text, len);
        p = dot + 1;
    }
}

bool format_idn_hostname(const char *text, size_t len)
{
    return idna_is_host_name(text, len);
}

/* ---- mail ---- */

static bool is_atext(char c, bool utf8)
{
    if ((unsigned char)c >= 0x80) return utf8;
    return is_alnum(c) || (c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~", c) != NULL);
}

/* The local part up to '@': its length, or 0 when there is none. */
static size_t local_part(const char *text, size_t len, bool utf8)
{
    size_t i = 0;

    if (len > 0 && text[0] == '"') {
        for (i = 1; i < len && text[i] != '"'; i++) {
            unsigned char c = (unsigned char)text[i];

            if (c == '\\') c = i + 1 < len ? (unsigned char)text[++i] : 0;
            if (c < 0x20 || c == 0x7F || (c >= 0x80 && !utf8)) return 0;
        }
        return i < len ? i + 1 : 0;
    }
    for (; i < len && text[i] != '@'; i++) {
        bool dot = text[i] == '.' && i > 0 && text[i - 1] != '.';

        if (!dot && !is_atext(text[i], utf8)) return 0;
    }
    return i > 0 && text[i - 1] != '.' ? i : 0;
}

static bool mail(const char *text, size_t len, bool utf8)
{
    size_t n = local_part(text, len, utf8);
    const char *host = text + n + 1;
    size_t host_len;

    if (n == 0 || n > LOCAL_MAX_BYTES || n + 1 >= len || text[n] != '@') return false;
    host_len = len - n - 1;
    if (host[0] == '[') {
        if (host[host_len - 1] != ']') return false;
        if (host_len > 7 && memcmp(host + 1, "IPv6:", 5) == 0)
            return format_ipv6(host + 6, host_len - 7);
        return format_ipv4(host + 1, host_len - 2);
    }
    if (!utf8) return format_hostname(host, host_len);
    /* RFC 6531 leaves the labels as they were typed: not normalised, so only their form counts. */
    for (size_t i = 0, from = 0; i <= host_len; i++) {
        if (i < host_len && host[i] != '.') {
            if ((unsigned char)host[i] < 0x80 && !is_alnum(host[i]) && host[i] != '-') return false;
            continue;
        }
        if (i == from || host[from] == '-' || host[i - 1] == '-') return false;
        from = i + 1;
    }
    return host_len <= HOST_MAX_BYTES;
}

bool format_email(const char *text, size_t len)
{
    return mail(text, len, false);
}

bool format_idn_email(const char *text, size_t len)
{
    return mail(text, len, true);
}
