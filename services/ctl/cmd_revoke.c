/* Taking back what was given: tokens, users, sessions, issuers, keys. */
#include "commands.h"

#include "common/clock.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const kinds[] = { "token", "user", "session", "issuer", "key" };

static bool parse_kind(const char *text, Gh__RevokeKind *ret_kind)
{
    for (unsigned i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (strcmp(text, kinds[i]) == 0) {
            *ret_kind = (Gh__RevokeKind)i;
            return true;
        }
    }
    return false;
}

static int take_reply(void *ctx, const void *body)
{
    const struct ctl *ctl = ctx;
    const Gh__AuthRevokeReply *reply = body;

    if (ctl->json)
        printf("{\"changed\":%s,\"version\":%" PRIu64 ",\"sessions\":%" PRIu32 "}\n",
               reply->changed ? "true" : "false", reply->version, reply->sessions_ended);
    else
        puts(reply->changed ? "done" : "nothing changed");
    return reply->changed ? CTL_OK : CTL_WRONG;
}

int cmd_revoke(struct ctl *ctl, const struct ctl_command *self, int argc, char **argv)
{
    const char *issuer = "", *time_text = NULL, *reason = "";
    bool lift = strcmp(self->name, "revoke lift") == 0;
    const struct ctl_option options[] = {
        { "--issuer", &issuer, .arg = "ISS", .help = "of this issuer only (a key needs it)" },
        { "--for", &time_text, .arg = "TIME",
          .help = "10m, 2h, 7d ... (default: as long as it can matter)" },
        { "--reason", &reason, .arg = "TEXT", .help = "for the audit log" },
        { 0 },
    };
    const char *login = getenv("SUDO_USER");
    struct ctl_args args;
    char by[65];
    uint64_t for_ms = 0;
    Gh__Revocation revocation = GH__REVOCATION__INIT;
    Gh__AuthRevoke revoke = GH__AUTH_REVOKE__INIT;
    int status;

    if (!ctl_parse(self, options, argc, argv, 2, 2, &args, &status)) return status;
    if (!parse_kind(args.items[0], &revocation.kind))
        return ctl_usage(self, "%s: KIND is token, user, session, issuer or key", args.items[0]);
    if (time_text != NULL && (!ctl_duration(time_text, &for_ms) || for_ms == 0))
        return ctl_usage(self, "--for %s is no time", time_text);
    (void)snprintf(by, sizeof(by), "ctl:%.48s",
                   login != NULL   ? login
                   : getuid() == 0 ? "root"
                                   : "operator");
    revocation.subject = gh_bytes_str(args.items[1]);
    revocation.issuer = gh_bytes_str(issuer);
    revocation.reason = gh_bytes_str(reason);
    revocation.by = gh_bytes_str(by);
    if (for_ms > 0) revocation.expires_ms = (uint64_t)gh_clock_wall_ms() + for_ms;
    revoke.revocation = &revocation;
    revoke.lift = lift;
    return ctl_ask(ctl, GH_ROLE_AUTH, GH__ENVELOPE__BODY_AUTH_REVOKE, &revoke,
                   GH__ENVELOPE__BODY_AUTH_REVOKE_REPLY, take_reply, ctl);
}
