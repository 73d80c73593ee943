#include "common/app/app_ops.h"

#include <stdlib.h>
#include <string.h>

#define OP_OVERHEAD_BYTES 32u /* tags and lengths */

void gh_app_ops_done(struct gh_app_ops *ops)
{
    free(ops->list);
    *ops = (struct gh_app_ops){ 0 };
}

void gh_app_ops_reset(struct gh_app_ops *ops)
{
    ops->count = ops->bytes = 0;
}

enum gh_err gh_app_ops_add(struct gh_app_ops *ops, Gh__AppOp *op)
{
    if (ops->count == ops->size) {
        size_t size = ops->size == 0 ? 64 : ops->size * 2;
        Gh__AppOp **list = realloc(ops->list, size * sizeof(Gh__AppOp *));

        if (list == NULL) return GH_ERR_NOMEM;
        ops->list = list;
        ops->size = size;
    }
    ops->list[ops->count++] = op;
    ops->bytes += OP_OVERHEAD_BYTES + op->data.len + op->topic.len + op->user.len;
    return GH_OK;
}

static bool copy_bytes(struct gh_arena *arena, ProtobufCBinaryData *bytes)
{
    uint8_t *copy;

    if (bytes->len == 0) return true;
    copy = gh_arena_alloc(arena, bytes->len);
    if (copy == NULL) return false;
    memcpy(copy, bytes->data, bytes->len);
    bytes->data = copy;
    return true;
}

Gh__AppOp *gh_app_op_copy(struct gh_arena *arena, const Gh__AppOp *op)
{
    Gh__AppOp *copy = gh_arena_alloc(arena, sizeof(*copy));

    if (copy == NULL) return NULL;
    *copy = *op;
    if (!copy_bytes(arena, &copy->session_id) || !copy_bytes(arena, &copy->user) ||
        !copy_bytes(arena, &copy->topic) || !copy_bytes(arena, &copy->data) ||
        !copy_bytes(arena, &copy->type) || !copy_bytes(arena, &copy->close_reason))
        return NULL;
    return copy;
}
