#include "common/json/buf.h"

#include <stdlib.h>

void gh_buf_init(struct gh_buf *buf, size_t max)
{
    *buf = (struct gh_buf){ .max = max ? max : SIZE_MAX / 2 };
}

void gh_buf_init_fixed(struct gh_buf *buf, void *array, size_t size)
{
    *buf = (struct gh_buf){ .data = array, .cap = size, .max = size, .fixed = true };
}

void gh_buf_done(struct gh_buf *buf)
{
    if (!buf->fixed) free(buf->data);
    *buf = (struct gh_buf){ 0 };
}

enum gh_err gh_buf_reserve_slow(struct gh_buf *buf, size_t more)
{
    if (buf->cap - buf->len >= more) return GH_OK;
    if (buf->fixed || buf->len > buf->max || more > buf->max - buf->len) return GH_ERR_LIMIT;

    size_t need = buf->len + more;
    size_t cap = buf->cap < 256 ? 256 : buf->cap;

    while (cap < need)
        cap = cap > buf->max / 2 ? buf->max : cap * 2;
    if (cap > buf->max) cap = buf->max;

    char *data = realloc(buf->data, cap);

    if (data == NULL) return GH_ERR_NOMEM;
    buf->data = data;
    buf->cap = cap;
    return GH_OK;
}

const char *gh_buf_cstr(struct gh_buf *buf)
{
    if (gh_buf_reserve(buf, 1) != GH_OK) return NULL;
    buf->data[buf->len] = '\0';
    return buf->data;
}
