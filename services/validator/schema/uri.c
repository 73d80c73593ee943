/* RFC 3986: 5.2.2 transform references, 5.2.3 merge paths, 5.2.4 remove dot segments. */
#include "validator/schema/uri.h"

#include <string.h>

struct span {
    const char *p;
    size_t n;
};

struct parts {
    struct span scheme;    /* without ':' */
    struct span authority; /* with "//"; n == 0: none */
    struct span path;
    struct span query; /* with '?' */
    const char *fragment;
};

static bool is_alpha(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static size_t scheme_len(const char *s)
{
    size_t n = 0;

    if (!is_alpha(s[0])) return 0;
    while (is_alpha(s[n]) || (s[n] >= '0' && s[n] <= '9') || s[n] == '+' || s[n] == '-' ||
           s[n] == '.')
        n++;
    return s[n] == ':' ? n : 0;
}

bool uri_is_absolute(const char *uri)
{
    return scheme_len(uri) > 0;
}

static void split(const char *s, struct parts *ret_parts)
{
    struct parts u = { 0 };

    u.scheme = (struct span){ s, scheme_len(s) };
    if (u.scheme.n > 0) s += u.scheme.n + 1;
    if (s[0] == '/' && s[1] == '/') {
        u.authority = (struct span){ s, 2 + strcspn(s + 2, "/?#") };
        s += u.authority.n;
    }
    u.path = (struct span){ s, strcspn(s, "?#") };
    s += u.path.n;
    u.query = (struct span){ s, *s == '?' ? strcspn(s, "#") : 0 };
    s += u.query.n;
    u.fragment = *s == '#' ? s + 1 : s;
    *ret_parts = u;
}

struct out {
    char *dst;
    size_t n;
    bool full;
};

static void put(struct out *out, struct span s)
{
    if (s.n >= URI_MAX_BYTES - out->n) {
        out->full = true;
        return;
    }
    if (s.n > 0) memcpy(out->dst + out->n, s.p, s.n);
    out->n += s.n;
}

/* In place over path[0..n); returns the new length. */
static size_t remove_dots(char *path, size_t n)
{
    size_t out = 0;
    size_t in = 0;

    while (in < n) {
        size_t seg = 1; /* this segment with its leading '/', up to the next '/' */

        if (path[in] != '/') seg = 0;
        while (in + seg < n && path[in + seg] != '/')
            seg++;

        const char *s = path + in + (path[in] == '/');
        size_t len = seg - (path[in] == '/');
        bool last = in + seg == n;

        if ((len == 1 && s[0] == '.') || (len == 2 && s[0] == '.' && s[1] == '.')) {
            if (len == 2)
                while (out > 0 && path[--out] != '/')
                    ;
            in += seg;
            if (last) path[out++] = '/';
            continue;
        }
        memmove(path + out, path + in, seg);
        out += seg;
        in += seg;
    }
    return out;
}

enum gh_err uri_resolve(const char *base, const char *ref, char dst[URI_MAX_BYTES],
                        const char **ret_fragment)
{
    char made[URI_MAX_BYTES];
    struct out out = { made, 0, false };
    struct parts b, r;
    size_t path_at;
    bool dots = true;

    split(base, &b);
    split(ref, &r);
    const struct parts *from = r.scheme.n > 0 ? &r : &b;

    if (from->scheme.n > 0) {
        put(&out, from->scheme);
        put(&out, (struct span){ ":", 1 });
    }
    if (r.scheme.n == 0 && r.authority.n == 0) {
        put(&out, b.authority);
        path_at = out.n;
        if (r.path.n == 0) {
            put(&out, b.path);
            put(&out, r.query.n > 0 ? r.query : b.query);
            dots = false;
        } else if (r.path.p[0] != '/') {
            size_t keep = b.path.n;

            while (keep > 0 && b.path.p[keep - 1] != '/')
                keep--;
            if (b.authority.n > 0 && b.path.n == 0) put(&out, (struct span){ "/", 1 });
            put(&out, (struct span){ b.path.p, keep });
            put(&out, r.path);
        } else {
            put(&out, r.path);
        }
    } else {
        put(&out, r.authority);
        path_at = out.n;
        put(&out, r.path);
        dots = r.path.n > 0 && (r.authority.n > 0 || r.path.p[0] == '/');
    }
    if (out.full) return GH_ERR_LIMIT;
    if (dots) {
        out.n = path_at + remove_dots(made + path_at, out.n - path_at);
        put(&out, r.query);
    } else if (r.scheme.n > 0 || r.authority.n > 0) {
        put(&out, r.query);
    }
    if (out.full) return GH_ERR_LIMIT;
    memcpy(dst, made, out.n);
    dst[out.n] = '\0';
    *ret_fragment = r.fragment;
    return GH_OK;
}

static int hex(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

bool uri_percent_decode(char *text)
{
    char *to = text;

    for (const char *p = text; *p != '\0'; p++) {
        int value = (unsigned char)*p;

        if (*p == '%') {
            if (hex(p[1]) < 0 || hex(p[2]) < 0) return false;
            value = hex(p[1]) * 16 + hex(p[2]);
            if (value == 0) return false;
            p += 2;
        }
        *to++ = (char)value;
    }
    *to = '\0';
    return true;
}
