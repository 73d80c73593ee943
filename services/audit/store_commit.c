/* A group's way to the disk: handed to a worker thread, written, and told. */
#include "recover.h"
#include "segment.h"
#include "store_internal.h"

#include "common/clock.h"
#include "common/log.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

/* ---- the worker's half ---- */

enum gh_err store_write_anchor(struct store *store, const struct anchor *anchor)
{
    char text[ANCHOR_MAX];
    size_t len = 0;

    enum gh_err err = anchor_write(store->signer, anchor, text, &len);
    return err == GH_OK ? file_replace(store->anchor_dir_fd, store->anchor_name, text, len) : err;
}

static enum gh_err begin_segment(struct store *store, uint64_t first_seq)
{
    int fd = -1;

    if (store->commit.state.len > 0) {
        /* Only speeds up the next start: a failure is not one of the commit. */
        store->commit.state_failed =
            file_replace(store->dir_fd, STATE_FILE, store->commit.state.data,
                         store->commit.state.len) != GH_OK;
    }
    enum gh_err err = segment_open(store->dir_fd, first_seq, true, &fd);
    if (err != GH_OK) return err;
    if (fsync(store->dir_fd) != 0) {
        char name[SEGMENT_NAME_BYTES];
        close(fd);
        segment_name(first_seq, name);
        (void)unlinkat(store->dir_fd, name, 0);
        return GH_ERR_IO;
    }
    if (store->segment_fd >= 0) close(store->segment_fd);
    store->segment_fd = fd;
    store->segment_first = first_seq;
    store->segment_bytes = 0;
    return GH_OK;
}

static void commit_work(uv_work_t *work)
{
    struct store *store = work->data;
    struct commit *commit = &store->commit;
    const struct group *group = &store->groups[1 - store->filling];
    enum gh_err err = GH_OK;

    if (group->last_seq == 0) return; /* only waiters: all before them is durable */
    if (commit->new_segment) err = begin_segment(store, group->first_seq);
    if (err != GH_OK) goto out;

    err = file_write_all(store->segment_fd, group->lines.data, group->lines.len,
                         store->segment_bytes);
    if (err == GH_OK && fdatasync(store->segment_fd) != 0) {
        /* The kernel may have thrown the pages away and say yes next time. */
        commit->fatal = true;
        err = GH_ERR_IO;
    }
    if (err == GH_OK) err = store_write_anchor(store, &commit->anchor);
    if (err != GH_OK && !commit->fatal &&
        (ftruncate(store->segment_fd, (off_t)store->segment_bytes) != 0 ||
         fdatasync(store->segment_fd) != 0))
        commit->fatal = true;
    if (err == GH_OK) store->segment_bytes += group->lines.len;
out:
    commit->err = err;
}

/* ---- the loop's half ---- */

static void tell_lines(struct store *store, const struct group *group)
{
    const char *at = group->lines.data, *end = at + group->lines.len;
    uint64_t seq = group->first_seq;

    if (store->config.on_durable == NULL || group->last_seq == 0) return;
    while (at < end) {
        const char *feed = memchr(at, '\n', (size_t)(end - at));
        store->config.on_durable(store->config.ctx, seq++, at, (size_t)(feed - at));
        at = feed + 1;
    }
}

static void commit_good(struct store *store, struct group *group)
{
    if (group->last_seq != 0) {
        store->durable_seq = group->last_seq;
        store->durable_hash = group->hash;
        *store->records += group->last_seq - group->first_seq + 1;
        *store->bytes += group->lines.len;
        ++*store->commits;
        if (store->commit_us != NULL)
            gh_histogram_add(store->commit_us,
                             (uint64_t)(gh_clock_mono_us() - store->commit.started_us));
        if (!store->healthy)
            gh_log(GH_LOG_INFO, "audit_disk_recovered", "seq=%" PRIu64, group->last_seq);
        store->healthy = true;
    }
    group_settle(group);
    tell_lines(store, group);
    group_reset(group);
    group_tell(group, GH_OK);
}

/* Back to what is on disk. Lines made meanwhile follow lines that are not there: they go too. */
static void commit_bad(struct store *store, struct group *group, enum gh_err err)
{
    struct group *next = &store->groups[store->filling];

    ++*store->failures;
    if (store->healthy)
        gh_log(GH_LOG_ERROR, "audit_commit_failed",
               "reason=\"%s\" durable_seq=%" PRIu64 " next=\"senders keep their events\"",
               gh_err_text(err), store->durable_seq);
    store->healthy = false;
    store->seq = store->durable_seq;
    store->hash = store->durable_hash;
    group_reset(group);
    group_reset(next);
    ledger_rollback(store->ledger);
    group_tell(group, err);
    group_tell(next, err);
}

static void commit_after(uv_work_t *work, int status)
{
    struct store *store = work->data;
    struct group *group = &store->groups[1 - store->filling];

    (void)status;
    store->commit.busy = false;
    if (store->commit.state_failed)
        gh_log(GH_LOG_WARN, "audit_state_unwritten", "next=\"the next start reads more\"");
    if (store->commit.err == GH_OK)
        commit_good(store, group);
    else
        commit_bad(store, group, store->commit.err);
    if (store->commit.fatal) {
        gh_log(GH_LOG_ERROR, "audit_disk_fatal", "next=\"stop; the next start reads the log\"");
        if (store->config.on_fatal != NULL) store->config.on_fatal(store->config.ctx);
        return;
    }
    if (!group_empty(&store->groups[store->filling])) store_wake(store);
}

void store_commit(struct store *store)
{
    struct group *group = &store->groups[store->filling];
    struct commit *commit = &store->commit;

    commit->err = GH_OK;
    commit->fatal = false;
    commit->new_segment = false;
    commit->state_failed = false;
    commit->started_us = gh_clock_mono_us();
    gh_buf_reset(&commit->state);
    if (group->last_seq != 0) {
        commit->anchor = (struct anchor){ .seq = group->last_seq,
                                          .hash = group->hash,
                                          .time_ms = gh_clock_wall_ms() };
        commit->new_segment = store->segment_fd < 0 ||
                              (store->segment_bytes > 0 && store->segment_bytes + group->lines.len >
                                                               store->config.rotate_bytes);
        /* Nothing else is under way: durable marks and chain belong together here. */
        if (commit->new_segment && store->segment_fd >= 0 &&
            recover_state_write(store->signer, store->ledger, group->first_seq, 0,
                                store->durable_seq, &store->durable_hash, &commit->state) != GH_OK)
            gh_buf_reset(&commit->state);
    }
    commit->busy = true;
    store->filling = 1 - store->filling;
    commit->work.data = store;
    uv_queue_work(store->loop, &commit->work, commit_work, commit_after);
}
