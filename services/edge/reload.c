#include "reload.h"

#include "edge.h"
#include "tls.h"
#include "tls_watch.h"

#include "common/log.h"

#include <string.h>

/* --- what a start alone can change ------------------------------------------------------------ */

static enum gh_err fixed(struct gh_config *file, const char *section, const char *key)
{
    return gh_config_fail(file, section, key, "cannot change without a restart");
}

static enum gh_err check_apps(struct gh_config *file, const struct edge_config *was,
                              const struct edge_config *next)
{
    const struct edge_app_config *old = was->app_items.items, *new = next->app_items.items;

    if (was->app_items.count != next->app_items.count) return fixed(file, NULL, "apps");
    for (size_t i = 0; i < was->app_items.count; i++)
        if (strcmp(old[i].name, new[i].name) != 0 || strcmp(old[i].endpoint, new[i].endpoint) != 0)
            return fixed(file, NULL, "apps");
    return GH_OK;
}

static enum gh_err check_routes(struct gh_config *file, const struct edge *edge,
                                const struct edge_config *next)
{
    const struct route *fresh = next->route_items.items;

    if (next->route_items.count != edge->routes.count) return fixed(file, NULL, "routes");
    for (size_t i = 0; i < edge->routes.count; i++) {
        const struct route *route = &edge->routes.routes[i];

        if (strcmp(route->path, fresh[i].path) != 0 || strcmp(route->name, fresh[i].name) != 0 ||
            strcmp(route->app, fresh[i].app) != 0)
            return fixed(file, NULL, "routes");
    }
    return GH_OK;
}

static enum gh_err check_fixed(struct gh_config *file, const struct edge *edge,
                               const struct edge_config *next)
{
    const struct edge_config *was = &edge->config;
    enum gh_err err = GH_OK;

    if (strcmp(was->listen, next->listen) != 0) err = fixed(file, "edge", "listen");
    if (err == GH_OK && was->tls.enabled != next->tls.enabled)
        err = fixed(file, "edge", "tls.enabled");
    if (err == GH_OK && was->tls.session_tickets != next->tls.session_tickets)
        err = fixed(file, "edge", "tls.session_tickets");
    if (err == GH_OK) err = check_apps(file, was, next);
    if (err == GH_OK) err = check_routes(file, edge, next);
    return err;
}

/* --- taking it over --------------------------------------------------------------------------- */

/* Connections and links point to the routes: they stay where they are. */
static void take_routes(struct edge *edge, const struct edge_config *next)
{
    const struct route *fresh = next->route_items.items;

    for (size_t i = 0; i < edge->routes.count; i++) {
        struct route *route = &edge->routes.routes[i];

        route->origins = fresh[i].origins;
        route->missing_origin = fresh[i].missing_origin;
        route->credentials_list = fresh[i].credentials_list;
        route->cookie = fresh[i].cookie;
        route->hosts = fresh[i].hosts;
        route->compression = fresh[i].compression;
        route->credentials = fresh[i].credentials;
    }
}

static void take_config(struct edge *edge, const struct edge_config *next)
{
    const struct edge_config was = edge->config;
    struct edge_config *config = &edge->config;

    take_routes(edge, next);
    *config = *next;
    /* What tables and links were made from; all of it is the first configuration's. */
    config->route_items = was.route_items;
    config->app_items = was.app_items;
    config->class_items = was.class_items;
    config->away_share = was.away_share;
    config->validator_window = was.validator_window;
    config->app_window = was.app_window;
    config->listen = was.listen;
    /* Tables were made for so many. */
    if (config->max_connections > edge->conns.max) config->max_connections = was.max_connections;
    edge->addresses.per_s = config->rates.connects_per_s;
    edge->addresses.burst = config->rates.connects_burst;
    edge->addresses.max_connections = config->max_connections_per_address;
    edge->http_addresses.per_s = config->http.requests_per_s;
    edge->http_addresses.burst = config->http.requests_burst;
}

void reload_all(void *ctx)
{
    struct edge *edge = ctx;
    struct gh_config *file = NULL;
    struct edge_config next = { 0 };
    struct tls_look look = { 0 };
    struct pmd *pmd = NULL;
    enum gh_err err =
        gh_config_load(gh_config_path(gh_service_config(edge->service)), edge->instance, &file);

    if (err == GH_OK) err = edge_config_load(file, &next);
    if (err == GH_OK) err = check_fixed(file, edge, &next);
    if (err == GH_OK) err = edge_pmd_new(&next, &pmd);
    if (err == GH_OK && edge->tls != NULL) {
        tls_look_begin(&look, &next.tls);
        err = tls_reload(edge->tls, &next.tls);
    }
    if (err != GH_OK) {
        pmd_free(pmd);
        gh_config_free(file);
        gh_log(GH_LOG_ERROR, "reload_refused",
               "error=\"%s\" next=\"the configuration and the certificates in use stay\"",
               gh_err_text(err));
        gh_audit_emit(edge->audit, GH_SEV_WARNING, "edge.reload_refused", NULL);
        return;
    }
    take_config(edge, &next);
    tls_watch_taken(edge->tls_watch, &look);
    pmd_free(edge->pmd); /* holds nothing of a connection between two messages */
    edge->pmd = pmd;
    gh_config_free(edge->reloaded);
    edge->reloaded = file;
    gh_log(GH_LOG_INFO, "reloaded", "connections=%u", edge->open);
    gh_audit_emit(edge->audit, GH_SEV_NOTICE, "edge.reloaded", NULL);
}
