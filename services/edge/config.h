/*
 * config - the edge's part of gatehouse.yaml: sections edge, routes, apps, and limiter.classes for
 * the local share. Everything is owned by the gh_config it was bound from.
 */
#ifndef EDGE_CONFIG_H
#define EDGE_CONFIG_H

#include "addr.h"
#include "lease.h"
#include "route.h"

#include "common/config.h"

#include <netinet/in.h>

#define EDGE_TRUSTED_MAX 64

enum edge_proxy_protocol { EDGE_PROXY_REQUIRED, EDGE_PROXY_OPTIONAL, EDGE_PROXY_OFF };
enum edge_forwarded { EDGE_FORWARDED_NONE, EDGE_FORWARDED_XFF, EDGE_FORWARDED_RFC7239 };

enum edge_tls_version { EDGE_TLS_1_2, EDGE_TLS_1_3 };
enum edge_client_certs {
    EDGE_CLIENT_CERTS_NONE,
    EDGE_CLIENT_CERTS_OPTIONAL,
    EDGE_CLIENT_CERTS_REQUIRED
};

struct edge_tls_pair_config {
    const char *cert_file;
    const char *key_file;
    const char *ocsp_file;
};

struct edge_tls_config {
    bool enabled;
    const char *cert_file;
    const char *key_file;
    const char *ocsp_file;             /* "": none */
    struct gh_config_structs more;     /* struct edge_tls_pair_config: further kinds of key */
    uint32_t min_version, max_version; /* enum edge_tls_version */
    struct gh_config_list ciphers, ciphersuites, groups;
    bool session_tickets;
    uint64_t ticket_rotation_ms;
    uint64_t watch_files_ms;      /* 0: not */
    uint32_t client_certificates; /* enum edge_client_certs */
    const char *client_ca_file;
};

struct edge_rates {
    uint32_t connects_per_s, connects_burst;
    uint32_t messages_per_s, messages_burst;
};

struct edge_http_config { /* /auth/... on the public port */
    bool enabled;
    struct gh_config_list origins; /* pages beside those of the routes */
    uint64_t max_body_bytes;
    uint32_t requests_per_s, requests_burst; /* per address */
};

struct edge_compression { /* of routes that have it on */
    uint32_t level;
    uint64_t min_bytes;
    uint32_t max_ratio;
    uint32_t window_bits;
};

struct edge_shed_config {
    uint64_t lag_ms;            /* 0: not looked at */
    uint32_t spare_descriptors; /* so many are to be left */
    uint64_t memory_bytes;      /* 0: by the container's limit, if it has one */
};

struct edge_app_config { /* apps: NAME: */
    const char *name;
    const char *endpoint;
};

struct edge_config {
    const char *listen;
    struct sockaddr_storage listen_addr;
    socklen_t listen_len;
    struct edge_tls_config tls;
    bool development;
    struct gh_config_list trusted_list;
    struct cidr trusted[EDGE_TRUSTED_MAX];
    size_t n_trusted;
    uint32_t proxy_protocol;
    uint32_t forwarded_header;
    uint32_t max_connections;
    uint32_t max_connections_per_address;
    uint32_t max_connections_per_user;
    uint64_t handshake_timeout_ms;
    uint64_t max_head_bytes;
    uint32_t max_headers;
    uint32_t max_handshakes;
    uint32_t max_handshakes_per_address;
    uint64_t max_message_bytes;
    uint32_t max_fragments;
    uint64_t message_timeout_ms;
    uint64_t ping_interval_ms;
    uint64_t pong_timeout_ms;
    uint64_t idle_timeout_ms;
    uint64_t close_timeout_ms;
    uint64_t expiry_warning_ms;
    uint64_t max_queue_bytes;
    struct edge_rates rates;
    struct edge_http_config http;
    struct edge_shed_config shed;
    struct edge_compression compression;
    uint32_t away_share;
    uint32_t validator_window;
    uint32_t app_window;
    uint64_t call_timeout_ms;

    struct gh_config_structs route_items; /* struct route */
    struct gh_config_structs app_items;   /* struct edge_app_config */
    struct gh_config_structs class_items; /* struct lease_class */
};

/* Errors: GH_ERR_CONFIG (reported), GH_ERR_NOMEM. */
GH_NODISCARD enum gh_err edge_config_load(struct gh_config *config, struct edge_config *ret_config);

bool edge_config_trusts(const struct edge_config *config, const struct addr *addr);

#endif
