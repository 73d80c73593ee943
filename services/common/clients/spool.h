/*
 * spool - numbered records of one sender on disk until somebody has acknowledged them.
 *
 * Files: DIR/SENDER.ID.spool and DIR/SENDER.ID.spool2, ID new for every process start. The owner
 * holds flock(2) on the first; a spool whose lock is free belonged to a process that is dead. Two
 * files, so that the room of acknowledged records can be had again without ever opening a third:
 * records go to one until it has grown past GH_SPOOL_TURN_BYTES and the other is empty; a file all
 * of whose records are acknowledged is truncated.
 *
 * A record is in the page cache when gh_spool_append returns: it survives the process, and, once
 * the kernel has flushed it, the host. Reading goes forward from the oldest unacknowledged record
 * and can be rewound to it. Not thread-safe.
 */
#ifndef GH_SPOOL_H
#define GH_SPOOL_H

#include "common/clients/spool_record.h"

#define GH_SPOOL_TURN_BYTES (1u << 20)
#define GH_SPOOL_SUFFIX     ".spool"

struct gh_spool;

/* Makes dir (0700) when it is not there. sender: 1..64 of [A-Za-z0-9._-]. Errors: GH_ERR_CONFIG
 * for a bad sender, GH_ERR_IO, GH_ERR_NOMEM. */
GH_NODISCARD enum gh_err gh_spool_create(const char *dir, const char *sender,
                                         struct gh_spool **ret_spool);

/* Takes over the dead spool DIR/NAME (a name that ends in GH_SPOOL_SUFFIX). Errors: GH_ERR_BUSY
 * when its owner lives, GH_ERR_NOT_FOUND when it is gone or holds no header (it is removed then),
 * GH_ERR_IO, GH_ERR_NOMEM. */
GH_NODISCARD enum gh_err gh_spool_adopt(const char *dir, const char *name,
                                        struct gh_spool **ret_spool);

/* Closes it. With nothing unacknowledged its files are removed; with nothing but damage left they
 * are kept under the name NAME.damaged. NULL is a no-op. */
void gh_spool_free(struct gh_spool *spool);

const char *gh_spool_sender(const struct gh_spool *spool);
const char *gh_spool_id(const struct gh_spool *spool);
uint64_t gh_spool_unacked_bytes(const struct gh_spool *spool);
uint64_t gh_spool_damaged_bytes(const struct gh_spool *spool); /* met while reading so far */

/* record: as made by gh_spool_record_write; numbers ascend. All or nothing. Errors: GH_ERR_IO. */
GH_NODISCARD enum gh_err gh_spool_append(struct gh_spool *spool, const uint8_t *record, size_t len);

/* The record at the reading position, which stays; NULL at the end. The payload is valid until the
 * next call. gh_spool_advance goes past it. */
const struct gh_spool_record *gh_spool_peek(struct gh_spool *spool);
void gh_spool_advance(struct gh_spool *spool);
void gh_spool_rewind(struct gh_spool *spool); /* to the oldest unacknowledged */

/* Everything before the reading position is acknowledged. */
void gh_spool_ack(struct gh_spool *spool);

#endif
