/*
 * config - the `session:` section.
 */
#ifndef SESSION_CONFIG_H
#define SESSION_CONFIG_H

#include "common/config.h"

enum session_on_hijack { SESSION_HIJACK_IGNORE, SESSION_HIJACK_REPORT, SESSION_HIJACK_END };
enum session_on_limit { SESSION_REFUSE, SESSION_END_OLDEST };

struct session_config {
    const char *bind;
    uint64_t max_age_ms;
    uint64_t idle_ms;
    uint32_t max_per_user;
    uint32_t on_limit;       /* enum session_on_limit */
    uint32_t on_hijack;      /* enum session_on_hijack */
    uint64_t csrf_rotate_ms; /* 0: only with a new credential */
    uint64_t tombstone_ms;   /* kept this long after the last credential bound to it expired */
    uint64_t sweep_ms;
    uint64_t stale_ms; /* an index entry this old without a session is no creation in flight */
};

GH_NODISCARD enum gh_err session_config_load(struct gh_config *config,
                                             struct session_config *ret_cfg);

#endif
