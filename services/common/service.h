/*
 * service - what every process does at start, while it runs, and at its end.
 *
 * Command line: --config FILE (default /etc/gatehouse/gatehouse.yaml), --instance NAME (default
 * <service>-<hostname>), --check (bind the configuration, say what is wrong, exit), --version,
 * --help. Sections bound here: the top level (run_dir, state_dir, drain), log, bus, admin.
 *
 * Start order: configuration, dependencies, bind, sandbox, ready, loop; SIGTERM and SIGINT drain, a
 * second one stops at once; SIGHUP reloads; SIGPIPE is ignored. All are handled explicitly, so it
 * works as PID 1. Two processes of one instance name on one host would take each other's sockets:
 * the second refuses to start. Prints `ready` on the log once gh_service_run has begun and all
 * ready checks hold, and tells the same to /readyz.
 */
#ifndef GH_SERVICE_H
#define GH_SERVICE_H

#include "common/admin.h"
#include "common/bus.h"
#include "common/client.h"
#include "common/config.h"
#include "common/sandbox.h"
#include "common/server.h"

struct gh_service;

struct gh_service_option { /* a service's own command-line options */
    const char *name;      /* "--worker"; NULL ends the table */
    const char **value;    /* set to the argument; NULL: a flag */
    bool *flag;
    const char *help;
};

GH_NODISCARD enum gh_err gh_service_new(const char *name, enum gh_role role, int argc, char **argv,
                                        const struct gh_service_option *options,
                                        struct gh_service **ret_service);
/* Frees everything, logs the end once, returns the exit status. service may be NULL. */
int gh_service_exit(struct gh_service *service, enum gh_err err);

bool gh_service_checking(const struct gh_service *service); /* --check: stop after loading */
uv_loop_t *gh_service_loop(struct gh_service *service);
struct gh_config *gh_service_config(struct gh_service *service);
struct gh_metrics *gh_service_metrics(struct gh_service *service);
const struct gh_bus_keys *gh_service_keys(struct gh_service *service);
const char *gh_service_instance(const struct gh_service *service);
uint64_t gh_service_boot_id(const struct gh_service *service);
const char *gh_service_run_dir(const struct gh_service *service);
const char *gh_service_state_dir(const struct gh_service *service);
/* Where to find a service: the `endpoints:` section. NULL for a role that has none. */
const char *gh_service_endpoint(const struct gh_service *service, enum gh_role callee);
uint64_t gh_service_drain_ms(const struct gh_service *service);
bool gh_service_draining(const struct gh_service *service);

/* Fills the parts every client shares (self, instance, boot_id, keys, metrics). */
void gh_service_client_init(struct gh_service *service, const char *endpoint, enum gh_role callee,
                            struct gh_client_config *ret_config);

/* Binds routes at endpoint; the server is owned by the service. ret_server may be NULL. */
GH_NODISCARD enum gh_err gh_service_bind(struct gh_service *service, const char *endpoint,
                                         const struct gh_route *routes, void *ctx,
                                         struct gh_server **ret_server);

void gh_service_add_check(struct gh_service *service, const char *name, gh_ready_fn fn, void *ctx);
typedef void (*gh_service_fn)(void *ctx);
void gh_service_on_reload(struct gh_service *service, gh_service_fn fn, void *ctx);
/* fn starts the drain; the loop ends when gh_service_drained is called or drain.time has passed.
 * Without one the loop ends at once. */
void gh_service_on_drain(struct gh_service *service, gh_service_fn fn, void *ctx);
void gh_service_drained(struct gh_service *service);

GH_NODISCARD enum gh_err gh_service_sandbox(struct gh_service *service, enum gh_sandbox kind);
GH_NODISCARD enum gh_err gh_service_run(struct gh_service *service);

#endif
