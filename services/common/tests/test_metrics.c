#include "common/metrics.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static int setup(void **state)
{
    struct gh_metrics *metrics = NULL;

    if (gh_metrics_new(&metrics) != GH_OK) return -1;
    *state = metrics;
    return 0;
}

static int teardown(void **state)
{
    gh_metrics_free(*state);
    return 0;
}

static void assert_text(struct gh_metrics *metrics, const char *want)
{
    char *text = NULL;
    size_t len = 0;

    assert_int_equal(gh_metrics_text(metrics, &text, &len), GH_OK);
    assert_int_equal(len, strlen(text));
    assert_string_equal(text, want);
    free(text);
}

static void nothing_is_empty(void **state)
{
    assert_text(*state, "");
}

static void groups_series_by_name(void **state)
{
    struct gh_metrics *metrics = *state;
    uint64_t *ok = gh_metrics_counter(metrics, "g_total", "code=\"ok\"", "Answers.");
    uint64_t *up = gh_metrics_gauge(metrics, "g_up", NULL, "Up.");
    uint64_t *bad = gh_metrics_counter(metrics, "g_total", "code=\"bad\"", "Answers.");

    *ok += 3;
    *bad = UINT64_MAX;
    *up = 1;
    assert_ptr_equal(ok, gh_metrics_counter(metrics, "g_total", "code=\"ok\"", "Answers."));
    assert_ptr_equal(up, gh_metrics_gauge(metrics, "g_up", "", "Up."));
    assert_text(metrics, "# HELP g_total Answers.\n"
                         "# TYPE g_total counter\n"
                         "g_total{code=\"ok\"} 3\n"
                         "g_total{code=\"bad\"} 18446744073709551615\n"
                         "# HELP g_up Up.\n"
                         "# TYPE g_up gauge\n"
                         "g_up 1\n");
}

static void handles_stay_valid(void **state)
{
    struct gh_metrics *metrics = *state;
    uint64_t *handles[500];
    char labels[32];

    for (int i = 0; i < 500; i++) {
        (void)snprintf(labels, sizeof labels, "n=\"%d\"", i);
        handles[i] = gh_metrics_counter(metrics, "many_total", labels, "Many.");
        *handles[i] = (uint64_t)i;
    }
    for (int i = 0; i < 500; i++) {
        (void)snprintf(labels, sizeof labels, "n=\"%d\"", i);
        assert_ptr_equal(handles[i], gh_metrics_counter(metrics, "many_total", labels, "Many."));
        assert_int_equal(*handles[i], i);
    }
}

static void help_is_one_line(void **state)
{
    gh_metrics_counter(*state, "h_total", NULL, "a\nb\\c");
    assert_text(*state, "# HELP h_total a\\nb\\\\c\n# TYPE h_total counter\nh_total 0\n");
}

static uint64_t read_it(void *ctx)
{
    return ++*(uint64_t *)ctx;
}

static void reads_when_scraped(void **state)
{
    uint64_t value = 41;

    gh_metrics_gauge_fn(*state, "r", "a=\"b\"", NULL, read_it, &value);
    assert_text(*state, "# TYPE r gauge\nr{a=\"b\"} 42\n");
    assert_text(*state, "# TYPE r gauge\nr{a=\"b\"} 43\n");
}

static void histograms_are_cumulative(void **state)
{
    struct gh_metrics *metrics = *state;
    const uint64_t bounds[] = { 1, 10, 100 };
    struct gh_histogram *plain = gh_metrics_histogram(metrics, "d_us", NULL, "D.", bounds, 3);
    struct gh_histogram *named = gh_metrics_histogram(metrics, "d_us", "r=\"x\"", "D.", bounds, 3);

    assert_ptr_equal(plain, gh_metrics_histogram(metrics, "d_us", NULL, "D.", bounds, 3));
    gh_histogram_add(plain, 0);
    gh_histogram_add(plain, 1); /* bounds are inclusive */
    gh_histogram_add(plain, 2);
    gh_histogram_add(plain, 100);
    gh_histogram_add(plain, 101);
    gh_histogram_add(named, 5);
    assert_text(metrics, "# HELP d_us D.\n"
                         "# TYPE d_us histogram\n"
                         "d_us_bucket{le=\"1\"} 2\n"
                         "d_us_bucket{le=\"10\"} 3\n"
                         "d_us_bucket{le=\"100\"} 4\n"
                         "d_us_bucket{le=\"+Inf\"} 5\n"
                         "d_us_sum 204\n"
                         "d_us_count 5\n"
                         "d_us_bucket{r=\"x\",le=\"1\"} 0\n"
                         "d_us_bucket{r=\"x\",le=\"10\"} 1\n"
                         "d_us_bucket{r=\"x\",le=\"100\"} 1\n"
                         "d_us_bucket{r=\"x\",le=\"+Inf\"} 1\n"
                         "d_us_sum{r=\"x\"} 5\n"
                         "d_us_count{r=\"x\"} 1\n");
}

static void takes_24_bounds(void **state)
{
    uint64_t bounds[24];

    for (uint64_t i = 0; i < 24; i++)
        bounds[i] = 1ull << i;
    struct gh_histogram *h = gh_metrics_histogram(*state, "w", NULL, NULL, bounds, 24);
    gh_histogram_add(h, UINT64_MAX);
    gh_histogram_add(h, 1u << 23);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(nothing_is_empty), TEST(groups_series_by_name), TEST(handles_stay_valid),
        TEST(help_is_one_line), TEST(reads_when_scraped),    TEST(histograms_are_cumulative),
        TEST(takes_24_bounds),
    };

    return cmocka_run_group_tests_name("metrics", tests, NULL, NULL);
}
