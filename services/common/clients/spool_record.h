/*
 * spool_record - how one record stands in a spool file.
 *
 * magic (4) | payload length (4) | number (8) | CRC-32 of all else (4) | payload; little-endian.
 * A file starts with a header record (number 0) whose payload is "SENDER SPOOL"; then come packed
 * Gh__AuditEvents. A reader believes nothing: what has no valid CRC is skipped byte by byte until
 * a record is found again, so one damaged place costs only what it covers.
 *
 * Pure: bytes in, bytes out.
 */
#ifndef GH_SPOOL_RECORD_H
#define GH_SPOOL_RECORD_H

#include "common/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GH_SPOOL_HEAD_BYTES  20u
#define GH_SPOOL_PAYLOAD_MAX 16384u
#define GH_SPOOL_RECORD_MAX  (GH_SPOOL_HEAD_BYTES + GH_SPOOL_PAYLOAD_MAX)
#define GH_SPOOL_SENDER_MAX  64u
#define GH_SPOOL_ID_LEN      16u /* hex digits */

/* dst has room for GH_SPOOL_HEAD_BYTES + len; len at most GH_SPOOL_PAYLOAD_MAX. payload may already
 * lie in its place in dst. Returns the bytes of the record. */
size_t gh_spool_record_write(uint8_t *dst, uint64_t number, const void *payload, size_t len);

enum gh_spool_read {
    GH_SPOOL_RECORD,  /* one record: *ret_record and *ret_used */
    GH_SPOOL_MORE,    /* cannot tell without more bytes; the first *ret_used are damage */
    GH_SPOOL_DAMAGED, /* the first *ret_used bytes are no record; go on after them */
    GH_SPOOL_TORN,    /* final only: all of buf is the beginning of a record, cut off by a crash */
    GH_SPOOL_END,     /* nothing left; *ret_used is len */
};
struct gh_spool_record {
    uint64_t number;
    const uint8_t *payload; /* in buf */
    size_t len;
};
/* final: nothing follows buf, so a cut-off record is TORN and not MORE. */
enum gh_spool_read gh_spool_record_read(const uint8_t *buf, size_t len, bool final,
                                        struct gh_spool_record *ret_record, size_t *ret_used);

/* Takes the header's payload apart; both outputs NUL-ended. Errors: GH_ERR_BAD_MESSAGE. */
GH_NODISCARD enum gh_err gh_spool_header_parse(const uint8_t *payload, size_t len,
                                               char sender[GH_SPOOL_SENDER_MAX + 1],
                                               char id[GH_SPOOL_ID_LEN + 1]);

#endif
