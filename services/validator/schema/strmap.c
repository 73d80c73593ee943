#include "validator/schema/strmap.h"

#include "validator/schema/keyset.h"

#include <stdlib.h>
#include <string.h>

static struct strmap_entry *slot(const struct strmap *map, const void *key, size_t len)
{
    uint32_t at = (uint32_t)keyset_hash(key, len, 0x51) & (map->size - 1);

    while (map->entries[at].key != NULL &&
           (map->entries[at].len != len || memcmp(map->entries[at].key, key, len) != 0))
        at = (at + 1) & (map->size - 1);
    return &map->entries[at];
}

static enum gh_err grow(struct strmap *map)
{
    struct strmap bigger = { .size = map->size == 0 ? 64 : map->size * 2 };

    bigger.entries = calloc(bigger.size, sizeof(*bigger.entries));
    if (bigger.entries == NULL) return GH_ERR_NOMEM;
    for (uint32_t i = 0; i < map->size; i++)
        if (map->entries[i].key != NULL)
            *slot(&bigger, map->entries[i].key, map->entries[i].len) = map->entries[i];
    bigger.n = map->n;
    free(map->entries);
    *map = bigger;
    return GH_OK;
}

void strmap_done(struct strmap *map)
{
    for (uint32_t i = 0; i < map->size; i++)
        free(map->entries[i].key);
    free(map->entries);
    *map = (struct strmap){ 0 };
}

uint32_t strmap_get(const struct strmap *map, const void *key, size_t len)
{
    const struct strmap_entry *entry;

    if (map->size == 0) return STRMAP_NONE;
    entry = slot(map, key, len);
    return entry->key != NULL ? entry->value : STRMAP_NONE;
}

enum gh_err strmap_put(struct strmap *map, const void *key, size_t len, uint32_t value)
{
    struct strmap_entry *entry;
    char *copy;

    if (map->n * 2 >= map->size) {
        enum gh_err err = grow(map);

        if (err != GH_OK) return err;
    }
    entry = slot(map, key, len);
    if (entry->key != NULL) return GH_ERR_EXISTS;
    copy = malloc(len + 1);
    if (copy == NULL) return GH_ERR_NOMEM;
    memcpy(copy, key, len);
    copy[len] = '\0';
    *entry = (struct strmap_entry){ copy, (uint32_t)len, value };
    map->n++;
    return GH_OK;
}
