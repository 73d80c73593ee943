#include "yaml_peek.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

static yaml_node_t *child(yaml_document_t *doc, const yaml_node_t *node, const char *key,
                          size_t len)
{
    if (node->type == YAML_MAPPING_NODE) {
        for (const yaml_node_pair_t *p = node->data.mapping.pairs.start;
             p < node->data.mapping.pairs.top; p++) {
            const yaml_node_t *name = yaml_document_get_node(doc, p->key);
            if (name->type == YAML_SCALAR_NODE && name->data.scalar.length == len &&
                memcmp(name->data.scalar.value, key, len) == 0)
                return yaml_document_get_node(doc, p->value);
        }
    } else if (node->type == YAML_SEQUENCE_NODE && len > 0 && len < 6) {
        char digits[6] = "", *end = NULL;
        memcpy(digits, key, len);
        unsigned long i = strtoul(digits, &end, 10);
        const yaml_node_item_t *start = node->data.sequence.items.start;
        if (*end == '\0' && i < (unsigned long)(node->data.sequence.items.top - start))
            return yaml_document_get_node(doc, start[i]);
    }
    return NULL;
}

static bool walk(yaml_document_t *doc, const char *path, char *dst, size_t size)
{
    yaml_node_t *node = yaml_document_get_root_node(doc);

    while (node != NULL && *path != '\0') {
        size_t len = strcspn(path, ".");
        node = child(doc, node, path, len);
        path += len + (path[len] == '.');
    }
    if (node == NULL || node->type != YAML_SCALAR_NODE || node->data.scalar.length >= size)
        return false;
    memcpy(dst, node->data.scalar.value, node->data.scalar.length);
    dst[node->data.scalar.length] = '\0';
    return true;
}

bool yaml_peek(const char *file, const char *path, char *dst, size_t size)
{
    FILE *in = fopen(file, "rb");
    yaml_parser_t parser;
    yaml_document_t doc;
    bool found = false;

    if (in == NULL) return false;
    if (yaml_parser_initialize(&parser)) {
        yaml_parser_set_input_file(&parser, in);
        if (yaml_parser_load(&parser, &doc)) {
            found = walk(&doc, path, dst, size);
            yaml_document_delete(&doc);
        }
        yaml_parser_delete(&parser);
    }
    fclose(in);
    return found;
}
