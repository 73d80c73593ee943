/*
 * event_pack - a gh_audit_event as packed Gh__AuditEvent, every value cut to its limit.
 *
 * Text is cut before the character (UTF-8) that does not fit. A kind or field name may hold only
 * [a-z0-9_.]; other characters become '_', since a record that audit refuses would be worse.
 * Pure.
 */
#ifndef GH_EVENT_PACK_H
#define GH_EVENT_PACK_H

#include "common/clients/audit_client.h"
#include "common/clients/spool_record.h"

struct gh_event_stamp {
    int64_t time_ms; /* wall clock */
    uint32_t count;  /* 0 or 1: one event; more: that many alike */
};

/* Returns the packed length, at most GH_SPOOL_PAYLOAD_MAX whatever the input. */
size_t gh_event_pack(uint8_t dst[GH_SPOOL_PAYLOAD_MAX], enum gh_severity severity, const char *kind,
                     const struct gh_audit_event *event, struct gh_event_stamp stamp);

/* How many of the len bytes to keep so that at most max are left and no character is split. */
size_t gh_text_cut(const uint8_t *text, size_t len, size_t max);

#endif
