/*
 * fetch - one HTTPS GET at a time and source, on the loop, within fixed bounds.
 *
 * libcurl's multi interface on libuv: nothing here waits; names are resolved in a thread of
 * libcurl's. TLS 1.2 or newer, certificate and host name verified always; redirects, other
 * protocols, proxies of the environment, cookies, compression and credentials in URLs are not
 * followed or used. Any status but 200, more than max_bytes or longer than timeout_ms is a failure.
 */
#ifndef AUTH_FETCH_H
#define AUTH_FETCH_H

#include "common/err.h"

#include <stddef.h>
#include <stdint.h>
#include <uv.h>

struct fetcher;
struct fetch;

struct fetch_request {
    const char *url;
    const char *ca_file; /* NULL or "": the system's */
    uint64_t timeout_ms; /* from start to last byte */
    size_t max_bytes;
};

struct fetch_answer {
    const char *body;
    size_t len;
    int64_t max_age_ms; /* of Cache-Control, less Age; 0: not to be kept; -1: not said */
};

/* Once per request, never from inside fetch_start. err is GH_OK, GH_ERR_TIMEOUT, GH_ERR_LIMIT (too
 * large) or GH_ERR_IO; why is for the log, answer NULL unless GH_OK. Both valid during the call. */
typedef void (*fetch_fn)(void *ctx, enum gh_err err, const char *why,
                         const struct fetch_answer *answer);

GH_NODISCARD enum gh_err fetcher_new(uv_loop_t *loop, struct fetcher **ret_fetcher);
/* Its fetches must be over or cancelled. Closes handles: run the loop once more. NULL is a no-op.
 */
void fetcher_free(struct fetcher *fetcher);

GH_NODISCARD enum gh_err fetch_start(struct fetcher *fetcher, const struct fetch_request *request,
                                     fetch_fn fn, void *ctx, struct fetch **ret_fetch);
void fetch_cancel(struct fetch *fetch); /* fn is not called; NULL is a no-op */

/* The freshness a Cache-Control value states (RFC 9111 section 5.2.2): as max_age_ms above. Values
 * past 10 years count as that. Pure. */
int64_t fetch_max_age(const char *value, size_t len);

#endif
