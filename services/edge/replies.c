#include "replies.h"

#include "edge.h"
#include "resume.h"

#include "common/clock.h"
#include "common/json/builder.h"
#include "common/log.h"

#include <string.h>

/* {"type":TYPE,"payload":{ ... the caller ... },"timestamp":NOW} */
static void begin(struct edge *edge, struct gh_json *j, const char *type)
{
    gh_buf_reset(&edge->scratch);
    gh_json_init(j, &edge->scratch);
    gh_json_begin_object(j);
    gh_json_kv_str(j, "type", type);
    gh_json_key(j, "payload");
    gh_json_begin_object(j);
}

static void write_id(struct gh_json *j, const void *id, size_t id_len)
{
    char text[64 + 2];

    if (id == NULL || id_len == 0 || id_len > sizeof text - 2) return;
    text[0] = '"';
    memcpy(text + 1, id, id_len);
    text[1 + id_len] = '"';
    gh_json_key(j, "id");
    gh_json_raw(j, text, id_len + 2);
}

static void end(struct conn *conn, struct gh_json *j, const void *id, size_t id_len)
{
    struct edge *edge = conn->edge;

    gh_json_end_object(j);
    write_id(j, id, id_len);
    gh_json_kv_int(j, "timestamp", gh_clock_wall_ms());
    gh_json_end_object(j);
    if (gh_json_finish(j) != GH_OK) {
        conn_close(conn, GH_CODE_INTERNAL, 0, "no memory for an answer");
        return;
    }
    /* Some of these hold a CSRF token. */
    conn_send_plain(conn, edge->scratch.data, edge->scratch.len, false);
}

static void write_resume(struct conn *conn, struct gh_json *j)
{
    const struct resume *resume = conn->resume;

    if (resume == NULL) {
        gh_json_kv_bool(j, "resume", false);
        return;
    }
    gh_json_key(j, "resume");
    gh_json_begin_object(j);
    gh_json_kv_bool(j, "resumed", resume_was_resumed(resume));
    gh_json_kv_str(j, "secret", resume_secret(resume));
    gh_json_kv_uint(j, "windowMs", conn->route->resume.window_ms);
    gh_json_kv_uint(j, "lastSeq", resume_seen(resume));
    gh_json_end_object(j);
}

void replies_welcome(struct conn *conn)
{
    const struct edge_config *config = &conn->edge->config;
    const struct identity *who = conn->identity;
    struct gh_json j;

    begin(conn->edge, &j, "welcome");
    gh_json_kv_str(&j, "sessionId", who->session_id);
    gh_json_kv_str(&j, "csrfToken", who->csrf);
    gh_json_kv_uint(&j, "expiresAt", who->expires_ms);
    gh_json_kv_uint(&j, "heartbeatMs", config->ping_interval_ms);
    gh_json_kv_uint(&j, "maxMessageBytes", config->max_message_bytes);
    write_resume(conn, &j);
    end(conn, &j, NULL, 0);
}

void replies_error(struct conn *conn, const char *request_id, uint32_t code, const void *id,
                   size_t id_len, uint64_t retry_after_ms)
{
    const struct gh_code_info *info = gh_code_info(code);
    char own_id[GH_REQUEST_ID_LEN + 1];
    struct gh_json j;

    if (request_id == NULL) {
        gh_request_id(own_id);
        request_id = own_id;
    }
    conn->refused++;
    (*conn->edge->stats.rejected[code < GH_CODE_COUNT ? code : GH_CODE_INTERNAL])++;
    if (gh_log_enabled(GH_LOG_DEBUG))
        gh_log(GH_LOG_DEBUG, "message_refused", "request_id=%s connection=%s code=%s", request_id,
               conn->request_id, info->name);
    begin(conn->edge, &j, "error");
    gh_json_kv_str(&j, "code", info->name);
    gh_json_kv_str(&j, "message", info->text);
    gh_json_kv_str(&j, "requestId", request_id);
    if (retry_after_ms > 0) gh_json_kv_uint(&j, "retryAfterMs", retry_after_ms);
    write_id(&j, id, id_len);
    end(conn, &j, NULL, 0);
}

void replies_health(struct conn *conn, const void *id, size_t id_len)
{
    struct gh_json j;

    begin(conn->edge, &j, "health-check");
    gh_json_kv_str(&j, "status", "ok");
    gh_json_kv_int(&j, "serverTime", gh_clock_wall_ms());
    end(conn, &j, id, id_len);
}

void replies_token_expiring(struct conn *conn)
{
    struct gh_json j;

    begin(conn->edge, &j, "token_expiring");
    gh_json_kv_uint(&j, "expiresAt", conn->identity->expires_ms);
    end(conn, &j, NULL, 0);
}

void replies_token_refreshed(struct conn *conn, const void *id, size_t id_len)
{
    struct gh_json j;

    begin(conn->edge, &j, "token_refresh");
    gh_json_kv_uint(&j, "expiresAt", conn->identity->expires_ms);
    end(conn, &j, id, id_len);
}

void replies_csrf_rotated(struct conn *conn)
{
    struct gh_json j;

    begin(conn->edge, &j, "csrf_rotated");
    gh_json_kv_str(&j, "csrfToken", conn->identity->csrf);
    end(conn, &j, NULL, 0);
}

void replies_resume_lost(struct conn *conn)
{
    struct gh_json j;

    begin(conn->edge, &j, "resume_lost");
    end(conn, &j, NULL, 0);
}

void replies_going_away(struct conn *conn, uint64_t reconnect_after_ms)
{
    struct gh_json j;

    begin(conn->edge, &j, "going_away");
    gh_json_kv_uint(&j, "reconnectAfterMs", reconnect_after_ms);
    end(conn, &j, NULL, 0);
}
