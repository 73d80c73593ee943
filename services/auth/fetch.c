#include "fetch.h"

#include <curl/curl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define MAX_AGE_S 315360000

struct fetcher {
    CURLM *multi;
    uv_loop_t *loop;
    uv_timer_t *timer;
};

struct fetch {
    struct fetcher *fetcher;
    CURL *easy;
    struct curl_slist *headers;
    fetch_fn fn;
    void *ctx;
    char *body;
    size_t len, max;
    bool too_large;
    int64_t max_age_ms, age_ms;
    char error[CURL_ERROR_SIZE];
};

struct watch { /* a socket of libcurl's on the loop */
    uv_poll_t poll;
    struct fetcher *fetcher; /* NULL: libcurl has let go of it */
    curl_socket_t fd;
};

/* ---- Cache-Control ---- */

static bool is_word(const char *text, size_t len, const char *word)
{
    return len == strlen(word) && strncasecmp(text, word, len) == 0;
}

/* Digits, bare or quoted; -1: none. */
static int64_t seconds_of(const char *text, size_t len)
{
    int64_t n = 0;

    if (len >= 2 && text[0] == '"' && text[len - 1] == '"') {
        text++;
        len -= 2;
    }
    if (len == 0) return -1;
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9') return -1;
        if (n <= MAX_AGE_S) n = n * 10 + (text[i] - '0');
    }
    return n < MAX_AGE_S ? n : MAX_AGE_S;
}

int64_t fetch_max_age(const char *value, size_t len)
{
    int64_t age = -1;

    for (size_t at = 0, end; at < len; at = end + 1) {
        const char *comma = memchr(value + at, ',', len - at);
        const char *part = value + at, *equals;
        size_t n;

        end = comma != NULL ? (size_t)(comma - value) : len;
        n = end - at;
        while (n > 0 && (*part == ' ' || *part == '\t')) {
            part++;
            n--;
        }
        while (n > 0 && (part[n - 1] == ' ' || part[n - 1] == '\t'))
            n--;
        if (is_word(part, n, "no-store") || is_word(part, n, "no-cache")) return 0;
        equals = memchr(part, '=', n);
        if (equals != NULL && is_word(part, (size_t)(equals - part), "max-age")) {
            int64_t s = seconds_of(equals + 1, n - (size_t)(equals - part) - 1);

            /* said twice or not a number: what is least (RFC 9111 section 4.2.1) */
            if (s < 0) return 0;
            if (age < 0 || s * 1000 < age) age = s * 1000;
        }
    }
    return age;
}

/* ---- what arrives ---- */

static size_t on_body(char *data, size_t size, size_t count, void *ctx)
{
    struct fetch *fetch = ctx;
    size_t n = size * count;

    if (n > fetch->max - fetch->len) {
        fetch->too_large = true;
        return 0;
    }
    memcpy(fetch->body + fetch->len, data, n);
    fetch->len += n;
    return n;
}

static size_t on_header(char *data, size_t size, size_t count, void *ctx)
{
    static const char cache[] = "cache-control:", age[] = "age:";
    struct fetch *fetch = ctx;
    size_t n = size * count, len = n;

    while (len > 0 && (data[len - 1] == '\r' || data[len - 1] == '\n' || data[len - 1] == ' '))
        len--;
    if (len > sizeof(cache) - 1 && strncasecmp(data, cache, sizeof(cache) - 1) == 0) {
        int64_t said = fetch_max_age(data + sizeof(cache) - 1, len - (sizeof(cache) - 1));

        if (said >= 0 && (fetch->max_age_ms < 0 || said < fetch->max_age_ms))
            fetch->max_age_ms = said;
    } else if (len > sizeof(age) - 1 && strncasecmp(data, age, sizeof(age) - 1) == 0) {
        const char *text = data + sizeof(age) - 1;

        while (text < data + len && *text == ' ')
            text++;
        fetch->age_ms = seconds_of(text, (size_t)(data + len - text)) * 1000;
    }
    return n;
}

/* ---- ends ---- */

static void release(struct fetch *fetch)
{
    curl_multi_remove_handle(fetch->fetcher->multi, fetch->easy);
    curl_easy_cleanup(fetch->easy);
    curl_slist_free_all(fetch->headers);
    free(fetch->body);
    free(fetch);
}

void fetch_cancel(struct fetch *fetch)
{
    if (fetch != NULL) release(fetch);
}

static void finish(struct fetch *fetch, CURLcode code)
{
    struct fetch_answer answer = { fetch->body, fetch->len, fetch->max_age_ms };
    enum gh_err err = GH_OK;
    const char *why = "";
    long status = 0;

    curl_easy_getinfo(fetch->easy, CURLINFO_RESPONSE_CODE, &status);
    if (fetch->too_large || code == CURLE_FILESIZE_EXCEEDED) {
        err = GH_ERR_LIMIT;
        why = "the answer is larger than jwks.max_bytes";
    } else if (code != CURLE_OK) {
        err = code == CURLE_OPERATION_TIMEDOUT ? GH_ERR_TIMEOUT : GH_ERR_IO;
        why = fetch->error[0] != '\0' ? fetch->error : curl_easy_strerror(code);
    } else if (status >= 300 && status < 400) {
        err = GH_ERR_IO;
        why = "it redirects, which is not followed; write the final URL";
    } else if (status != 200) {
        err = GH_ERR_IO;
        why = "the status is not 200";
    }
    if (answer.max_age_ms > 0 && fetch->age_ms > 0)
        answer.max_age_ms =
            answer.max_age_ms > fetch->age_ms ? answer.max_age_ms - fetch->age_ms : 0;
    fetch->fn(fetch->ctx, err, why, err == GH_OK ? &answer : NULL);
    release(fetch);
}

static void reap(struct fetcher *fetcher)
{
    CURLMsg *msg;
    int left;

    while ((msg = curl_multi_info_read(fetcher->multi, &left)) != NULL) {
        struct fetch *fetch = NULL;

        if (msg->msg != CURLMSG_DONE) continue;
        curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, (char **)&fetch);
        finish(fetch, msg->data.result);
    }
}

/* ---- on the loop ---- */

static void on_timer(uv_timer_t *timer)
{
    struct fetcher *fetcher = timer->data;
    int running;

    (void)curl_multi_socket_action(fetcher->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    reap(fetcher);
}

static int set_timer(CURLM *multi, long timeout_ms, void *ctx)
{
    struct fetcher *fetcher = ctx;

    (void)multi;
    if (timeout_ms < 0)
        (void)uv_timer_stop(fetcher->timer);
    else
        (void)uv_timer_start(fetcher->timer, on_timer, (uint64_t)timeout_ms, 0);
    return 0;
}

static void on_socket(uv_poll_t *poll, int status, int events)
{
    struct watch *watch = poll->data;
    struct fetcher *fetcher = watch->fetcher;
    int flags = 0, running;

    if (fetcher == NULL) return;
    if (status != 0) flags |= CURL_CSELECT_ERR;
    if (events & UV_READABLE) flags |= CURL_CSELECT_IN;
    if (events & UV_WRITABLE) flags |= CURL_CSELECT_OUT;
    (void)curl_multi_socket_action(fetcher->multi, watch->fd, flags, &running);
    reap(fetcher);
}

static void watch_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static int set_socket(CURL *easy, curl_socket_t fd, int what, void *ctx, void *socket_ctx)
{
    struct fetcher *fetcher = ctx;
    struct watch *watch = socket_ctx;
    int events;

    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        if (watch == NULL) return 0;
        watch->fetcher = NULL;
        (void)uv_poll_stop(&watch->poll);
        uv_close((uv_handle_t *)&watch->poll, watch_closed);
        (void)curl_multi_assign(fetcher->multi, fd, NULL);
        return 0;
    }
    if (watch == NULL) {
        watch = calloc(1, sizeof(*watch));
        if (watch == NULL) return -1;
        if (uv_poll_init(fetcher->loop, &watch->poll, fd) != 0) {
            free(watch);
            return -1;
        }
        watch->poll.data = watch;
        watch->fetcher = fetcher;
        watch->fd = fd;
        (void)curl_multi_assign(fetcher->multi, fd, watch);
    }
    events = (what != CURL_POLL_OUT ? UV_READABLE : 0) | (what != CURL_POLL_IN ? UV_WRITABLE : 0);
    return uv_poll_start(&watch->poll, events, on_socket) == 0 ? 0 : -1;
}

static void timer_closed(uv_handle_t *handle)
{
    free(handle);
}

enum gh_err fetcher_new(uv_loop_t *loop, struct fetcher **ret_fetcher)
{
    struct fetcher *fetcher = calloc(1, sizeof(*fetcher));

    if (fetcher == NULL) return GH_ERR_NOMEM;
    fetcher->loop = loop;
    if (curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK) fetcher->multi = curl_multi_init();
    if (fetcher->multi != NULL) fetcher->timer = malloc(sizeof(*fetcher->timer));
    if (fetcher->timer == NULL) {
        fetcher_free(fetcher);
        return GH_ERR_NOMEM;
    }
    (void)uv_timer_init(loop, fetcher->timer);
    fetcher->timer->data = fetcher;
    curl_multi_setopt(fetcher->multi, CURLMOPT_SOCKETFUNCTION, set_socket);
    curl_multi_setopt(fetcher->multi, CURLMOPT_SOCKETDATA, fetcher);
    curl_multi_setopt(fetcher->multi, CURLMOPT_TIMERFUNCTION, set_timer);
    curl_multi_setopt(fetcher->multi, CURLMOPT_TIMERDATA, fetcher);
    *ret_fetcher = fetcher;
    return GH_OK;
}

void fetcher_free(struct fetcher *fetcher)
{
    if (fetcher == NULL) return;
    if (fetcher->multi != NULL) curl_multi_cleanup(fetcher->multi); /* closes kept connections */
    if (fetcher->timer != NULL) {
        (void)uv_timer_stop(fetcher->timer);
        uv_close((uv_handle_t *)fetcher->timer, timer_closed);
    }
    free(fetcher);
}

/* ---- begin ---- */

static bool set_options(struct fetch *fetch, const struct fetch_request *request)
{
    CURL *easy = fetch->easy;
    CURLcode code = CURLE_OK;

#define SET(option, value)                                                                         \
    if (code == CURLE_OK) code = curl_easy_setopt(easy, option, value)
    SET(CURLOPT_URL, request->url);
    SET(CURLOPT_PROTOCOLS_STR, "https");
    SET(CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
    SET(CURLOPT_FOLLOWLOCATION, 0L);
    SET(CURLOPT_PROXY, "");
    SET(CURLOPT_SSL_VERIFYPEER, 1L);
    SET(CURLOPT_SSL_VERIFYHOST, 2L);
    SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    if (request->ca_file != NULL && request->ca_file[0] != '\0') {
        SET(CURLOPT_CAINFO, request->ca_file);
        SET(CURLOPT_CAPATH, (char *)NULL);
        SET(CURLOPT_CA_CACHE_TIMEOUT, 0L); /* a replaced file counts at once */
    }
    SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    SET(CURLOPT_HTTPHEADER, fetch->headers);
    SET(CURLOPT_USERAGENT, "gatehouse-auth");
    SET(CURLOPT_TIMEOUT_MS, (long)request->timeout_ms);
    SET(CURLOPT_CONNECTTIMEOUT_MS, (long)request->timeout_ms);
    SET(CURLOPT_MAXFILESIZE, (long)request->max_bytes);
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_FORBID_REUSE, 1L); /* minutes lie between two */
    SET(CURLOPT_WRITEFUNCTION, on_body);
    SET(CURLOPT_WRITEDATA, fetch);
    SET(CURLOPT_HEADERFUNCTION, on_header);
    SET(CURLOPT_HEADERDATA, fetch);
    SET(CURLOPT_ERRORBUFFER, fetch->error);
    SET(CURLOPT_PRIVATE, fetch);
#undef SET
    return code == CURLE_OK;
}

enum gh_err fetch_start(struct fetcher *fetcher, const struct fetch_request *request, fetch_fn fn,
                        void *ctx, struct fetch **ret_fetch)
{
    struct fetch *fetch = calloc(1, sizeof(*fetch));

    if (fetch == NULL) return GH_ERR_NOMEM;
    fetch->fetcher = fetcher;
    fetch->fn = fn;
    fetch->ctx = ctx;
    fetch->max = request->max_bytes;
    fetch->max_age_ms = -1;
    fetch->body = malloc(request->max_bytes);
    fetch->headers =
        curl_slist_append(NULL, "Accept: application/jwk-set+json, application/json;q=0.9");
    fetch->easy = curl_easy_init();
    if (fetch->body == NULL || fetch->headers == NULL || fetch->easy == NULL ||
        !set_options(fetch, request) ||
        curl_multi_add_handle(fetcher->multi, fetch->easy) != CURLM_OK) {
        curl_easy_cleanup(fetch->easy);
        curl_slist_free_all(fetch->headers);
        free(fetch->body);
        free(fetch);
        return GH_ERR_NOMEM;
    }
    *ret_fetch = fetch;
    return GH_OK;
}
