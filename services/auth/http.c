#include "http.h"

#include "park.h"
#include "tickets.h"

#include "common/clock.h"
#include "common/code.h"
#include "common/json/builder.h"
#include "common/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct gh_json_limits body_limits = {
    .max_bytes = HTTP_BODY_MAX_BYTES,
    .max_depth = 3,
    .max_nodes = 256,
    .max_members = 32,
    .max_items = 128,
    .max_string_bytes = 8192,
    .max_key_bytes = 64,
    .max_number_chars = 32,
    .refuse_nul = true,
};

/* ---- answers ---- */

void http_json(struct http_call *call, const char *json, size_t len)
{
    Gh__AuthHttpReply answer = GH__AUTH_HTTP_REPLY__INIT;

    answer.status = 200;
    answer.code = GH_CODE_OK;
    answer.body = gh_bytes(json, len);
    gh_reply_send(call->reply, GH__ENVELOPE__BODY_AUTH_HTTP_REPLY, &answer);
    free(call);
}

static void tell_refusal(const struct http_call *call, const struct gh_code_info *info,
                         const char *why)
{
    gh_log(GH_LOG_INFO, "auth_http_refused", "request_id=%s address=%s path=%s code=%s reason=%s",
           call->request_id, call->address, call->path, info->name, why);
    if (info->severity >= GH_SEV_WARNING && info->http_status < 500)
        gh_audit_emit(
            call->auth->audit, info->severity, "auth.http_refused",
            &(struct gh_audit_event){ .request_id = gh_bytes_str(call->request_id),
                                      .address = gh_bytes_str(call->address),
                                      .code = info->name,
                                      .fields = { { "reason", gh_bytes_str(why) },
                                                  { "path", gh_bytes_str(call->path) } } });
}

void http_refuse(struct http_call *call, uint32_t code, const char *www, const char *why)
{
    const struct gh_code_info *info = gh_code_info(code);
    Gh__AuthHttpReply answer = GH__AUTH_HTTP_REPLY__INIT;
    char header[64], body[512];
    struct gh_buf buf;
    struct gh_json j;

    gh_buf_init_fixed(&buf, body, sizeof(body));
    gh_json_init(&j, &buf);
    gh_json_begin_object(&j);
    gh_json_kv_str(&j, "error", info->name);
    gh_json_kv_str(&j, "message", info->text);
    gh_json_kv_str(&j, "requestId", call->request_id);
    gh_json_end_object(&j);
    if (gh_json_finish(&j) == GH_OK) answer.body = gh_bytes(buf.data, buf.len);
    answer.status = info->http_status;
    answer.code = code;
    if (code == GH_CODE_UNAVAILABLE) {
        (*call->auth->unavailable)++;
        answer.retry_after_ms = AUTH_RETRY_MS;
    }
    if (www != NULL) {
        (void)snprintf(header, sizeof(header), "%s realm=\"gatehouse\"", www);
        answer.www_authenticate = gh_bytes_str(header);
    }
    tell_refusal(call, info, why);
    gh_reply_send(call->reply, GH__ENVELOPE__BODY_AUTH_HTTP_REPLY, &answer);
    free(call);
}

/* ---- bodies ---- */

bool http_body_parse(const Gh__AuthHttp *msg, struct http_body *ret_body)
{
    static const char json[] = "application/json";

    gh_tape_init(&ret_body->tape);
    ret_body->empty = msg->body.len == 0;
    if (ret_body->empty) return true;
    if (msg->content_type.len < sizeof(json) - 1 ||
        strncasecmp((const char *)msg->content_type.data, json, sizeof(json) - 1) != 0 ||
        gh_tape_parse(&ret_body->tape, msg->body.data, msg->body.len, &body_limits) != GH_JSON_OK ||
        gh_tape_kind(&ret_body->tape, 0) != GH_JSON_OBJ) {
        gh_tape_done(&ret_body->tape);
        return false;
    }
    return true;
}

void http_body_done(struct http_body *body)
{
    gh_tape_done(&body->tape);
}

bool http_body_text(const struct http_body *body, const char *name, char *dst, size_t size)
{
    char scratch[8192];
    const char *text;
    uint32_t node;
    size_t len;

    if (body->empty) return false;
    node = gh_tape_get(&body->tape, 0, name, strlen(name));
    if (node == GH_TAPE_NONE || gh_tape_kind(&body->tape, node) != GH_JSON_STR) return false;
    text = gh_tape_str(&body->tape, node, scratch, &len);
    if (len == 0 || len >= size || !verify_is_text(text, len)) return false;
    memcpy(dst, text, len);
    dst[len] = '\0';
    return true;
}

/* ---- tickets ---- */

static void on_ticket(void *ctx, const char *ticket)
{
    struct http_call *call = ctx;
    char body[160];
    int len;

    if (ticket == NULL) {
        http_refuse(call, GH_CODE_UNAVAILABLE, NULL, "redis");
        return;
    }
    (*call->auth->tickets_made)++;
    len = snprintf(body, sizeof(body), "{\"ticket\":\"%s\",\"expires_in\":%u}", ticket,
                   (unsigned)(call->auth->rules->cfg.ticket_ttl_ms / 1000));
    http_json(call, body, (size_t)len);
    explicit_bzero(body, sizeof(body));
}

static void make_ticket(struct http_call *call, const Gh__AuthHttp *msg)
{
    struct identity identity;
    enum auth_reason reason =
        auth_judge_bearer(call->auth, msg->authorization, gh_clock_wall_ms(), &identity);

    if (reason != AUTH_OK)
        http_refuse(call, GH_CODE_UNAUTHENTICATED, "Bearer", auth_reason_name(reason));
    else if (ticket_make(call->auth, &identity, on_ticket, call) != GH_OK)
        http_refuse(call, GH_CODE_UNAVAILABLE, NULL, "redis");
}

/* ---- routes ---- */

static const struct {
    const char *path;
    void (*fn)(struct http_call *call, const Gh__AuthHttp *msg);
} paths[] = {
    { "/auth/ticket", make_ticket },
    { "/auth/token", http_token },
    { "/auth/refresh", http_refresh },
    { "/auth/logout", http_logout },
};

static struct http_call *make_call(struct auth *auth, const Gh__AuthHttp *msg,
                                   struct gh_reply *reply)
{
    struct http_call *call = calloc(1, sizeof(*call));

    if (call == NULL) return NULL;
    call->auth = auth;
    call->reply = reply;
    if (gh_bytes_copy(msg->path, call->path, sizeof(call->path)) != GH_OK)
        (void)snprintf(call->path, sizeof(call->path), "?");
    if (gh_bytes_copy(msg->address, call->address, sizeof(call->address)) != GH_OK ||
        gh_bytes_copy(msg->request_id, call->request_id, sizeof(call->request_id)) != GH_OK) {
        free(call);
        return NULL;
    }
    return call;
}

static void handle(struct http_call *call, const Gh__AuthHttp *msg)
{
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        if (strcmp(paths[i].path, call->path) != 0) continue;
        if (gh_bytes_eq(msg->method, "POST"))
            paths[i].fn(call, msg);
        else
            http_refuse(call, GH_CODE_METHOD, NULL, "method");
        return;
    }
    http_refuse(call, GH_CODE_NOT_FOUND, NULL, "no_such_path");
}

static void handle_again(struct auth *auth, const void *msg, struct gh_reply *reply,
                         enum gh_err waited)
{
    struct http_call *call = make_call(auth, msg, reply);

    if (call == NULL)
        gh_reply_fail(reply, GH_ERR_NOMEM);
    else if (waited != GH_OK)
        http_refuse(call, GH_CODE_UNAVAILABLE, NULL, auth_reason_name(AUTH_KEYS_AWAY));
    else
        handle(call, msg);
}

/* Does it carry a token whose key may be on its way? */
static struct keyset *missing_keys(struct auth *auth, const Gh__AuthHttp *msg)
{
    struct identity identity;
    enum auth_reason ignored =
        auth_judge_bearer(auth, msg->authorization, gh_clock_wall_ms(), &identity);

    (void)ignored;
    return identity.missing;
}

enum gh_err http_on_request(void *ctx, const struct gh_peer *peer, const void *body,
                            struct gh_reply *reply)
{
    const Gh__AuthHttp *msg = body;
    struct auth *auth = ctx;
    struct keyset *missing;
    struct http_call *call;
    enum gh_err err;

    (void)peer;
    if (msg->body.len > HTTP_BODY_MAX_BYTES || msg->authorization.len > HTTP_BODY_MAX_BYTES ||
        msg->path.len == 0)
        return GH_ERR_BAD_MESSAGE;
    call = make_call(auth, msg, reply);
    if (call == NULL) return GH_ERR_BAD_MESSAGE;
    if (!revocations_loaded(auth->revocations)) {
        http_refuse(call, GH_CODE_UNAVAILABLE, NULL, "revocations_not_read");
        return GH_OK;
    }
    missing = missing_keys(auth, msg);
    if (missing != NULL) {
        err = auth_park(auth, missing, &msg->base, reply, handle_again);
        if (err == GH_OK) {
            free(call);
            return GH_OK;
        }
        if (err != GH_ERR_NOT_FOUND) {
            http_refuse(call, GH_CODE_UNAVAILABLE, NULL, auth_reason_name(AUTH_KEYS_AWAY));
            return GH_OK;
        }
    }
    handle(call, msg);
    return GH_OK;
}
