#include "keyset.h"

#include "config.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/random.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_LOOK_MS 1000

struct waiter {
    keyset_fn fn;
    void *ctx;
};

struct keyset {
    struct issuer *issuer;
    struct keyset_config config;
    char *body; /* the last good set; NULL: none */
    size_t len;
    int64_t good_ms;  /* monotonic: when it was last confirmed */
    int64_t tried_ms; /* when it was last asked for; -1: never */
    int64_t due_ms;   /* when it is asked for next */
    unsigned failures;

    uv_loop_t *loop; /* NULL: not started */
    uv_timer_t *timer;
    struct fetcher *fetcher;
    struct fetch *fetch; /* under way */
    struct keyset_counters counters;
    struct waiter waiters[KEYSET_WAITERS_MAX];
    size_t waiting;
    struct stat seen; /* of the file */
};

static bool is_file(const struct keyset *keyset)
{
    return keyset->config.file[0] != '\0';
}

static const char *source(const struct keyset *keyset)
{
    return is_file(keyset) ? keyset->config.file : keyset->config.url;
}

/* ---- a set ---- */

static void say_skipped(void *ctx, size_t index, const char *kid, const char *why)
{
    const struct keyset *keyset = ctx;
    char quoted[2 * TOKEN_KID_MAX_BYTES];

    gh_log(GH_LOG_WARN, "jwk_skipped", "issuer=\"%s\" source=\"%s\" index=%zu kid=%s why=\"%s\"",
           keyset->issuer->rule.name, source(keyset), index,
           gh_log_quote(quoted, sizeof(quoted), kid, strlen(kid)), why);
}

/* Replaces the issuer's keys by those of the set, if it is good. */
static enum gh_err take(struct keyset *keyset, const char *body, size_t len, const char **ret_why)
{
    struct issuer fresh = { .rule = keyset->issuer->rule };
    struct jwk_rules rules = { .on_skip = say_skipped, .ctx = keyset };
    char *copy = NULL;
    enum gh_err err;

    if (keyset->body != NULL && keyset->len == len && memcmp(keyset->body, body, len) == 0 &&
        keyset->issuer->keys_loaded) {
        keyset->good_ms = gh_clock_mono_ms();
        return GH_OK; /* nothing new: nothing to say again either */
    }
    memcpy(rules.allowed, keyset->config.allowed, sizeof(rules.allowed));
    if (!is_file(keyset)) rules.allowed[TOKEN_HS256] = false;
    err = jwk_set_parse(body, len, &rules, &fresh, ret_why);
    if (err == GH_OK && (copy = malloc(len)) == NULL) {
        issuer_clear_keys(&fresh);
        err = GH_ERR_NOMEM;
    }
    if (err != GH_OK) return err;
    memcpy(copy, body, len);
    if (keyset->body != NULL) OPENSSL_cleanse(keyset->body, keyset->len);
    free(keyset->body);
    keyset->body = copy;
    keyset->len = len;
    keyset->good_ms = gh_clock_mono_ms();
    issuer_clear_keys(keyset->issuer);
    memcpy(keyset->issuer->keys, fresh.keys, sizeof(fresh.keys));
    keyset->issuer->key_count = fresh.key_count;
    keyset->issuer->keys_loaded = true;
    gh_log(GH_LOG_INFO, "jwks_read", "issuer=\"%s\" source=\"%s\" keys=%zu",
           keyset->issuer->rule.name, source(keyset), fresh.key_count);
    return GH_OK;
}

static void tell_waiters(struct keyset *keyset, enum gh_err err)
{
    struct waiter waiters[KEYSET_WAITERS_MAX];
    size_t count = keyset->waiting;

    memcpy(waiters, keyset->waiters, count * sizeof(waiters[0]));
    keyset->waiting = 0;
    for (size_t i = 0; i < count; i++)
        waiters[i].fn(waiters[i].ctx, err);
}

/* ---- a URL ---- */

static void on_timer(uv_timer_t *timer);

static void next_at(struct keyset *keyset, int64_t due_ms)
{
    int64_t now = gh_clock_mono_ms(), wake = due_ms;
    int64_t ends = keyset->good_ms + (int64_t)keyset->config.keep_ms;

    keyset->due_ms = due_ms;
    if (keyset->config.keep_ms > 0 && keyset->body != NULL && ends < wake) wake = ends;
    (void)uv_timer_start(keyset->timer, on_timer, wake > now ? (uint64_t)(wake - now) : 0, 0);
}

/* A little before it runs out, so that nobody waits for it; not all processes at once. */
static int64_t refresh_in(const struct keyset *keyset, int64_t said_ms)
{
    const struct keyset_config *c = &keyset->config;
    uint64_t age = said_ms < 0 ? c->max_age_ms : (uint64_t)said_ms;

    if (age < c->min_age_ms) age = c->min_age_ms;
    if (age > c->max_age_ms) age = c->max_age_ms;
    return (int64_t)(age / 10 * 8 + gh_random_u64() % (age / 10 + 1));
}

static int64_t retry_in(const struct keyset *keyset)
{
    unsigned doublings = keyset->failures - 1 < 10 ? keyset->failures - 1 : 10;
    uint64_t wait = (uint64_t)KEYSET_RETRY_MIN_MS << doublings;

    if (wait > KEYSET_RETRY_MAX_MS) wait = KEYSET_RETRY_MAX_MS;
    return (int64_t)(wait / 2 + gh_random_u64() % (wait / 2 + 1));
}

static void on_fetched(void *ctx, enum gh_err err, const char *why,
                       const struct fetch_answer *answer)
{
    struct keyset *keyset = ctx;
    int64_t now = gh_clock_mono_ms();
    char quoted[320];

    keyset->fetch = NULL;
    if (err == GH_OK) err = take(keyset, answer->body, answer->len, &why);
    if (err == GH_OK) {
        (*keyset->counters.fetched)++;
        keyset->failures = 0;
        next_at(keyset, now + refresh_in(keyset, answer->max_age_ms));
    } else {
        (*keyset->counters.failed)++;
        keyset->failures++;
        next_at(keyset, now + retry_in(keyset));
        gh_log(GH_LOG_WARN, "jwks_failed",
               "issuer=\"%s\" source=\"%s\" why=%s failures=%u kept_keys=%zu again_in_ms=%lld",
               keyset->issuer->rule.name, source(keyset),
               gh_log_quote(quoted, sizeof(quoted), why, strlen(why)), keyset->failures,
               keyset->issuer->key_count, (long long)(keyset->due_ms - now));
    }
    tell_waiters(keyset, err == GH_OK ? GH_OK : GH_ERR_UNAVAILABLE);
}

static enum gh_err ask(struct keyset *keyset)
{
    const struct keyset_config *c = &keyset->config;
    struct fetch_request request = { c->url, c->ca_file, c->timeout_ms, (size_t)c->max_bytes };
    enum gh_err err;

    if (keyset->fetch != NULL) return GH_OK;
    keyset->tried_ms = gh_clock_mono_ms();
    err = fetch_start(keyset->fetcher, &request, on_fetched, keyset, &keyset->fetch);
    if (err != GH_OK) {
        keyset->failures++;
        next_at(keyset, keyset->tried_ms + retry_in(keyset));
    }
    return err;
}

/* ---- a file ---- */

static enum gh_err read_file(struct keyset *keyset, const char **ret_why)
{
    struct stat st;
    char *body = malloc(JWK_SET_MAX_BYTES + 1);
    int fd = body != NULL ? open(keyset->config.file, O_RDONLY | O_CLOEXEC) : -1;
    enum gh_err err = GH_ERR_CONFIG;
    ssize_t got = 0;
    size_t len = 0;

    *ret_why = "out of memory";
    if (fd < 0) {
        if (body != NULL) *ret_why = strerror(errno);
        free(body);
        return GH_ERR_CONFIG;
    }
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        *ret_why = "is not a regular file";
    } else if (keyset->config.allowed[TOKEN_HS256] && (st.st_mode & 077) != 0) {
        *ret_why = "may hold secrets (HS256) but others may read it; chmod 600";
    } else {
        keyset->seen = st;
        while (len <= JWK_SET_MAX_BYTES &&
               (got = read(fd, body + len, JWK_SET_MAX_BYTES + 1 - len)) > 0)
            len += (size_t)got;
        if (got < 0)
            *ret_why = strerror(errno);
        else if (len > JWK_SET_MAX_BYTES)
            *ret_why = "is larger than 256 KiB";
        else
            err = take(keyset, body, len, ret_why) == GH_OK ? GH_OK : GH_ERR_CONFIG;
    }
    close(fd);
    OPENSSL_cleanse(body, len);
    free(body);
    return err;
}

static bool file_changed(const struct keyset *keyset)
{
    struct stat st;

    if (stat(keyset->config.file, &st) != 0) return false; /* being replaced; the set stays */
    return st.st_ino != keyset->seen.st_ino || st.st_size != keyset->seen.st_size ||
           st.st_mtim.tv_sec != keyset->seen.st_mtim.tv_sec ||
           st.st_mtim.tv_nsec != keyset->seen.st_mtim.tv_nsec ||
           st.st_ctim.tv_nsec != keyset->seen.st_ctim.tv_nsec;
}

static void look_at_file(struct keyset *keyset)
{
    const char *why = "";

    if (!file_changed(keyset)) return;
    if (read_file(keyset, &why) == GH_OK) {
        (*keyset->counters.fetched)++;
        return;
    }
    (*keyset->counters.failed)++;
    (void)stat(keyset->config.file, &keyset->seen); /* said once */
    gh_log(GH_LOG_ERROR, "jwks_failed", "issuer=\"%s\" source=\"%s\" why=\"%s\" kept_keys=%zu",
           keyset->issuer->rule.name, source(keyset), why, keyset->issuer->key_count);
}

/* ---- life ---- */

static void on_timer(uv_timer_t *timer)
{
    struct keyset *keyset = timer->data;
    int64_t now = gh_clock_mono_ms();

    if (is_file(keyset)) {
        look_at_file(keyset);
        (void)uv_timer_start(timer, on_timer, FILE_LOOK_MS, 0);
        return;
    }
    if (keyset->config.keep_ms > 0 && keyset->body != NULL &&
        now >= keyset->good_ms + (int64_t)keyset->config.keep_ms) {
        gh_log(GH_LOG_ERROR, "jwks_dropped", "issuer=\"%s\" source=\"%s\" why=\"older than keep\"",
               keyset->issuer->rule.name, source(keyset));
        issuer_clear_keys(keyset->issuer);
        keyset->issuer->keys_loaded = false;
        free(keyset->body);
        keyset->body = NULL;
    }
    if (now >= keyset->due_ms)
        (void)ask(keyset);
    else
        next_at(keyset, keyset->due_ms);
}

enum gh_err keyset_new(struct issuer *issuer, const struct keyset_config *config,
                       struct keyset **ret_keyset, const char **ret_why)
{
    struct keyset *keyset = calloc(1, sizeof(*keyset));
    enum gh_err err = GH_OK;

    if (keyset == NULL) return GH_ERR_NOMEM;
    keyset->issuer = issuer;
    keyset->config = *config;
    keyset->tried_ms = -1;
    issuer->keys_loaded = false;
    if (is_file(keyset)) err = read_file(keyset, ret_why);
    if (err != GH_OK) {
        keyset_free(keyset);
        return err;
    }
    *ret_keyset = keyset;
    return GH_OK;
}

void keyset_adopt(struct keyset *keyset, const struct keyset *old)
{
    const char *why = "";

    if (is_file(keyset) || is_file(old) || old->body == NULL ||
        strcmp(keyset->config.url, old->config.url) != 0)
        return;
    if (take(keyset, old->body, old->len, &why) != GH_OK) return;
    keyset->good_ms = old->good_ms;
    keyset->tried_ms = old->tried_ms;
}

enum gh_err keyset_start(struct keyset *keyset, uv_loop_t *loop, struct fetcher *fetcher,
                         const struct keyset_counters *counters)
{
    keyset->timer = malloc(sizeof(*keyset->timer));
    if (keyset->timer == NULL) return GH_ERR_NOMEM;
    (void)uv_timer_init(loop, keyset->timer);
    keyset->timer->data = keyset;
    keyset->loop = loop;
    keyset->fetcher = fetcher;
    keyset->counters = *counters;
    if (is_file(keyset))
        (void)uv_timer_start(keyset->timer, on_timer, FILE_LOOK_MS, 0);
    else
        next_at(keyset, 0); /* at once: after a reload too, since that is what operators expect */
    return GH_OK;
}

static void timer_closed(uv_handle_t *handle)
{
    free(handle);
}

void keyset_free(struct keyset *keyset)
{
    if (keyset == NULL) return;
    fetch_cancel(keyset->fetch);
    if (keyset->timer != NULL) {
        (void)uv_timer_stop(keyset->timer);
        uv_close((uv_handle_t *)keyset->timer, timer_closed);
    }
    tell_waiters(keyset, GH_ERR_UNAVAILABLE);
    if (keyset->body != NULL) OPENSSL_cleanse(keyset->body, keyset->len);
    free(keyset->body);
    free(keyset);
}

enum gh_err keyset_wait(struct keyset *keyset, keyset_fn fn, void *ctx)
{
    int64_t now = gh_clock_mono_ms();
    enum gh_err err = GH_OK;

    if (is_file(keyset) || keyset->loop == NULL) return GH_ERR_NOT_FOUND;
    if (keyset->waiting == KEYSET_WAITERS_MAX) {
        err = GH_ERR_LIMIT;
    } else if (keyset->fetch == NULL) {
        if (keyset->failures > 0 && now < keyset->due_ms)
            err = GH_ERR_UNAVAILABLE; /* the breaker: it tries by itself, nobody makes it */
        else if (keyset->failures == 0 && keyset->tried_ms >= 0 &&
                 now - keyset->tried_ms < (int64_t)keyset->config.unknown_kid_ms)
            err = GH_ERR_NOT_FOUND;
        else
            err = ask(keyset);
    }
    if (err != GH_OK) {
        (*keyset->counters.not_waited)++;
        return err;
    }
    (*keyset->counters.waited)++;
    keyset->waiters[keyset->waiting++] = (struct waiter){ fn, ctx };
    return GH_OK;
}
