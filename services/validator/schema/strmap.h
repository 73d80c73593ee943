/*
 * strmap - text to number, for what is built at load. Keys are copied.
 */
#ifndef VALIDATOR_SCHEMA_STRMAP_H
#define VALIDATOR_SCHEMA_STRMAP_H

#include "common/err.h"

#include <stddef.h>
#include <stdint.h>

#define STRMAP_NONE UINT32_MAX

struct strmap_entry {
    char *key;
    uint32_t len;
    uint32_t value;
};

struct strmap { /* zero-initialise */
    struct strmap_entry *entries;
    uint32_t n;
    uint32_t size; /* a power of 2, or 0 */
};

void strmap_done(struct strmap *map);
uint32_t strmap_get(const struct strmap *map, const void *key, size_t len);
/* Errors: GH_ERR_EXISTS (the old value stays), GH_ERR_NOMEM. */
GH_NODISCARD enum gh_err strmap_put(struct strmap *map, const void *key, size_t len,
                                    uint32_t value);

#endif
