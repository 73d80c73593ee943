#include "admission.h"

#include "charge.h"
#include "edge.h"
#include "handshake.h"
#include "resume.h"
#include "revoke_feed.h"
#include "session_link.h"

#include "common/clock.h"
#include "common/log.h"

#include <stdlib.h>
#include <string.h>

#define LIMITER_WAIT_MS 1000 /* then the edge's own limits decide */
#define USER_MAX        256
#define ROLES_MAX       64
#define ROLES_BYTES_MAX 2048
#define SESSION_ID_MAX  64
#define TOKEN_ID_MAX    256
#define AGENT_MAX       256

struct admission {
    struct edge *edge;
    struct conn *conn; /* NULL: abandoned */
    unsigned pending;  /* answers to come */
    char user[USER_MAX];
    size_t user_len;
    char roles[ROLES_BYTES_MAX];
    size_t roles_len;
    char token_id[TOKEN_ID_MAX];
    size_t token_id_len;
    uint64_t expires_ms;
    uint64_t session_end_ms;
    char session_id[SESSION_ID_MAX + 1]; /* "": no session made */
    char csrf[IDENTITY_CSRF_MAX + 1];
    struct resume *resume; /* of a resumable session */
    uint32_t refusal;      /* the first no; GH_CODE_OK: none */
    uint64_t retry_after_ms;
    const char *reason;
    struct origin *origin;
    uint64_t revocations, role_tables; /* seen when the verdict came */
};

/* --- the end ---------------------------------------------------------------------------------- */

static void refuse(struct admission *a, uint32_t code, uint64_t retry_after_ms, const char *reason)
{
    if (a->refusal != GH_CODE_OK) return;
    a->refusal = code < GH_CODE_COUNT ? code : GH_CODE_INTERNAL;
    a->retry_after_ms = retry_after_ms;
    a->reason = reason;
}

static const char *put(char **at, const void *bytes, size_t len)
{
    char *start = *at;

    if (len > 0) memcpy(start, bytes, len);
    start[len] = 0;
    *at += len + 1;
    return start;
}

static struct identity *make_identity(const struct admission *a)
{
    size_t id_len = strlen(a->session_id);
    struct identity *who =
        calloc(1, sizeof *who + id_len + a->user_len + a->roles_len + a->token_id_len + 4);
    char *at;

    if (who == NULL) return NULL;
    at = who->text;
    who->session_id = put(&at, a->session_id, id_len);
    memcpy(who->csrf, a->csrf, sizeof who->csrf);
    who->user = put(&at, a->user, a->user_len);
    who->user_len = (uint16_t)a->user_len;
    who->roles = put(&at, a->roles, a->roles_len);
    who->roles_len = (uint16_t)a->roles_len;
    who->token_id = put(&at, a->token_id, a->token_id_len);
    who->token_id_len = (uint16_t)a->token_id_len;
    who->expires_ms = a->session_end_ms < a->expires_ms ? a->session_end_ms : a->expires_ms;
    who->session_end_ms = a->session_end_ms;
    who->origin = a->origin; /* taken over when the connection opens */
    return who;
}

static enum gh_err open_conn(struct admission *a)
{
    struct conn *conn = a->conn;
    struct edge *edge = a->edge;
    struct identity *who = make_identity(a);
    enum gh_err err;

    if (who == NULL) return GH_ERR_NOMEM;
    who->conn = conn;
    if (a->resume != NULL && resume_was_resumed(a->resume)) {
        struct conn *before =
            directory_session(&edge->directory, who->session_id, strlen(who->session_id));

        if (before != NULL) conn_close(before, GH_CODE_SUPERSEDED, 0, "resumed");
    }
    err = directory_enter(&edge->directory, who);
    if (err != GH_OK) {
        free(who);
        return err;
    }
    conn->identity = who;
    a->origin = NULL;
    revoke_feed_roles_since(edge->revoke_feed, a->role_tables, conn);
    if (a->resume != NULL) {
        err = resume_adopt(conn, a->resume);
        if (err != GH_OK) return err; /* conn_leave takes it out again */
        a->resume = NULL;
    }
    gh_histogram_add(edge->stats.admission_us,
                     (uint64_t)(gh_clock_mono_us() - conn->handshake->started_us));
    conn->handshake->admission = NULL;
    conn_open(conn);
    return GH_OK;
}

/* Auth said yes, and took it back before the others had answered. */
static bool was_revoked(const struct admission *a)
{
    return revoke_feed_hit_since(a->edge->revoke_feed, a->revocations,
                                 &(struct revocable){ .user = a->user,
                                                      .user_len = a->user_len,
                                                      .token_id = a->token_id,
                                                      .token_id_len = a->token_id_len,
                                                      .origin = a->origin });
}

/* Every answer is here: open, or refuse and undo. Frees the admission. */
static void settle(struct admission *a)
{
    struct edge *edge = a->edge;
    bool opened = false;

    if (a->refusal == GH_CODE_OK && was_revoked(a))
        refuse(a, GH_CODE_UNAUTHENTICATED, 0, "revoked meanwhile");
    if (a->conn != NULL && a->refusal == GH_CODE_OK) {
        if (open_conn(a) == GH_OK)
            opened = true;
        else
            refuse(a, GH_CODE_INTERNAL, 0, "no memory");
    }
    if (!opened && a->session_id[0] != 0)
        session_link_undo(edge->session_link, a->session_id, a->user, a->user_len, a->refusal);
    if (a->conn != NULL && !opened) {
        a->conn->handshake->admission = NULL;
        conn_refuse(a->conn, a->refusal, a->retry_after_ms, a->reason);
    }
    edge->admitting--;
    resume_free(a->resume);
    free(a->origin);
    free(a);
}

void admission_abandon(struct admission *admission)
{
    if (admission == NULL) return;
    admission->conn = NULL;
    refuse(admission, GH_CODE_UNAVAILABLE, 0, "abandoned");
}

/* --- limiter and session ---------------------------------------------------------------------- */

static void on_admit(void *ctx, enum gh_err err, const void *body)
{
    struct admission *a = ctx;
    const Gh__AdmitReply *reply = body;

    if (err == GH_OK && reply->code != GH_CODE_OK)
        refuse(a, reply->code, reply->retry_after_ms, "limiter");
    if (--a->pending == 0) settle(a);
}

static enum gh_err take_session(struct admission *a, const Gh__SessionCreated *reply)
{
    enum gh_err err;

    if (reply->session_id.len == 0 || reply->csrf_token.len == 0) return GH_ERR_BAD_MESSAGE;
    err = gh_bytes_copy(reply->csrf_token, a->csrf, sizeof a->csrf);
    if (err == GH_OK) err = gh_bytes_copy(reply->session_id, a->session_id, sizeof a->session_id);
    a->session_end_ms = reply->expires_ms;
    if (err == GH_OK && reply->resume_secret.len > 0) err = resume_new(reply, &a->resume);
    return err;
}

static void on_session(void *ctx, enum gh_err err, const void *body)
{
    struct admission *a = ctx;
    const Gh__SessionCreated *reply = body;

    if (err == GH_OK && reply->code != GH_CODE_OK)
        refuse(a, reply->code, reply->retry_after_ms, "session");
    else if (err != GH_OK || take_session(a, reply) != GH_OK)
        refuse(a, GH_CODE_UNAVAILABLE, 1000, "session away");
    if (--a->pending == 0) settle(a);
}

static void ask_limiter(struct admission *a, const struct conn *conn, const char *address)
{
    Gh__AdmitRequest request = GH__ADMIT_REQUEST__INIT;
    struct gh_client *limiter = charge_client(a->edge->charge);

    request.address = gh_bytes_str(address);
    request.user = gh_bytes(a->user, a->user_len);
    request.route = gh_bytes_str(conn->route->name);
    request.request_id = gh_bytes_str(conn->request_id);
    request.token_id = gh_bytes(a->token_id, a->token_id_len);
    if (gh_client_call(limiter, gh_client_peer_any(limiter), GH__ENVELOPE__BODY_ADMIT_REQUEST,
                       &request, GH__ENVELOPE__BODY_ADMIT_REPLY, LIMITER_WAIT_MS, on_admit,
                       a) == GH_OK)
        a->pending++;
}

static void ask_session(struct admission *a, const struct conn *conn, const char *address)
{
    const struct span agent = conn->handshake->head.user_agent;
    const struct route_resume *window = &conn->route->resume;
    const struct resume_claim *claim = &conn->handshake->resume;
    Gh__SessionKeep keep = GH__SESSION_KEEP__INIT;
    Gh__SessionResume resume = GH__SESSION_RESUME__INIT;
    Gh__SessionCreate request = GH__SESSION_CREATE__INIT;
    struct gh_client *client = session_link_client(a->edge->session_link);
    ProtobufCBinaryData roles[ROLES_MAX];
    struct span list = { a->roles, a->roles_len }, role;
    size_t n = 0;

    while (a->roles_len > 0 && n < ROLES_MAX && span_next_item(&list, ',', &role))
        roles[n++] = gh_bytes(role.data, role.len);
    request.user = gh_bytes(a->user, a->user_len);
    request.address = gh_bytes_str(address);
    request.agent = gh_bytes(agent.data, agent.len < AGENT_MAX ? agent.len : AGENT_MAX);
    request.route = gh_bytes_str(conn->route->name);
    request.token_id = gh_bytes(a->token_id, a->token_id_len);
    request.expires_ms = a->expires_ms;
    request.edge = gh_bytes_str(a->edge->instance);
    request.edge_boot_id = a->edge->boot_id;
    request.request_id = gh_bytes_str(conn->request_id);
    request.roles = roles;
    request.n_roles = n;
    if (window->window_ms > 0) {
        keep.window_ms = window->window_ms;
        keep.max_messages = window->max_messages;
        keep.max_bytes = window->max_bytes;
        request.keep = &keep;
    }
    if (window->window_ms > 0 && claim->session_id.data != NULL) {
        resume.session_id = gh_bytes(claim->session_id.data, claim->session_id.len);
        resume.secret = gh_bytes(claim->secret.data, claim->secret.len);
        resume.last_seq = claim->last_seq;
        request.resume = &resume;
    }
    if (gh_client_call(client, gh_client_peer_any(client), GH__ENVELOPE__BODY_SESSION_CREATE,
                       &request, GH__ENVELOPE__BODY_SESSION_CREATED,
                       a->edge->config.handshake_timeout_ms, on_session, a) == GH_OK)
        a->pending++;
    else
        refuse(a, GH_CODE_UNAVAILABLE, 1000, "session away");
}

/* --- auth ------------------------------------------------------------------------------------- */

static bool copy_bytes(char *dst, size_t size, ProtobufCBinaryData bytes, size_t *ret_len)
{
    if (bytes.len > size || (bytes.len > 0 && memchr(bytes.data, 0, bytes.len) != NULL))
        return false;
    if (bytes.len > 0) memcpy(dst, bytes.data, bytes.len);
    *ret_len = bytes.len;
    return true;
}

static bool join_roles(struct admission *a, const Gh__AuthVerdict *verdict)
{
    if (verdict->n_roles > ROLES_MAX) return false;
    for (size_t i = 0; i < verdict->n_roles; i++) {
        ProtobufCBinaryData role = verdict->roles[i];

        /* A comma inside would read as another role further on. */
        if (role.len == 0 || memchr(role.data, ',', role.len) != NULL ||
            memchr(role.data, 0, role.len) != NULL || a->roles_len + role.len + 1 > sizeof a->roles)
            return false;
        if (a->roles_len > 0) a->roles[a->roles_len++] = ',';
        memcpy(a->roles + a->roles_len, role.data, role.len);
        a->roles_len += role.len;
    }
    return true;
}

static bool take_verdict(struct admission *a, const Gh__AuthVerdict *verdict)
{
    a->expires_ms = verdict->expires_ms;
    a->revocations = revoke_feed_mark(a->edge->revoke_feed);
    a->role_tables = revoke_feed_roles_mark(a->edge->revoke_feed);
    a->origin = origin_new(verdict);
    return a->origin != NULL && verdict->user.len > 0 &&
           copy_bytes(a->user, sizeof a->user, verdict->user, &a->user_len) &&
           copy_bytes(a->token_id, sizeof a->token_id, verdict->token_id, &a->token_id_len) &&
           join_roles(a, verdict);
}

/* What the edge itself knows of this user. */
static void judge_user(struct admission *a)
{
    struct edge *edge = a->edge;
    uint64_t wall = (uint64_t)gh_clock_wall_ms();
    const struct user_entry *entry = directory_user(&edge->directory, a->user, a->user_len);

    if (a->expires_ms <= wall)
        refuse(a, GH_CODE_TOKEN_EXPIRED, 0, "expired");
    else if (ban_table_subject(edge->bans, GH__BAN_KIND__BAN_USER, a->user, a->user_len, wall))
        refuse(a, GH_CODE_BANNED, 0, "user banned");
    else if (a->token_id_len > 0 && ban_table_subject(edge->bans, GH__BAN_KIND__BAN_TOKEN,
                                                      a->token_id, a->token_id_len, wall))
        refuse(a, GH_CODE_BANNED, 0, "token banned");
    else if (entry != NULL && entry->count >= edge->config.max_connections_per_user)
        refuse(a, GH_CODE_SESSION_LIMIT, 5000, "connections of this user on this edge");
}

static void on_auth(void *ctx, enum gh_err err, const void *body)
{
    struct admission *a = ctx;
    const Gh__AuthVerdict *verdict = body;
    char address[ADDR_TEXT_MAX];

    a->pending--;
    if (err != GH_OK) {
        refuse(a, GH_CODE_UNAVAILABLE, 1000, "auth away");
    } else if (verdict->code != GH_CODE_OK) {
        gh_log(GH_LOG_INFO, "credential_refused", "request_id=%s reason=\"%.*s\"",
               a->conn != NULL ? a->conn->request_id : "-", (int)verdict->reason.len,
               verdict->reason.len > 0 ? (const char *)verdict->reason.data : "");
        refuse(a, verdict->code, 1000, "auth");
    } else if (!take_verdict(a, verdict)) {
        refuse(a, GH_CODE_INTERNAL, 0, "verdict of auth out of range");
    } else {
        judge_user(a);
    }
    if (a->refusal == GH_CODE_OK) {
        addr_format(&a->conn->addr, address);
        ask_session(a, a->conn, address);
        if (a->refusal == GH_CODE_OK) ask_limiter(a, a->conn, address);
    }
    if (a->pending == 0) settle(a);
}

void admission_start(struct conn *conn)
{
    struct edge *edge = conn->edge;
    const struct handshake *hs = conn->handshake;
    struct admission *a = calloc(1, sizeof *a);
    Gh__AuthVerify request = GH__AUTH_VERIFY__INIT;
    char address[ADDR_TEXT_MAX];

    if (a == NULL) {
        conn_refuse(conn, GH_CODE_INTERNAL, 0, "no memory");
        return;
    }
    a->edge = edge;
    a->conn = conn;
    addr_format(&conn->addr, address);
    request.kind = hs->credential.kind;
    request.credential = gh_bytes(hs->credential.value.data, hs->credential.value.len);
    request.route = gh_bytes_str(conn->route->name);
    request.address = gh_bytes_str(address);
    request.request_id = gh_bytes_str(conn->request_id);
    if (gh_client_call(edge->auth, gh_client_peer_any(edge->auth), GH__ENVELOPE__BODY_AUTH_VERIFY,
                       &request, GH__ENVELOPE__BODY_AUTH_VERDICT, edge->config.handshake_timeout_ms,
                       on_auth, a) != GH_OK) {
        free(a);
        conn_refuse(conn, GH_CODE_UNAVAILABLE, 1000, "auth away");
        return;
    }
    a->pending = 1;
    edge->admitting++;
    conn->handshake->admission = a;
}
