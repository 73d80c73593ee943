/*
 * arena - a bump allocator for one message: freed whole, kept warm for the next.
 *
 * Plugs into protobuf-c. Allocation past max_bytes fails (NULL), which protobuf-c turns into a
 * refused message: a peer cannot make a small message unpack into unbounded memory.
 */
#ifndef GH_ARENA_H
#define GH_ARENA_H

#include "common/err.h"

#include <protobuf-c/protobuf-c.h>
#include <stddef.h>

struct gh_arena;

GH_NODISCARD enum gh_err gh_arena_new(size_t max_bytes, struct gh_arena **ret_arena);
void gh_arena_free(struct gh_arena *arena);
void *gh_arena_alloc(struct gh_arena *arena, size_t size); /* 16-byte aligned; NULL past the cap */
void gh_arena_reset(struct gh_arena *arena); /* all it gave is gone; keeps one block */
ProtobufCAllocator *gh_arena_protobuf(struct gh_arena *arena);

#endif
