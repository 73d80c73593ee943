/*
 * random - identifiers from the kernel's CSPRNG (getrandom).
 */
#ifndef GH_RANDOM_H
#define GH_RANDOM_H

#include "common/err.h"

#include <stddef.h>
#include <stdint.h>

GH_NODISCARD enum gh_err gh_random_bytes(void *buf, size_t len);
uint64_t gh_random_u64(void); /* aborts when the kernel has no randomness: nothing can go on then */

/* base64url without padding (RFC 4648 section 5). dst holds GH_B64URL_LEN(n) + 1 bytes, NUL-ended.
 */
#define GH_B64URL_LEN(n) (((n)*4 + 2) / 3)
void gh_b64url_encode(const void *src, size_t len, char *dst);

/* A random token of n_bytes bytes as base64url; dst as above. Aborts like gh_random_u64. */
void gh_random_token(size_t n_bytes, char *dst);

/* "r" and 16 hex digits, NUL-ended: names one request in answers, logs and audit events. */
#define GH_REQUEST_ID_LEN 17
void gh_request_id(char dst[GH_REQUEST_ID_LEN + 1]);

#endif
