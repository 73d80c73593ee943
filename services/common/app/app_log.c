#include "common/app/app_log.h"

#include <stdlib.h>
#include <string.h>

void gh_app_log_init(struct gh_app_log *log, size_t max_bytes)
{
    *log = (struct gh_app_log){ .max_bytes = max_bytes, .from = 1 };
}

static void drop_first(struct gh_app_log *log)
{
    struct gh_app_kept *kept = log->first;

    log->first = kept->next;
    if (log->first == NULL) log->last = NULL;
    log->bytes -= kept->bytes;
    log->from = kept->op.number + 1;
    free(kept);
}

void gh_app_log_done(struct gh_app_log *log)
{
    while (log->first != NULL)
        drop_first(log);
}

static ProtobufCBinaryData place(char **at, ProtobufCBinaryData bytes)
{
    ProtobufCBinaryData copy = { bytes.len, (uint8_t *)*at };

    if (bytes.len > 0) memcpy(*at, bytes.data, bytes.len);
    *at += bytes.len;
    return copy;
}

void gh_app_log_keep(struct gh_app_log *log, const Gh__AppOp *op, ProtobufCBinaryData session,
                     ProtobufCBinaryData except, int64_t now_ms)
{
    const ProtobufCBinaryData to = op->conn != 0 || session.len > 0 ? session : op->session_id;
    const size_t bytes = sizeof(struct gh_app_kept) + to.len + op->user.len + op->topic.len +
                         op->data.len + op->type.len + op->close_reason.len + except.len;
    struct gh_app_kept *kept = malloc(bytes);
    char *at = (char *)(kept + 1);

    if (kept == NULL) {
        gh_app_log_done(log);
        log->from = op->number + 1;
        return;
    }
    kept->next = NULL;
    kept->at_ms = now_ms;
    kept->bytes = bytes;
    kept->op = *op;
    kept->op.conn = kept->op.except_conn = 0;
    kept->op.session_id = place(&at, to);
    kept->op.user = place(&at, op->user);
    kept->op.topic = place(&at, op->topic);
    kept->op.data = place(&at, op->data);
    kept->op.type = place(&at, op->type);
    kept->op.close_reason = place(&at, op->close_reason);
    kept->except = place(&at, except);
    if (log->last != NULL)
        log->last->next = kept;
    else
        log->first = kept;
    log->last = kept;
    log->bytes += bytes;
    while (log->bytes > log->max_bytes)
        drop_first(log);
}

void gh_app_log_trim(struct gh_app_log *log, int64_t before_ms)
{
    while (log->first != NULL && log->first->at_ms < before_ms)
        drop_first(log);
}

void gh_app_log_undo(struct gh_app_log *log, uint64_t number)
{
    struct gh_app_kept **at = &log->first;

    log->last = NULL;
    while (*at != NULL && (*at)->op.number <= number) {
        log->last = *at;
        at = &(*at)->next;
    }
    while (*at != NULL) {
        struct gh_app_kept *kept = *at;

        *at = kept->next;
        log->bytes -= kept->bytes;
        free(kept);
    }
}

bool gh_app_log_reaches(const struct gh_app_log *log, uint64_t cursor)
{
    return cursor + 1 >= log->from;
}

static bool same(ProtobufCBinaryData a, ProtobufCBinaryData b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

static size_t find_topic(const struct gh_app_topics *topics, ProtobufCBinaryData topic)
{
    size_t i = 0;

    while (i < topics->count && !same(topics->list[i], topic))
        i++;
    return i;
}

static void join(struct gh_app_topics *topics, ProtobufCBinaryData topic)
{
    if (find_topic(topics, topic) < topics->count || topics->count == topics->size) return;
    topics->list[topics->count++] = topic;
}

static void leave(struct gh_app_topics *topics, ProtobufCBinaryData topic)
{
    size_t i = find_topic(topics, topic);

    if (i < topics->count) topics->list[i] = topics->list[--topics->count];
}

bool gh_app_log_concerns(const struct gh_app_kept *kept, ProtobufCBinaryData session,
                         ProtobufCBinaryData user, struct gh_app_topics *topics)
{
    const Gh__AppOp *op = &kept->op;

    if (op->session_id.len > 0) {
        if (!same(op->session_id, session)) return false;
        if (op->kind == GH__APP_OP_KIND__APP_SUBSCRIBE) join(topics, op->topic);
        if (op->kind == GH__APP_OP_KIND__APP_UNSUBSCRIBE) leave(topics, op->topic);
        return true;
    }
    if (kept->except.len > 0 && same(kept->except, session)) return false;
    if (op->user.len > 0) return same(op->user, user);
    return op->topic.len > 0 && find_topic(topics, op->topic) < topics->count;
}
