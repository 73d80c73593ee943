/* Revocations as others ask for them: into the list, and for sessions and users to the session
 * service. */
#include "revoke.h"

#include "auth.h"

#include "common/clock.h"
#include "common/log.h"

#include <inttypes.h>
#include <stdlib.h>

struct change {
    struct auth *auth;
    struct gh_reply *reply;
    unsigned left; /* the list and the session service; 1 more while they are asked */
    enum gh_err err;
    bool lift, changed;
    uint64_t version;
    uint32_t sessions_ended;
    Gh__RevokeKind kind;
    char subject[REVOCATION_SUBJECT_MAX + 1];
    char issuer[REVOCATION_ISSUER_MAX + 1];
    char by[GH_BUS_INSTANCE_MAX + 1];
    char reason[REVOCATION_REASON_MAX + 1];
};

static const char *revoke_name(Gh__RevokeKind kind)
{
    static const char *const names[] = { "token", "user", "session", "issuer", "key" };

    return (unsigned)kind < sizeof(names) / sizeof(names[0]) ? names[kind] : "unknown";
}

static void change_done(struct change *c)
{
    Gh__AuthRevokeReply answer_msg = GH__AUTH_REVOKE_REPLY__INIT;

    if (--c->left > 0) return;
    if (c->err != GH_OK) {
        gh_reply_fail(c->reply, c->err);
        free(c);
        return;
    }
    gh_log(GH_LOG_INFO, c->lift ? "revocation_lifted" : "revoked",
           "kind=%s subject=\"%s\" issuer=\"%s\" by=%s changed=%s sessions=%" PRIu32,
           revoke_name(c->kind), c->subject, c->issuer, c->by, c->changed ? "yes" : "no",
           c->sessions_ended);
    if (c->changed || c->sessions_ended > 0)
        gh_audit_emit(
            c->auth->audit, GH_SEV_WARNING, c->lift ? "auth.revocation_lifted" : "auth.revoked",
            &(struct gh_audit_event){ .fields = { { "kind", gh_bytes_str(revoke_name(c->kind)) },
                                                  { "subject", gh_bytes_str(c->subject) },
                                                  { "issuer", gh_bytes_str(c->issuer) },
                                                  { "by", gh_bytes_str(c->by) },
                                                  { "reason", gh_bytes_str(c->reason) },
                                                  { "sessions", .number = c->sessions_ended } } });
    answer_msg.version = c->version;
    answer_msg.changed = c->changed || c->sessions_ended > 0;
    answer_msg.sessions_ended = c->sessions_ended;
    gh_reply_send(c->reply, GH__ENVELOPE__BODY_AUTH_REVOKE_REPLY, &answer_msg);
    free(c);
}

static void on_listed(void *ctx, enum gh_err err, uint64_t version, bool changed)
{
    struct change *c = ctx;

    if (err != GH_OK) c->err = err;
    c->version = version;
    c->changed = changed;
    change_done(c);
}

static void on_sessions_ended(void *ctx, enum gh_err err, const void *body)
{
    struct change *c = ctx;

    /* For a user the list is what counts: edges close on it. A session has nothing else. */
    if (err == GH_OK)
        c->sessions_ended = ((const Gh__SessionEnded *)body)->count;
    else if (c->kind == GH__REVOKE_KIND__REVOKE_SESSION)
        c->err = err;
    change_done(c);
}

static enum gh_err make_change(struct auth *auth, const struct gh_peer *peer,
                               const Gh__Revocation *r, struct gh_reply *reply,
                               struct change **ret_change)
{
    struct change *c = calloc(1, sizeof(*c));
    ProtobufCBinaryData by = r->by.len > 0 ? r->by : gh_bytes_str(peer->instance);

    if (c == NULL) return GH_ERR_NOMEM;
    c->auth = auth;
    c->reply = reply;
    c->left = 1;
    c->kind = r->kind;
    if (gh_bytes_copy(r->subject, c->subject, sizeof(c->subject)) != GH_OK ||
        gh_bytes_copy(r->issuer, c->issuer, sizeof(c->issuer)) != GH_OK ||
        gh_bytes_copy(by, c->by, sizeof(c->by)) != GH_OK ||
        gh_bytes_copy(r->reason, c->reason, sizeof(c->reason)) != GH_OK) {
        free(c);
        return GH_ERR_BAD_MESSAGE;
    }
    *ret_change = c;
    return GH_OK;
}

static enum gh_err end_sessions(struct change *c)
{
    ProtobufCBinaryData none = gh_bytes("", 0), subject = gh_bytes_str(c->subject);
    bool of_user = c->kind == GH__REVOKE_KIND__REVOKE_USER;
    enum gh_err err =
        auth_end_sessions(c->auth, of_user ? subject : none, of_user ? none : subject,
                          gh_bytes_str(c->reason), gh_bytes_str(c->by), on_sessions_ended, c);

    if (err == GH_OK) c->left++;
    return of_user ? GH_OK : err;
}

enum gh_err revoke_on_request(void *ctx, const struct gh_peer *peer, const void *body,
                              struct gh_reply *reply)
{
    const Gh__AuthRevoke *msg = body;
    const Gh__Revocation *r = msg->revocation;
    struct auth *auth = ctx;
    struct change *c = NULL;
    bool of_session;
    enum gh_err err;

    if (r == NULL || r->subject.len == 0) return GH_ERR_BAD_MESSAGE;
    of_session = r->kind == GH__REVOKE_KIND__REVOKE_SESSION;
    if (of_session && msg->lift) return GH_ERR_BAD_MESSAGE; /* what has ended stays ended */
    err = make_change(auth, peer, r, reply, &c);
    if (err != GH_OK) return err;
    c->lift = msg->lift;
    if (!of_session) {
        err = msg->lift ? revocations_lift(auth->revocations, r, on_listed, c)
                        : revocations_add(auth->revocations, r, (uint64_t)gh_clock_wall_ms(),
                                          on_listed, c);
        if (err == GH_OK) c->left++;
    }
    if (err == GH_OK && !msg->lift && (of_session || r->kind == GH__REVOKE_KIND__REVOKE_USER))
        err = end_sessions(c);
    if (err != GH_OK && c->left == 1) {
        free(c);
        return err;
    }
    change_done(c);
    return GH_OK;
}

enum gh_err revoke_on_list(void *ctx, const struct gh_peer *peer, const void *body,
                           struct gh_reply *reply)
{
    const Gh__AuthRevocations *msg = body;
    struct revocations_page *page;
    struct auth *auth = ctx;
    enum gh_err err;

    (void)peer;
    /* A list that was never read must not look like an empty one. */
    if (!revocations_loaded(auth->revocations)) return GH_ERR_UNAVAILABLE;
    page = calloc(1, sizeof(*page));
    if (page == NULL) return GH_ERR_NOMEM;
    err = revocations_list(auth->revocations, msg->cursor, (uint64_t)gh_clock_wall_ms(), page);
    if (err == GH_OK) {
        if (msg->cursor.len == 0) page->reply.roles = role_table_message(auth->rules->roles);
        gh_reply_send(reply, GH__ENVELOPE__BODY_AUTH_REVOCATIONS_REPLY, &page->reply);
        page->reply.roles = NULL;
        revocations_page_free(page);
    }
    free(page);
    return err;
}
