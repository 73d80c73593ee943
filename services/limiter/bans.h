/*
 * bans - the roster of the banned: look-ups by address, user and token, listing, orders.
 */
#ifndef LIMITER_BANS_H
#define LIMITER_BANS_H

#include "subject.h"

#include "common/redis.h"
#include "common/roster.h"

#define BANS_REASON_MAX_BYTES 256u
#define BANS_PAGE             500u

struct bans;

struct bans_config {
    uv_loop_t *loop;
    struct gh_redis *redis;
    uint64_t poll_ms;
    size_t max;
    void *ctx;
    /* A change to tell every edge; order is valid during the call. An order without entries says
     * that the set was read anew: edges notice the version and ask for all of it. */
    void (*on_order)(void *ctx, Gh__BanOrder *order);
};

GH_NODISCARD enum gh_err bans_new(const struct bans_config *config, struct bans **ret_bans);
void bans_free(struct bans *bans);

bool bans_loaded(const struct bans *bans);
uint64_t bans_version(const struct bans *bans);
size_t bans_count(const struct bans *bans);

/* 0-length values are not looked up. The ban that applies is the widest in force. */
bool bans_check(const struct bans *bans, ProtobufCBinaryData address, ProtobufCBinaryData user,
                ProtobufCBinaryData token_id, uint64_t now_ms);

/* ban->subject is replaced by its canonical form before it is stored. Errors at once:
 * GH_ERR_BAD_MESSAGE, GH_ERR_UNAVAILABLE, GH_ERR_NOMEM. */
GH_NODISCARD enum gh_err bans_add(struct bans *bans, const Gh__Ban *ban, gh_roster_done_fn fn,
                                  void *ctx);
GH_NODISCARD enum gh_err bans_lift(struct bans *bans, const Gh__BanLift *lift, gh_roster_done_fn fn,
                                   void *ctx);

/* One page. The message is unpacked from the roster's values: free with bans_page_free. */
struct bans_page {
    Gh__BanListed listed;
    Gh__Ban *items[BANS_PAGE];
    char cursor[SUBJECT_KEY_MAX_BYTES + 1];
};
/* Errors: GH_ERR_BAD_MESSAGE for a cursor of wrong size, GH_ERR_NOMEM. */
GH_NODISCARD enum gh_err bans_list(const struct bans *bans, ProtobufCBinaryData cursor,
                                   uint64_t now_ms, struct bans_page *ret_page);
void bans_page_free(struct bans_page *page);

#endif
