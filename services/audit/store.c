#include "store.h"

#include "recover.h"
#include "segment.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/random.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

struct waiter {
    store_done_fn fn;
    void *ctx;
};

struct pin {
    struct ledger_mark *mark;
    uint64_t number;
};

/* What becomes durable together. */
struct group {
    struct gh_buf lines;
    uint64_t first_seq, last_seq; /* 0: no lines */
    struct gh_audit_hash hash;    /* of the last line */
    struct waiter *waiters;
    size_t waiter_count, waiter_cap;
    struct pin *pins;
    size_t pin_count, pin_cap;
};

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

/* ---- groups ---- */

static void group_reset(struct group *group)
{
    for (size_t i = 0; i < group->pin_count; i++)
        group->pins[i].mark->pins--;
    gh_buf_reset(&group->lines);
    group->first_seq = group->last_seq = 0;
    group->pin_count = 0;
}

/* Waiters may append and wait again: they are taken out first. */
static void group_tell(struct group *group, enum gh_err err)
{
    struct waiter *waiters = group->waiters;
    size_t count = group->waiter_count;

    group->waiters = NULL;
    group->waiter_count = group->waiter_cap = 0;
    for (size_t i = 0; i < count; i++)
        waiters[i].fn(waiters[i].ctx, err);
    free(waiters);
}

static bool group_empty(const struct group *group)
{
    return group->last_seq == 0 && group->waiter_count == 0;
}

static void group_done(struct group *group)
{
    gh_buf_done(&group->lines);
    free(group->waiters);
    free(group->pins);
}

static enum gh_err grow(void **array, size_t count, size_t *cap, size_t item)
{
    if (count < *cap) return GH_OK;
    size_t more = *cap == 0 ? 64 : *cap * 2;
    void *grown = realloc(*array, more * item);
    if (grown == NULL) return GH_ERR_NOMEM;
    *array = grown;
    *cap = more;
    return GH_OK;
}

/* ---- the worker's half ---- */

static enum gh_err write_anchor(struct store *store, const struct anchor *anchor)
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
    if (err == GH_OK) err = write_anchor(store, &commit->anchor);
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
    for (size_t i = 0; i < group->pin_count; i++) {
        struct pin *pin = &group->pins[i];
        if (pin->number > pin->mark->durable) pin->mark->durable = pin->number;
    }
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

static void wake(struct store *store);

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
    if (!group_empty(&store->groups[store->filling])) wake(store);
}

static void commit_start(struct store *store)
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

static void on_idle(uv_idle_t *idle)
{
    (void)idle;
}

/* After the turn's messages were read: all of them go together. */
static void on_check(uv_check_t *check)
{
    struct store *store = check->data;

    if (store->commit.busy || group_empty(&store->groups[store->filling])) return;
    uv_idle_stop(&store->idle);
    commit_start(store);
}

static void wake(struct store *store)
{
    if (!store->commit.busy) uv_idle_start(&store->idle, on_idle);
}

enum gh_err store_append(struct store *store, const struct line_source *source,
                         const Gh__AuditEvent *event, struct ledger_mark *mark)
{
    struct group *group = &store->groups[store->filling];
    struct gh_audit_hash hash;

    if (group->lines.len >= STORE_PENDING_MAX) return GH_ERR_BUSY;
    enum gh_err err = mark == NULL ? GH_OK
                                   : grow((void **)&group->pins, group->pin_count, &group->pin_cap,
                                          sizeof(*group->pins));
    if (err == GH_OK)
        err = line_write(&group->lines, store->seq + 1, &store->hash, source, event, &hash);
    if (err != GH_OK) return err;
    store->seq++;
    store->hash = hash;
    if (group->first_seq == 0) group->first_seq = store->seq;
    group->last_seq = store->seq;
    group->hash = hash;
    if (mark != NULL) {
        mark->taken = event->number;
        struct pin *last = group->pin_count > 0 ? &group->pins[group->pin_count - 1] : NULL;
        if (last != NULL && last->mark == mark) {
            last->number = event->number;
        } else {
            group->pins[group->pin_count++] = (struct pin){ mark, event->number };
            mark->pins++;
        }
    }
    wake(store);
    return GH_OK;
}

enum gh_err store_wait(struct store *store, store_done_fn fn, void *ctx)
{
    struct group *group = &store->groups[store->filling];

    enum gh_err err = grow((void **)&group->waiters, group->waiter_count, &group->waiter_cap,
                           sizeof(*group->waiters));
    if (err != GH_OK) return err;
    group->waiters[group->waiter_count++] = (struct waiter){ fn, ctx };
    wake(store);
    return GH_OK;
}

void store_note(struct store *store, Gh__Severity severity, const char *kind, const char *name,
                const char *text)
{
    Gh__AuditEvent event = GH__AUDIT_EVENT__INIT;
    Gh__AuditField field = GH__AUDIT_FIELD__INIT;
    Gh__AuditField *fields[] = { &field };
    struct line_source source = { .via = "audit", .taken_ms = gh_clock_wall_ms() };

    event.time_ms = (uint64_t)source.taken_ms;
    event.severity = severity;
    event.kind = (ProtobufCBinaryData){ .len = strlen(kind), .data = (uint8_t *)kind };
    if (name != NULL) {
        field.name = (ProtobufCBinaryData){ .len = strlen(name), .data = (uint8_t *)name };
        field.value = (ProtobufCBinaryData){ .len = strlen(text), .data = (uint8_t *)text };
        event.fields = fields;
        event.n_fields = 1;
    }
    enum gh_err err = store_append(store, &source, &event, NULL);
    if (err != GH_OK)
        gh_log(GH_LOG_ERROR, "audit_note_lost", "kind=%s reason=\"%s\"", kind, gh_err_text(err));
}

enum gh_err store_save_state(struct store *store)
{
    if (store->commit.busy) return GH_ERR_BUSY;
    gh_buf_reset(&store->commit.state);
    enum gh_err err = recover_state_write(store->signer, store->ledger, store->segment_first,
                                          store->segment_bytes, store->durable_seq,
                                          &store->durable_hash, &store->commit.state);
    if (err == GH_OK)
        err = file_replace(store->dir_fd, STATE_FILE, store->commit.state.data,
                           store->commit.state.len);
    return err;
}

struct ledger *store_ledger(struct store *store)
{
    return store->ledger;
}

uint64_t store_durable_seq(const struct store *store)
{
    return store->durable_seq;
}

bool store_healthy(const struct store *store)
{
    return store->healthy;
}

bool store_idle(const struct store *store)
{
    return !store->commit.busy && group_empty(&store->groups[store->filling]);
}

/* ---- life ---- */

enum gh_err store_make_folder(const char *dir)
{
    return mkdir(dir, 0700) != 0 && errno != EEXIST ? GH_ERR_IO : GH_OK;
}

static enum gh_err open_folders(struct store *store, const struct store_config *config)
{
    char path[PATH_MAX];

    enum gh_err err = store_make_folder(config->dir);
    if (err != GH_OK) return err;
    store->dir_fd = open(config->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (store->dir_fd < 0) return GH_ERR_IO;
    store->lock_fd = openat(store->dir_fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (store->lock_fd < 0) return GH_ERR_IO;
    if (flock(store->lock_fd, LOCK_EX | LOCK_NB) != 0) return GH_ERR_EXISTS;

    if (snprintf(path, sizeof(path), "%s", config->anchor_file) >= (int)sizeof(path))
        return GH_ERR_CONFIG;
    store->anchor_dir_fd = open(dirname(path), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (store->anchor_dir_fd < 0) return GH_ERR_IO;
    snprintf(path, sizeof(path), "%s", config->anchor_file);
    int n = snprintf(store->anchor_name, sizeof(store->anchor_name), "%s", basename(path));
    return n >= (int)sizeof(store->anchor_name) ? GH_ERR_CONFIG : GH_OK;
}

static enum gh_err recover(struct store *store)
{
    struct recovered at;

    enum gh_err err =
        recover_run(store->dir_fd, store->anchor_dir_fd, store->anchor_name, store->signer,
                    store->ledger, store->config.on_durable, store->config.ctx, &at);
    if (err != GH_OK) return err;
    store->seq = store->durable_seq = at.seq;
    store->hash = store->durable_hash = at.hash;
    store->segment_first = at.segment_first;
    store->segment_bytes = at.segment_bytes;
    if (at.segment_first != 0) {
        err = segment_open(store->dir_fd, at.segment_first, false, &store->segment_fd);
        if (err == GH_ERR_NOT_FOUND && at.segment_bytes == 0)
            err = GH_OK; /* made with its records */
    }
    /* From here on a log without an anchor is one whose anchor was taken away. */
    struct anchor anchor = { .seq = at.seq, .hash = at.hash, .time_ms = gh_clock_wall_ms() };
    if (err == GH_OK) err = write_anchor(store, &anchor);
    if (err != GH_OK) return err;

    char text[128];
    snprintf(text, sizeof(text), "%" PRIu64 " records read, %" PRIu64 " bytes of tail cut",
             at.scanned, at.cut_bytes);
    gh_log(GH_LOG_INFO, "audit_log_open", "seq=%" PRIu64 " senders=%zu scanned=%" PRIu64, at.seq,
           ledger_count(store->ledger), at.scanned);
    store_note(store,
               at.cut_bytes > 0 ? GH__SEVERITY__SEVERITY_WARNING : GH__SEVERITY__SEVERITY_NOTICE,
               at.fresh ? "audit.created" : "audit.opened", "recovery", text);
    return GH_OK;
}

static void make_series(struct store *store, struct gh_metrics *metrics)
{
    static uint64_t nowhere[4];
    static const uint64_t bounds[] = { 100,   250,   500,   1000,   2500,   5000,
                                       10000, 25000, 50000, 100000, 250000, 1000000 };

    store->records = &nowhere[0];
    store->commits = &nowhere[1];
    store->failures = &nowhere[2];
    store->bytes = &nowhere[3];
    if (metrics == NULL) return;
    store->records = gh_metrics_counter(metrics, "gatehouse_audit_records_total", NULL,
                                        "Records on disk since the start.");
    store->commits =
        gh_metrics_counter(metrics, "gatehouse_audit_commits_total", NULL, "Group commits.");
    store->failures = gh_metrics_counter(metrics, "gatehouse_audit_commit_failures_total", NULL,
                                         "Group commits the disk refused.");
    store->bytes = gh_metrics_counter(metrics, "gatehouse_audit_bytes_total", NULL,
                                      "Bytes of the log written.");
    store->commit_us =
        gh_metrics_histogram(metrics, "gatehouse_audit_commit_us", NULL,
                             "Microseconds from handing a group to the disk until it is there.",
                             bounds, sizeof(bounds) / sizeof(bounds[0]));
}

static void free_store(struct store *store)
{
    group_done(&store->groups[0]);
    group_done(&store->groups[1]);
    gh_buf_done(&store->commit.state);
    ledger_free(store->ledger);
    signer_free(store->signer);
    const int fds[] = { store->segment_fd, store->lock_fd, store->dir_fd, store->anchor_dir_fd };
    for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
        if (fds[i] >= 0) close(fds[i]);
    free(store);
}

static void on_closed(uv_handle_t *handle)
{
    struct store *store = handle->data;

    if (--store->open_handles == 0) free_store(store);
}

void store_free(struct store *store)
{
    if (store == NULL) return;
    while (store->commit.busy)
        uv_run(store->loop, UV_RUN_ONCE);
    group_reset(&store->groups[store->filling]);
    group_tell(&store->groups[store->filling], GH_ERR_UNAVAILABLE);
    if (store->open_handles == 0) {
        free_store(store);
        return;
    }
    uv_close((uv_handle_t *)&store->check, on_closed);
    uv_close((uv_handle_t *)&store->idle, on_closed);
}

enum gh_err store_new(uv_loop_t *loop, const struct store_config *config, struct store **ret_store)
{
    struct store *store = calloc(1, sizeof(*store));

    if (store == NULL) return GH_ERR_NOMEM;
    store->loop = loop;
    store->config = *config;
    store->dir_fd = store->anchor_dir_fd = store->lock_fd = store->segment_fd = -1;
    store->healthy = true;
    gh_buf_init(&store->groups[0].lines, 0);
    gh_buf_init(&store->groups[1].lines, 0);
    gh_buf_init(&store->commit.state, 0);
    make_series(store, config->metrics);

    enum gh_err err = signer_new(config->key_pem, config->key_len, &store->signer);
    if (err == GH_OK) err = ledger_new(LEDGER_MAX, gh_random_u64(), &store->ledger);
    if (err == GH_OK) err = open_folders(store, config);
    if (err != GH_OK) goto fail;

    uv_check_init(loop, &store->check);
    uv_idle_init(loop, &store->idle);
    store->check.data = store->idle.data = store;
    store->open_handles = 2;
    uv_check_start(&store->check, on_check);
    uv_unref((uv_handle_t *)&store->check);
    err = recover(store);
    if (err != GH_OK) goto fail;
    *ret_store = store;
    return GH_OK;
fail:
    store_free(store);
    return err;
}
