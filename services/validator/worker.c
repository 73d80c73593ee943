#include "worker.h"

#include "common/log.h"
#include "config.h"
#include "handlers.h"
#include "policy/policy.h"
#include "replay/replay.h"
#include "stats.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

#define DRAIN_MS 30 /* what has arrived is answered; what has not, the edge sends elsewhere */

struct worker {
    struct gh_service *service;
    struct policy *policy;
    struct handlers *handlers;
    struct stats *stats;
    struct replay *replay;
    unsigned count;
    uv_timer_t *drain; /* outlives us by a turn of the loop */
};

static bool parse_number(const char *text, unsigned max, unsigned *ret_value)
{
    unsigned long value;
    char *end;

    if (text == NULL || *text < '0' || *text > '9') return false;
    value = strtoul(text, &end, 10);
    if (*end != '\0' || value > max) return false;
    *ret_value = (unsigned)value;
    return true;
}

/* The monitor may have died before the kernel was told to tell us. */
static enum gh_err tie_to_parent(const char *parent)
{
    unsigned pid;

    if (!parse_number(parent, INT32_MAX, &pid)) return GH_ERR_CONFIG;
    (void)prctl(PR_SET_NAME, "gatehouse-valid"); /* it was started as /proc/self/exe */
    if (prctl(PR_SET_PDEATHSIG, SIGTERM) != 0) return GH_ERR_IO;
    return (pid_t)pid == getppid() ? GH_OK : GH_ERR_UNAVAILABLE;
}

static enum gh_err load_policy(struct policy **ret_policy)
{
    struct bundle *bundle = NULL;
    struct report report;
    enum gh_err err = bundle_unseal(WORKER_POLICY_FD, &bundle);

    report_init(&report);
    if (err == GH_OK) err = policy_load(bundle, &report, ret_policy);
    report_log(&report); /* our monitor found nothing wrong with it: should be empty */
    report_done(&report);
    bundle_free(bundle);
    close(WORKER_POLICY_FD);
    return err;
}

static void on_drained(uv_timer_t *timer)
{
    struct worker *worker = timer->data;

    gh_service_drained(worker->service);
}

static void on_drain(void *ctx)
{
    struct worker *worker = ctx;

    (void)uv_timer_start(worker->drain, on_drained, DRAIN_MS, 0);
}

static enum gh_err say_ready(void)
{
    const char byte = WORKER_READY;

    return write(WORKER_STATUS_FD, &byte, 1) == 1 ? GH_OK : GH_ERR_IO;
}

static enum gh_err start(struct worker *worker, const struct worker_options *options)
{
    struct gh_service *service = worker->service;
    unsigned index = 0;
    enum gh_err err = tie_to_parent(options->parent);

    if (err != GH_OK) return err;
    if (!parse_number(options->count, VALIDATOR_WORKERS_MAX, &worker->count) ||
        !parse_number(options->index, VALIDATOR_WORKERS_MAX, &index) || index >= worker->count ||
        options->bind == NULL)
        return GH_ERR_CONFIG;
    err = stats_map(WORKER_STATS_FD, worker->count, &worker->stats);
    if (err == GH_OK) err = replay_map(WORKER_REPLAY_FD, &worker->replay);
    if (err == GH_OK) err = load_policy(&worker->policy);
    if (err == GH_OK)
        err =
            handlers_new(worker->policy, worker->replay, &worker->stats[index], &worker->handlers);
    if (err != GH_OK) return err;
    close(WORKER_STATS_FD);
    close(WORKER_REPLAY_FD);
    worker->drain = malloc(sizeof *worker->drain);
    if (worker->drain == NULL) return GH_ERR_NOMEM;
    (void)uv_timer_init(gh_service_loop(service), worker->drain);
    worker->drain->data = worker;
    gh_service_on_drain(service, on_drain, worker);
    err = gh_service_bind(service, options->bind, validator_routes, worker->handlers, NULL);
    if (err == GH_OK) err = gh_service_sandbox(service, GH_SANDBOX_PURE);
    if (err == GH_OK) err = say_ready();
    return err;
}

enum gh_err worker_start(struct gh_service *service, const struct worker_options *options,
                         struct worker **ret_worker)
{
    struct worker *worker = calloc(1, sizeof *worker);

    if (worker == NULL) return GH_ERR_NOMEM;
    worker->service = service;
    *ret_worker = worker; /* also when failed: worker_free closes what there is */
    return start(worker, options);
}

static void on_timer_closed(uv_handle_t *handle)
{
    free(handle);
}

void worker_free(struct worker *worker)
{
    if (worker == NULL) return;
    if (worker->drain != NULL) uv_close((uv_handle_t *)worker->drain, on_timer_closed);
    handlers_free(worker->handlers);
    policy_free(worker->policy);
    replay_unmap(worker->replay);
    stats_unmap(worker->stats, worker->count);
    free(worker);
}
