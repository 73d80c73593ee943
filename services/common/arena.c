#include "common/arena.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>

#define ARENA_BLOCK_BYTES (64u << 10)
#define ARENA_ALIGN       16u

struct arena_block {
    struct arena_block *next;
    size_t size;
    size_t used;
    alignas(ARENA_ALIGN) unsigned char bytes[];
};

struct gh_arena {
    struct arena_block *blocks; /* newest first; the last one is kept by reset */
    size_t max_bytes;
    size_t held_bytes;
    ProtobufCAllocator protobuf;
};

static void *arena_protobuf_alloc(void *ctx, size_t size)
{
    return gh_arena_alloc(ctx, size);
}

static void arena_protobuf_free(void *ctx, void *pointer)
{
    (void)ctx;
    (void)pointer; /* freed whole by gh_arena_reset */
}

enum gh_err gh_arena_new(size_t max_bytes, struct gh_arena **ret_arena)
{
    struct gh_arena *arena = calloc(1, sizeof *arena);

    if (arena == NULL) return GH_ERR_NOMEM;
    arena->max_bytes = max_bytes;
    arena->protobuf =
        (ProtobufCAllocator){ arena_protobuf_alloc, arena_protobuf_free, .allocator_data = arena };
    *ret_arena = arena;
    return GH_OK;
}

void gh_arena_free(struct gh_arena *arena)
{
    if (arena == NULL) return;
    while (arena->blocks != NULL) {
        struct arena_block *next = arena->blocks->next;

        free(arena->blocks);
        arena->blocks = next;
    }
    free(arena);
}

static struct arena_block *arena_grow(struct gh_arena *arena, size_t size)
{
    size_t block_size = size > ARENA_BLOCK_BYTES ? size : ARENA_BLOCK_BYTES;
    struct arena_block *block;

    if (block_size > arena->max_bytes - arena->held_bytes) return NULL;
    block = malloc(sizeof *block + block_size);
    if (block == NULL) return NULL;
    block->size = block_size;
    block->used = 0;
    block->next = arena->blocks;
    arena->blocks = block;
    arena->held_bytes += block_size;
    return block;
}

void *gh_arena_alloc(struct gh_arena *arena, size_t size)
{
    struct arena_block *block = arena->blocks;
    void *pointer;

    if (size > arena->max_bytes) return NULL;
    size = (size + ARENA_ALIGN - 1) & ~(size_t)(ARENA_ALIGN - 1);
    if (size == 0) size = ARENA_ALIGN; /* protobuf-c wants a pointer it can tell from NULL */
    if (block == NULL || block->size - block->used < size) block = arena_grow(arena, size);
    if (block == NULL) return NULL;
    pointer = block->bytes + block->used;
    block->used += size;
    return pointer;
}

void gh_arena_reset(struct gh_arena *arena)
{
    struct arena_block *block = arena->blocks;

    while (block != NULL && block->next != NULL) {
        struct arena_block *next = block->next;

        arena->held_bytes -= block->size;
        free(block);
        block = next;
    }
    if (block != NULL) block->used = 0;
    arena->blocks = block;
}

ProtobufCAllocator *gh_arena_protobuf(struct gh_arena *arena)
{
    return &arena->protobuf;
}
