/*
 * ticket_keys - the keys TLS session tickets are sealed with.
 *
 * A ring of two in the memory of one edge: the current key seals and opens, the one before it only
 * opens, and what is older is wiped. So whoever takes the process learns the sessions of at most
 * two rotations, and a ticket is good for one rotation to two. Edges do not share keys: a client
 * that comes back to another edge does a full handshake, which costs it a millisecond and us no
 * secret that travels.
 *
 * Source: RFC 5077 section 4 (recommended ticket construction); RFC 8446 section 4.6.1. now_ms is
 * monotonic milliseconds. Not thread-safe.
 */
#ifndef EDGE_TICKET_KEYS_H
#define EDGE_TICKET_KEYS_H

#include "common/err.h"

#include <stdbool.h>
#include <stdint.h>

#define TICKET_NAME_BYTES 16

struct ticket_key {
    uint8_t name[TICKET_NAME_BYTES];
    uint8_t cipher[32]; /* AES-256-CBC */
    uint8_t mac[32];    /* HMAC-SHA256 */
};

struct ticket_keys {
    struct ticket_key current, previous;
    int64_t made_ms, rotate_ms;
    bool has_previous;
};

/* Errors: GH_ERR_IO without randomness. */
GH_NODISCARD enum gh_err ticket_keys_init(struct ticket_keys *keys, int64_t rotate_ms,
                                          int64_t now_ms);
void ticket_keys_done(struct ticket_keys *keys); /* wipes; a zeroed one is a no-op */

/* The key to seal with; makes a new one when its time has come. */
const struct ticket_key *ticket_keys_seal(struct ticket_keys *keys, int64_t now_ms);
/* The key of a ticket's name; NULL: none of ours, or too old. *ret_renew: not the current one. */
const struct ticket_key *ticket_keys_open(struct ticket_keys *keys,
                                          const uint8_t name[TICKET_NAME_BYTES], int64_t now_ms,
                                          bool *ret_renew);

#endif
