/*
 * b64 - strict base64url (RFC 4648 section 5) without padding.
 *
 * One text for one value: no padding, no white space, no '+' or '/', and the unused bits of the
 * last character must be zero, so that a token cannot be re-encoded into another that says the
 * same. Pure.
 */
#ifndef AUTH_B64_H
#define AUTH_B64_H

#include "common/err.h"

#include <stddef.h>

#define B64_DECODED_MAX(len) ((len)*3 / 4)

/* Writes at most B64_DECODED_MAX(len) bytes to dst. An empty text is an empty value.
 * Errors: GH_ERR_BAD_MESSAGE; dst is then undefined. */
GH_NODISCARD enum gh_err b64_decode(const char *text, size_t len, void *dst, size_t *ret_len);

#endif
