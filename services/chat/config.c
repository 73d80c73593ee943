#include "config.h"

enum gh_err chat_config_load(struct gh_config *config, struct chat_config *ret_cfg)
{
    static const struct gh_config_field fields[] = {
        { "bind", GH_CFG_STRING, offsetof(struct chat_config, bind),
          .dflt = "ipc://${run_dir}/app-chat.${instance}" },
        { "journal_file", GH_CFG_PATH, offsetof(struct chat_config, journal_file), .dflt = "",
          .help = "a file to append every taken message to, or \"\"" },
        { 0 },
    };

    return gh_config_bind(config, "chat", fields, ret_cfg);
}
