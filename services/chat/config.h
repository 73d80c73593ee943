/*
 * config - the `chat:` section.
 */
#ifndef CHAT_CONFIG_H
#define CHAT_CONFIG_H

#include "common/config.h"

struct chat_config {
    const char *bind;
    const char *journal_file; /* "" for none */
};

GH_NODISCARD enum gh_err chat_config_load(struct gh_config *config, struct chat_config *ret_cfg);

#endif
