#include "commands.h"

#include "common/code.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PAGE 500u

static void put(ProtobufCBinaryData text, int width)
{
    ctl_put_text(stdout, text.data, text.len, width);
    if (width > 0) putchar(' ');
}

static void put_member(const char *name, ProtobufCBinaryData text)
{
    printf(",\"%s\":", name);
    ctl_put_json(stdout, text.data, text.len);
}

struct page {
    bool json;
    uint64_t shown;
    uint8_t cursor[1024];
    size_t cursor_len;
};

static void print_json(const Gh__SessionRecord *s)
{
    fputs("{\"sessionId\":", stdout);
    ctl_put_json(stdout, s->session_id.data, s->session_id.len);
    put_member("user", s->user);
    put_member("address", s->address);
    put_member("agent", s->agent);
    put_member("route", s->route);
    put_member("edge", s->edge);
    put_member("state", s->state);
    printf(",\"createdMs\":%" PRIu64 ",\"touchedMs\":%" PRIu64 ",\"expiresMs\":%" PRIu64
           ",\"messagesIn\":%" PRIu64 ",\"messagesOut\":%" PRIu64 "}\n",
           s->created_ms, s->touched_ms, s->expires_ms, s->messages_in, s->messages_out);
}

static int take_page(void *ctx, const void *body)
{
    struct page *page = ctx;
    const Gh__SessionListed *listed = body;

    for (size_t i = 0; i < listed->n_sessions; i++) {
        const Gh__SessionRecord *s = listed->sessions[i];

        if (page->json) {
            print_json(s);
            continue;
        }
        if (page->shown + i == 0)
            printf("%-22s %-16s %-20s %-10s %-8s %-24s %9s %9s\n", "SESSION", "USER", "ADDRESS",
                   "EDGE", "STATE", "SINCE", "IN", "OUT");
        put(s->session_id, 22);
        put(s->user, 16);
        put(s->address, 20);
        put(s->edge, 10);
        put(s->state, 8);
        ctl_put_time(stdout, s->created_ms);
        printf(" %9" PRIu64 " %9" PRIu64 "\n", s->messages_in, s->messages_out);
    }
    page->shown += listed->n_sessions;
    page->cursor_len =
        listed->cursor.len <= sizeof(page->cursor) ? listed->cursor.len : sizeof(page->cursor);
    if (page->cursor_len > 0) memcpy(page->cursor, listed->cursor.data, page->cursor_len);
    return CTL_OK;
}

int cmd_sessions_list(struct ctl *ctl, const struct ctl_command *self, int argc, char **argv)
{
    const char *limit_text = NULL;
    const struct ctl_option options[] = {
        { "--limit", &limit_text, .arg = "N", .help = "at most so many (default: all)" },
        { 0 },
    };
    struct ctl_args args;
    struct page page = { .json = ctl->json };
    uint64_t limit = UINT64_MAX;
    int status;

    if (!ctl_parse(self, options, argc, argv, 0, 1, &args, &status)) return status;
    if (limit_text != NULL && !ctl_number(limit_text, UINT32_MAX, &limit))
        return ctl_usage(self, "--limit %s is no number", limit_text);
    do {
        Gh__SessionList list = GH__SESSION_LIST__INIT;

        if (args.count > 0) list.user = gh_bytes_str(args.items[0]);
        list.cursor = gh_bytes(page.cursor, page.cursor_len);
        list.limit = (uint32_t)(limit - page.shown < PAGE ? limit - page.shown : PAGE);
        status = ctl_ask(ctl, GH_ROLE_SESSION, GH__ENVELOPE__BODY_SESSION_LIST, &list,
                         GH__ENVELOPE__BODY_SESSION_LISTED, take_page, &page);
    } while (status == CTL_OK && page.cursor_len > 0 && page.shown < limit);
    if (status == CTL_OK && !ctl->json && page.shown == 0) puts("no sessions");
    return status;
}

static int take_ended(void *ctx, const void *body)
{
    const struct ctl *ctl = ctx;
    const Gh__SessionEnded *ended = body;

    printf(ctl->json ? "{\"ended\":%" PRIu32 "}\n" : "%" PRIu32 " ended\n", ended->count);
    return ended->count > 0 ? CTL_OK : CTL_WRONG;
}

int cmd_sessions_end(struct ctl *ctl, const struct ctl_command *self, int argc, char **argv)
{
    const char *session = NULL, *user = NULL, *address = NULL, *reason = "ended by an operator";
    const struct ctl_option options[] = {
        { "--session", &session, .arg = "ID", .help = "this one" },
        { "--user", &user, .arg = "NAME", .help = "all of a user" },
        { "--address", &address, .arg = "ADDRESS", .help = "all from an address" },
        { "--reason", &reason, .arg = "TEXT", .help = "for the audit log" },
        { 0 },
    };
    struct ctl_args args;
    char by[128];
    Gh__SessionEnd end = GH__SESSION_END__INIT;
    const char *login = getenv("SUDO_USER");
    int status;

    if (!ctl_parse(self, options, argc, argv, 0, 0, &args, &status)) return status;
    if ((session != NULL) + (user != NULL) + (address != NULL) != 1)
        return ctl_usage(self, "exactly one of --session, --user, --address");
    if (session != NULL) end.session_id = gh_bytes_str(session);
    if (user != NULL) end.user = gh_bytes_str(user);
    if (address != NULL) end.address = gh_bytes_str(address);
    snprintf(by, sizeof(by), "ctl:%s", login != NULL ? login : getuid() == 0 ? "root" : "operator");
    end.by = gh_bytes_str(by);
    end.reason = gh_bytes_str(reason);
    end.code = GH_CODE_SESSION_ENDED;
    return ctl_ask(ctl, GH_ROLE_SESSION, GH__ENVELOPE__BODY_SESSION_END, &end,
                   GH__ENVELOPE__BODY_SESSION_ENDED, take_ended, ctl);
}
