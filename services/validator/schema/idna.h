/*
 * idna - internationalised host names, as strictly as a registry has to take them.
 *
 * Labels are judged by RFC 5891 section 5.4 with the code point classes of RFC 5892, worked out
 * from Unicode properties, its contextual rules, and the Bidi rule of RFC 5893. Linear in the text,
 * of which no more than 1,024 bytes are looked at.
 */
#ifndef VALIDATOR_SCHEMA_IDNA_H
#define VALIDATOR_SCHEMA_IDNA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A host name of ordinary labels, A-labels ("xn--...") that decode to a valid U-label and back, and
 * U-labels, separated by any of the dots of RFC 3490. */
bool idna_is_host_name(const char *text, size_t len);

/* punycode.c, RFC 3492. dst holds 64; false when malformed or too long. */
#define PUNYCODE_MAX 64
bool punycode_decode(const char *text, size_t len, uint32_t dst[PUNYCODE_MAX], size_t *ret_n);
bool punycode_encode(const uint32_t *text, size_t n, char dst[PUNYCODE_MAX], size_t *ret_len);

/* idna_label.c: everything but Bidi. n > 0. */
bool idna_is_u_label(const uint32_t *label, size_t n);

#endif
