/* The search for a seed: a table of 2n slots or more, doubled when no seed of a few hundred fits.
 */
#include "validator/schema/keyset.h"

#include <stdlib.h>

#define SEEDS_PER_SIZE 400

/* Sorted neighbours; a perfect hash would never be found with a duplicate. */
static int compare_keys(const void *a, const void *b)
{
    const struct keyset_key *ka = a;
    const struct keyset_key *kb = b;

    if (ka->len != kb->len) return ka->len < kb->len ? -1 : 1;
    return memcmp(ka->bytes, kb->bytes, ka->len);
}

static enum gh_err check_distinct(const struct keyset_key *keys, uint32_t n)
{
    struct keyset_key *sorted = malloc((size_t)n * sizeof(*sorted));
    enum gh_err err = GH_OK;

    if (sorted == NULL) return GH_ERR_NOMEM;
    memcpy(sorted, keys, (size_t)n * sizeof(*sorted));
    qsort(sorted, n, sizeof(*sorted), compare_keys);
    for (uint32_t i = 1; i < n; i++)
        if (compare_keys(&sorted[i - 1], &sorted[i]) == 0) err = GH_ERR_EXISTS;
    free(sorted);
    return err;
}

static bool fits(struct keyset *set, uint32_t size)
{
    memset(set->slots, 0, (size_t)size * sizeof(*set->slots));
    for (uint32_t i = 0; i < set->n; i++) {
        uint64_t hash = keyset_hash(set->keys[i].bytes, set->keys[i].len, set->seed);
        uint32_t *slot = &set->slots[hash >> set->shift];

        if (*slot != 0) return false;
        *slot = i + 1;
    }
    return true;
}

static enum gh_err find_seed(struct keyset *set)
{
    uint32_t bits = 2;

    while ((1u << bits) < set->n * 2)
        bits++;
    for (; bits < 31; bits++) {
        uint32_t *slots = realloc(set->slots, sizeof(*slots) << bits);

        if (slots == NULL) return GH_ERR_NOMEM;
        set->slots = slots;
        set->shift = 64 - bits;
        for (uint32_t i = 0; i < SEEDS_PER_SIZE; i++) {
            set->seed = (set->seed + 0x9E3779B97F4A7C15u) ^ (uint64_t)i << 17;
            if (fits(set, 1u << bits)) return GH_OK;
        }
    }
    return GH_ERR_LIMIT;
}

enum gh_err keyset_init(struct keyset *set, const struct keyset_key *keys, uint32_t n)
{
    size_t bytes = 0;
    enum gh_err err;

    *set = (struct keyset){ 0 };
    if (n == 0) return GH_OK;
    err = check_distinct(keys, n);
    if (err != GH_OK) return err;

    for (uint32_t i = 0; i < n; i++)
        bytes += keys[i].len + 1;
    set->keys = calloc(n, sizeof(*set->keys));
    set->bytes = calloc(bytes, 1);
    if (set->keys == NULL || set->bytes == NULL) {
        keyset_done(set);
        return GH_ERR_NOMEM;
    }
    set->n = n;
    bytes = 0;
    for (uint32_t i = 0; i < n; i++) {
        set->keys[i] = (struct keyset_key){ set->bytes + bytes, keys[i].len };
        if (keys[i].len > 0) memcpy(set->bytes + bytes, keys[i].bytes, keys[i].len);
        bytes += keys[i].len + 1;
    }
    err = find_seed(set);
    if (err != GH_OK) keyset_done(set);
    return err;
}

void keyset_done(struct keyset *set)
{
    free(set->keys);
    free(set->slots);
    free(set->bytes);
    *set = (struct keyset){ 0 };
}
