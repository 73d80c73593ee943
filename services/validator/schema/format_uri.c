/* RFC 3986 and, where `iri` is set, what RFC 3987 adds: characters past ASCII. */
#include "validator/schema/format.h"

#include <stdint.h>
#include <string.h>

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f');
}

static bool is_alnum(char c)
{
    return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
}

/* RFC 3987: ucschar, and iprivate in the query. The text is valid UTF-8. */
static bool is_ucschar(const unsigned char *p, bool private_too, size_t *ret_n)
{
    uint32_t c;

    if (p[0] < 0xE0) {
        c = (uint32_t)(p[0] & 0x1F) << 6 | (p[1] & 0x3F);
        *ret_n = 2;
    } else if (p[0] < 0xF0) {
        c = (uint32_t)(p[0] & 0x0F) << 12 | (uint32_t)(p[1] & 0x3F) << 6 | (p[2] & 0x3F);
        *ret_n = 3;
    } else {
        c = (uint32_t)(p[0] & 0x07) << 18 | (uint32_t)(p[1] & 0x3F) << 12 |
            (uint32_t)(p[2] & 0x3F) << 6 | (p[3] & 0x3F);
        *ret_n = 4;
    }
    if ((c >= 0xE000 && c <= 0xF8FF) || c >= 0xF0000) return private_too && (c & 0xFFFE) != 0xFFFE;
    return c >= 0xA0 && !(c >= 0xFDD0 && c <= 0xFDEF) && !(c >= 0xFFF0 && c <= 0xFFFF) &&
           (c & 0xFFFE) != 0xFFFE && !(c >= 0xE0000 && c < 0xE1000);
}

enum part { PART_USER, PART_HOST, PART_PATH, PART_QUERY, PART_FRAGMENT };

/* All of [p, end) is made of what a part may hold. */
static bool all_of(const char *p, const char *end, enum part part, bool iri)
{
    static const char *const extra[] = {
        [PART_USER] = ":",     [PART_HOST] = "",         [PART_PATH] = ":@/",
        [PART_QUERY] = ":@/?", [PART_FRAGMENT] = ":@/?",
    };

    while (p < end) {
        size_t n = 1;

        if ((unsigned char)*p >= 0x80) {
            if (!iri || !is_ucschar((const unsigned char *)p, part == PART_QUERY, &n)) return false;
        } else if (*p == '%') {
            if (end - p < 3 || !is_hex(p[1]) || !is_hex(p[2])) return false;
            n = 3;
        } else if (!is_alnum(*p) && (*p == '\0' || (strchr("-._~!$&'()*+,;=", *p) == NULL &&
                                                    strchr(extra[part], *p) == NULL))) {
            return false;
        }
        p += n;
    }
    return true;
}

static bool ip_literal(const char *p, const char *end)
{
    if (p < end && (*p | 0x20) == 'v') {
        const char *dot = ++p;

        while (dot < end && is_hex(*dot))
            dot++;
        return dot > p && dot + 1 < end && *dot == '.' && all_of(dot + 1, end, PART_USER, false) &&
               memchr(dot, '%', (size_t)(end - dot)) == NULL;
    }
    return format_ipv6(p, (size_t)(end - p));
}

static bool authority(const char *p, const char *end, bool iri)
{
    const char *at = memchr(p, '@', (size_t)(end - p));
    const char *port = end;

    if (at != NULL) {
        if (!all_of(p, at, PART_USER, iri)) return false;
        p = at + 1;
    }
    while (port > p && port[-1] >= '0' && port[-1] <= '9')
        port--;
    if (port > p && port[-1] == ':') end = port - 1;
    if (p < end && *p == '[') return end[-1] == ']' && ip_literal(p + 1, end - 1);
    return all_of(p, end, PART_HOST, iri);
}

static const char *find(const char *p, const char *end, const char *stops)
{
    while (p < end && (*p == '\0' || strchr(stops, *p) == NULL))
        p++;
    return p;
}

static bool reference(const char *text, size_t len, bool iri, bool absolute)
{
    const char *p = text;
    const char *end = text + len;
    const char *stop = find(p, end, ":/?#");
    bool has_scheme = stop < end && *stop == ':';

    if (has_scheme) {
        if (p == stop || !((*p | 0x20) >= 'a' && (*p | 0x20) <= 'z')) return false;
        for (; p < stop; p++)
            if (!is_alnum(*p) && *p != '+' && *p != '-' && *p != '.') return false;
        p++;
    }
    if (absolute && !has_scheme) return false;
    if (end - p >= 2 && p[0] == '/' && p[1] == '/') {
        stop = find(p + 2, end, "/?#");
        if (!authority(p + 2, stop, iri)) return false;
        p = stop;
    }
    stop = find(p, end, "?#");
    if (!all_of(p, stop, PART_PATH, iri)) return false;
    p = stop;
    if (p < end && *p == '?') {
        stop = find(p, end, "#");
        if (!all_of(p + 1, stop, PART_QUERY, iri)) return false;
        p = stop;
    }
    return p == end || all_of(p + 1, end, PART_FRAGMENT, iri);
}

bool format_uri(const char *text, size_t len)
{
    return reference(text, len, false, true);
}

bool format_uri_reference(const char *text, size_t len)
{
    return reference(text, len, false, false);
}

bool format_iri(const char *text, size_t len)
{
    return reference(text, len, true, true);
}

bool format_iri_reference(const char *text, size_t len)
{
    return reference(text, len, true, false);
}
