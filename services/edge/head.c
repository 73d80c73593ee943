#include "head.h"

#include "pmd_offer.h"

#include <http_parser.h>
#include <string.h>
#include <strings.h>

bool span_eq(struct span span, const char *text)
{
    return span.data != NULL && span.len == strlen(text) && memcmp(span.data, text, span.len) == 0;
}

bool span_case_eq(struct span span, const char *text)
{
    return span.data != NULL && span.len == strlen(text) &&
           strncasecmp(span.data, text, span.len) == 0;
}

bool span_starts(struct span span, const char *text)
{
    size_t n = strlen(text);

    return span.data != NULL && span.len >= n && memcmp(span.data, text, n) == 0;
}

struct span span_trim(struct span span)
{
    while (span.len > 0 && (span.data[0] == ' ' || span.data[0] == '\t')) {
        span.data++;
        span.len--;
    }
    while (span.len > 0 && (span.data[span.len - 1] == ' ' || span.data[span.len - 1] == '\t'))
        span.len--;
    return span;
}

bool span_next_item(struct span *list, char separator, struct span *ret_item)
{
    const char *end;

    if (list->data == NULL) return false;
    end = memchr(list->data, separator, list->len);
    if (end == NULL) {
        *ret_item = span_trim(*list);
        list->data = NULL;
        list->len = 0;
        return true;
    }
    *ret_item = span_trim((struct span){ list->data, (size_t)(end - list->data) });
    list->len -= (size_t)(end - list->data) + 1;
    list->data = end + 1;
    return true;
}

enum head_scan head_scan(struct head_scanner *scanner, const struct head_limits *limits,
                         const char *data, size_t len)
{
    while (scanner->at < len) {
        unsigned char c = (unsigned char)data[scanner->at];
        size_t column = scanner->at - scanner->line;

        if (scanner->at >= limits->max_bytes) return HEAD_TOO_LARGE;
        if (scanner->cr) {
            bool empty = column == 1;

            if (c != '\n') return HEAD_BAD;
            scanner->cr = false;
            scanner->at++;
            scanner->line = scanner->at;
            if (empty) return scanner->lines == 0 ? HEAD_BAD : HEAD_DONE;
            /* The request line, the headers, and no more. */
            if (++scanner->lines > limits->max_headers + 1) return HEAD_TOO_LARGE;
            continue;
        }
        if (c == '\r')
            scanner->cr = true;
        else if (c < 0x20 ? c != '\t' : c == 0x7f)
            return HEAD_BAD;
        else if (column == 0 && (c == ' ' || c == '\t'))
            return HEAD_BAD;
        if (scanner->lines == 0 && c != '\r' && column > limits->max_target_bytes + 32)
            return HEAD_TOO_LARGE;
        scanner->at++;
    }
    return HEAD_MORE;
}

struct parse {
    http_parser parser;
    struct head *head;
    struct span field, value;
    uint32_t seen; /* bits of enum header_id */
    const char *reason;
};

enum header_id {
    H_HOST,
    H_ORIGIN,
    H_AUTHORIZATION,
    H_COOKIE,
    H_USER_AGENT,
    H_CONTENT_TYPE,
    H_CONTENT_LENGTH,
    H_TRANSFER_ENCODING,
    H_UPGRADE,
    H_CONNECTION,
    H_WS_KEY,
    H_WS_VERSION,
    H_WS_PROTOCOL,
    H_WS_EXTENSIONS,
    H_WS_ACCEPT,
    H_X_FORWARDED_FOR,
    H_FORWARDED,
    H_COUNT,
};

static const struct {
    const char *name;
    bool list; /* may be repeated: the values are one list */
} header_rows[H_COUNT] = {
    [H_HOST] = { "host", false },
    [H_ORIGIN] = { "origin", false },
    [H_AUTHORIZATION] = { "authorization", false },
    [H_COOKIE] = { "cookie", false },
    [H_USER_AGENT] = { "user-agent", false },
    [H_CONTENT_TYPE] = { "content-type", false },
    [H_CONTENT_LENGTH] = { "content-length", false },
    [H_TRANSFER_ENCODING] = { "transfer-encoding", false },
    [H_UPGRADE] = { "upgrade", true },
    [H_CONNECTION] = { "connection", true },
    [H_WS_KEY] = { "sec-websocket-key", false },
    [H_WS_VERSION] = { "sec-websocket-version", false },
    [H_WS_PROTOCOL] = { "sec-websocket-protocol", true },
    [H_WS_EXTENSIONS] = { "sec-websocket-extensions", true },
    [H_WS_ACCEPT] = { "sec-websocket-accept", false },
    /* A balancer may add a line of its own below the client's: the last one counts. */
    [H_X_FORWARDED_FOR] = { "x-forwarded-for", true },
    [H_FORWARDED] = { "forwarded", true },
};

static bool refuse(struct parse *p, const char *reason)
{
    p->reason = reason;
    return false;
}

bool span_is_token(struct span s)
{
    static const char others[] = "!#$%&'*+-.^_`|~";

    for (size_t i = 0; i < s.len; i++) {
        char c = s.data[i];

        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
              (c != 0 && strchr(others, c) != NULL)))
            return false;
    }
    return s.len > 0;
}

static bool add_items(struct parse *p, struct span value, struct span *items, size_t max,
                      size_t *count, bool (*wellformed)(struct span item))
{
    struct span item;

    while (span_next_item(&value, ',', &item)) {
        if (item.len == 0) continue; /* RFC 9110 section 5.6.1: empty elements are allowed */
        if (*count == max) return refuse(p, "too many list elements");
        if (!wellformed(item)) return refuse(p, "malformed list element");
        items[(*count)++] = item;
    }
    return true;
}

static bool names(struct span value, const char *token)
{
    struct span item;

    while (span_next_item(&value, ',', &item))
        if (span_case_eq(item, token)) return true;
    return false;
}

static bool parse_length(struct parse *p, struct span value)
{
    uint64_t n = 0;

    if (value.len == 0 || value.len > 18) return refuse(p, "malformed content-length");
    for (size_t i = 0; i < value.len; i++) {
        if (value.data[i] < '0' || value.data[i] > '9')
            return refuse(p, "malformed content-length");
        n = n * 10 + (uint64_t)(value.data[i] - '0');
    }
    p->head->content_length = n;
    p->head->has_content_length = true;
    return true;
}

static bool take_header(struct parse *p)
{
    struct head *head = p->head;
    struct span value = span_trim(p->value);
    unsigned id = 0;

    /* http-parser lets blanks before the colon pass: a proxy may read another name there. */
    if (!span_is_token(p->field)) return refuse(p, "malformed header name");
    while (id < H_COUNT && !span_case_eq(p->field, header_rows[id].name))
        id++;
    if (id == H_COUNT) return true;
    if ((p->seen & 1u << id) != 0 && !header_rows[id].list) return refuse(p, "duplicate header");
    p->seen |= 1u << id;
    switch ((enum header_id)id) {
    case H_HOST: head->host = value; break;
    case H_ORIGIN: head->origin = value; break;
    case H_AUTHORIZATION: head->authorization = value; break;
    case H_COOKIE: head->cookie = value; break;
    case H_USER_AGENT: head->user_agent = value; break;
    case H_CONTENT_TYPE: head->content_type = value; break;
    case H_CONTENT_LENGTH: return parse_length(p, value);
    case H_TRANSFER_ENCODING: head->has_transfer_encoding = true; break;
    case H_UPGRADE:
        head->has_upgrade = true;
        head->upgrade_websocket |= names(value, "websocket");
        break;
    case H_CONNECTION: head->connection_upgrade |= names(value, "upgrade"); break;
    case H_WS_KEY: head->ws_key = value; break;
    case H_WS_VERSION: head->ws_version = value; break;
    case H_WS_PROTOCOL:
        return add_items(p, value, head->protocols, HEAD_PROTOCOLS_MAX, &head->n_protocols,
                         span_is_token);
    case H_WS_EXTENSIONS:
        return add_items(p, value, head->extensions, HEAD_EXTENSIONS_MAX, &head->n_extensions,
                         pmd_offer_wellformed);
    case H_WS_ACCEPT: return refuse(p, "sec-websocket-accept in a request");
    case H_X_FORWARDED_FOR: head->x_forwarded_for = value; break;
    case H_FORWARDED: head->forwarded = value; break;
    case H_COUNT: break;
    }
    return true;
}

static void extend(struct span *span, const char *at, size_t len)
{
    if (span->data == NULL) span->data = at;
    span->len = (size_t)(at + len - span->data);
}

static int on_url(http_parser *parser, const char *at, size_t len)
{
    struct parse *p = parser->data;

    extend(&p->head->target, at, len);
    return 0;
}

static int on_field(http_parser *parser, const char *at, size_t len)
{
    struct parse *p = parser->data;

    if (p->value.data != NULL) {
        if (!take_header(p)) return 1;
        p->field = p->value = (struct span){ NULL, 0 };
    }
    extend(&p->field, at, len);
    return 0;
}

static int on_value(http_parser *parser, const char *at, size_t len)
{
    struct parse *p = parser->data;

    extend(&p->value, at, len);
    return 0;
}

static int on_complete(http_parser *parser)
{
    struct parse *p = parser->data;

    if (p->value.data != NULL && !take_header(p)) return 1;
    return 2; /* the body, if any, is not the parser's */
}

static bool take_target(struct parse *p, const struct head_limits *limits)
{
    struct head *head = p->head;
    const char *mark;

    if (head->target.len == 0 || head->target.data[0] != '/')
        return refuse(p, "target is not in origin form");
    if (head->target.len > limits->max_target_bytes) return refuse(p, NULL);
    for (size_t i = 0; i < head->target.len; i++)
        if (head->target.data[i] == '#' || (unsigned char)head->target.data[i] >= 0x80)
            return refuse(p, "character not allowed in a target");
    mark = memchr(head->target.data, '?', head->target.len);
    head->path = head->target;
    if (mark != NULL) {
        head->path.len = (size_t)(mark - head->target.data);
        head->query.data = mark + 1;
        head->query.len = head->target.len - head->path.len - 1;
    }
    return true;
}

/* reg-name, IPv4 or bracketed IPv6, with an optional port: no user part, no path, no list. */
static bool host_ok(struct span host)
{
    size_t i = 0;

    if (host.len == 0 || host.len > 261) return false;
    if (host.data[0] == '[') {
        const char *close = memchr(host.data, ']', host.len);

        if (close == NULL) return false;
        for (i = 1; host.data + i < close; i++)
            if (strchr("0123456789abcdefABCDEF:.", host.data[i]) == NULL) return false;
        i++;
    } else {
        for (; i < host.len && host.data[i] != ':'; i++) {
            char c = host.data[i];

            if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                  c == '-' || c == '.' || c == '_'))
                return false;
        }
        if (i == 0) return false;
    }
    if (i == host.len) return true;
    if (host.data[i] != ':' || host.len - i > 6) return false;
    for (i++; i < host.len; i++)
        if (host.data[i] < '0' || host.data[i] > '9') return false;
    return true;
}

enum gh_code head_parse(const char *buf, size_t len, const struct head_limits *limits,
                        struct head *ret_head, const char **ret_reason)
{
    static const http_parser_settings settings = {
        .on_url = on_url,
        .on_header_field = on_field,
        .on_header_value = on_value,
        .on_headers_complete = on_complete,
    };
    struct parse p = { .head = ret_head };

    memset(ret_head, 0, sizeof *ret_head);
    http_parser_init(&p.parser, HTTP_REQUEST);
    p.parser.data = &p;
    http_parser_execute(&p.parser, &settings, buf, len);
    *ret_reason = "malformed request head";
    /* A parser that stopped early for a reason of its own has an error; ours are in p.reason. */
    if (p.reason != NULL) {
        *ret_reason = p.reason;
        return GH_CODE_BAD_REQUEST;
    }
    if (HTTP_PARSER_ERRNO(&p.parser) != HPE_OK) return GH_CODE_BAD_REQUEST;
    if (p.parser.http_major != 1 || p.parser.http_minor != 1) {
        *ret_reason = "not HTTP/1.1";
        return GH_CODE_BAD_REQUEST;
    }
    ret_head->method = p.parser.method == HTTP_GET       ? HEAD_GET
                       : p.parser.method == HTTP_POST    ? HEAD_POST
                       : p.parser.method == HTTP_OPTIONS ? HEAD_OPTIONS
                                                         : HEAD_OTHER;
    if (!take_target(&p, limits)) {
        *ret_reason = p.reason != NULL ? p.reason : "target too long";
        return p.reason != NULL ? GH_CODE_BAD_REQUEST : GH_CODE_HEAD_TOO_LARGE;
    }
    if (!host_ok(ret_head->host)) {
        *ret_reason = "missing or malformed host";
        return GH_CODE_BAD_REQUEST;
    }
    if (ret_head->has_transfer_encoding) {
        *ret_reason = "transfer-encoding";
        return GH_CODE_BAD_REQUEST;
    }
    return GH_CODE_OK;
}

/* 16 bytes in canonical base64: 22 characters and "==", the last one with its low bits zero. */
static bool key_ok(struct span key)
{
    if (key.len != HEAD_KEY_LEN || key.data[22] != '=' || key.data[23] != '=') return false;
    for (size_t i = 0; i < 22; i++) {
        char c = key.data[i];

        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
              c == '+' || c == '/'))
            return false;
    }
    return strchr("AQgw", key.data[21]) != NULL;
}

enum gh_code head_judge_upgrade(const struct head *head, const char **ret_reason)
{
    if (head->method != HEAD_GET) {
        *ret_reason = "method";
        return GH_CODE_METHOD;
    }
    if (head->has_content_length) {
        *ret_reason = "content-length on a GET";
        return GH_CODE_BAD_REQUEST;
    }
    if (!head->has_upgrade) {
        *ret_reason = "no upgrade";
        return GH_CODE_UPGRADE_REQUIRED;
    }
    if (!head->upgrade_websocket || !head->connection_upgrade) {
        *ret_reason = "upgrade and connection do not match";
        return GH_CODE_BAD_REQUEST;
    }
    if (!span_eq(head->ws_version, "13")) {
        *ret_reason = "version";
        return GH_CODE_UPGRADE_REQUIRED;
    }
    if (!key_ok(head->ws_key)) {
        *ret_reason = "missing or malformed sec-websocket-key";
        return GH_CODE_BAD_REQUEST;
    }
    return GH_CODE_OK;
}
