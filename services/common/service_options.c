#include "common/service_options.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#ifndef GH_VERSION
#define GH_VERSION "0.1.0"
#endif
#define DEFAULT_CONFIG "/etc/gatehouse/gatehouse.yaml"

static void usage(FILE *out, const char *name, const struct gh_service_option *options)
{
    fprintf(out,
            "usage: gatehouse-%s [--config FILE] [--instance NAME] [--check]\n"
            "  --config FILE     configuration (default " DEFAULT_CONFIG ")\n"
            "  --instance NAME   name among its kind (default %s-HOSTNAME)\n"
            "  --check           say what is wrong with the configuration and exit\n"
            "  --version, --help\n",
            name, name);
    for (; options != NULL && options->name != NULL; options++)
        fprintf(out, "  %s%s   %s\n", options->name, options->value != NULL ? " VALUE" : "",
                options->help);
}

static void default_instance(const char *name, char *instance)
{
    char host[GH_BUS_INSTANCE_MAX] = "localhost";

    (void)gethostname(host, sizeof host - 1);
    host[strcspn(host, ".")] = '\0';
    (void)snprintf(instance, GH_BUS_INSTANCE_MAX + 1, "%.20s-%.40s", name, host);
}

static bool instance_valid(const char *instance)
{
    size_t len =
        strspn(instance, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-");

    return len > 0 && len <= GH_BUS_INSTANCE_MAX && instance[len] == '\0' && instance[0] != '.';
}

static const struct gh_service_option *find_option(const struct gh_service_option *options,
                                                   const char *arg)
{
    for (; options != NULL && options->name != NULL; options++)
        if (strcmp(options->name, arg) == 0) return options;
    return NULL;
}

/* 1: taken, 2: taken with its value, 0: not ours, -1: the value is missing. */
static int take_shared(const char *arg, const char *value, struct service_args *args)
{
    bool is_config = strcmp(arg, "--config") == 0;

    if (strcmp(arg, "--check") == 0) {
        args->check = true;
        return 1;
    }
    if (!is_config && strcmp(arg, "--instance") != 0) return 0;
    if (value == NULL) return -1;
    if (is_config)
        args->config_path = value;
    else
        (void)snprintf(args->instance, sizeof args->instance, "%s",
                       instance_valid(value) ? value : "");
    return 2;
}

static int take_own(const struct gh_service_option *options, const char *arg, const char *value)
{
    const struct gh_service_option *option = find_option(options, arg);

    if (option == NULL) return 0;
    if (option->value == NULL) {
        *option->flag = true;
        return 1;
    }
    if (value == NULL) return -1;
    *option->value = value;
    return 2;
}

enum gh_err service_args_parse(const char *name, int argc, char **argv,
                               const struct gh_service_option *options,
                               struct service_args *ret_args)
{
    struct service_args args = { .config_path = DEFAULT_CONFIG };

    default_instance(name, args.instance);
    for (int i = 1; i < argc;) {
        const char *value = i + 1 < argc ? argv[i + 1] : NULL;
        int taken;

        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "--version") == 0) {
            if (argv[i][2] == 'h')
                usage(stdout, name, options);
            else
                printf("gatehouse-%s %s\n", name, GH_VERSION);
            args.done = true;
            *ret_args = args;
            return GH_OK;
        }
        taken = take_shared(argv[i], value, &args);
        if (taken == 0) taken = take_own(options, argv[i], value);
        if (taken <= 0) {
            fprintf(stderr,
                    taken < 0 ? "gatehouse-%s: %s needs a value\n"
                              : "gatehouse-%s: unknown option %s\n",
                    name, argv[i]);
            usage(stderr, name, options);
            return GH_ERR_CONFIG;
        }
        i += taken;
    }
    if (!instance_valid(args.instance)) {
        fprintf(stderr,
                "gatehouse-%s: --instance: 1 to %u of A-Z a-z 0-9 . _ -, not starting with a dot\n",
                name, GH_BUS_INSTANCE_MAX);
        return GH_ERR_CONFIG;
    }
    *ret_args = args;
    return GH_OK;
}

/* --- sections ----------------------------------------------------------------------------------
 */

#define AT(member) offsetof(struct service_sections, member)

static const char *const levels[] = { "debug", "info", "warn", "error", NULL };

static const struct gh_config_field top_fields[] = {
    { "run_dir", GH_CFG_PATH, AT(run_dir), .dflt = "/run/gatehouse",
      .help = "a folder for sockets" },
    { "state_dir", GH_CFG_PATH, AT(state_dir), .dflt = "/var/lib/gatehouse",
      .help = "a folder for the audit log and spools" },
    { NULL },
};
static const struct gh_config_field log_fields[] = {
    { "level", GH_CFG_ENUM, AT(log_level), .dflt = "info", .choices = levels },
    { NULL },
};
static const struct gh_config_field drain_fields[] = {
    { "time", GH_CFG_MS, AT(drain_ms), .dflt = "10s", .min = 0, .max = 3600000 },
    { NULL },
};
static const struct gh_config_field bus_fields[] = {
    { "keys_dir", GH_CFG_PATH, AT(keys_dir), .dflt = "",
      .help = "a folder made by gatehousectl keys init, or \"\"" },
    { NULL },
};
static const struct gh_config_field admin_fields[] = {
    { "listen", GH_CFG_STRING, AT(admin_listen), .dflt = "unix:${run_dir}/${instance}.admin",
      .help = "unix:PATH or tcp:ADDRESS:PORT" },
    { NULL },
};
static const struct gh_config_field endpoint_fields[] = {
    { "auth", GH_CFG_STRING, AT(endpoints.auth), .dflt = "ipc://${run_dir}/auth.*" },
    { "session", GH_CFG_STRING, AT(endpoints.session), .dflt = "ipc://${run_dir}/session.*" },
    { "limiter", GH_CFG_STRING, AT(endpoints.limiter), .dflt = "ipc://${run_dir}/limiter.*" },
    { "validator", GH_CFG_STRING, AT(endpoints.validator), .dflt = "ipc://${run_dir}/validator.*" },
    { "audit", GH_CFG_STRING, AT(endpoints.audit), .dflt = "ipc://${run_dir}/audit.*" },
    { NULL },
};

enum gh_err service_sections_bind(struct gh_config *config, struct service_sections *ret_sections)
{
    static const struct {
        const char *name;
        const struct gh_config_field *fields;
    } sections[] = {
        { NULL, top_fields },  { "log", log_fields },     { "drain", drain_fields },
        { "bus", bus_fields }, { "admin", admin_fields }, { "endpoints", endpoint_fields },
    };
    struct service_sections bound = { 0 };
    enum gh_err err = GH_OK;

    for (size_t i = 0; i < sizeof sections / sizeof sections[0]; i++) {
        enum gh_err one = gh_config_bind(config, sections[i].name, sections[i].fields, &bound);

        if (err == GH_OK) err = one;
    }
    if (err == GH_OK) *ret_sections = bound;
    return err;
}
