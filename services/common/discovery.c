#include "common/discovery.h"

#include "common/bus_internal.h"
#include "common/log.h"

#include <glob.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_MS  5
#define HURRY_MS  50
#define EMPTY_MS  200 /* nobody is there yet: both may be starting */
#define PARTS_MAX 64

struct gh_discovery {
    uv_timer_t timer;
    char *parts[PARTS_MAX]; /* the comma-separated specification */
    size_t part_count;
    enum gh_role self;
    gh_discovery_fn fn;
    void *ctx;
    char *found[GH_DISCOVERY_MAX];
    size_t found_count;
    bool empty;     /* the last look found nobody */
    bool failed;    /* a name did not resolve: keep what we know */
    size_t pending; /* resolver requests under way */
    bool closed;
};

struct lookup {
    uv_getaddrinfo_t request;
    struct gh_discovery *discovery;
    char port[8];
};

static void discovery_add(struct gh_discovery *d, const char *address)
{
    if (d->found_count >= GH_DISCOVERY_MAX) return;
    d->found[d->found_count] = strdup(address);
    if (d->found[d->found_count] != NULL) d->found_count++;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void discovery_clear(struct gh_discovery *d)
{
    for (size_t i = 0; i < d->found_count; i++)
        free(d->found[i]);
    d->found_count = 0;
    d->failed = false;
}

static void discovery_report(struct gh_discovery *d)
{
    size_t kept = 0;

    if (!d->failed) {
        qsort(d->found, d->found_count, sizeof d->found[0], by_text);
        for (size_t i = 0; i < d->found_count; i++) {
            if (kept > 0 && strcmp(d->found[kept - 1], d->found[i]) == 0)
                free(d->found[i]);
            else
                d->found[kept++] = d->found[i];
        }
        d->found_count = kept;
        d->empty = kept == 0;
        d->fn(d->ctx, (const char *const *)d->found, d->found_count);
    }
    discovery_clear(d);
}

/* ipc://PATTERN means every PATTERN.<role>.sock. */
static void find_ipc(struct gh_discovery *d, const char *part)
{
    char pattern[512], address[512];
    glob_t found = { 0 };

    (void)snprintf(pattern, sizeof pattern, "%s.%s" GH_BUS_SOCKET_EXT, part + strlen("ipc://"),
                   gh_role_name(d->self));
    if (glob(pattern, 0, NULL, &found) == 0) {
        for (size_t i = 0; i < found.gl_pathc; i++) {
            (void)snprintf(address, sizeof address, "ipc://%s", found.gl_pathv[i]);
            discovery_add(d, address);
        }
    }
    globfree(&found);
}

static void discovery_free_memory(struct gh_discovery *d)
{
    for (size_t i = 0; i < d->part_count; i++)
        free(d->parts[i]);
    discovery_clear(d);
    free(d);
}

static void on_resolved(uv_getaddrinfo_t *request, int status, struct addrinfo *list)
{
    struct lookup *lookup = (struct lookup *)request;
    struct gh_discovery *d = lookup->discovery;

    if (status != 0) d->failed = true;
    for (struct addrinfo *ai = list; ai != NULL && !d->closed; ai = ai->ai_next) {
        char host[64], address[96];

        if (getnameinfo(ai->ai_addr, ai->ai_addrlen, host, sizeof host, NULL, 0, NI_NUMERICHOST) !=
            0)
            continue;
        (void)snprintf(address, sizeof address,
                       ai->ai_family == AF_INET6 ? "tcp://[%s]:%s" : "tcp://%s:%s", host,
                       lookup->port);
        discovery_add(d, address);
    }
    if (list != NULL) uv_freeaddrinfo(list);
    free(lookup);
    if (--d->pending > 0) return;
    if (d->closed)
        discovery_free_memory(d);
    else
        discovery_report(d);
}

static void find_tcp(struct gh_discovery *d, const char *part)
{
    const char *host = part + strlen("tcp://");
    const char *colon = strrchr(host, ':');
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG };
    struct lookup *lookup = calloc(1, sizeof *lookup);
    char name[256];
    size_t len = (size_t)(colon - host);

    if (lookup == NULL || len >= sizeof name) {
        free(lookup);
        d->failed = true;
        return;
    }
    if (len >= 2 && host[0] == '[' && host[len - 1] == ']') {
        host++;
        len -= 2;
    }
    memcpy(name, host, len);
    name[len] = '\0';
    (void)snprintf(lookup->port, sizeof lookup->port, "%s", colon + 1);
    lookup->discovery = d;
    if (uv_getaddrinfo(d->timer.loop, &lookup->request, on_resolved, name, NULL, &hints) != 0) {
        free(lookup);
        d->failed = true;
        return;
    }
    d->pending++;
}

static void on_timer(uv_timer_t *timer)
{
    struct gh_discovery *d = timer->data;

    (void)uv_timer_start(&d->timer, on_timer, d->empty ? EMPTY_MS : GH_DISCOVERY_MS, 0);
    if (d->pending > 0) return; /* a slow resolver: its answer will come */
    for (size_t i = 0; i < d->part_count; i++) {
        if (gh_bus_is_ipc(d->parts[i]))
            find_ipc(d, d->parts[i]);
        else
            find_tcp(d, d->parts[i]);
    }
    if (d->pending == 0) discovery_report(d);
}

static bool part_valid(const char *part)
{
    const char *colon;
    char *end;
    long port;

    if (gh_bus_is_ipc(part)) return part[strlen("ipc://")] == '/';
    if (!gh_bus_is_tcp(part)) return false;
    colon = strrchr(part + strlen("tcp://"), ':');
    if (colon == NULL || colon == part + strlen("tcp://")) return false;
    port = strtol(colon + 1, &end, 10);
    return *end == '\0' && end != colon + 1 && port > 0 && port < 65536;
}

enum gh_err gh_discovery_new(uv_loop_t *loop, const char *endpoint, enum gh_role self,
                             gh_discovery_fn fn, void *ctx, struct gh_discovery **ret_discovery)
{
    struct gh_discovery *d = calloc(1, sizeof *d);
    char *text = strdup(endpoint);
    char *rest = NULL;

    if (d == NULL || text == NULL) {
        free(d);
        free(text);
        return GH_ERR_NOMEM;
    }
    for (char *part = strtok_r(text, ", ", &rest); part != NULL;
         part = strtok_r(NULL, ", ", &rest)) {
        if (!part_valid(part) || d->part_count == PARTS_MAX) {
            gh_log(
                GH_LOG_ERROR, "endpoint_malformed",
                "endpoint=\"%s\" error=\"write ipc:///PATH, ipc:///PATTERN.* or tcp://HOST:PORT\"",
                part);
            free(text);
            discovery_free_memory(d);
            return GH_ERR_CONFIG;
        }
        d->parts[d->part_count] = strdup(part);
        if (d->parts[d->part_count] != NULL) d->part_count++;
    }
    free(text);
    d->self = self;
    d->empty = true;
    d->fn = fn;
    d->ctx = ctx;
    (void)uv_timer_init(loop, &d->timer);
    d->timer.data = d;
    (void)uv_timer_start(&d->timer, on_timer, FIRST_MS, 0);
    *ret_discovery = d;
    return GH_OK;
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct gh_discovery *d = handle->data;

    if (d->pending == 0) discovery_free_memory(d); /* else the last answer does it */
}

void gh_discovery_free(struct gh_discovery *d)
{
    if (d == NULL) return;
    d->closed = true;
    uv_close((uv_handle_t *)&d->timer, on_timer_closed);
}

void gh_discovery_hurry(struct gh_discovery *d)
{
    (void)uv_timer_start(&d->timer, on_timer, HURRY_MS, 0);
}
