/*
 * fields - what a policy says of single places in a message, by JSON pointer.
 *
 * A tree of steps walked beside the tape. A pointer starts at the message ("/payload/text"); '*'
 * stands for any key or index. At each step an exact name wins over '*'. What is said of a place
 * holds for all below it that nothing else is said of.
 */
#ifndef VALIDATOR_FIELDS_H
#define VALIDATOR_FIELDS_H

#include "common/arena.h"
#include "common/json/tape.h"
#include "sanitize/text.h"

#define FIELDS_MAX   4096 /* steps of one tree */
#define FIELDS_NONE  0    /* the step that matches nothing */
#define FIELDS_ROOT  1
#define FIELDS_UNSET 0xFF

struct field {
    const char *key; /* decoded; NULL: '*' */
    uint32_t key_len;
    uint32_t index; /* the key as an array index; UINT32_MAX: it is none */
    uint32_t child, sibling;
    uint8_t mode; /* enum text_mode, or FIELDS_UNSET */
    bool redact;
};

struct fields {
    struct field *steps; /* 0 is FIELDS_NONE, 1 the message */
    uint32_t n, cap;
};

/* An empty tree: n is 0 until the first fields_add. */
GH_NODISCARD enum gh_err fields_add(struct fields *fields, struct gh_arena *arena,
                                    const char *pointer, uint32_t *ret_step);

uint32_t fields_key(const struct fields *fields, uint32_t step, const struct gh_tape *tape,
                    uint32_t key);
uint32_t fields_index(const struct fields *fields, uint32_t step, uint32_t index);
uint32_t fields_name(const struct fields *fields, uint32_t step, const char *name, size_t len);

#endif
