/* YAML events -> cfg_node tree. A plain subset: one document, no anchors, aliases or tags. */
#include "common/config_internal.h"

#include <stdint.h>
#include <string.h>
#include <yaml.h>

struct parse {
    struct gh_config *config;
    yaml_parser_t parser;
    const unsigned char *bytes;
    size_t len;
    size_t nodes;
};

static enum gh_err refuse(const struct parse *p, unsigned line, const char *text)
{
    const struct cfg_where where = { .line = line };

    cfg_report(p->config, &where, "%s", text);
    return GH_ERR_CONFIG;
}

static unsigned line_of(const yaml_event_t *event)
{
    return (unsigned)event->start_mark.line + 1;
}

/* The tab people meet is the one in the indentation; libyaml says "cannot start any token". */
static bool line_has_tab(const struct parse *p, size_t line)
{
    const unsigned char *at = p->bytes, *end = p->bytes + p->len;

    for (; line > 1 && at < end; at++)
        if (*at == '\n') line--;
    while (at < end && (*at == ' ' || *at == '\t'))
        if (*at++ == '\t') return true;
    return false;
}

static enum gh_err syntax_error(const struct parse *p)
{
    size_t line = p->parser.problem_mark.line + 1;

    if (p->parser.error == YAML_MEMORY_ERROR) return GH_ERR_NOMEM;
    if (p->parser.error == YAML_READER_ERROR) {
        line = 1;
        for (size_t i = 0; i < p->parser.problem_offset && i < p->len; i++)
            if (p->bytes[i] == '\n') line++;
    }
    if (line_has_tab(p, line))
        return refuse(p, (unsigned)line, "a tab in the indentation; YAML takes spaces only");

    const struct cfg_where where = { .line = (unsigned)line };
    cfg_report(p->config, &where, "not valid YAML: %s%s%s",
               p->parser.problem != NULL ? p->parser.problem : "unreadable",
               p->parser.context != NULL ? ", " : "",
               p->parser.context != NULL ? p->parser.context : "");
    return GH_ERR_CONFIG;
}

static enum gh_err next_event(struct parse *p, yaml_event_t *event)
{
    return yaml_parser_parse(&p->parser, event) ? GH_OK : syntax_error(p);
}

static enum gh_err node_new(struct parse *p, enum cfg_node_kind kind, const yaml_event_t *event,
                            const unsigned char *anchor, const unsigned char *tag,
                            struct cfg_node **ret_node)
{
    if (anchor != NULL)
        return refuse(p, line_of(event), "anchors (&name) are not supported; write the value out");
    if (tag != NULL) return refuse(p, line_of(event), "tags (!name) are not supported");
    if (++p->nodes > CFG_NODES_MAX) return refuse(p, line_of(event), "too many values in one file");

    struct cfg_node *node = cfg_alloc(p->config, sizeof *node, false);
    if (node == NULL) return GH_ERR_NOMEM;
    node->kind = kind;
    node->line = line_of(event);
    *ret_node = node;
    return GH_OK;
}

static void append(struct cfg_node *parent, struct cfg_node *child)
{
    if (parent->last != NULL)
        parent->last->next = child;
    else
        parent->first = child;
    parent->last = child;
    parent->count++;
}

const struct cfg_node *cfg_find(const struct cfg_node *mapping, const char *key)
{
    if (mapping == NULL || mapping->kind != CFG_MAPPING) return NULL;
    for (const struct cfg_node *node = mapping->first; node != NULL; node = node->next)
        if (strcmp(node->key, key) == 0) return node;
    return NULL;
}

static enum gh_err parse_value(struct parse *p, yaml_event_t *event, unsigned depth,
                               struct cfg_node **ret_node);

static enum gh_err parse_key(struct parse *p, const yaml_event_t *event,
                             const struct cfg_node *mapping, const char **ret_key)
{
    if (event->type != YAML_SCALAR_EVENT || event->data.scalar.anchor != NULL ||
        event->data.scalar.tag != NULL)
        return refuse(p, line_of(event), "a key must be a plain word");

    const char *text = (const char *)event->data.scalar.value;
    const size_t len = event->data.scalar.length;
    if (len == 0 || len > CFG_KEY_MAX_BYTES || memchr(text, '\0', len) != NULL)
        return refuse(p, line_of(event), "a key must have 1 to 256 bytes and no NUL");
    if (mapping->count >= CFG_KEYS_MAX)
        return refuse(p, line_of(event), "more than 4096 keys in one mapping");

    char quoted[128];
    const struct cfg_node *twin = cfg_find(mapping, text);
    if (twin != NULL) {
        const struct cfg_where where = { .line = line_of(event) };
        cfg_report(p->config, &where, "key %s stands twice (first on line %u)",
                   cfg_quote(quoted, text, len), twin->line);
        return GH_ERR_CONFIG;
    }
    *ret_key = cfg_strndup(p->config, text, len);
    return *ret_key != NULL ? GH_OK : GH_ERR_NOMEM;
}

static enum gh_err parse_children(struct parse *p, struct cfg_node *parent, unsigned depth)
{
    const bool mapping = parent->kind == CFG_MAPPING;
    enum gh_err err = GH_OK;

    while (err == GH_OK) {
        struct cfg_node *child = NULL;
        const char *key = NULL;
        yaml_event_t event;

        err = next_event(p, &event);
        if (err != GH_OK) break;
        if (event.type == (mapping ? YAML_MAPPING_END_EVENT : YAML_SEQUENCE_END_EVENT)) {
            yaml_event_delete(&event);
            break;
        }
        if (mapping) {
            const unsigned line = line_of(&event);

            err = parse_key(p, &event, parent, &key);
            yaml_event_delete(&event);
            if (err == GH_OK) err = next_event(p, &event);
            if (err == GH_OK) err = parse_value(p, &event, depth + 1, &child);
            if (err == GH_OK) child->line = line; /* the key's line is what people look for */
        } else {
            err = parse_value(p, &event, depth + 1, &child);
        }
        if (err == GH_OK) {
            child->key = key;
            append(parent, child);
        }
    }
    return err;
}

/* Consumes event. */
static enum gh_err parse_value(struct parse *p, yaml_event_t *event, unsigned depth,
                               struct cfg_node **ret_node)
{
    struct cfg_node *node = NULL;
    enum gh_err err = GH_ERR_INTERNAL;

    if (depth > CFG_DEPTH_MAX) {
        err = refuse(p, line_of(event), "nested too deeply");
    } else if (event->type == YAML_ALIAS_EVENT) {
        err = refuse(p, line_of(event), "aliases (*name) are not supported; write the value out");
    } else if (event->type == YAML_SCALAR_EVENT) {
        err = node_new(p, CFG_SCALAR, event, event->data.scalar.anchor, event->data.scalar.tag,
                       &node);
        if (err == GH_OK && event->data.scalar.length > CFG_VALUE_MAX_BYTES)
            err = refuse(p, node->line, "a value longer than 64 KiB");
        if (err == GH_OK) {
            node->text_len = event->data.scalar.length;
            node->text =
                cfg_strndup(p->config, (const char *)event->data.scalar.value, node->text_len);
            node->plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
            if (node->text == NULL) err = GH_ERR_NOMEM;
        }
    } else if (event->type == YAML_SEQUENCE_START_EVENT) {
        err = node_new(p, CFG_SEQUENCE, event, event->data.sequence_start.anchor,
                       event->data.sequence_start.tag, &node);
    } else if (event->type == YAML_MAPPING_START_EVENT) {
        err = node_new(p, CFG_MAPPING, event, event->data.mapping_start.anchor,
                       event->data.mapping_start.tag, &node);
    }
    yaml_event_delete(event);
    if (err == GH_OK && node->kind != CFG_SCALAR) err = parse_children(p, node, depth);
    if (err == GH_OK) *ret_node = node;
    return err;
}

static enum gh_err expect(struct parse *p, yaml_event_type_t type, const char *otherwise)
{
    yaml_event_t event;
    enum gh_err err = next_event(p, &event);

    if (err != GH_OK) return err;
    if (event.type != type) err = refuse(p, line_of(&event), otherwise);
    yaml_event_delete(&event);
    return err;
}

static enum gh_err parse_stream(struct parse *p, struct cfg_node **ret_root)
{
    yaml_event_t event;
    struct cfg_node *root = NULL;
    enum gh_err err = expect(p, YAML_STREAM_START_EVENT, "not a YAML file");

    if (err == GH_OK) err = next_event(p, &event);
    if (err != GH_OK) return err;
    if (event.type == YAML_STREAM_END_EVENT) { /* empty file: every default */
        root = cfg_alloc(p->config, sizeof *root, false);
        yaml_event_delete(&event);
        if (root == NULL) return GH_ERR_NOMEM;
        root->kind = CFG_MAPPING;
        *ret_root = root;
        return GH_OK;
    }
    yaml_event_delete(&event); /* the start of the document */
    err = next_event(p, &event);
    if (err == GH_OK) err = parse_value(p, &event, 1, &root);
    if (err == GH_OK) err = expect(p, YAML_DOCUMENT_END_EVENT, "the document does not end here");
    if (err == GH_OK)
        err = expect(p, YAML_STREAM_END_EVENT, "a second document (---); the file holds one");
    if (err != GH_OK) return err;
    if (root->kind == CFG_SCALAR && root->plain && root->text_len == 0)
        root->kind = CFG_MAPPING; /* nothing but comments and a --- */
    if (root->kind != CFG_MAPPING)
        return refuse(p, root->line, "the file must be a mapping of sections (edge: ...)");
    *ret_root = root;
    return GH_OK;
}

enum gh_err cfg_parse(struct gh_config *config, const unsigned char *bytes, size_t len)
{
    struct parse p = { .config = config, .bytes = bytes, .len = len };

    if (!yaml_parser_initialize(&p.parser)) return GH_ERR_NOMEM;
    yaml_parser_set_encoding(&p.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&p.parser, bytes, len);
    const enum gh_err err = parse_stream(&p, &config->root);
    yaml_parser_delete(&p.parser);
    return err;
}
