#include "handlers.h"

#include "intake.h"
#include "store.h"
#include "tail.h"

#include "common/clock.h"
#include "common/log.h"

#include <stdlib.h>

#define DRAIN_POLL_MS 10

struct audit {
    struct gh_service *service;
    struct store *store;
    struct tail *tail;
    uv_timer_t drain_timer;
    bool stopping;
    enum gh_err outcome;
    uint64_t *taken[5];
    uint64_t *duplicates;
};

struct pending { /* an answer that waits for the disk */
    struct gh_reply *reply;
    uint64_t number;
};

/* ---- AuditAppend ---- */

static void on_durable(void *ctx, enum gh_err err)
{
    struct pending *pending = ctx;
    Gh__AuditAppended appended = GH__AUDIT_APPENDED__INIT;

    appended.number = pending->number;
    if (err == GH_OK)
        gh_reply_send(pending->reply, GH__ENVELOPE__BODY_AUDIT_APPENDED, &appended);
    else
        gh_reply_fail(pending->reply, err);
    free(pending);
}

static enum gh_err on_append(void *ctx, const struct gh_peer *peer, const void *body,
                             struct gh_reply *reply)
{
    struct audit *audit = ctx;
    const Gh__AuditAppend *msg = body;
    char sender[LEDGER_NAME_MAX + 1], spool[LEDGER_NAME_MAX + 1];

    if (audit->stopping) return GH_ERR_UNAVAILABLE;
    enum gh_err err = intake_check(msg, sender, spool);
    if (err != GH_OK) return err;
    struct ledger_mark *mark = ledger_mark(store_ledger(audit->store), sender, spool);
    struct pending *pending = malloc(sizeof(*pending));
    if (mark == NULL || pending == NULL) {
        free(pending);
        return GH_ERR_NOMEM;
    }

    struct line_source source = { .sender = sender,
                                  .spool = spool,
                                  .via = gh_role_name(peer->role),
                                  .taken_ms = gh_clock_wall_ms() };
    for (size_t i = 0; i < msg->n_events && err == GH_OK; i++) {
        const Gh__AuditEvent *event = msg->events[i];

        if (event->number <= mark->taken) {
            ++*audit->duplicates;
            continue;
        }
        err = store_append(audit->store, &source, event, mark);
        if (err == GH_OK) ++*audit->taken[event->severity];
    }
    /* Those before a failure are taken; the sender sends all again and they will be known. */
    if (err == GH_OK) {
        *pending = (struct pending){ reply, msg->events[msg->n_events - 1]->number };
        err = store_wait(audit->store, on_durable, pending);
    }
    if (err != GH_OK) free(pending);
    return err;
}

/* ---- AuditTail ---- */

static void on_lines(void *ctx, enum gh_err err, const struct tail_line *lines, size_t count,
                     uint64_t last_seq)
{
    struct gh_reply *reply = ctx;
    Gh__AuditTailed tailed = GH__AUDIT_TAILED__INIT;
    ProtobufCBinaryData texts[TAIL_LINES];

    if (err != GH_OK) {
        gh_reply_fail(reply, err);
        return;
    }
    for (size_t i = 0; i < count; i++)
        texts[i] = gh_bytes(lines[i].text, lines[i].len);
    tailed.lines = texts;
    tailed.n_lines = count;
    tailed.last_seq = last_seq;
    gh_reply_send(reply, GH__ENVELOPE__BODY_AUDIT_TAILED, &tailed);
}

static enum gh_err on_tail(void *ctx, const struct gh_peer *peer, const void *body,
                           struct gh_reply *reply)
{
    struct audit *audit = ctx;
    const Gh__AuditTail *msg = body;

    (void)peer;
    if (msg->limit == 0 || msg->limit > TAIL_LINES) return GH_ERR_BAD_MESSAGE;
    return tail_ask(audit->tail, msg->after_seq, msg->limit, on_lines, reply);
}

const struct gh_route audit_routes[] = {
    { GH__ENVELOPE__BODY_AUDIT_APPEND, GH_ROLE_ANY & ~(uint32_t)(GH_ROLE_CTL | GH_ROLE_AUDIT),
      on_append },
    { GH__ENVELOPE__BODY_AUDIT_TAIL, GH_ROLE_CTL | GH_ROLE_CONSOLE, on_tail },
    { 0 },
};

/* ---- life ---- */

static void on_line(void *ctx, uint64_t seq, const char *line, size_t len)
{
    struct audit *audit = ctx;

    tail_add(audit->tail, seq, line, len);
}

static void on_fatal(void *ctx)
{
    struct audit *audit = ctx;

    audit->stopping = true;
    audit->outcome = GH_ERR_IO;
    gh_service_drained(audit->service);
}

static void on_drain_timer(uv_timer_t *timer)
{
    struct audit *audit = timer->data;

    if (!store_idle(audit->store)) return;
    uv_timer_stop(timer);
    enum gh_err err = store_save_state(audit->store);
    if (err != GH_OK)
        gh_log(GH_LOG_WARN, "audit_state_unwritten", "reason=\"%s\"", gh_err_text(err));
    gh_service_drained(audit->service);
}

/* What was taken reaches the disk and is acknowledged; what comes now the senders keep. */
static void on_drain(void *ctx)
{
    struct audit *audit = ctx;

    store_note(audit->store, GH__SEVERITY__SEVERITY_NOTICE, "audit.closed", NULL, NULL);
    audit->stopping = true;
    uv_timer_start(&audit->drain_timer, on_drain_timer, 0, DRAIN_POLL_MS);
}

static bool disk_ready(void *ctx)
{
    const struct audit *audit = ctx;

    return audit->store != NULL && store_healthy(audit->store);
}

static uint64_t read_seq(void *ctx)
{
    const struct audit *audit = ctx;

    return audit->store == NULL ? 0 : store_durable_seq(audit->store);
}

static void make_series(struct audit *audit, struct gh_metrics *metrics)
{
    static const char *const labels[] = { "severity=\"info\"", "severity=\"notice\"",
                                          "severity=\"warning\"", "severity=\"error\"",
                                          "severity=\"critical\"" };

    for (size_t i = 0; i < sizeof(labels) / sizeof(labels[0]); i++)
        audit->taken[i] = gh_metrics_counter(metrics, "gatehouse_audit_events_total", labels[i],
                                             "Events taken from senders.");
    audit->duplicates = gh_metrics_counter(metrics, "gatehouse_audit_duplicates_total", NULL,
                                           "Events sent again that were in the log already.");
    gh_metrics_gauge_fn(metrics, "gatehouse_audit_seq", NULL, "Number of the last record on disk.",
                        read_seq, audit);
}

enum gh_err audit_new(struct gh_service *service, const struct audit_config *config,
                      struct audit **ret_audit)
{
    struct audit *audit = calloc(1, sizeof(*audit));

    if (audit == NULL) return GH_ERR_NOMEM;
    audit->service = service;
    make_series(audit, gh_service_metrics(service));
    uv_timer_init(gh_service_loop(service), &audit->drain_timer);
    audit->drain_timer.data = audit;

    const struct store_config store = { .dir = config->dir,
                                        .anchor_file = config->anchor_file,
                                        .key_pem = config->key.data,
                                        .key_len = config->key.len,
                                        .rotate_bytes = config->rotate_bytes,
                                        .metrics = gh_service_metrics(service),
                                        .on_durable = on_line,
                                        .on_fatal = on_fatal,
                                        .ctx = audit };
    enum gh_err err = store_make_folder(config->dir);
    if (err == GH_OK) err = tail_new(gh_service_loop(service), config->dir, &audit->tail);
    if (err == GH_OK) err = store_new(gh_service_loop(service), &store, &audit->store);
    if (err != GH_OK) goto fail;
    gh_service_on_drain(service, on_drain, audit);
    gh_service_add_check(service, "disk", disk_ready, audit);
    *ret_audit = audit;
    return GH_OK;
fail:
    audit_free(audit);
    return err;
}

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

void audit_free(struct audit *audit)
{
    if (audit == NULL) return;
    store_free(audit->store);
    audit->store = NULL; /* the loop may turn in tail_free, and metrics be asked for */
    tail_free(audit->tail);
    uv_close((uv_handle_t *)&audit->drain_timer, on_closed);
}

enum gh_err audit_outcome(const struct audit *audit)
{
    return audit->outcome;
}
