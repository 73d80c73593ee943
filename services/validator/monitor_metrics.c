/* The pool's numbers for /metrics: summed over workers that live and that have lived. */
#include "monitor_internal.h"

#include <stdio.h>

static uint64_t count_ready(void *ctx)
{
    const struct monitor *m = ctx;
    uint64_t ready = 0;

    for (unsigned i = 0; i < m->config.workers; i++)
        ready += m->procs[i] != NULL && m->procs[i]->state == PROC_READY;
    return ready;
}

static uint64_t current_generation(void *ctx)
{
    return ((const struct monitor *)ctx)->current->number;
}

void monitor_metrics_init(struct monitor *monitor)
{
    struct gh_metrics *metrics = gh_service_metrics(monitor->service);
    struct monitor_metrics *m = &monitor->metrics;
    static const char *const directions[2] = { "inbound", "outbound" };
    char labels[96];

    gh_metrics_gauge_fn(metrics, "gatehouse_validator_workers_ready", NULL,
                        "workers that judge messages", count_ready, monitor);
    gh_metrics_gauge_fn(metrics, "gatehouse_validator_generation", NULL,
                        "policy loads since the start", current_generation, monitor);
    m->restarts = gh_metrics_counter(metrics, "gatehouse_validator_worker_restarts_total", NULL,
                                     "workers that died unasked");
    m->reloads_ok = gh_metrics_counter(metrics, "gatehouse_validator_reloads_total",
                                       "result=\"ok\"", "policy reloads");
    m->reloads_bad = gh_metrics_counter(metrics, "gatehouse_validator_reloads_total",
                                        "result=\"refused\"", "policy reloads");
    m->batches =
        gh_metrics_counter(metrics, "gatehouse_validator_batches_total", NULL, "batches judged");
    m->bad_batches = gh_metrics_counter(metrics, "gatehouse_validator_bad_batches_total", NULL,
                                        "batches that broke the contract");
    m->bytes_in = gh_metrics_counter(metrics, "gatehouse_validator_bytes_in_total", NULL,
                                     "bytes of messages judged");
    m->bytes_out = gh_metrics_counter(metrics, "gatehouse_validator_bytes_out_total", NULL,
                                      "bytes of messages passed on");
    m->busy_us = gh_metrics_counter(metrics, "gatehouse_validator_busy_microseconds_total", NULL,
                                    "time spent judging, over all workers");
    m->redactions = gh_metrics_counter(metrics, "gatehouse_validator_redactions_total", NULL,
                                       "secrets taken out of messages to clients");
    for (unsigned d = 0; d < 2; d++) {
        for (uint32_t code = 0; code < GH_CODE_COUNT; code++) {
            (void)snprintf(labels, sizeof labels, "direction=\"%s\",code=\"%s\"", directions[d],
                           gh_code_info(code)->name);
            m->verdicts[d][code] = gh_metrics_counter(metrics, "gatehouse_validator_verdicts_total",
                                                      labels, "verdicts by code");
        }
    }
}

void monitor_metrics_collect(struct monitor *monitor)
{
    struct monitor_metrics *m = &monitor->metrics;
    struct stats sum = { 0 };

    for (unsigned i = 0; i < monitor->config.workers; i++) {
        const struct stats *from = &monitor->stats[i];

        sum.batches += stats_get(&from->batches);
        sum.bad_batches += stats_get(&from->bad_batches);
        sum.bytes_in += stats_get(&from->bytes_in);
        sum.bytes_out += stats_get(&from->bytes_out);
        sum.busy_us += stats_get(&from->busy_us);
        sum.redactions += stats_get(&from->redactions);
        for (unsigned d = 0; d < 2; d++)
            for (uint32_t code = 0; code < GH_CODE_COUNT; code++)
                sum.verdicts[d][code] += stats_get(&from->verdicts[d][code]);
    }
    *m->batches = sum.batches;
    *m->bad_batches = sum.bad_batches;
    *m->bytes_in = sum.bytes_in;
    *m->bytes_out = sum.bytes_out;
    *m->busy_us = sum.busy_us;
    *m->redactions = sum.redactions;
    for (unsigned d = 0; d < 2; d++)
        for (uint32_t code = 0; code < GH_CODE_COUNT; code++)
            *m->verdicts[d][code] = sum.verdicts[d][code];
}
