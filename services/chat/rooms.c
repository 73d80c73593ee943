#include "rooms.h"

#include <string.h>

bool room_name_valid(const char *name, size_t len)
{
    if (len == 0 || len > ROOM_NAME_MAX) return false;
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)name[i] < ' ' || name[i] == 0x7f) return false;
    return true;
}

static unsigned rooms_find(const struct rooms *rooms, const char *name, size_t len)
{
    unsigned i = 0;

    while (i < rooms->count &&
           (rooms->names[i].len != len || memcmp(rooms->names[i].bytes, name, len) != 0))
        i++;
    return i;
}

bool rooms_has(const struct rooms *rooms, const char *name, size_t len)
{
    return rooms_find(rooms, name, len) < rooms->count;
}

enum gh_err rooms_add(struct rooms *rooms, const char *name, size_t len)
{
    if (!room_name_valid(name, len)) return GH_ERR_BAD_MESSAGE;
    if (rooms_has(rooms, name, len)) return GH_ERR_EXISTS;
    if (rooms->count == ROOMS_MAX) return GH_ERR_LIMIT;
    rooms->names[rooms->count].len = (unsigned char)len;
    memcpy(rooms->names[rooms->count].bytes, name, len);
    rooms->count++;
    return GH_OK;
}

enum gh_err rooms_remove(struct rooms *rooms, const char *name, size_t len)
{
    unsigned i = rooms_find(rooms, name, len);

    if (i == rooms->count) return GH_ERR_NOT_FOUND;
    rooms->names[i] = rooms->names[--rooms->count];
    return GH_OK;
}

void rooms_restore(struct rooms *rooms, const void *topic, size_t len)
{
    static const char prefix[] = "room:";

    if (len > sizeof(prefix) - 1 && memcmp(topic, prefix, sizeof(prefix) - 1) == 0 &&
        rooms_add(rooms, (const char *)topic + sizeof(prefix) - 1, len - (sizeof(prefix) - 1)) !=
            GH_OK)
        return; /* one too many, or named otherwise: it must be joined again */
}

size_t room_topic(const char *name, size_t len, char topic[ROOM_TOPIC_MAX])
{
    static const char prefix[] = "room:";

    memcpy(topic, prefix, sizeof(prefix) - 1);
    memcpy(topic + sizeof(prefix) - 1, name, len);
    return sizeof(prefix) - 1 + len;
}
