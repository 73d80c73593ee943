#include "directory.h"

#include "conn.h"

#include <stdlib.h>
#include <string.h>

enum { KIND_SESSION = 11, KIND_USER = 12, KIND_TOPIC = 13 };

enum gh_err directory_init(struct directory *directory)
{
    enum gh_err err = hmap_init(&directory->sessions);

    if (err == GH_OK) err = hmap_init(&directory->users);
    if (err == GH_OK) err = hmap_init(&directory->topics);
    return err;
}

static void free_all(struct hmap *map, size_t offset)
{
    struct hmap_walk walk = { 0 };
    struct hmap_node *node;

    if (map->buckets == NULL) return;
    while ((node = hmap_walk(map, &walk)) != NULL)
        free((char *)node - offset);
    hmap_done(map);
}

void directory_done(struct directory *directory)
{
    hmap_done(&directory->sessions);
    free_all(&directory->users, offsetof(struct user_entry, node));
    free_all(&directory->topics, offsetof(struct topic, node));
}

struct user_entry *directory_user(const struct directory *directory, const void *user, size_t len)
{
    struct hmap_node *node = hmap_first(&directory->users, hmap_hash(user, len, KIND_USER));

    for (; node != NULL; node = hmap_next(node)) {
        struct user_entry *entry = hmap_entry(node, struct user_entry, node);

        if (entry->len == len && memcmp(entry->name, user, len) == 0) return entry;
    }
    return NULL;
}

enum gh_err directory_enter(struct directory *directory, struct identity *identity)
{
    struct user_entry *entry = directory_user(directory, identity->user, identity->user_len);

    if (entry == NULL) {
        entry = calloc(1, sizeof *entry + identity->user_len);
        if (entry == NULL) return GH_ERR_NOMEM;
        entry->len = identity->user_len;
        memcpy(entry->name, identity->user, identity->user_len);
        hmap_insert(&directory->users, &entry->node, hmap_hash(entry->name, entry->len, KIND_USER));
    }
    identity->user_entry = entry;
    identity->user_next = entry->first;
    if (entry->first != NULL) entry->first->user_prev = identity;
    entry->first = identity;
    entry->count++;
    hmap_insert(&directory->sessions, &identity->by_session,
                hmap_hash(identity->session_id, strlen(identity->session_id), KIND_SESSION));
    return GH_OK;
}

static void leave_topic(struct directory *directory, struct subscription *sub)
{
    struct topic *topic = sub->topic;

    if (sub->prev != NULL)
        sub->prev->next = sub->next;
    else
        topic->first = sub->next;
    if (sub->next != NULL) sub->next->prev = sub->prev;
    if (--topic->count == 0) {
        hmap_remove(&directory->topics, &topic->node);
        free(topic);
    }
    free(sub);
}

void directory_leave(struct directory *directory, struct conn *conn)
{
    struct identity *identity = conn->identity;
    struct user_entry *entry = identity != NULL ? identity->user_entry : NULL;

    while (conn->subscriptions != NULL) {
        struct subscription *sub = conn->subscriptions;

        conn->subscriptions = sub->conn_next;
        leave_topic(directory, sub);
    }
    conn->n_subscriptions = 0;
    if (entry == NULL) return;
    hmap_remove(&directory->sessions, &identity->by_session);
    if (identity->user_prev != NULL)
        identity->user_prev->user_next = identity->user_next;
    else
        entry->first = identity->user_next;
    if (identity->user_next != NULL) identity->user_next->user_prev = identity->user_prev;
    identity->user_prev = identity->user_next = NULL;
    identity->user_entry = NULL;
    if (--entry->count == 0) {
        hmap_remove(&directory->users, &entry->node);
        free(entry);
    }
}

struct conn *directory_session(const struct directory *directory, const void *id, size_t len)
{
    struct hmap_node *node = hmap_first(&directory->sessions, hmap_hash(id, len, KIND_SESSION));

    for (; node != NULL; node = hmap_next(node)) {
        struct identity *identity = hmap_entry(node, struct identity, by_session);

        if (strlen(identity->session_id) == len && memcmp(identity->session_id, id, len) == 0)
            return identity->conn;
    }
    return NULL;
}

static uint64_t topic_hash(const void *app, const void *name, size_t len)
{
    return hmap_hash(name, len, KIND_TOPIC ^ (uint64_t)(uintptr_t)app << 8);
}

struct topic *directory_topic(const struct directory *directory, const void *app, const void *name,
                              size_t len)
{
    struct hmap_node *node = hmap_first(&directory->topics, topic_hash(app, name, len));

    for (; node != NULL; node = hmap_next(node)) {
        struct topic *topic = hmap_entry(node, struct topic, node);

        if (topic->app == app && topic->len == len && memcmp(topic->name, name, len) == 0)
            return topic;
    }
    return NULL;
}

static struct topic *make_topic(struct directory *directory, const void *app, const void *name,
                                size_t len)
{
    struct topic *topic = calloc(1, sizeof *topic + len);

    if (topic == NULL) return NULL;
    topic->app = app;
    topic->len = (uint16_t)len;
    memcpy(topic->name, name, len);
    hmap_insert(&directory->topics, &topic->node, topic_hash(app, name, len));
    return topic;
}

static struct subscription **find_subscription(struct conn *conn, const struct topic *topic)
{
    struct subscription **at = &conn->subscriptions;

    while (*at != NULL && (*at)->topic != topic)
        at = &(*at)->conn_next;
    return at;
}

enum gh_err directory_subscribe(struct directory *directory, struct conn *conn, const void *app,
                                const void *name, size_t len)
{
    struct topic *topic;
    struct subscription *sub;

    if (len == 0 || len > DIRECTORY_TOPIC_MAX) return GH_ERR_LIMIT;
    topic = directory_topic(directory, app, name, len);
    if (topic != NULL && *find_subscription(conn, topic) != NULL) return GH_OK;
    if (conn->n_subscriptions >= DIRECTORY_SUBSCRIPTIONS_MAX) return GH_ERR_LIMIT;
    sub = calloc(1, sizeof *sub);
    if (sub == NULL) return GH_ERR_NOMEM;
    if (topic == NULL) topic = make_topic(directory, app, name, len);
    if (topic == NULL) {
        free(sub);
        return GH_ERR_NOMEM;
    }
    sub->conn = conn;
    sub->topic = topic;
    sub->next = topic->first;
    if (topic->first != NULL) topic->first->prev = sub;
    topic->first = sub;
    topic->count++;
    sub->conn_next = conn->subscriptions;
    conn->subscriptions = sub;
    conn->n_subscriptions++;
    return GH_OK;
}

void directory_unsubscribe(struct directory *directory, struct conn *conn, const void *app,
                           const void *name, size_t len)
{
    struct topic *topic = directory_topic(directory, app, name, len);
    struct subscription **at, *sub;

    if (topic == NULL) return;
    at = find_subscription(conn, topic);
    sub = *at;
    if (sub == NULL) return;
    *at = sub->conn_next;
    conn->n_subscriptions--;
    leave_topic(directory, sub);
}
