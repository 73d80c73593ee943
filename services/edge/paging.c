#include "paging.h"

#include <stdlib.h>
#include <string.h>

struct paging {
    const struct paging_ops *ops;
    void *ctx;
    uv_timer_t *retry;
    bool reading; /* a page, or waiting to start over */
    bool again;   /* what is read is known to be old */
    uint8_t cursor[PAGING_CURSOR_MAX];
    size_t cursor_len;
};

static void ask(struct paging *paging)
{
    paging->reading = true;
    if (paging->ops->ask(paging->ctx, gh_bytes(paging->cursor, paging->cursor_len)) != GH_OK)
        paging_failed(paging);
}

static void on_retry(uv_timer_t *timer)
{
    ask(timer->data);
}

void paging_failed(struct paging *paging)
{
    if (paging->ops->drop != NULL) paging->ops->drop(paging->ctx);
    paging->cursor_len = 0;
    paging->again = false;
    (void)uv_timer_start(paging->retry, on_retry, PAGING_RETRY_MS, 0);
}

void paging_read(struct paging *paging)
{
    if (paging->reading)
        paging->again = true;
    else
        ask(paging);
}

bool paging_is_reading(const struct paging *paging)
{
    return paging->reading;
}

bool paging_is_first(const struct paging *paging)
{
    return paging->cursor_len == 0;
}

void paging_took(struct paging *paging, ProtobufCBinaryData cursor)
{
    if (cursor.len > sizeof paging->cursor) {
        paging_failed(paging);
        return;
    }
    paging->cursor_len = cursor.len;
    if (cursor.len > 0) {
        memcpy(paging->cursor, cursor.data, cursor.len);
        ask(paging);
        return;
    }
    paging->reading = false;
    paging->ops->whole(paging->ctx);
    if (!paging->again) return;
    paging->again = false;
    paging_read(paging);
}

enum gh_err paging_new(uv_loop_t *loop, const struct paging_ops *ops, void *ctx,
                       struct paging **ret_paging)
{
    struct paging *paging = calloc(1, sizeof *paging);

    if (paging == NULL) return GH_ERR_NOMEM;
    paging->ops = ops;
    paging->ctx = ctx;
    paging->retry = malloc(sizeof *paging->retry);
    if (paging->retry == NULL) {
        free(paging);
        return GH_ERR_NOMEM;
    }
    (void)uv_timer_init(loop, paging->retry);
    paging->retry->data = paging;
    *ret_paging = paging;
    return GH_OK;
}

static void retry_closed(uv_handle_t *handle)
{
    free(handle);
}

void paging_free(struct paging *paging)
{
    if (paging == NULL) return;
    uv_close((uv_handle_t *)paging->retry, retry_closed);
    free(paging);
}
