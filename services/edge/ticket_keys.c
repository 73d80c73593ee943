#include "ticket_keys.h"

#include "common/random.h"

#include <openssl/crypto.h>
#include <string.h>

static void rotate(struct ticket_keys *keys, int64_t now_ms)
{
    struct ticket_key fresh;

    while (now_ms - keys->made_ms >= keys->rotate_ms) {
        /* Without randomness the key in use stays: a full handshake would not work either. */
        if (gh_random_bytes(&fresh, sizeof fresh) != GH_OK) return;
        /* More than one rotation went by unused: what was current is too old to open by, too. */
        keys->has_previous = now_ms - keys->made_ms < 2 * keys->rotate_ms;
        if (keys->has_previous)
            keys->previous = keys->current;
        else
            OPENSSL_cleanse(&keys->previous, sizeof keys->previous);
        keys->current = fresh;
        keys->made_ms += (now_ms - keys->made_ms) / keys->rotate_ms * keys->rotate_ms;
        OPENSSL_cleanse(&fresh, sizeof fresh);
    }
}

enum gh_err ticket_keys_init(struct ticket_keys *keys, int64_t rotate_ms, int64_t now_ms)
{
    struct ticket_key fresh;
    enum gh_err err = gh_random_bytes(&fresh, sizeof fresh);

    if (err != GH_OK) return err;
    *keys = (struct ticket_keys){ .current = fresh, .made_ms = now_ms, .rotate_ms = rotate_ms };
    OPENSSL_cleanse(&fresh, sizeof fresh);
    return GH_OK;
}

void ticket_keys_done(struct ticket_keys *keys)
{
    OPENSSL_cleanse(keys, sizeof *keys);
}

const struct ticket_key *ticket_keys_seal(struct ticket_keys *keys, int64_t now_ms)
{
    rotate(keys, now_ms);
    return &keys->current;
}

const struct ticket_key *ticket_keys_open(struct ticket_keys *keys,
                                          const uint8_t name[TICKET_NAME_BYTES], int64_t now_ms,
                                          bool *ret_renew)
{
    rotate(keys, now_ms);
    *ret_renew = false;
    if (memcmp(name, keys->current.name, TICKET_NAME_BYTES) == 0) return &keys->current;
    *ret_renew = true;
    if (keys->has_previous && memcmp(name, keys->previous.name, TICKET_NAME_BYTES) == 0)
        return &keys->previous;
    return NULL;
}
