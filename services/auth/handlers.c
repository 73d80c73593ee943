#include "handlers.h"

#include "auth.h"

#include "common/clock.h"
#include "common/code.h"
#include "common/log.h"

#define TEXT(field) (int)(field).len, (const char *)(field).data

static const char *kind_name(Gh__CredentialKind kind)
{
    static const char *const names[] = { "bearer", "subprotocol", "ticket",
                                         "cookie", "certificate", "refresh" };

    return (unsigned)kind < sizeof(names) / sizeof(names[0]) ? names[kind] : "unknown";
}

/* One place for every refusal: the precise reason goes here and nowhere else. */
static void tell_refusal(struct auth *auth, const Gh__AuthVerify *msg, enum auth_reason reason,
                         const struct identity *identity)
{
    /* Only a name whose signature was good is put on record: others are anybody's words. */
    const char *issuer = identity->issuer != NULL ? identity->issuer->rule.name : "";

    gh_log(GH_LOG_INFO, "auth_refused",
           "request_id=%.*s address=%.*s route=%.*s credential=%s reason=%s issuer=\"%s\"",
           TEXT(msg->request_id), TEXT(msg->address), TEXT(msg->route), kind_name(msg->kind),
           auth_reason_name(reason), issuer);
    gh_audit_emit(
        auth->audit, GH_SEV_WARNING, "auth.refused",
        &(struct gh_audit_event){ .request_id = msg->request_id,
                                  .user = msg->subject,
                                  .address = msg->address,
                                  .code = gh_code_info(GH_CODE_UNAUTHENTICATED)->name,
                                  .fields = { { "reason", gh_bytes_str(auth_reason_name(reason)) },
                                              { "route", msg->route },
                                              { "credential", gh_bytes_str(kind_name(msg->kind)) },
                                              { "issuer", gh_bytes_str(issuer) } } });
}

static enum gh_err on_verify(void *ctx, const struct gh_peer *peer, const void *body,
                             struct gh_reply *reply)
{
    const Gh__AuthVerify *msg = body;
    struct auth *auth = ctx;
    Gh__AuthVerdict verdict = GH__AUTH_VERDICT__INIT;
    ProtobufCBinaryData roles[VERIFY_ROLES_MAX];
    struct identity identity;
    enum auth_reason reason;

    (void)peer;
    if (msg->route.len > 64 || msg->address.len > 64 || msg->request_id.len > 64 ||
        msg->subject.len > VERIFY_USER_MAX_BYTES)
        return GH_ERR_BAD_MESSAGE;
    reason = auth_judge(auth, msg, gh_clock_wall_ms(), &identity);
    if (reason == AUTH_OK) {
        verdict.code = GH_CODE_OK;
        verdict.user = gh_bytes(identity.user, identity.user_len);
        for (size_t i = 0; i < identity.role_count; i++)
            roles[i] = gh_bytes_str(identity.roles[i]);
        verdict.n_roles = identity.role_count;
        verdict.roles = roles;
        verdict.expires_ms = (uint64_t)identity.expires_ms;
        verdict.token_id = gh_bytes(identity.token_id, identity.token_id_len);
        verdict.issuer = gh_bytes_str(identity.issuer->rule.name);
    } else {
        verdict.code = GH_CODE_UNAUTHENTICATED;
        verdict.reason = gh_bytes_str(auth_reason_name(reason));
        tell_refusal(auth, msg, reason, &identity);
    }
    gh_reply_send(reply, GH__ENVELOPE__BODY_AUTH_VERDICT, &verdict);
    return GH_OK;
}

const struct gh_route auth_routes[] = {
    { GH__ENVELOPE__BODY_AUTH_VERIFY, GH_ROLE_EDGE, on_verify },
    { 0 },
};
