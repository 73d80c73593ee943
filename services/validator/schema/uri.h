/*
 * uri - references resolved against a base, RFC 3986 section 5. Pure.
 */
#ifndef VALIDATOR_SCHEMA_URI_H
#define VALIDATOR_SCHEMA_URI_H

#include "common/err.h"

#include <stdbool.h>
#include <stddef.h>

#define URI_MAX_BYTES 2048

/* dst gets the absolute URI without its fragment, NUL-ended; *ret_fragment points into ref after
 * '#', or at its end without one. base is absolute. A base with an opaque path ("urn:...") and a
 * relative path gives the scheme with that path. Errors: GH_ERR_LIMIT past URI_MAX_BYTES. */
GH_NODISCARD enum gh_err uri_resolve(const char *base, const char *ref, char dst[URI_MAX_BYTES],
                                     const char **ret_fragment);

/* Does it start with a scheme? */
bool uri_is_absolute(const char *uri);

/* Percent-decodes in place; false when an escape is malformed or makes a NUL. */
bool uri_percent_decode(char *text);

#endif
