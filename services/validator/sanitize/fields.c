#include "sanitize/fields.h"

#include <stdlib.h>
#include <string.h>

static enum gh_err new_step(struct fields *fields, struct gh_arena *arena, uint32_t *ret_step)
{
    if (fields->n == fields->cap) {
        uint32_t cap = fields->cap == 0 ? 16 : fields->cap * 2;
        struct field *steps;

        if (cap > FIELDS_MAX) return GH_ERR_LIMIT;
        steps = gh_arena_alloc(arena, cap * sizeof *steps);
        if (steps == NULL) return GH_ERR_NOMEM;
        if (fields->n > 0) memcpy(steps, fields->steps, fields->n * sizeof *steps);
        fields->steps = steps;
        fields->cap = cap;
    }
    fields->steps[fields->n] = (struct field){ .index = UINT32_MAX, .mode = FIELDS_UNSET };
    *ret_step = fields->n++;
    return GH_OK;
}

static uint32_t parse_index(const char *key, size_t len)
{
    uint64_t value = 0;

    if (len == 0 || len > 7 || (key[0] == '0' && len > 1)) return UINT32_MAX;
    for (size_t i = 0; i < len; i++) {
        if (key[i] < '0' || key[i] > '9') return UINT32_MAX;
        value = value * 10 + (uint64_t)(key[i] - '0');
    }
    return (uint32_t)value;
}

static enum gh_err add_child(struct fields *fields, struct gh_arena *arena, uint32_t parent,
                             const char *key, size_t len, bool any, uint32_t *ret_step)
{
    uint32_t step;
    char *own = NULL;
    enum gh_err err;

    for (step = fields->steps[parent].child; step != FIELDS_NONE;
         step = fields->steps[step].sibling) {
        const struct field *f = &fields->steps[step];

        if (any ? f->key == NULL
                : f->key != NULL && f->key_len == len && memcmp(f->key, key, len) == 0) {
            *ret_step = step;
            return GH_OK;
        }
    }
    err = new_step(fields, arena, &step);
    if (err != GH_OK) return err;
    if (!any) {
        own = gh_arena_alloc(arena, len + 1);
        if (own == NULL) return GH_ERR_NOMEM;
        memcpy(own, key, len);
        own[len] = '\0';
    }
    fields->steps[step].key = own;
    fields->steps[step].key_len = (uint32_t)len;
    fields->steps[step].index = any ? UINT32_MAX : parse_index(key, len);
    fields->steps[step].sibling = fields->steps[parent].child;
    fields->steps[parent].child = step;
    *ret_step = step;
    return GH_OK;
}

enum gh_err fields_add(struct fields *fields, struct gh_arena *arena, const char *pointer,
                       uint32_t *ret_step)
{
    uint32_t step = FIELDS_ROOT, made;
    enum gh_err err = GH_OK;
    char key[1024];

    while (err == GH_OK && fields->n <= FIELDS_ROOT)
        err = new_step(fields, arena, &made);
    while (err == GH_OK && *pointer == '/') {
        size_t len = 0;
        bool plain = true;

        for (pointer++; *pointer != '\0' && *pointer != '/'; pointer++) {
            char c = *pointer;

            if (len == sizeof key) return GH_ERR_LIMIT;
            if (c == '~') {
                pointer++;
                if (*pointer != '0' && *pointer != '1') return GH_ERR_BAD_MESSAGE;
                c = *pointer == '0' ? '~' : '/';
                plain = false;
            }
            key[len++] = c;
        }
        err = add_child(fields, arena, step, key, len, plain && len == 1 && key[0] == '*', &step);
    }
    if (err == GH_OK && *pointer != '\0') err = GH_ERR_BAD_MESSAGE;
    if (err == GH_OK) *ret_step = step;
    return err;
}

uint32_t fields_key(const struct fields *fields, uint32_t step, const struct gh_tape *tape,
                    uint32_t key)
{
    uint32_t any = FIELDS_NONE;
    uint32_t len = gh_tape_str_len(tape, key);

    for (uint32_t s = step == FIELDS_NONE ? FIELDS_NONE : fields->steps[step].child;
         s != FIELDS_NONE; s = fields->steps[s].sibling) {
        const struct field *f = &fields->steps[s];

        if (f->key == NULL)
            any = s;
        else if (f->key_len == len && gh_tape_str_eq(tape, key, f->key, f->key_len))
            return s;
    }
    return any;
}

uint32_t fields_index(const struct fields *fields, uint32_t step, uint32_t index)
{
    uint32_t any = FIELDS_NONE;

    for (uint32_t s = step == FIELDS_NONE ? FIELDS_NONE : fields->steps[step].child;
         s != FIELDS_NONE; s = fields->steps[s].sibling) {
        if (fields->steps[s].key == NULL)
            any = s;
        else if (fields->steps[s].index == index)
            return s;
    }
    return any;
}

uint32_t fields_name(const struct fields *fields, uint32_t step, const char *name, size_t len)
{
    uint32_t any = FIELDS_NONE;

    for (uint32_t s = step == FIELDS_NONE ? FIELDS_NONE : fields->steps[step].child;
         s != FIELDS_NONE; s = fields->steps[s].sibling) {
        const struct field *f = &fields->steps[s];

        if (f->key == NULL)
            any = s;
        else if (f->key_len == len && memcmp(f->key, name, len) == 0)
            return s;
    }
    return any;
}
