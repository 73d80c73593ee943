#include "common/json/tape.h"
#include "common/json/parse.h"

#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/random.h>

#define FIRST_NODES 256

const struct gh_json_impl *const *gh_json_impls(size_t *ret_n)
{
    static const struct gh_json_impl *const all[] = {
#if defined(__x86_64__)
        &gh_json_impl_avx2,
#endif
        &gh_json_impl_base,
        &gh_json_impl_scalar,
    };
    size_t skip = 0;

#if defined(__x86_64__)
    __builtin_cpu_init();
    skip = !(__builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") &&
             __builtin_cpu_supports("bmi2"));
#endif
    *ret_n = sizeof all / sizeof *all - skip;
    return all + skip;
}

/* The kernel's random bytes; before it has any, the 16 it gave this process at exec. */
static void draw_seed(uint64_t seed[2])
{
    if (getrandom(seed, 16, GRND_NONBLOCK) != 16) {
        const void *at_exec = (const void *)getauxval(AT_RANDOM);

        if (at_exec != NULL) memcpy(seed, at_exec, 16);
        seed[0] ^= (uint64_t)(uintptr_t)seed;
    }
    if (seed[0] << 3 == 0)
        seed[0] = 0x9E3779B97F4A7C15u; /* the one point of the field that separates nothing */
}

void gh_tape_init(struct gh_tape *tape)
{
    size_t n;

    *tape = (struct gh_tape){ 0 };
    tape->impl = gh_json_impls(&n)[0];
    draw_seed(tape->seed);
}

void gh_tape_init_fixed(struct gh_tape *tape, struct gh_node *nodes, uint32_t n_nodes)
{
    gh_tape_init(tape);
    tape->nodes = nodes;
    tape->cap_nodes = n_nodes;
    tape->fixed = true;
}

void gh_tape_done(struct gh_tape *tape)
{
    if (!tape->fixed) free(tape->nodes);
    free(tape->table);
    free(tape->pairs);
    free(tape->copy);
    *tape = (struct gh_tape){ 0 };
}

enum gh_json_err gh_tape_grow(struct gh_tape *tape, uint32_t max_nodes)
{
    uint32_t cap = tape->cap_nodes < FIRST_NODES / 2 ? FIRST_NODES : tape->cap_nodes * 2;

    if (tape->fixed || tape->cap_nodes >= max_nodes) return GH_JSON_NODES;

    struct gh_node *nodes = realloc(tape->nodes, cap * sizeof *nodes);

    if (nodes == NULL) return GH_JSON_NOMEM;
    tape->nodes = nodes;
    tape->cap_nodes = cap;
    return GH_JSON_OK;
}

const char *gh_tape_copy_source(struct gh_tape *tape, uint32_t len, uint32_t pad)
{
    if (tape->cap_copy < len + pad) {
        uint32_t cap = len + pad < 256 ? 256 : (len + pad) * 2;
        char *copy = realloc(tape->copy, cap);

        if (copy == NULL) return NULL;
        tape->copy = copy;
        tape->cap_copy = cap;
    }
    memcpy(tape->copy, tape->src, len);
    memset(tape->copy + len, 0, pad);
    return tape->copy;
}

bool gh_tape_clear_table(struct gh_tape *tape, uint32_t n)
{
    if (tape->cap_table < n) {
        uint64_t *table = realloc(tape->table, n * sizeof *table);

        if (table == NULL) return false;
        tape->table = table;
        tape->cap_table = n;
    }
    memset(tape->table, 0, n * sizeof *tape->table);
    return true;
}

bool gh_tape_room_for_pairs(struct gh_tape *tape, uint32_t n)
{
    if (tape->cap_pairs < n) {
        uint32_t *pairs = realloc(tape->pairs, n * 2 * sizeof *pairs);

        if (pairs == NULL) return false;
        tape->pairs = pairs;
        tape->cap_pairs = n * 2;
    }
    return true;
}

enum gh_json_err gh_tape_parse(struct gh_tape *tape, const void *src, size_t len,
                               const struct gh_json_limits *limits)
{
    struct gh_json_limits hard;

    if (limits == NULL) limits = &gh_json_limits_default;
    if (limits->max_bytes > GH_JSON_MAX_BYTES || limits->max_depth > GH_JSON_MAX_DEPTH ||
        limits->max_nodes > GH_JSON_MAX_BYTES) {
        hard = *limits;
        if (hard.max_bytes > GH_JSON_MAX_BYTES) hard.max_bytes = GH_JSON_MAX_BYTES;
        if (hard.max_depth > GH_JSON_MAX_DEPTH) hard.max_depth = GH_JSON_MAX_DEPTH;
        if (hard.max_nodes > GH_JSON_MAX_BYTES) hard.max_nodes = GH_JSON_MAX_BYTES;
        limits = &hard;
    }
    tape->src = src != NULL ? src : "";
    tape->n_nodes = 0;
    if (len > limits->max_bytes) {
        tape->src_len = 0;
        tape->err = GH_JSON_TOO_BIG;
        tape->err_off = limits->max_bytes;
        return GH_JSON_TOO_BIG;
    }
    tape->src_len = (uint32_t)len;
    return tape->impl->parse(tape, limits);
}

void gh_json_position(const void *src, size_t len, size_t off, uint32_t *ret_line,
                      uint32_t *ret_column)
{
    const char *s = src;
    uint32_t line = 1;
    size_t start = 0;

    if (off > len) off = len;
    for (size_t i = 0; i < off; i++) {
        if (s[i] == '\n' || (s[i] == '\r' && !(i + 1 < len && s[i + 1] == '\n'))) {
            line++;
            start = i + 1;
        }
    }
    *ret_line = line;
    *ret_column = (uint32_t)(off - start) + 1;
}
