#include "handlers.h"

#include "auth.h"
#include "http.h"
#include "park.h"
#include "revoke.h"
#include "tickets.h"

#include "common/clock.h"
#include "common/code.h"
#include "common/log.h"

#include <stdlib.h>
#include <string.h>

#define TEXT(field) (int)(field).len, (const char *)(field).data

static const char *kind_name(Gh__CredentialKind kind)
{
    static const char *const names[] = { "bearer", "subprotocol", "ticket",
                                         "cookie", "certificate", "refresh" };

    return (unsigned)kind < sizeof(names) / sizeof(names[0]) ? names[kind] : "unknown";
}

/* ---- verdicts ---- */

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

static void answer(struct auth *auth, const Gh__AuthVerify *msg, enum auth_reason reason,
                   const struct identity *identity, struct gh_reply *reply)
{
    Gh__AuthVerdict verdict = GH__AUTH_VERDICT__INIT;
    struct auth_roles roles;

    if (reason == AUTH_OK && auth_verdict_fill(auth, identity, &roles, &verdict) != GH_OK)
        reason = AUTH_ROLES_MANY;
    (*auth->verdicts[reason])++;
    if (reason != AUTH_OK) {
        verdict.code = GH_CODE_UNAUTHENTICATED;
        verdict.reason = gh_bytes_str(auth_reason_name(reason));
        tell_refusal(auth, msg, reason, identity);
    }
    gh_reply_send(reply, GH__ENVELOPE__BODY_AUTH_VERDICT, &verdict);
}

static void answer_unavailable(struct auth *auth, struct gh_reply *reply)
{
    Gh__AuthVerdict verdict = GH__AUTH_VERDICT__INIT;

    (*auth->unavailable)++;
    verdict.code = GH_CODE_UNAVAILABLE;
    verdict.retry_after_ms = AUTH_RETRY_MS;
    gh_reply_send(reply, GH__ENVELOPE__BODY_AUTH_VERDICT, &verdict);
}

struct ticket_call { /* what the answer needs once Redis has spoken */
    struct auth *auth;
    struct gh_reply *reply;
    char route[65], address[65], request_id[65];
};

static void on_ticket(void *ctx, enum auth_reason reason, bool unavailable,
                      const struct identity *identity)
{
    struct ticket_call *call = ctx;
    Gh__AuthVerify msg = GH__AUTH_VERIFY__INIT;

    msg.kind = GH__CREDENTIAL_KIND__CREDENTIAL_TICKET;
    msg.route = gh_bytes_str(call->route);
    msg.address = gh_bytes_str(call->address);
    msg.request_id = gh_bytes_str(call->request_id);
    if (unavailable)
        answer_unavailable(call->auth, call->reply);
    else
        answer(call->auth, &msg, reason, identity, call->reply);
    free(call);
}

static enum gh_err verify_ticket(struct auth *auth, const Gh__AuthVerify *msg,
                                 struct gh_reply *reply)
{
    struct ticket_call *call = calloc(1, sizeof(*call));
    struct identity nobody = { .issuer = NULL };
    enum gh_err err;

    if (call == NULL) return GH_ERR_NOMEM;
    call->auth = auth;
    call->reply = reply;
    if (gh_bytes_copy(msg->route, call->route, sizeof(call->route)) != GH_OK ||
        gh_bytes_copy(msg->address, call->address, sizeof(call->address)) != GH_OK ||
        gh_bytes_copy(msg->request_id, call->request_id, sizeof(call->request_id)) != GH_OK) {
        free(call);
        return GH_ERR_BAD_MESSAGE;
    }
    err = ticket_use(auth, msg->credential, on_ticket, call);
    if (err == GH_OK) return GH_OK;
    free(call);
    if (err == GH_ERR_BAD_MESSAGE)
        answer(auth, msg, AUTH_TICKET, &nobody, reply);
    else
        answer_unavailable(auth, reply);
    return GH_OK;
}

static void verify_again(struct auth *auth, const void *msg, struct gh_reply *reply,
                         enum gh_err waited);

/* A token whose key is not known: the key may be new. first: it may wait for the issuer's keys. */
static void verify_token(struct auth *auth, const Gh__AuthVerify *msg, struct gh_reply *reply,
                         bool first, enum gh_err waited)
{
    struct identity identity;
    enum auth_reason reason = auth_judge(auth, msg, gh_clock_wall_ms(), &identity);

    if (identity.missing != NULL && first) {
        waited = auth_park(auth, identity.missing, &msg->base, reply, verify_again);
        if (waited == GH_OK) return;
    }
    /* Not judged, for the source is away: not the same as not known there. */
    if (reason == AUTH_KEYS_AWAY ||
        (identity.missing != NULL && waited != GH_OK && waited != GH_ERR_NOT_FOUND)) {
        (*auth->verdicts[AUTH_KEYS_AWAY])++;
        answer_unavailable(auth, reply);
        return;
    }
    answer(auth, msg, reason, &identity, reply);
}

static void verify_again(struct auth *auth, const void *msg, struct gh_reply *reply,
                         enum gh_err waited)
{
    verify_token(auth, msg, reply, false, waited);
}

static enum gh_err on_verify(void *ctx, const struct gh_peer *peer, const void *body,
                             struct gh_reply *reply)
{
    const Gh__AuthVerify *msg = body;
    struct auth *auth = ctx;

    (void)peer;
    if (msg->route.len > 64 || msg->address.len > 64 || msg->request_id.len > 64 ||
        msg->subject.len > VERIFY_USER_MAX_BYTES)
        return GH_ERR_BAD_MESSAGE;
    /* What was revoked is not known yet: nobody gets in on that. */
    if (!revocations_loaded(auth->revocations)) {
        answer_unavailable(auth, reply);
        return GH_OK;
    }
    if (msg->kind == GH__CREDENTIAL_KIND__CREDENTIAL_TICKET) return verify_ticket(auth, msg, reply);
    verify_token(auth, msg, reply, true, GH_OK);
    return GH_OK;
}

const struct gh_route auth_routes[] = {
    { GH__ENVELOPE__BODY_AUTH_VERIFY, GH_ROLE_EDGE, on_verify },
    { GH__ENVELOPE__BODY_AUTH_REVOKE, GH_ROLE_CTL | GH_ROLE_CONSOLE | GH_ROLE_AUDIT,
      revoke_on_request },
    { GH__ENVELOPE__BODY_AUTH_REVOCATIONS, GH_ROLE_EDGE | GH_ROLE_CTL | GH_ROLE_CONSOLE,
      revoke_on_list },
    { GH__ENVELOPE__BODY_AUTH_HTTP, GH_ROLE_EDGE, http_on_request },
    { 0 },
};
