/*
 * admin_http - the little of HTTP/1.x that admin needs: one request head in, one answer out.
 *
 * Pure: no I/O. Used by admin.c and its fuzzer only.
 */
#ifndef GH_ADMIN_HTTP_H
#define GH_ADMIN_HTTP_H

#include "common/err.h"

#include <http_parser.h>
#include <stdbool.h>
#include <stddef.h>

#define ADMIN_HEAD_MAX_BYTES 4096
#define ADMIN_PATH_MAX_BYTES 64

struct admin_head {
    http_parser parser;
    size_t bytes;
    size_t path_len;
    bool done;
    bool path_too_long;
    char path[ADMIN_PATH_MAX_BYTES + 1]; /* without the query; NUL-ended once done */
};

void admin_head_init(struct admin_head *head);

/* 0: more bytes are needed. 200: the head is whole, path and the method are known and allowed.
 * Else the status of the refusal (400, 405, 431). Not to be called again after an answer. */
unsigned admin_head_feed(struct admin_head *head, const char *bytes, size_t len);
bool admin_head_only(const struct admin_head *head); /* HEAD: the body is left out */

/* A whole answer that closes the connection, malloc'd. */
GH_NODISCARD enum gh_err admin_answer(unsigned status, const char *content_type, const char *body,
                                      size_t body_len, bool head_only, char **ret_answer,
                                      size_t *ret_len);

#endif
