#include "tls_watch.h"

#include "edge.h"
#include "tls.h"

#include "common/log.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct tls_watch {
    struct edge *edge;
    uv_timer_t timer;
    struct tls_look look;
};

/* --- the look alone --------------------------------------------------------------------------- */

static void see_file(struct tls_sight *sight, size_t *at, const char *path)
{
    struct stat is;
    const size_t i = (*at)++;

    if (path[0] == '\0' || stat(path, &is) != 0) return;
    sight->files[i].device = (uint64_t)is.st_dev;
    sight->files[i].inode = (uint64_t)is.st_ino;
    sight->files[i].size = (uint64_t)is.st_size;
    sight->files[i].changed_ns = (int64_t)is.st_ctim.tv_sec * 1000000000 + is.st_ctim.tv_nsec;
}

static void see(struct tls_sight *sight, const struct edge_tls_config *config)
{
    const struct edge_tls_pair_config *more = config->more.items;
    size_t at = 0;

    memset(sight, 0, sizeof *sight);
    see_file(sight, &at, config->cert_file);
    see_file(sight, &at, config->key_file);
    see_file(sight, &at, config->ocsp_file);
    see_file(sight, &at, config->client_ca_file);
    for (size_t i = 0; i < config->more.count; i++) {
        see_file(sight, &at, more[i].cert_file);
        see_file(sight, &at, more[i].key_file);
        see_file(sight, &at, more[i].ocsp_file);
    }
}

void tls_look_begin(struct tls_look *look, const struct edge_tls_config *config)
{
    see(&look->taken, config);
    look->last = look->taken;
}

bool tls_look_changed(struct tls_look *look, const struct edge_tls_config *config)
{
    struct tls_sight now;
    bool still;

    see(&now, config);
    still = memcmp(&now, &look->last, sizeof now) == 0;
    look->last = now;
    if (!still || memcmp(&now, &look->taken, sizeof now) == 0) return false;
    look->taken = now;
    return true;
}

/* --- over the edge ---------------------------------------------------------------------------- */

static void on_timer(uv_timer_t *timer);

static void arm(struct tls_watch *watch)
{
    const uint64_t period_ms = watch->edge->config.tls.watch_files_ms;

    if (period_ms > 0)
        (void)uv_timer_start(&watch->timer, on_timer, period_ms, period_ms);
    else
        (void)uv_timer_stop(&watch->timer);
}

static void on_timer(uv_timer_t *timer)
{
    struct tls_watch *watch = timer->data;
    struct edge *edge = watch->edge;

    if (!tls_look_changed(&watch->look, &edge->config.tls)) return;
    if (tls_reload(edge->tls, &edge->config.tls) == GH_OK) { /* which says so */
        gh_audit_emit(edge->audit, GH_SEV_NOTICE, "edge.certificates_reloaded", NULL);
        return;
    }
    gh_log(GH_LOG_ERROR, "certificates_refused",
           "next=\"those in use stay; the files are read again when they change\"");
    gh_audit_emit(edge->audit, GH_SEV_WARNING, "edge.certificates_refused", NULL);
}

enum gh_err tls_watch_new(struct edge *edge, struct tls_watch **ret_watch)
{
    struct tls_watch *watch = calloc(1, sizeof *watch);

    if (watch == NULL) return GH_ERR_NOMEM;
    watch->edge = edge;
    tls_look_begin(&watch->look, &edge->config.tls);
    (void)uv_timer_init(edge->loop, &watch->timer);
    watch->timer.data = watch;
    arm(watch);
    *ret_watch = watch;
    return GH_OK;
}

void tls_watch_taken(struct tls_watch *watch, const struct tls_look *look)
{
    if (watch == NULL) return;
    watch->look = *look;
    arm(watch);
}

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

void tls_watch_free(struct tls_watch *watch)
{
    if (watch != NULL) uv_close((uv_handle_t *)&watch->timer, on_closed);
}
