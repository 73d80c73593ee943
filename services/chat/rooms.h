/*
 * rooms - the rooms one connection is in.
 *
 * Who is in a room is known to the edges (they hold the topics); this is only what the connection
 * itself may speak to. Pure.
 */
#ifndef CHAT_ROOMS_H
#define CHAT_ROOMS_H

#include "common/err.h"

#include <stdbool.h>
#include <stddef.h>

#define ROOMS_MAX      16u /* of one connection */
#define ROOM_NAME_MAX  64u /* bytes */
#define ROOM_TOPIC_MAX (sizeof("room:") - 1 + ROOM_NAME_MAX)

struct room_name {
    unsigned char len;
    char bytes[ROOM_NAME_MAX];
};

struct rooms {
    unsigned count;
    struct room_name names[ROOMS_MAX];
};

/* 1..ROOM_NAME_MAX bytes, no control characters. */
bool room_name_valid(const char *name, size_t len);
bool rooms_has(const struct rooms *rooms, const char *name, size_t len);
/* Errors: GH_ERR_BAD_MESSAGE (name), GH_ERR_EXISTS, GH_ERR_LIMIT. */
GH_NODISCARD enum gh_err rooms_add(struct rooms *rooms, const char *name, size_t len);
GH_NODISCARD enum gh_err rooms_remove(struct rooms *rooms, const char *name, size_t len);
/* As rooms_add, from the topic of a room; others are passed over. */
void rooms_restore(struct rooms *rooms, const void *topic, size_t len);
/* "room:NAME" into topic; returns its length. name must be valid. */
size_t room_topic(const char *name, size_t len, char topic[ROOM_TOPIC_MAX]);

#endif
