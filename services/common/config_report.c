#include "common/config_internal.h"
#include "common/log.h"

#include <stdalign.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DISTANCE_MAX_LEN 64

struct cfg_block {
    struct cfg_block *next;
    size_t size;
    bool wipe;
    alignas(max_align_t) unsigned char data[];
};

void *cfg_alloc(struct gh_config *config, size_t size, bool wipe)
{
    struct cfg_block *block = calloc(1, sizeof *block + size);

    if (block == NULL) return NULL;
    block->size = size;
    block->wipe = wipe;
    block->next = config->blocks;
    config->blocks = block;
    return block->data;
}

char *cfg_strndup(struct gh_config *config, const char *text, size_t len)
{
    char *copy = cfg_alloc(config, len + 1, false);

    if (copy != NULL && len > 0) memcpy(copy, text, len);
    return copy;
}

void cfg_free_all(struct gh_config *config)
{
    while (config->blocks != NULL) {
        struct cfg_block *block = config->blocks;

        config->blocks = block->next;
        if (block->wipe) explicit_bzero(block->data, block->size);
        free(block);
    }
}

void cfg_report(const struct gh_config *config, const struct cfg_where *where, const char *fmt, ...)
{
    char text[2560];
    char place[32] = "";
    const char *path = where->path != NULL ? where->path : "";
    const char *colon = where->path != NULL ? ": " : "";
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    if (where->env != NULL) {
        gh_log(GH_LOG_ERROR, "config_error", "environment %s: %s%s%s", where->env->name, path,
               colon, text);
        return;
    }
    if (where->line > 0) (void)snprintf(place, sizeof place, ":%u", where->line);
    gh_log(GH_LOG_ERROR, "config_error", "%s%s: %s%s%s", config->path, place, path, colon, text);
}

const char *cfg_quote(char dst[128], const char *text, size_t len)
{
    return gh_log_quote(dst, 128, text, len);
}

static unsigned min3(unsigned a, unsigned b, unsigned c)
{
    const unsigned ab = a < b ? a : b;

    return ab < c ? ab : c;
}

/* Damerau-Levenshtein, restricted (optimal string alignment): a swap of neighbours is one edit. */
unsigned cfg_distance(const char *a, const char *b)
{
    unsigned rows[3][DISTANCE_MAX_LEN + 1];
    unsigned *before = rows[0], *above = rows[1], *row = rows[2];
    const size_t a_len = strnlen(a, DISTANCE_MAX_LEN), b_len = strnlen(b, DISTANCE_MAX_LEN);

    for (size_t j = 0; j <= b_len; j++)
        above[j] = (unsigned)j;
    for (size_t i = 1; i <= a_len; i++) {
        row[0] = (unsigned)i;
        for (size_t j = 1; j <= b_len; j++) {
            const unsigned same = a[i - 1] == b[j - 1] ? 0 : 1;

            row[j] = min3(above[j] + 1, row[j - 1] + 1, above[j - 1] + same);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                before[j - 2] + 1 < row[j])
                row[j] = before[j - 2] + 1;
        }
        unsigned *const spare = before;
        before = above;
        above = row;
        row = spare;
    }
    return above[b_len];
}

void cfg_names_init(struct cfg_names *names, const char *wanted)
{
    memset(names, 0, sizeof *names);
    names->wanted = wanted;
    names->best_distance = UINT32_MAX;
}

void cfg_names_add(struct cfg_names *names, const char *name)
{
    const unsigned distance = cfg_distance(names->wanted, name);
    const size_t room = sizeof names->list - names->list_len;

    if (distance < names->best_distance) {
        names->best_distance = distance;
        names->best = name;
    }
    const int n = snprintf(names->list + names->list_len, room, "%s%s",
                           names->list_len > 0 ? ", " : "", name);
    if (n > 0 && (size_t)n < room)
        names->list_len += (size_t)n;
    else
        names->list[names->list_len] = '\0'; /* a whole name or none */
}

const char *cfg_names_hint(const struct cfg_names *names, char dst[160])
{
    const size_t len = strnlen(names->wanted, DISTANCE_MAX_LEN);

    dst[0] = '\0';
    if (names->best != NULL && names->best_distance <= 1 + len / 4)
        (void)snprintf(dst, 160, "; did you mean %.120s", names->best);
    return dst;
}
