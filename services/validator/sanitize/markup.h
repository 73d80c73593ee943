/*
 * markup - what HTML would take for markup, made harmless or found.
 */
#ifndef VALIDATOR_MARKUP_H
#define VALIDATOR_MARKUP_H

#include "common/json/buf.h"

#include <stdbool.h>

/* What a string has of interest; computed in one pass over blocks of bytes. */
#define MARKUP_HTML    0x1u /* & < > " ' */
#define MARKUP_CONTROL 0x2u /* 0x00..0x1F, 0x7F */
#define MARKUP_HIGH    0x4u /* 0x80 and more */
unsigned markup_scan(const char *text, size_t len);

/* Appends text with & < > " ' as character references: safe as text and in a quoted attribute.
 * Errors: as gh_buf_append. */
GH_NODISCARD enum gh_err markup_escape(const char *text, size_t len, struct gh_buf *out);

/* As above but only & < >: for text between tags that we write ourselves. */
GH_NODISCARD enum gh_err markup_escape_text(const char *text, size_t len, struct gh_buf *out);

#endif
