/*
 * args - the arguments of one Redis command, gathered piece by piece.
 *
 * The first failure sticks and is returned when the command is sent, so calls need no check each.
 * Bytes added by reference must live until then.
 */
#ifndef SESSION_ARGS_H
#define SESSION_ARGS_H

#include "common/bus.h"
#include "common/redis.h"

struct args {
    const char **argv;
    size_t *lens;
    int count, cap;
    struct number *numbers; /* chunks of printed numbers */
    enum gh_err err;
};

void args_init(struct args *args);
void args_done(struct args *args);

void args_str(struct args *args, const char *text);               /* by reference */
void args_bytes(struct args *args, const void *data, size_t len); /* by reference */
void args_data(struct args *args, ProtobufCBinaryData data);      /* by reference */
void args_u64(struct args *args, uint64_t number);

/* fn may be NULL for commands. The arguments stay the caller's (args_done). */
GH_NODISCARD enum gh_err args_command(struct args *args, struct gh_redis *redis, gh_redis_fn fn,
                                      void *ctx);
GH_NODISCARD enum gh_err args_script(struct args *args, struct gh_redis *redis,
                                     struct gh_script *script, int key_count, gh_redis_fn fn,
                                     void *ctx);

#endif
