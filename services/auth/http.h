/*
 * http - /auth/ticket, /auth/token, /auth/refresh, /auth/logout: requests the edge passes on whole.
 *
 *   POST /auth/ticket   Authorization: Bearer T
 *        200 {"ticket":"...","expires_in":30}
 *   POST /auth/token    Authorization: Basic client:secret   {"user":"alice","roles":["user"]}
 *        200
 * {"access_token","token_type":"Bearer","expires_in","refresh_token","refresh_expires_in"} POST
 * /auth/refresh  {"refresh_token":"..."}               200 as for /auth/token POST /auth/logout
 * Authorization: Bearer T   {} or {"everywhere":true} 200 {"logged_out":true}: the token, its
 * refresh family and the connections it opened end; everywhere: all of the user
 *
 * A refusal is {"error":CODE,"message":TEXT,"requestId":ID} with the status of the code; why is in
 * the log and the audit event alone.
 */
#ifndef AUTH_HTTP_H
#define AUTH_HTTP_H

#include "auth.h"

#define HTTP_BODY_MAX_BYTES 16384u

/* Contract as gh_handler_fn; ctx: struct auth. */
enum gh_err http_on_request(void *ctx, const struct gh_peer *peer, const void *body,
                            struct gh_reply *reply);

/* ---- for the parts: one request until it is answered ---- */

struct http_call {
    struct auth *auth;
    struct gh_reply *reply;
    char path[65], address[65], request_id[65];
};

struct http_body { /* a JSON object; empty counts as {} */
    struct gh_tape tape;
    bool empty;
};
bool http_body_parse(const Gh__AuthHttp *msg, struct http_body *ret_body);
void http_body_done(struct http_body *body);
/* A string member without control characters, copied NUL-ended. */
bool http_body_text(const struct http_body *body, const char *name, char *dst, size_t size);

/* Each answers and frees the call. */
void http_json(struct http_call *call, const char *json, size_t len);
/* www: "Bearer" or "Basic" to ask for it, or NULL. why: for the log and, with a security meaning,
 * the audit event. */
void http_refuse(struct http_call *call, uint32_t code, const char *www, const char *why);

/* token_http.c */
void http_token(struct http_call *call, const Gh__AuthHttp *msg);
void http_refresh(struct http_call *call, const Gh__AuthHttp *msg);
void http_logout(struct http_call *call, const Gh__AuthHttp *msg);

#endif
