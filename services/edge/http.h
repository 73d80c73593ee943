/*
 * http - what there is on the public port beside WebSockets: four paths that gatehouse-auth
 * answers.
 *
 *   POST /auth/ticket   /auth/refresh   /auth/logout   pages of an allowed Origin, and programs
 *   POST /auth/token                                   programs only: a request with an Origin is
 *                                                      refused, for a page must hold no client
 * secret OPTIONS of the first three                         the preflight of a page
 *
 * One request per connection, under the handshake's caps and deadline: Content-Length is required
 * (no Transfer-Encoding), the body is JSON and capped, a query is refused, nothing may follow. The
 * request is passed on whole (AuthHttp) and so is the answer; neither it nor a token in it is
 * logged, and the body's memory is wiped. Every path of its own that fails is answered as JSON:
 * {"error":CODE,"message":TEXT,"requestId":ID}.
 *
 * Requests are counted per client address, in a bucket of their own beside that of connections.
 */
#ifndef EDGE_HTTP_H
#define EDGE_HTTP_H

#include "head.h"

struct conn;
struct edge;
struct http; /* one request */

#define HTTP_PATHS 4
const char *http_path_name(size_t index); /* index < HTTP_PATHS */

/* Is it one of the paths? */
bool http_takes(const struct edge *edge, struct span path);
/* Judges the head and puts the request into conn->handshake. */
enum gh_code http_judge(struct conn *conn, const char **ret_reason);
/* Goes on with what came behind the head, in two pieces. */
void http_begin(struct conn *conn, const uint8_t *first, size_t first_len, const uint8_t *rest,
                size_t rest_len);
/* Bytes of the body; the whole of it sends the question off. The request may be gone after. */
void http_rx(struct conn *conn, const uint8_t *data, size_t len);
/* Answers with a refusal in the form above. False: there is no request of ours to refuse. */
bool http_refuse(struct conn *conn, uint32_t code, uint64_t retry_after_ms, const char *reason);
void http_free(struct http *http); /* NULL is a no-op */

#endif
