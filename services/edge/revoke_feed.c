#include "revoke_feed.h"

#include "edge.h"
#include "paging.h"
#include "roles.h"

#include "common/log.h"

#include <stdlib.h>
#include <string.h>

#define ASK_TIMEOUT_MS 5000

struct revoke_feed {
    struct edge *edge;
    struct gh_client *client;
    struct paging *paging;
    uint64_t version;
    bool read; /* the list was read once */
    uint64_t next_version;
    uint64_t count; /* revocations ever seen; the last ones are kept */
    Gh__Revocation *recent[REVOKE_FEED_RECENT];
    Gh__RoleTable *roles; /* the last one; NULL: none came yet */
    uint64_t roles_count;
};

/* --- what a revocation is about --------------------------------------------------------------- */

static char *keep(char **at, ProtobufCBinaryData text)
{
    char *start = *at;

    if (text.len > 0) memcpy(start, text.data, text.len);
    *at += text.len + 1;
    return start;
}

struct origin *origin_new(const Gh__AuthVerdict *verdict)
{
    size_t size = verdict->issuer.len + verdict->key_id.len + 2;
    struct origin *origin;
    char *at;

    for (size_t i = 0; i < verdict->n_grants; i++)
        size += verdict->grants[i].len + 1;
    origin = calloc(1, sizeof *origin + size);
    if (origin == NULL) return NULL;
    at = origin->text;
    origin->issued_ms = verdict->issued_ms;
    origin->issuer = keep(&at, verdict->issuer);
    origin->key_id = keep(&at, verdict->key_id);
    origin->grants = at;
    for (size_t i = 0; i < verdict->n_grants; i++) {
        /* A NUL inside would read as another grant further on. */
        if (verdict->grants[i].len == 0 ||
            memchr(verdict->grants[i].data, 0, verdict->grants[i].len) != NULL)
            continue;
        (void)keep(&at, verdict->grants[i]);
        origin->grant_count++;
    }
    return origin;
}

static bool same(ProtobufCBinaryData a, const void *b, size_t len)
{
    return a.len == len && (len == 0 || memcmp(a.data, b, len) == 0);
}

/* The whole id, or what stands before its last dot (a refresh family). */
static bool is_token(const Gh__Revocation *r, const struct revocable *what)
{
    const char *dot =
        what->token_id_len > 0 ? memrchr(what->token_id, '.', what->token_id_len) : NULL;

    return same(r->subject, what->token_id, what->token_id_len) ||
           (dot != NULL &&
            same(r->subject, what->token_id, (size_t)(dot - (const char *)what->token_id)));
}

static bool applies(const Gh__Revocation *r, const struct revocable *what)
{
    const struct origin *origin = what->origin;

    if (r->subject.len == 0 || origin == NULL) return false;
    if (r->issuer.len > 0 && !gh_bytes_eq(r->issuer, origin->issuer)) return false;
    switch ((int)r->kind) {
    case GH__REVOKE_KIND__REVOKE_TOKEN: return is_token(r, what);
    case GH__REVOKE_KIND__REVOKE_USER:
        return same(r->subject, what->user, what->user_len) &&
               (r->before_ms == 0 || origin->issued_ms == 0 || origin->issued_ms < r->before_ms);
    case GH__REVOKE_KIND__REVOKE_ISSUER: return gh_bytes_eq(r->subject, origin->issuer);
    case GH__REVOKE_KIND__REVOKE_KEY: return gh_bytes_eq(r->subject, origin->key_id);
    default: return false;
    }
}

static void remember(struct revoke_feed *feed, const Gh__Revocation *r)
{
    Gh__Revocation **slot = &feed->recent[feed->count % REVOKE_FEED_RECENT];
    const size_t len = gh__revocation__get_packed_size(r);
    uint8_t *bytes = malloc(len > 0 ? len : 1);

    if (*slot != NULL) gh__revocation__free_unpacked(*slot, NULL);
    *slot = NULL; /* without memory: counted, but unknown, which counts as a hit */
    if (bytes != NULL) {
        (void)gh__revocation__pack(r, bytes);
        *slot = gh__revocation__unpack(NULL, len, bytes);
        free(bytes);
    }
    feed->count++;
}

uint64_t revoke_feed_mark(const struct revoke_feed *feed)
{
    return feed->count;
}

bool revoke_feed_hit_since(const struct revoke_feed *feed, uint64_t mark,
                           const struct revocable *what)
{
    if (feed->count - mark > REVOKE_FEED_RECENT) return true;
    for (; mark < feed->count; mark++) {
        const Gh__Revocation *r = feed->recent[mark % REVOKE_FEED_RECENT];

        if (r == NULL || applies(r, what)) return true;
    }
    return false;
}

/* --- enforcing -------------------------------------------------------------------------------- */

static void enforce(struct revoke_feed *feed, Gh__Revocation *const *list, size_t count)
{
    struct edge *edge = feed->edge;
    struct conn *conn;
    uint32_t at = 0;

    for (size_t i = 0; i < count; i++)
        remember(feed, list[i]);
    while (count > 0 && (conn = conn_table_walk(&edge->conns, &at)) != NULL) {
        const struct identity *who = conn->identity;
        bool hit = false;

        if (conn->state != CONN_OPEN || who == NULL) continue;
        for (size_t i = 0; i < count && !hit; i++)
            hit = applies(list[i], &(struct revocable){ .user = who->user,
                                                        .user_len = who->user_len,
                                                        .token_id = who->token_id,
                                                        .token_id_len = who->token_id_len,
                                                        .origin = who->origin });
        if (hit) conn_close(conn, GH_CODE_UNAUTHENTICATED, 0, "credential revoked");
    }
}

/* --- roles ------------------------------------------------------------------------------------ */

static void take_roles(struct revoke_feed *feed, const Gh__RoleTable *table)
{
    const size_t len = gh__role_table__get_packed_size(table);
    uint8_t *bytes = malloc(len > 0 ? len : 1);
    Gh__RoleTable *copy = NULL;

    if (bytes != NULL) {
        (void)gh__role_table__pack(table, bytes);
        copy = gh__role_table__unpack(NULL, len, bytes);
        free(bytes);
    }
    if (feed->roles != NULL) gh__role_table__free_unpacked(feed->roles, NULL);
    feed->roles = copy; /* NULL without memory: those being admitted keep what the verdict said */
    feed->roles_count++;
    roles_apply_all(feed->edge, table);
}

uint64_t revoke_feed_roles_mark(const struct revoke_feed *feed)
{
    return feed->roles_count;
}

void revoke_feed_roles_since(const struct revoke_feed *feed, uint64_t mark, struct conn *conn)
{
    if (feed->roles_count != mark && feed->roles != NULL) roles_apply(conn, feed->roles);
}

/* --- the list --------------------------------------------------------------------------------- */

static void on_page(void *ctx, enum gh_err err, const void *body)
{
    struct revoke_feed *feed = ctx;
    const Gh__AuthRevocationsReply *page = body;

    if (err != GH_OK) {
        paging_failed(feed->paging);
        return;
    }
    if (paging_is_first(feed->paging)) {
        feed->next_version = page->version;
        if (page->roles != NULL) take_roles(feed, page->roles);
    }
    enforce(feed, page->revocations, page->n_revocations);
    paging_took(feed->paging, page->cursor);
}

static enum gh_err ask_page(void *ctx, ProtobufCBinaryData cursor)
{
    struct revoke_feed *feed = ctx;
    Gh__AuthRevocations request = GH__AUTH_REVOCATIONS__INIT;

    request.cursor = cursor;
    return gh_client_call(feed->client, gh_client_peer_any(feed->client),
                          GH__ENVELOPE__BODY_AUTH_REVOCATIONS, &request,
                          GH__ENVELOPE__BODY_AUTH_REVOCATIONS_REPLY, ASK_TIMEOUT_MS, on_page, feed);
}

static void take_whole(void *ctx)
{
    struct revoke_feed *feed = ctx;

    if (feed->next_version > feed->version || !feed->read) feed->version = feed->next_version;
    feed->read = true;
    gh_log(GH_LOG_DEBUG, "revocations_read", "version=%llu", (unsigned long long)feed->version);
}

static const struct paging_ops pages = { .ask = ask_page, .whole = take_whole };

/* --- orders ----------------------------------------------------------------------------------- */

static void on_push(void *ctx, struct gh_client_peer *peer, uint32_t arm, const void *body)
{
    struct revoke_feed *feed = ctx;
    const Gh__AuthOrder *order = body;
    bool says_something;

    (void)peer;
    if (arm != GH__ENVELOPE__BODY_AUTH_ORDER) return;
    if (order->roles != NULL) take_roles(feed, order->roles);
    enforce(feed, order->added, order->n_added);
    says_something = order->n_added + order->n_lifted > 0;
    if (order->version <= feed->version) return;
    if (order->version > feed->version + 1 || (!says_something && order->roles == NULL))
        paging_read(feed->paging);
    if (says_something) feed->version = order->version;
}

static void on_up(void *ctx, struct gh_client_peer *peer, uint64_t orders_version)
{
    struct revoke_feed *feed = ctx;

    (void)peer;
    (void)orders_version;
    /* Whatever the version: the role table has none. */
    if (feed->client != NULL) paging_read(feed->paging);
}

/* --- life ------------------------------------------------------------------------------------- */

enum gh_err revoke_feed_new(struct edge *edge, struct revoke_feed **ret_feed)
{
    struct revoke_feed *feed = calloc(1, sizeof *feed);

    if (feed == NULL) return GH_ERR_NOMEM;
    feed->edge = edge;
    if (paging_new(edge->loop, &pages, feed, &feed->paging) != GH_OK) {
        free(feed);
        return GH_ERR_NOMEM;
    }
    *ret_feed = feed;
    return GH_OK;
}

void revoke_feed_free(struct revoke_feed *feed)
{
    if (feed == NULL) return;
    paging_free(feed->paging);
    for (size_t i = 0; i < REVOKE_FEED_RECENT; i++) {
        if (feed->recent[i] != NULL) gh__revocation__free_unpacked(feed->recent[i], NULL);
    }
    if (feed->roles != NULL) gh__role_table__free_unpacked(feed->roles, NULL);
    free(feed);
}

void revoke_feed_attach(struct revoke_feed *feed, struct gh_client_config *config)
{
    config->ctx = feed;
    config->on_up = on_up;
    config->on_push = on_push;
}

void revoke_feed_start(struct revoke_feed *feed, struct gh_client *client)
{
    feed->client = client;
}
