/*
 * roster_copy - the in-memory half of a roster: items in ascending order of keys.
 *
 * A sorted array: look-ups are a binary search, a page of a listing is a walk, and a change moves
 * pointers only. Pure.
 */
#ifndef GH_ROSTER_COPY_H
#define GH_ROSTER_COPY_H

#include "common/roster.h"

struct roster_copy {
    struct gh_roster_item **items;
    size_t count;
    size_t cap;
};

void roster_copy_done(struct roster_copy *copy);

/* At key (*ret_found), or where it would stand. */
size_t roster_copy_find(const struct roster_copy *copy, const void *key, size_t key_len,
                        bool *ret_found);

/* Adds or replaces; the item is copied. */
GH_NODISCARD enum gh_err roster_copy_put(struct roster_copy *copy,
                                         const struct gh_roster_item *item);
/* Adds without order or check; roster_copy_sort must follow. For reading a whole set. */
GH_NODISCARD enum gh_err roster_copy_append(struct roster_copy *copy,
                                            const struct gh_roster_item *item);
void roster_copy_sort(struct roster_copy *copy); /* the same key twice: one stays */
void roster_copy_remove(struct roster_copy *copy, const void *key, size_t key_len);

#endif
