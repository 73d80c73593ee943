/* One worker process, as its monitor sees it. */
#include "monitor_internal.h"

#include "common/clock.h"
#include "common/log.h"
#include "worker.h"

#include <glob.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

extern char **environ;

#define ADMIN_VAR "GATEHOUSE_ADMIN_LISTEN"

static uv_loop_t *loop_of(const struct proc *proc)
{
    return gh_service_loop(proc->monitor->service);
}

static void on_timer(uv_timer_t *timer)
{
    struct proc *proc = timer->data;

    if (proc->state == PROC_NONE)
        proc_spawn(proc);
    else if (proc->state == PROC_STARTING)
        monitor_on_late(proc->monitor, proc);
}

enum gh_err proc_new(struct monitor *monitor, unsigned index, struct generation *generation,
                     struct proc **ret_proc)
{
    struct proc *proc = calloc(1, sizeof *proc);
    enum gh_err err;

    if (proc == NULL) return GH_ERR_NOMEM;
    err = validator_worker_bind(monitor->config.bind, index, generation->number, proc->bind,
                                sizeof proc->bind);
    if (err != GH_OK) {
        free(proc);
        return err;
    }
    validator_worker_instance(gh_service_instance(monitor->service), monitor->is_tcp, index,
                              generation->number, proc->instance, sizeof proc->instance);
    proc->monitor = monitor;
    proc->index = index;
    proc->generation = generation_ref(generation);
    proc->backoff_ms = PROC_BACKOFF_MIN_MS;
    (void)uv_timer_init(loop_of(proc), &proc->timer);
    proc->timer.data = proc;
    *ret_proc = proc;
    return GH_OK;
}

/* Its sandbox does not let a worker remove what it made, and peers would go on trying its sockets.
 */
static void sweep_files(const struct proc *proc)
{
    const char *run_dir = gh_service_run_dir(proc->monitor->service);
    char pattern[600];
    glob_t found = { 0 };

    (void)snprintf(pattern, sizeof pattern, "%s/%s.admin", run_dir, proc->instance);
    (void)unlink(pattern);
    (void)snprintf(pattern, sizeof pattern, "%s/%s.lock", run_dir, proc->instance);
    (void)unlink(pattern);
    if (validator_bind_is_tcp(proc->bind)) return;
    (void)snprintf(pattern, sizeof pattern, "%s.*.sock", proc->bind + strlen("ipc://"));
    if (glob(pattern, 0, NULL, &found) == 0)
        for (size_t i = 0; i < found.gl_pathc; i++)
            (void)unlink(found.gl_pathv[i]);
    globfree(&found);
}

static void maybe_gone(struct proc *proc)
{
    if (proc->process_open || proc->status_open) return;
    sweep_files(proc);
    proc->state = PROC_NONE;
    proc->monitor->alive--;
    monitor_on_exit(proc->monitor, proc);
}

static void on_process_closed(uv_handle_t *handle)
{
    struct proc *proc = handle->data;

    proc->process_open = false;
    maybe_gone(proc);
}

static void on_status_closed(uv_handle_t *handle)
{
    struct proc *proc = handle->data;

    proc->status_open = false;
    maybe_gone(proc);
}

static void on_exit_status(uv_process_t *process, int64_t status, int signum)
{
    struct proc *proc = process->data;
    bool expected = proc->state == PROC_STOPPING;

    gh_log(expected ? GH_LOG_INFO : GH_LOG_ERROR, "worker_exit",
           "worker=%u generation=%u pid=%d status=%lld signal=%d expected=%s", proc->index,
           proc->generation->number, (int)process->pid, (long long)status, signum,
           expected ? "yes" : "no");
    (void)uv_timer_stop(&proc->timer);
    uv_close((uv_handle_t *)&proc->process, on_process_closed);
    if (!uv_is_closing((uv_handle_t *)&proc->status))
        uv_close((uv_handle_t *)&proc->status, on_status_closed);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    static char byte[16];

    (void)handle;
    (void)suggested;
    *buf = uv_buf_init(byte, sizeof byte);
}

static void on_status(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct proc *proc = stream->data;

    if (n < 0) {
        (void)uv_read_stop(stream); /* its end follows */
        return;
    }
    if (n == 0 || buf->base[0] != WORKER_READY || proc->state != PROC_STARTING) return;
    (void)uv_timer_stop(&proc->timer);
    proc->state = PROC_READY;
    gh_log(GH_LOG_INFO, "worker_ready", "worker=%u generation=%u pid=%d", proc->index,
           proc->generation->number, (int)proc->process.pid);
    monitor_on_ready(proc->monitor, proc);
}

/* The monitor's environment, but every worker has an admin socket of its own. NULL: no memory. */
static char **worker_environment(void)
{
    static char admin[] = ADMIN_VAR "=unix:${run_dir}/${instance}.admin";
    size_t n = 0, kept = 0;
    char **env;

    while (environ[n] != NULL)
        n++;
    env = calloc(n + 2, sizeof *env);
    if (env == NULL) return NULL;
    for (size_t i = 0; i < n; i++)
        if (strncmp(environ[i], ADMIN_VAR "=", sizeof ADMIN_VAR) != 0) env[kept++] = environ[i];
    env[kept] = admin;
    return env;
}

static int spawn(struct proc *proc)
{
    struct monitor *m = proc->monitor;
    char index[16], count[16], parent[16];
    char config_arg[] = "--config", instance_arg[] = "--instance", worker_arg[] = "--worker";
    char count_arg[] = "--pool", bind_arg[] = "--bind", parent_arg[] = "--parent";
    char name[] = "gatehouse-validator";
    char *config_path = strdup(m->config_path);
    char *args[] = { name,       config_arg, config_path, instance_arg, proc->instance,
                     worker_arg, index,      count_arg,   count,        bind_arg,
                     proc->bind, parent_arg, parent,      NULL };
    char **env = worker_environment();
    uv_stdio_container_t stdio[WORKER_STATUS_FD + 1];
    uv_process_options_t options = { .exit_cb = on_exit_status,
                                     .file = "/proc/self/exe",
                                     .args = args,
                                     .env = env,
                                     .stdio_count = WORKER_STATUS_FD + 1,
                                     .stdio = stdio };
    int rc = UV_ENOMEM;

    (void)snprintf(index, sizeof index, "%u", proc->index);
    (void)snprintf(count, sizeof count, "%u", m->config.workers);
    (void)snprintf(parent, sizeof parent, "%d", (int)getpid());
    for (int fd = 0; fd < 3; fd++)
        stdio[fd] = (uv_stdio_container_t){ .flags = UV_INHERIT_FD, .data.fd = fd };
    stdio[WORKER_POLICY_FD] =
        (uv_stdio_container_t){ .flags = UV_INHERIT_FD, .data.fd = proc->generation->policy_fd };
    stdio[WORKER_STATS_FD] =
        (uv_stdio_container_t){ .flags = UV_INHERIT_FD, .data.fd = m->stats_fd };
    stdio[WORKER_REPLAY_FD] =
        (uv_stdio_container_t){ .flags = UV_INHERIT_FD, .data.fd = m->replay_fd };
    stdio[WORKER_STATUS_FD] = (uv_stdio_container_t){ .flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE,
                                                      .data.stream = (uv_stream_t *)&proc->status };
    if (config_path != NULL && env != NULL) rc = uv_spawn(loop_of(proc), &proc->process, &options);
    free(config_path);
    free(env);
    return rc;
}

void proc_spawn(struct proc *proc)
{
    int rc;

    (void)uv_pipe_init(loop_of(proc), &proc->status, 0);
    proc->status.data = proc->process.data = proc;
    proc->status_open = proc->process_open = true;
    proc->started_ms = gh_clock_mono_ms();
    proc->state = PROC_STARTING;
    proc->monitor->alive++;
    rc = spawn(proc);
    if (rc == 0) {
        (void)uv_read_start((uv_stream_t *)&proc->status, on_alloc, on_status);
        (void)uv_timer_start(&proc->timer, on_timer, PROC_READY_MS, 0);
        return;
    }
    gh_log(GH_LOG_ERROR, "worker_spawn_failed", "worker=%u error=\"%s\"", proc->index,
           uv_strerror(rc));
    uv_close((uv_handle_t *)&proc->process, on_process_closed); /* as if it had died */
    uv_close((uv_handle_t *)&proc->status, on_status_closed);
}

void proc_retry(struct proc *proc)
{
    int64_t age_ms = gh_clock_mono_ms() - proc->started_ms;

    if (age_ms >= PROC_YOUNG_MS) proc->backoff_ms = PROC_BACKOFF_MIN_MS;
    (void)uv_timer_start(&proc->timer, on_timer, age_ms >= PROC_YOUNG_MS ? 0 : proc->backoff_ms, 0);
    proc->backoff_ms *= 2;
    if (proc->backoff_ms > PROC_BACKOFF_MAX_MS) proc->backoff_ms = PROC_BACKOFF_MAX_MS;
}

void proc_stop(struct proc *proc)
{
    if (proc->state != PROC_STARTING && proc->state != PROC_READY) return;
    proc->state = PROC_STOPPING;
    (void)uv_timer_stop(&proc->timer);
    (void)uv_process_kill(&proc->process, SIGTERM);
}

void proc_kill(struct proc *proc)
{
    if (proc->process_open && !uv_is_closing((uv_handle_t *)&proc->process))
        (void)uv_process_kill(&proc->process, SIGKILL);
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct proc *proc = handle->data;

    generation_unref(proc->generation);
    free(proc);
}

void proc_free(struct proc *proc)
{
    if (proc == NULL) return;
    uv_close((uv_handle_t *)&proc->timer, on_timer_closed);
}
