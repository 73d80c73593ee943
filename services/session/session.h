/*
 * session - what the service holds, and what is done with sessions that have ended.
 */
#ifndef SESSION_SESSION_H
#define SESSION_SESSION_H

#include "args.h"
#include "config.h"
#include "keys.h"
#include "ledger.h"
#include "scripts.h"

#include "common/clients/audit_client.h"
#include "common/metrics.h"
#include "common/redis.h"
#include "common/server.h"

#include <session.pb-c.h>
#include <uv.h>

#define SESSION_CSRF_BYTES  32u
#define SESSION_CSRF_LEN    43u
#define SESSION_CURSORS_MAX 64u
#define SESSION_SEQ_MAX     (1ull << 53) /* what JSON and Lua can count to */
#define SESSION_RETRY_MS    1000         /* told when Redis is away; the edge adds jitter */

struct session_sweep;

struct session {
    struct session_config cfg;
    struct gh_redis *redis;
    struct gh_server *server; /* set once bound */
    struct gh_audit *audit;   /* NULL: nobody is told */
    struct ledger *ledger;
    struct session_sweep *sweep;
    uv_timer_t timer;
    bool timer_open;

    uint64_t connects;     /* of Redis, as last seen */
    int64_t down_since_ms; /* 0: Redis is up */
    uint64_t slack_ms;
    int64_t slack_until_ms;

    uint64_t orders_version;
    struct session_orders *orders; /* gathered, not yet pushed */

    uint64_t *hijack, *created, *refused_limit, *redis_failed, *touched, *renewed;
    uint64_t *resumed, *resume_refused, *resume_late, *appended, *detached;
    uint64_t *ended[GH_CODE_COUNT];
};

GH_NODISCARD enum gh_err session_new(uv_loop_t *loop, const struct session_config *cfg,
                                     const struct gh_redis_config *redis,
                                     struct gh_metrics *metrics, struct session **ret_session);
void session_free(struct session *session); /* closes handles: run the loop once more */

bool session_ready(void *session); /* for the ready check: Redis is up */

/* ---- for the parts of the service ---- */

struct session_user { /* owned copy of a user's name, with its keys */
    size_t len;
    char name[SESSION_USER_MAX];
    struct session_keys keys;
};
GH_NODISCARD enum gh_err session_user_make(ProtobufCBinaryData name, struct session_user *ret_user);

/* live, born, base, keep, slack: what every script's arguments begin with. */
void session_args_begin(const struct session *session, const struct session_keys *keys,
                        struct args *args);

/* One row of what scripts return for a session that ended; borrowed. */
struct session_ended_row {
    const char *id;
    uint32_t code;
    const char *address;
    size_t address_len;
    const char *stamp; /* NULL: none, the indexes are left alone */
};
GH_NODISCARD enum gh_err session_row_parse(const redisReply *row,
                                           struct session_ended_row *ret_row);

/* Takes one that ended out of the indexes, notes it in the ledger, and (push) gathers it for the
 * next order. */
void session_ended_one(struct session *session, const struct session_user *user,
                       const struct session_ended_row *row, bool push);
/* All rows of a reply; then pushes the order. Returns how many ended. */
uint32_t session_ended(struct session *session, const struct session_user *user,
                       const redisReply *rows, bool push);

/* Tells whoever had it before this generation: the connection ends, the session does not. */
void session_order_moved(struct session *session, const char *id, uint64_t generation);

/* Indexes of one session: written before it is made, removed after its end. */
void session_index_add(struct session *session, const struct session_user *user, const char *id,
                       const char *stamp, ProtobufCBinaryData address, uint64_t expires_ms);
void session_index_remove(struct session *session, const struct session_user *user, const char *id,
                          const char *stamp, const char *address, size_t address_len);

/* Ends sessions of one user: the ids given, or with count 0 all; address "" or only those from it.
 * fn gets the rows' reply. */
GH_NODISCARD enum gh_err session_end_of_user(struct session *session,
                                             const struct session_user *user, uint32_t code,
                                             ProtobufCBinaryData address, const char *const *ids,
                                             size_t count, gh_redis_fn fn, void *ctx);

/* sweep.c: looks for the dead, a page at a time; called from the timer. */
GH_NODISCARD enum gh_err session_sweep_new(struct session *session);
void session_sweep_free(struct session_sweep *sweep);
void session_sweep_step(struct session *session);

/* create.c, touch.c, renew.c, append.c, end.c, list.c; contracts as gh_handler_fn. */
enum gh_err session_on_create(void *ctx, const struct gh_peer *peer, const void *body,
                              struct gh_reply *reply);
enum gh_err session_on_touch(void *ctx, const struct gh_peer *peer, const void *body,
                             struct gh_reply *reply);
enum gh_err session_on_renew(void *ctx, const struct gh_peer *peer, const void *body,
                             struct gh_reply *reply);
enum gh_err session_on_end(void *ctx, const struct gh_peer *peer, const void *body,
                           struct gh_reply *reply);
enum gh_err session_on_append(void *ctx, const struct gh_peer *peer, const void *body,
                              struct gh_reply *reply);
enum gh_err session_on_list(void *ctx, const struct gh_peer *peer, const void *body,
                            struct gh_reply *reply);

#endif
