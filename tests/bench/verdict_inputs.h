/*
 * verdict_inputs - the messages verdict_bench judges: ordinary ones, and the most expensive we
 * know.
 */
#ifndef GH_BENCH_VERDICT_INPUTS_H
#define GH_BENCH_VERDICT_INPUTS_H

#include <stddef.h>

#define VERDICT_CSRF "0123456789abcdef0123456789abcdef0123456789a"

struct verdict_input {
    const char *name;
    char *text; /* with 64 zero bytes behind it, which simdjson wants */
    size_t len;
};

/* Chat messages of about 200 bytes, 4 KiB and 64 KiB. Without memory text is NULL. */
#define VERDICT_ORDINARY 3
void verdict_ordinary(struct verdict_input inputs[VERDICT_ORDINARY]);

/* Messages of just under 64 KiB, each the worst of its kind; of the types in verdict_bench.c. */
#define VERDICT_WORST_MAX 32
size_t verdict_worst(struct verdict_input inputs[VERDICT_WORST_MAX]);

void verdict_inputs_free(struct verdict_input *inputs, size_t n);

#endif
