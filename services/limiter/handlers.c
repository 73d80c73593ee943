#include "handlers.h"

#include "limiter.h"

#include "common/clock.h"
#include "common/code.h"
#include "common/log.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct change { /* of a ban, until Redis has it */
    struct limiter *limiter;
    struct gh_reply *reply;
    bool lift;
    Gh__BanKind kind;
    uint64_t expires_ms;
    char subject[SUBJECT_MAX_BYTES + 1];
    char by[GH_BUS_INSTANCE_MAX + 1];
    char reason[BANS_REASON_MAX_BYTES + 1];
};

static const char *kind_name(Gh__BanKind kind)
{
    return kind == GH__BAN_KIND__BAN_ADDRESS ? "address"
           : kind == GH__BAN_KIND__BAN_USER  ? "user"
                                             : "token";
}

static void on_changed(void *ctx, enum gh_err err, uint64_t version, bool changed)
{
    struct change *change = ctx;
    Gh__BanChanged answer = GH__BAN_CHANGED__INIT;

    if (err != GH_OK) {
        gh_reply_fail(change->reply, err);
        free(change);
        return;
    }
    gh_log(GH_LOG_INFO, change->lift ? "ban_lifted" : "ban_added",
           "kind=%s subject=\"%s\" by=%s changed=%s version=%" PRIu64, kind_name(change->kind),
           change->subject, change->by, changed ? "yes" : "no", version);
    if (changed)
        gh_audit_emit(change->limiter->audit, GH_SEV_WARNING,
                      change->lift ? "ban.lifted" : "ban.added",
                      &(struct gh_audit_event){
                          .fields = { { "kind", gh_bytes_str(kind_name(change->kind)) },
                                      { "subject", gh_bytes_str(change->subject) },
                                      { "by", gh_bytes_str(change->by) },
                                      { "reason", gh_bytes_str(change->reason) },
                                      { "expires_ms", .number = change->expires_ms } } });
    answer.version = version;
    answer.changed = changed;
    gh_reply_send(change->reply, GH__ENVELOPE__BODY_BAN_CHANGED, &answer);
    free(change);
}

static enum gh_err make_change(struct limiter *limiter, struct gh_reply *reply,
                               ProtobufCBinaryData subject, ProtobufCBinaryData by,
                               ProtobufCBinaryData reason, struct change **ret_change)
{
    struct change *change = calloc(1, sizeof(*change));

    if (change == NULL) return GH_ERR_NOMEM;
    change->limiter = limiter;
    change->reply = reply;
    if (gh_bytes_copy(subject, change->subject, sizeof(change->subject)) != GH_OK ||
        gh_bytes_copy(by, change->by, sizeof(change->by)) != GH_OK ||
        gh_bytes_copy(reason, change->reason, sizeof(change->reason)) != GH_OK) {
        free(change);
        return GH_ERR_BAD_MESSAGE;
    }
    *ret_change = change;
    return GH_OK;
}

static enum gh_err on_ban_add(void *ctx, const struct gh_peer *peer, const void *body,
                              struct gh_reply *reply)
{
    const Gh__BanAdd *msg = body;
    struct limiter *limiter = ctx;
    struct change *change = NULL;
    Gh__Ban ban;
    enum gh_err err;

    if (msg->ban == NULL) return GH_ERR_BAD_MESSAGE;
    ban = *msg->ban;
    ban.created_ms = (uint64_t)gh_clock_wall_ms();
    if (ban.by.len == 0) ban.by = gh_bytes_str(peer->instance);
    err = make_change(limiter, reply, ban.subject, ban.by, ban.reason, &change);
    if (err != GH_OK) return err;
    change->kind = ban.kind;
    change->expires_ms = ban.expires_ms;
    err = bans_add(limiter->bans, &ban, on_changed, change);
    if (err != GH_OK) free(change);
    return err;
}

static enum gh_err on_ban_lift(void *ctx, const struct gh_peer *peer, const void *body,
                               struct gh_reply *reply)
{
    const Gh__BanLift *msg = body;
    struct limiter *limiter = ctx;
    struct change *change = NULL;
    ProtobufCBinaryData by = msg->by.len > 0 ? msg->by : gh_bytes_str(peer->instance);
    enum gh_err err = make_change(limiter, reply, msg->subject, by, gh_bytes_str(""), &change);

    if (err != GH_OK) return err;
    change->lift = true;
    change->kind = msg->kind;
    err = bans_lift(limiter->bans, msg, on_changed, change);
    if (err != GH_OK) free(change);
    return err;
}

static enum gh_err on_ban_list(void *ctx, const struct gh_peer *peer, const void *body,
                               struct gh_reply *reply)
{
    const Gh__BanList *msg = body;
    struct limiter *limiter = ctx;
    struct bans_page *page;
    enum gh_err err;

    (void)peer;
    /* A list that was never read must not look like an empty one. */
    if (!bans_loaded(limiter->bans)) return GH_ERR_UNAVAILABLE;
    page = calloc(1, sizeof(*page));
    if (page == NULL) return GH_ERR_NOMEM;
    err = bans_list(limiter->bans, msg->cursor, (uint64_t)gh_clock_wall_ms(), page);
    if (err == GH_OK) {
        gh_reply_send(reply, GH__ENVELOPE__BODY_BAN_LISTED, &page->listed);
        bans_page_free(page);
    }
    free(page);
    return err;
}

const struct gh_route limiter_routes[] = {
    { GH__ENVELOPE__BODY_ADMIT_REQUEST, GH_ROLE_EDGE, limiter_on_admit },
    { GH__ENVELOPE__BODY_LEASE_REQUEST, GH_ROLE_EDGE, limiter_on_lease },
    { GH__ENVELOPE__BODY_LEASE_RETURN, GH_ROLE_EDGE, limiter_on_return },
    { GH__ENVELOPE__BODY_BAN_ADD, GH_ROLE_CTL | GH_ROLE_CONSOLE | GH_ROLE_AUDIT, on_ban_add },
    { GH__ENVELOPE__BODY_BAN_LIFT, GH_ROLE_CTL | GH_ROLE_CONSOLE, on_ban_lift },
    { GH__ENVELOPE__BODY_BAN_LIST, GH_ROLE_CTL | GH_ROLE_CONSOLE | GH_ROLE_EDGE, on_ban_list },
    { 0 },
};
