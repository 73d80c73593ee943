#include "common/roster_copy.h"

#include <stdlib.h>
#include <string.h>

void roster_copy_done(struct roster_copy *copy)
{
    for (size_t i = 0; i < copy->count; i++)
        free(copy->items[i]);
    free(copy->items);
    *copy = (struct roster_copy){ 0 };
}

static int compare(const void *a, size_t a_len, const void *b, size_t b_len)
{
    size_t len = a_len < b_len ? a_len : b_len;
    int order = len > 0 ? memcmp(a, b, len) : 0;

    if (order != 0) return order;
    return a_len < b_len ? -1 : a_len > b_len;
}

size_t roster_copy_find(const struct roster_copy *copy, const void *key, size_t key_len,
                        bool *ret_found)
{
    size_t low = 0, high = copy->count;

    while (low < high) {
        size_t mid = low + (high - low) / 2;
        const struct gh_roster_item *item = copy->items[mid];
        int order = compare(item->key, item->key_len, key, key_len);

        if (order == 0) {
            *ret_found = true;
            return mid;
        }
        if (order < 0)
            low = mid + 1;
        else
            high = mid;
    }
    *ret_found = false;
    return low;
}

/* One block: item, key, NUL, value, NUL. */
static struct gh_roster_item *duplicate(const struct gh_roster_item *item)
{
    struct gh_roster_item *made = malloc(sizeof(*made) + item->key_len + item->value_len + 2);
    char *at = (char *)(made + 1);

    if (made == NULL) return NULL;
    *made = *item;
    made->key = at;
    memcpy(at, item->key, item->key_len);
    at[item->key_len] = '\0';
    at += item->key_len + 1;
    made->value = at;
    if (item->value_len > 0) memcpy(at, item->value, item->value_len);
    at[item->value_len] = '\0';
    return made;
}

enum gh_err roster_copy_append(struct roster_copy *copy, const struct gh_roster_item *item)
{
    struct gh_roster_item *made;

    if (copy->count == copy->cap) {
        size_t cap = copy->cap > 0 ? copy->cap * 2 : 64;
        struct gh_roster_item **grown = realloc(copy->items, cap * sizeof(*grown));

        if (grown == NULL) return GH_ERR_NOMEM;
        copy->items = grown;
        copy->cap = cap;
    }
    made = duplicate(item);
    if (made == NULL) return GH_ERR_NOMEM;
    copy->items[copy->count++] = made;
    return GH_OK;
}

enum gh_err roster_copy_put(struct roster_copy *copy, const struct gh_roster_item *item)
{
    bool found;
    size_t at = roster_copy_find(copy, item->key, item->key_len, &found);
    struct gh_roster_item *made;
    enum gh_err err;

    if (found) {
        made = duplicate(item);
        if (made == NULL) return GH_ERR_NOMEM;
        free(copy->items[at]);
        copy->items[at] = made;
        return GH_OK;
    }
    err = roster_copy_append(copy, item);
    if (err != GH_OK) return err;
    made = copy->items[copy->count - 1];
    memmove(&copy->items[at + 1], &copy->items[at],
            (copy->count - 1 - at) * sizeof(copy->items[0]));
    copy->items[at] = made;
    return GH_OK;
}

static int by_key(const void *a, const void *b)
{
    const struct gh_roster_item *x = *(struct gh_roster_item *const *)a;
    const struct gh_roster_item *y = *(struct gh_roster_item *const *)b;

    return compare(x->key, x->key_len, y->key, y->key_len);
}

void roster_copy_sort(struct roster_copy *copy)
{
    size_t kept = 0;

    if (copy->count < 2) return;
    qsort(copy->items, copy->count, sizeof(copy->items[0]), by_key);
    for (size_t i = 1; i < copy->count; i++) {
        if (by_key(&copy->items[kept], &copy->items[i]) == 0)
            free(copy->items[i]);
        else
            copy->items[++kept] = copy->items[i];
    }
    copy->count = kept + 1;
}

void roster_copy_remove(struct roster_copy *copy, const void *key, size_t key_len)
{
    bool found;
    size_t at = roster_copy_find(copy, key, key_len, &found);

    if (!found) return;
    free(copy->items[at]);
    copy->count--;
    memmove(&copy->items[at], &copy->items[at + 1], (copy->count - at) * sizeof(copy->items[0]));
}
