/*
 * line - one record of the log as one line of JSON.
 *
 * Keys in this order, absent ones left out: seq, prev, time, taken, sender, spool, number, via,
 * severity, kind, request_id, session_id, user, address, code, count, fields. Text is escaped by
 * the builder, so no value can end the line or be anything but a string; bytes that are not UTF-8
 * become U+FFFD. A field name that comes twice gets its position behind it ("why_3").
 * Pure.
 */
#ifndef AUDIT_LINE_H
#define AUDIT_LINE_H

#include "common/clients/audit_hash.h"
#include "common/json/buf.h"

#include <audit.pb-c.h>

#define AUDIT_LINE_MAX (128u * 1024u) /* no line is longer, its line feed included */

struct line_source {
    const char *sender; /* NULL: the audit service itself; then spool and number are left out */
    const char *spool;
    const char *via; /* role of the peer that brought it */
    int64_t taken_ms;
};

/* Appends the line and a line feed to out, and gives the hash of the line. All or nothing.
 * Errors: GH_ERR_NOMEM, GH_ERR_LIMIT, GH_ERR_CRYPTO. */
GH_NODISCARD enum gh_err line_write(struct gh_buf *out, uint64_t seq,
                                    const struct gh_audit_hash *prev,
                                    const struct line_source *source, const Gh__AuditEvent *event,
                                    struct gh_audit_hash *ret_hash);

/* What recovery needs of a line (without its line feed) that claims to follow prev. The strings
 * are NUL-ended copies. */
struct line_view {
    uint64_t seq;
    char sender[65]; /* "" for the audit service's own */
    char spool[65];
    uint64_t number;
    struct gh_audit_hash hash;
};
struct gh_tape;
/* Errors: GH_ERR_BAD_MESSAGE when it is no record or its prev is not prev. */
GH_NODISCARD enum gh_err line_read(struct gh_tape *tape, const char *line, size_t len,
                                   const struct gh_audit_hash *prev, struct line_view *ret_view);

#endif
