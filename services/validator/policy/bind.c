#include "policy/bind.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum gh_err bind_fail(struct bind *bind, const struct ynode *node, const char *fmt, ...)
{
    char text[900], pointer[256];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    return report_add(bind->report, bind->file, node->line,
                      yaml_pointer(node, pointer, sizeof pointer), "%s", text);
}

enum gh_err bind_text(struct bind *bind, const struct ynode *node, const char **ret_text)
{
    if (node->kind != Y_SCALAR) return bind_fail(bind, node, "a single value was expected");
    if (strlen(node->text) != node->len) return bind_fail(bind, node, "a NUL character");
    *ret_text = node->text;
    return GH_OK;
}

static void join(const char *const *words, char *dst, size_t size)
{
    size_t len = 0;

    dst[0] = '\0';
    for (; *words != NULL && len < size; words++)
        len += (size_t)snprintf(dst + len, size - len, "%s%s", len > 0 ? ", " : "", *words);
}

enum gh_err bind_choice(struct bind *bind, const struct ynode *node, const char *const *choices,
                        uint32_t *ret_index)
{
    const char *text = "";
    char list[512];
    enum gh_err err = bind_text(bind, node, &text);

    if (err != GH_OK) return err;
    for (uint32_t i = 0; choices[i] != NULL; i++) {
        if (strcmp(choices[i], text) != 0) continue;
        *ret_index = i;
        return GH_OK;
    }
    join(choices, list, sizeof list);
    return bind_fail(bind, node, "\"%.64s\" is not one of: %s", text, list);
}

struct unit {
    const char *name;
    uint64_t factor;
};

static const struct unit byte_units[] = { { "", 1 },           { "B", 1 },
                                          { "KiB", 1 << 10 },  { "MiB", 1 << 20 },
                                          { "GiB", 1u << 30 }, { NULL, 0 } };
static const struct unit time_units[] = { { "ms", 1 },      { "s", 1000 },     { "m", 60000 },
                                          { "h", 3600000 }, { "d", 86400000 }, { NULL, 0 } };
static const struct unit no_units[] = { { "", 1 }, { NULL, 0 } };

static bool scan_number(const char *text, const struct unit *units, uint64_t *ret_value)
{
    unsigned long long value;
    char *end;

    if (*text < '0' || *text > '9') return false;
    errno = 0;
    value = strtoull(text, &end, 10);
    if (errno != 0) return false;
    for (; units->name != NULL; units++)
        if (strcmp(end, units->name) == 0)
            return !__builtin_mul_overflow(value, units->factor, ret_value);
    return false;
}

static enum gh_err bind_number(struct bind *bind, const struct ynode *node,
                               const struct pfield *field, void *at)
{
    const struct unit *units = field->kind == P_BYTES ? byte_units
                               : field->kind == P_MS  ? time_units
                                                      : no_units;
    const char *what = field->kind == P_BYTES ? "a size, such as 4096 or 64KiB,"
                       : field->kind == P_MS  ? "a duration, such as 500ms, 10s or 5m,"
                                              : "a whole number";
    const char *text = "";
    uint64_t value;
    enum gh_err err = bind_text(bind, node, &text);

    if (err != GH_OK) return err;
    if (!scan_number(text, units, &value) || value < field->min || value > field->max)
        return bind_fail(bind, node, "\"%.64s\" is not %s from %llu to %llu", text, what,
                         (unsigned long long)field->min, (unsigned long long)field->max);
    if (field->kind == P_MS)
        *(uint64_t *)at = value;
    else
        *(uint32_t *)at = (uint32_t)value;
    return GH_OK;
}

static enum gh_err bind_bool(struct bind *bind, const struct ynode *node, bool *at)
{
    const char *text = "";
    enum gh_err err = bind_text(bind, node, &text);

    if (err != GH_OK) return err;
    if (strcmp(text, "true") != 0 && strcmp(text, "false") != 0)
        return bind_fail(bind, node, "\"%.64s\" is not true or false", text);
    *at = text[0] == 't';
    return GH_OK;
}

enum gh_err bind_value(struct bind *bind, const struct ynode *node, const struct pfield *field,
                       void *target)
{
    void *at = (char *)target + field->offset;
    enum gh_err err;

    switch (field->kind) {
    case P_BOOL: return bind_bool(bind, node, at);
    case P_U32:
    case P_BYTES:
    case P_MS: return bind_number(bind, node, field, at);
    case P_TEXT:
        err = bind_text(bind, node, at);
        if (err == GH_OK && (node->len < field->min || node->len > field->max))
            return bind_fail(bind, node, "from %llu to %llu characters were expected",
                             (unsigned long long)field->min, (unsigned long long)field->max);
        return err;
    case P_ENUM: return bind_choice(bind, node, field->choices, at);
    case P_FN: return field->fn(bind, node, at);
    }
    return GH_ERR_INTERNAL;
}

enum gh_err bind_mapping(struct bind *bind, const struct ynode *mapping,
                         const struct pfield *fields, void *target)
{
    enum gh_err first = GH_OK;

    if (mapping->kind != Y_MAPPING) return bind_fail(bind, mapping, "a mapping was expected");
    for (const struct ynode *node = mapping->first; node != NULL; node = node->next) {
        const struct pfield *field = fields;
        enum gh_err err;

        while (field->key != NULL && strcmp(field->key, node->key) != 0)
            field++;
        if (field->key != NULL) {
            err = bind_value(bind, node, field, target);
        } else {
            const char *known[64];
            char list[512];
            size_t n = 0;

            for (field = fields; field->key != NULL && n < 63; field++)
                known[n++] = field->key;
            known[n] = NULL;
            join(known, list, sizeof list);
            err = bind_fail(bind, node, "unknown key; known: %s", list);
        }
        if (err == GH_ERR_NOMEM) return err;
        if (first == GH_OK) first = err;
    }
    return first;
}
