/*
 * handshake - from the first byte of HTTP to the question to the other services.
 *
 * Judges what needs no other process (head, route, Origin, form of the credential) and hands over
 * to admission. Holds the request's bytes, which go when the connection opens or is refused.
 */
#ifndef EDGE_HANDSHAKE_H
#define EDGE_HANDSHAKE_H

#include "credential.h"
#include "head.h"
#include "resume_claim.h"

#include "common/json/buf.h"

struct conn;
struct edge;
struct admission;
struct http;

struct handshake {
    struct gh_buf bytes;
    struct head_scanner scanner;
    struct head head; /* spans into bytes */
    struct credential credential;
    struct resume_claim resume;
    struct admission *admission; /* while one is under way */
    struct http *http;           /* it is a request of ours instead; owned */
    uint8_t *certificate;        /* the client's, DER, where the route takes one */
    size_t certificate_len;
    int64_t started_us;
};

void handshake_rx(struct conn *conn, const uint8_t *data, size_t len);
bool handshake_begun(const struct conn *conn);
/* The client is refused or gone: an admission under way is told to undo what it did. */
void handshake_abandon(struct conn *conn);
/* Queues the 101. */
void handshake_answer(struct conn *conn);
void handshake_free(struct handshake *handshake); /* NULL is a no-op */

#endif
