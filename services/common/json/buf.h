/*
 * buf - a growable run of bytes, reused from message to message.
 *
 * Either on the heap and growing to at most `max`, or over an array of the caller's that never
 * grows. Append functions are all or nothing. Not thread-safe.
 */
#ifndef GH_JSON_BUF_H
#define GH_JSON_BUF_H

#include "common/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct gh_buf {
    char *data; /* len bytes; not NUL-ended */
    size_t len;
    size_t cap;
    size_t max;
    bool fixed; /* data is the caller's */
};

/* max 0 means no limit of its own. Nothing is allocated until the first append. */
void gh_buf_init(struct gh_buf *buf, size_t max);
void gh_buf_init_fixed(struct gh_buf *buf, void *array, size_t size);
void gh_buf_done(struct gh_buf *buf); /* a zeroed or done buffer is a no-op */

static inline void gh_buf_reset(struct gh_buf *buf)
{
    buf->len = 0;
}

/* Room for `more` bytes past len. Errors: GH_ERR_LIMIT past max or the array, GH_ERR_NOMEM. */
GH_NODISCARD enum gh_err gh_buf_reserve_slow(struct gh_buf *buf, size_t more);

GH_NODISCARD static inline enum gh_err gh_buf_reserve(struct gh_buf *buf, size_t more)
{
    return buf->cap - buf->len >= more ? GH_OK : gh_buf_reserve_slow(buf, more);
}

GH_NODISCARD static inline enum gh_err gh_buf_append(struct gh_buf *buf, const void *bytes,
                                                     size_t len)
{
    enum gh_err err = gh_buf_reserve(buf, len);

    if (err == GH_OK && len > 0) {
        memcpy(buf->data + buf->len, bytes, len);
        buf->len += len;
    }
    return err;
}

/* The bytes as a C string: a NUL is put after them (not counted in len). NULL without memory. */
const char *gh_buf_cstr(struct gh_buf *buf);

#endif
