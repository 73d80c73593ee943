#include "refusal.h"

#include <stdio.h>

const char *refusal_phrase(uint16_t status)
{
    switch (status) {
    case 101: return "Switching Protocols";
    case 200: return "OK";
    case 204: return "No Content";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 408: return "Request Timeout";
    case 409: return "Conflict";
    case 411: return "Length Required";
    case 413: return "Content Too Large";
    case 415: return "Unsupported Media Type";
    case 426: return "Upgrade Required";
    case 429: return "Too Many Requests";
    case 431: return "Request Header Fields Too Large";
    case 500: return "Internal Server Error";
    case 503: return "Service Unavailable";
    default: return "Refused";
    }
}

/* What each status owes the client beside its code. */
static int write_extra(const struct refusal *refusal, uint16_t status, char *dst, size_t size)
{
    uint64_t retry_s = (refusal->retry_after_ms + 999) / 1000;

    switch (status) {
    case 401: return snprintf(dst, size, "WWW-Authenticate: Bearer realm=\"gatehouse\"\r\n");
    case 405:
        return snprintf(dst, size, "Allow: %s\r\n",
                        refusal->allow != NULL ? refusal->allow : "GET");
    case 426: return snprintf(dst, size, "Sec-WebSocket-Version: 13\r\nUpgrade: websocket\r\n");
    case 429:
    case 503:
        return snprintf(dst, size, "Retry-After: %llu\r\n",
                        (unsigned long long)(retry_s > 0 ? retry_s : 1));
    default: return 0;
    }
}

size_t refusal_write(const struct refusal *refusal, char dst[REFUSAL_MAX])
{
    const struct gh_code_info *info = gh_code_info(refusal->code);
    char body[160], extra[160] = "";
    int body_len =
        snprintf(body, sizeof body, "%s: %s (%s)\n", info->name, info->text, refusal->request_id);
    int len;

    (void)write_extra(refusal, info->http_status, extra, sizeof extra);
    len = snprintf(dst, REFUSAL_MAX,
                   "HTTP/1.1 %u %s\r\n"
                   "Content-Type: text/plain; charset=utf-8\r\n"
                   "Content-Length: %d\r\n"
                   "Connection: %s\r\n"
                   "Cache-Control: no-store\r\n"
                   "X-Content-Type-Options: nosniff\r\n"
                   "X-Request-Id: %s\r\n"
                   "%s%s\r\n%s",
                   info->http_status, refusal_phrase(info->http_status), body_len,
                   info->http_status == 426 ? "close, Upgrade" : "close", refusal->request_id,
                   refusal->tls ? REFUSAL_HSTS : "", extra, body);
    return len > 0 && len < REFUSAL_MAX ? (size_t)len : 0;
}
