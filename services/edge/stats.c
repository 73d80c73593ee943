#include "stats.h"

#include "batcher.h"
#include "edge.h"
#include "listener.h"
#include "outbound.h"

#include <stdio.h>

#define P "gatehouse_edge_"

static uint64_t read_open(void *ctx)
{
    return ((const struct edge *)ctx)->open;
}

static uint64_t read_handshakes(void *ctx)
{
    const struct edge *edge = ctx;

    return edge->handshakes + (edge->listener != NULL ? listener_waiting(edge->listener) : 0);
}

static uint64_t read_queued(void *ctx)
{
    return ((const struct edge *)ctx)->pool.bytes;
}

static uint64_t read_batched(void *ctx)
{
    const struct edge *edge = ctx;

    return edge->batcher != NULL ? batcher_bytes(edge->batcher) : 0;
}

static uint64_t read_waiting(void *ctx)
{
    const struct edge *edge = ctx;

    return edge->outbound != NULL ? outbound_bytes(edge->outbound) : 0;
}

static uint64_t read_bans(void *ctx)
{
    return ban_table_count(((const struct edge *)ctx)->bans);
}

static void make_route(struct gh_metrics *m, struct route *route)
{
    char labels[96];

    (void)snprintf(labels, sizeof labels, "route=\"%.64s\"", route->name);
    route->opened =
        gh_metrics_counter(m, P "connections_opened_total", labels, "connections admitted");
    route->active = gh_metrics_gauge(m, P "connections_active", labels, "open connections");
    route->messages_in =
        gh_metrics_counter(m, P "messages_received_total", labels, "messages from clients");
    route->messages_out =
        gh_metrics_counter(m, P "messages_sent_total", labels, "messages to clients");
    route->bytes_in = gh_metrics_counter(m, P "message_bytes_received_total", labels,
                                         "message bytes from clients");
    route->bytes_out =
        gh_metrics_counter(m, P "message_bytes_sent_total", labels, "message bytes to clients");
}

static void make_deflate(struct stats *stats, struct gh_metrics *m)
{
    static const char in[] = "direction=\"in\"", out[] = "direction=\"out\"";
    static const char messages[] = "messages that were compressed";
    static const char plain[] = "bytes of compressed messages, inflated";
    static const char wire[] = "bytes of compressed messages, as sent";

    stats->deflated_in = gh_metrics_counter(m, P "deflate_messages_total", in, messages);
    stats->deflated_out = gh_metrics_counter(m, P "deflate_messages_total", out, messages);
    stats->deflated_in_plain = gh_metrics_counter(m, P "deflate_plain_bytes_total", in, plain);
    stats->deflated_out_plain = gh_metrics_counter(m, P "deflate_plain_bytes_total", out, plain);
    stats->deflated_in_wire = gh_metrics_counter(m, P "deflate_wire_bytes_total", in, wire);
    stats->deflated_out_wire = gh_metrics_counter(m, P "deflate_wire_bytes_total", out, wire);
}

static void make_codes(struct stats *stats, struct gh_metrics *m)
{
    for (uint32_t code = 0; code < GH_CODE_COUNT; code++) {
        char labels[64];

        (void)snprintf(labels, sizeof labels, "code=\"%.40s\"", gh_code_info(code)->name);
        stats->refused[code] = gh_metrics_counter(m, P "handshakes_refused_total", labels,
                                                  "handshakes answered with a refusal");
        stats->closed[code] = gh_metrics_counter(m, P "connections_closed_total", labels,
                                                 "open connections that ended, by reason");
        stats->rejected[code] =
            gh_metrics_counter(m, P "messages_refused_total", labels, "messages refused");
        stats->withheld[code] =
            gh_metrics_counter(m, P "messages_withheld_total", labels,
                               "messages of applications a client did not get, by receiver");
    }
}

static void make_http(struct stats *stats, struct gh_metrics *m)
{
    char labels[64];

    for (size_t i = 0; i < HTTP_PATHS; i++) {
        (void)snprintf(labels, sizeof labels, "path=\"%.40s\"", http_path_name(i));
        stats->http_requests[i] =
            gh_metrics_counter(m, P "http_requests_total", labels, "requests for /auth paths");
    }
    for (uint32_t code = 0; code < GH_CODE_COUNT; code++) {
        (void)snprintf(labels, sizeof labels, "code=\"%.40s\"", gh_code_info(code)->name);
        stats->http_answers[code] =
            gh_metrics_counter(m, P "http_answers_total", labels, "answers to them, by code");
    }
}

void stats_init(struct stats *stats, struct gh_metrics *m, struct edge *edge,
                struct route_table *routes)
{
    static const uint64_t us[] = { 100,   250,    500,    1000,   2500,    5000,    10000,  25000,
                                   50000, 100000, 250000, 500000, 1000000, 2500000, 5000000 };
    const size_t n = sizeof us / sizeof us[0];

    stats->accepted = gh_metrics_counter(m, P "accepted_total", NULL, "sockets accepted");
    stats->handshakes_failed = gh_metrics_counter(m, P "handshakes_failed_total", NULL,
                                                  "sockets that ended before any answer");
    stats->batches = gh_metrics_counter(m, P "batches_total", NULL, "batches sent to validators");
    stats->batch_items =
        gh_metrics_counter(m, P "batch_items_total", NULL, "messages sent to validators");
    stats->resent = gh_metrics_counter(m, P "batches_resent_total", NULL,
                                       "batches sent again after a validator went away");
    stats->judged = gh_metrics_counter(m, P "outbound_judged_total", NULL,
                                       "messages to clients that had a verdict");
    stats->conflated = gh_metrics_counter(
        m, P "messages_conflated_total", NULL,
        "conflatable messages a slow client did not get: a newer one came, or there was no room");
    stats->app_batches =
        gh_metrics_counter(m, P "app_batches_total", NULL, "batches sent to applications");
    stats->app_items =
        gh_metrics_counter(m, P "app_items_total", NULL, "items sent to applications");
    stats->app_ops = gh_metrics_counter(m, P "app_ops_total", NULL, "operations of applications");
    stats->lease_asks =
        gh_metrics_counter(m, P "lease_requests_total", NULL, "calls to the limiter for tokens");
    stats->lease_tokens = gh_metrics_counter(m, P "lease_tokens_total", NULL, "tokens granted");
    stats->local_share = gh_metrics_counter(
        m, P "local_share_total", NULL, "messages let through on the local share, limiter away");
    stats->pauses =
        gh_metrics_counter(m, P "reads_paused_total", NULL, "times a socket was left unread");
    stats->health_failed = gh_metrics_counter(m, P "health_checks_failed_total", NULL,
                                              "connections without a pong in time");
    stats->admission_us =
        gh_metrics_histogram(m, P "admission_us", NULL, "head complete to 101", us, n);
    stats->pong_us = gh_metrics_histogram(m, P "pong_us", NULL, "ping to pong", us, n);
    gh_metrics_gauge_fn(m, P "open", NULL, "open connections", read_open, edge);
    gh_metrics_gauge_fn(m, P "handshakes", NULL, "handshakes under way", read_handshakes, edge);
    gh_metrics_gauge_fn(m, P "queued_bytes", NULL, "buffers of slow clients", read_queued, edge);
    gh_metrics_gauge_fn(m, P "batched_bytes", NULL, "message bytes at the validators", read_batched,
                        edge);
    gh_metrics_gauge_fn(m, P "outbound_waiting_bytes", NULL,
                        "messages to clients that wait for a verdict", read_waiting, edge);
    gh_metrics_gauge_fn(m, P "bans", NULL, "bans held", read_bans, edge);
    make_codes(stats, m);
    make_http(stats, m);
    make_deflate(stats, m);
    for (size_t i = 0; i < routes->count; i++)
        make_route(m, &routes->routes[i]);
}
