/*
 * store_internal - a store's state. Shared by store.c (what callers ask, life) and store_commit.c
 * (a group on its way to the disk).
 */
#ifndef AUDIT_STORE_INTERNAL_H
#define AUDIT_STORE_INTERNAL_H

#include "group.h"
#include "store.h"

#include <limits.h>

struct commit { /* the worker's; the loop does not touch it while busy */
    uv_work_t work;
    bool busy;
    bool new_segment;
    struct anchor anchor;
    struct gh_buf state; /* state file to write first; empty: none */
    enum gh_err err;
    bool fatal;
    bool state_failed;
    int64_t started_us;
};

struct store {
    uv_loop_t *loop;
    struct store_config config;
    char anchor_name[NAME_MAX + 1];
    int dir_fd, anchor_dir_fd, lock_fd;
    int segment_fd; /* -1: none yet */
    uint64_t segment_first, segment_bytes;
    struct signer *signer;
    struct ledger *ledger;

    uint64_t seq, durable_seq; /* of the last line made, on disk */
    struct gh_audit_hash hash, durable_hash;
    struct group groups[2];
    unsigned filling; /* the other one is being committed */
    struct commit commit;
    bool healthy;

    uv_check_t check;
    uv_idle_t idle; /* keeps the loop from sleeping on a group */
    unsigned open_handles;

    uint64_t *records, *commits, *failures, *bytes;
    struct gh_histogram *commit_us;
};

/* Hands the filling group to the worker thread; none may be under way. */
void store_commit(struct store *store);
/* The end of this turn commits what is there. */
void store_wake(struct store *store);
/* Blocking; the worker's, but for the start. */
GH_NODISCARD enum gh_err store_write_anchor(struct store *store, const struct anchor *anchor);

#endif
