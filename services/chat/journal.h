/*
 * journal - every message chat has taken, one line each, written before it is acknowledged.
 *
 * A line is {"user":...,"message":...}. Lines gather in memory and leave in one write(2) per batch:
 * after journal_flush they survive the death of this process (not of the host: there is no fsync).
 */
#ifndef CHAT_JOURNAL_H
#define CHAT_JOURNAL_H

#include "common/err.h"

#include <stddef.h>

struct journal;

/* Errors: GH_ERR_IO (logged), GH_ERR_NOMEM. */
GH_NODISCARD enum gh_err journal_new(const char *path, struct journal **ret_journal);
void journal_free(struct journal *journal); /* NULL is a no-op */

/* message is canonical JSON. journal NULL: nothing is kept, GH_OK. */
GH_NODISCARD enum gh_err journal_add(struct journal *journal, const void *user, size_t user_len,
                                     const void *message, size_t message_len);
/* GH_ERR_IO: what was added since the last flush is not safe, and is forgotten. */
GH_NODISCARD enum gh_err journal_flush(struct journal *journal);

#endif
