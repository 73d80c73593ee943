/*
 * message_id - the `id` of a message that no validator has looked at.
 *
 * When none is there to judge a message, its sender is told so, and by the id it gave. Only the id
 * is taken out, with the strict parser under caps; what is not a message of gatehouse.v1 has none.
 * Pure.
 */
#ifndef EDGE_MESSAGE_ID_H
#define EDGE_MESSAGE_ID_H

#include "common/json/tape.h"

#define MESSAGE_ID_MAX      64u  /* as the validator takes them, in bytes */
#define MESSAGE_ID_TEXT_MAX 400u /* written as the content of a JSON string */

/* tape is scratch. dst: the canonical content of the JSON string, not NUL-ended. False: none. */
bool message_id_find(struct gh_tape *tape, const void *data, size_t len,
                     char dst[MESSAGE_ID_TEXT_MAX], size_t *ret_len);

#endif
