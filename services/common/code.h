/*
 * code - the one list of answers a client can get.
 *
 * Each row: symbol, public name (the `code` of an error message, the label in metrics and audit),
 * HTTP status when it ends a handshake, WebSocket close code when it ends a connection (0: the
 * connection goes on), audit severity, public text. The texts are fixed: nothing internal ever
 * reaches a client. Numbers travel on the bus, so new rows go at the end.
 *
 * Source: RFC 6455 section 7.4 for 1xxx; 44xx are ours (proto/README.md).
 */
#ifndef GH_CODE_H
#define GH_CODE_H

#include <stddef.h>
#include <stdint.h>

enum gh_severity {
    GH_SEV_INFO,
    GH_SEV_NOTICE,
    GH_SEV_WARNING,
    GH_SEV_ERROR,
    GH_SEV_CRITICAL,
};

/* clang-format off */
/*    symbol                    public name             http  close severity       public text */
#define GH_CODE_LIST(X)                                                                                                          \
    X(GH_CODE_OK,               "ok",                   101,  1000, GH_SEV_INFO,    "ok")                                         \
    X(GH_CODE_BAD_REQUEST,      "bad_request",          400,  1002, GH_SEV_NOTICE,  "malformed request")                          \
    X(GH_CODE_UNAUTHENTICATED,  "unauthenticated",      401,  4401, GH_SEV_WARNING, "missing or invalid credentials")             \
    X(GH_CODE_FORBIDDEN,        "forbidden",            403,  4403, GH_SEV_WARNING, "not allowed")                                \
    X(GH_CODE_ORIGIN,           "origin_not_allowed",   403,  4403, GH_SEV_WARNING, "origin not allowed")                         \
    X(GH_CODE_NOT_FOUND,        "not_found",            404,  4403, GH_SEV_NOTICE,  "no such route")                              \
    X(GH_CODE_METHOD,           "method_not_allowed",   405,  1002, GH_SEV_NOTICE,  "method not allowed")                         \
    X(GH_CODE_TIMEOUT,          "request_timeout",      408,  4408, GH_SEV_NOTICE,  "too slow")                                   \
    X(GH_CODE_HEAD_TOO_LARGE,   "head_too_large",       431,  1009, GH_SEV_NOTICE,  "request head too large")                     \
    X(GH_CODE_UPGRADE_REQUIRED, "upgrade_required",     426,  1002, GH_SEV_NOTICE,  "WebSocket version 13 over TLS required")     \
    X(GH_CODE_RATE_LIMITED,     "rate_limit_exceeded",  429,  4429, GH_SEV_NOTICE,  "too many requests")                          \
    X(GH_CODE_BANNED,           "banned",               403,  4430, GH_SEV_NOTICE,  "not allowed")                                \
    X(GH_CODE_FULL,             "server_full",          503,  1013, GH_SEV_WARNING, "too many connections")                       \
    X(GH_CODE_UNAVAILABLE,      "unavailable",          503,  1013, GH_SEV_WARNING, "temporarily unavailable")                    \
    X(GH_CODE_SESSION_LIMIT,    "session_limit",        429,  4409, GH_SEV_NOTICE,  "too many sessions")                          \
    X(GH_CODE_SUPERSEDED,       "superseded",           409,  4409, GH_SEV_NOTICE,  "replaced by a newer session")                \
    X(GH_CODE_SESSION_ENDED,    "session_ended",        401,  4430, GH_SEV_NOTICE,  "session ended")                              \
    X(GH_CODE_TOKEN_EXPIRED,    "token_expired",        401,  4401, GH_SEV_NOTICE,  "credentials expired")                        \
    X(GH_CODE_IDLE,             "idle_timeout",         408,  4408, GH_SEV_INFO,    "idle for too long")                          \
    X(GH_CODE_GOING_AWAY,       "going_away",           503,  1012, GH_SEV_INFO,    "server is restarting")                       \
    X(GH_CODE_SLOW_CONSUMER,    "slow_consumer",        503,  1013, GH_SEV_NOTICE,  "reading too slowly")                         \
    X(GH_CODE_PROTOCOL_ERROR,   "protocol_error",       400,  1002, GH_SEV_WARNING, "WebSocket protocol error")                   \
    X(GH_CODE_BAD_UTF8,         "bad_utf8",             400,  1007, GH_SEV_WARNING, "invalid UTF-8")                              \
    X(GH_CODE_TOO_LARGE,        "message_too_large",    413,  1009, GH_SEV_WARNING, "message too large")                          \
    X(GH_CODE_BAD_JSON,         "bad_json",             400,  0,    GH_SEV_WARNING, "message is not strict JSON")                 \
    X(GH_CODE_BAD_ENVELOPE,     "bad_envelope",         400,  0,    GH_SEV_WARNING, "message envelope is not valid")              \
    X(GH_CODE_UNKNOWN_TYPE,     "unknown_type",         400,  0,    GH_SEV_WARNING, "message type not allowed here")              \
    X(GH_CODE_CSRF,             "csrf_failed",          403,  0,    GH_SEV_WARNING, "missing or wrong csrfToken")                 \
    X(GH_CODE_ROLE,             "role_forbidden",       403,  0,    GH_SEV_WARNING, "not allowed to send this type")              \
    X(GH_CODE_SCHEMA,           "schema_violation",     400,  0,    GH_SEV_NOTICE,  "payload does not match its schema")          \
    X(GH_CODE_CONTENT,          "content_refused",      400,  0,    GH_SEV_WARNING, "content not allowed")                        \
    X(GH_CODE_REPLAY,           "replayed",             409,  0,    GH_SEV_WARNING, "message was sent before or is too old")      \
    X(GH_CODE_BINARY,           "binary_refused",       400,  0,    GH_SEV_WARNING, "binary message not allowed here")            \
    X(GH_CODE_INTERNAL,         "internal",             500,  1011, GH_SEV_ERROR,   "internal error")                            \
    X(GH_CODE_LENGTH_REQUIRED,  "length_required",      411,  1002, GH_SEV_NOTICE,  "content-length required")                    \
    X(GH_CODE_MEDIA_TYPE,       "media_type",           415,  1002, GH_SEV_NOTICE,  "content type not accepted")
/* clang-format on */

#define GH_CODE_ENUM(sym, name, http, close, sev, text) sym,
enum gh_code { GH_CODE_LIST(GH_CODE_ENUM) GH_CODE_COUNT };

struct gh_code_info {
    const char *name;
    uint16_t http_status;
    uint16_t close_code;
    enum gh_severity severity;
    const char *text;
};

/* Never NULL: a value outside the list is described as GH_CODE_INTERNAL. */
const struct gh_code_info *gh_code_info(uint32_t code);

#endif
