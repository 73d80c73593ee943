/*
 * head - one HTTP/1.1 request head, taken apart under caps and judged for form.
 *
 * Two steps. head_scan() looks at bytes as they arrive and finds the end of the head or the first
 * thing no honest client sends: a bare CR or LF, a NUL or another control character, a folded line,
 * an empty line before the request. head_parse() then runs http-parser once over the whole head and
 * applies what a lenient parser lets through: duplicate or conflicting headers, absolute-form and
 * CONNECT targets, HTTP/1.0, a body announced on an upgrade. So what the edge and a proxy in front
 * of it understand cannot differ.
 *
 * Spans point into the caller's buffer. Pure. Source: RFC 9112, RFC 6455 section 4.
 */
#ifndef EDGE_HEAD_H
#define EDGE_HEAD_H

#include "common/code.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HEAD_PROTOCOLS_MAX  16
#define HEAD_EXTENSIONS_MAX 8
#define HEAD_KEY_LEN        24 /* Sec-WebSocket-Key: 16 bytes in base64 */

struct head_limits {
    uint32_t max_bytes;
    uint32_t max_headers;
    uint32_t max_target_bytes;
};

struct head_scanner { /* zeroed at the start */
    size_t at;        /* bytes looked at */
    size_t line;      /* offset of the line being read */
    uint32_t lines;
    bool cr;
};

enum head_scan {
    HEAD_MORE,
    HEAD_DONE, /* scanner->at is the length of the head, its last CRLF included */
    HEAD_BAD,
    HEAD_TOO_LARGE,
};

/* data is everything received so far; each byte is looked at once. */
enum head_scan head_scan(struct head_scanner *scanner, const struct head_limits *limits,
                         const char *data, size_t len);

struct span { /* absent: data is NULL; empty: len is 0 */
    const char *data;
    size_t len;
};

enum head_method { HEAD_GET, HEAD_POST, HEAD_OPTIONS, HEAD_OTHER };

struct head {
    enum head_method method;
    struct span target; /* origin-form */
    struct span path;
    struct span query; /* without '?' */
    struct span host;
    struct span origin;
    struct span authorization;
    struct span cookie;
    struct span user_agent;
    struct span content_type;
    struct span x_forwarded_for;
    struct span forwarded;
    struct span ws_key;
    struct span ws_version;
    struct span protocols[HEAD_PROTOCOLS_MAX]; /* offered, in order */
    size_t n_protocols;
    struct span extensions[HEAD_EXTENSIONS_MAX]; /* "permessage-deflate; x=y", in order */
    size_t n_extensions;
    uint64_t content_length;
    bool has_content_length;
    bool has_transfer_encoding;
    bool upgrade_websocket;  /* Upgrade names websocket */
    bool has_upgrade;        /* there is an Upgrade header */
    bool connection_upgrade; /* Connection names upgrade */
};

/* buf, len: what head_scan found. GH_CODE_OK, GH_CODE_BAD_REQUEST, GH_CODE_HEAD_TOO_LARGE. On
 * failure *ret_reason is a fixed phrase for the log; *ret_head is then partly filled and good for
 * nothing. */
enum gh_code head_parse(const char *buf, size_t len, const struct head_limits *limits,
                        struct head *ret_head, const char **ret_reason);

/* Is this head a WebSocket opening handshake, and a correct one? GH_CODE_OK; GH_CODE_METHOD;
 * GH_CODE_UPGRADE_REQUIRED (no upgrade asked for, or another version); GH_CODE_BAD_REQUEST. */
enum gh_code head_judge_upgrade(const struct head *head, const char **ret_reason);

bool span_eq(struct span span, const char *text);      /* exactly */
bool span_case_eq(struct span span, const char *text); /* ASCII, case ignored */
bool span_starts(struct span span, const char *text);  /* exactly */
bool span_is_token(struct span span);                  /* RFC 9110 section 5.6.2 */
struct span span_trim(struct span span);               /* without SP and HTAB at both ends */
/* Takes the next element off a comma-separated list; false at its end. Quoted strings are not known
 * here: no list header of the handshake has them, and a quote is refused where it would matter. */
bool span_next_item(struct span *list, char separator, struct span *ret_item);

#endif
