#include "latest.h"

#include "edge.h"
#include "outbound.h"

#include <stdlib.h>
#include <string.h>

struct latest {
    struct latest *next;
    uint32_t topic_len, type_len, len;
    bool binary;
    char bytes[]; /* topic, type, data */
};

static bool is_behind(const struct conn *conn)
{
    return (uint64_t)conn->outbox.len + conn->out_bytes > conn->edge->config.max_queue_bytes / 4;
}

static struct latest *latest_new(const Gh__AppOp *op)
{
    struct latest *latest = malloc(sizeof *latest + op->topic.len + op->type.len + op->data.len);
    char *at;

    if (latest == NULL) return NULL;
    latest->next = NULL;
    latest->topic_len = (uint32_t)op->topic.len;
    latest->type_len = (uint32_t)op->type.len;
    latest->len = (uint32_t)op->data.len;
    latest->binary = op->binary;
    at = latest->bytes;
    memcpy(at, op->topic.data, op->topic.len);
    at += op->topic.len;
    if (op->type.len > 0) memcpy(at, op->type.data, op->type.len);
    at += op->type.len;
    if (op->data.len > 0) memcpy(at, op->data.data, op->data.len);
    return latest;
}

bool latest_hold(struct conn *conn, const Gh__AppOp *op)
{
    struct latest **at = &conn->latest, *latest;
    size_t topics = 0, bytes = op->data.len;

    if (conn->resume != NULL || op->topic.len == 0) return false;
    if (conn->latest == NULL && !is_behind(conn)) return false;
    for (; *at != NULL; at = &(*at)->next) {
        if ((*at)->topic_len == op->topic.len &&
            memcmp((*at)->bytes, op->topic.data, op->topic.len) == 0)
            break;
        topics++;
        bytes += (*at)->len;
    }
    if (*at == NULL && !is_behind(conn)) return false;
    if (*at != NULL) {
        struct latest *old = *at;

        *at = old->next;
        free(old);
        (*conn->edge->stats.conflated)++;
        /* At the end: it was said last. */
        for (; *at != NULL; at = &(*at)->next)
            bytes += (*at)->len;
    }
    latest = topics < LATEST_TOPICS_MAX && bytes <= conn->edge->config.max_queue_bytes / 4
                 ? latest_new(op)
                 : NULL;
    if (latest == NULL)
        (*conn->edge->stats.conflated)++;
    else
        *at = latest;
    return true;
}

static void send_on(struct conn *conn, struct latest *latest)
{
    Gh__AppOp op = GH__APP_OP__INIT;
    struct outbound_send send;
    uint8_t *bytes = (uint8_t *)latest->bytes;

    op.topic = (ProtobufCBinaryData){ latest->topic_len, bytes };
    op.type = (ProtobufCBinaryData){ latest->type_len, bytes + latest->topic_len };
    op.data = (ProtobufCBinaryData){ latest->len, bytes + latest->topic_len + latest->type_len };
    op.binary = latest->binary;
    outbound_begin(&send, conn->edge->outbound, &op);
    outbound_to(&send, conn);
    outbound_end(&send);
}

void latest_pump(struct conn *conn)
{
    struct latest *latest = conn->latest;

    conn->latest = NULL;
    while (latest != NULL) {
        struct latest *next = latest->next;

        send_on(conn, latest);
        free(latest);
        latest = next;
    }
}

void latest_forget(struct conn *conn)
{
    while (conn->latest != NULL) {
        struct latest *latest = conn->latest;

        conn->latest = latest->next;
        free(latest);
    }
}
