/*
 * service_options - command line and the sections every service shares; not for services.
 */
#ifndef GH_SERVICE_OPTIONS_H
#define GH_SERVICE_OPTIONS_H

#include "common/service.h"

struct service_args {
    const char *config_path;
    char instance[GH_BUS_INSTANCE_MAX + 1];
    bool check;
    bool done; /* --help or --version was answered */
};

struct service_sections {
    const char *run_dir;
    const char *state_dir;
    uint32_t log_level;
    uint64_t drain_ms;
    const char *keys_dir;
    const char *admin_listen;
    struct {
        const char *auth, *session, *limiter, *validator, *audit;
    } endpoints;
};

/* Says what is wrong on standard error; GH_ERR_CONFIG. */
GH_NODISCARD enum gh_err service_args_parse(const char *name, int argc, char **argv,
                                            const struct gh_service_option *options,
                                            struct service_args *ret_args);
GH_NODISCARD enum gh_err service_sections_bind(struct gh_config *config,
                                               struct service_sections *ret_sections);

#endif
