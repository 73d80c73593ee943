/* The table, and the formats that are a few lines each. */
#include "validator/schema/format.h"

#include "validator/schema/pattern.h"

#include <string.h>

typedef bool (*format_fn)(const char *text, size_t len);

#define FORMAT_ROW(sym, name, check) { name, check },
static const struct {
    const char *name;
    format_fn check;
} formats[] = { FORMAT_LIST(FORMAT_ROW) };

enum format_id format_find(const char *name, size_t len)
{
    for (enum format_id i = 0; i < FORMAT_COUNT; i++)
        if (strlen(formats[i].name) == len && memcmp(formats[i].name, name, len) == 0) return i;
    return FORMAT_COUNT;
}

bool format_check(enum format_id id, const char *text, size_t len)
{
    return formats[id].check(text, len);
}

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f');
}

bool format_uuid(const char *text, size_t len)
{
    if (len != 36) return false;
    for (size_t i = 0; i < len; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;

        if (dash ? text[i] != '-' : !is_hex(text[i])) return false;
    }
    return true;
}

bool format_json_pointer(const char *text, size_t len)
{
    if (len > 0 && text[0] != '/') return false;
    for (size_t i = 0; i < len; i++)
        if (text[i] == '~' && (++i == len || (text[i] != '0' && text[i] != '1'))) return false;
    return true;
}

bool format_relative_json_pointer(const char *text, size_t len)
{
    size_t i = 0;

    while (i < len && text[i] >= '0' && text[i] <= '9')
        i++;
    if (i == 0 || (i > 1 && text[0] == '0')) return false;
    if (i + 1 == len && text[i] == '#') return true;
    return format_json_pointer(text + i, len - i);
}

bool format_regex(const char *text, size_t len)
{
    return pattern_is_well_formed(text, len);
}

/* ---- RFC 6570 ---- */

static bool is_alnum(char c)
{
    return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
}

static bool template_literal(const char *p, const char *end, size_t *ret_n)
{
    unsigned char c = (unsigned char)*p;

    *ret_n = 1;
    if (c == '%') {
        *ret_n = 3;
        return end - p >= 3 && is_hex(p[1]) && is_hex(p[2]);
    }
    return c > 0x20 && c != 0x7F && strchr("\"<>\\^`{|}", c) == NULL;
}

/* varname [":" max-length / "*"]; advances past it. */
static bool template_varspec(const char **p, const char *end)
{
    bool want_char = true;

    for (; *p < end; want_char = false) {
        if (is_alnum(**p) || **p == '_')
            (*p)++;
        else if (**p == '%' && end - *p >= 3 && is_hex((*p)[1]) && is_hex((*p)[2]))
            *p += 3;
        else if (**p == '.' && !want_char && end - *p >= 2 &&
                 (is_alnum((*p)[1]) || (*p)[1] == '_' || (*p)[1] == '%'))
            (*p)++;
        else
            break;
    }
    if (want_char) return false;
    if (*p < end && **p == '*') {
        (*p)++;
    } else if (*p < end && **p == ':') {
        const char *digits = ++*p;

        while (*p < end && **p >= '0' && **p <= '9')
            (*p)++;
        if (*p == digits || *p - digits > 4 || *digits == '0') return false;
    }
    return true;
}

bool format_uri_template(const char *text, size_t len)
{
    const char *p = text;
    const char *end = text + len;

    while (p < end) {
        size_t n;

        if (*p != '{') {
            if (!template_literal(p, end, &n)) return false;
            p += n;
            continue;
        }
        p++;
        if (p < end && *p != '\0' && strchr("+#./;?&=,!@|", *p) != NULL) p++;
        for (;;) {
            if (!template_varspec(&p, end) || p == end) return false;
            if (*p == '}') break;
            if (*p++ != ',') return false;
        }
        p++;
    }
    return true;
}
