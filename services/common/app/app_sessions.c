#include "common/app/app_sessions.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_BUCKETS 64u

/* Session ids are random: any bytes of one are a hash. */
static size_t bucket_of(const struct gh_app_sessions *sessions, ProtobufCBinaryData id)
{
    uint64_t hash = 1469598103934665603u; /* FNV-1a */

    for (size_t i = 0; i < id.len; i++)
        hash = (hash ^ id.data[i]) * 1099511628211u;
    return (size_t)(hash ^ hash >> 32) & (sessions->bucket_count - 1);
}

void gh_app_sessions_done(struct gh_app_sessions *sessions)
{
    free(sessions->buckets);
    *sessions = (struct gh_app_sessions){ 0 };
}

struct gh_app_conn *gh_app_sessions_find(const struct gh_app_sessions *sessions,
                                         ProtobufCBinaryData session_id)
{
    struct gh_app_conn *conn;

    if (sessions->count == 0) return NULL;
    conn = sessions->buckets[bucket_of(sessions, session_id)];
    while (conn != NULL && (conn->session_id.len != session_id.len ||
                            memcmp(conn->session_id.data, session_id.data, session_id.len) != 0))
        conn = conn->session_chain;
    return conn;
}

static enum gh_err grow(struct gh_app_sessions *sessions)
{
    struct gh_app_sessions grown = *sessions;

    grown.bucket_count = sessions->bucket_count == 0 ? FIRST_BUCKETS : sessions->bucket_count * 2;
    grown.buckets = calloc(grown.bucket_count, sizeof(*grown.buckets));
    if (grown.buckets == NULL) return GH_ERR_NOMEM;
    for (size_t i = 0; i < sessions->bucket_count; i++) {
        struct gh_app_conn *conn = sessions->buckets[i];

        while (conn != NULL) {
            struct gh_app_conn *next = conn->session_chain;
            size_t bucket = bucket_of(&grown, conn->session_id);

            conn->session_chain = grown.buckets[bucket];
            grown.buckets[bucket] = conn;
            conn = next;
        }
    }
    free(sessions->buckets);
    *sessions = grown;
    return GH_OK;
}

enum gh_err gh_app_sessions_add(struct gh_app_sessions *sessions, struct gh_app_conn *conn)
{
    enum gh_err err = GH_OK;
    size_t bucket;

    if (sessions->count >= sessions->bucket_count) err = grow(sessions);
    if (err != GH_OK) return err;
    bucket = bucket_of(sessions, conn->session_id);
    conn->session_chain = sessions->buckets[bucket];
    sessions->buckets[bucket] = conn;
    sessions->count++;
    return GH_OK;
}

void gh_app_sessions_remove(struct gh_app_sessions *sessions, struct gh_app_conn *conn)
{
    struct gh_app_conn **at = &sessions->buckets[bucket_of(sessions, conn->session_id)];

    gh_app_sessions_attach(sessions, conn);
    while (*at != conn)
        at = &(*at)->session_chain;
    *at = conn->session_chain;
    sessions->count--;
}

void gh_app_sessions_detach(struct gh_app_sessions *sessions, struct gh_app_conn *conn,
                            int64_t now_ms)
{
    conn->detached = true;
    conn->detached_ms = now_ms;
    conn->newer = NULL;
    conn->older = sessions->newest;
    if (sessions->newest != NULL)
        sessions->newest->newer = conn;
    else
        sessions->oldest = conn;
    sessions->newest = conn;
}

void gh_app_sessions_attach(struct gh_app_sessions *sessions, struct gh_app_conn *conn)
{
    if (!conn->detached) return;
    conn->detached = false;
    if (conn->older != NULL)
        conn->older->newer = conn->newer;
    else
        sessions->oldest = conn->newer;
    if (conn->newer != NULL)
        conn->newer->older = conn->older;
    else
        sessions->newest = conn->older;
    conn->older = conn->newer = NULL;
}

struct gh_app_conn *gh_app_sessions_overdue(const struct gh_app_sessions *sessions,
                                            int64_t before_ms)
{
    struct gh_app_conn *conn = sessions->oldest;

    return conn != NULL && conn->detached_ms < before_ms ? conn : NULL;
}
