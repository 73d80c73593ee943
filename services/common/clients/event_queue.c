#include "common/clients/event_queue.h"

#include <stdlib.h>
#include <string.h>

struct item_head {
    uint64_t number;
    uint64_t len;
};

void gh_event_queue_done(struct gh_event_queue *queue)
{
    free(queue->data);
    *queue = (struct gh_event_queue){ .max_bytes = queue->max_bytes };
}

static void compact(struct gh_event_queue *queue)
{
    if (queue->head == 0) return;
    memmove(queue->data, queue->data + queue->head, queue->tail - queue->head);
    queue->at -= queue->head;
    queue->tail -= queue->head;
    queue->head = 0;
}

enum gh_err gh_event_queue_push(struct gh_event_queue *queue, uint64_t number, const void *payload,
                                size_t len)
{
    struct item_head head = { .number = number, .len = len };
    size_t need = sizeof(head) + len;

    if (gh_event_queue_bytes(queue) + need > queue->max_bytes) return GH_ERR_LIMIT;
    if (queue->cap - queue->tail < need) compact(queue);
    if (queue->cap - queue->tail < need) {
        size_t cap = queue->cap == 0 ? 4096 : queue->cap;

        while (cap - queue->tail < need)
            cap *= 2;
        uint8_t *data = realloc(queue->data, cap);
        if (data == NULL) return GH_ERR_NOMEM;
        queue->data = data;
        queue->cap = cap;
    }
    memcpy(queue->data + queue->tail, &head, sizeof(head));
    memcpy(queue->data + queue->tail + sizeof(head), payload, len);
    queue->tail += need;
    return GH_OK;
}

bool gh_event_queue_peek(const struct gh_event_queue *queue, struct gh_event_item *ret_item)
{
    struct item_head head;

    if (queue->at == queue->tail) return false;
    memcpy(&head, queue->data + queue->at, sizeof(head));
    ret_item->number = head.number;
    ret_item->payload = queue->data + queue->at + sizeof(head);
    ret_item->len = head.len;
    return true;
}

void gh_event_queue_advance(struct gh_event_queue *queue)
{
    struct gh_event_item item;

    if (gh_event_queue_peek(queue, &item)) queue->at += sizeof(struct item_head) + item.len;
}

void gh_event_queue_rewind(struct gh_event_queue *queue)
{
    queue->at = queue->head;
}

void gh_event_queue_drop(struct gh_event_queue *queue)
{
    queue->head = queue->at;
    if (queue->head == queue->tail) queue->head = queue->at = queue->tail = 0;
}
