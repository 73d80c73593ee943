/*
 * paging - reads a list that a peer tells in pages, to its end.
 *
 * When a page fails the whole list is read again, PAGING_RETRY_MS later. Who learns meanwhile that
 * the list has changed calls paging_read once more, and it is read again after its end.
 */
#ifndef EDGE_PAGING_H
#define EDGE_PAGING_H

#include "common/bus.h"

#include <stdbool.h>
#include <uv.h>

#define PAGING_RETRY_MS   200
#define PAGING_CURSOR_MAX 512

struct paging;

struct paging_ops {
    /* Asks for the page at cursor (empty: the first). Its answer ends in paging_took or
     * paging_failed; so does, as a failure, any error returned here. */
    enum gh_err (*ask)(void *ctx, ProtobufCBinaryData cursor);
    void (*whole)(void *ctx); /* the last page was taken */
    void (*drop)(void *ctx);  /* what was read is void; NULL: nothing to do */
};

/* ops must outlive it. */
GH_NODISCARD enum gh_err paging_new(uv_loop_t *loop, const struct paging_ops *ops, void *ctx,
                                    struct paging **ret_paging);
void paging_free(struct paging *paging); /* NULL is a no-op */

void paging_read(struct paging *paging);
bool paging_is_reading(const struct paging *paging);
bool paging_is_first(const struct paging *paging); /* the page that was asked for */
void paging_took(struct paging *paging, ProtobufCBinaryData cursor); /* empty: it was the last */
void paging_failed(struct paging *paging);

#endif
