#include "common/service.h"
#include "config.h"
#include "monitor.h"
#include "offline/offline.h"
#include "policy/check.h"
#include "worker.h"

#include <string.h>

static enum gh_err check_policies(const struct validator_config *config)
{
    struct report report;
    enum gh_err err;

    report_init(&report);
    err = policy_check(config->policies, NULL, &report, NULL, NULL);
    report_log(&report);
    report_done(&report);
    return err;
}

/* gh_service_new has accepted the command line; the monitor gives its workers the same file. */
static const char *config_path_of(int argc, char **argv)
{
    const char *path = "/etc/gatehouse/gatehouse.yaml";

    for (int i = 1; i + 1 < argc; i++)
        if (strcmp(argv[i], "--config") == 0) path = argv[i + 1];
    return path;
}

int main(int argc, char **argv)
{
    struct gh_service *service = NULL;
    struct monitor *monitor = NULL;
    struct worker *worker = NULL;
    struct validator_config cfg = { 0 };
    struct worker_options as_worker = { 0 };
    const struct gh_service_option options[] = {
        { "--worker", &as_worker.index, NULL, "one worker of the pool; the monitor starts it" },
        { "--pool", &as_worker.count, NULL, "size of the pool (with --worker)" },
        { "--bind", &as_worker.bind, NULL, "where the worker listens (with --worker)" },
        { "--parent", &as_worker.parent, NULL, "pid of the monitor (with --worker)" },
        { NULL },
    };

    if (argc > 1 && strcmp(argv[1], "--offline") == 0) return offline_main(argc - 2, argv + 2);

    enum gh_err err = gh_service_new("validator", GH_ROLE_VALIDATOR, argc, argv, options, &service);
    if (err == GH_OK) err = validator_config_load(gh_service_config(service), &cfg);
    if (err == GH_OK && gh_service_checking(service)) {
        err = check_policies(&cfg);
    } else if (err == GH_OK) {
        if (as_worker.index != NULL)
            err = worker_start(service, &as_worker, &worker);
        else
            err = monitor_new(service, &cfg, config_path_of(argc, argv), &monitor);
        if (err == GH_OK) err = gh_service_run(service);
    }

    worker_free(worker);
    monitor_free(monitor);
    return gh_service_exit(service, err);
}
