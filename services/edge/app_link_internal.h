/*
 * app_link_internal - what app_link.c (announcing, messages), app_batch.c (what leaves in one call,
 * and its answer) and app_lane.c (how far the instances are) share.
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

/* NULL: no memory. It belongs to the link: open in a lane, under way, or free. */
struct app_batch *app_batch_take(struct app_link *link);
void app_batch_free(struct app_batch *batch); /* NULL is a no-op */
/* A new item in the lane's open batch, a full one of which is sent first. NULL: no memory. */
Gh__AppItem *app_batch_add(struct app_lane *lane, uint64_t conn_id, Gh__AppItemKind kind);
/* A copy that lives as long as the batch; empty without memory. */
ProtobufCBinaryData app_batch_keep(struct app_batch *batch, const void *bytes, size_t len);
/* Sends the open batch, if there is one and the instance has room. */
void app_batch_send(struct app_lane *lane);
/* Its instance is gone: what waited in it is refused. */
void app_batch_fail(struct app_batch *batch);

/* What is remembered of this instance, or NULL. */
struct app_gone *app_link_gone(struct app_link *link, const struct app_lane *lane);

#endif
