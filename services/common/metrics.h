/*
 * metrics - counters, gauges and histograms, and their text exposition (Prometheus 0.0.4).
 *
 * A handle is a plain uint64_t: incrementing is one add. Names follow the Prometheus rules
 * (gatehouse_<service>_<what>_<unit>_total). Labels are fixed when a series is made: never made
 * from client input. Single-threaded.
 */
#ifndef GH_METRICS_H
#define GH_METRICS_H

#include "common/err.h"

#include <stddef.h>
#include <stdint.h>

struct gh_metrics;

GH_NODISCARD enum gh_err gh_metrics_new(struct gh_metrics **ret_metrics);
void gh_metrics_free(struct gh_metrics *metrics);

/* labels: "route=\"chat\",code=\"ok\"" or NULL. The same name and labels give the same handle.
 * Never NULL: aborts when out of memory at start (series are made at start, or from bounded lists).
 */
uint64_t *gh_metrics_counter(struct gh_metrics *metrics, const char *name, const char *labels,
                             const char *help);
uint64_t *gh_metrics_gauge(struct gh_metrics *metrics, const char *name, const char *labels,
                           const char *help);

/* A gauge read when scraped. */
typedef uint64_t (*gh_metrics_read_fn)(void *ctx);
void gh_metrics_gauge_fn(struct gh_metrics *metrics, const char *name, const char *labels,
                         const char *help, gh_metrics_read_fn fn, void *ctx);

struct gh_histogram;
/* bounds: ascending upper bounds, count of them at most 24; +Inf is added. */
struct gh_histogram *gh_metrics_histogram(struct gh_metrics *metrics, const char *name,
                                          const char *labels, const char *help,
                                          const uint64_t *bounds, size_t count);
void gh_histogram_add(struct gh_histogram *histogram, uint64_t value);

/* The whole exposition; *ret_text is malloc'd, NUL-ended. */
GH_NODISCARD enum gh_err gh_metrics_text(const struct gh_metrics *metrics, char **ret_text,
                                         size_t *ret_len);

#endif
