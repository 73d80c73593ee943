#include "sanitize/name.h"

#include "common/json/utf8.h"

#include <string.h>
#include <strings.h>

#define DECODE_TURNS 3

/* --- characters ------------------------------------------------------------------------------- */

/* Symbols that look like / \ or : and that NFKC does not fold to it. Letters of living scripts that
 * happen to look so (Katakana no, visarga) are left alone. */
static bool is_look_alike(uint32_t cp)
{
    switch (cp) {
    case 0x1735: /* Philippine single punctuation */
    case 0x2044: /* fraction slash */
    case 0x2215: /* division slash */
    case 0x2571: /* box drawings diagonal */
    case 0x27CB:
    case 0x29F8:
    case 0x2F03:
    case 0x31D3:
    case 0x2216: /* set minus, as a back-slash */
    case 0x244A:
    case 0x2572:
    case 0x27CD:
    case 0x29F5:
    case 0x29F9:
    case 0x31D4:
    case 0x02D0: /* as a colon */
    case 0x02F8:
    case 0x205A:
    case 0x2236:
    case 0xA789: return true;
    default: return false;
    }
}

/* Would be seen as nothing, or as a space that is none. Joiners and variation selectors belong to
 * emoji and to Indic and Persian words. */
static bool is_invisible(uint32_t cp)
{
    return unicode_is_deceptive(cp) || cp == '\t' || cp == '\n' || cp == '\r' || cp == 0xAD ||
           cp == 0x034F || cp == 0x061C || cp == 0x115F || cp == 0x1160 || cp == 0x17B4 ||
           cp == 0x17B5 || (cp >= 0x180B && cp <= 0x180F) || cp == 0x200B || cp == 0x200E ||
           cp == 0x200F || (cp >= 0x2028 && cp <= 0x202F) || (cp >= 0x2060 && cp <= 0x206F) ||
           cp == 0x2800 || cp == 0x3164 || cp == 0xFFA0 || (cp >= 0xE0000 && cp <= 0xE0FFF);
}

static int hex(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* In place; %uXXXX of old servers too. Returns the new length. */
static size_t percent_decode(char *text, size_t len)
{
    size_t to = 0;

    for (size_t i = 0; i < len; i++) {
        if (text[i] == '%' && i + 2 < len && hex(text[i + 1]) >= 0 && hex(text[i + 2]) >= 0) {
            text[to++] = (char)(hex(text[i + 1]) << 4 | hex(text[i + 2]));
            i += 2;
        } else if (text[i] == '%' && i + 5 < len && (text[i + 1] | 0x20) == 'u' &&
                   text[i + 2] == '0' && text[i + 3] == '0' && hex(text[i + 4]) >= 0 &&
                   hex(text[i + 5]) >= 0) {
            text[to++] = (char)(hex(text[i + 4]) << 4 | hex(text[i + 5]));
            i += 5;
        } else {
            text[to++] = text[i];
        }
    }
    return to;
}

/* --- names ------------------------------------------------------------------------------------ */

static bool is_reserved(const char *name, size_t len)
{
    static const char *const devices[] = {
        "con", "prn", "aux", "nul", "conin$", "conout$", "clock$"
    };
    const char *dot = memchr(name, '.', len);
    size_t stem = dot != NULL ? (size_t)(dot - name) : len;

    while (stem > 0 && name[stem - 1] == ' ')
        stem--;
    for (size_t i = 0; i < sizeof devices / sizeof devices[0]; i++)
        if (strlen(devices[i]) == stem && strncasecmp(name, devices[i], stem) == 0) return true;
    if (stem < 4 || (strncasecmp(name, "com", 3) != 0 && strncasecmp(name, "lpt", 3) != 0))
        return false;
    if (stem == 4) return name[3] >= '0' && name[3] <= '9';
    return stem == 5 && (unsigned char)name[3] == 0xC2 && /* superscript 1, 2, 3 */
           ((unsigned char)name[4] == 0xB9 || (unsigned char)name[4] == 0xB2 ||
            (unsigned char)name[4] == 0xB3);
}

/* One part of a path, already decoded and folded. */
static const char *check_part(const char *part, size_t len)
{
    if (len == 0) return "name: empty part";
    if (len > NAME_MAX_BYTES) return "name: too long";
    if (part[0] == '.' && (len == 1 || (len == 2 && part[1] == '.'))) return "name: traversal";
    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)part[i] < 0x20 || part[i] == 0x7F) return "name: control character";
        if (part[i] == ':') return "name: drive or stream";
        if (strchr("/\\", part[i]) != NULL) return "name: separator";
        if (strchr("<>\"|?*`", part[i]) != NULL) return "name: character not allowed";
        if (part[i] == '.' && i + 1 < len && part[i + 1] == '.') return "name: traversal";
    }
    if (part[0] == ' ' || part[len - 1] == ' ' || part[len - 1] == '.')
        return "name: space or dot at an end";
    if (part[0] == '~' || part[0] == '-') return "name: leading ~ or -";
    if (is_reserved(part, len)) return "name: reserved device";
    return NULL;
}

static const char *check_parts(const char *path, size_t len, bool is_path)
{
    size_t start = 0;

    if (!is_path) return check_part(path, len);
    if (len > 0 && (path[0] == '/' || path[0] == '\\')) return "name: absolute";
    for (size_t i = 0; i <= len; i++) {
        const char *rule;

        if (i < len && path[i] != '/') continue;
        rule = check_part(path + start, i - start);
        if (rule != NULL) return rule;
        start = i + 1;
    }
    return NULL;
}

static const char *check_characters(const char *text, size_t len)
{
    const char *end = text + len;

    while (text < end) {
        uint32_t cp = unicode_next(&text);

        if (is_look_alike(cp)) return "name: look-alike of a separator";
        if (is_invisible(cp)) return "name: invisible or control character";
    }
    return NULL;
}

/* Did folding make one of the characters that matter? "/" from a full-width slash. */
static const char *check_folded(const char *text, size_t len, const char *folded, size_t folded_len)
{
    static const char matter[] = "/\\.:~<>\"|?*";
    size_t before[sizeof matter] = { 0 }, after[sizeof matter] = { 0 };

    for (size_t i = 0; i < len; i++)
        for (size_t m = 0; m < sizeof matter - 1; m++)
            before[m] += text[i] == matter[m];
    for (size_t i = 0; i < folded_len; i++)
        for (size_t m = 0; m < sizeof matter - 1; m++)
            after[m] += folded[i] == matter[m];
    return memcmp(before, after, sizeof before) == 0 ? NULL : "name: look-alike of a separator";
}

/* One reading of the name, which is the first `len` bytes of scratch. */
static const char *check_reading(struct unicode *unicode, struct gh_buf *scratch, size_t len,
                                 bool is_path)
{
    const char *rule;

    if (!gh_utf8_valid(scratch->data, len)) return "name: percent-encoded bytes";
    rule = check_characters(scratch->data, len);
    if (rule == NULL) rule = check_parts(scratch->data, len, is_path);
    if (rule != NULL) return rule;
    scratch->len = len;
    switch (unicode_fold(unicode, scratch->data, len, scratch)) { /* reads all before it writes */
    case UNICODE_MARKS: return "name: too many combining marks";
    case UNICODE_NOMEM: return "name: out of memory";
    default: break;
    }
    rule = check_folded(scratch->data, len, scratch->data + len, scratch->len - len);
    return rule != NULL ? rule : check_parts(scratch->data + len, scratch->len - len, is_path);
}

static const char *check_name(struct unicode *unicode, struct gh_buf *scratch, const char *name,
                              size_t len, bool is_path)
{
    const char *rule;

    if (len == 0) return "name: empty";
    gh_buf_reset(scratch);
    if (gh_buf_append(scratch, name, len) != GH_OK) return "name: out of memory";
    rule = check_reading(unicode, scratch, len, is_path);
    for (int i = 0; rule == NULL && i < DECODE_TURNS; i++) {
        size_t decoded = percent_decode(scratch->data, len);

        if (decoded == len) break;
        len = decoded;
        rule = check_reading(unicode, scratch, len, is_path);
    }
    return rule;
}

const char *name_check_file(struct unicode *unicode, struct gh_buf *scratch, const char *name,
                            size_t len)
{
    return check_name(unicode, scratch, name, len, false);
}

const char *name_check_path(struct unicode *unicode, struct gh_buf *scratch, const char *path,
                            size_t len)
{
    if (len > PATH_MAX_BYTES) return "name: too long";
    return check_name(unicode, scratch, path, len, true);
}

/* --- URLs ------------------------------------------------------------------------------------- */

size_t name_url_scheme(const char *url, size_t len, char dst[32])
{
    size_t n = 0;

    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)url[i];

        if (c <= 0x20) continue; /* browsers skip these, at least in front; never mind where */
        if (c == ':') {
            dst[n] = '\0';
            return n == 0 ? SIZE_MAX : n;
        }
        if (c == '/' || c == '?' || c == '#' || c == '\\') return 0;
        if (c >= 'A' && c <= 'Z') c |= 0x20;
        if (!((c >= 'a' && c <= 'z') || (n > 0 && (strchr("+-.", c) || (c >= '0' && c <= '9'))))) {
            /* No scheme can stand here; but a colon later would make somebody see one. */
            return memchr(url + i, ':', len - i) != NULL ? SIZE_MAX : 0;
        }
        if (n == 31) return SIZE_MAX;
        dst[n++] = (char)c;
    }
    return 0;
}

const char *name_check_url(const char *url, size_t len, const char *const *schemes)
{
    char scheme[32];
    const char *rest, *end = url + len;
    size_t n;

    if (len > URL_MAX_BYTES) return "url: too long";
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)url[i] <= 0x20 || url[i] == 0x7F || strchr("<>\"'`\\{}|^", url[i]))
            return "url: character not allowed";
    n = name_url_scheme(url, len, scheme);
    if (n == 0 || n == SIZE_MAX) return "url: not absolute";
    while (*schemes != NULL && strcmp(*schemes, scheme) != 0)
        schemes++;
    if (*schemes == NULL) return "url: scheme not allowed";
    rest = url + n + 1;
    if (strcmp(scheme, "http") != 0 && strcmp(scheme, "https") != 0 && strcmp(scheme, "ws") != 0 &&
        strcmp(scheme, "wss") != 0 && strcmp(scheme, "ftp") != 0)
        return NULL;
    if (end - rest < 3 || rest[0] != '/' || rest[1] != '/' || rest[2] == '/') return "url: no host";
    for (rest += 2; rest < end && *rest != '/' && *rest != '?' && *rest != '#'; rest++)
        if (*rest == '@') return "url: user information";
    return NULL;
}
