#include "monitor_internal.h"

#include "common/log.h"
#include "policy/check.h"
#include "replay/replay.h"

#include <stdlib.h>
#include <unistd.h>

#define METRICS_MS 250
/* Edges look for new sockets every 2 s: the old generation stays until they have found the new. */
#define LEAVE_MS 3000

/* --- generations ------------------------------------------------------------------------------ */

struct generation *generation_ref(struct generation *generation)
{
    generation->refs++;
    return generation;
}

void generation_unref(struct generation *generation)
{
    if (generation == NULL || --generation->refs > 0) return;
    close(generation->policy_fd);
    free(generation);
}

/* Reads and checks the policy; only a good one becomes a generation. */
static enum gh_err generation_new(const struct monitor *m, unsigned number,
                                  struct generation **ret_generation)
{
    struct generation *generation = calloc(1, sizeof *generation);
    struct bundle *bundle = NULL, *before = NULL;
    const char *cache = m->config.signature_cache;
    struct policy_compiled from = { .cache = cache[0] != '\0' ? cache : NULL };
    struct report report;
    enum gh_err err = GH_OK;

    if (generation == NULL) return GH_ERR_NOMEM;
    report_init(&report);
    if (m->current != NULL) err = bundle_unseal(m->current->policy_fd, &before);
    from.before = before;
    if (err == GH_OK) err = policy_check(m->config.policies, &from, &report, &bundle, NULL);
    report_log(&report);
    report_done(&report);
    bundle_free(before);
    if (err == GH_OK) err = bundle_seal(bundle, &generation->policy_fd);
    if (err == GH_OK) {
        generation->number = number;
        generation->digest = bundle->digest;
        generation->refs = 1;
        *ret_generation = generation;
    } else {
        free(generation);
    }
    bundle_free(bundle);
    return err;
}

/* --- reload ----------------------------------------------------------------------------------- */

static void begin_reload(struct monitor *m);

static bool any(struct proc *const *procs, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        if (procs[i] != NULL) return true;
    return false;
}

static bool reloading(const struct monitor *m)
{
    return m->next != NULL || any(m->next_procs, m->config.workers) ||
           any(m->leaving, m->config.workers);
}

static void reload_settled(struct monitor *m)
{
    if (!m->reload_again || reloading(m) || m->stopping) return;
    m->reload_again = false;
    begin_reload(m);
}

static void reload_done(struct monitor *m)
{
    generation_unref(m->current);
    m->current = m->next;
    m->next = NULL;
    (*m->metrics.reloads_ok)++;
    gh_log(GH_LOG_INFO, "policy_running", "generation=%u policy_version=%016llx",
           m->current->number, (unsigned long long)m->current->digest);
}

/* Stops what runs; what only waits for its next try goes at once. */
static void let_go(struct proc **at)
{
    if (*at == NULL) return;
    if ((*at)->state == PROC_NONE) {
        proc_free(*at);
        *at = NULL;
    } else {
        proc_stop(*at);
    }
}

static void reload_failed(struct monitor *m)
{
    if (m->next == NULL) return;
    gh_log(GH_LOG_ERROR, "reload_failed",
           "generation=%u reason=\"a worker of it did not become ready\" "
           "action=\"the running policy stays\"",
           m->next->number);
    (*m->metrics.reloads_bad)++;
    generation_unref(m->next);
    m->next = NULL;
    for (unsigned i = 0; i < m->config.workers; i++)
        let_go(&m->next_procs[i]);
}

static void on_leave_timer(uv_timer_t *timer)
{
    struct monitor *m = timer->data;

    for (unsigned i = 0; i < m->config.workers; i++)
        let_go(&m->leaving[i]);
    reload_settled(m);
}

/* ipc: all of the new generation stand ready beside the old one. */
static void switch_over(struct monitor *m)
{
    for (unsigned i = 0; i < m->config.workers; i++)
        if (m->next_procs[i] == NULL || m->next_procs[i]->state != PROC_READY) return;
    for (unsigned i = 0; i < m->config.workers; i++) {
        m->leaving[i] = m->procs[i];
        m->procs[i] = m->next_procs[i];
        m->next_procs[i] = NULL;
    }
    reload_done(m);
    (void)uv_timer_start(&m->leave_timer, on_leave_timer, LEAVE_MS, 0);
}

/* tcp: the slot's port is free; its worker of the new generation takes it. */
static void roll_in(struct monitor *m)
{
    struct proc *proc = NULL;

    if (proc_new(m, m->rolling, m->next, &proc) != GH_OK) { /* no memory: as it was */
        proc_retry(m->procs[m->rolling]);
        reload_failed(m);
        return;
    }
    proc_free(m->procs[m->rolling]);
    m->procs[m->rolling] = proc;
    proc_spawn(proc);
}

static void roll_out(struct monitor *m)
{
    struct proc *proc = m->procs[m->rolling];

    if (proc->state == PROC_NONE)
        roll_in(m);
    else
        proc_stop(proc);
}

static void begin_reload(struct monitor *m)
{
    enum gh_err err = generation_new(m, m->current->number + 1, &m->next);

    if (err != GH_OK) {
        (*m->metrics.reloads_bad)++;
        gh_log(GH_LOG_ERROR, "reload_refused", "error=\"%s\" action=\"the running policy stays\"",
               gh_err_text(err));
        return;
    }
    if (m->is_tcp) {
        m->rolling = 0;
        roll_out(m);
        return;
    }
    for (unsigned i = 0; err == GH_OK && i < m->config.workers; i++)
        err = proc_new(m, i, m->next, &m->next_procs[i]);
    if (err != GH_OK) {
        reload_failed(m);
        return;
    }
    for (unsigned i = 0; i < m->config.workers; i++)
        proc_spawn(m->next_procs[i]);
}

static void on_reload(void *ctx)
{
    struct monitor *m = ctx;

    if (m->stopping) return;
    if (reloading(m))
        m->reload_again = true;
    else
        begin_reload(m);
}

/* --- what happens to workers ------------------------------------------------------------------ */

void monitor_on_ready(struct monitor *m, struct proc *proc)
{
    if (m->next_procs[proc->index] == proc) {
        if (m->next != NULL) switch_over(m);
        return;
    }
    if (!m->is_tcp || m->next == NULL || proc->generation != m->next || proc->index != m->rolling)
        return;
    if (++m->rolling < m->config.workers) {
        roll_out(m);
        return;
    }
    reload_done(m);
    reload_settled(m);
}

void monitor_on_late(struct monitor *m, struct proc *proc)
{
    gh_log(GH_LOG_ERROR, "worker_late", "worker=%u generation=%u not_ready_after_ms=%d",
           proc->index, proc->generation->number, PROC_READY_MS);
    (void)m;
    proc_kill(proc);
}

void monitor_on_exit(struct monitor *m, struct proc *proc)
{
    unsigned i = proc->index;

    if (m->stopping) {
        if (m->alive == 0) gh_service_drained(m->service);
        return;
    }
    if (m->leaving[i] == proc) {
        m->leaving[i] = NULL;
        proc_free(proc);
        reload_settled(m);
    } else if (m->next_procs[i] == proc) {
        m->next_procs[i] = NULL;
        proc_free(proc);
        reload_failed(m);
        reload_settled(m);
    } else if (m->is_tcp && m->next != NULL && m->rolling == i && proc->generation != m->next) {
        roll_in(m);
    } else {
        (*m->metrics.restarts)++;
        proc_retry(proc);
    }
}

/* --- life ------------------------------------------------------------------------------------- */

static void each(struct monitor *m, void (*fn)(struct proc *proc))
{
    for (unsigned i = 0; i < m->config.workers; i++) {
        if (m->procs[i] != NULL) fn(m->procs[i]);
        if (m->next_procs[i] != NULL) fn(m->next_procs[i]);
        if (m->leaving[i] != NULL) fn(m->leaving[i]);
    }
}

static void stop_one(struct proc *proc)
{
    (void)uv_timer_stop(&proc->timer);
    proc_stop(proc);
}

static void on_kill_timer(uv_timer_t *timer)
{
    gh_log(GH_LOG_WARN, "workers_killed", "reason=\"they did not end in time\"");
    each(timer->data, proc_kill);
}

static void on_drain(void *ctx)
{
    struct monitor *m = ctx;

    m->stopping = true;
    (void)uv_timer_stop(&m->leave_timer);
    (void)uv_timer_start(&m->kill_timer, on_kill_timer, gh_service_drain_ms(m->service) / 4 * 3, 0);
    each(m, stop_one);
    if (m->alive == 0) gh_service_drained(m->service);
}

static bool all_ready(void *ctx)
{
    const struct monitor *m = ctx;

    for (unsigned i = 0; i < m->config.workers; i++)
        if (m->procs[i] == NULL || m->procs[i]->state != PROC_READY) return false;
    return true;
}

static void on_metrics_timer(uv_timer_t *timer)
{
    monitor_metrics_collect(timer->data);
}

static enum gh_err start(struct monitor *m)
{
    enum gh_err err = generation_new(m, 1, &m->current);

    if (err == GH_OK) err = stats_create(m->config.workers, &m->stats_fd);
    if (err == GH_OK)
        err = replay_create((uint32_t)(m->config.replay_bytes / REPLAY_LOT_BYTES), &m->replay_fd);
    if (err == GH_OK) err = stats_map(m->stats_fd, m->config.workers, &m->stats);
    for (unsigned i = 0; err == GH_OK && i < m->config.workers; i++)
        err = proc_new(m, i, m->current, &m->procs[i]);
    if (err != GH_OK) return err;
    monitor_metrics_init(m);
    gh_service_on_drain(m->service, on_drain, m);
    gh_service_on_reload(m->service, on_reload, m);
    gh_service_add_check(m->service, "workers", all_ready, m);
    (void)uv_timer_start(&m->metrics_timer, on_metrics_timer, METRICS_MS, METRICS_MS);
    each(m, proc_spawn);
    return GH_OK;
}

enum gh_err monitor_new(struct gh_service *service, const struct validator_config *config,
                        const char *config_path, struct monitor **ret_monitor)
{
    struct monitor *m = calloc(1, sizeof *m);
    uv_loop_t *loop = gh_service_loop(service);

    if (m == NULL) return GH_ERR_NOMEM;
    m->service = service;
    m->config = *config;
    m->config_path = config_path;
    m->is_tcp = validator_bind_is_tcp(config->bind);
    m->stats_fd = m->replay_fd = -1;
    (void)uv_timer_init(loop, &m->kill_timer);
    (void)uv_timer_init(loop, &m->leave_timer);
    (void)uv_timer_init(loop, &m->metrics_timer);
    m->kill_timer.data = m->leave_timer.data = m->metrics_timer.data = m;
    *ret_monitor = m; /* also when failed: monitor_free closes its handles */
    return start(m);
}

static void on_handle_closed(uv_handle_t *handle)
{
    (void)handle;
}

static void free_one(struct proc *proc)
{
    proc_free(proc);
}

void monitor_free(struct monitor *m)
{
    uv_loop_t *loop;

    if (m == NULL) return;
    loop = gh_service_loop(m->service);
    m->stopping = true;
    each(m, proc_kill);
    while (m->alive > 0)
        (void)uv_run(loop, UV_RUN_ONCE);
    each(m, free_one);
    uv_close((uv_handle_t *)&m->kill_timer, on_handle_closed);
    uv_close((uv_handle_t *)&m->leave_timer, on_handle_closed);
    uv_close((uv_handle_t *)&m->metrics_timer, on_handle_closed);
    (void)uv_run(loop, UV_RUN_NOWAIT); /* closes them: their memory goes now */
    generation_unref(m->current);
    generation_unref(m->next);
    stats_unmap(m->stats, m->config.workers);
    if (m->stats_fd >= 0) close(m->stats_fd);
    if (m->replay_fd >= 0) close(m->replay_fd);
    free(m);
}
