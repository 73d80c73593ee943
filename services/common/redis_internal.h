/*
 * redis_internal - what redis.c (the life of the connection), redis_command.c (what goes over it)
 * redis_config.c (where it leads) and redis_sentinel.c (who is master) share; nobody else includes
 * it.
 *
 *   waiting -> resolving -> connecting -> greeting -> up
 *      ^___________________________________________|   every failure leads to waiting
 *
 * With sentinels it is walked twice: to one of them (asking), from its greeting on to the master.
 */
#ifndef GH_REDIS_INTERNAL_H
#define GH_REDIS_INTERNAL_H

#include "common/redis.h"

#include <hiredis/async.h>
#include <netdb.h>

#define REDIS_HOST_MAX    255
#define REDIS_PENDING_MAX 65536 /* commands without an answer; one more is GH_ERR_BUSY */

enum redis_state {
    REDIS_WAITING,    /* for the back-off timer */
    REDIS_RESOLVING,  /* for getaddrinfo */
    REDIS_CONNECTING, /* for the socket */
    REDIS_GREETING,   /* for AUTH and PING to be answered */
    REDIS_UP,
};

/* One command on its way. Answers come in the order of the queue. */
struct redis_pending {
    struct redis_pending *next;
    gh_redis_fn fn; /* NULL: nobody waits */
    void *ctx;
    int64_t deadline_ms;
    uint64_t seq;
    char name[24];            /* for logs: the command's first word, or the script's name */
    struct gh_script *script; /* for NOSCRIPT: what to load ... */
    char *command;            /* ... and what to send again; NULL for plain commands */
    size_t command_len;
    bool again; /* already sent twice */
};

struct redis_address {
    const char *unix_path; /* NULL: tcp */
    char host[REDIS_HOST_MAX + 1];
    char port[6];
    int port_number;
};

struct redis_loaded { /* a script this connection has loaded */
    struct gh_script *script;
    uint64_t seq; /* of the SCRIPT LOAD; 0: not on this connection */
};

struct gh_redis {
    uv_loop_t *loop;
    uv_timer_t timer; /* waiting: the next attempt; connecting, greeting: the deadline; up: the head
                         of the queue, or the next PING when idle */
    int64_t timer_due_ms;
    uv_getaddrinfo_t resolve;
    bool resolving, timer_closed, closing;

    struct redis_address address; /* of where it is, or goes */
    char *unix_path;              /* owned */
    struct redis_address *sentinels;
    size_t sentinel_count, next_sentinel;
    char *master;
    unsigned char *sentinel_secret;
    size_t sentinel_secret_len;
    bool asking; /* the connection is one to a sentinel */
    char *user;
    unsigned char *secret;
    size_t secret_len;
    int64_t timeout_ms;

    enum redis_state state;
    redisAsyncContext *context; /* its data points back here as long as we listen to it */
    uint64_t attempts;          /* since it was last up */
    uint64_t connects;          /* how often it came up */
    int64_t complained_ms;      /* when a failure was last logged */
    int64_t heard_ms;           /* when an answer last came */

    struct redis_pending *first, **tail;
    size_t pending_count;
    uint64_t seq;
    struct redis_loaded *loaded;
    size_t loaded_count;
    int64_t error_logged_ms;
    unsigned errors_unlogged;
};

/* redis_config.c: fills address (and unix_path); GH_ERR_CONFIG when url is neither form */
GH_NODISCARD enum gh_err redis_parse_url(struct gh_redis *redis, const char *url);
/* "host:port" or "[v6]:port"; GH_ERR_CONFIG when it is not */
GH_NODISCARD enum gh_err redis_parse_host(const char *text, size_t len,
                                          struct redis_address *ret_address);
GH_NODISCARD enum gh_err redis_address_set(struct redis_address *address, const char *host,
                                           size_t host_len, const char *port);

/* redis_sentinel.c */
GH_NODISCARD enum gh_err redis_sentinels_set(struct gh_redis *redis,
                                             const struct gh_redis_config *config);
void redis_next_sentinel(struct gh_redis *redis); /* the one to ask: address and asking */
GH_NODISCARD enum gh_err redis_ask_sentinel(struct gh_redis *redis);
GH_NODISCARD enum gh_err redis_check_role(struct gh_redis *redis);

/* redis_command.c; these work in any state with a context */
GH_NODISCARD enum gh_err redis_send(struct gh_redis *redis, gh_redis_fn fn, void *ctx, int argc,
                                    const char *const *argv, const size_t *argv_len);
void redis_forget_scripts(struct gh_redis *redis);
void redis_pending_free(struct redis_pending *pending);

/* redis.c */
void redis_timer_at(struct gh_redis *redis, int64_t due_ms); /* or sooner, if it is set so */
void redis_drop(struct gh_redis *redis, const char *why);
/* From the sentinel, whose connection ends, to the server it named. */
void redis_go_on(struct gh_redis *redis, const struct redis_address *address);

#endif
