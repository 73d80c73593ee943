/*
 * jobs - expressions compiled side by side, on as many processors as there are.
 *
 * Compiling is most of a first start: a few milliseconds an expression, a second for the shipped
 * rules. The threads live for one call, share nothing but the number of the next job, and take no
 * signals. Private to signatures/.
 */
#ifndef VALIDATOR_SIGNATURES_JOBS_H
#define VALIDATOR_SIGNATURES_JOBS_H

#include "validator/schema/vectorscan.h"

#include <stdint.h>

struct job {
    const char *pattern;
    unsigned flags;
    hs_database_t *db; /* one that is there already is left alone; NULL after: not compiled */
    hs_compile_error_t *error; /* why; the caller's (hs_free_compile_error). NULL: no memory */
};

void jobs_run(struct job *jobs, uint32_t n);

#endif
