/*
 * magic - what a binary message is, by its first bytes; never by what anybody says it is.
 *
 * Only formats with an unmistakable beginning; a container whose content matters is looked into as
 * far as its kind needs (RIFF: WEBP or WAVE; ISO media: the brand). Text, scripts, SVG, HTML and
 * executables are no kind at all. Pure; looks at no more than the first 64 bytes.
 */
#ifndef VALIDATOR_MAGIC_H
#define VALIDATOR_MAGIC_H

#include <stddef.h>
#include <stdint.h>

extern const char *const magic_names[]; /* NULL-ended: "png", "jpeg" ...; index is the kind's bit */

/* The bit of the kind, or 0: none of those known. */
uint32_t magic_detect(const void *data, size_t len);

#endif
