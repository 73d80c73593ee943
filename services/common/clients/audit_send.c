/* Batches of events on their way to audit: filled from spools and memory, acknowledged, refused,
 * sent again. */
#include "common/clients/audit_client_internal.h"

#include "common/log.h"

#include <inttypes.h>

#define BATCH_BYTES     (512u * 1024u)
#define CALL_TIMEOUT_MS 10000u
#define RETRY_MIN_MS    200u
#define RETRY_MAX_MS    5000u

static void batch_back(struct gh_audit *audit)
{
    if (audit->batch.spool != NULL) gh_spool_rewind(audit->batch.spool);
    if (audit->batch.own) gh_event_queue_rewind(&audit->infos);
    audit->batch.active = false;
}

static void batch_done(struct gh_audit *audit)
{
    gh_spool_ack(audit->batch.spool);
    if (audit->batch.own) gh_event_queue_drop(&audit->infos);
    audit->batch.active = false;
    audit->retry_ms = 0;
    audit_client_check_full(audit);

    uint64_t dropped = *audit->dropped - audit->dropped_told;
    if (dropped > 0) {
        struct gh_audit_event event = { .fields = { { "count", .number = dropped } } };
        audit->dropped_told = *audit->dropped;
        gh_audit_emit(audit, GH_SEV_NOTICE, "audit.dropped", &event);
    }
}

/* One event that audit will never take must not hold up all behind it. */
static void batch_refused(struct gh_audit *audit)
{
    if (audit->batch.count > 1) {
        audit->one_by_one = true;
        batch_back(audit);
        return;
    }
    gh_log(GH_LOG_ERROR, "audit_refused", "sender=%s spool=%s number=%" PRIu64,
           gh_spool_sender(audit->batch.spool), gh_spool_id(audit->batch.spool),
           audit->batch.last_number);
    ++*audit->refused;
    gh_spool_rewind(audit->batch.spool);
    gh_event_queue_rewind(&audit->infos);
    const struct gh_spool_record *record = gh_spool_peek(audit->batch.spool);
    struct gh_event_item item;
    if (record != NULL && record->number == audit->batch.last_number) {
        audit_client_log_event(audit, "audit_refused_event", record->payload, record->len);
        gh_spool_advance(audit->batch.spool);
    } else if (audit->batch.own && gh_event_queue_peek(&audit->infos, &item)) {
        gh_event_queue_advance(&audit->infos);
    }
    batch_done(audit);
    audit->one_by_one = false;
}

static void on_answer(void *ctx, enum gh_err err, const void *body)
{
    struct gh_audit *audit = ctx;
    const Gh__AuditAppended *appended = body;

    if (audit->closing) {
        batch_back(audit);
        return;
    }
    if (err == GH_OK && appended->number >= audit->batch.last_number) {
        batch_done(audit);
        audit_client_send(audit);
        return;
    }
    if (err == GH_ERR_BAD_MESSAGE) {
        batch_refused(audit);
        audit_client_send(audit);
        return;
    }
    batch_back(audit);
    if (audit->retry_ms == 0)
        gh_log(GH_LOG_WARN, "audit_away", "reason=\"%s\" next=\"events wait in the spool\"",
               err == GH_OK ? "answered for fewer events" : gh_err_text(err));
    audit->retry_ms = audit->retry_ms == 0                 ? RETRY_MIN_MS
                      : audit->retry_ms * 2 < RETRY_MAX_MS ? audit->retry_ms * 2
                                                           : RETRY_MAX_MS;
    audit_client_kick(audit, audit->retry_ms);
}

/* The next event of the spool, or of the infos when those are ours and come first. */
static bool next_event(struct gh_audit *audit, struct gh_spool *spool, struct gh_event_item *ret)
{
    const struct gh_spool_record *record = gh_spool_peek(spool);
    bool own = spool == audit->spool;

    if (own && gh_event_queue_peek(&audit->infos, ret) &&
        (record == NULL || ret->number < record->number)) {
        gh_event_queue_advance(&audit->infos);
        return true;
    }
    if (record == NULL) return false;
    *ret = (struct gh_event_item){ record->number, record->payload, record->len };
    gh_spool_advance(spool); /* the payload stays valid until the next peek */
    return true;
}

static unsigned fill_batch(struct gh_audit *audit, struct gh_spool *spool,
                           Gh__AuditEvent *events[GH_AUDIT_BATCH_MAX])
{
    unsigned max = audit->one_by_one ? 1 : GH_AUDIT_BATCH_MAX;
    unsigned count = 0;
    size_t bytes = 0;
    struct gh_event_item item;

    gh_arena_reset(audit->arena);
    while (count < max && bytes < BATCH_BYTES && next_event(audit, spool, &item)) {
        Gh__AuditEvent *event =
            gh__audit_event__unpack(gh_arena_protobuf(audit->arena), item.len, item.payload);
        if (event == NULL) { /* its CRC holds, so it was written so: by another version, or worse */
            audit_client_log_event(audit, "audit_unreadable", item.payload, item.len);
            continue;
        }
        event->number = item.number;
        audit->batch.last_number = item.number;
        bytes += item.len;
        events[count++] = event;
    }
    return count;
}

static bool send_from(struct gh_audit *audit, struct gh_spool *spool, struct gh_client_peer *peer)
{
    Gh__AuditAppend append_msg = GH__AUDIT_APPEND__INIT;
    Gh__AuditEvent *events[GH_AUDIT_BATCH_MAX];

    audit->batch.spool = spool;
    audit->batch.own = spool == audit->spool;
    audit->batch.count = fill_batch(audit, spool, events);
    if (audit->batch.count == 0) {
        gh_spool_ack(spool); /* only what cannot be read was passed over */
        return false;
    }
    append_msg.sender = gh_bytes_str(gh_spool_sender(spool));
    append_msg.spool = gh_bytes_str(gh_spool_id(spool));
    append_msg.events = events;
    append_msg.n_events = audit->batch.count;
    enum gh_err err =
        gh_client_call(audit->client, peer, GH__ENVELOPE__BODY_AUDIT_APPEND, &append_msg,
                       GH__ENVELOPE__BODY_AUDIT_APPENDED, CALL_TIMEOUT_MS, on_answer, audit);
    audit->batch.active = err == GH_OK;
    if (err != GH_OK) {
        batch_back(audit);
        audit_client_kick(audit, RETRY_MIN_MS);
    }
    return true;
}

static void forget_adopted(struct gh_audit *audit, unsigned i)
{
    struct gh_spool *spool = audit->adopted[i];
    uint64_t damaged = gh_spool_damaged_bytes(spool);

    gh_log(damaged > 0 ? GH_LOG_ERROR : GH_LOG_INFO, "audit_spool_adopted",
           "sender=%s spool=%s damaged_bytes=%" PRIu64, gh_spool_sender(spool), gh_spool_id(spool),
           damaged);
    if (damaged > 0) {
        struct gh_audit_event event = { .fields = {
                                            { "sender", gh_bytes_str(gh_spool_sender(spool)) },
                                            { "spool", gh_bytes_str(gh_spool_id(spool)) },
                                            { "damaged_bytes", .number = damaged } } };
        gh_audit_emit(audit, GH_SEV_ERROR, "audit.spool_damaged", &event);
    }
    gh_spool_free(spool);
    audit->adopted[i] = audit->adopted[--audit->adopted_count];
}

void audit_client_send(struct gh_audit *audit)
{
    if (audit->batch.active || audit->closing || audit->client == NULL) return;
    struct gh_client_peer *peer = gh_client_peer_for(audit->client, 0);
    if (peer == NULL) return; /* on_up comes */

    audit->adopted_turn = !audit->adopted_turn;
    for (unsigned turn = 0; turn < 2; turn++) {
        if (audit->adopted_turn == (turn == 0)) {
            while (audit->adopted_count > 0) {
                if (send_from(audit, audit->adopted[0], peer)) return;
                if (gh_spool_unacked_bytes(audit->adopted[0]) > 0)
                    break; /* cannot be read now; the timer comes back to it */
                forget_adopted(audit, 0);
            }
        } else if (send_from(audit, audit->spool, peer)) {
            return;
        }
    }
}
