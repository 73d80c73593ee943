/*
 * http_answer - one HTTP answer of the public port, as bytes.
 *
 * JSON or nothing for a body; never stored, never sniffed, the connection ends after it. Whatever a
 * page of another origin may read is said here: only when origin is given, and never with
 * credentials of the browser's own (cookies are no credential for these paths).
 *
 * Pure. Source: RFC 9110, RFC 6797 (HSTS), the Fetch standard (CORS).
 */
#ifndef EDGE_HTTP_ANSWER_H
#define EDGE_HTTP_ANSWER_H

#include "head.h"

#include "common/json/buf.h"

struct http_answer {
    uint16_t status;
    const char *request_id;
    struct span origin;      /* the request's, when it is an allowed one; absent: none */
    const char *allow;       /* for 405 and a preflight; NULL: none */
    struct span www;         /* WWW-Authenticate; absent: none */
    uint64_t retry_after_ms; /* 0: none */
    bool tls;                /* adds Strict-Transport-Security */
    bool preflight;
    const void *body; /* application/json */
    size_t body_len;
};

/* Appends the whole answer. Errors: GH_ERR_BAD_MESSAGE when www or the status is nothing that can
 * stand in an answer; GH_ERR_NOMEM, GH_ERR_LIMIT of dst. dst is then as it was. */
GH_NODISCARD enum gh_err http_answer_write(const struct http_answer *answer, struct gh_buf *dst);

#endif
