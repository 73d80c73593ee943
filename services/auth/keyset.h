/*
 * keyset - the keys of one issuer from a JWK Set: a file, or an HTTPS URL.
 *
 * A URL is fetched at start, again before what it said of its freshness (Cache-Control, held within
 * min_age and max_age) has run out, and when a token names a kid that is not there: then once,
 * however many ask, and not again for unknown_kid_ms. A failure keeps the last good set, for
 * keep_ms since it was read; then the issuer has no keys, and its tokens wait or are answered
 * `unavailable`. A failure opens the breaker: until the next attempt is due, after a wait that
 * doubles with each failure in a row up to KEYSET_RETRY_MAX_MS, nobody makes it try.
 *
 * A file is looked at each second and read again when it changed. A bad one changes nothing.
 *
 * The issuer's keys are replaced between two judgements, never during one: a pointer to a key or
 * its kid is good until the loop turns.
 */
#ifndef AUTH_KEYSET_H
#define AUTH_KEYSET_H

#include "fetch.h"
#include "issuer.h"
#include "jwk.h"

#include "common/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#define KEYSET_WAITERS_MAX  256u
#define KEYSET_RETRY_MIN_MS 1000
#define KEYSET_RETRY_MAX_MS 60000

struct keyset_config {
    const char *url;  /* https; "" when file is set */
    const char *file; /* "" when url is set */
    const char *ca_file;
    bool allowed[TOKEN_ALG_COUNT];
    uint64_t timeout_ms, min_age_ms, max_age_ms, unknown_kid_ms;
    uint64_t keep_ms; /* 0: for ever */
    uint64_t max_bytes;
};

struct keyset_counters { /* of all key sets of the process */
    uint64_t *fetched, *failed, *waited, *not_waited;
};

struct keyset;

/* issuer is borrowed and gets the keyset's keys; the strings of config are borrowed. A file is read
 * at once. Errors: GH_ERR_CONFIG (the file; *ret_why and why each key was skipped are for the
 * operator, the latter on the log), GH_ERR_NOMEM. */
GH_NODISCARD enum gh_err keyset_new(struct issuer *issuer, const struct keyset_config *config,
                                    struct keyset **ret_keyset, const char **ret_why);
/* Who waits is told GH_ERR_UNAVAILABLE first. Closes handles. NULL is a no-op. */
void keyset_free(struct keyset *keyset);

/* Takes over what another keyset of the same source has, so that a reload forgets no key. Before
 * keyset_start. */
void keyset_adopt(struct keyset *keyset, const struct keyset *old);

/* Begins to follow the source. */
GH_NODISCARD enum gh_err keyset_start(struct keyset *keyset, uv_loop_t *loop,
                                      struct fetcher *fetcher,
                                      const struct keyset_counters *counters);

/* A token of this issuer could not be judged for want of its key. Once the keys were asked for fn
 * is called, never from inside: GH_OK, judge again; GH_ERR_UNAVAILABLE, nothing is new. Errors:
 * GH_ERR_NOT_FOUND (a file, or it was asked for a moment ago), GH_ERR_UNAVAILABLE (the breaker is
 * open), GH_ERR_LIMIT (too many wait); fn is not called then. */
typedef void (*keyset_fn)(void *ctx, enum gh_err err);
GH_NODISCARD enum gh_err keyset_wait(struct keyset *keyset, keyset_fn fn, void *ctx);

#endif
