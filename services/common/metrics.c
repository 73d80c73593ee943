#include "common/metrics.h"

#include <assert.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BOUNDS_MAX 24

enum metric_kind { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };

struct gh_histogram {
    size_t bound_count;
    uint64_t bounds[BOUNDS_MAX];
    uint64_t buckets[BOUNDS_MAX + 1]; /* not cumulative; the last one is +Inf */
    uint64_t sum;
};

struct series {
    struct series *next;
    char *labels; /* "" for none */
    uint64_t value;
    gh_metrics_read_fn read;
    void *read_ctx;
    struct gh_histogram histogram;
};

struct family {
    struct family *next;
    char *name;
    char *help;
    enum metric_kind kind;
    struct series *first, **tail;
};

struct gh_metrics {
    struct family *first, **tail;
};

enum gh_err gh_metrics_new(struct gh_metrics **ret_metrics)
{
    struct gh_metrics *metrics = calloc(1, sizeof *metrics);

    if (metrics == NULL) return GH_ERR_NOMEM;
    metrics->tail = &metrics->first;
    *ret_metrics = metrics;
    return GH_OK;
}

void gh_metrics_free(struct gh_metrics *metrics)
{
    if (metrics == NULL) return;
    while (metrics->first != NULL) {
        struct family *family = metrics->first;

        while (family->first != NULL) {
            struct series *series = family->first;

            family->first = series->next;
            free(series->labels);
            free(series);
        }
        metrics->first = family->next;
        free(family->name);
        free(family->help);
        free(family);
    }
    free(metrics);
}

static bool name_ok(const char *name)
{
    if (*name == '\0' || (*name >= '0' && *name <= '9')) return false;
    return name[strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_:")] ==
           '\0';
}

static void *must(void *pointer)
{
    if (pointer == NULL) abort();
    return pointer;
}

/* HELP text is one line: backslash and newline are escaped (exposition format 0.0.4). */
static char *help_copy(const char *help)
{
    char *copy = must(malloc(2 * strlen(help) + 1));
    char *to = copy;

    for (; *help != '\0'; help++) {
        if (*help == '\\' || *help == '\n') *to++ = '\\';
        *to++ = *help == '\n' ? 'n' : *help;
    }
    *to = '\0';
    return copy;
}

static struct series *series_get(struct gh_metrics *metrics, enum metric_kind kind,
                                 const char *name, const char *labels, const char *help)
{
    struct family *family = metrics->first;

    if (labels == NULL) labels = "";
    while (family != NULL && strcmp(family->name, name) != 0)
        family = family->next;
    if (family == NULL) {
        assert(name_ok(name));
        family = must(calloc(1, sizeof *family));
        family->name = must(strdup(name));
        family->help = help_copy(help != NULL ? help : "");
        family->kind = kind;
        family->tail = &family->first;
        *metrics->tail = family;
        metrics->tail = &family->next;
    }
    assert(family->kind == kind); /* one name, one kind */

    struct series *series = family->first;
    while (series != NULL && strcmp(series->labels, labels) != 0)
        series = series->next;
    if (series == NULL) {
        series = must(calloc(1, sizeof *series));
        series->labels = must(strdup(labels));
        *family->tail = series;
        family->tail = &series->next;
    }
    return series;
}

uint64_t *gh_metrics_counter(struct gh_metrics *metrics, const char *name, const char *labels,
                             const char *help)
{
    return &series_get(metrics, METRIC_COUNTER, name, labels, help)->value;
}

uint64_t *gh_metrics_gauge(struct gh_metrics *metrics, const char *name, const char *labels,
                           const char *help)
{
    return &series_get(metrics, METRIC_GAUGE, name, labels, help)->value;
}

void gh_metrics_gauge_fn(struct gh_metrics *metrics, const char *name, const char *labels,
                         const char *help, gh_metrics_read_fn fn, void *ctx)
{
    struct series *series = series_get(metrics, METRIC_GAUGE, name, labels, help);

    series->read = fn;
    series->read_ctx = ctx;
}

struct gh_histogram *gh_metrics_histogram(struct gh_metrics *metrics, const char *name,
                                          const char *labels, const char *help,
                                          const uint64_t *bounds, size_t count)
{
    struct gh_histogram *histogram =
        &series_get(metrics, METRIC_HISTOGRAM, name, labels, help)->histogram;

    assert(count > 0 && count <= BOUNDS_MAX);
    if (histogram->bound_count == 0) {
        for (size_t i = 0; i < count; i++) {
            assert(i == 0 || bounds[i] > bounds[i - 1]);
            histogram->bounds[i] = bounds[i];
        }
        histogram->bound_count = count;
    }
    return histogram;
}

void gh_histogram_add(struct gh_histogram *histogram, uint64_t value)
{
    size_t i = 0;

    while (i < histogram->bound_count && value > histogram->bounds[i])
        i++;
    histogram->buckets[i]++;
    histogram->sum += value;
}

static void put_histogram(FILE *out, const char *name, const char *labels,
                          const struct gh_histogram *histogram)
{
    const char *comma = labels[0] != '\0' ? "," : "";
    const char *open = labels[0] != '\0' ? "{" : "";
    const char *close = labels[0] != '\0' ? "}" : "";
    uint64_t total = 0;

    for (size_t i = 0; i < histogram->bound_count; i++) {
        total += histogram->buckets[i];
        fprintf(out, "%s_bucket{%s%sle=\"%" PRIu64 "\"} %" PRIu64 "\n", name, labels, comma,
                histogram->bounds[i], total);
    }
    total += histogram->buckets[histogram->bound_count];
    fprintf(out, "%s_bucket{%s%sle=\"+Inf\"} %" PRIu64 "\n", name, labels, comma, total);
    fprintf(out, "%s_sum%s%s%s %" PRIu64 "\n", name, open, labels, close, histogram->sum);
    fprintf(out, "%s_count%s%s%s %" PRIu64 "\n", name, open, labels, close, total);
}

enum gh_err gh_metrics_text(const struct gh_metrics *metrics, char **ret_text, size_t *ret_len)
{
    static const char *const kinds[] = { "counter", "gauge", "histogram" };
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);

    if (out == NULL) return GH_ERR_NOMEM;
    for (const struct family *f = metrics->first; f != NULL; f = f->next) {
        if (f->help[0] != '\0') fprintf(out, "# HELP %s %s\n", f->name, f->help);
        fprintf(out, "# TYPE %s %s\n", f->name, kinds[f->kind]);
        for (const struct series *s = f->first; s != NULL; s = s->next) {
            if (f->kind == METRIC_HISTOGRAM) {
                put_histogram(out, f->name, s->labels, &s->histogram);
                continue;
            }
            const uint64_t value = s->read != NULL ? s->read(s->read_ctx) : s->value;
            if (s->labels[0] != '\0')
                fprintf(out, "%s{%s} %" PRIu64 "\n", f->name, s->labels, value);
            else
                fprintf(out, "%s %" PRIu64 "\n", f->name, value);
        }
    }
    const bool failed = ferror(out) != 0;
    if (fclose(out) != 0 || failed) {
        free(text);
        return GH_ERR_NOMEM;
    }
    *ret_text = text;
    *ret_len = len;
    return GH_OK;
}
