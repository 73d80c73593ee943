#include "commands.h"

#include "common/clock.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const kinds[] = { "address", "user", "token" };

static bool parse_kind(const char *text, Gh__BanKind *ret_kind)
{
    for (unsigned i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (strcmp(text, kinds[i]) == 0) {
            *ret_kind = (Gh__BanKind)i;
            return true;
        }
    }
    return false;
}

static const char *kind_name(Gh__BanKind kind)
{
    return (unsigned)kind < 3 ? kinds[kind] : "?";
}

static const char *operator_name(char *dst, size_t size)
{
    const char *login = getenv("SUDO_USER");

    snprintf(dst, size, "ctl:%s", login != NULL ? login : getuid() == 0 ? "root" : "operator");
    return dst;
}

struct page {
    bool json;
    uint64_t shown;
    uint8_t cursor[1024];
    size_t cursor_len;
};

static void print_ban(const struct page *page, const Gh__Ban *ban, bool first)
{
    if (page->json) {
        printf("{\"kind\":\"%s\",\"subject\":", kind_name(ban->kind));
        ctl_put_json(stdout, ban->subject.data, ban->subject.len);
        fputs(",\"reason\":", stdout);
        ctl_put_json(stdout, ban->reason.data, ban->reason.len);
        fputs(",\"by\":", stdout);
        ctl_put_json(stdout, ban->by.data, ban->by.len);
        printf(",\"createdMs\":%" PRIu64 ",\"expiresMs\":%" PRIu64 "}\n", ban->created_ms,
               ban->expires_ms);
        return;
    }
    if (first) printf("%-8s %-32s %-24s %-16s %s\n", "KIND", "SUBJECT", "UNTIL", "BY", "REASON");
    printf("%-8s ", kind_name(ban->kind));
    ctl_put_text(stdout, ban->subject.data, ban->subject.len, 32);
    putchar(' ');
    if (ban->expires_ms == 0)
        printf("%-24s", "for good");
    else
        ctl_put_time(stdout, ban->expires_ms);
    putchar(' ');
    ctl_put_text(stdout, ban->by.data, ban->by.len, 16);
    putchar(' ');
    ctl_put_text(stdout, ban->reason.data, ban->reason.len, 0);
    putchar('\n');
}

static int take_page(void *ctx, const void *body)
{
    struct page *page = ctx;
    const Gh__BanListed *listed = body;

    for (size_t i = 0; i < listed->n_bans; i++)
        print_ban(page, listed->bans[i], page->shown++ == 0);
    page->cursor_len =
        listed->cursor.len <= sizeof(page->cursor) ? listed->cursor.len : sizeof(page->cursor);
    if (page->cursor_len > 0) memcpy(page->cursor, listed->cursor.data, page->cursor_len);
    return CTL_OK;
}

int cmd_bans_list(struct ctl *ctl, const struct ctl_command *self, int argc, char **argv)
{
    struct page page = { .json = ctl->json };
    struct ctl_args args;
    int status;

    if (!ctl_parse(self, NULL, argc, argv, 0, 0, &args, &status)) return status;
    do {
        Gh__BanList list = GH__BAN_LIST__INIT;

        list.cursor = gh_bytes(page.cursor, page.cursor_len);
        status = ctl_ask(ctl, GH_ROLE_LIMITER, GH__ENVELOPE__BODY_BAN_LIST, &list,
                         GH__ENVELOPE__BODY_BAN_LISTED, take_page, &page);
    } while (status == CTL_OK && page.cursor_len > 0);
    if (status == CTL_OK && !ctl->json && page.shown == 0) puts("no bans");
    return status;
}

struct change {
    const struct ctl *ctl;
    const char *done, *same;
};

static int take_changed(void *ctx, const void *body)
{
    const struct change *change = ctx;
    const Gh__BanChanged *changed = body;

    if (change->ctl->json)
        printf("{\"changed\":%s,\"version\":%" PRIu64 "}\n", changed->changed ? "true" : "false",
               changed->version);
    else
        puts(changed->changed ? change->done : change->same);
    return changed->changed ? CTL_OK : CTL_WRONG;
}

int cmd_bans_add(struct ctl *ctl, const struct ctl_command *self, int argc, char **argv)
{
    const char *time_text = NULL, *reason = "";
    const struct ctl_option options[] = {
        { "--for", &time_text, .arg = "TIME", .help = "10m, 2h, 7d ... (default: for good)" },
        { "--reason", &reason, .arg = "TEXT", .help = "for the list and the audit log" },
        { 0 },
    };
    struct ctl_args args;
    char by[128];
    uint64_t for_ms = 0;
    Gh__Ban ban = GH__BAN__INIT;
    Gh__BanAdd add = GH__BAN_ADD__INIT;
    struct change change = { ctl, "banned", "it is banned already" };
    int status;

    if (!ctl_parse(self, options, argc, argv, 2, 2, &args, &status)) return status;
    if (!parse_kind(args.items[0], &ban.kind))
        return ctl_usage(self, "%s: KIND is address, user or token", args.items[0]);
    if (time_text != NULL && (!ctl_duration(time_text, &for_ms) || for_ms == 0))
        return ctl_usage(self, "--for %s is no time", time_text);
    ban.subject = gh_bytes_str(args.items[1]);
    ban.reason = gh_bytes_str(reason);
    ban.by = gh_bytes_str(operator_name(by, sizeof(by)));
    ban.created_ms = (uint64_t)gh_clock_wall_ms();
    ban.expires_ms = for_ms > 0 ? ban.created_ms + for_ms : 0;
    add.ban = &ban;
    return ctl_ask(ctl, GH_ROLE_LIMITER, GH__ENVELOPE__BODY_BAN_ADD, &add,
                   GH__ENVELOPE__BODY_BAN_CHANGED, take_changed, &change);
}

int cmd_bans_lift(struct ctl *ctl, const struct ctl_command *self, int argc, char **argv)
{
    struct ctl_args args;
    char by[128];
    Gh__BanLift lift = GH__BAN_LIFT__INIT;
    struct change change = { ctl, "lifted", "it was not banned" };
    int status;

    if (!ctl_parse(self, NULL, argc, argv, 2, 2, &args, &status)) return status;
    if (!parse_kind(args.items[0], &lift.kind))
        return ctl_usage(self, "%s: KIND is address, user or token", args.items[0]);
    lift.subject = gh_bytes_str(args.items[1]);
    lift.by = gh_bytes_str(operator_name(by, sizeof(by)));
    return ctl_ask(ctl, GH_ROLE_LIMITER, GH__ENVELOPE__BODY_BAN_LIFT, &lift,
                   GH__ENVELOPE__BODY_BAN_CHANGED, take_changed, &change);
}
