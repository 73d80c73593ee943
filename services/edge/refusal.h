/*
 * refusal - the plain HTTP answer that ends a handshake.
 *
 * Nothing of it comes from the client but the request id we gave it. Pure.
 * Source: RFC 9110 (status codes, Retry-After, WWW-Authenticate, Upgrade), RFC 6455 section 4.4,
 * RFC 6797 (HSTS), RFC 6750 section 3.
 */
#ifndef EDGE_REFUSAL_H
#define EDGE_REFUSAL_H

#include "common/code.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define REFUSAL_MAX 768

struct refusal {
    uint32_t code; /* enum gh_code */
    const char *request_id;
    uint64_t retry_after_ms; /* 0: for 429 and 503 one second */
    bool tls;                /* adds Strict-Transport-Security */
    const char *allow;       /* for 405; NULL: GET */
};

/* Writes the whole answer, not NUL-ended; returns its length. */
size_t refusal_write(const struct refusal *refusal, char dst[REFUSAL_MAX]);

/* "Bad Request" for 400. Never NULL. */
const char *refusal_phrase(uint16_t status);

#define REFUSAL_HSTS "Strict-Transport-Security: max-age=63072000; includeSubDomains\r\n"

#endif
