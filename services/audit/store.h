/*
 * store - the log being written: lines are made in order, reach the disk together, then count.
 *
 * store_append() makes the line at once (so that the chain has one order) and adds it to the group
 * that is filling. When the loop's turn is over and no commit is under way, the group is handed to
 * a worker thread: one write, fdatasync, the anchor; the loop goes on meanwhile and fills the next.
 * When the worker is back, those who waited for the group are told.
 *
 * A disk that refuses a group (full, say): the file is cut back to what it was, the chain and the
 * ledger too, those who wait get GH_ERR_IO and will send again. A file that cannot be brought back
 * to a known state ends the process (on_fatal): the start sorts it out.
 *
 * Rotation: a group that would go past rotate_bytes begins a new segment.
 */
#ifndef AUDIT_STORE_H
#define AUDIT_STORE_H

#include "anchor.h"
#include "ledger.h"
#include "line.h"

#include "common/metrics.h"

#include <uv.h>

#define STORE_PENDING_MAX (32u << 20) /* bytes of lines waiting for the disk */

struct store;

typedef void (*store_done_fn)(void *ctx, enum gh_err err);
typedef void (*store_line_fn)(void *ctx, uint64_t seq, const char *line, size_t len);

struct store_config {
    const char *dir;
    const char *anchor_file;
    const void *key_pem;
    size_t key_len;
    uint64_t rotate_bytes;
    struct gh_metrics *metrics; /* may be NULL */
    store_line_fn on_durable;   /* each line (no line feed) once it is on disk, and at the start the
                                   newest ones; may be NULL */
    void (*on_fatal)(void *ctx);
    void *ctx;
};

GH_NODISCARD enum gh_err store_make_folder(const char *dir);

/* Recovers, then opens. Blocking. Errors: GH_ERR_CRYPTO for a log that is not what was written or a
 * key that is no Ed25519 private key; GH_ERR_EXISTS when another process has the folder;
 * GH_ERR_IO, GH_ERR_NOMEM. */
GH_NODISCARD enum gh_err store_new(uv_loop_t *loop, const struct store_config *config,
                                   struct store **ret_store);
/* Waits for a commit under way; what was not handed over yet fails with GH_ERR_UNAVAILABLE. */
void store_free(struct store *store);

struct ledger *store_ledger(struct store *store);
uint64_t store_durable_seq(const struct store *store);
bool store_healthy(const struct store *store); /* the last commit worked */
bool store_idle(const struct store *store);    /* all that was appended is durable */

/* Adds the event to the filling group. With mark, event->number counts as taken. Errors:
 * GH_ERR_BUSY (STORE_PENDING_MAX), GH_ERR_NOMEM, GH_ERR_CRYPTO, GH_ERR_LIMIT. */
GH_NODISCARD enum gh_err store_append(struct store *store, const struct line_source *source,
                                      const Gh__AuditEvent *event, struct ledger_mark *mark);

/* fn is called once all that was appended so far is durable, or has failed; never from inside. */
GH_NODISCARD enum gh_err store_wait(struct store *store, store_done_fn fn, void *ctx);

/* A record of the audit service's own. text is at most one field; may be NULL. */
void store_note(struct store *store, Gh__Severity severity, const char *kind, const char *name,
                const char *text);

/* Writes the state file for a quick next start; call when idle. Blocking. */
GH_NODISCARD enum gh_err store_save_state(struct store *store);

#endif
