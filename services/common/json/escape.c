#include "common/json/escape.h"
#include "common/json/parse.h"
#include "common/json/scan.h"
#include "common/json/utf8.h"

#include <string.h>

#define LONGEST_ESCAPE 6

/* '"', '\\' or a control character. */
static char *put_escape(char *out, unsigned char c)
{
    static const char hex[] = "0123456789abcdef";
    char letter = 0;

    switch (c) {
    case '"':
    case '\\': letter = (char)c; break;
    case '\b': letter = 'b'; break;
    case '\f': letter = 'f'; break;
    case '\n': letter = 'n'; break;
    case '\r': letter = 'r'; break;
    case '\t': letter = 't'; break;
    default: break;
    }
    *out++ = '\\';
    if (letter) {
        *out++ = letter;
        return out;
    }
    memcpy(out, "u00", 3);
    out[3] = hex[c >> 4];
    out[4] = hex[c & 15];
    return out + 5;
}

/* One escape of a checked string, spelled canonically. */
static inline const char *recode_escape(const char *src, char **out)
{
    uint32_t cp;

    if (src[1] != 'u' && src[1] != '/') { /* the short ones are canonical */
        memcpy(*out, src, 2);
        *out += 2;
        return src + 2;
    }
    src = gh_json_escape_decode(src, &cp);
    if (cp < 0x20 || cp == '"' || cp == '\\')
        *out = put_escape(*out, (unsigned char)cp);
    else
        *out += gh_utf8_encode(cp, *out);
    return src;
}

char *gh_json_recode(const char *src, size_t len, char *out)
{
    const char *end = src + len;

    while (end - src >= SCAN_BLOCK) {
        uint64_t stop = scan_string_block(src).stop; /* a backslash: all else was checked */
        size_t plain = stop ? scan_first(stop) : SCAN_BLOCK;

        memcpy(out, src, SCAN_BLOCK);
        out += plain;
        src += plain;
        while (stop && src < end && *src == '\\')
            src = recode_escape(src, &out);
    }
    while (src < end) {
        if (*src == '\\')
            src = recode_escape(src, &out);
        else
            *out++ = *src++;
    }
    return out;
}

/* Bytes from p that can stand in a string as they are, UTF-8 or not. */
static size_t plain_run(const char *p, size_t len)
{
    size_t i = 0;

    for (; len - i >= SCAN_BLOCK; i += SCAN_BLOCK) {
        uint64_t stop = scan_string_block(p + i).stop;

        if (stop) return i + scan_first(stop);
    }
    while (i < len && (unsigned char)p[i] >= 0x20 && p[i] != '"' && p[i] != '\\')
        i++;
    return i;
}

static enum gh_err put_valid(struct gh_buf *out, const char *p, size_t len)
{
    while (len > 0) {
        size_t n = plain_run(p, len);
        enum gh_err err = gh_buf_reserve(out, n + LONGEST_ESCAPE);

        if (err == GH_ERR_LIMIT && n == len) /* nothing left to escape: the bytes alone may fit */
            err = gh_buf_reserve(out, n);
        if (err == GH_ERR_LIMIT && n < len) { /* the escape may be a short one */
            char esc[LONGEST_ESCAPE];
            size_t m = (size_t)(put_escape(esc, (unsigned char)p[n]) - esc);

            err = gh_buf_reserve(out, n + m);
        }
        if (err != GH_OK) return err;
        memcpy(out->data + out->len, p, n);
        out->len += n;
        p += n;
        len -= n;
        if (len > 0) {
            char *at = put_escape(out->data + out->len, (unsigned char)*p);

            out->len = (size_t)(at - out->data);
            p++;
            len--;
        }
    }
    return GH_OK;
}

enum gh_err gh_json_write_string(struct gh_buf *out, const void *bytes, size_t len)
{
    const char *p = bytes;
    size_t start = out->len;
    enum gh_err err = gh_buf_append(out, "\"", 1);

    while (err == GH_OK && len > 0) {
        size_t good = gh_utf8_check(p, len);

        err = put_valid(out, p, good);
        p += good;
        len -= good;
        if (err == GH_OK && len > 0) {
            err = gh_buf_append(out, "\xEF\xBF\xBD", 3);
            p++;
            len--;
        }
    }
    if (err == GH_OK) err = gh_buf_append(out, "\"", 1);
    if (err != GH_OK) out->len = start;
    return err;
}
