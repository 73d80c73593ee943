/*
 * normalise - a text as the interpreter behind the application would come to see it.
 *
 * Decodes %XX, %uXXXX, &name;, &#N;, \uXXXX and \xXX, up to three times over; then cuts comments,
 * drops control characters, folds white space to one space, makes ASCII letters small and
 * full-width forms ASCII. The result may not be UTF-8. Pure, linear, allocates nothing.
 */
#ifndef VALIDATOR_SIGNATURES_NORMALISE_H
#define VALIDATOR_SIGNATURES_NORMALISE_H

#include <stdbool.h>
#include <stddef.h>

/* Is there anything in it worth decoding? White space and capitals alone are not: rules allow for
 * both. */
bool normalise_is_needed(const char *text, size_t len);
bool normalise_is_needed_plain(const char *text, size_t len); /* a byte at a time, for tests */

/* Both buffers hold len bytes; the result is in dst and never longer than the text. */
size_t normalise(const char *text, size_t len, char *dst, char *spare);

#endif
