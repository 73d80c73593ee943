/* The functions behind the table of commands. */
#ifndef CTL_COMMANDS_H
#define CTL_COMMANDS_H

#include "ctl.h"

int cmd_token(struct ctl *ctl, const struct ctl_command *self, int argc, char **argv);
int cmd_sessions_list(struct ctl *ctl, const struct ctl_command *self, int argc, char **argv);
int cmd_sessions_end(struct ctl *ctl, const struct ctl_command *self, int argc, char **argv);
int cmd_revoke(struct ctl *ctl, const struct ctl_command *self, int argc, char **argv);
int cmd_bans_list(struct ctl *ctl, const struct ctl_command *self, int argc, char **argv);
int cmd_bans_add(struct ctl *ctl, const struct ctl_command *self, int argc, char **argv);
int cmd_bans_lift(struct ctl *ctl, const struct ctl_command *self, int argc, char **argv);
int cmd_stats(struct ctl *ctl, const struct ctl_command *self, int argc, char **argv);
int cmd_audit_tail(struct ctl *ctl, const struct ctl_command *self, int argc, char **argv);
int cmd_audit_verify(struct ctl *ctl, const struct ctl_command *self, int argc, char **argv);
int cmd_config_check(struct ctl *ctl, const struct ctl_command *self, int argc, char **argv);
int cmd_keys_init(struct ctl *ctl, const struct ctl_command *self, int argc, char **argv);
int cmd_json_check(struct ctl *ctl, const struct ctl_command *self, int argc, char **argv);
/* To a sibling's own offline mode: gatehouse-validator --offline schema check ... */
int cmd_validator(struct ctl *ctl, const struct ctl_command *self, int argc, char **argv);
int cmd_auth(struct ctl *ctl, const struct ctl_command *self, int argc, char **argv);

#endif
