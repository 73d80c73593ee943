/* What every process of the suite says of itself: who is ready, then the figures, summed over the
 * processes of a kind. */
#include "commands.h"

#include "scrape.h"

#include <dirent.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PROCESSES_MAX 256

struct process {
    char name[80];
    char address[512];
    bool answered;
    bool ready;
    char why[200]; /* not ready */
    double messages, bad;
};

struct stats {
    struct process list[PROCESSES_MAX];
    size_t count;
    struct scrape all;
    bool sampled_before;
};

static void add(struct stats *stats, const char *name, size_t name_len, const char *address)
{
    if (stats->count == PROCESSES_MAX) return;
    struct process *p = &stats->list[stats->count++];

    snprintf(p->name, sizeof(p->name), "%.*s", (int)name_len, name);
    snprintf(p->address, sizeof(p->address), "%s", address);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct process *)a)->name, ((const struct process *)b)->name);
}

static int find_processes(struct stats *stats, const char *run_dir)
{
    static const char suffix[] = ".admin";
    DIR *dir = opendir(run_dir);
    const struct dirent *entry;
    char address[512];

    if (dir == NULL) return ctl_fail(CTL_AWAY, "%s: there is no such folder", run_dir);
    while ((entry = readdir(dir)) != NULL) {
        size_t len = strlen(entry->d_name), end = sizeof(suffix) - 1;

        if (len <= end || strcmp(entry->d_name + len - end, suffix) != 0) continue;
        if (snprintf(address, sizeof(address), "unix:%s/%s", run_dir, entry->d_name) <
            (int)sizeof(address))
            add(stats, entry->d_name, len - end, address);
    }
    closedir(dir);
    if (stats->count > 0) qsort(stats->list, stats->count, sizeof(*stats->list), by_name);
    return CTL_OK;
}

static double value_of(const struct scrape *scrape, const char *name)
{
    size_t len = strlen(name);
    double sum = 0;

    for (size_t i = 0; i < scrape->count; i++) {
        const char *series = scrape->samples[i].series;
        if (strncmp(series, name, len) == 0 && (series[len] == '\0' || series[len] == '{'))
            sum += scrape->samples[i].value;
    }
    return sum;
}

static void ask_process(struct stats *stats, struct process *p)
{
    struct scrape own = { 0 };
    char *body = NULL;
    int status = 0;

    p->answered = scrape_get(p->address, "/metrics", &status, &body) == GH_OK && status == 200;
    if (!p->answered) {
        free(body);
        return;
    }
    if (scrape_parse(&stats->all, body) != GH_OK || scrape_parse(&own, body) != GH_OK)
        fprintf(stderr, "gatehousectl: %s: too many figures\n", p->name);
    p->messages = value_of(&own, "gatehouse_bus_messages_total");
    p->bad = value_of(&own, "gatehouse_bus_bad_total");
    scrape_done(&own);
    free(body);
    body = NULL;
    if (scrape_get(p->address, "/readyz", &status, &body) == GH_OK) {
        p->ready = status == 200;
        if (!p->ready) snprintf(p->why, sizeof(p->why), "%s", body);
        for (char *c = p->why; *c != '\0'; c++)
            if (*c == '\n') *c = c[1] == '\0' ? '\0' : ' ';
    }
    free(body);
}

static void print_processes(const struct stats *stats)
{
    printf("%-20s %-8s %14s %8s\n", "PROCESS", "READY", "BUS MESSAGES", "BAD");
    for (size_t i = 0; i < stats->count; i++) {
        const struct process *p = &stats->list[i];
        if (!p->answered) {
            printf("%-20s %-8s\n", p->name, "away");
            continue;
        }
        printf("%-20s %-8s %14.0f %8.0f", p->name, p->ready ? "yes" : "no", p->messages, p->bad);
        if (!p->ready) {
            fputs("  not: ", stdout);
            ctl_put_text(stdout, p->why, strlen(p->why), 0);
        }
        putchar('\n');
    }
}

/* ---- histograms: one line instead of a line a bucket ---- */

static bool part_of_histogram(const char *series)
{
    size_t len = strcspn(series, "{");

    return len > 7 && memcmp(series + len - 7, "_bucket", 7) == 0;
}

struct histogram {
    char name[160];   /* without _bucket */
    char labels[160]; /* without le */
    double below[64], bound[64];
    size_t count;
};

/* name_bucket{a="b",le="5"}: false when it belongs to no histogram line we can show. */
static bool split_bucket(const char *series, struct histogram *h, double *ret_bound)
{
    size_t name = strcspn(series, "{");
    const char *le = strstr(series, "le=\"");

    if (le == NULL || name - 7 >= sizeof(h->name)) return false;
    snprintf(h->name, sizeof(h->name), "%.*s", (int)(name - 7), series);
    size_t before = (size_t)(le - series) - name - 1;
    if (before > 0 && le[-1] == ',') before--;
    snprintf(h->labels, sizeof(h->labels), "%.*s", (int)before, series + name + 1);
    *ret_bound = strncmp(le + 4, "+Inf", 4) == 0 ? INFINITY : strtod(le + 4, NULL);
    return true;
}

static double quantile(const struct histogram *h, double q)
{
    double total = 0;

    for (size_t i = 0; i < h->count; i++)
        total = h->below[i] > total ? h->below[i] : total;
    double best = INFINITY;
    for (size_t i = 0; i < h->count; i++)
        if (h->below[i] >= q * total && h->bound[i] < best) best = h->bound[i];
    return best;
}

static void print_histogram(const struct histogram *h)
{
    double total = 0;
    char line[330];

    for (size_t i = 0; i < h->count; i++)
        total = h->below[i] > total ? h->below[i] : total;
    if (total == 0) return;
    snprintf(line, sizeof(line), "%s%s%s%s", h->name, h->labels[0] != '\0' ? "{" : "", h->labels,
             h->labels[0] != '\0' ? "}" : "");
    printf("%-64s %14.0f   p50 <= %.0f  p99 <= %.0f\n", line, total, quantile(h, 0.5),
           quantile(h, 0.99));
}

static void print_histograms(const struct stats *stats)
{
    struct histogram h = { .count = 0 };

    for (size_t i = 0; i < stats->all.count; i++) {
        const struct scrape_sample *s = &stats->all.samples[i];
        struct histogram next = { .count = 0 };
        double bound = 0;

        if (!part_of_histogram(s->series) || !split_bucket(s->series, &next, &bound)) continue;
        if (h.count > 0 && (strcmp(h.name, next.name) != 0 || strcmp(h.labels, next.labels) != 0)) {
            print_histogram(&h);
            h.count = 0;
        }
        if (h.count == 0) h = next;
        if (h.count < 64) {
            h.below[h.count] = s->value;
            h.bound[h.count++] = bound;
        }
    }
    if (h.count > 0) print_histogram(&h);
}

static bool belongs_to_histogram(const struct stats *stats, const char *series)
{
    size_t len = strcspn(series, "{");
    size_t cut = len > 6 && memcmp(series + len - 6, "_count", 6) == 0 ? 6
                 : len > 4 && memcmp(series + len - 4, "_sum", 4) == 0 ? 4
                                                                       : 0;

    if (part_of_histogram(series)) return true;
    if (cut == 0) return false;
    for (size_t i = 0; i < stats->all.count; i++) {
        const char *other = stats->all.samples[i].series;
        if (strncmp(other, series, len - cut) == 0 &&
            strncmp(other + len - cut, "_bucket{", 8) == 0)
            return true;
    }
    return false;
}

static void print_figures(const struct stats *stats, double seconds, bool all)
{
    printf("\n%-64s %14s%s\n", "FIGURE (SUM)", "VALUE", seconds > 0 ? "          PER S" : "");
    for (size_t i = 0; i < stats->all.count; i++) {
        const struct scrape_sample *s = &stats->all.samples[i];

        if ((s->value == 0 && !all) || belongs_to_histogram(stats, s->series)) continue;
        printf("%-64s %14.0f", s->series, s->value);
        if (seconds > 0 && s->counter) printf(" %14.1f", (s->value - s->before) / seconds);
        putchar('\n');
    }
    print_histograms(stats);
}

static void print_json(const struct stats *stats, double seconds)
{
    fputs("{\"processes\":[", stdout);
    for (size_t i = 0; i < stats->count; i++) {
        const struct process *p = &stats->list[i];
        fputs(i > 0 ? ",{\"name\":" : "{\"name\":", stdout);
        ctl_put_json(stdout, p->name, strlen(p->name));
        printf(",\"answered\":%s,\"ready\":%s}", p->answered ? "true" : "false",
               p->ready ? "true" : "false");
    }
    fputs("],\"figures\":{", stdout);
    for (size_t i = 0; i < stats->all.count; i++) {
        const struct scrape_sample *s = &stats->all.samples[i];
        if (i > 0) putchar(',');
        ctl_put_json(stdout, s->series, strlen(s->series));
        if (isfinite(s->value))
            printf(":%.17g", s->value);
        else
            fputs(":null", stdout);
    }
    fputs("},\"perSecond\":{", stdout);
    bool first = true;
    for (size_t i = 0; seconds > 0 && i < stats->all.count; i++) {
        const struct scrape_sample *s = &stats->all.samples[i];
        if (!s->counter) continue;
        if (!first) putchar(',');
        first = false;
        ctl_put_json(stdout, s->series, strlen(s->series));
        printf(":%.6g", (s->value - s->before) / seconds);
    }
    puts("}}");
}

static int run(struct ctl *ctl, struct stats *stats, uint64_t interval_ms, bool all)
{
    size_t answered = 0, ready = 0;

    for (size_t i = 0; i < stats->count; i++)
        ask_process(stats, &stats->list[i]);
    if (interval_ms > 0) {
        usleep((useconds_t)(interval_ms * 1000));
        scrape_next(&stats->all);
        for (size_t i = 0; i < stats->count; i++)
            ask_process(stats, &stats->list[i]);
    }
    for (size_t i = 0; i < stats->count; i++) {
        answered += stats->list[i].answered;
        ready += stats->list[i].ready;
    }
    scrape_sort(&stats->all);
    if (ctl->json) {
        print_json(stats, (double)interval_ms / 1000);
    } else {
        print_processes(stats);
        print_figures(stats, (double)interval_ms / 1000, all);
    }
    if (answered == 0) return ctl_fail(CTL_AWAY, "no process answers");
    return ready == stats->count ? CTL_OK : CTL_WRONG;
}

int cmd_stats(struct ctl *ctl, const struct ctl_command *self, int argc, char **argv)
{
    const char *interval = NULL;
    bool all = false;
    const struct ctl_option options[] = {
        { "--interval", &interval, .arg = "TIME", .help = "look twice, show rates (1s, 10s)" },
        { "--all", .flag = &all, .help = "also what is zero" },
        { 0 },
    };
    struct ctl_args args;
    uint64_t interval_ms = 0;
    int status;

    if (!ctl_parse(self, options, argc, argv, 0, CTL_POSITIONALS_MAX, &args, &status))
        return status;
    if (interval != NULL &&
        (!ctl_duration(interval, &interval_ms) || interval_ms == 0 || interval_ms > 3600000))
        return ctl_usage(self, "--interval %s is no time up to 1h", interval);
    struct stats *stats = calloc(1, sizeof(*stats));
    if (stats == NULL) return CTL_AWAY;
    for (int i = 0; i < args.count; i++) {
        const char *slash = strrchr(args.items[i], '/');
        const char *name = slash != NULL ? slash + 1 : args.items[i];
        add(stats, name, strcspn(name, slash != NULL ? "." : ""), args.items[i]);
    }
    status = CTL_OK;
    if (args.count == 0) {
        status = ctl_load(ctl) == GH_OK
                     ? find_processes(stats, ctl->sections.run_dir)
                     : ctl_fail(CTL_USAGE, "%s cannot be used", ctl->config_path);
        if (status == CTL_OK && stats->count == 0)
            status = ctl_fail(CTL_AWAY, "%s: no process has an admin socket here",
                              ctl->sections.run_dir);
    }
    if (status == CTL_OK) status = run(ctl, stats, interval_ms, all);
    scrape_done(&stats->all);
    free(stats);
    return status;
}
