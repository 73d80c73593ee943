#include "common/admin_http.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ANSWER_HEAD_MAX_BYTES 512

static int on_url(http_parser *parser, const char *at, size_t len)
{
    struct admin_head *head = parser->data;

    if (len > ADMIN_PATH_MAX_BYTES - head->path_len) {
        head->path_too_long = true; /* no path of ours is that long: 404 */
        len = ADMIN_PATH_MAX_BYTES - head->path_len;
    }
    memcpy(head->path + head->path_len, at, len);
    head->path_len += len;
    return 0;
}

static int on_head(http_parser *parser)
{
    struct admin_head *head = parser->data;

    head->done = true;
    http_parser_pause(parser, 1); /* whatever follows is not looked at */
    return 0;
}

static const http_parser_settings settings = {
    .on_url = on_url,
    .on_headers_complete = on_head,
};

void admin_head_init(struct admin_head *head)
{
    memset(head, 0, sizeof *head);
    http_parser_init(&head->parser, HTTP_REQUEST);
    head->parser.data = head;
}

unsigned admin_head_feed(struct admin_head *head, const char *bytes, size_t len)
{
    const size_t room = ADMIN_HEAD_MAX_BYTES - head->bytes;
    const size_t take = len < room ? len : room;

    (void)http_parser_execute(&head->parser, &settings, bytes, take);
    head->bytes += take;
    if (!head->done) {
        if (HTTP_PARSER_ERRNO(&head->parser) != HPE_OK) return 400;
        return take < len || head->bytes == ADMIN_HEAD_MAX_BYTES ? 431 : 0;
    }
    if (head->parser.method != HTTP_GET && head->parser.method != HTTP_HEAD) return 405;
    if (head->path_too_long) head->path_len = 0;
    head->path[head->path_len] = '\0';
    head->path[strcspn(head->path, "?")] = '\0';
    return 200;
}

bool admin_head_only(const struct admin_head *head)
{
    return head->done && head->parser.method == HTTP_HEAD;
}

static const char *reason(unsigned status)
{
    switch (status) {
    case 200: return "OK";
    case 400: return "Bad Request";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 431: return "Request Header Fields Too Large";
    case 503: return "Service Unavailable";
    default: return "Internal Server Error";
    }
}

enum gh_err admin_answer(unsigned status, const char *content_type, const char *body,
                         size_t body_len, bool head_only, char **ret_answer, size_t *ret_len)
{
    char *answer = malloc(ANSWER_HEAD_MAX_BYTES + body_len);

    if (answer == NULL) return GH_ERR_NOMEM;
    const int head_len = snprintf(answer, ANSWER_HEAD_MAX_BYTES,
                                  "HTTP/1.1 %u %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n%s"
                                  "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n"
                                  "Connection: close\r\n\r\n",
                                  status, reason(status), content_type, body_len,
                                  status == 405 ? "Allow: GET, HEAD\r\n" : "");
    if (head_len < 0 || head_len >= ANSWER_HEAD_MAX_BYTES) {
        free(answer);
        return GH_ERR_INTERNAL;
    }
    if (head_only) body_len = 0;
    if (body_len > 0) memcpy(answer + head_len, body, body_len);
    *ret_answer = answer;
    *ret_len = (size_t)head_len + body_len;
    return GH_OK;
}
