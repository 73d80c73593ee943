#include "common/clients/audit_client_internal.h"

#include "common/clients/event_pack.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/random.h"
#include "common/service.h"

#include <dirent.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ARENA_BYTES      (4u << 20)
#define WARNING_DELAY_MS 2u /* lets what happens together travel together */
#define INFO_DELAY_MS    200u
#define HELD_RETRY_MS    500u
#define ADOPT_MS         60000u
#define SPOOL_MAX_BYTES  (256u << 20)

/* ---- fullness ---- */

void audit_client_check_full(struct gh_audit *audit)
{
    uint64_t bytes = gh_spool_unacked_bytes(audit->spool);
    bool held = !gh_event_queue_empty(&audit->held);
    bool full = held || bytes >= audit->spool_max_bytes ||
                (audit->full && bytes >= audit->spool_max_bytes / 4 * 3);

    if (full == audit->full) return;
    audit->full = full;
    if (full)
        gh_log(GH_LOG_ERROR, "audit_spool_full",
               "bytes=%" PRIu64 " disk_refuses=%s next=\"no new work until audit takes them\"",
               bytes, held ? "yes" : "no");
    else
        gh_log(GH_LOG_INFO, "audit_spool_relieved", "bytes=%" PRIu64, bytes);
}

bool gh_audit_full(const struct gh_audit *audit)
{
    return audit != NULL && audit->full;
}

uint64_t gh_audit_unacked_bytes(const struct gh_audit *audit)
{
    return audit == NULL
               ? 0
               : gh_spool_unacked_bytes(audit->spool) + gh_event_queue_bytes(&audit->infos) +
                     gh_event_queue_bytes(&audit->held);
}

bool gh_audit_idle(const struct gh_audit *audit)
{
    return audit == NULL || (gh_audit_unacked_bytes(audit) == 0 && audit->adopted_count == 0 &&
                             !gh_event_sum_waiting(audit->sum));
}

static bool spool_ready(void *ctx)
{
    return !gh_audit_full(ctx);
}

static uint64_t read_unacked(void *ctx)
{
    return gh_audit_unacked_bytes(ctx);
}

/* ---- taking events ---- */

/* The last resort: memory and disk are full. The log gets all of it. */
void audit_client_log_event(struct gh_audit *audit, const char *event, const uint8_t *payload,
                            size_t len)
{
    Gh__AuditEvent *msg = gh__audit_event__unpack(NULL, len, payload);

    ++*audit->unspooled;
    if (msg == NULL) {
        gh_log(GH_LOG_ERROR, event, "bytes=%zu", len);
        return;
    }
    char text[1024];
    size_t used = 0;
    text[0] = '\0';
    for (size_t i = 0; i < msg->n_fields && used < sizeof(text) - 1; i++) {
        int n = snprintf(text + used, sizeof(text) - used, " %.*s=\"%.*s\"",
                         (int)msg->fields[i]->name.len, (const char *)msg->fields[i]->name.data,
                         (int)msg->fields[i]->value.len, (const char *)msg->fields[i]->value.data);
        used += n > 0 ? (size_t)n : 0;
    }
    gh_log(GH_LOG_ERROR, event,
           "time_ms=%" PRIu64 " severity=%d kind=%.*s request_id=%.*s session_id=%.*s "
           "user=\"%.*s\" address=\"%.*s\" code=%.*s%s",
           msg->time_ms, (int)msg->severity, (int)msg->kind.len, (const char *)msg->kind.data,
           (int)msg->request_id.len, (const char *)msg->request_id.data, (int)msg->session_id.len,
           (const char *)msg->session_id.data, (int)msg->user.len, (const char *)msg->user.data,
           (int)msg->address.len, (const char *)msg->address.data, (int)msg->code.len,
           (const char *)msg->code.data, text);
    gh__audit_event__free_unpacked(msg, NULL);
}

static enum gh_err append(struct gh_audit *audit, uint8_t *record, const uint8_t *payload,
                          size_t len)
{
    size_t bytes = gh_spool_record_write(record, audit->next_number, payload, len);
    enum gh_err err = gh_spool_append(audit->spool, record, bytes);

    if (err == GH_OK) audit->next_number++;
    return err;
}

/* Numbers are given when a record reaches the disk, so that they ascend there whatever waited. */
static void spool_held(struct gh_audit *audit)
{
    uint8_t record[GH_SPOOL_RECORD_MAX];
    struct gh_event_item item;

    while (gh_event_queue_peek(&audit->held, &item)) {
        if (append(audit, record, item.payload, item.len) != GH_OK) break;
        gh_event_queue_advance(&audit->held);
    }
    gh_event_queue_drop(&audit->held);
}

/* record: payload of len bytes lies at its place behind the head. */
static void take_warning(struct gh_audit *audit, uint8_t *record, size_t len)
{
    const uint8_t *payload = record + GH_SPOOL_HEAD_BYTES;

    if (!gh_event_queue_empty(&audit->held)) spool_held(audit);
    if (!gh_event_queue_empty(&audit->held) || append(audit, record, payload, len) != GH_OK) {
        if (gh_event_queue_push(&audit->held, 0, payload, len) != GH_OK)
            audit_client_log_event(audit, "audit_unspooled", payload, len);
        audit_client_kick(audit, HELD_RETRY_MS);
    }
    audit_client_check_full(audit);
    audit_client_kick(audit, WARNING_DELAY_MS);
}

static void take_info(struct gh_audit *audit, const uint8_t *payload, size_t len)
{
    if (gh_event_queue_push(&audit->infos, audit->next_number, payload, len) != GH_OK) {
        ++*audit->dropped;
        return;
    }
    audit->next_number++;
    audit_client_kick(audit, INFO_DELAY_MS);
}

void gh_audit_emit(struct gh_audit *audit, enum gh_severity severity, const char *kind,
                   const struct gh_audit_event *event)
{
    if (audit == NULL) return;
    if (severity > GH_SEV_CRITICAL) severity = GH_SEV_CRITICAL;
    ++*audit->emitted[severity];
    if (severity < GH_SEV_WARNING) {
        int64_t now_ms = gh_clock_mono_ms();
        if (!gh_event_sum_take(audit->sum, severity, kind, event, now_ms)) {
            ++*audit->summed;
            if (audit->flush_ms == 0) {
                audit->flush_ms = now_ms + GH_EVENT_SUM_WINDOW_MS;
                audit_client_kick(audit, GH_EVENT_SUM_WINDOW_MS);
            }
            return;
        }
    }

    uint8_t record[GH_SPOOL_RECORD_MAX];
    uint8_t *payload = record + GH_SPOOL_HEAD_BYTES;
    size_t len = gh_event_pack(payload, severity, kind, event,
                               (struct gh_event_stamp){ .time_ms = gh_clock_wall_ms() });
    if (severity >= GH_SEV_WARNING)
        take_warning(audit, record, len);
    else
        take_info(audit, payload, len);
}

static void take_sum(void *ctx, const struct gh_event_summed *summed)
{
    struct gh_audit *audit = ctx;
    uint8_t payload[GH_SPOOL_PAYLOAD_MAX];
    struct gh_audit_event event = { .address = summed->address, .code = summed->code };
    struct gh_event_stamp stamp = { .time_ms = gh_clock_wall_ms(), .count = summed->count };

    take_info(audit, payload,
              gh_event_pack(payload, summed->severity, summed->kind, &event, stamp));
}

static void flush_sums(struct gh_audit *audit)
{
    int64_t now_ms = gh_clock_mono_ms();

    if (audit->flush_ms == 0 || now_ms < audit->flush_ms) return;
    gh_event_sum_flush(audit->sum, now_ms, false, take_sum, audit);
    audit->flush_ms = gh_event_sum_waiting(audit->sum) ? now_ms + GH_EVENT_SUM_WINDOW_MS / 4 : 0;
}

static void on_up(void *ctx, struct gh_client_peer *peer, uint64_t orders_version)
{
    struct gh_audit *audit = ctx;

    (void)peer;
    (void)orders_version;
    audit->retry_ms = 0;
    audit_client_kick(audit, 0);
}

/* ---- time ---- */

static void on_timer(uv_timer_t *timer)
{
    struct gh_audit *audit = timer->data;

    audit->due_ms = 0;
    flush_sums(audit);
    if (!gh_event_queue_empty(&audit->held)) {
        spool_held(audit);
        audit_client_check_full(audit);
        if (!gh_event_queue_empty(&audit->held)) audit_client_kick(audit, HELD_RETRY_MS);
    }
    if (audit->flush_ms != 0) audit_client_kick(audit, GH_EVENT_SUM_WINDOW_MS / 4);
    audit_client_send(audit);
}

void audit_client_kick(struct gh_audit *audit, uint64_t delay_ms)
{
    uint64_t due_ms = uv_now(audit->loop) + delay_ms;

    if (audit->closing || (audit->due_ms != 0 && audit->due_ms <= due_ms)) return;
    audit->due_ms = due_ms == 0 ? 1 : due_ms;
    uv_timer_start(&audit->timer, on_timer, delay_ms, 0);
}

static void adopt_dead(struct gh_audit *audit)
{
    DIR *dir = opendir(audit->spool_dir);
    const struct dirent *entry;

    if (dir == NULL) return;
    while (audit->adopted_count < ADOPTED_MAX && (entry = readdir(dir)) != NULL) {
        size_t len = strlen(entry->d_name), suffix = strlen(GH_SPOOL_SUFFIX);
        struct gh_spool *spool = NULL;

        if (len <= suffix || strcmp(entry->d_name + len - suffix, GH_SPOOL_SUFFIX) != 0) continue;
        enum gh_err err = gh_spool_adopt(audit->spool_dir, entry->d_name, &spool);
        if (err == GH_OK)
            audit->adopted[audit->adopted_count++] = spool;
        else if (err != GH_ERR_BUSY && err != GH_ERR_NOT_FOUND)
            gh_log(GH_LOG_WARN, "audit_spool_not_adopted", "file=%s reason=\"%s\"", entry->d_name,
                   gh_err_text(err));
    }
    closedir(dir);
    if (audit->adopted_count > 0) audit_client_kick(audit, 0);
}

static void on_adopt_timer(uv_timer_t *timer)
{
    adopt_dead(timer->data);
}

/* ---- life ---- */

static void free_audit(struct gh_audit *audit)
{
    gh_arena_free(audit->arena);
    gh_event_sum_free(audit->sum);
    gh_event_queue_done(&audit->infos);
    gh_event_queue_done(&audit->held);
    free(audit->spool_dir);
    free(audit);
}

static void on_closed(uv_handle_t *handle)
{
    struct gh_audit *audit = handle->data;

    if (--audit->open_handles == 0) free_audit(audit);
}

/* What audit has not got stays on disk. Infos that may be on their way are let go: sent again under
 * a new number they could stand in the log twice. */
static void keep_for_later(struct gh_audit *audit)
{
    uint8_t record[GH_SPOOL_RECORD_MAX];
    struct gh_event_item item;

    gh_event_sum_flush(audit->sum, 0, true, take_sum, audit);
    if (audit->batch.active && audit->batch.own) gh_event_queue_drop(&audit->infos);
    gh_event_queue_rewind(&audit->infos);
    spool_held(audit);
    for (; gh_event_queue_peek(&audit->held, &item); gh_event_queue_advance(&audit->held))
        audit_client_log_event(audit, "audit_unspooled", item.payload, item.len);
    for (; gh_event_queue_peek(&audit->infos, &item); gh_event_queue_advance(&audit->infos)) {
        if (append(audit, record, item.payload, item.len) != GH_OK) break;
    }
}

void gh_audit_free(struct gh_audit *audit)
{
    if (audit == NULL) return;
    if (audit->spool != NULL && audit->sum != NULL) keep_for_later(audit);
    audit->closing = true;
    gh_client_free(audit->client);
    gh_spool_free(audit->spool);
    while (audit->adopted_count > 0)
        gh_spool_free(audit->adopted[--audit->adopted_count]);
    if (audit->open_handles == 0) {
        free_audit(audit);
        return;
    }
    uv_close((uv_handle_t *)&audit->timer, on_closed);
    uv_close((uv_handle_t *)&audit->adopt_timer, on_closed);
}

static void make_series(struct gh_audit *audit, struct gh_metrics *metrics)
{
    static const char *const names[] = { "info", "notice", "warning", "error", "critical" };

    for (unsigned i = 0; i <= GH_SEV_CRITICAL; i++)
        audit->emitted[i] = &audit->spare[i];
    audit->dropped = &audit->spare[GH_SEV_CRITICAL + 1];
    audit->summed = &audit->spare[GH_SEV_CRITICAL + 2];
    audit->refused = &audit->spare[GH_SEV_CRITICAL + 3];
    audit->unspooled = &audit->spare[GH_SEV_CRITICAL + 4];
    if (metrics == NULL) return;
    for (unsigned i = 0; i <= GH_SEV_CRITICAL; i++) {
        char label[32];
        snprintf(label, sizeof(label), "severity=\"%s\"", names[i]);
        audit->emitted[i] = gh_metrics_counter(metrics, "gatehouse_audit_client_emitted_total",
                                               label, "Audit events raised here.");
    }
    audit->dropped =
        gh_metrics_counter(metrics, "gatehouse_audit_client_dropped_total", NULL,
                           "Info and notice events dropped because audit was away for long.");
    audit->summed = gh_metrics_counter(metrics, "gatehouse_audit_client_summed_total", NULL,
                                       "Info and notice events counted into a sum.");
    audit->refused = gh_metrics_counter(metrics, "gatehouse_audit_client_refused_total", NULL,
                                        "Events the audit service would not take.");
    audit->unspooled =
        gh_metrics_counter(metrics, "gatehouse_audit_client_logged_total", NULL,
                           "Events that could only be written to the log: disk and memory full.");
    gh_metrics_gauge_fn(metrics, "gatehouse_audit_client_unacked_bytes", NULL,
                        "Events waiting for the audit service.", read_unacked, audit);
}

enum gh_err gh_audit_open(const struct gh_audit_config *config, struct gh_audit **ret_audit)
{
    struct gh_audit *audit = calloc(1, sizeof(*audit));

    if (audit == NULL) return GH_ERR_NOMEM;
    audit->loop = config->loop;
    audit->next_number = 1;
    audit->infos.max_bytes = GH_AUDIT_QUEUE_BYTES;
    audit->held.max_bytes = GH_AUDIT_MEMORY_BYTES;
    audit->spool_max_bytes =
        config->spool_max_bytes != 0 ? config->spool_max_bytes : SPOOL_MAX_BYTES;
    make_series(audit, NULL);

    enum gh_err err = GH_ERR_NOMEM;
    audit->spool_dir = strdup(config->spool_dir);
    if (audit->spool_dir == NULL) goto fail;
    err = gh_arena_new(ARENA_BYTES, &audit->arena);
    if (err == GH_OK) err = gh_event_sum_new(gh_random_u64(), &audit->sum);
    if (err == GH_OK)
        err = gh_spool_create(config->spool_dir, config->client.instance, &audit->spool);
    if (err != GH_OK) goto fail;

    uv_timer_init(audit->loop, &audit->timer);
    uv_timer_init(audit->loop, &audit->adopt_timer);
    audit->timer.data = audit->adopt_timer.data = audit;
    audit->open_handles = 2;

    struct gh_client_config client = config->client;
    client.ctx = audit;
    client.on_up = on_up;
    client.on_down = NULL;
    client.on_push = NULL;
    client.on_room = NULL;
    err = gh_client_new(audit->loop, &client, &audit->client);
    if (err != GH_OK) goto fail;
    make_series(audit, client.metrics);
    adopt_dead(audit);
    if (config->adopt_ms > 0)
        uv_timer_start(&audit->adopt_timer, on_adopt_timer, config->adopt_ms, config->adopt_ms);
    *ret_audit = audit;
    return GH_OK;
fail:
    gh_audit_free(audit);
    return err;
}

enum gh_err gh_audit_new(struct gh_service *service, const char *endpoint,
                         struct gh_audit **ret_audit)
{
    struct {
        const char *dir;
        uint64_t max_bytes;
    } spool = { 0 };
    static const struct gh_config_field fields[] = {
        { "dir", GH_CFG_PATH, 0, .dflt = "${state_dir}/spool", .help = "a folder of ours" },
        { "max_bytes", GH_CFG_BYTES, sizeof(const char *), .dflt = "256MiB", .min = 1u << 20,
          .max = 1ull << 40 },
        { 0 }
    };

    enum gh_err err = gh_config_bind(gh_service_config(service), "spool", fields, &spool);
    if (err != GH_OK) return err;
    struct gh_audit_config config = {
        .loop = gh_service_loop(service),
        .spool_dir = spool.dir,
        .spool_max_bytes = spool.max_bytes,
        .adopt_ms = ADOPT_MS,
    };
    gh_service_client_init(service, endpoint, GH_ROLE_AUDIT, &config.client);
    struct gh_audit *audit = NULL;
    err = gh_audit_open(&config, &audit);
    if (err != GH_OK) {
        gh_log(GH_LOG_ERROR, "audit_spool", "dir=%s reason=\"%s\"", spool.dir, gh_err_text(err));
        return err;
    }
    gh_service_add_check(service, "audit_spool", spool_ready, audit);
    *ret_audit = audit;
    return GH_OK;
}
