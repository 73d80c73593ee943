/*
 * directory - open connections by session, by user and by topic.
 *
 * Topics belong to one application: two applications may use the same name and never meet. What an
 * application can make a connection subscribe to is capped. Pure but for memory.
 */
#ifndef EDGE_DIRECTORY_H
#define EDGE_DIRECTORY_H

#include "hmap.h"

#include <stdbool.h>

#define DIRECTORY_TOPIC_MAX         128
#define DIRECTORY_SUBSCRIPTIONS_MAX 256 /* of one connection */

struct conn;
struct identity;

struct directory {
    struct hmap sessions, users, topics;
};

struct user_entry {
    struct hmap_node node;
    struct identity *first;
    uint32_t count;
    uint16_t len;
    char name[];
};

struct topic {
    struct hmap_node node;
    const void *app;
    struct subscription *first;
    uint32_t count;
    uint16_t len;
    char name[];
};

struct subscription {
    struct conn *conn;
    struct topic *topic;
    struct subscription *prev, *next; /* in the topic */
    struct subscription *conn_next;   /* in the connection */
};

GH_NODISCARD enum gh_err directory_init(struct directory *directory);
void directory_done(struct directory *directory);

/* Enters a connection's identity. Errors: GH_ERR_NOMEM. */
GH_NODISCARD enum gh_err directory_enter(struct directory *directory, struct identity *identity);
/* Takes the connection out, with all its subscriptions. Idempotent. */
void directory_leave(struct directory *directory, struct conn *conn);

struct conn *directory_session(const struct directory *directory, const void *id, size_t len);
struct user_entry *directory_user(const struct directory *directory, const void *user, size_t len);
struct topic *directory_topic(const struct directory *directory, const void *app, const void *name,
                              size_t len);

/* Errors: GH_ERR_LIMIT (name too long, or too many topics of one connection), GH_ERR_NOMEM. Being
 * in already is no error. */
GH_NODISCARD enum gh_err directory_subscribe(struct directory *directory, struct conn *conn,
                                             const void *app, const void *name, size_t len);
void directory_unsubscribe(struct directory *directory, struct conn *conn, const void *app,
                           const void *name, size_t len);

#endif
