/*
 * recover - what a start makes of the files the last one left.
 *
 * Walks the chain from the newest valid state file (or from the first record), rebuilds the ledger,
 * and cuts the last segment back to its last whole record: what follows was being written when the
 * process or the host died, and was never acknowledged. Everything up to the anchor was, so a chain
 * that does not reach the anchor, or is broken before it, is damage or tampering: GH_ERR_CRYPTO,
 * said on the log, nothing changed on disk.
 *
 * Blocking; before the loop runs.
 */
#ifndef AUDIT_RECOVER_H
#define AUDIT_RECOVER_H

#include "anchor.h"
#include "ledger.h"

#define STATE_FILE    "ledger.state"
#define STATE_CONTEXT "gatehouse-audit-state-v1\n"

struct recovered {
    uint64_t seq; /* of the last record; 0: none */
    struct gh_audit_hash hash;
    uint64_t segment_first; /* of the segment to go on in; 0: none yet */
    uint64_t segment_bytes;
    uint64_t cut_bytes; /* of an unfinished tail */
    uint64_t scanned;   /* records read */
    bool fresh;         /* neither log nor anchor was there */
};

/* Lines of the newest records are given to keep, oldest first, when it is not NULL. */
typedef void (*recover_keep_fn)(void *ctx, uint64_t seq, const char *line, size_t len);

GH_NODISCARD enum gh_err recover_run(int dir_fd, int anchor_dir_fd, const char *anchor_name,
                                     const struct signer *signer, struct ledger *ledger,
                                     recover_keep_fn keep, void *ctx,
                                     struct recovered *ret_recovered);

/* The state file's text: the chain at (segment_first, segment_bytes), durable marks. */
GH_NODISCARD enum gh_err recover_state_write(const struct signer *signer,
                                             const struct ledger *ledger, uint64_t segment_first,
                                             uint64_t segment_bytes, uint64_t seq,
                                             const struct gh_audit_hash *hash, struct gh_buf *out);

#endif
