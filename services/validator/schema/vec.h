/*
 * vec - a growing array of one element type, for what is built at load.
 */
#ifndef VALIDATOR_SCHEMA_VEC_H
#define VALIDATOR_SCHEMA_VEC_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct vec {
    void *data;
    uint32_t n;
    uint32_t cap;
    uint32_t item_size;
};

#define VEC_INIT(type)                                                                             \
    {                                                                                              \
        .item_size = sizeof(type)                                                                  \
    }

static inline void vec_done(struct vec *v)
{
    free(v->data);
    v->data = NULL;
    v->n = v->cap = 0;
}

/* n zeroed elements at the end; the first of them, or NULL without memory. The address is good
 * until the next push. */
static inline void *vec_push_n(struct vec *v, uint32_t n)
{
    if (n > UINT32_MAX / 2 - v->n) return NULL;
    if (v->cap - v->n < n) {
        uint32_t cap = v->cap < 8 ? 8 : v->cap * 2;
        void *data;

        if (cap < v->n + n) cap = v->n + n;
        data = realloc(v->data, (size_t)cap * v->item_size);
        if (data == NULL) return NULL;
        v->data = data;
        v->cap = cap;
    }

    char *at = (char *)v->data + (size_t)v->n * v->item_size;

    memset(at, 0, (size_t)n * v->item_size);
    v->n += n;
    return at;
}

static inline void *vec_push(struct vec *v)
{
    return vec_push_n(v, 1);
}

/* By way of an integer, since an empty vec has no array to point into. */
#define VEC_AT(v, type, i) ((type *)((uintptr_t)(v)->data + (size_t)(i) * sizeof(type)))

#endif
