/*
 * suite - runs files of the public JSON Schema test suite, where the data is.
 */
#ifndef VALIDATOR_SCHEMA_TESTS_SUITE_H
#define VALIDATOR_SCHEMA_TESTS_SUITE_H

#include <stdbool.h>
#include <stddef.h>

struct suite_exception { /* a test we do not hold to, and why */
    const char *file;    /* "format/idn-hostname.json" */
    const char *group;   /* description, or NULL for the whole file */
    const char *test;    /* description, or NULL for the whole group */
    const char *reason;
};

struct suite {
    const char *draft;  /* "draft2020-12" */
    const char *folder; /* below the draft, "" for the required tests */
    bool draft07;
    bool assert_format;
    const struct suite_exception *exceptions;
    size_t n_exceptions;
};

struct suite_count {
    unsigned passed, failed, excepted, files;
};

/* The suite's folder, or NULL (then it has said so): $GH_SHARED_DIR or ../shared beside the
 * checkout. */
const char *suite_folder(void);

/* Prints each failure. False when the folder cannot be read. */
bool suite_run(const struct suite *suite, struct suite_count *ret_count);

#endif
