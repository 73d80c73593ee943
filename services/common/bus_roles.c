/* Role names and protobuf bytes. */
#include "common/bus.h"

#include <string.h>

#define ROLE_ROW(sym, bit, name) { sym, name },

static const struct {
    enum gh_role role;
    const char *name;
} roles[GH_ROLE_COUNT] = { GH_ROLE_LIST(ROLE_ROW) };

const char *gh_role_name(enum gh_role role)
{
    for (size_t i = 0; i < GH_ROLE_COUNT; i++)
        if (roles[i].role == role) return roles[i].name;
    return NULL;
}

enum gh_err gh_role_parse(const char *name, size_t len, enum gh_role *ret_role)
{
    for (size_t i = 0; i < GH_ROLE_COUNT; i++) {
        if (strlen(roles[i].name) == len && memcmp(roles[i].name, name, len) == 0) {
            *ret_role = roles[i].role;
            return GH_OK;
        }
    }
    return GH_ERR_NOT_FOUND;
}

ProtobufCBinaryData gh_bytes(const void *data, size_t len)
{
    return (ProtobufCBinaryData){ .len = len, .data = (uint8_t *)(uintptr_t)data };
}

ProtobufCBinaryData gh_bytes_str(const char *str)
{
    return gh_bytes(str, str == NULL ? 0 : strlen(str));
}

bool gh_bytes_eq(ProtobufCBinaryData bytes, const char *str)
{
    size_t len = strlen(str);

    return bytes.len == len && (len == 0 || memcmp(bytes.data, str, len) == 0);
}

enum gh_err gh_bytes_copy(ProtobufCBinaryData bytes, char *dst, size_t size)
{
    if (bytes.len >= size) return GH_ERR_BAD_MESSAGE;
    if (bytes.len > 0) {
        if (memchr(bytes.data, 0, bytes.len) != NULL) return GH_ERR_BAD_MESSAGE;
        memcpy(dst, bytes.data, bytes.len);
    }
    dst[bytes.len] = '\0';
    return GH_OK;
}
