#include "common/app/app_conns.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_BUCKETS      64u
#define IDENTITY_BYTES_MAX 8192u

static size_t bucket_of(const struct gh_app_conns *conns, uint64_t id)
{
    return (size_t)((id * 0x9e3779b97f4a7c15u) >> 32) & (conns->bucket_count - 1);
}

void gh_app_conns_done(struct gh_app_conns *conns)
{
    for (size_t i = 0; i < conns->bucket_count; i++) {
        struct gh_app_conn *conn = conns->buckets[i];

        while (conn != NULL) {
            struct gh_app_conn *next = conn->chain;

            gh_app_conn_free(conn);
            conn = next;
        }
    }
    free(conns->buckets);
    *conns = (struct gh_app_conns){ 0 };
}

struct gh_app_conn *gh_app_conns_find(const struct gh_app_conns *conns, uint64_t id)
{
    struct gh_app_conn *conn;

    if (conns->count == 0) return NULL;
    conn = conns->buckets[bucket_of(conns, id)];
    while (conn != NULL && conn->id != id)
        conn = conn->chain;
    return conn;
}

static enum gh_err conns_grow(struct gh_app_conns *conns)
{
    struct gh_app_conns grown = { .count = conns->count };

    grown.bucket_count = conns->bucket_count == 0 ? FIRST_BUCKETS : conns->bucket_count * 2;
    grown.buckets = calloc(grown.bucket_count, sizeof(*grown.buckets));
    if (grown.buckets == NULL) return GH_ERR_NOMEM;
    for (size_t i = 0; i < conns->bucket_count; i++) {
        struct gh_app_conn *conn = conns->buckets[i];

        while (conn != NULL) {
            struct gh_app_conn *next = conn->chain;
            size_t bucket = bucket_of(&grown, conn->id);

            conn->chain = grown.buckets[bucket];
            grown.buckets[bucket] = conn;
            conn = next;
        }
    }
    free(conns->buckets);
    *conns = grown;
    return GH_OK;
}

static ProtobufCBinaryData place(char **at, ProtobufCBinaryData bytes)
{
    ProtobufCBinaryData copy = { bytes.len, (uint8_t *)*at };

    if (bytes.len > 0) memcpy(*at, bytes.data, bytes.len);
    *at += bytes.len;
    return copy;
}

/* All its texts in one block, which takes the place of the one before. */
static enum gh_err identify(struct gh_app_conn *conn, const Gh__AppIdentity *identity)
{
    size_t bytes =
        identity->session_id.len + identity->user.len + identity->route.len + identity->address.len;
    char *text, *at;

    if (identity->n_roles > GH_APP_ROLES_MAX) return GH_ERR_BAD_MESSAGE;
    for (size_t i = 0; i < identity->n_roles; i++)
        bytes += identity->roles[i].len;
    if (bytes > IDENTITY_BYTES_MAX) return GH_ERR_BAD_MESSAGE;
    text = at = malloc(bytes + 1);
    if (text == NULL) return GH_ERR_NOMEM;
    conn->session_id = place(&at, identity->session_id);
    conn->user = place(&at, identity->user);
    conn->route = place(&at, identity->route);
    conn->address = place(&at, identity->address);
    conn->role_count = identity->n_roles;
    for (size_t i = 0; i < identity->n_roles; i++)
        conn->roles[i] = place(&at, identity->roles[i]);
    conn->resumable = identity->resumable;
    free(conn->text);
    conn->text = text;
    return GH_OK;
}

static enum gh_err make_room(struct gh_app_conns *conns, uint64_t id)
{
    if (gh_app_conns_find(conns, id) != NULL) return GH_ERR_EXISTS;
    if (conns->count >= GH_APP_CONNS_MAX) return GH_ERR_LIMIT;
    return conns->count >= conns->bucket_count ? conns_grow(conns) : GH_OK;
}

static void insert(struct gh_app_conns *conns, struct gh_app_edge *edge, uint64_t id,
                   struct gh_app_conn *conn)
{
    size_t bucket = bucket_of(conns, id);

    conn->edge = edge;
    conn->id = id;
    conn->chain = conns->buckets[bucket];
    conns->buckets[bucket] = conn;
    conns->count++;
}

enum gh_err gh_app_conns_add(struct gh_app_conns *conns, struct gh_app_edge *edge, uint64_t id,
                             const Gh__AppIdentity *identity, struct gh_app_conn **ret_conn)
{
    struct gh_app_conn *conn = NULL;
    enum gh_err err = make_room(conns, id);

    if (err == GH_OK && (conn = calloc(1, sizeof(*conn))) == NULL) err = GH_ERR_NOMEM;
    if (err == GH_OK) err = identify(conn, identity);
    if (err != GH_OK) {
        gh_app_conn_free(conn);
        return err;
    }
    insert(conns, edge, id, conn);
    *ret_conn = conn;
    return GH_OK;
}

enum gh_err gh_app_conns_move(struct gh_app_conns *conns, struct gh_app_edge *edge, uint64_t id,
                              const Gh__AppIdentity *identity, struct gh_app_conn *conn)
{
    enum gh_err err = make_room(conns, id);

    if (err == GH_OK) err = identify(conn, identity);
    if (err == GH_OK) insert(conns, edge, id, conn);
    return err;
}

void gh_app_conns_remove(struct gh_app_conns *conns, struct gh_app_conn *conn)
{
    struct gh_app_conn **at = &conns->buckets[bucket_of(conns, conn->id)];

    while (*at != conn)
        at = &(*at)->chain;
    *at = conn->chain;
    conns->count--;
}

void gh_app_conn_free(struct gh_app_conn *conn)
{
    if (conn != NULL) free(conn->text);
    free(conn);
}

struct gh_app_conn *gh_app_conns_first(const struct gh_app_conns *conns)
{
    if (conns->count == 0) return NULL;
    for (size_t i = 0; i < conns->bucket_count; i++)
        if (conns->buckets[i] != NULL) return conns->buckets[i];
    return NULL;
}

bool gh_app_has_role(const struct gh_app_conn *conn, const char *role)
{
    for (size_t i = 0; i < conn->role_count; i++)
        if (gh_bytes_eq(conn->roles[i], role)) return true;
    return false;
}
