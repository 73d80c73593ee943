/* The walk over field tables. Goes on after an error, so that one run reports them all. */
#include "common/config_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define ENV_ITEMS_MAX 256 /* of a comma-separated list in the environment */

struct bind {
    struct gh_config *config;
    unsigned errors;
    bool out_of_memory;
};

struct slot { /* one field to fill */
    const struct gh_config_field *field;
    void *out;
    struct cfg_where where;
    bool env_ok; /* not inside a list of structs */
};

static void fail(struct bind *b, enum gh_err err)
{
    if (err == GH_OK) return;
    b->errors++;
    if (err == GH_ERR_NOMEM) b->out_of_memory = true;
}

#define REPORT(b, slot, ...)                                                                       \
    do {                                                                                           \
        cfg_report((b)->config, &(slot)->where, __VA_ARGS__);                                      \
        (b)->errors++;                                                                             \
    } while (0)

static const char *help_text(const struct gh_config_field *field, char dst[200])
{
    dst[0] = '\0';
    if (field->help != NULL) (void)snprintf(dst, 200, " (%.190s)", field->help);
    return dst;
}

static bool in_range(struct bind *b, const struct slot *slot, uint64_t value, const char *what)
{
    const struct gh_config_field *f = slot->field;
    char got[32], min[32], max[32], help[200];

    if (value >= f->min && (f->max == 0 || value <= f->max)) return true;
    cfg_show(f->kind, value, got);
    cfg_show(f->kind, f->min, min);
    cfg_show(f->kind, f->max, max);
    if (f->max == 0)
        REPORT(b, slot, "%s%s is out of range; accepted: %s or more%s", got, what, min,
               help_text(f, help));
    else
        REPORT(b, slot, "%s%s is out of range; accepted: %s to %s%s", got, what, min, max,
               help_text(f, help));
    return false;
}

static void bind_number(struct bind *b, const struct slot *slot, const char *text)
{
    const struct gh_config_field *f = slot->field;
    char quoted[128], help[200];
    uint64_t value = 0;
    bool ok = false;

    cfg_quote(quoted, text, strlen(text));
    if (f->kind == GH_CFG_MS) {
        ok = cfg_scan_ms(text, &value);
        if (!ok)
            REPORT(b, slot, "%s is not a duration; write 250ms, 10s, 5m, 2h or 1d%s", quoted,
                   help_text(f, help));
    } else if (f->kind == GH_CFG_BYTES) {
        ok = cfg_scan_bytes(text, &value);
        if (!ok)
            REPORT(b, slot, "%s is not a size; write a number of bytes or 64KiB, 1MiB, 1GiB%s",
                   quoted, help_text(f, help));
    } else {
        ok = cfg_scan_u64(text, &value);
        if (!ok)
            REPORT(b, slot, "%s is not a whole number; write digits only%s", quoted,
                   help_text(f, help));
    }
    if (!ok || !in_range(b, slot, value, "")) return;
    if (f->kind == GH_CFG_U32) {
        const uint32_t narrow = (uint32_t)value;

        if (value > UINT32_MAX)
            REPORT(b, slot, "%" PRIu64 " is out of range; accepted: up to %" PRIu32, value,
                   UINT32_MAX);
        else
            memcpy(slot->out, &narrow, sizeof narrow);
    } else {
        memcpy(slot->out, &value, sizeof value);
    }
}

static void bind_enum(struct bind *b, const struct slot *slot, const char *text)
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
    REPORT(b, slot, "%s is not a choice%s; accepted: %s", cfg_quote(quoted, text, strlen(text)),
           cfg_names_hint(&names, hint), names.list);
}

static void bind_text(struct bind *b, const struct slot *slot, const char *text)
{
    const struct gh_config_field *f = slot->field;
    struct gh_config_secret secret = { 0 };
    const char *value = NULL;
    char help[200];
    enum gh_err err = GH_OK;

    if (f->required && text[0] == '\0') {
        REPORT(b, slot, "must not be empty%s", help_text(f, help));
        return;
    }
    if (f->kind == GH_CFG_SECRET_FILE) {
        err = cfg_secret(b->config, &slot->where, text, &secret);
        if (err == GH_OK) memcpy(slot->out, &secret, sizeof secret);
        fail(b, err);
        return;
    }
    err = f->kind == GH_CFG_PATH ? cfg_path(b->config, &slot->where, text, &value)
                                 : cfg_expand(b->config, &slot->where, text, &value);
    fail(b, err);
    if (err == GH_OK && in_range(b, slot, strlen(value), " bytes"))
        memcpy(slot->out, &value, sizeof value);
}

static void bind_scalar(struct bind *b, const struct slot *slot, const char *text)
{
    const struct gh_config_field *f = slot->field;
    char quoted[128];

    if (f->kind == GH_CFG_BOOL) {
        const bool yes = strcmp(text, "true") == 0;

        if (!yes && strcmp(text, "false") != 0)
            REPORT(b, slot, "%s is not true or false", cfg_quote(quoted, text, strlen(text)));
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

static const char *shape_name(const struct cfg_node *node)
{
    static const char *const names[] = { "a single value", "a list", "a mapping" };

    return names[node->kind];
}

static bool is_empty(const struct cfg_node *node)
{
    return node->kind == CFG_SCALAR && node->plain &&
           (node->text_len == 0 || strcmp(node->text, "~") == 0 || strcmp(node->text, "null") == 0);
}

/* The text of a scalar node, or NULL with a report. */
static const char *scalar_text(struct bind *b, const struct slot *slot, const struct cfg_node *node)
{
    char help[200];

    if (node->kind != CFG_SCALAR)
        REPORT(b, slot, "%s stands here; a single value is wanted%s", shape_name(node),
               help_text(slot->field, help));
    else if (is_empty(node))
        REPORT(b, slot, "has no value; give one or leave the key out%s",
               help_text(slot->field, help));
    else if (strlen(node->text) != node->text_len)
        REPORT(b, slot, "the value holds a NUL character");
    else
        return node->text;
    return NULL;
}

static void list_store(struct bind *b, const struct slot *slot, const char **items, size_t count)
{
    struct gh_config_list list = { .count = count };

    if (!in_range(b, slot, count, count == 1 ? " item" : " items")) return;
    if (count > 0) {
        list.items = cfg_alloc(b->config, count * sizeof *items, false);
        if (list.items == NULL) {
            fail(b, GH_ERR_NOMEM);
            return;
        }
        memcpy(list.items, items, count * sizeof *items);
    }
    memcpy(slot->out, &list, sizeof list);
}

/* "a, b" from the environment, or "[a, b]" from a default. */
static void bind_list_text(struct bind *b, const struct slot *slot, const char *text)
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
            REPORT(b, slot, "more than %d items", ENV_ITEMS_MAX);
            return;
        }
        if (stop > text) {
            const char *raw = cfg_strndup(b->config, text, (size_t)(stop - text));
            const enum gh_err err = raw == NULL
                                        ? GH_ERR_NOMEM
                                        : cfg_expand(b->config, &slot->where, raw, &items[count]);

            fail(b, err);
            if (err != GH_OK) return;
            count++;
        }
        text = next;
    }
    list_store(b, slot, items, count);
}

static void bind_list(struct bind *b, const struct slot *slot, const struct cfg_node *node)
{
    size_t count = 0;

    if (is_empty(node)) {
        list_store(b, slot, NULL, 0);
        return;
    }
    if (node->kind != CFG_SEQUENCE) {
        REPORT(b, slot, "%s stands here; a list is wanted: [a, b]", shape_name(node));
        return;
    }
    const char **items = cfg_alloc(b->config, (node->count + 1) * sizeof *items, false);
    if (items == NULL) {
        fail(b, GH_ERR_NOMEM);
        return;
    }
    for (const struct cfg_node *item = node->first; item != NULL; item = item->next) {
        struct slot at = *slot;

        at.where.line = item->line;
        const char *text = scalar_text(b, &at, item);
        if (text != NULL) {
            const enum gh_err err = cfg_expand(b->config, &at.where, text, &items[count]);
            fail(b, err);
            if (err == GH_OK) count++;
        }
    }
    if (count == node->count) list_store(b, slot, items, count);
}

static void bind_fields(struct bind *b, const char *path, const struct cfg_node *node,
                        unsigned line, const struct gh_config_field *fields, void *out,
                        bool env_ok);

static void join(char dst[CFG_PATH_MAX_BYTES], const char *path, const char *key)
{
    (void)snprintf(dst, CFG_PATH_MAX_BYTES, "%s%s%s", path, path[0] != '\0' ? "." : "", key);
}

static void bind_structs(struct bind *b, const struct slot *slot, const struct cfg_node *node)
{
    const struct gh_config_field *f = slot->field;
    const bool map = f->kind == GH_CFG_MAP;
    struct gh_config_structs structs = { 0 };
    char path[CFG_PATH_MAX_BYTES];
    size_t i = 0;

    if (node != NULL && is_empty(node)) node = NULL; /* `apps:` with all below commented out */
    if (node != NULL && node->kind != (map ? CFG_MAPPING : CFG_SEQUENCE)) {
        REPORT(b, slot, "%s stands here; %s is wanted", shape_name(node),
               map ? "a mapping of name: {...}" : "a list of mappings (- key: value)");
        return;
    }
    structs.count = node != NULL ? node->count : 0;
    if (!in_range(b, slot, structs.count, structs.count == 1 ? " item" : " items")) return;
    if (structs.count > 0) {
        structs.items = cfg_alloc(b->config, structs.count * f->item_size, false);
        if (structs.items == NULL) {
            fail(b, GH_ERR_NOMEM);
            return;
        }
    }
    for (const struct cfg_node *item = node != NULL ? node->first : NULL; item != NULL;
         item = item->next, i++) {
        unsigned char *at = (unsigned char *)structs.items + i * f->item_size;

        if (map) {
            join(path, slot->where.path, item->key);
            memcpy(at, &item->key, sizeof item->key);
        } else {
            (void)snprintf(path, sizeof path, "%s[%zu]", slot->where.path, i);
        }
        if (item->kind != CFG_MAPPING && !(map && is_empty(item))) {
            const struct cfg_where where = { .path = path, .line = item->line };

            cfg_report(b->config, &where, "%s stands here; a mapping (key: value) is wanted",
                       shape_name(item));
            b->errors++;
            continue;
        }
        bind_fields(b, path, item->kind == CFG_MAPPING ? item : NULL, item->line, f->fields, at,
                    map && slot->env_ok);
    }
    memcpy(slot->out, &structs, sizeof structs);
}

static void bind_value(struct bind *b, struct slot *slot, const struct cfg_node *node)
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
        REPORT(b, slot, "is missing%s", help_text(f, help));
        return;
    }
    if (text == NULL) text = f->dflt;
    if (text == NULL) return;
    if (f->kind == GH_CFG_LIST)
        bind_list_text(b, slot, text);
    else
        bind_scalar(b, slot, text);
}

static void bind_field(struct bind *b, struct slot *slot, const struct cfg_node *node,
                       unsigned parent_line)
{
    const struct gh_config_field *f = slot->field;

    slot->where.line = node != NULL ? node->line : parent_line;
    switch (f->kind) {
    case GH_CFG_STRUCT:
        if (node != NULL && is_empty(node)) node = NULL;
        if (node != NULL && node->kind != CFG_MAPPING)
            REPORT(b, slot, "%s stands here; a mapping (key: value) is wanted", shape_name(node));
        else
            bind_fields(b, slot->where.path, node, slot->where.line, f->fields, slot->out,
                        slot->env_ok);
        break;
    case GH_CFG_STRUCTS:
    case GH_CFG_MAP:
        if (node == NULL && f->required)
            REPORT(b, slot, "is missing");
        else
            bind_structs(b, slot, node);
        break;
    default: bind_value(b, slot, node); break;
    }
}

static void refuse_unknown(struct bind *b, const char *path, const struct cfg_node *node,
                           const struct gh_config_field *fields)
{
    for (const struct cfg_node *child = node->first; child != NULL; child = child->next) {
        char child_path[CFG_PATH_MAX_BYTES], hint[160];
        struct cfg_names names;
        bool known = false;

        cfg_names_init(&names, child->key);
        for (const struct gh_config_field *f = fields; f->key != NULL && !known; f++) {
            known = strcmp(f->key, child->key) == 0 || strcmp(f->key, GH_CFG_OTHERS) == 0;
            cfg_names_add(&names, f->key);
        }
        if (known) continue;
        join(child_path, path, child->key);
        const struct cfg_where where = { .path = child_path, .line = child->line };
        cfg_report(b->config, &where, "unknown key%s; known keys: %s", cfg_names_hint(&names, hint),
                   names.list);
        b->errors++;
    }
}

static void bind_fields(struct bind *b, const char *path, const struct cfg_node *node,
                        unsigned line, const struct gh_config_field *fields, void *out, bool env_ok)
{
    /* The top level holds the sections of others too; gh_config_load has checked its keys. */
    if (node != NULL && node != b->config->root) refuse_unknown(b, path, node, fields);
    for (const struct gh_config_field *f = fields; f->key != NULL; f++) {
        char child_path[CFG_PATH_MAX_BYTES];
        struct slot slot = { .field = f,
                             .out = (unsigned char *)out + f->offset,
                             .where = { .path = child_path },
                             .env_ok = env_ok };

        if (strcmp(f->key, GH_CFG_OTHERS) == 0) continue;
        join(child_path, path, f->key);
        bind_field(b, &slot, cfg_find(node, f->key), line);
    }
}

enum gh_err gh_config_bind(struct gh_config *config, const char *section,
                           const struct gh_config_field *fields, void *out)
{
    struct bind b = { .config = config };

    if (section != NULL) {
        const struct gh_config_field whole = { .key = section,
                                               .kind = GH_CFG_STRUCT,
                                               .fields = fields };
        struct slot slot = {
            .field = &whole, .out = out, .where = { .path = section }, .env_ok = true
        };

        bind_field(&b, &slot, cfg_find(config->root, section), 0);
        cfg_env_warn_section(config, section);
    } else {
        bind_fields(&b, "", config->root, 0, fields, out, true);
        for (const struct gh_config_field *f = fields; f->key != NULL; f++)
            cfg_env_warn_section(config, f->key);
    }
    if (b.out_of_memory) return GH_ERR_NOMEM;
    return b.errors > 0 ? GH_ERR_CONFIG : GH_OK;
}
