/*
 * roster_internal - a gh_roster's state. Shared by roster.c (life, following the log),
 * roster_refill.c (reading all, giving back what Redis lost) and roster_change.c (changes of our
 * own); not for services.
 */
#ifndef GH_ROSTER_INTERNAL_H
#define GH_ROSTER_INTERNAL_H

#include "common/random.h"
#include "common/roster.h"
#include "common/roster_copy.h"

#define ROSTER_KEYS        5
#define ROSTER_EPOCH_BYTES 12

enum roster_state {
    ROSTER_IDLE,
    ROSTER_POLLING,
    ROSTER_RESTORING, /* writing our copy to a Redis that lost it */
    ROSTER_LOADING,   /* reading all of it */
};

struct roster_change { /* asked by our own process */
    struct gh_roster *roster;
    struct roster_change *next;
    gh_roster_done_fn fn;
    void *ctx;
    uint64_t version; /* known once Redis has answered */
    bool changed;
};

struct gh_roster {
    struct gh_roster_config config;
    char keys[ROSTER_KEYS][64];
    struct gh_script add, lift, poll, raise;
    uv_timer_t timer;
    bool closed; /* the timer's close callback has run */
    bool dead;   /* freed by its owner; the last answer frees the memory */
    unsigned pending;

    enum roster_state state;
    bool again; /* poll as soon as the running one is done */
    bool loaded;
    uint64_t version;
    char epoch[GH_B64URL_LEN(ROSTER_EPOCH_BYTES) + 1];
    struct roster_copy copy;

    struct roster_copy loading;
    uint64_t loading_version;
    char loading_epoch[GH_B64URL_LEN(ROSTER_EPOCH_BYTES) + 1];
    size_t restore_at;
    unsigned restore_left;
    bool restore_failed;

    struct roster_change *asked;   /* Redis has not answered */
    struct roster_change *waiting; /* done in Redis, our copy has not got there */
};

/* Runs a script on the roster's keys; GH_OK: fn is called once and begins with roster_answered. */
GH_NODISCARD enum gh_err roster_run(struct gh_roster *roster, struct gh_script *script,
                                    gh_redis_fn fn, void *ctx, int argc, const char *const *argv,
                                    const size_t *argv_len);
GH_NODISCARD enum gh_err roster_send_add(struct gh_roster *roster,
                                         const struct gh_roster_item *item, gh_redis_fn fn,
                                         void *ctx);
/* True: the owner is gone, and maybe the memory with it. */
bool roster_answered(struct gh_roster *roster);

/* Asks for what is new, now or when what runs is done. */
void roster_poll(struct gh_roster *roster);
void roster_go_idle(struct gh_roster *roster);
void roster_poll_failed(struct gh_roster *roster);

/* Reads all, which will be this version or later. */
void roster_load(struct gh_roster *roster, uint64_t version, const char *epoch);
/* Writes our copy to a Redis that lost it, then reads all. */
void roster_restore(struct gh_roster *roster);
/* "EXPIRES VALUE", as it stands in Redis. */
bool roster_parse_stored(const char *text, size_t len, struct gh_roster_item *item);

/* Tells those whose change is in the copy now; all: those whose is not, too. */
void roster_tell_waiting(struct gh_roster *roster, bool all);

#endif
