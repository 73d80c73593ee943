#include "config.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define AT(type, member) .offset = offsetof(type, member)
#define RESUME_FRAMING   64 /* bytes around one message that is sent again */
#define EDGE(member)     AT(struct edge_config, member)

/* Forward secrecy and AEAD only (Mozilla "intermediate" without DHE). */
#define CIPHERS_12                                                                                 \
    "ECDHE-ECDSA-AES128-GCM-SHA256,ECDHE-RSA-AES128-GCM-SHA256,"                                   \
    "ECDHE-ECDSA-AES256-GCM-SHA384,ECDHE-RSA-AES256-GCM-SHA384,"                                   \
    "ECDHE-ECDSA-CHACHA20-POLY1305,ECDHE-RSA-CHACHA20-POLY1305"
#define CIPHERS_13 "TLS_AES_128_GCM_SHA256,TLS_AES_256_GCM_SHA384,TLS_CHACHA20_POLY1305_SHA256"

static const char *const version_choices[] = { "1.2", "1.3", NULL };
static const char *const client_certificate_choices[] = { "none", "optional", "required", NULL };

static const struct gh_config_field pair_fields[] = {
    { "cert_file", GH_CFG_PATH, AT(struct edge_tls_pair_config, cert_file), .required = true },
    { "key_file", GH_CFG_PATH, AT(struct edge_tls_pair_config, key_file), .required = true },
    { "ocsp_file", GH_CFG_PATH, AT(struct edge_tls_pair_config, ocsp_file), .dflt = "" },
    { 0 },
};

static const struct gh_config_field tls_fields[] = {
    { "enabled", GH_CFG_BOOL, AT(struct edge_tls_config, enabled), .dflt = "true" },
    { "cert_file", GH_CFG_PATH, AT(struct edge_tls_config, cert_file), .dflt = "tls/edge.crt" },
    { "key_file", GH_CFG_PATH, AT(struct edge_tls_config, key_file), .dflt = "tls/edge.key" },
    { "ocsp_file", GH_CFG_PATH, AT(struct edge_tls_config, ocsp_file), .dflt = "" },
    { "further_certificates", GH_CFG_STRUCTS, AT(struct edge_tls_config, more),
      .fields = pair_fields, .item_size = sizeof(struct edge_tls_pair_config), .max = 3 },
    { "min_version", GH_CFG_ENUM, AT(struct edge_tls_config, min_version), .dflt = "1.2",
      .choices = version_choices },
    { "max_version", GH_CFG_ENUM, AT(struct edge_tls_config, max_version), .dflt = "1.3",
      .choices = version_choices },
    { "ciphers", GH_CFG_LIST, AT(struct edge_tls_config, ciphers), .dflt = CIPHERS_12, .max = 32,
      .help = "OpenSSL's names of suites of TLS 1.2, the preferred first" },
    { "ciphersuites", GH_CFG_LIST, AT(struct edge_tls_config, ciphersuites), .dflt = CIPHERS_13,
      .min = 1, .max = 8, .help = "names of suites of TLS 1.3, the preferred first" },
    { "groups", GH_CFG_LIST, AT(struct edge_tls_config, groups), .dflt = "X25519,P-256,P-384",
      .min = 1, .max = 8, .help = "groups of the key exchange, the preferred first" },
    { "session_tickets", GH_CFG_BOOL, AT(struct edge_tls_config, session_tickets), .dflt = "true" },
    { "ticket_rotation", GH_CFG_MS, AT(struct edge_tls_config, ticket_rotation_ms), .dflt = "1h",
      .min = 1000, .max = 86400000 },
    { "watch_files", GH_CFG_MS, AT(struct edge_tls_config, watch_files_ms), .dflt = "10s",
      .max = 86400000, .help = "how often the files are looked at; 0: never" },
    { "client_certificates", GH_CFG_ENUM, AT(struct edge_tls_config, client_certificates),
      .dflt = "none", .choices = client_certificate_choices },
    { "client_ca_file", GH_CFG_PATH, AT(struct edge_tls_config, client_ca_file), .dflt = "" },
    { 0 },
};

static const struct gh_config_field rate_fields[] = {
    { "connects_per_s", GH_CFG_U32, AT(struct edge_rates, connects_per_s), .dflt = "200",
      .min = 1 },
    { "connects_burst", GH_CFG_U32, AT(struct edge_rates, connects_burst), .dflt = "400",
      .min = 1 },
    { "messages_per_s", GH_CFG_U32, AT(struct edge_rates, messages_per_s), .dflt = "100000",
      .min = 1 },
    { "messages_burst", GH_CFG_U32, AT(struct edge_rates, messages_burst), .dflt = "200000",
      .min = 1 },
    { 0 },
};

static const struct gh_config_field http_fields[] = {
    { "enabled", GH_CFG_BOOL, AT(struct edge_http_config, enabled), .dflt = "true" },
    { "origins", GH_CFG_LIST, AT(struct edge_http_config, origins) },
    { "max_body_bytes", GH_CFG_BYTES, AT(struct edge_http_config, max_body_bytes), .dflt = "8KiB",
      .min = 256, .max = 16384 },
    { "requests_per_s", GH_CFG_U32, AT(struct edge_http_config, requests_per_s), .dflt = "10",
      .min = 1 },
    { "requests_burst", GH_CFG_U32, AT(struct edge_http_config, requests_burst), .dflt = "40",
      .min = 1 },
    { 0 },
};

static const struct gh_config_field shed_fields[] = {
    { "lag", GH_CFG_MS, AT(struct edge_shed_config, lag_ms), .dflt = "500ms" },
    { "spare_descriptors", GH_CFG_U32, AT(struct edge_shed_config, spare_descriptors),
      .dflt = "128", .min = 8, .max = 100000 },
    { "memory", GH_CFG_BYTES, AT(struct edge_shed_config, memory_bytes), .dflt = "0" },
    { 0 },
};

static const struct gh_config_field compression_fields[] = {
    { "level", GH_CFG_U32, AT(struct edge_compression, level), .dflt = "1", .min = 1, .max = 9 },
    { "min_bytes", GH_CFG_BYTES, AT(struct edge_compression, min_bytes), .dflt = "512", .min = 1 },
    { "max_ratio", GH_CFG_U32, AT(struct edge_compression, max_ratio), .dflt = "100", .min = 2,
      .max = 2000 },
    { "window_bits", GH_CFG_U32, AT(struct edge_compression, window_bits), .dflt = "12",
      .min = PMD_BITS_MIN, .max = PMD_BITS_MAX },
    { 0 },
};

static const char *const proxy_protocol_choices[] = { "required", "optional", "off", NULL };
static const char *const forwarded_choices[] = { "none", "x-forwarded-for", "forwarded", NULL };
static const char *const compression_choices[] = { "off", "on", "takeover", NULL };
static const char *const missing_origin_choices[] = { "allow", "refuse", NULL };

static const struct gh_config_field edge_fields[] = {
    { "listen", GH_CFG_STRING, EDGE(listen), .dflt = "0.0.0.0:8443",
      .help = "ADDRESS:PORT, [ADDRESS]:PORT for IPv6" },
    { "tls", GH_CFG_STRUCT, EDGE(tls), .fields = tls_fields },
    { "development", GH_CFG_BOOL, EDGE(development), .dflt = "false" },
    { "trusted_proxies", GH_CFG_LIST, EDGE(trusted_list), .max = EDGE_TRUSTED_MAX,
      .help = "CIDR blocks" },
    { "proxy_protocol", GH_CFG_ENUM, EDGE(proxy_protocol), .dflt = "required",
      .choices = proxy_protocol_choices },
    { "forwarded_header", GH_CFG_ENUM, EDGE(forwarded_header), .dflt = "none",
      .choices = forwarded_choices },
    { "max_connections", GH_CFG_U32, EDGE(max_connections), .dflt = "50000", .min = 1,
      .max = 1000000 },
    { "max_connections_per_address", GH_CFG_U32, EDGE(max_connections_per_address), .dflt = "1000",
      .min = 1 },
    { "max_connections_per_user", GH_CFG_U32, EDGE(max_connections_per_user), .dflt = "10000",
      .min = 1 },
    { "handshake_timeout", GH_CFG_MS, EDGE(handshake_timeout_ms), .dflt = "5s", .min = 100,
      .max = 60000 },
    { "max_head_bytes", GH_CFG_BYTES, EDGE(max_head_bytes), .dflt = "16KiB", .min = 1024,
      .max = 65536 },
    { "max_headers", GH_CFG_U32, EDGE(max_headers), .dflt = "64", .min = 8, .max = 1000 },
    { "max_handshakes", GH_CFG_U32, EDGE(max_handshakes), .dflt = "1000", .min = 1 },
    { "max_handshakes_per_address", GH_CFG_U32, EDGE(max_handshakes_per_address), .dflt = "500",
      .min = 1 },
    { "max_message_bytes", GH_CFG_BYTES, EDGE(max_message_bytes), .dflt = "64KiB", .min = 256,
      .max = 4194304 },
    { "max_fragments", GH_CFG_U32, EDGE(max_fragments), .dflt = "512", .min = 1 },
    { "message_timeout", GH_CFG_MS, EDGE(message_timeout_ms), .dflt = "30s", .min = 100 },
    { "ping_interval", GH_CFG_MS, EDGE(ping_interval_ms), .dflt = "20s", .min = 100 },
    { "pong_timeout", GH_CFG_MS, EDGE(pong_timeout_ms), .dflt = "10s", .min = 100 },
    { "idle_timeout", GH_CFG_MS, EDGE(idle_timeout_ms), .dflt = "10m", .min = 100 },
    { "close_timeout", GH_CFG_MS, EDGE(close_timeout_ms), .dflt = "2s", .min = 100, .max = 60000 },
    { "expiry_warning", GH_CFG_MS, EDGE(expiry_warning_ms), .dflt = "60s" },
    { "max_queue_bytes", GH_CFG_BYTES, EDGE(max_queue_bytes), .dflt = "1MiB", .min = 4096,
      .max = 1073741824 },
    { "local_rates", GH_CFG_STRUCT, EDGE(rates), .fields = rate_fields },
    { "auth_http", GH_CFG_STRUCT, EDGE(http), .fields = http_fields },
    { "shed", GH_CFG_STRUCT, EDGE(shed), .fields = shed_fields },
    { "compression", GH_CFG_STRUCT, EDGE(compression), .fields = compression_fields },
    { "limiter_away_share", GH_CFG_U32, EDGE(away_share), .dflt = "4", .min = 1 },
    { "validator_window", GH_CFG_U32, EDGE(validator_window), .dflt = "16", .min = 1, .max = 1024,
      .help = "batches a validator may have unanswered" },
    { "app_window", GH_CFG_U32, EDGE(app_window), .dflt = "64", .min = 1, .max = 1024,
      .help = "batches an application may have unanswered" },
    { "call_timeout", GH_CFG_MS, EDGE(call_timeout_ms), .dflt = "10s", .min = 100 },
    { 0 },
};

static const struct gh_config_field resume_fields[] = {
    { "window", GH_CFG_MS, AT(struct route_resume, window_ms), .dflt = "0s", .max = 600000,
      .help = "how long a client may be away; 0s: its session ends with its connection" },
    { "max_messages", GH_CFG_U32, AT(struct route_resume, max_messages), .dflt = "2048", .min = 1,
      .max = 65536 },
    { "max_bytes", GH_CFG_BYTES, AT(struct route_resume, max_bytes), .dflt = "512KiB", .min = 4096,
      .max = 4194304 },
    { 0 },
};

static const struct gh_config_field route_fields[] = {
    { "path", GH_CFG_STRING, AT(struct route, path), .required = true, .max = 256 },
    { "name", GH_CFG_STRING, AT(struct route, name), .required = true, .max = 64 },
    { "app", GH_CFG_STRING, AT(struct route, app), .required = true, .max = 64 },
    { "origins", GH_CFG_LIST, AT(struct route, origins) },
    { "missing_origin", GH_CFG_ENUM, AT(struct route, missing_origin), .dflt = "refuse",
      .choices = missing_origin_choices },
    { "credentials", GH_CFG_LIST, AT(struct route, credentials_list),
      .dflt = "[bearer, subprotocol]",
      .help = "of bearer, subprotocol, ticket, cookie, certificate" },
    { "cookie", GH_CFG_STRING, AT(struct route, cookie), .max = 64 },
    { "hosts", GH_CFG_LIST, AT(struct route, hosts) },
    { "resume", GH_CFG_STRUCT, AT(struct route, resume), .fields = resume_fields },
    { "compression", GH_CFG_ENUM, AT(struct route, compression), .dflt = "off",
      .choices = compression_choices },
    { 0 },
};

static const struct gh_config_field app_fields[] = {
    { "endpoint", GH_CFG_STRING, AT(struct edge_app_config, endpoint), .required = true },
    { 0 },
};

static const struct gh_config_field class_fields[] = {
    { "per_s", GH_CFG_U32, AT(struct lease_class, per_s), .required = true, .min = 1 },
    { "burst", GH_CFG_U32, AT(struct lease_class, burst), .required = true, .min = 1 },
    { GH_CFG_OTHERS },
    { 0 },
};

static const struct gh_config_field top_fields[] = {
    { "routes", GH_CFG_STRUCTS, EDGE(route_items), .fields = route_fields,
      .item_size = sizeof(struct route), .min = 1, .max = 256 },
    { "apps", GH_CFG_MAP, EDGE(app_items), .fields = app_fields,
      .item_size = sizeof(struct edge_app_config), .min = 1, .max = 64 },
    { 0 },
};

static const struct gh_config_field limiter_fields[] = {
    { "classes", GH_CFG_MAP, EDGE(class_items), .fields = class_fields,
      .item_size = sizeof(struct lease_class), .max = 256 },
    { GH_CFG_OTHERS },
    { 0 },
};

static enum gh_err check_listen(struct gh_config *file, struct edge_config *config)
{
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&config->listen_addr;
    struct sockaddr_in *v4 = (struct sockaddr_in *)&config->listen_addr;
    const char *colon = strrchr(config->listen, ':');
    char host[ADDR_TEXT_MAX], *end;
    size_t len;
    unsigned long port;

    if (colon == NULL) return gh_config_fail(file, "edge", "listen", "write ADDRESS:PORT");
    port = strtoul(colon + 1, &end, 10);
    if (colon[1] < '0' || colon[1] > '9' || *end != 0 || port > 65535)
        return gh_config_fail(file, "edge", "listen", "the port must be 0 to 65535");
    len = (size_t)(colon - config->listen);
    if (len >= 2 && config->listen[0] == '[' && config->listen[len - 1] == ']') {
        (void)snprintf(host, sizeof host, "%.*s", (int)(len - 2), config->listen + 1);
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons((uint16_t)port);
        config->listen_len = sizeof *v6;
        if (inet_pton(AF_INET6, host, &v6->sin6_addr) == 1) return GH_OK;
    } else {
        (void)snprintf(host, sizeof host, "%.*s", (int)len, config->listen);
        v4->sin_family = AF_INET;
        v4->sin_port = htons((uint16_t)port);
        config->listen_len = sizeof *v4;
        if (inet_pton(AF_INET, host, &v4->sin_addr) == 1) return GH_OK;
    }
    return gh_config_fail(file, "edge", "listen", "\"%s\" is not an IPv4 or [IPv6] address", host);
}

static enum gh_err check_trusted(struct gh_config *file, struct edge_config *config)
{
    for (size_t i = 0; i < config->trusted_list.count; i++) {
        const char *text = config->trusted_list.items[i];

        if (cidr_parse(text, strlen(text), &config->trusted[i]) != GH_OK)
            return gh_config_fail(file, "edge", "trusted_proxies",
                                  "\"%s\" is not a CIDR block; write 10.0.0.0/8 or 2001:db8::/32",
                                  text);
    }
    config->n_trusted = config->trusted_list.count;
    return GH_OK;
}

static bool app_known(const struct edge_config *config, const char *name)
{
    const struct edge_app_config *apps = config->app_items.items;

    for (size_t i = 0; i < config->app_items.count; i++)
        if (strcmp(apps[i].name, name) == 0) return true;
    return false;
}

static enum gh_err check_route(struct gh_config *file, struct edge_config *config, size_t i)
{
    struct route *route = (struct route *)config->route_items.items + i;
    char key[48];

    (void)snprintf(key, sizeof key, "[%zu].path", i);
    if (route->path[0] != '/' || strpbrk(route->path, "?# ") != NULL)
        return gh_config_fail(file, "routes", key, "must begin with / and hold no ? or #");
    for (size_t j = 0; j < i; j++)
        if (strcmp(route->path, ((struct route *)config->route_items.items)[j].path) == 0)
            return gh_config_fail(file, "routes", key, "another route has this path already");
    (void)snprintf(key, sizeof key, "[%zu].app", i);
    if (!app_known(config, route->app))
        return gh_config_fail(file, "routes", key, "\"%s\" is not under apps", route->app);
    (void)snprintf(key, sizeof key, "[%zu].resume.max_bytes", i);
    if (route->resume.window_ms > 0 &&
        route->resume.max_bytes + route->resume.max_messages * RESUME_FRAMING >
            config->max_queue_bytes)
        return gh_config_fail(file, "routes", key,
                              "with %d bytes more for each of max_messages it must fit into "
                              "edge.max_queue_bytes: it is sent at once",
                              RESUME_FRAMING);
    (void)snprintf(key, sizeof key, "[%zu].credentials", i);
    for (size_t c = 0; c < route->credentials_list.count; c++) {
        uint32_t bit = route_credential_bit(route->credentials_list.items[c]);

        if (bit == 0)
            return gh_config_fail(file, "routes", key,
                                  "\"%s\" is not one of bearer, subprotocol, ticket, cookie, "
                                  "certificate",
                                  route->credentials_list.items[c]);
        route->credentials.accepted |= bit;
    }
    if (route->credentials.accepted == 0)
        return gh_config_fail(file, "routes", key, "a route must take at least one credential");
    route->credentials.cookie_name = route->cookie;
    if ((route->credentials.accepted & CREDENTIAL_BIT(GH__CREDENTIAL_KIND__CREDENTIAL_COOKIE)) !=
            0 &&
        (route->cookie == NULL || route->cookie[0] == 0)) {
        (void)snprintf(key, sizeof key, "[%zu].cookie", i);
        return gh_config_fail(file, "routes", key, "names the cookie that holds the token");
    }
    return GH_OK;
}

static enum gh_err check_tls(struct gh_config *file, const struct edge_config *config)
{
    const struct edge_tls_config *tls = &config->tls;

    if (tls->min_version > tls->max_version)
        return gh_config_fail(file, "edge", "tls.min_version", "is above tls.max_version");
    if (tls->min_version == EDGE_TLS_1_2 && tls->ciphers.count == 0)
        return gh_config_fail(file, "edge", "tls.ciphers",
                              "TLS 1.2 needs at least one; or set tls.min_version: \"1.3\"");
    if (tls->client_certificates != EDGE_CLIENT_CERTS_NONE && tls->client_ca_file[0] == 0)
        return gh_config_fail(file, "edge", "tls.client_ca_file",
                              "names the authorities whose client certificates are taken");
    for (size_t i = 0; i < config->route_items.count; i++) {
        const struct route *route = (const struct route *)config->route_items.items + i;
        const bool takes = (route->credentials.accepted &
                            CREDENTIAL_BIT(GH__CREDENTIAL_KIND__CREDENTIAL_CERTIFICATE)) != 0;

        if (takes && (!tls->enabled || tls->client_certificates == EDGE_CLIENT_CERTS_NONE))
            return gh_config_fail(file, "edge", "tls.client_certificates",
                                  "route %s takes certificates; write optional or required",
                                  route->path);
    }
    return GH_OK;
}

enum gh_err edge_config_load(struct gh_config *config, struct edge_config *ret_config)
{
    struct edge_config *edge = ret_config;
    enum gh_err err = gh_config_bind(config, "edge", edge_fields, edge);
    enum gh_err top = gh_config_bind(config, NULL, top_fields, edge);
    enum gh_err classes = gh_config_bind(config, "limiter", limiter_fields, edge);

    if (err == GH_OK) err = top;
    if (err == GH_OK) err = classes;
    if (err == GH_OK) err = check_listen(config, edge);
    if (err == GH_OK) err = check_trusted(config, edge);
    for (size_t i = 0; err == GH_OK && i < edge->route_items.count; i++)
        err = check_route(config, edge, i);
    if (err == GH_OK) err = check_tls(config, edge);
    if (err != GH_OK) return err;
    if (!edge->tls.enabled && !edge->development && edge->n_trusted == 0)
        return gh_config_fail(config, "edge", "tls.enabled",
                              "false needs edge.development: true, or edge.trusted_proxies where "
                              "TLS is ended before the edge");
    return GH_OK;
}

bool edge_config_trusts(const struct edge_config *config, const struct addr *addr)
{
    for (size_t i = 0; i < config->n_trusted; i++)
        if (cidr_contains(&config->trusted[i], addr)) return true;
    return false;
}
