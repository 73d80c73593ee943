/*
 * scrape - the figures a process shows on its admin endpoint.
 *
 * scrape_get is a small blocking HTTP client for unix:PATH and tcp:HOST:PORT; scrape_parse takes
 * the text exposition (Prometheus 0.0.4) apart and is pure.
 */
#ifndef CTL_SCRAPE_H
#define CTL_SCRAPE_H

#include "common/err.h"

#include <stdbool.h>
#include <stddef.h>

#define SCRAPE_SERIES_MAX 20000u

struct scrape_sample {
    char *series;  /* name and labels as they came */
    double value;  /* summed over all that were added */
    double before; /* of an earlier scrape, when there was one */
    bool counter;
};

struct scrape { /* zeroed is empty */
    struct scrape_sample *samples;
    size_t count, cap;
};

/* The body of GET path; malloc'd, NUL-ended; *ret_status is the HTTP status. Errors:
 * GH_ERR_UNAVAILABLE, GH_ERR_BAD_MESSAGE (no HTTP answer, or more than 4 MiB), GH_ERR_CONFIG (no
 * such form of address), GH_ERR_NOMEM. */
GH_NODISCARD enum gh_err scrape_get(const char *address, const char *path, int *ret_status,
                                    char **ret_body);

/* Adds the samples of text. Lines that are no samples are passed over. Errors: GH_ERR_NOMEM,
 * GH_ERR_LIMIT. */
GH_NODISCARD enum gh_err scrape_parse(struct scrape *scrape, const char *text);
void scrape_next(struct scrape *scrape); /* value becomes before */
void scrape_sort(struct scrape *scrape);
void scrape_done(struct scrape *scrape);

#endif
