/*
 * config - the `audit` section.
 */
#ifndef AUDIT_CONFIG_H
#define AUDIT_CONFIG_H

#include "common/config.h"

struct audit_config {
    const char *bind;
    const char *dir;             /* the log; a folder of ours alone */
    struct gh_config_secret key; /* Ed25519 private key, PEM */
    const char *anchor_file;     /* outside dir */
    uint64_t rotate_bytes;
};

/* Errors: GH_ERR_CONFIG, reported with file and line; also when anchor_file lies inside dir. */
GH_NODISCARD enum gh_err audit_config_load(struct gh_config *config,
                                           struct audit_config *ret_config);

#endif
