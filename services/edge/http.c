#include "http.h"

#include "edge.h"
#include "events.h"
#include "handshake.h"
#include "http_answer.h"

#include "common/json/builder.h"
#include "common/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ANSWER_MAX (64u << 10)

struct http_path {
    const char *path;
    const char *allow;
    bool pages; /* may be called by a page, with its Origin */
};

static const struct http_path paths[HTTP_PATHS] = {
    { "/auth/ticket", "POST, OPTIONS", true },
    { "/auth/token", "POST", false },
    { "/auth/refresh", "POST, OPTIONS", true },
    { "/auth/logout", "POST, OPTIONS", true },
};

struct http {
    const struct http_path *path;
    struct span origin; /* the request's, an allowed one; absent: it has none */
    uint64_t retry_ms;
    size_t len, size; /* of the body */
    bool preflight;
    uint8_t body[];
};

struct http_call { /* what the answer finds its connection by */
    struct edge *edge;
    uint64_t conn_id;
};

void http_free(struct http *http)
{
    if (http == NULL) return;
    explicit_bzero(http->body, http->size);
    free(http);
}

static const struct http_path *find_path(struct span path)
{
    for (size_t i = 0; i < HTTP_PATHS; i++)
        if (span_eq(path, paths[i].path)) return &paths[i];
    return NULL;
}

const char *http_path_name(size_t index)
{
    return paths[index].path;
}

bool http_takes(const struct edge *edge, struct span path)
{
    return edge->config.http.enabled && find_path(path) != NULL;
}

/* --- what the head says ----------------------------------------------------------------------- */

static bool in_list(const struct gh_config_list *list, struct span origin)
{
    for (size_t i = 0; i < list->count; i++)
        if (span_eq(origin, list->items[i])) return true;
    return false;
}

/* The pages that may open a socket may ask for what opens it; others by a list of their own. */
static bool origin_ok(const struct edge *edge, struct span origin)
{
    bool found = in_list(&edge->config.http.origins, origin);

    for (size_t i = 0; !found && i < edge->routes.count; i++)
        found = in_list(&edge->routes.routes[i].origins, origin);
    return found;
}

/* A name that some route answers to. */
static bool host_ok(const struct edge *edge, const struct head *head)
{
    const char *reason;

    for (size_t i = 0; i < edge->routes.count; i++)
        if (route_check_host(&edge->routes.routes[i], head, &reason) == GH_CODE_OK) return true;
    return false;
}

static bool is_json(struct span type)
{
    struct span media;

    return span_next_item(&type, ';', &media) && span_case_eq(media, "application/json");
}

static enum gh_code judge_rate(struct conn *conn, struct http *http)
{
    struct edge *edge = conn->edge;
    struct address_entry *entry = NULL;

    switch (address_enter(&edge->http_addresses, &conn->addr, edge_now(edge), &entry,
                          &http->retry_ms)) {
    case ADDRESS_OK: address_leave(&edge->http_addresses, entry); return GH_CODE_OK;
    case ADDRESS_RATE:
    case ADDRESS_FULL: break;
    }
    return GH_CODE_RATE_LIMITED;
}

static enum gh_code judge_head(struct conn *conn, struct http *http, const char **ret_reason)
{
    const struct edge *edge = conn->edge;
    const struct head *head = &conn->handshake->head;

    *ret_reason = "origin not in the list";
    if (head->origin.data != NULL) {
        if (!origin_ok(edge, head->origin) || !http->path->pages) return GH_CODE_ORIGIN;
        http->origin = head->origin;
    }
    *ret_reason = "http requests of this address";
    if (judge_rate(conn, http) != GH_CODE_OK) return GH_CODE_RATE_LIMITED;
    *ret_reason = "host not in the list";
    if (!host_ok(edge, head)) return GH_CODE_BAD_REQUEST;
    *ret_reason = "query on an /auth path";
    if (head->query.data != NULL) return GH_CODE_BAD_REQUEST;
    *ret_reason = "upgrade on an /auth path";
    if (head->has_upgrade || head->ws_key.data != NULL) return GH_CODE_BAD_REQUEST;
    *ret_reason = "method";
    http->preflight = head->method == HEAD_OPTIONS && http->origin.data != NULL;
    if (head->method != HEAD_POST && !http->preflight) return GH_CODE_METHOD;
    *ret_reason = "body with a preflight";
    if (http->preflight) return head->content_length == 0 ? GH_CODE_OK : GH_CODE_BAD_REQUEST;
    *ret_reason = "no content-length";
    if (!head->has_content_length) return GH_CODE_LENGTH_REQUIRED;
    *ret_reason = "body too large";
    if (head->content_length > edge->config.http.max_body_bytes) return GH_CODE_TOO_LARGE;
    *ret_reason = "content-type";
    if (head->content_length > 0 && !is_json(head->content_type)) return GH_CODE_MEDIA_TYPE;
    return GH_CODE_OK;
}

enum gh_code http_judge(struct conn *conn, const char **ret_reason)
{
    struct handshake *hs = conn->handshake;
    uint64_t size = hs->head.content_length;
    struct http *http;

    if (size > conn->edge->config.http.max_body_bytes) size = 0; /* refused below */
    http = calloc(1, sizeof *http + size);
    if (http == NULL) {
        *ret_reason = "no memory";
        return GH_CODE_INTERNAL;
    }
    http->path = find_path(hs->head.path);
    http->size = size;
    hs->http = http;
    return judge_head(conn, http, ret_reason);
}

/* --- answers ---------------------------------------------------------------------------------- */

static void count(const struct conn *conn, const struct http_path *path, uint32_t code)
{
    const struct stats *stats = &conn->edge->stats;

    (*stats->http_requests[path - paths])++;
    (*stats->http_answers[code < GH_CODE_COUNT ? code : GH_CODE_INTERNAL])++;
}

/* Fills what every answer has, sends it and ends the request. */
static void send_answer(struct conn *conn, struct http_answer *answer)
{
    const struct http *http = conn->handshake->http;
    struct gh_buf bytes;

    answer->request_id = conn->request_id;
    answer->origin = http->origin;
    answer->tls = conn->tls;
    gh_buf_init(&bytes, ANSWER_MAX + 4096);
    if (http_answer_write(answer, &bytes) == GH_OK)
        conn_answer(conn, bytes.data, bytes.len);
    else
        conn_kill(conn);
    if (bytes.data != NULL) explicit_bzero(bytes.data, bytes.len);
    gh_buf_done(&bytes);
}

bool http_refuse(struct conn *conn, uint32_t code, uint64_t retry_after_ms, const char *reason)
{
    const struct gh_code_info *info = gh_code_info(code);
    struct http_answer answer = { .status = info->http_status };
    const struct http *http = conn->handshake != NULL ? conn->handshake->http : NULL;
    char text[512];
    struct gh_buf body;
    struct gh_json j;

    if (http == NULL) return false;
    gh_buf_init_fixed(&body, text, sizeof text);
    gh_json_init(&j, &body);
    gh_json_begin_object(&j);
    gh_json_kv_str(&j, "error", info->name);
    gh_json_kv_str(&j, "message", info->text);
    gh_json_kv_str(&j, "requestId", conn->request_id);
    gh_json_end_object(&j);
    if (gh_json_finish(&j) == GH_OK) {
        answer.body = body.data;
        answer.body_len = body.len;
    }
    if (info->http_status == 429 || info->http_status == 503)
        answer.retry_after_ms =
            http->retry_ms > 0 ? http->retry_ms : (retry_after_ms > 0 ? retry_after_ms : 1000);
    if (info->http_status == 405) answer.allow = http->path->allow;
    count(conn, http->path, code);
    events_http_refused(conn, http->path->path, code, reason);
    conn->code = (uint8_t)code;
    send_answer(conn, &answer);
    return true;
}

/* --- the question ----------------------------------------------------------------------------- */

static void on_answer(void *ctx, enum gh_err err, const void *body)
{
    struct http_call call = *(struct http_call *)ctx;
    struct conn *conn = conn_table_find(&call.edge->conns, call.conn_id);
    const Gh__AuthHttpReply *reply = body;
    struct http_answer answer = { 0 };

    free(ctx);
    /* It left, or was refused for what it sent after its request. */
    if (conn == NULL || conn->state != CONN_ADMITTING || conn->handshake == NULL ||
        conn->handshake->http == NULL)
        return;
    if (err != GH_OK) {
        conn_refuse(conn, GH_CODE_UNAVAILABLE, 1000, "auth away");
        return;
    }
    answer.status = reply->status <= 599 ? (uint16_t)reply->status : 0;
    answer.body = reply->body.data;
    answer.body_len = reply->body.len;
    answer.www =
        (struct span){ (const char *)reply->www_authenticate.data, reply->www_authenticate.len };
    answer.retry_after_ms = reply->retry_after_ms;
    if (answer.status == 405) answer.allow = conn->handshake->http->path->allow;
    if (answer.body_len > ANSWER_MAX || answer.status < 200 || answer.status == 204) {
        conn_refuse(conn, GH_CODE_INTERNAL, 0, "answer of auth out of range");
        return;
    }
    count(conn, conn->handshake->http->path, reply->code);
    send_answer(conn, &answer);
}

static void ask(struct conn *conn)
{
    struct edge *edge = conn->edge;
    const struct head *head = &conn->handshake->head;
    const struct http *http = conn->handshake->http;
    Gh__AuthHttp request = GH__AUTH_HTTP__INIT;
    struct http_call *call = malloc(sizeof *call);
    char address[ADDR_TEXT_MAX];

    if (call == NULL) {
        conn_refuse(conn, GH_CODE_INTERNAL, 0, "no memory");
        return;
    }
    *call = (struct http_call){ edge, conn->id };
    addr_format(&conn->addr, address);
    request.method = gh_bytes_str("POST");
    request.path = gh_bytes_str(http->path->path);
    request.authorization = gh_bytes(head->authorization.data, head->authorization.len);
    request.content_type = gh_bytes(head->content_type.data, head->content_type.len);
    request.body = gh_bytes(http->body, http->size);
    request.address = gh_bytes_str(address);
    request.request_id = gh_bytes_str(conn->request_id);
    conn->state = CONN_ADMITTING;
    if (gh_client_call(edge->auth, gh_client_peer_any(edge->auth), GH__ENVELOPE__BODY_AUTH_HTTP,
                       &request, GH__ENVELOPE__BODY_AUTH_HTTP_REPLY,
                       edge->config.handshake_timeout_ms, on_answer, call) != GH_OK) {
        free(call);
        conn_refuse(conn, GH_CODE_UNAVAILABLE, 1000, "auth away");
    }
}

void http_rx(struct conn *conn, const uint8_t *data, size_t len)
{
    struct http *http = conn->handshake->http;

    if (len > http->size - http->len) {
        conn_refuse(conn, GH_CODE_BAD_REQUEST, 0, "bytes after the request");
        return;
    }
    if (len > 0) memcpy(http->body + http->len, data, len);
    http->len += len;
    if (http->len < http->size) return;
    if (http->preflight) {
        struct http_answer answer = { .status = 204, .preflight = true };

        count(conn, http->path, GH_CODE_OK);
        send_answer(conn, &answer);
        return;
    }
    ask(conn);
}

void http_begin(struct conn *conn, const uint8_t *first, size_t first_len, const uint8_t *rest,
                size_t rest_len)
{
    const struct http *http = conn->handshake->http;

    if (first_len + rest_len > http->size) {
        conn_refuse(conn, GH_CODE_BAD_REQUEST, 0, "bytes after the request");
        return;
    }
    if (rest_len == 0) {
        http_rx(conn, first, first_len);
        return;
    }
    memcpy(conn->handshake->http->body, first, first_len);
    conn->handshake->http->len = first_len;
    http_rx(conn, rest, rest_len);
}
