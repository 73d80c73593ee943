#include "refresh.h"

#include "edge.h"
#include "replies.h"
#include "revoke_feed.h"
#include "session_link.h"

#include "common/log.h"

#include <stdlib.h>
#include <string.h>

#define ID_MAX    64
#define ROLES_MAX 2048
#define TOKEN_MAX 256

struct refresh {
    struct edge *edge;
    uint64_t conn_id;
    char id[ID_MAX];
    size_t id_len;
    uint64_t expires_ms;
    char roles[ROLES_MAX], token_id[TOKEN_MAX];
    size_t roles_len, token_id_len;
    struct origin *origin;
    uint64_t revocations, role_tables; /* seen when the verdict came */
};

static void drop(struct refresh *refresh)
{
    free(refresh->origin);
    free(refresh);
}

static struct conn *conn_of(const struct refresh *refresh)
{
    struct conn *conn = conn_table_find(&refresh->edge->conns, refresh->conn_id);

    return conn != NULL && conn->state == CONN_OPEN ? conn : NULL;
}

static void fail(struct refresh *refresh, uint32_t code)
{
    struct conn *conn = conn_of(refresh);

    if (conn != NULL) {
        conn->refresh_waiting = false;
        replies_error(conn, NULL, code, refresh->id, refresh->id_len,
                      code == GH_CODE_UNAVAILABLE ? 1000 : 0);
    }
    drop(refresh);
}

/* The new roles and token id take the place of the old ones. */
static bool adopt(struct identity *who, struct refresh *refresh)
{
    char *text = malloc(refresh->roles_len + refresh->token_id_len + 2);

    if (text == NULL) return false;
    memcpy(text, refresh->roles, refresh->roles_len);
    text[refresh->roles_len] = 0;
    memcpy(text + refresh->roles_len + 1, refresh->token_id, refresh->token_id_len);
    text[refresh->roles_len + 1 + refresh->token_id_len] = 0;
    free(who->renewed);
    free(who->origin);
    who->renewed = text;
    who->origin = refresh->origin;
    refresh->origin = NULL;
    who->roles = text;
    who->roles_len = (uint16_t)refresh->roles_len;
    who->rules_epoch = 0;
    who->token_id = text + refresh->roles_len + 1;
    who->token_id_len = (uint16_t)refresh->token_id_len;
    return true;
}

static void on_renewed(void *ctx, enum gh_err err, const void *body)
{
    struct refresh *refresh = ctx;
    const Gh__SessionRenewed *renewed = body;
    struct conn *conn = conn_of(refresh);
    char csrf[IDENTITY_CSRF_MAX + 1];

    if (err != GH_OK || renewed->code != GH_CODE_OK) {
        fail(refresh, err != GH_OK ? GH_CODE_UNAVAILABLE : renewed->code);
        return;
    }
    if (conn == NULL) {
        drop(refresh);
        return;
    }
    if (revoke_feed_hit_since(refresh->edge->revoke_feed, refresh->revocations,
                              &(struct revocable){ .user = conn->identity->user,
                                                   .user_len = conn->identity->user_len,
                                                   .token_id = refresh->token_id,
                                                   .token_id_len = refresh->token_id_len,
                                                   .origin = refresh->origin })) {
        fail(refresh, GH_CODE_UNAUTHENTICATED);
        return;
    }
    if (gh_bytes_copy(renewed->csrf_token, csrf, sizeof csrf) != GH_OK ||
        !adopt(conn->identity, refresh)) {
        fail(refresh, GH_CODE_INTERNAL);
        return;
    }
    revoke_feed_roles_since(refresh->edge->revoke_feed, refresh->role_tables, conn);
    conn->context_batch = 0;
    conn->refresh_waiting = false;
    conn->expiry_warned = false;
    conn->identity->session_end_ms = renewed->expires_ms;
    conn->identity->expires_ms =
        renewed->expires_ms < refresh->expires_ms ? renewed->expires_ms : refresh->expires_ms;
    replies_token_refreshed(conn, refresh->id, refresh->id_len);
    if (csrf[0] != 0) conn_rotate_csrf(conn, csrf);
    if (conn->state == CONN_OPEN) conn_rearm(conn);
    drop(refresh);
}

static bool take_verdict(struct refresh *refresh, const Gh__AuthVerdict *verdict)
{
    if (verdict->token_id.len > sizeof refresh->token_id) return false;
    refresh->revocations = revoke_feed_mark(refresh->edge->revoke_feed);
    refresh->role_tables = revoke_feed_roles_mark(refresh->edge->revoke_feed);
    refresh->origin = origin_new(verdict);
    if (refresh->origin == NULL) return false;
    refresh->token_id_len = verdict->token_id.len;
    if (refresh->token_id_len > 0)
        memcpy(refresh->token_id, verdict->token_id.data, refresh->token_id_len);
    for (size_t i = 0; i < verdict->n_roles; i++) {
        ProtobufCBinaryData role = verdict->roles[i];

        if (role.len == 0 || memchr(role.data, ',', role.len) != NULL ||
            refresh->roles_len + role.len + 1 > sizeof refresh->roles)
            return false;
        if (refresh->roles_len > 0) refresh->roles[refresh->roles_len++] = ',';
        memcpy(refresh->roles + refresh->roles_len, role.data, role.len);
        refresh->roles_len += role.len;
    }
    refresh->expires_ms = verdict->expires_ms;
    return true;
}

static void on_auth(void *ctx, enum gh_err err, const void *body)
{
    struct refresh *refresh = ctx;
    const Gh__AuthVerdict *verdict = body;
    struct conn *conn = conn_of(refresh);
    Gh__SessionRenew renew = GH__SESSION_RENEW__INIT;
    struct gh_client *client;
    char address[ADDR_TEXT_MAX];

    if (conn == NULL) {
        drop(refresh);
        return;
    }
    if (err != GH_OK) {
        fail(refresh, GH_CODE_UNAVAILABLE);
        return;
    }
    if (verdict->code != GH_CODE_OK) {
        gh_log(GH_LOG_INFO, "refresh_refused", "connection=%s reason=\"%.*s\"", conn->request_id,
               (int)verdict->reason.len,
               verdict->reason.len > 0 ? (const char *)verdict->reason.data : "");
        fail(refresh, verdict->code);
        return;
    }
    /* Auth was asked for this subject only; another one in its answer is a bug, not a client. */
    if (verdict->user.len != conn->identity->user_len ||
        memcmp(verdict->user.data, conn->identity->user, verdict->user.len) != 0 ||
        !take_verdict(refresh, verdict)) {
        fail(refresh, GH_CODE_INTERNAL);
        return;
    }
    client = session_link_client(refresh->edge->session_link);
    renew.session_id = gh_bytes_str(conn->identity->session_id);
    renew.user = gh_bytes(conn->identity->user, conn->identity->user_len);
    renew.token_id = gh_bytes(refresh->token_id, refresh->token_id_len);
    renew.expires_ms = refresh->expires_ms;
    addr_format(&conn->addr, address);
    renew.address = gh_bytes_str(address);
    renew.request_id = gh_bytes_str(conn->request_id);
    if (gh_client_call(client, gh_client_peer_any(client), GH__ENVELOPE__BODY_SESSION_RENEW, &renew,
                       GH__ENVELOPE__BODY_SESSION_RENEWED, refresh->edge->config.call_timeout_ms,
                       on_renewed, refresh) != GH_OK)
        fail(refresh, GH_CODE_UNAVAILABLE);
}

void refresh_start(struct conn *conn, const Gh__Verdict *verdict)
{
    struct edge *edge = conn->edge;
    Gh__AuthVerify request = GH__AUTH_VERIFY__INIT;
    struct refresh *refresh;
    char address[ADDR_TEXT_MAX];

    if (conn->refresh_waiting) {
        replies_error(conn, NULL, GH_CODE_RATE_LIMITED, verdict->id.data, verdict->id.len, 1000);
        return;
    }
    refresh = calloc(1, sizeof *refresh);
    if (refresh == NULL) {
        replies_error(conn, NULL, GH_CODE_INTERNAL, verdict->id.data, verdict->id.len, 0);
        return;
    }
    refresh->edge = edge;
    refresh->conn_id = conn->id;
    if (verdict->id.len > 0 && verdict->id.len <= sizeof refresh->id) {
        refresh->id_len = verdict->id.len;
        memcpy(refresh->id, verdict->id.data, verdict->id.len);
    }
    addr_format(&conn->addr, address);
    request.kind = GH__CREDENTIAL_KIND__CREDENTIAL_REFRESH;
    request.credential = verdict->output;
    request.route = gh_bytes_str(conn->route->name);
    request.address = gh_bytes_str(address);
    request.request_id = gh_bytes_str(conn->request_id);
    request.subject = gh_bytes(conn->identity->user, conn->identity->user_len);
    conn->refresh_waiting = true;
    if (gh_client_call(edge->auth, gh_client_peer_any(edge->auth), GH__ENVELOPE__BODY_AUTH_VERIFY,
                       &request, GH__ENVELOPE__BODY_AUTH_VERDICT, edge->config.call_timeout_ms,
                       on_auth, refresh) != GH_OK)
        fail(refresh, GH_CODE_UNAVAILABLE);
}
