#include "keys.h"

#include "common/random.h"

#include <openssl/sha.h>
#include <stdio.h>
#include <string.h>

#define DIGEST_BYTES 16

static unsigned digest_tag(const void *data, size_t len, char tag[GH_B64URL_LEN(DIGEST_BYTES) + 1])
{
    unsigned char digest[SHA256_DIGEST_LENGTH];

    SHA256(data, len, digest);
    gh_b64url_encode(digest, DIGEST_BYTES, tag);
    return digest[DIGEST_BYTES]; /* not part of the tag: shards are independent of slots */
}

void session_keys_make(const void *user, size_t len, struct session_keys *ret_keys)
{
    char tag[GH_B64URL_LEN(DIGEST_BYTES) + 1];

    ret_keys->shard = digest_tag(user, len, tag) % SESSION_SHARDS;
    (void)snprintf(ret_keys->base, SESSION_KEY_BYTES, "gh:{%s}:", tag);
    (void)snprintf(ret_keys->live, SESSION_KEY_BYTES, "gh:{%s}:live", tag);
    (void)snprintf(ret_keys->born, SESSION_KEY_BYTES, "gh:{%s}:born", tag);
}

void session_key_of_shard(unsigned shard, char dst[SESSION_KEY_BYTES])
{
    (void)snprintf(dst, SESSION_KEY_BYTES, "gh:{i%u}:sessions", shard);
}

void session_key_of_id(const void *session_id, char dst[SESSION_KEY_BYTES])
{
    (void)snprintf(dst, SESSION_KEY_BYTES, "gh:{%.*s}:who", (int)SESSION_ID_LEN,
                   (const char *)session_id);
}

void session_key_of_address(const void *address, size_t len, char dst[SESSION_KEY_BYTES])
{
    char tag[GH_B64URL_LEN(DIGEST_BYTES) + 1];

    (void)digest_tag(address, len, tag);
    (void)snprintf(dst, SESSION_KEY_BYTES, "gh:{%s}:at", tag);
}

bool session_id_valid(const void *session_id, size_t len)
{
    const char *id = session_id;

    if (len != SESSION_ID_LEN) return false;
    for (size_t i = 0; i < len; i++) {
        char c = id[i];

        if (!((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
              c == '-' || c == '_'))
            return false;
    }
    return true;
}

size_t session_entry_make(const void *session_id, const char stamp[SESSION_STAMP_LEN],
                          const void *user, size_t user_len, char *dst)
{
    memcpy(dst, session_id, SESSION_ID_LEN);
    memcpy(dst + SESSION_ID_LEN, stamp, SESSION_STAMP_LEN);
    memcpy(dst + SESSION_ID_LEN + SESSION_STAMP_LEN, user, user_len);
    return SESSION_ID_LEN + SESSION_STAMP_LEN + user_len;
}

enum gh_err session_entry_parse(const char *text, size_t len, struct session_entry *ret_entry)
{
    const size_t head = SESSION_ID_LEN + SESSION_STAMP_LEN;

    if (len <= head || len > SESSION_ENTRY_MAX || !session_id_valid(text, SESSION_ID_LEN))
        return GH_ERR_BAD_MESSAGE;
    *ret_entry = (struct session_entry){
        .session_id = text,
        .stamp = text + SESSION_ID_LEN,
        .user = text + head,
        .user_len = len - head,
    };
    return GH_OK;
}

void session_stamp_make(int64_t wall_ms, char dst[SESSION_STAMP_LEN + 1])
{
    (void)snprintf(dst, SESSION_STAMP_LEN + 1, "%08x", (unsigned)(wall_ms / 1000));
}
