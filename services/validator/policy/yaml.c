#include "policy/yaml.h"

#include <stdio.h>
#include <string.h>
#include <yaml.h>

#define DEPTH_MAX 16
#define NODES_MAX 50000
#define KEYS_MAX  4096 /* in one mapping: the look for repetition is quadratic */

struct build {
    struct gh_arena *arena;
    const char *file;
    struct report *report;
    struct ynode *root;
    struct ynode *open; /* the collection being filled */
    unsigned depth;
    uint32_t nodes;
    const char *key; /* read, its value not yet */
    uint32_t key_line;
};

static char *copy(struct gh_arena *arena, const void *text, size_t len)
{
    char *to = gh_arena_alloc(arena, len + 1);

    if (to == NULL) return NULL;
    if (len > 0) memcpy(to, text, len);
    to[len] = '\0';
    return to;
}

static enum gh_err refuse(const struct build *b, uint32_t line, const char *text)
{
    return report_add(b->report, b->file, line, "", "%s", text);
}

static enum gh_err add_key(struct build *b, const yaml_event_t *event, uint32_t line)
{
    const char *text = (const char *)event->data.scalar.value;

    if (strlen(text) != event->data.scalar.length) return refuse(b, line, "a key with a NUL");
    if (b->open->count == KEYS_MAX) return refuse(b, line, "too many keys in one mapping");
    for (const struct ynode *n = b->open->first; n != NULL; n = n->next)
        if (strcmp(n->key, text) == 0)
            return report_add(b->report, b->file, line, "",
                              "\"%s\" is there twice, first in line %u", text, n->key_line);
    b->key = copy(b->arena, text, event->data.scalar.length);
    b->key_line = line;
    return b->key == NULL ? GH_ERR_NOMEM : GH_OK;
}

static enum gh_err add_node(struct build *b, const yaml_event_t *event, enum ykind kind)
{
    uint32_t line = (uint32_t)event->start_mark.line + 1;
    struct ynode *node;

    if (b->open != NULL && b->open->kind == Y_MAPPING && b->key == NULL)
        return kind == Y_SCALAR ? add_key(b, event, line)
                                : refuse(b, line, "a key that is not a word");
    if (++b->nodes > NODES_MAX) return refuse(b, line, "too many values in one file");
    node = gh_arena_alloc(b->arena, sizeof *node);
    if (node == NULL) return GH_ERR_NOMEM;
    *node = (struct ynode){ .kind = kind, .line = line, .parent = b->open };
    if (kind == Y_SCALAR) {
        node->plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
        node->len = (uint32_t)event->data.scalar.length;
        node->text = copy(b->arena, event->data.scalar.value, node->len);
        if (node->text == NULL) return GH_ERR_NOMEM;
    }
    if (b->open != NULL) {
        node->key = b->key;
        node->key_line = b->key_line;
        b->key = NULL;
        if (b->open->last != NULL)
            b->open->last->next = node;
        else
            b->open->first = node;
        b->open->last = node;
        b->open->count++;
    } else {
        b->root = node;
    }
    if (kind == Y_SCALAR) return GH_OK;
    if (++b->depth > DEPTH_MAX) return refuse(b, line, "nested too deep");
    b->open = node;
    return GH_OK;
}

static enum gh_err take(struct build *b, const yaml_event_t *event)
{
    uint32_t line = (uint32_t)event->start_mark.line + 1;
    const yaml_char_t *anchor = NULL, *tag = NULL;

    switch (event->type) {
    case YAML_ALIAS_EVENT: return refuse(b, line, "aliases (*name) are not supported");
    case YAML_SCALAR_EVENT:
        anchor = event->data.scalar.anchor;
        tag = event->data.scalar.tag;
        break;
    case YAML_SEQUENCE_START_EVENT:
        anchor = event->data.sequence_start.anchor;
        tag = event->data.sequence_start.tag;
        break;
    case YAML_MAPPING_START_EVENT:
        anchor = event->data.mapping_start.anchor;
        tag = event->data.mapping_start.tag;
        break;
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        b->open = b->open->parent;
        b->depth--;
        return GH_OK;
    case YAML_DOCUMENT_START_EVENT:
        return b->root == NULL ? GH_OK : refuse(b, line, "more than one document in the file");
    default: return GH_OK;
    }
    if (anchor != NULL) return refuse(b, line, "anchors (&name) are not supported");
    if (tag != NULL) return refuse(b, line, "tags (!name) are not supported");
    return add_node(b, event,
                    event->type == YAML_SCALAR_EVENT           ? Y_SCALAR
                    : event->type == YAML_SEQUENCE_START_EVENT ? Y_SEQUENCE
                                                               : Y_MAPPING);
}

static enum gh_err syntax_error(const struct build *b, const yaml_parser_t *parser)
{
    if (parser->error == YAML_MEMORY_ERROR) return GH_ERR_NOMEM;
    return report_add(
        b->report, b->file, (uint32_t)parser->problem_mark.line + 1, "", "not valid YAML: %s%s%s",
        parser->problem != NULL ? parser->problem : "unreadable",
        parser->context != NULL ? ", " : "", parser->context != NULL ? parser->context : "");
}

enum gh_err yaml_tree(struct gh_arena *arena, const char *file, const char *text, size_t len,
                      struct report *report, const struct ynode **ret_root)
{
    static const struct ynode empty = { .kind = Y_MAPPING, .line = 1 };
    struct build b = { .arena = arena, .file = file, .report = report };
    yaml_parser_t parser;
    enum gh_err err = GH_OK;
    bool more = true;

    if (!yaml_parser_initialize(&parser)) return GH_ERR_NOMEM;
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, len);
    yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
    while (err == GH_OK && more) {
        yaml_event_t event;

        if (!yaml_parser_parse(&parser, &event)) {
            err = syntax_error(&b, &parser);
            break;
        }
        more = event.type != YAML_STREAM_END_EVENT;
        err = take(&b, &event);
        yaml_event_delete(&event);
    }
    yaml_parser_delete(&parser);
    if (err == GH_OK) *ret_root = b.root != NULL ? b.root : &empty;
    return err;
}

const struct ynode *yaml_find(const struct ynode *mapping, const char *key)
{
    if (mapping == NULL || mapping->kind != Y_MAPPING) return NULL;
    for (const struct ynode *n = mapping->first; n != NULL; n = n->next)
        if (strcmp(n->key, key) == 0) return n;
    return NULL;
}

const char *yaml_pointer(const struct ynode *node, char *dst, size_t size)
{
    const struct ynode *path[DEPTH_MAX + 2];
    size_t depth = 0, len = 0;

    for (; node->parent != NULL && depth < DEPTH_MAX + 2; node = node->parent)
        path[depth++] = node;
    while (depth > 0 && len + 16 < size) {
        const struct ynode *at = path[--depth];

        dst[len++] = '/';
        if (at->key == NULL) {
            uint32_t index = 0;

            for (const struct ynode *n = at->parent->first; n != at; n = n->next)
                index++;
            len += (size_t)snprintf(dst + len, size - len, "%u", index);
            continue;
        }
        for (const char *c = at->key; *c != '\0' && len + 4 < size; c++) {
            if (*c == '~' || *c == '/') dst[len++] = '~';
            dst[len++] = *c == '~' ? '0' : *c == '/' ? '1' : *c;
        }
    }
    dst[len] = '\0';
    return dst;
}
