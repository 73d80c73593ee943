/*
 * subject - who is banned: one spelling for each, and how to look one up.
 *
 * A ban's key is its kind and its subject in canonical form, so that the same ban cannot be there
 * twice: "a:10.0.0.0/8", "a:192.0.2.1", "a:2001:db8::/32", "u:alice", "t:<token id>". Addresses
 * are canonical text (RFC 5952 through inet_ntop), an IPv4-mapped IPv6 address is the IPv4 address,
 * host bits of a CIDR are cleared, a full-length prefix is the address alone. Pure.
 */
#ifndef LIMITER_SUBJECT_H
#define LIMITER_SUBJECT_H

#include "common/err.h"

#include <limiter.pb-c.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SUBJECT_MAX_BYTES     256u
#define SUBJECT_KEY_MAX_BYTES (SUBJECT_MAX_BYTES + 2)

struct subject_key {
    size_t len;
    char text[SUBJECT_KEY_MAX_BYTES + 1]; /* NUL-ended */
};

struct subject_address {
    unsigned family_bits; /* 32 or 128 */
    uint8_t bytes[16];
};

/* "192.0.2.1", "2001:db8::1". Errors: GH_ERR_BAD_MESSAGE. */
GH_NODISCARD enum gh_err subject_address_parse(const void *text, size_t len,
                                               struct subject_address *ret_address);
/* Canonical text with its prefix length, host bits cleared. prefix at most family_bits. */
void subject_address_text(const struct subject_address *address, unsigned prefix, char *dst,
                          size_t size);

/* Errors: GH_ERR_BAD_MESSAGE: empty, too long, control characters, no address or CIDR, a prefix of
 * 0 (that would ban everybody), an unknown kind. */
GH_NODISCARD enum gh_err subject_key_make(Gh__BanKind kind, const void *subject, size_t len,
                                          struct subject_key *ret_key);
/* The key under which a ban of this address's network of `prefix` bits would stand. */
void subject_key_of_network(const struct subject_address *address, unsigned prefix,
                            struct subject_key *ret_key);

/* The prefix length in a key of kind address, for counting which are in use; false for others. */
bool subject_key_prefix(const char *key, size_t len, unsigned *ret_family_bits,
                        unsigned *ret_prefix);

#endif
