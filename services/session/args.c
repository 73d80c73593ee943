#include "args.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NUMBERS_PER_CHUNK 64

struct number { /* a chunk: numbers never move once printed */
    struct number *next;
    int used;
    char text[NUMBERS_PER_CHUNK][24];
};

void args_init(struct args *args)
{
    *args = (struct args){ .err = GH_OK };
}

void args_done(struct args *args)
{
    while (args->numbers != NULL) {
        struct number *next = args->numbers->next;

        free(args->numbers);
        args->numbers = next;
    }
    free(args->argv);
    free(args->lens);
    args_init(args);
}

void args_bytes(struct args *args, const void *data, size_t len)
{
    if (args->err != GH_OK) return;
    if (args->count == args->cap) {
        int cap = args->cap > 0 ? args->cap * 2 : 32;
        const char **argv = realloc(args->argv, (size_t)cap * sizeof(*argv));
        size_t *lens;

        if (argv != NULL) args->argv = argv;
        lens = realloc(args->lens, (size_t)cap * sizeof(*lens));
        if (lens != NULL) args->lens = lens;
        if (argv == NULL || lens == NULL) {
            args->err = GH_ERR_NOMEM;
            return;
        }
        args->cap = cap;
    }
    args->argv[args->count] = data != NULL ? data : "";
    args->lens[args->count++] = len;
}

void args_str(struct args *args, const char *text)
{
    args_bytes(args, text, strlen(text));
}

void args_data(struct args *args, ProtobufCBinaryData data)
{
    args_bytes(args, data.data, data.len);
}

void args_u64(struct args *args, uint64_t number)
{
    struct number *chunk = args->numbers;
    char *text;

    if (chunk == NULL || chunk->used == NUMBERS_PER_CHUNK) {
        chunk = malloc(sizeof(*chunk));
        if (chunk == NULL) {
            args->err = GH_ERR_NOMEM;
            return;
        }
        chunk->next = args->numbers;
        chunk->used = 0;
        args->numbers = chunk;
    }
    text = chunk->text[chunk->used++];
    args_bytes(args, text, (size_t)snprintf(text, sizeof(chunk->text[0]), "%" PRIu64, number));
}

enum gh_err args_command(struct args *args, struct gh_redis *redis, gh_redis_fn fn, void *ctx)
{
    if (args->err != GH_OK) return args->err;
    return gh_redis_command(redis, fn, ctx, args->count, args->argv, args->lens);
}

enum gh_err args_script(struct args *args, struct gh_redis *redis, struct gh_script *script,
                        int key_count, gh_redis_fn fn, void *ctx)
{
    if (args->err != GH_OK) return args->err;
    return gh_redis_script(redis, script, fn, ctx, key_count, args->count, args->argv, args->lens);
}
