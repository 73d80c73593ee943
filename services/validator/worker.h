/*
 * worker - one process of the pool: judges batches, and after its start can do nothing else.
 *
 * Started by the monitor with four descriptors: the sealed policy, the counters' memory, the table
 * of replays, and a pipe on which it says that it is ready. It dies with its monitor.
 */
#ifndef VALIDATOR_WORKER_H
#define VALIDATOR_WORKER_H

#include "common/service.h"

#define WORKER_POLICY_FD 3
#define WORKER_STATS_FD  4
#define WORKER_REPLAY_FD 5
#define WORKER_STATUS_FD 6
#define WORKER_READY     'R' /* the one byte it says */

struct worker_options {
    const char *index; /* in the pool */
    const char *count; /* of the pool: how many stats blocks there are */
    const char *bind;  /* where to listen */
    const char *parent;
};

struct worker;

/* Everything up to and including the sandbox. */
GH_NODISCARD enum gh_err worker_start(struct gh_service *service,
                                      const struct worker_options *options,
                                      struct worker **ret_worker);
void worker_free(struct worker *worker);

#endif
