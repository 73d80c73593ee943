#include "shed.h"

#include "edge.h"
#include "listener.h"

#include "common/log.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define SAMPLE_MS    50
#define LOOK_MS      250 /* descriptors and memory */
#define LAG_SHARE    8 /* a sample counts for 1/8 of the mean: a second of lag, not one long turn */
#define TELLS_PER_S  50 /* 503 over HTTP; with TLS each costs a handshake */
#define GROUP_SHARE  85 /* per cent of a container's memory, when no limit is configured */
#define NO_LIMIT     UINT64_MAX
#define MEMORY_LIMIT "/sys/fs/cgroup/memory.max"

struct shed {
    struct edge *edge;
    uv_timer_t *timer;
    struct shed_level levels[SHED_CAUSES];
    uint64_t values[SHED_CAUSES]; /* microseconds, descriptors, bytes */
    uint64_t due_ns;              /* of the next sample */
    uint64_t lag_us;              /* mean */
    int64_t looked_ms;
    uint64_t others; /* descriptors that are no sockets of clients */
    uint64_t limit;  /* of descriptors, as the kernel has it now */
    uint64_t group_bytes;
    int statm;
    int64_t tells_ms;
    uint32_t tells;
    uint64_t *begun[SHED_CAUSES], *told, *closed;
};

static const char *const cause_names[SHED_CAUSES] = { "lag", "descriptors", "memory" };

/* --- the judgement ---------------------------------------------------------------------------- */

bool shed_level_look(struct shed_level *level, uint64_t value, uint64_t high, uint64_t low,
                     int64_t now_ms)
{
    if (!level->on) {
        if (value < high) return false;
        level->on = true;
        level->calm_ms = 0;
        return true;
    }
    if (value >= low) {
        level->calm_ms = 0;
        return false;
    }
    if (level->calm_ms == 0) level->calm_ms = now_ms > 0 ? now_ms : 1;
    if (now_ms - level->calm_ms < SHED_HOLD_MS) return false;
    level->on = false;
    return true;
}

static uint64_t high_mark(const struct shed *shed, enum shed_cause cause)
{
    const struct edge_shed_config *config = &shed->edge->config.shed;

    switch (cause) {
    case SHED_LAG: return config->lag_ms > 0 ? config->lag_ms * 1000 : NO_LIMIT;
    case SHED_DESCRIPTORS:
        return shed->limit > config->spare_descriptors ? shed->limit - config->spare_descriptors
                                                       : shed->limit / 2;
    case SHED_MEMORY: return config->memory_bytes > 0 ? config->memory_bytes : shed->group_bytes;
    case SHED_CAUSES: break;
    }
    return NO_LIMIT;
}

/* --- what the kernel says --------------------------------------------------------------------- */

static void measure_descriptors(struct shed *shed)
{
    struct rlimit limit;

    /* An operator may change it while we run (prlimit). */
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
        shed->limit = limit.rlim_cur == RLIM_INFINITY ? NO_LIMIT : limit.rlim_cur;
    shed->values[SHED_DESCRIPTORS] =
        shed->others + shed->edge->conns.used + listener_waiting(shed->edge->listener);
}

static void measure_memory(struct shed *shed)
{
    unsigned long long size, resident;
    char text[128];
    ssize_t n = pread(shed->statm, text, sizeof text - 1, 0);

    if (n <= 0) return;
    text[n] = 0;
    if (sscanf(text, "%llu %llu", &size, &resident) == 2)
        shed->values[SHED_MEMORY] = resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

static uint64_t read_group_limit(void)
{
    unsigned long long bytes = 0;
    FILE *file = fopen(MEMORY_LIMIT, "re");
    int got;

    if (file == NULL) return NO_LIMIT;
    got = fscanf(file, "%llu", &bytes); /* "max" when there is none */
    (void)fclose(file);
    return got == 1 && bytes > 0 ? bytes / 100 * GROUP_SHARE : NO_LIMIT;
}

void shed_accepted(struct shed *shed, int fd)
{
    uint64_t clients = shed->edge->conns.used + listener_waiting(shed->edge->listener);

    if ((uint64_t)fd + 1 > clients && (uint64_t)fd - clients > shed->others)
        shed->others = (uint64_t)fd - clients;
}

/* --- beginning and end ------------------------------------------------------------------------ */

static void tell_change(struct shed *shed, enum shed_cause cause)
{
    const bool on = shed->levels[cause].on;
    struct gh_audit_event event = {
        .fields = { { .name = "cause", .value = gh_bytes_str(cause_names[cause]) },
                    { .name = "value", .number = shed->values[cause] },
                    { .name = "limit", .number = high_mark(shed, cause) },
                    { .name = "connections", .number = shed->edge->open } },
    };

    if (on) (*shed->begun[cause])++;
    gh_log(GH_LOG_WARN, on ? "shedding" : "shedding_ended",
           "cause=%s value=%llu limit=%llu connections=%u next=\"%s\"", cause_names[cause],
           (unsigned long long)shed->values[cause], (unsigned long long)high_mark(shed, cause),
           shed->edge->open, on ? "new clients get 503" : "new clients are taken");
    gh_audit_emit(shed->edge->audit, on ? GH_SEV_WARNING : GH_SEV_NOTICE,
                  on ? "edge.shedding" : "edge.shedding_ended", &event);
}

static void judge(struct shed *shed, enum shed_cause cause, int64_t now_ms)
{
    const uint64_t high = high_mark(shed, cause);
    uint64_t low = high / 4 * 3;

    /* Of descriptors, three quarters of the limit may never be reached again: what has to come back
     * is a quarter of those that are to be left. */
    if (cause == SHED_DESCRIPTORS)
        low = high > shed->limit - high ? high - (shed->limit - high) / 4 : high / 2;
    if (high == NO_LIMIT) low = NO_LIMIT;
    if (shed_level_look(&shed->levels[cause], shed->values[cause], high, low, now_ms))
        tell_change(shed, cause);
}

static void on_sample(uv_timer_t *timer)
{
    struct shed *shed = timer->data;
    const int64_t now_ms = edge_now(shed->edge);
    const uint64_t now_ns = uv_hrtime();
    const uint64_t late_us = now_ns > shed->due_ns ? (now_ns - shed->due_ns) / 1000 : 0;

    shed->due_ns = now_ns + SAMPLE_MS * 1000000ull;
    shed->lag_us += late_us / LAG_SHARE;
    shed->lag_us -= shed->lag_us / LAG_SHARE;
    shed->values[SHED_LAG] = shed->lag_us;
    judge(shed, SHED_LAG, now_ms);
    if (now_ms - shed->looked_ms < LOOK_MS) return;
    shed->looked_ms = now_ms;
    measure_descriptors(shed);
    measure_memory(shed);
    judge(shed, SHED_DESCRIPTORS, now_ms);
    judge(shed, SHED_MEMORY, now_ms);
}

bool shed_calm(void *ctx)
{
    const struct shed *shed = ctx;

    for (int i = 0; i < SHED_CAUSES; i++)
        if (shed->levels[i].on) return false;
    return true;
}

enum shed_answer shed_judge(struct shed *shed)
{
    const int64_t now_ms = edge_now(shed->edge);

    if (shed_calm(shed)) return SHED_TAKE;
    if (now_ms - shed->tells_ms >= 1000) {
        shed->tells_ms = now_ms;
        shed->tells = 0;
    }
    /* A descriptor for everyone who is told is only there as long as some are left. */
    if (shed->tells < TELLS_PER_S &&
        shed->values[SHED_DESCRIPTORS] + shed->edge->config.shed.spare_descriptors / 2 <
            shed->limit) {
        shed->tells++;
        (*shed->told)++;
        return SHED_TELL;
    }
    (*shed->closed)++;
    return SHED_CLOSE;
}

/* --- life ------------------------------------------------------------------------------------- */

#define READER(name, expression)                                                                   \
    static uint64_t name(void *ctx)                                                                \
    {                                                                                              \
        const struct shed *shed = ctx;                                                             \
                                                                                                   \
        return (expression);                                                                       \
    }
READER(read_lag, shed->values[SHED_LAG])
READER(read_descriptors, shed->values[SHED_DESCRIPTORS])
READER(read_limit, shed->limit)
READER(read_memory, shed->values[SHED_MEMORY])
READER(read_on, (uint64_t)!shed_calm((void *)shed))

static void make_metrics(struct shed *shed)
{
    struct gh_metrics *m = gh_service_metrics(shed->edge->service);

#define P "gatehouse_edge_"
    for (int i = 0; i < SHED_CAUSES; i++) {
        char labels[48];

        (void)snprintf(labels, sizeof labels, "cause=\"%s\"", cause_names[i]);
        shed->begun[i] =
            gh_metrics_counter(m, P "shedding_total", labels, "times shedding began, by cause");
    }
    shed->told = gh_metrics_counter(m, P "shed_told_total", NULL, "new clients answered 503");
    shed->closed = gh_metrics_counter(m, P "shed_closed_total", NULL,
                                      "new clients closed without a word while shedding");
    gh_metrics_gauge_fn(m, P "shedding", NULL, "1 while new clients are sent away", read_on, shed);
    gh_metrics_gauge_fn(m, P "loop_lag_us", NULL, "how late the loop is, mean of about 0.4 s",
                        read_lag, shed);
    gh_metrics_gauge_fn(m, P "descriptors", NULL, "open descriptors", read_descriptors, shed);
    gh_metrics_gauge_fn(m, P "descriptors_limit", NULL, "descriptors the kernel allows", read_limit,
                        shed);
    gh_metrics_gauge_fn(m, P "memory_bytes", NULL, "resident memory", read_memory, shed);
#undef P
}

enum gh_err shed_new(struct edge *edge, struct shed **ret_shed)
{
    struct shed *shed = calloc(1, sizeof *shed);

    if (shed == NULL) return GH_ERR_NOMEM;
    shed->edge = edge;
    shed->statm =
        open("/proc/self/statm", O_RDONLY | O_CLOEXEC); /* stays readable when sandboxed */
    shed->timer = malloc(sizeof *shed->timer);
    if (shed->timer == NULL) {
        shed_free(shed);
        return GH_ERR_NOMEM;
    }
    (void)uv_timer_init(edge->loop, shed->timer);
    shed->timer->data = shed;
    shed->limit = shed->group_bytes = NO_LIMIT;
    if (shed->statm < 0)
        gh_log(GH_LOG_WARN, "memory_not_watched", "error=\"/proc/self/statm cannot be read\"");
    else
        shed->group_bytes = read_group_limit();
    shed->others = shed->statm > 0 ? (uint64_t)shed->statm : 0;
    make_metrics(shed);
    shed->due_ns = uv_hrtime() + SAMPLE_MS * 1000000ull;
    (void)uv_timer_start(shed->timer, on_sample, SAMPLE_MS, SAMPLE_MS);
    *ret_shed = shed;
    return GH_OK;
}

static void timer_closed(uv_handle_t *handle)
{
    free(handle);
}

void shed_free(struct shed *shed)
{
    if (shed == NULL) return;
    if (shed->timer != NULL) uv_close((uv_handle_t *)shed->timer, timer_closed);
    if (shed->statm >= 0) (void)close(shed->statm);
    free(shed);
}
