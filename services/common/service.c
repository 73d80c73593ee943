#include "common/service.h"

#include "common/bus_internal.h"
#include "common/bus_zap.h"
#include "common/log.h"
#include "common/random.h"
#include "common/service_options.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define HOOKS_MAX      8
#define SERVERS_MAX    8
#define READY_CHECK_MS 50
#define CLOSE_TURNS    200

struct hook {
    gh_service_fn fn;
    void *ctx;
};

struct gh_service {
    const char *name;
    enum gh_role role;
    struct service_args args;
    struct service_sections sections;
    uint64_t boot_id;
    uv_loop_t loop;
    bool loop_made;
    struct gh_config *config;
    struct gh_metrics *metrics;
    struct gh_admin *admin;
    struct gh_bus_keys *keys;
    struct gh_bus_zap *zap;
    struct gh_server *servers[SERVERS_MAX];
    size_t server_count;
    struct hook reload[HOOKS_MAX], drain[HOOKS_MAX];
    size_t reload_count, drain_count;
    uv_signal_t signals[3];
    uv_timer_t ready_timer, drain_timer;
    bool handles_made;
    bool draining;
    bool told_ready;
    int lock_fd;
};

/* --- start ------------------------------------------------------------------------------------ */

static bool not_draining(void *ctx)
{
    return !((struct gh_service *)ctx)->draining;
}

static enum gh_err make_dir(const char *path, mode_t mode)
{
    if (mkdir(path, mode) == 0 || errno == EEXIST) return GH_OK;
    gh_log(GH_LOG_ERROR, "mkdir_failed", "path=%s error=\"%s\"", path, strerror(errno));
    return GH_ERR_IO;
}

static enum gh_err lock_instance(struct gh_service *service)
{
    char path[PATH_MAX];

    (void)snprintf(path, sizeof path, "%s/%s.lock", service->sections.run_dir,
                   service->args.instance);
    service->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (service->lock_fd < 0) {
        gh_log(GH_LOG_ERROR, "lock_failed", "file=%s error=\"%s\"", path, strerror(errno));
        return GH_ERR_IO;
    }
    if (flock(service->lock_fd, LOCK_EX | LOCK_NB) == 0) return GH_OK;
    gh_log(GH_LOG_ERROR, "already_running",
           "file=%s error=\"another process has this instance name; give --instance NAME\"", path);
    return GH_ERR_EXISTS;
}

static enum gh_err service_load(struct gh_service *service)
{
    enum gh_err err =
        gh_config_load(service->args.config_path, service->args.instance, &service->config);

    if (err == GH_OK) err = service_sections_bind(service->config, &service->sections);
    if (err == GH_OK) gh_log_set_level((enum gh_log_level)service->sections.log_level);
    return err;
}

/* An edge asks four services for each client, and each message of a batch would wake its I/O thread
 * to carry that one alone, in the place of whoever works on the others. As SCHED_BATCH (sched(7))
 * the thread interrupts nobody: it runs when a processor is free or has done its turn, and carries
 * what has gathered. The services' threads stay as they are: on processors that others keep busy,
 * each hop would wait for somebody's turn to end. Not where an operator chose a policy for the
 * process, nor where none may be set: the thread would abort. */
static void calm_io_thread(void)
{
    const struct sched_param none = { 0 };

    if (sched_getscheduler(0) == SCHED_OTHER && sched_setscheduler(0, SCHED_BATCH, &none) == 0 &&
        sched_setscheduler(0, SCHED_OTHER, &none) == 0)
        zsys_set_thread_sched_policy(SCHED_BATCH);
}

static void bus_begin(const struct gh_service *service)
{
    (void)setenv("ZSYS_SIGHANDLER", "false", 1); /* signals are ours */
    zsys_handler_set(NULL);
    zsys_set_logsystem(false);
    if (service->role == GH_ROLE_EDGE) calm_io_thread();
}

static enum gh_err service_open(struct gh_service *service)
{
    enum gh_err err;

    bus_begin(service);
    err = make_dir(service->sections.run_dir, 0700);
    if (err == GH_OK) err = make_dir(service->sections.state_dir, 0700);
    if (err == GH_OK) err = lock_instance(service);
    if (err == GH_OK && service->sections.keys_dir[0] != '\0') {
        err = gh_bus_keys_load(service->sections.keys_dir, service->role, &service->keys);
        if (err == GH_OK) err = gh_bus_zap_new(&service->loop, service->keys, &service->zap);
    }
    if (err == GH_OK)
        err = gh_admin_new(&service->loop, service->sections.admin_listen, service->metrics,
                           &service->admin);
    if (err == GH_OK) gh_admin_add_check(service->admin, "running", not_draining, service);
    return err;
}

static void on_signal(uv_signal_t *handle, int signum);

static void watch_signals(struct gh_service *service)
{
    static const int numbers[] = { SIGTERM, SIGINT, SIGHUP };

    (void)signal(SIGPIPE, SIG_IGN);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        (void)uv_signal_init(&service->loop, &service->signals[i]);
        service->signals[i].data = service;
        (void)uv_signal_start(&service->signals[i], on_signal, numbers[i]);
    }
    (void)uv_timer_init(&service->loop, &service->ready_timer);
    (void)uv_timer_init(&service->loop, &service->drain_timer);
    service->ready_timer.data = service->drain_timer.data = service;
    service->handles_made = true;
}

enum gh_err gh_service_new(const char *name, enum gh_role role, int argc, char **argv,
                           const struct gh_service_option *options, struct gh_service **ret_service)
{
    struct gh_service *service = calloc(1, sizeof *service);
    enum gh_err err;

    if (service == NULL) return GH_ERR_NOMEM;
    service->name = name;
    service->role = role;
    service->lock_fd = -1;
    service->boot_id = gh_random_u64();
    gh_log_init(name, "-");
    err = service_args_parse(name, argc, argv, options, &service->args);
    if (err == GH_OK && service->args.done) exit(0);
    if (err != GH_OK) goto fail;
    gh_log_init(name, service->args.instance);

    if (uv_loop_init(&service->loop) != 0) {
        err = GH_ERR_NOMEM;
        goto fail;
    }
    service->loop_made = true;
    err = gh_metrics_new(&service->metrics);
    if (err == GH_OK) err = service_load(service);
    if (err == GH_OK && !service->args.check) {
        watch_signals(service);
        err = service_open(service);
    }
    *ret_service = service; /* also when failed: gh_service_exit frees it */
    return err;
fail:
    free(service);
    return err;
}

/* --- the end ---------------------------------------------------------------------------------- */

static void close_handles(struct gh_service *service)
{
    if (!service->handles_made) return;
    for (size_t i = 0; i < sizeof service->signals / sizeof service->signals[0]; i++)
        uv_close((uv_handle_t *)&service->signals[i], NULL);
    uv_close((uv_handle_t *)&service->ready_timer, NULL);
    uv_close((uv_handle_t *)&service->drain_timer, NULL);
}

static void close_loop(struct gh_service *service)
{
    if (!service->loop_made) return;
    for (int i = 0; i < CLOSE_TURNS; i++) {
        (void)uv_run(&service->loop, UV_RUN_NOWAIT);
        if (uv_loop_close(&service->loop) == 0) return;
    }
    gh_log(GH_LOG_DEBUG, "handles_left", "open=%u", service->loop.active_handles);
}

int gh_service_exit(struct gh_service *service, enum gh_err err)
{
    if (service == NULL) {
        if (err != GH_OK) gh_log(GH_LOG_ERROR, "start_failed", "error=\"%s\"", gh_err_text(err));
        return err == GH_OK ? EXIT_SUCCESS : EXIT_FAILURE;
    }
    if (err != GH_OK)
        gh_log(GH_LOG_ERROR, "stopped", "error=\"%s\"", gh_err_text(err));
    else if (service->args.check)
        printf("%s: %s: ok\n", service->args.config_path, service->name);
    else
        gh_log(GH_LOG_INFO, "stopped", "drained=%s", service->draining ? "yes" : "no");

    for (size_t i = 0; i < service->server_count; i++)
        gh_server_free(service->servers[i]);
    gh_admin_free(service->admin);
    gh_bus_zap_free(service->zap);
    close_handles(service);
    close_loop(service);
    zsys_shutdown();
    gh_bus_keys_free(service->keys);
    gh_metrics_free(service->metrics);
    gh_config_free(service->config);
    if (service->lock_fd >= 0) close(service->lock_fd);
    free(service);
    return err == GH_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* --- running ---------------------------------------------------------------------------------- */

static void on_drain_time(uv_timer_t *timer)
{
    struct gh_service *service = timer->data;

    gh_log(GH_LOG_WARN, "drain_cut", "after_ms=%llu",
           (unsigned long long)service->sections.drain_ms);
    uv_stop(&service->loop);
}

static void start_drain(struct gh_service *service)
{
    service->draining = true;
    gh_log(GH_LOG_INFO, "draining", "at_most_ms=%llu",
           (unsigned long long)service->sections.drain_ms);
    if (service->drain_count == 0) {
        uv_stop(&service->loop);
        return;
    }
    (void)uv_timer_start(&service->drain_timer, on_drain_time, service->sections.drain_ms, 0);
    for (size_t i = 0; i < service->drain_count; i++)
        service->drain[i].fn(service->drain[i].ctx);
}

static void on_signal(uv_signal_t *handle, int signum)
{
    struct gh_service *service = handle->data;

    if (signum == SIGHUP) {
        gh_log(GH_LOG_INFO, "reload", "asked_by=SIGHUP");
        for (size_t i = 0; i < service->reload_count; i++)
            service->reload[i].fn(service->reload[i].ctx);
        return;
    }
    if (service->draining)
        uv_stop(&service->loop); /* asked twice */
    else
        start_drain(service);
}

static void on_ready_timer(uv_timer_t *timer)
{
    struct gh_service *service = timer->data;

    if (!gh_admin_ready(service->admin)) return;
    (void)uv_timer_stop(timer);
    gh_log(GH_LOG_INFO, "ready", "pid=%d", (int)getpid());
}

enum gh_err gh_service_run(struct gh_service *service)
{
    (void)uv_timer_start(&service->ready_timer, on_ready_timer, 0, READY_CHECK_MS);
    (void)uv_run(&service->loop, UV_RUN_DEFAULT);
    return GH_OK;
}

void gh_service_drained(struct gh_service *service)
{
    uv_stop(&service->loop);
}

enum gh_err gh_service_sandbox(struct gh_service *service, enum gh_sandbox kind)
{
    (void)service;
    return gh_sandbox_enter(kind);
}

static void add_hook(struct hook *hooks, size_t *count, gh_service_fn fn, void *ctx)
{
    if (*count == HOOKS_MAX) abort(); /* our own bug: hooks are made at start by name */
    hooks[(*count)++] = (struct hook){ fn, ctx };
}

void gh_service_on_reload(struct gh_service *service, gh_service_fn fn, void *ctx)
{
    add_hook(service->reload, &service->reload_count, fn, ctx);
}

void gh_service_on_drain(struct gh_service *service, gh_service_fn fn, void *ctx)
{
    add_hook(service->drain, &service->drain_count, fn, ctx);
}

void gh_service_add_check(struct gh_service *service, const char *name, gh_ready_fn fn, void *ctx)
{
    gh_admin_add_check(service->admin, name, fn, ctx);
}

/* --- bus -------------------------------------------------------------------------------------- */

void gh_service_client_init(struct gh_service *service, const char *endpoint, enum gh_role callee,
                            struct gh_client_config *ret_config)
{
    *ret_config = (struct gh_client_config){ .endpoint = endpoint,
                                             .self = service->role,
                                             .service = callee,
                                             .instance = service->args.instance,
                                             .boot_id = service->boot_id,
                                             .keys = service->keys,
                                             .metrics = service->metrics };
}

enum gh_err gh_service_bind(struct gh_service *service, const char *endpoint,
                            const struct gh_route *routes, void *ctx, struct gh_server **ret_server)
{
    struct gh_server_config config = { .endpoint = endpoint,
                                       .instance = service->args.instance,
                                       .boot_id = service->boot_id,
                                       .keys = service->keys,
                                       .metrics = service->metrics,
                                       .routes = routes,
                                       .ctx = ctx };
    struct gh_server *server = NULL;
    enum gh_err err;

    if (service->server_count == SERVERS_MAX) return GH_ERR_LIMIT;
    err = gh_server_new(&service->loop, &config, &server);
    if (err != GH_OK) return err;
    service->servers[service->server_count++] = server;
    if (ret_server != NULL) *ret_server = server;
    return GH_OK;
}

/* --- what it knows ---------------------------------------------------------------------------- */

bool gh_service_checking(const struct gh_service *service)
{
    return service->args.check;
}

bool gh_service_draining(const struct gh_service *service)
{
    return service->draining;
}

uv_loop_t *gh_service_loop(struct gh_service *service)
{
    return &service->loop;
}

struct gh_config *gh_service_config(struct gh_service *service)
{
    return service->config;
}

struct gh_metrics *gh_service_metrics(struct gh_service *service)
{
    return service->metrics;
}

const struct gh_bus_keys *gh_service_keys(struct gh_service *service)
{
    return service->keys;
}

const char *gh_service_instance(const struct gh_service *service)
{
    return service->args.instance;
}

uint64_t gh_service_boot_id(const struct gh_service *service)
{
    return service->boot_id;
}

const char *gh_service_run_dir(const struct gh_service *service)
{
    return service->sections.run_dir;
}

const char *gh_service_state_dir(const struct gh_service *service)
{
    return service->sections.state_dir;
}

uint64_t gh_service_drain_ms(const struct gh_service *service)
{
    return service->sections.drain_ms;
}

const char *gh_service_endpoint(const struct gh_service *service, enum gh_role callee)
{
    switch ((unsigned)callee) {
    case GH_ROLE_AUTH: return service->sections.endpoints.auth;
    case GH_ROLE_SESSION: return service->sections.endpoints.session;
    case GH_ROLE_LIMITER: return service->sections.endpoints.limiter;
    case GH_ROLE_VALIDATOR: return service->sections.endpoints.validator;
    case GH_ROLE_AUDIT: return service->sections.endpoints.audit;
    default: return NULL;
    }
}
