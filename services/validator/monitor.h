/*
 * monitor - keeps a pool of workers running, and replaces all of them when the policy changes.
 *
 * It judges no message and binds nothing but the admin port. A dead worker is started again at
 * once, and with growing waits when it dies young. On SIGHUP the policy folder is read and checked
 * here; only then are workers of a new generation started on its sealed copy, so a bad edit leaves
 * the running policy alone, and a worker that is restarted later still gets the checked one. On
 * ipc the new generation is up before the old one is told to go; on tcp, where a worker's port is
 * its name, they are replaced one by one. Batches a worker had not answered are sent to another by
 * the edge.
 */
#ifndef VALIDATOR_MONITOR_H
#define VALIDATOR_MONITOR_H

#include "common/service.h"
#include "config.h"

struct monitor;

/* Checks the policy and starts the workers. */
GH_NODISCARD enum gh_err monitor_new(struct gh_service *service,
                                     const struct validator_config *config, const char *config_path,
                                     struct monitor **ret_monitor);
/* After gh_service_run: workers left are killed. */
void monitor_free(struct monitor *monitor);

#endif
