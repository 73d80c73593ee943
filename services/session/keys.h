/*
 * keys - names in Redis, and the index entry of a session.
 *
 * All that belongs to one user is in one slot of a cluster; the tag is a digest, so nothing a
 * client chose stands in a key:
 *
 * - gh:{TAG}:live: sorted set, session id -> when it is dead unless touched, ms of Redis time
 * - gh:{TAG}:born: sorted set, session id -> when it began, us of Redis time, no two the same; the
 *   order of "oldest"
 * - gh:{TAG}:s:SID: hash, the record (scripts.h)
 * - gh:{TAG}:t:SID: string, the tombstone: the code it ended with
 *
 * What finds them again lies in other slots and is written before and removed after them, so it may
 * name a session too many, never one too few:
 *
 * - gh:{iN}:sessions: sorted set, all scores 0, N of 0..15: index entries, walked by the sweep
 * - gh:{SID}:who: string, the user
 * - gh:{A}:at: sorted set, index entry -> expiry; A is a digest of the address
 * - gh:{orders}:v: the version of the order stream
 *
 * An index entry is the session id, 8 hex digits of the second it was made, and the user.
 */
#ifndef SESSION_KEYS_H
#define SESSION_KEYS_H

#include "common/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SESSION_ID_LEN     22u
#define SESSION_USER_MAX   256u
#define SESSION_SHARDS     16u
#define SESSION_STAMP_LEN  8u
#define SESSION_KEY_BYTES  64u
#define SESSION_ENTRY_MAX  (SESSION_ID_LEN + SESSION_STAMP_LEN + SESSION_USER_MAX)
#define SESSION_ORDERS_KEY "gh:{orders}:v"

struct session_keys {             /* of one user */
    char base[SESSION_KEY_BYTES]; /* "gh:{TAG}:" */
    char live[SESSION_KEY_BYTES];
    char born[SESSION_KEY_BYTES];
    unsigned shard;
};

void session_keys_make(const void *user, size_t len, struct session_keys *ret_keys);
void session_key_of_shard(unsigned shard, char dst[SESSION_KEY_BYTES]);
void session_key_of_id(const void *session_id, char dst[SESSION_KEY_BYTES]); /* SESSION_ID_LEN */
void session_key_of_address(const void *address, size_t len, char dst[SESSION_KEY_BYTES]);

/* 22 characters of base64url. */
bool session_id_valid(const void *session_id, size_t len);

/* dst holds SESSION_ENTRY_MAX bytes; user_len at most SESSION_USER_MAX. Returns the length. */
size_t session_entry_make(const void *session_id, const char stamp[SESSION_STAMP_LEN],
                          const void *user, size_t user_len, char *dst);
struct session_entry { /* borrows */
    const char *session_id;
    const char *stamp;
    const char *user;
    size_t user_len;
};
GH_NODISCARD enum gh_err session_entry_parse(const char *text, size_t len,
                                             struct session_entry *ret_entry);
void session_stamp_make(int64_t wall_ms, char dst[SESSION_STAMP_LEN + 1]);

#endif
