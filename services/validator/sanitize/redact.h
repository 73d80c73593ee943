/*
 * redact - secrets and card numbers taken out of what an application sends to clients.
 *
 *   cards          12 to 19 digits, alone or in groups, of a known brand and length, Luhn right
 *   jwt            three base64url parts, the first a JSON header
 *   private_keys   PEM blocks of private keys, to their end or the end of the text
 *   cloud_keys     access keys and tokens with a published prefix and length
 *
 * Each is replaced by "[redacted:card]" and so on. Linear, no allocation but the output's.
 * Source: ISO/IEC 7812-1 annex B (Luhn), RFC 7519, RFC 7468, the issuers' own documentation.
 */
#ifndef VALIDATOR_REDACT_H
#define VALIDATOR_REDACT_H

#include "common/json/buf.h"

#include <stdbool.h>
#include <stdint.h>

#define REDACT_LIST(X)                                                                             \
    X(REDACT_CARDS, 0, "cards")                                                                    \
    X(REDACT_JWT, 1, "jwt")                                                                        \
    X(REDACT_PRIVATE_KEYS, 2, "private_keys")                                                      \
    X(REDACT_CLOUD_KEYS, 3, "cloud_keys")
#define REDACT_ENUM(sym, bit, name) sym = 1u << (bit),
enum redact { REDACT_LIST(REDACT_ENUM) };

extern const char *const redact_names[]; /* NULL-ended, by bit */

/* Appends the redacted text when there is anything to redact, and says so. Errors: as gh_buf. */
GH_NODISCARD enum gh_err redact_text(unsigned what, const char *text, size_t len,
                                     struct gh_buf *out, bool *ret_changed);

/* Is this run of digits (no separators) a card number? */
bool redact_is_card(const char *digits, size_t len);

#endif
