/* One field's text: where it comes from (environment, file, default) and what it has to be. */
#include "common/config_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define ENV_ITEMS_MAX 256 /* of a comma-separated list in the environment */

void cfg_bind_failed(struct cfg_bind *b, enum gh_err err)
{
    if (err == GH_OK) return;
    b->errors++;
    if (err == GH_ERR_NOMEM) b->out_of_memory = true;
}

static const char *help_text(const struct gh_config_field *field, char dst[200])
{
    dst[0] = '\0';
    if (field->help != NULL) (void)snprintf(dst, 200, " (%.190s)", field->help);
    return dst;
}

bool cfg_in_range(struct cfg_bind *b, const struct cfg_slot *slot, uint64_t value, const char *what)
{
    const struct gh_config_field *f = slot->field;
    char got[32], min[32], max[32], help[200];

    if (value >= f->min && (f->max == 0 || value <= f->max)) return true;
    cfg_show(f->kind, value, got);
    cfg_show(f->kind, f->min, min);
    cfg_show(f->kind, f->max, max);
    if (f->max == 0)
        CFG_REPORT(b, slot, "%s%s is out of range; accepted: %s or more%s", got, what, min,
                   help_text(f, help));
    else
        CFG_REPORT(b, slot, "%s%s is out of range; accepted: %s to %s%s", got, what, min, max,
                   help_text(f, help));
    return false;
}

static void bind_number(struct cfg_bind *b, const struct cfg_slot *slot, const char *text)
{
    const struct gh_config_field *f = slot->field;
    char quoted[128], help[200];
    uint64_t value = 0;
    bool ok = false;

    cfg_quote(quoted, text, strlen(text));
    if (f->kind == GH_CFG_MS) {
        ok = cfg_scan_ms(text, &value);
        if (!ok)
            CFG_REPORT(b, slot, "%s is not a duration; write 250ms, 10s, 5m, 2h or 1d%s", quoted,
                       help_text(f, help));
    } else if (f->kind == GH_CFG_BYTES) {
        ok = cfg_scan_bytes(text, &value);
        if (!ok)
            CFG_REPORT(b, slot, "%s is not a size; write a number of bytes or 64KiB, 1MiB, 1GiB%s",
                       quoted, help_text(f, help));
    } else {
        ok = cfg_scan_u64(text, &value);
        if (!ok)
            CFG_REPORT(b, slot, "%s is not a whole number; write digits only%s", quoted,
                       help_text(f, help));
    }
    if (!ok || !cfg_in_range(b, slot, value, "")) return;
    if (f->kind == GH_CFG_U32) {
        const uint32_t narrow = (uint32_t)value;

        if (value > UINT32_MAX)
            CFG_REPORT(b, slot, "%" PRIu64 " is out of range; accepted: up to %" PRIu32, value,
                       UINT32_MAX);
        else
            memcpy(slot->out, &narrow, sizeof narrow);
    } else {
        memcpy(slot->out, &value, sizeof value);
    }
}

static void bind_enum(struct cfg_bind *b, const struct cfg_slot *slot, const char *text)
{
    char quoted[128], hint[160];
    struct cfg_names names;

    cfg_names_init(&names, text);
    for (uint32_t i = 0; slot->field->choices[i] != NULL; i++) {
        if (strcmp(slot->field->choices[i], text) == 0) {
            memcpy(slot->out, &i, sizeof i);
            return;
        }
        cfg_names_add(&names, slot->field->choices[i]);
    }
    CFG_REPORT(b, slot, "%s is not a choice%s; accepted: %s", cfg_quote(quoted, text, strlen(text)),
               cfg_names_hint(&names, hint), names.list);
}

static void bind_text(struct cfg_bind *b, const struct cfg_slot *slot, const char *text)
{
    const struct gh_config_field *f = slot->field;
    struct gh_config_secret secret = { 0 };
    const char *value = NULL;
    char help[200];
    enum gh_err err = GH_OK;

    if (f->required && text[0] == '\0') {
        CFG_REPORT(b, slot, "must not be empty%s", help_text(f, help));
        return;
    }
    if (f->kind == GH_CFG_SECRET_FILE) {
        err = cfg_secret(b->config, &slot->where, text, &secret);
        if (err == GH_OK) memcpy(slot->out, &secret, sizeof secret);
        cfg_bind_failed(b, err);
        return;
    }
    err = f->kind == GH_CFG_PATH ? cfg_path(b->config, &slot->where, text, &value)
                                 : cfg_expand(b->config, &slot->where, text, &value);
    cfg_bind_failed(b, err);
    if (err == GH_OK && cfg_in_range(b, slot, strlen(value), " bytes"))
        memcpy(slot->out, &value, sizeof value);
}

static void bind_scalar(struct cfg_bind *b, const struct cfg_slot *slot, const char *text)
{
    const struct gh_config_field *f = slot->field;
    char quoted[128];

    if (f->kind == GH_CFG_BOOL) {
        const bool yes = strcmp(text, "true") == 0;

        if (!yes && strcmp(text, "false") != 0)
            CFG_REPORT(b, slot, "%s is not true or false", cfg_quote(quoted, text, strlen(text)));
        else
            memcpy(slot->out, &yes, sizeof yes);
    } else if (f->kind == GH_CFG_ENUM) {
        bind_enum(b, slot, text);
    } else if (f->kind == GH_CFG_STRING || f->kind == GH_CFG_PATH ||
               f->kind == GH_CFG_SECRET_FILE) {
        bind_text(b, slot, text);
    } else {
        bind_number(b, slot, text);
    }
}

const char *cfg_shape_name(const struct cfg_node *node)
{
    static const char *const names[] = { "a single value", "a list", "a mapping" };

    return names[node->kind];
}

bool cfg_is_empty(const struct cfg_node *node)
{
    return node->kind == CFG_SCALAR && node->plain &&
           (node->text_len == 0 || strcmp(node->text, "~") == 0 || strcmp(node->text, "null") == 0);
}

/* The text of a scalar node, or NULL with a report. */
static const char *scalar_text(struct cfg_bind *b, const struct cfg_slot *slot,
                               const struct cfg_node *node)
{
    char help[200];

    if (node->kind != CFG_SCALAR)
        CFG_REPORT(b, slot, "%s stands here; a single value is wanted%s", cfg_shape_name(node),
                   help_text(slot->field, help));
    else if (cfg_is_empty(node))
        CFG_REPORT(b, slot, "has no value; give one or leave the key out%s",
                   help_text(slot->field, help));
    else if (strlen(node->text) != node->text_len)
        CFG_REPORT(b, slot, "the value holds a NUL character");
    else
        return node->text;
    return NULL;
}

static void list_store(struct cfg_bind *b, const struct cfg_slot *slot, const char **items,
                       size_t count)
{
    struct gh_config_list list = { .count = count };

    if (!cfg_in_range(b, slot, count, count == 1 ? " item" : " items")) return;
    if (count > 0) {
        list.items = cfg_alloc(b->config, count * sizeof *items, false);
        if (list.items == NULL) {
            cfg_bind_failed(b, GH_ERR_NOMEM);
            return;
        }
        memcpy(list.items, items, count * sizeof *items);
    }
    memcpy(slot->out, &list, sizeof list);
}

/* "a, b" from the environment, or "[a, b]" from a default. */
static void bind_list_text(struct cfg_bind *b, const struct cfg_slot *slot, const char *text)
{
    const char *items[ENV_ITEMS_MAX];
    size_t count = 0, len = strlen(text);

    if (len >= 2 && text[0] == '[' && text[len - 1] == ']') {
        text++;
        len -= 2;
    }
    const char *const end = text + len;
    while (text < end) {
        const char *comma = memchr(text, ',', (size_t)(end - text));
        const char *stop = comma != NULL ? comma : end;
        const char *next = comma != NULL ? comma + 1 : end;

        while (text < stop && (*text == ' ' || *text == '\t'))
            text++;
        while (stop > text && (stop[-1] == ' ' || stop[-1] == '\t'))
            stop--;
        if (stop - text >= 2 && text[0] == '"' && stop[-1] == '"') {
            text++;
            stop--;
        }
        if (count == ENV_ITEMS_MAX) {
            CFG_REPORT(b, slot, "more than %d items", ENV_ITEMS_MAX);
            return;
        }
        if (stop > text) {
            const char *raw = cfg_strndup(b->config, text, (size_t)(stop - text));
            const enum gh_err err = raw == NULL
                                        ? GH_ERR_NOMEM
                                        : cfg_expand(b->config, &slot->where, raw, &items[count]);

            cfg_bind_failed(b, err);
            if (err != GH_OK) return;
            count++;
        }
        text = next;
    }
    list_store(b, slot, items, count);
}

static void bind_list(struct cfg_bind *b, const struct cfg_slot *slot, const struct cfg_node *node)
{
    size_t count = 0;

    if (cfg_is_empty(node)) {
        list_store(b, slot, NULL, 0);
        return;
    }
    if (node->kind != CFG_SEQUENCE) {
        CFG_REPORT(b, slot, "%s stands here; a list is wanted: [a, b]", cfg_shape_name(node));
        return;
    }
    const char **items = cfg_alloc(b->config, (node->count + 1) * sizeof *items, false);
    if (items == NULL) {
        cfg_bind_failed(b, GH_ERR_NOMEM);
        return;
    }
    for (const struct cfg_node *item = node->first; item != NULL; item = item->next) {
        struct cfg_slot at = *slot;

        at.where.line = item->line;
        const char *text = scalar_text(b, &at, item);
        if (text != NULL) {
            const enum gh_err err = cfg_expand(b->config, &at.where, text, &items[count]);
            cfg_bind_failed(b, err);
            if (err == GH_OK) count++;
        }
    }
    if (count == node->count) list_store(b, slot, items, count);
}

void cfg_bind_value(struct cfg_bind *b, struct cfg_slot *slot, const struct cfg_node *node)
{
    const struct gh_config_field *f = slot->field;
    char help[200];

    slot->where.env = slot->env_ok ? cfg_env_find(b->config, slot->where.path) : NULL;
    const char *text = slot->where.env != NULL ? slot->where.env->value : NULL;
    if (text == NULL && node != NULL) {
        if (f->kind == GH_CFG_LIST) {
            bind_list(b, slot, node);
            return;
        }
        text = scalar_text(b, slot, node);
        if (text == NULL) return;
    }
    if (text == NULL && f->required) {
        CFG_REPORT(b, slot, "is missing%s", help_text(f, help));
        return;
    }
    if (text == NULL) text = f->dflt;
    if (text == NULL) return;
    if (f->kind == GH_CFG_LIST)
        bind_list_text(b, slot, text);
    else
        bind_scalar(b, slot, text);
}
