/*
 * name - file names, paths and URLs that do what they look like, on every system.
 *
 * Nothing is repaired: a name that somebody had to twist is refused, with the trick named. Looked
 * at as it is, percent-decoded (three times), and with compatibility forms folded, so that look-
 * alikes of '/', '\', '.' and ':' count as what they look like.
 *
 * A file name: 1 to 255 bytes, no separator, no "." or "..", no character Windows refuses, no
 * reserved device name with or without extension, no drive, no alternate stream, no space or dot at
 * an end, no leading '~' or '-', no invisible character. A path: 1 to 1024 bytes, relative, '/'
 * between parts that are all file names. A URL: absolute, at most 2048 bytes, one of the schemes,
 * a host where the scheme has one, no user information, no white space, quotes, angle brackets,
 * back-slash or control character.
 *
 * Source: Microsoft "Naming Files, Paths, and Namespaces"; UTS #39; RFC 3986.
 */
#ifndef VALIDATOR_NAME_H
#define VALIDATOR_NAME_H

#include "sanitize/unicode.h"

#define NAME_MAX_BYTES 255
#define PATH_MAX_BYTES 1024
#define URL_MAX_BYTES  2048

/* NULL: good. Else a static rule such as "name: traversal". scratch is overwritten. */
const char *name_check_file(struct unicode *unicode, struct gh_buf *scratch, const char *name,
                            size_t len);
const char *name_check_path(struct unicode *unicode, struct gh_buf *scratch, const char *path,
                            size_t len);
/* schemes: NULL-ended, lower case. */
const char *name_check_url(const char *url, size_t len, const char *const *schemes);

/* The scheme of a URL as a browser sees it, which skips white space and control characters.
 * Returns its length in dst (lower case), 0 when there is none: a relative URL. SIZE_MAX: there is
 * one that is malformed or longer than 31. */
size_t name_url_scheme(const char *url, size_t len, char dst[32]);

#endif
