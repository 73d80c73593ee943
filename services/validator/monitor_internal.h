/*
 * monitor_internal - what monitor.c, monitor_proc.c and monitor_metrics.c share.
 *
 * A slot is a place in the pool; a proc is a process in it. During a reload on ipc a slot has two:
 * the one of the current generation and that of the next.
 */
#ifndef VALIDATOR_MONITOR_INTERNAL_H
#define VALIDATOR_MONITOR_INTERNAL_H

#include "monitor.h"
#include "stats.h"

#include <uv.h>

#define PROC_BACKOFF_MIN_MS 100
#define PROC_BACKOFF_MAX_MS 5000
#define PROC_YOUNG_MS       10000 /* dying before this doubles the wait */
#define PROC_READY_MS       30000 /* to become ready in */

enum proc_state {
    PROC_NONE,     /* no process; may be waiting to be started */
    PROC_STARTING, /* not ready yet */
    PROC_READY,
    PROC_STOPPING, /* told to go */
};

struct generation {
    unsigned number;
    int policy_fd;
    uint64_t digest;
    unsigned refs; /* procs and the monitor itself */
};

struct proc {
    struct monitor *monitor;
    unsigned index;
    struct generation *generation;
    enum proc_state state;
    uv_process_t process;
    uv_pipe_t status;
    uv_timer_t timer; /* back-off, or the deadline to be ready */
    bool process_open, status_open, timer_made;
    int64_t started_ms;
    uint64_t backoff_ms;
    char bind[512];
    char instance[GH_BUS_INSTANCE_MAX + 32];
};

struct monitor_metrics {
    uint64_t *restarts, *reloads_ok, *reloads_bad, *batches, *bad_batches, *bytes_in, *bytes_out,
        *busy_us, *redactions;
    uint64_t *verdicts[2][GH_CODE_COUNT];
};

struct monitor {
    struct gh_service *service;
    struct validator_config config;
    const char *config_path;
    bool is_tcp;
    struct generation *current;
    struct generation *next; /* a reload under way; NULL: none */
    bool reload_again;       /* asked while one was under way */
    struct proc *procs[VALIDATOR_WORKERS_MAX];
    struct proc *next_procs[VALIDATOR_WORKERS_MAX]; /* ipc: of `next` */
    struct proc *leaving[VALIDATOR_WORKERS_MAX];    /* of the generation before, draining */
    unsigned rolling;                               /* tcp: slot being replaced */
    unsigned alive;                                 /* processes that have not been reaped */
    bool stopping;
    uv_timer_t kill_timer, leave_timer, metrics_timer;
    int stats_fd, replay_fd;
    struct stats *stats;
    struct monitor_metrics metrics;
};

/* monitor_proc */
GH_NODISCARD enum gh_err proc_new(struct monitor *monitor, unsigned index,
                                  struct generation *generation, struct proc **ret_proc);
void proc_spawn(struct proc *proc); /* now; a failure is retried after the back-off */
void proc_stop(struct proc *proc);  /* asks; the owner hears of its end by monitor_on_exit */
void proc_kill(struct proc *proc);
void proc_free(struct proc *proc); /* only with no process; handles close on the loop */
void proc_retry(struct proc *proc);

/* monitor: called by procs */
void monitor_on_ready(struct monitor *monitor, struct proc *proc);
void monitor_on_exit(struct monitor *monitor, struct proc *proc);
void monitor_on_late(struct monitor *monitor, struct proc *proc);

struct generation *generation_ref(struct generation *generation);
void generation_unref(struct generation *generation);

/* monitor_metrics */
void monitor_metrics_init(struct monitor *monitor);
void monitor_metrics_collect(struct monitor *monitor);

#endif
