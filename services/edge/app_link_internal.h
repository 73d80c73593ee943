/*
 * app_link_internal - what app_link.c (announcing, messages, answers) and app_lane.c (how far the
 * instances are) share.
 */
#ifndef EDGE_APP_LINK_INTERNAL_H
#define EDGE_APP_LINK_INTERNAL_H

#include "app_link.h"

#include "common/arena.h"
#include "common/client.h"

#define APP_ID_MAX   64
#define APP_GONE_MAX 16 /* instances out of sight that are remembered */

struct item_meta { /* what is needed to answer a client when its batch fails */
    uint64_t conn_id;
    uint8_t id_len;
    bool message;
    bool resume; /* it asks for what a session missed */
    char id[APP_ID_MAX];
};

struct app_batch {
    struct app_batch *next;
    struct app_link *link;
    struct app_lane *lane; /* it went to; good while it is unanswered */
    struct gh_arena *arena;
    size_t bytes;
    uint32_t n, cap;
    Gh__AppItem *items, **item_ptrs;
    struct item_meta *meta;
};

struct app_lane {
    struct app_lane *next;
    struct app_link *link;
    struct gh_client_peer *peer;
    struct app_batch *open;
    struct conn *conns;   /* announced here */
    struct conn *waiters; /* with messages that found no room */
    uint64_t cursor;
    char origin[APP_ORIGIN_MAX + 1];
};

struct app_gone { /* an instance that was here */
    char origin[APP_ORIGIN_MAX + 1];
    uint64_t cursor;
    int64_t at_ms;
};

struct app_link {
    struct app_links *links;
    const char *name;
    struct gh_client *client;
    struct app_lane *lanes;
    struct conn *homeless; /* connections no instance knows */
    struct app_batch *free;
    size_t n_free;
    uint64_t keep_ms; /* 0: no route of it is resumable */
    struct app_gone gone[APP_GONE_MAX];
    unsigned next_gone;
};

struct app_links {
    struct edge *edge;
    size_t count;
    struct app_link links[];
};

/* What is remembered of this instance, or NULL. */
struct app_gone *app_link_gone(struct app_link *link, const struct app_lane *lane);

#endif
