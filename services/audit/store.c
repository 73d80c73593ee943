#include "store_internal.h"

#include "recover.h"
#include "segment.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/random.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

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
    store_commit(store);
}

void store_wake(struct store *store)
{
    if (!store->commit.busy) uv_idle_start(&store->idle, on_idle);
}

enum gh_err store_append(struct store *store, const struct line_source *source,
                         const Gh__AuditEvent *event, struct ledger_mark *mark)
{
    struct group *group = &store->groups[store->filling];
    enum gh_err err;

    if (group->lines.len >= STORE_PENDING_MAX) return GH_ERR_BUSY;
    err = group_append(group, store->seq + 1, &store->hash, source, event, mark);
    if (err != GH_OK) return err;
    store->seq++;
    store->hash = group->hash;
    store_wake(store);
    return GH_OK;
}

enum gh_err store_wait(struct store *store, store_done_fn fn, void *ctx)
{
    enum gh_err err = group_wait(&store->groups[store->filling], fn, ctx);

    if (err == GH_OK) store_wake(store);
    return err;
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
    if (err == GH_OK) err = store_write_anchor(store, &anchor);
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
    group_init(&store->groups[0]);
    group_init(&store->groups[1]);
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
