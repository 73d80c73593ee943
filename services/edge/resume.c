#include "resume.h"

#include "app_link.h"
#include "edge.h"
#include "replies.h"
#include "resume_internal.h"
#include "session_link.h"

#include "common/log.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- made from an answer ---------------------------------------------------------------------- */

static struct resume_entry *entry_new(const void *data, size_t len, bool binary)
{
    struct resume_entry *entry = malloc(sizeof *entry + len);

    if (entry == NULL) return NULL;
    entry->next = NULL;
    entry->len = (uint32_t)len;
    entry->binary = binary;
    if (len > 0) memcpy(entry->data, data, len);
    return entry;
}

static void queue_add(struct resume *r, struct resume_entry *entry)
{
    if (r->last != NULL)
        r->last->next = entry;
    else
        r->first = entry;
    r->last = entry;
    if (r->unkept == NULL) r->unkept = entry;
    r->queued++;
    r->bytes += entry->len;
}

static struct resume_entry *queue_take(struct resume *r)
{
    struct resume_entry *entry = r->first;

    r->first = entry->next;
    if (r->first == NULL) r->last = NULL;
    if (r->unkept == entry) r->unkept = entry->next;
    if (r->ready > 0) r->ready--;
    r->queued--;
    r->bytes -= entry->len;
    return entry;
}

static bool copy_topics(struct resume *r, const Gh__SessionCreated *created)
{
    if (created->n_topics == 0) return true;
    r->topics = calloc(created->n_topics, sizeof *r->topics);
    if (r->topics == NULL) return false;
    for (size_t i = 0; i < created->n_topics; i++) {
        const ProtobufCBinaryData topic = created->topics[i];

        if (topic.len == 0 || topic.len > DIRECTORY_TOPIC_MAX) continue;
        r->topics[r->n_topics].len = (uint8_t)topic.len;
        memcpy(r->topics[r->n_topics].name, topic.data, topic.len);
        r->n_topics++;
    }
    return true;
}

static bool copy_cursors(struct resume *r, const Gh__SessionCreated *created)
{
    if (created->n_cursors == 0) return true;
    r->cursors = calloc(created->n_cursors, sizeof *r->cursors);
    if (r->cursors == NULL) return false;
    for (size_t i = 0; i < created->n_cursors; i++) {
        const Gh__SessionCursor *cursor = created->cursors[i];

        if (gh_bytes_copy(cursor->origin, r->cursors[r->n_cursors].origin,
                          sizeof r->cursors[0].origin) != GH_OK)
            continue;
        r->cursors[r->n_cursors++].number = cursor->number;
    }
    return true;
}

enum gh_err resume_new(const Gh__SessionCreated *created, struct resume **ret_resume)
{
    struct resume *r = calloc(1, sizeof *r);

    if (r == NULL) return GH_ERR_NOMEM;
    if (gh_bytes_copy(created->resume_secret, r->secret, sizeof r->secret) != GH_OK ||
        created->last_seq < created->n_entries) {
        resume_free(r);
        return GH_ERR_BAD_MESSAGE;
    }
    r->generation = created->generation;
    r->resumed = created->resumed;
    r->seq = r->seen = created->last_seq - created->n_entries;
    for (size_t i = 0; i < created->n_entries; i++) {
        const Gh__SessionEntry *kept = created->entries[i];
        struct resume_entry *entry = entry_new(kept->data.data, kept->data.len, kept->binary);

        if (entry == NULL) break;
        queue_add(r, entry);
        r->ready++;
    }
    r->unkept = NULL; /* all of these are */
    if (r->queued != created->n_entries || !copy_topics(r, created) || !copy_cursors(r, created)) {
        resume_free(r);
        return GH_ERR_NOMEM;
    }
    *ret_resume = r;
    return GH_OK;
}

void resume_free(struct resume *r)
{
    if (r == NULL) return;
    resume_undirty(r);
    while (r->first != NULL)
        free(queue_take(r));
    while (r->changes != NULL) {
        struct resume_change *next = r->changes->next;

        free(r->changes);
        r->changes = next;
    }
    explicit_bzero(r->secret, sizeof r->secret);
    free(r->topics);
    free(r->cursors);
    free(r->lanes);
    free(r);
}

/* --- opening ---------------------------------------------------------------------------------- */

enum gh_err resume_adopt(struct conn *conn, struct resume *r)
{
    struct edge *edge = conn->edge;

    for (size_t i = 0; i < r->n_topics; i++) {
        enum gh_err err = directory_subscribe(&edge->directory, conn, conn->route->link,
                                              r->topics[i].name, r->topics[i].len);

        if (err != GH_OK && err != GH_ERR_LIMIT) return err;
    }
    r->conn = conn;
    r->acked = r->seen;
    conn->resume = r;
    resume_dirty(r); /* its cursors are kept from now on */
    return GH_OK;
}

/* {"seq":N, and what the application wrote after its brace. What is no object has no room for it:
 * its number is the one before and 1. */
static void emit(struct conn *conn, const struct resume_entry *entry, uint64_t seq)
{
    struct gh_buf *out = &conn->edge->scratch;
    char head[32];
    int n;

    if (entry->binary || entry->len < 2 || entry->data[0] != '{') {
        conn_send(conn, entry->data, entry->len, entry->binary);
        return;
    }
    n = snprintf(head, sizeof head, "{\"seq\":%" PRIu64 "%s", seq,
                 entry->data[1] == '}' ? "" : ",");
    gh_buf_reset(out);
    if (gh_buf_append(out, head, (size_t)n) != GH_OK ||
        gh_buf_append(out, entry->data + 1, entry->len - 1) != GH_OK) {
        conn_close(conn, GH_CODE_INTERNAL, 0, "no memory");
        return;
    }
    conn_send(conn, out->data, out->len, false);
}

/* Sends the first n. False: the connection ended on the way. */
static bool emit_some(struct conn *conn, uint32_t n)
{
    struct resume *r = conn->resume;

    for (uint32_t i = 0; i < n && r->first != NULL; i++) {
        struct resume_entry *entry = queue_take(r);

        r->seq++;
        emit(conn, entry, r->seq);
        free(entry);
        if (conn->state != CONN_OPEN) return false;
    }
    return true;
}

bool resume_pump(struct conn *conn)
{
    const size_t enough = conn->edge->config.max_queue_bytes / 2;
    bool sent = false;

    while (conn->resume->ready > 0 && conn->outbox.len < enough) {
        sent = true;
        if (!emit_some(conn, 1)) break;
    }
    return sent;
}

void resume_kept(struct conn *conn, uint32_t n)
{
    struct resume *r = conn->resume;

    r->ready += n;
    for (uint32_t i = 0; i < n && r->unkept != NULL; i++)
        r->unkept = r->unkept->next;
    (void)resume_pump(conn);
}

bool resume_was_resumed(const struct resume *r)
{
    return r->resumed;
}

uint64_t resume_generation(const struct resume *r)
{
    return r->generation;
}

uint64_t resume_seen(const struct resume *r)
{
    return r->seen;
}

const char *resume_secret(const struct resume *r)
{
    return r->secret;
}

void resume_wipe_secret(struct resume *r)
{
    explicit_bzero(r->secret, sizeof r->secret);
}

/* --- messages --------------------------------------------------------------------------------- */

void resume_lose(struct conn *conn, const char *why)
{
    struct resume *r = conn->resume;

    if (r->lost) return;
    r->lost = true;
    resume_undirty(r);
    resume_count_lost(conn->edge->resumes);
    gh_log(GH_LOG_WARN, "resume_lost", "request_id=%s reason=\"%s\" next=\"messages go on\"",
           conn->request_id, why);
    if (emit_some(conn, r->queued)) replies_resume_lost(conn);
}

void resume_send(struct conn *conn, const void *data, size_t len, bool binary)
{
    struct resume *r = conn->resume;
    struct resume_entry *entry;

    if (conn->state != CONN_OPEN || conn->close_sent) return;
    /* More than can be given to whoever comes back would be a gap; who is here gets it. */
    if (!r->lost && r->bytes + len > RESUME_QUEUE_MAX) {
        if (r->ready > 0) {
            conn_close(conn, GH_CODE_SLOW_CONSUMER, 0, "queue full");
            return;
        }
        if (r->n_behind > 0) {
            resume_broken(conn);
            return;
        }
        resume_lose(conn, "too much waits to be kept");
    }
    if (conn->state != CONN_OPEN) return;
    entry = entry_new(data, len, binary);
    if (entry == NULL) {
        conn_close(conn, GH_CODE_INTERNAL, 0, "no memory");
        return;
    }
    queue_add(r, entry);
    if (r->lost)
        (void)emit_some(conn, 1);
    else
        resume_dirty(r);
}

void resume_topic(struct conn *conn, const void *topic, size_t len, bool leave)
{
    struct resume *r = conn->resume;
    struct resume_change *change;

    if (r->lost || len == 0 || len > DIRECTORY_TOPIC_MAX) return;
    change = malloc(sizeof *change);
    if (change == NULL) {
        resume_lose(conn, "no memory");
        return;
    }
    change->next = NULL;
    change->leave = leave;
    change->len = (uint8_t)len;
    memcpy(change->name, topic, len);
    if (r->changes_last != NULL)
        r->changes_last->next = change;
    else
        r->changes = change;
    r->changes_last = change;
    resume_dirty(r);
}

bool resume_ack(struct conn *conn, const Gh__Verdict *verdict)
{
    struct gh_tape *tape = &conn->edge->tape;
    struct resume *r = conn->resume;
    uint32_t payload, node;
    double seq;

    if (r == NULL || gh_tape_parse(tape, (const char *)verdict->output.data, verdict->output.len,
                                   NULL) != GH_JSON_OK)
        return false;
    payload = gh_tape_get_lit(tape, 0, "payload");
    if (payload == GH_TAPE_NONE || gh_tape_kind(tape, payload) != GH_JSON_OBJ) return false;
    node = gh_tape_get_lit(tape, payload, "seq");
    if (node == GH_TAPE_NONE || gh_tape_double(tape, node, &seq) != GH_OK) return false;
    /* Of what it cannot have it can acknowledge nothing. */
    if (seq > (double)r->acked && seq <= (double)r->seq) r->acked = (uint64_t)seq;
    return true;
}

bool resume_idle(const struct conn *conn)
{
    return conn->resume == NULL || conn->resume->first == NULL;
}

/* --- leaving ---------------------------------------------------------------------------------- */

bool resume_may_return(const struct conn *conn)
{
    if (conn->resume == NULL || conn->resume->lost) return false;
    if (conn->ws_code == 0) return true; /* the socket broke */
    switch ((enum gh_code)conn->code) {
    case GH_CODE_OK: return conn->ws_code == 1001; /* a page that is left may be loaded again */
    case GH_CODE_GOING_AWAY:
    case GH_CODE_SLOW_CONSUMER:
    case GH_CODE_TIMEOUT:
    case GH_CODE_UNAVAILABLE:
    case GH_CODE_INTERNAL:
    case GH_CODE_SUPERSEDED: return true;
    default: return false; /* it was shown out, or has said farewell */
    }
}

bool resume_leave(struct conn *conn)
{
    if (!resume_may_return(conn)) return false;
    resume_undirty(conn->resume);
    /* Another connection has the session: it is not ours to touch. */
    if (conn->code != GH_CODE_SUPERSEDED) resume_detach(conn);
    return true;
}

void resume_broken(struct conn *conn)
{
    struct resume *r = conn->resume;

    gh_log(GH_LOG_WARN, "resume_broken", "request_id=%s next=\"its session ends\"",
           conn->request_id);
    r->lost = true;
    resume_undirty(r);
    conn_close(conn, GH_CODE_GOING_AWAY, 0, "what it missed is gone");
}

/* --- lanes ------------------------------------------------------------------------------------ */

static struct resume_lane *find_lane(const struct resume *r, const struct app_lane *lane)
{
    for (size_t i = 0; i < r->n_lanes; i++)
        if (r->lanes[i].lane == lane) return &r->lanes[i];
    return NULL;
}

static struct resume_lane *add_lane(struct resume *r, const struct app_lane *lane, uint64_t cursor)
{
    struct resume_lane *found = find_lane(r, lane), *bigger;

    if (found == NULL) {
        bigger = realloc(r->lanes, (r->n_lanes + 1) * sizeof *bigger);
        if (bigger == NULL) return NULL;
        r->lanes = bigger;
        found = &bigger[r->n_lanes++];
        *found = (struct resume_lane){ .lane = lane };
    }
    found->cursor = cursor;
    return found;
}

static void drop_lane(struct resume *r, struct resume_lane *at)
{
    if (at->behind) r->n_behind--;
    *at = r->lanes[--r->n_lanes];
}

bool resume_take_known(struct conn *conn, const struct app_lane *lane, uint64_t *ret_cursor)
{
    struct resume *r = conn->resume;

    for (size_t i = 0; i < r->n_cursors; i++) {
        if (strcmp(r->cursors[i].origin, app_lane_origin(lane)) != 0) continue;
        *ret_cursor = r->cursors[i].number;
        r->cursors[i] = r->cursors[--r->n_cursors];
        return true;
    }
    return false;
}

enum gh_err resume_behind(struct conn *conn, const struct app_lane *lane, uint64_t cursor)
{
    const struct resume_lane *before = find_lane(conn->resume, lane);
    struct resume_lane *own;

    /* What waits for a verdict is not in our hands yet. */
    if (before != NULL && conn->resume->held && before->cursor < cursor) cursor = before->cursor;
    own = add_lane(conn->resume, lane, cursor);
    if (own == NULL) return GH_ERR_NOMEM;
    if (!own->behind) conn->resume->n_behind++;
    own->behind = true;
    return GH_OK;
}

bool resume_is_behind(const struct conn *conn, const struct app_lane *lane)
{
    const struct resume_lane *own;

    if (conn->resume == NULL || conn->resume->n_behind == 0) return false;
    own = find_lane(conn->resume, lane);
    return own != NULL && own->behind;
}

void resume_attached(struct conn *conn, const struct app_lane *lane)
{
    struct resume *r = conn->resume;
    struct resume_lane *own = find_lane(r, lane);

    if (own == NULL || !own->behind) return;
    own->behind = false;
    r->n_behind--;
    if (!r->held) drop_lane(r, own);
    resume_dirty(r);
}

bool resume_has_own(const struct conn *conn, const struct app_lane *lane)
{
    return conn->resume != NULL && find_lane(conn->resume, lane) != NULL;
}

void resume_forget_lane(struct conn *conn, const struct app_lane *lane)
{
    struct resume_lane *own = conn->resume != NULL ? find_lane(conn->resume, lane) : NULL;

    if (own != NULL) drop_lane(conn->resume, own);
}

void resume_hold(struct conn *conn)
{
    struct resume *r = conn->resume;
    const struct app_lane *lane = NULL;

    if (r->held) return;
    r->held = true;
    while ((lane = app_link_next_lane(conn->route->link, lane)) != NULL) {
        if (find_lane(r, lane) != NULL) continue; /* behind: its cursor is its own already */
        if (add_lane(r, lane, app_lane_cursor(lane)) == NULL) {
            resume_lose(conn, "no memory");
            return;
        }
    }
}

void resume_passed(struct conn *conn, const struct app_lane *lane, uint64_t number)
{
    struct resume_lane *own = find_lane(conn->resume, lane);

    if (own != NULL && number > own->cursor) own->cursor = number;
}

void resume_release(struct conn *conn)
{
    struct resume *r = conn->resume;

    if (!r->held) return;
    r->held = false;
    for (size_t i = r->n_lanes; i-- > 0;)
        if (!r->lanes[i].behind) drop_lane(r, &r->lanes[i]);
    resume_dirty(r);
}
