/*
 * revoke_feed - closes what auth has revoked, and keeps what is being admitted from slipping
 * through.
 *
 * Every order of auth is applied to all open connections when it comes, also one that another auth
 * process has said already: the one that says it now may have admitted somebody in between. After a
 * reconnect or a gap the whole list is read and applied. No list is kept: a new connection is
 * auth's to judge. For the time between its verdict and the opening the last REVOKE_FEED_RECENT
 * revocations are remembered, and the last role table (roles.h).
 */
#ifndef EDGE_REVOKE_FEED_H
#define EDGE_REVOKE_FEED_H

#include "common/client.h"

#include <stdbool.h>
#include <stdint.h>

#define REVOKE_FEED_RECENT 64u

struct edge;
struct revoke_feed;

/* Where a credential came from: what, beside user and token id, it can be revoked by. */
struct origin {
    uint64_t issued_ms; /* 0: not said */
    const char *issuer, *key_id;
    const char *grants; /* grant_count of them, each NUL-ended: what the claims say, for roles.h */
    size_t grant_count;
    char text[];
};
struct origin *origin_new(const Gh__AuthVerdict *verdict); /* NULL: no memory; freed with free */

GH_NODISCARD enum gh_err revoke_feed_new(struct edge *edge, struct revoke_feed **ret_feed);
void revoke_feed_free(struct revoke_feed *feed); /* after its client; NULL is a no-op */
/* Puts the feed's callbacks into the configuration of the client of auth; once that client is made,
 * revoke_feed_start tells the feed of it. */
void revoke_feed_attach(struct revoke_feed *feed, struct gh_client_config *config);
void revoke_feed_start(struct revoke_feed *feed, struct gh_client *client);

struct revocable { /* borrows */
    const void *user, *token_id;
    size_t user_len, token_id_len;
    const struct origin *origin;
};
/* mark: revoke_feed_roles_mark when the verdict came. Applies the role table if another came since.
 */
uint64_t revoke_feed_roles_mark(const struct revoke_feed *feed);
struct conn;
void revoke_feed_roles_since(const struct revoke_feed *feed, uint64_t mark, struct conn *conn);

/* mark: revoke_feed_mark when the verdict came. True also when too much happened since to tell. */
uint64_t revoke_feed_mark(const struct revoke_feed *feed);
bool revoke_feed_hit_since(const struct revoke_feed *feed, uint64_t mark,
                           const struct revocable *what);

#endif
