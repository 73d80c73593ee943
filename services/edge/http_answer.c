#include "http_answer.h"

#include "refusal.h"

#include <stdio.h>

#define HEAD_MAX       2048
#define WWW_MAX        256
#define PREFLIGHT_AGE  "600"
#define ALLOWED_HEADER "authorization, content-type"

/* A value from elsewhere: one line of visible ASCII. */
static bool header_ok(struct span value)
{
    if (value.len > WWW_MAX) return false;
    for (size_t i = 0; i < value.len; i++)
        if (value.data[i] < 0x20 || value.data[i] > 0x7e) return false;
    return true;
}

static int write_cors(const struct http_answer *answer, char *dst, size_t size)
{
    if (answer->origin.data == NULL) return snprintf(dst, size, "Vary: Origin\r\n");
    if (answer->preflight)
        return snprintf(dst, size,
                        "Access-Control-Allow-Origin: %.*s\r\n"
                        "Access-Control-Allow-Methods: POST\r\n"
                        "Access-Control-Allow-Headers: " ALLOWED_HEADER "\r\n"
                        "Access-Control-Max-Age: " PREFLIGHT_AGE "\r\n"
                        "Vary: Origin\r\n",
                        (int)answer->origin.len, answer->origin.data);
    return snprintf(dst, size,
                    "Access-Control-Allow-Origin: %.*s\r\n"
                    "Access-Control-Expose-Headers: retry-after, x-request-id\r\n"
                    "Vary: Origin\r\n",
                    (int)answer->origin.len, answer->origin.data);
}

static int write_extra(const struct http_answer *answer, char *dst, size_t size)
{
    char allow[64] = "", retry[64] = "", www[WWW_MAX + 32] = "", length[64] = "";

    if (answer->allow != NULL) (void)snprintf(allow, sizeof allow, "Allow: %s\r\n", answer->allow);
    if (answer->retry_after_ms > 0)
        (void)snprintf(retry, sizeof retry, "Retry-After: %llu\r\n",
                       (unsigned long long)((answer->retry_after_ms + 999) / 1000));
    if (answer->www.len > 0)
        (void)snprintf(www, sizeof www, "WWW-Authenticate: %.*s\r\n", (int)answer->www.len,
                       answer->www.data);
    if (answer->status != 204) /* RFC 9110 section 8.6 */
        (void)snprintf(length, sizeof length,
                       "Content-Type: application/json\r\nContent-Length: %zu\r\n",
                       answer->body_len);
    return snprintf(dst, size, "%s%s%s%s", length, allow, retry, www);
}

enum gh_err http_answer_write(const struct http_answer *answer, struct gh_buf *dst)
{
    char head[HEAD_MAX], cors[768], extra[512];
    const size_t start = dst->len;
    enum gh_err err;
    int n;

    if (answer->status < 200 || answer->status > 599 || !header_ok(answer->www) ||
        !header_ok(answer->origin))
        return GH_ERR_BAD_MESSAGE;
    n = write_cors(answer, cors, sizeof cors);
    if (n < 0 || (size_t)n >= sizeof cors) return GH_ERR_BAD_MESSAGE;
    n = write_extra(answer, extra, sizeof extra);
    if (n < 0 || (size_t)n >= sizeof extra) return GH_ERR_BAD_MESSAGE;
    n = snprintf(head, sizeof head,
                 "HTTP/1.1 %u %s\r\n"
                 "Connection: close\r\n"
                 "Cache-Control: no-store\r\n"
                 "X-Content-Type-Options: nosniff\r\n"
                 "X-Request-Id: %s\r\n"
                 "%s%s%s\r\n",
                 answer->status, refusal_phrase(answer->status), answer->request_id,
                 answer->tls ? REFUSAL_HSTS : "", cors, extra);
    if (n < 0 || (size_t)n >= sizeof head) return GH_ERR_BAD_MESSAGE;
    err = gh_buf_append(dst, head, (size_t)n);
    if (err == GH_OK && answer->status != 204)
        err = gh_buf_append(dst, answer->body, answer->body_len);
    if (err != GH_OK) dst->len = start;
    return err;
}
