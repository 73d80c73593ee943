#include "scrape.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define BODY_MAX (4u << 20)

static int connect_unix(const char *path)
{
    struct sockaddr_un addr = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd >= 0 && strlen(path) < sizeof(addr.sun_path)) {
        memcpy(addr.sun_path, path, strlen(path) + 1);
        if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0) return fd;
    }
    if (fd >= 0) close(fd);
    return -1;
}

static int connect_tcp(const char *address)
{
    const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
    struct addrinfo *list = NULL;
    char host[256];
    const char *colon = strrchr(address, ':');
    int fd = -1;

    if (colon == NULL || (size_t)(colon - address) >= sizeof(host)) return -1;
    size_t len = (size_t)(colon - address);
    bool bracketed = len > 2 && address[0] == '[' && address[len - 1] == ']';
    snprintf(host, sizeof(host), "%.*s", (int)(bracketed ? len - 2 : len),
             bracketed ? address + 1 : address);
    if (getaddrinfo(host, colon + 1, &hints, &list) != 0) return -1;
    for (const struct addrinfo *a = list; a != NULL && fd < 0; a = a->ai_next) {
        const struct timeval limit = { .tv_sec = 2 };
        fd = socket(a->ai_family, a->ai_socktype | SOCK_CLOEXEC, a->ai_protocol);
        if (fd < 0) continue;
        (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)); /* and connect */
        if (connect(fd, a->ai_addr, a->ai_addrlen) != 0) {
            close(fd);
            fd = -1;
        }
    }
    freeaddrinfo(list);
    return fd;
}

static enum gh_err read_all(int fd, char **ret_text)
{
    size_t len = 0, cap = 16384;
    char *text = malloc(cap);

    while (text != NULL) {
        ssize_t n = read(fd, text + len, cap - len - 1);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0 || len > BODY_MAX) {
            free(text);
            return n < 0 ? GH_ERR_UNAVAILABLE : GH_ERR_BAD_MESSAGE;
        }
        if (n == 0) break;
        len += (size_t)n;
        if (cap - len < 4096) {
            char *grown = realloc(text, cap * 2);
            if (grown == NULL) break;
            text = grown;
            cap *= 2;
        }
    }
    if (text == NULL) return GH_ERR_NOMEM;
    text[len] = '\0';
    *ret_text = text;
    return GH_OK;
}

enum gh_err scrape_get(const char *address, const char *path, int *ret_status, char **ret_body)
{
    const struct timeval limit = { .tv_sec = 2 };
    char request[512], *text = NULL;
    int fd = -1, status = 0;

    if (strncmp(address, "unix:", 5) == 0)
        fd = connect_unix(address + 5);
    else if (strncmp(address, "tcp:", 4) == 0)
        fd = connect_tcp(address + 4);
    else
        return GH_ERR_CONFIG;
    if (fd < 0) return GH_ERR_UNAVAILABLE;
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    int n = snprintf(request, sizeof(request),
                     "GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", path);
    enum gh_err err = send(fd, request, (size_t)n, MSG_NOSIGNAL) == n ? GH_OK : GH_ERR_UNAVAILABLE;
    if (err == GH_OK) err = read_all(fd, &text);
    close(fd);
    if (err != GH_OK) return err;
    char *body = strstr(text, "\r\n\r\n");
    if (body != NULL && strncmp(text, "HTTP/1.", 7) == 0) {
        const char *space = strchr(text, ' ');
        status = space != NULL ? (int)strtol(space, NULL, 10) : 0;
    }
    if (status < 100) {
        free(text);
        return GH_ERR_BAD_MESSAGE;
    }
    memmove(text, body + 4, strlen(body + 4) + 1);
    *ret_status = status;
    *ret_body = text;
    return GH_OK;
}

/* ---- samples ---- */

static struct scrape_sample *sample_of(struct scrape *scrape, const char *series, size_t len)
{
    for (size_t i = 0; i < scrape->count; i++)
        if (strlen(scrape->samples[i].series) == len &&
            memcmp(scrape->samples[i].series, series, len) == 0)
            return &scrape->samples[i];
    if (scrape->count >= SCRAPE_SERIES_MAX) return NULL;
    if (scrape->count == scrape->cap) {
        size_t cap = scrape->cap == 0 ? 256 : scrape->cap * 2;
        struct scrape_sample *grown = realloc(scrape->samples, cap * sizeof(*grown));
        if (grown == NULL) return NULL;
        scrape->samples = grown;
        scrape->cap = cap;
    }
    struct scrape_sample *sample = &scrape->samples[scrape->count];
    *sample = (struct scrape_sample){ .series = strndup(series, len) };
    if (sample->series == NULL) return NULL;
    size_t name = strcspn(sample->series, "{");
    sample->counter = (name > 6 && memcmp(sample->series + name - 6, "_total", 6) == 0) ||
                      (name > 7 && memcmp(sample->series + name - 7, "_bucket", 7) == 0) ||
                      (name > 6 && memcmp(sample->series + name - 6, "_count", 6) == 0) ||
                      (name > 4 && memcmp(sample->series + name - 4, "_sum", 4) == 0);
    scrape->count++;
    return sample;
}

enum gh_err scrape_parse(struct scrape *scrape, const char *text)
{
    while (*text != '\0') {
        size_t len = strcspn(text, "\n");
        const char *end = text + len, *space = end;

        if (len > 0 && *text != '#') {
            while (space > text && *space != ' ')
                space--;
            char *stop = NULL;
            double value = space > text ? strtod(space + 1, &stop) : 0;
            if (space > text && stop == end && stop != space + 1) {
                struct scrape_sample *sample = sample_of(scrape, text, (size_t)(space - text));
                if (sample == NULL)
                    return scrape->count >= SCRAPE_SERIES_MAX ? GH_ERR_LIMIT : GH_ERR_NOMEM;
                sample->value += value;
            }
        }
        text = *end == '\n' ? end + 1 : end;
    }
    return GH_OK;
}

void scrape_next(struct scrape *scrape)
{
    for (size_t i = 0; i < scrape->count; i++) {
        scrape->samples[i].before = scrape->samples[i].value;
        scrape->samples[i].value = 0;
    }
}

static int by_series(const void *a, const void *b)
{
    return strcmp(((const struct scrape_sample *)a)->series,
                  ((const struct scrape_sample *)b)->series);
}

void scrape_sort(struct scrape *scrape)
{
    if (scrape->count > 0)
        qsort(scrape->samples, scrape->count, sizeof(*scrape->samples), by_series);
}

void scrape_done(struct scrape *scrape)
{
    for (size_t i = 0; i < scrape->count; i++)
        free(scrape->samples[i].series);
    free(scrape->samples);
    *scrape = (struct scrape){ 0 };
}
