#include "common/json/builder.h"
#include "common/json/writer.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void gh_json_init(struct gh_json *j, struct gh_buf *out)
{
    *j = (struct gh_json){ .out = out, .start = out->len };
}

static void fail(struct gh_json *j, enum gh_err err)
{
    if (j->err == GH_OK) j->err = err;
}

static void put(struct gh_json *j, const char *bytes, size_t len)
{
    if (j->err == GH_OK) fail(j, gh_buf_append(j->out, bytes, len));
}

static bool in_object(const struct gh_json *j)
{
    return j->depth > 0 && (j->is_object >> (j->depth - 1) & 1);
}

/* What comes before any value; false if no value may stand here. */
static bool value(struct gh_json *j)
{
    if (j->err != GH_OK) return false;
    if (j->complete || (in_object(j) && !j->after_key)) {
        fail(j, GH_ERR_INTERNAL);
        return false;
    }
    if (j->need_comma && !j->after_key) put(j, ",", 1);
    j->after_key = false;
    j->need_comma = true;
    j->complete = j->depth == 0;
    return j->err == GH_OK;
}

static void begin(struct gh_json *j, bool object)
{
    if (!value(j)) return;
    if (j->depth == GH_JSON_BUILDER_DEPTH) {
        fail(j, GH_ERR_LIMIT);
        return;
    }
    put(j, object ? "{" : "[", 1);
    j->is_object = (j->is_object & ~((uint64_t)1 << j->depth)) | (uint64_t)object << j->depth;
    j->depth++;
    j->need_comma = false;
    j->complete = false;
}

static void end(struct gh_json *j, bool object)
{
    if (j->err != GH_OK) return;
    if (j->depth == 0 || in_object(j) != object || j->after_key) {
        fail(j, GH_ERR_INTERNAL);
        return;
    }
    put(j, object ? "}" : "]", 1);
    j->depth--;
    j->need_comma = true;
    j->complete = j->depth == 0;
}

void gh_json_begin_object(struct gh_json *j)
{
    begin(j, true);
}

void gh_json_end_object(struct gh_json *j)
{
    end(j, true);
}

void gh_json_begin_array(struct gh_json *j)
{
    begin(j, false);
}

void gh_json_end_array(struct gh_json *j)
{
    end(j, false);
}

void gh_json_key_n(struct gh_json *j, const void *key, size_t len)
{
    if (j->err != GH_OK) return;
    if (!in_object(j) || j->after_key) {
        fail(j, GH_ERR_INTERNAL);
        return;
    }
    if (j->need_comma) put(j, ",", 1);
    if (j->err == GH_OK) fail(j, gh_json_write_string(j->out, key, len));
    put(j, ":", 1);
    j->after_key = true;
}

void gh_json_key(struct gh_json *j, const char *key)
{
    gh_json_key_n(j, key, strlen(key));
}

void gh_json_null(struct gh_json *j)
{
    if (value(j)) put(j, "null", 4);
}

void gh_json_bool(struct gh_json *j, bool v)
{
    if (value(j)) put(j, v ? "true" : "false", v ? 4 : 5);
}

static void put_uint(struct gh_json *j, bool negative, uint64_t v)
{
    char text[21];
    char *p = text + sizeof text;

    do {
        *--p = (char)('0' + v % 10);
        v /= 10;
    } while (v > 0);
    if (negative) *--p = '-';
    put(j, p, (size_t)(text + sizeof text - p));
}

void gh_json_int(struct gh_json *j, int64_t v)
{
    if (value(j)) put_uint(j, v < 0, v < 0 ? 0 - (uint64_t)v : (uint64_t)v);
}

void gh_json_uint(struct gh_json *j, uint64_t v)
{
    if (value(j)) put_uint(j, false, v);
}

void gh_json_double(struct gh_json *j, double v)
{
    char text[40];
    int n = 0;

    if (!isfinite(v)) {
        gh_json_null(j);
        return;
    }
    if (!value(j)) return;
    for (int precision = 15; precision <= 17; precision++) {
        n = snprintf(text, sizeof text, "%.*g", precision, v);
        if (strtod(text, NULL) == v) break;
    }
    for (int i = 0; i < n; i++) /* a locale's decimal point */
        if ((text[i] < '0' || text[i] > '9') && text[i] != '-' && text[i] != '+' && text[i] != 'e')
            text[i] = '.';
    put(j, text, (size_t)n);
}

void gh_json_str_n(struct gh_json *j, const void *v, size_t len)
{
    if (value(j)) fail(j, gh_json_write_string(j->out, v, len));
}

void gh_json_str(struct gh_json *j, const char *v)
{
    if (v != NULL)
        gh_json_str_n(j, v, strlen(v));
    else
        gh_json_null(j);
}

void gh_json_fmt(struct gh_json *j, const char *fmt, ...)
{
    char small[256];
    char *text = small;
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(small, sizeof small, fmt, ap);
    va_end(ap);
    if (n < 0) {
        fail(j, GH_ERR_INTERNAL);
        return;
    }
    if ((size_t)n >= sizeof small) {
        text = malloc((size_t)n + 1);
        if (text == NULL) {
            fail(j, GH_ERR_NOMEM);
            return;
        }
        va_start(ap, fmt);
        n = vsnprintf(text, (size_t)n + 1, fmt, ap);
        va_end(ap);
    }
    gh_json_str_n(j, text, (size_t)n);
    if (text != small) free(text);
}

void gh_json_node(struct gh_json *j, const struct gh_tape *tape, uint32_t node)
{
    if (value(j)) fail(j, gh_json_write(tape, node, NULL, j->out));
}

void gh_json_raw(struct gh_json *j, const void *json, size_t len)
{
    if (value(j)) put(j, json, len);
}

enum gh_err gh_json_finish(struct gh_json *j)
{
    if (!j->complete) fail(j, GH_ERR_INTERNAL);
    if (j->err != GH_OK) j->out->len = j->start;
    return j->err;
}

void gh_json_kv_str(struct gh_json *j, const char *key, const char *v)
{
    gh_json_key(j, key);
    gh_json_str(j, v);
}

void gh_json_kv_str_n(struct gh_json *j, const char *key, const void *v, size_t len)
{
    gh_json_key(j, key);
    gh_json_str_n(j, v, len);
}

void gh_json_kv_int(struct gh_json *j, const char *key, int64_t v)
{
    gh_json_key(j, key);
    gh_json_int(j, v);
}

void gh_json_kv_uint(struct gh_json *j, const char *key, uint64_t v)
{
    gh_json_key(j, key);
    gh_json_uint(j, v);
}

void gh_json_kv_bool(struct gh_json *j, const char *key, bool v)
{
    gh_json_key(j, key);
    gh_json_bool(j, v);
}
