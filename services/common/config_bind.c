/* The walk over field tables. Goes on after an error, so that one run reports them all. */
#include "common/config_internal.h"

#include <stdio.h>
#include <string.h>

static void bind_fields(struct cfg_bind *b, const char *path, const struct cfg_node *node,
                        unsigned line, const struct gh_config_field *fields, void *out,
                        bool env_ok);

static void join(char dst[CFG_PATH_MAX_BYTES], const char *path, const char *key)
{
    (void)snprintf(dst, CFG_PATH_MAX_BYTES, "%s%s%s", path, path[0] != '\0' ? "." : "", key);
}

static void bind_items(struct cfg_bind *b, const struct cfg_slot *slot, const struct cfg_node *node,
                       unsigned char *at)
{
    const struct gh_config_field *f = slot->field;
    const bool map = f->kind == GH_CFG_MAP;
    char path[CFG_PATH_MAX_BYTES];
    size_t i = 0;

    for (const struct cfg_node *item = node->first; item != NULL;
         item = item->next, i++, at += f->item_size) {
        if (map) {
            join(path, slot->where.path, item->key);
            memcpy(at, &item->key, sizeof item->key);
        } else {
            (void)snprintf(path, sizeof path, "%s[%zu]", slot->where.path, i);
        }
        if (item->kind != CFG_MAPPING && !(map && cfg_is_empty(item))) {
            const struct cfg_where where = { .path = path, .line = item->line };

            cfg_report(b->config, &where, "%s stands here; a mapping (key: value) is wanted",
                       cfg_shape_name(item));
            b->errors++;
            continue;
        }
        bind_fields(b, path, item->kind == CFG_MAPPING ? item : NULL, item->line, f->fields, at,
                    map && slot->env_ok);
    }
}

static void bind_structs(struct cfg_bind *b, const struct cfg_slot *slot,
                         const struct cfg_node *node)
{
    const struct gh_config_field *f = slot->field;
    const bool map = f->kind == GH_CFG_MAP;
    struct gh_config_structs structs = { 0 };

    if (node != NULL && cfg_is_empty(node)) node = NULL; /* `apps:` with all below commented out */
    if (node != NULL && node->kind != (map ? CFG_MAPPING : CFG_SEQUENCE)) {
        CFG_REPORT(b, slot, "%s stands here; %s is wanted", cfg_shape_name(node),
                   map ? "a mapping of name: {...}" : "a list of mappings (- key: value)");
        return;
    }
    structs.count = node != NULL ? node->count : 0;
    if (!cfg_in_range(b, slot, structs.count, structs.count == 1 ? " item" : " items")) return;
    if (structs.count > 0) {
        structs.items = cfg_alloc(b->config, structs.count * f->item_size, false);
        if (structs.items == NULL) {
            cfg_bind_failed(b, GH_ERR_NOMEM);
            return;
        }
        bind_items(b, slot, node, structs.items);
    }
    memcpy(slot->out, &structs, sizeof structs);
}

static void bind_field(struct cfg_bind *b, struct cfg_slot *slot, const struct cfg_node *node,
                       unsigned parent_line)
{
    const struct gh_config_field *f = slot->field;

    slot->where.line = node != NULL ? node->line : parent_line;
    switch (f->kind) {
    case GH_CFG_STRUCT:
        if (node != NULL && cfg_is_empty(node)) node = NULL;
        if (node != NULL && node->kind != CFG_MAPPING)
            CFG_REPORT(b, slot, "%s stands here; a mapping (key: value) is wanted",
                       cfg_shape_name(node));
        else
            bind_fields(b, slot->where.path, node, slot->where.line, f->fields, slot->out,
                        slot->env_ok);
        break;
    case GH_CFG_STRUCTS:
    case GH_CFG_MAP:
        if (node == NULL && f->required)
            CFG_REPORT(b, slot, "is missing");
        else
            bind_structs(b, slot, node);
        break;
    default: cfg_bind_value(b, slot, node); break;
    }
}

static void refuse_unknown(struct cfg_bind *b, const char *path, const struct cfg_node *node,
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

static void bind_fields(struct cfg_bind *b, const char *path, const struct cfg_node *node,
                        unsigned line, const struct gh_config_field *fields, void *out, bool env_ok)
{
    /* The top level holds the sections of others too; gh_config_load has checked its keys. */
    if (node != NULL && node != b->config->root) refuse_unknown(b, path, node, fields);
    for (const struct gh_config_field *f = fields; f->key != NULL; f++) {
        char child_path[CFG_PATH_MAX_BYTES];
        struct cfg_slot slot = { .field = f,
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
    struct cfg_bind b = { .config = config };

    if (section != NULL) {
        const struct gh_config_field whole = { .key = section,
                                               .kind = GH_CFG_STRUCT,
                                               .fields = fields };
        struct cfg_slot slot = {
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
