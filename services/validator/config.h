/*
 * config - the validator: section of gatehouse.yaml.
 */
#ifndef VALIDATOR_CONFIG_H
#define VALIDATOR_CONFIG_H

#include "common/config.h"

#define VALIDATOR_WORKERS_MAX 64

struct validator_config {
    const char *bind; /* the pool's endpoint; each worker has one of its own, see config_bind_of */
    uint32_t workers;
    const char *policies;        /* folder */
    const char *signature_cache; /* file of compiled signatures; "": none */
    uint64_t replay_bytes;       /* of the table of the whole pool */
};

GH_NODISCARD enum gh_err validator_config_load(struct gh_config *config,
                                               struct validator_config *ret_config);

/* Where worker `index` of `generation` (1, 2 ...) listens. tcp: the port plus index, whatever the
 * generation. ipc: PATH.INDEX, from the second generation on PATH.gGENERATION.INDEX, so that a new
 * generation can be up before the old one goes. Errors: GH_ERR_CONFIG. */
GH_NODISCARD enum gh_err validator_worker_bind(const char *bind, unsigned index,
                                               unsigned generation, char *dst, size_t size);
/* The name of that worker's instance, in the same manner. */
void validator_worker_instance(const char *instance, bool is_tcp, unsigned index,
                               unsigned generation, char *dst, size_t size);

bool validator_bind_is_tcp(const char *bind);

#endif
