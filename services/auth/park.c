#include "park.h"

#include "keyset.h"

#include <stdlib.h>
#include <string.h>

struct parked {
    struct auth *auth;
    struct gh_reply *reply;
    park_fn fn;
    const ProtobufCMessageDescriptor *type;
    size_t len;
    uint8_t bytes[]; /* packed; holds a credential */
};

static void discard(struct parked *parked)
{
    explicit_bzero(parked->bytes, parked->len);
    free(parked);
}

static void on_keys(void *ctx, enum gh_err err)
{
    struct parked *parked = ctx;
    ProtobufCMessage *msg =
        protobuf_c_message_unpack(parked->type, NULL, parked->len, parked->bytes);

    if (msg != NULL)
        parked->fn(parked->auth, msg, parked->reply, err);
    else
        gh_reply_fail(parked->reply, GH_ERR_NOMEM);
    if (msg != NULL) protobuf_c_message_free_unpacked(msg, NULL);
    discard(parked);
}

enum gh_err auth_park(struct auth *auth, struct keyset *keyset, const ProtobufCMessage *msg,
                      struct gh_reply *reply, park_fn fn)
{
    size_t len = protobuf_c_message_get_packed_size(msg);
    struct parked *parked = malloc(sizeof(*parked) + len);
    enum gh_err err;

    if (parked == NULL) return GH_ERR_NOMEM;
    *parked = (struct parked){ auth, reply, fn, msg->descriptor, len };
    (void)protobuf_c_message_pack(msg, parked->bytes);
    err = keyset_wait(keyset, on_keys, parked);
    if (err != GH_OK) discard(parked);
    return err;
}
