#include "ledger.h"

#include "scan.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BUCKETS 16384u

struct ledger {
    uint32_t max;
    uint32_t count;
    uint64_t seed;
    struct ledger_mark *oldest, *newest;
    struct ledger_mark *buckets[BUCKETS];
};

enum gh_err ledger_new(uint32_t max, uint64_t seed, struct ledger **ret_ledger)
{
    struct ledger *ledger = calloc(1, sizeof(*ledger));

    if (ledger == NULL) return GH_ERR_NOMEM;
    ledger->max = max;
    ledger->seed = seed;
    *ret_ledger = ledger;
    return GH_OK;
}

void ledger_clear(struct ledger *ledger)
{
    for (struct ledger_mark *mark = ledger->oldest, *next; mark != NULL; mark = next) {
        next = mark->newer;
        free(mark);
    }
    memset(ledger->buckets, 0, sizeof(ledger->buckets));
    ledger->oldest = ledger->newest = NULL;
    ledger->count = 0;
}

void ledger_free(struct ledger *ledger)
{
    if (ledger == NULL) return;
    ledger_clear(ledger);
    free(ledger);
}

size_t ledger_count(const struct ledger *ledger)
{
    return ledger->count;
}

static uint32_t bucket_of(const struct ledger *ledger, const char *sender, const char *spool)
{
    uint64_t hash = 0xcbf29ce484222325u ^ ledger->seed;

    for (const char *c = sender; *c != '\0'; c++)
        hash = (hash ^ (uint8_t)*c) * 0x100000001b3u;
    hash = (hash ^ 0xff) * 0x100000001b3u;
    for (const char *c = spool; *c != '\0'; c++)
        hash = (hash ^ (uint8_t)*c) * 0x100000001b3u;
    return (uint32_t)((hash ^ hash >> 32) % BUCKETS);
}

static struct ledger_mark *find(const struct ledger *ledger, uint32_t bucket, const char *sender,
                                const char *spool)
{
    struct ledger_mark *mark = ledger->buckets[bucket];

    while (mark != NULL && (strcmp(mark->sender, sender) != 0 || strcmp(mark->spool, spool) != 0))
        mark = mark->chain;
    return mark;
}

const struct ledger_mark *ledger_find(const struct ledger *ledger, const char *sender,
                                      const char *spool)
{
    return find(ledger, bucket_of(ledger, sender, spool), sender, spool);
}

static void unlink_age(struct ledger *ledger, struct ledger_mark *mark)
{
    *(mark->older != NULL ? &mark->older->newer : &ledger->oldest) = mark->newer;
    *(mark->newer != NULL ? &mark->newer->older : &ledger->newest) = mark->older;
}

static void link_newest(struct ledger *ledger, struct ledger_mark *mark)
{
    mark->older = ledger->newest;
    mark->newer = NULL;
    *(ledger->newest != NULL ? &ledger->newest->newer : &ledger->oldest) = mark;
    ledger->newest = mark;
}

static bool evict_one(struct ledger *ledger)
{
    struct ledger_mark *mark = ledger->oldest;

    while (mark != NULL && mark->pins > 0)
        mark = mark->newer;
    if (mark == NULL) return false;
    struct ledger_mark **at = &ledger->buckets[bucket_of(ledger, mark->sender, mark->spool)];
    while (*at != mark)
        at = &(*at)->chain;
    *at = mark->chain;
    unlink_age(ledger, mark);
    free(mark);
    ledger->count--;
    return true;
}

struct ledger_mark *ledger_mark(struct ledger *ledger, const char *sender, const char *spool)
{
    uint32_t bucket = bucket_of(ledger, sender, spool);
    struct ledger_mark *mark = find(ledger, bucket, sender, spool);

    if (mark != NULL) {
        unlink_age(ledger, mark);
        link_newest(ledger, mark);
        return mark;
    }
    if (ledger->count >= ledger->max && !evict_one(ledger)) return NULL;
    mark = calloc(1, sizeof(*mark));
    if (mark == NULL) return NULL;
    snprintf(mark->sender, sizeof(mark->sender), "%s", sender);
    snprintf(mark->spool, sizeof(mark->spool), "%s", spool);
    mark->chain = ledger->buckets[bucket];
    ledger->buckets[bucket] = mark;
    link_newest(ledger, mark);
    ledger->count++;
    return mark;
}

void ledger_rollback(struct ledger *ledger)
{
    for (struct ledger_mark *mark = ledger->oldest; mark != NULL; mark = mark->newer)
        mark->taken = mark->durable;
}

enum gh_err ledger_save(const struct ledger *ledger, struct gh_buf *out)
{
    char line[2 * LEDGER_NAME_MAX + 40];

    for (const struct ledger_mark *mark = ledger->oldest; mark != NULL; mark = mark->newer) {
        if (mark->durable == 0) continue;
        int n = snprintf(line, sizeof(line), "mark %s %s %" PRIu64 "\n", mark->sender, mark->spool,
                         mark->durable);
        enum gh_err err = gh_buf_append(out, line, (size_t)n);
        if (err != GH_OK) return err;
    }
    return GH_OK;
}

enum gh_err ledger_load_line(struct ledger *ledger, const char *line, size_t len)
{
    char text[2 * LEDGER_NAME_MAX + 40], sender[LEDGER_NAME_MAX + 1], spool[LEDGER_NAME_MAX + 1];
    const char *at = text;
    uint64_t number = 0;

    if (len >= sizeof(text)) return GH_ERR_BAD_MESSAGE;
    memcpy(text, line, len);
    text[len] = '\0';
    if (!scan_literal(&at, "mark ") || !scan_word(&at, sender, sizeof(sender)) ||
        !scan_literal(&at, " ") || !scan_word(&at, spool, sizeof(spool)) ||
        !scan_literal(&at, " ") || !scan_u64(&at, &number) || at != text + len)
        return GH_ERR_BAD_MESSAGE;
    struct ledger_mark *mark = ledger_mark(ledger, sender, spool);
    if (mark == NULL) return GH_ERR_NOMEM;
    mark->taken = mark->durable = number;
    return GH_OK;
}
