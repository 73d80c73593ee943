#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define AT(member) offsetof(struct validator_config, member)

static const struct gh_config_field fields[] = {
    { "bind", GH_CFG_STRING, AT(bind), .dflt = "ipc://${run_dir}/validator.${instance}",
      .help = "ipc:///PATH or tcp://ADDRESS:PORT" },
    { "workers", GH_CFG_U32, AT(workers), .dflt = "1", .min = 1, .max = VALIDATOR_WORKERS_MAX },
    { "policies", GH_CFG_PATH, AT(policies), .dflt = "policies",
      .help = "the folder of the policies" },
    { "signature_cache", GH_CFG_STRING, AT(signature_cache), .dflt = "${run_dir}/signatures.cache",
      .help = "a file for compiled signatures, or \"\" for none" },
    { "replay_memory", GH_CFG_BYTES, AT(replay_bytes), .dflt = "32MiB", .min = 1u << 20,
      .max = 1ull << 34, .help = "memory for replay protection, touched only when it is used" },
    { NULL },
};

bool validator_bind_is_tcp(const char *bind)
{
    return strncmp(bind, "tcp://", 6) == 0;
}

enum gh_err validator_config_load(struct gh_config *config, struct validator_config *ret_config)
{
    struct validator_config bound = { 0 };
    char endpoint[512];
    enum gh_err err = gh_config_bind(config, "validator", fields, &bound);

    if (err != GH_OK) return err;
    if (validator_worker_bind(bound.bind, bound.workers - 1, 1, endpoint, sizeof endpoint) != GH_OK)
        return gh_config_fail(config, "validator", "bind",
                              "\"%s\" is not ipc:///PATH or tcp://ADDRESS:PORT with %u free ports "
                              "from PORT on",
                              bound.bind, bound.workers);
    *ret_config = bound;
    return GH_OK;
}

static enum gh_err bind_tcp(const char *bind, unsigned index, char *dst, size_t size)
{
    const char *colon = strrchr(bind, ':');
    unsigned long port;
    char *end;

    if (colon < bind + 6 || colon[1] < '0' || colon[1] > '9') return GH_ERR_CONFIG;
    port = strtoul(colon + 1, &end, 10);
    if (*end != '\0' || port == 0 || port + index > 65535) return GH_ERR_CONFIG;
    if ((size_t)snprintf(dst, size, "%.*s:%lu", (int)(colon - bind), bind, port + index) >= size)
        return GH_ERR_CONFIG;
    return GH_OK;
}

static size_t suffixed(const char *name, unsigned index, unsigned generation, char *dst,
                       size_t size)
{
    if (generation > 1) return (size_t)snprintf(dst, size, "%s.g%u.%u", name, generation, index);
    return (size_t)snprintf(dst, size, "%s.%u", name, index);
}

enum gh_err validator_worker_bind(const char *bind, unsigned index, unsigned generation, char *dst,
                                  size_t size)
{
    if (validator_bind_is_tcp(bind)) return bind_tcp(bind, index, dst, size);
    if (strncmp(bind, "ipc:///", 7) != 0) return GH_ERR_CONFIG;
    return suffixed(bind, index, generation, dst, size) < size ? GH_OK : GH_ERR_CONFIG;
}

void validator_worker_instance(const char *instance, bool is_tcp, unsigned index,
                               unsigned generation, char *dst, size_t size)
{
    (void)suffixed(instance, index, is_tcp ? 1 : generation, dst, size);
}
