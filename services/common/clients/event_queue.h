/*
 * event_queue - packed events waiting in memory, in order, up to a cap in bytes.
 *
 * One reading position runs ahead of the head; what lies between them was sent and is dropped or
 * rewound to. Pure.
 */
#ifndef GH_EVENT_QUEUE_H
#define GH_EVENT_QUEUE_H

#include "common/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct gh_event_queue { /* zeroed is an empty queue of cap 0; set max_bytes first */
    size_t max_bytes;
    uint8_t *data;
    size_t cap;
    size_t head; /* oldest */
    size_t at;   /* reading position */
    size_t tail;
};

struct gh_event_item {
    uint64_t number;
    const uint8_t *payload;
    size_t len;
};

void gh_event_queue_done(struct gh_event_queue *queue);
/* Errors: GH_ERR_LIMIT, GH_ERR_NOMEM. */
GH_NODISCARD enum gh_err gh_event_queue_push(struct gh_event_queue *queue, uint64_t number,
                                             const void *payload, size_t len);
/* The item at the reading position, valid until the next push or drop; false at the end. */
GH_NODISCARD bool gh_event_queue_peek(const struct gh_event_queue *queue,
                                      struct gh_event_item *ret_item);
void gh_event_queue_advance(struct gh_event_queue *queue);
void gh_event_queue_rewind(struct gh_event_queue *queue);
void gh_event_queue_drop(struct gh_event_queue *queue); /* all before the reading position */

static inline bool gh_event_queue_empty(const struct gh_event_queue *queue)
{
    return queue->head == queue->tail;
}
static inline size_t gh_event_queue_bytes(const struct gh_event_queue *queue)
{
    return queue->tail - queue->head;
}

#endif
