#include "config.h"

#include <stddef.h>
#include <string.h>

#define AT(member) offsetof(struct audit_config, member)

static const struct gh_config_field fields[] = {
    { "bind", GH_CFG_STRING, AT(bind), .dflt = "ipc://${run_dir}/audit.${instance}",
      .help = "ipc://PATH or tcp://ADDRESS:PORT" },
    { "dir", GH_CFG_PATH, AT(dir), .dflt = "${state_dir}/audit" },
    { "key_file", GH_CFG_SECRET_FILE, AT(key), .required = true,
      .help = "the Ed25519 private key (gatehousectl keys init DIR makes one)" },
    { "anchor_file", GH_CFG_PATH, AT(anchor_file), .dflt = "${state_dir}/audit.anchor" },
    { "rotate_bytes", GH_CFG_BYTES, AT(rotate_bytes), .dflt = "64MiB", .min = 4096,
      .max = 1ull << 40 },
    { 0 },
};

enum gh_err audit_config_load(struct gh_config *config, struct audit_config *ret_config)
{
    struct audit_config cfg = { 0 };

    enum gh_err err = gh_config_bind(config, "audit", fields, &cfg);
    if (err != GH_OK) return err;
    size_t dir_len = strlen(cfg.dir);
    if (strncmp(cfg.anchor_file, cfg.dir, dir_len) == 0 && cfg.anchor_file[dir_len] == '/')
        return gh_config_fail(
            config, "audit", "anchor_file",
            "must lie outside audit.dir: who cuts the log must not find it there");
    *ret_config = cfg;
    return GH_OK;
}
