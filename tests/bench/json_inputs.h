/*
 * json_inputs - the texts json_bench measures with, made the same on every run.
 */
#ifndef GH_BENCH_JSON_INPUTS_H
#define GH_BENCH_JSON_INPUTS_H

#include <stddef.h>

struct json_input {
    const char *name;
    char *text; /* with 64 zero bytes behind it, which simdjson wants */
    size_t len;
};

#define JSON_INPUTS_MAX 32

/* Returns how many; 0 without memory. */
size_t json_inputs_make(struct json_input inputs[JSON_INPUTS_MAX]);
void json_inputs_free(struct json_input inputs[JSON_INPUTS_MAX], size_t n);

#endif
