#include "config.h"

#include <stddef.h>

static const char *const on_limit_choices[] = { "refuse", "end_oldest", NULL };

static const char *const on_hijack_choices[] = { "ignore", "report", "end", NULL };

#define AT(member) offsetof(struct session_config, member)
#define DAY_MS     86400000ull

static const struct gh_config_field fields[] = {
    { "bind", GH_CFG_STRING, AT(bind), .dflt = "ipc://${run_dir}/session.${instance}" },
    { "max_age", GH_CFG_MS, AT(max_age_ms), .dflt = "12h", .min = 1000, .max = 30 * DAY_MS },
    { "idle", GH_CFG_MS, AT(idle_ms), .dflt = "2m", .min = 1000, .max = DAY_MS,
      .help = "longer than the heartbeat of the edges" },
    { "max_per_user", GH_CFG_U32, AT(max_per_user), .dflt = "5", .min = 1, .max = 100000 },
    { "on_limit", GH_CFG_ENUM, AT(on_limit), .dflt = "refuse", .choices = on_limit_choices },
    { "on_hijack", GH_CFG_ENUM, AT(on_hijack), .dflt = "report", .choices = on_hijack_choices },
    { "csrf_rotate", GH_CFG_MS, AT(csrf_rotate_ms), .dflt = "1h", .max = 30 * DAY_MS,
      .help = "0 rotates only with a new credential" },
    { "tombstone", GH_CFG_MS, AT(tombstone_ms), .dflt = "1h", .min = 60000, .max = 30 * DAY_MS },
    { "sweep", GH_CFG_MS, AT(sweep_ms), .dflt = "250ms", .min = 10, .max = 60000,
      .help = "how often some sessions are looked at for dead ones" },
    { "stale", GH_CFG_MS, AT(stale_ms), .dflt = "60s", .min = 2000, .max = DAY_MS,
      .help = "longer than a creation may be under way" },
    { 0 },
};

enum gh_err session_config_load(struct gh_config *config, struct session_config *ret_cfg)
{
    return gh_config_bind(config, "session", fields, ret_cfg);
}
