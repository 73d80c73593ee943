/*
 * judge - one message in, one verdict out; the heart of the validator.
 *
 * The same item under the same policy gives the same verdict; types that must not be replayed are
 * noted in a table of the pool, which knows an item sent again for what it is. No clock, no I/O,
 * and no allocation per message once its buffers are warm. What it gives back are spans of one
 * buffer that grows through a batch, so that a whole batch is answered without a copy:
 * judge_begin() starts the next one. The client's own bytes are never an output.
 *
 * Order of judgement: size, JSON, envelope, type, CSRF token, role, schema, content, replay. Not
 * thread-safe.
 */
#ifndef VALIDATOR_JUDGE_H
#define VALIDATOR_JUDGE_H

#include "common/code.h"
#include "policy/policy.h"

#include <stddef.h>

struct judge;
struct replay;

/* Borrows both. replay may be NULL when no type of the policy asks for it: one that does is then
 * refused as internal. */
GH_NODISCARD enum gh_err judge_new(const struct policy *policy, struct replay *replay,
                                   struct judge **ret_judge);
void judge_free(struct judge *judge);

struct judge_context {
    const struct policy_route *route; /* NULL: no such route; its items are GH_CODE_NOT_FOUND */
    uint64_t roles;                   /* policy_roles() */
    const char *csrf, *csrf_previous; /* of the session; either may be empty */
    size_t csrf_len, csrf_previous_len;
    bool csrf_not_asked; /* offline only: a policy can be tried without a session */
    bool any_receiver;   /* outbound: the caller sees to who may receive it */
    const void *session; /* names it: the scope of replays */
    size_t session_len;
};

struct judge_item {
    const void *data;
    size_t len;
    bool binary;
    bool outbound;   /* application to client */
    uint64_t now_ms; /* wall clock */
    uint64_t owner;  /* replay.h: the same when the edge sends it again */
};

struct judge_span { /* into judge_bytes(), until the next judge_begin() */
    size_t off, len;
};

struct judgement {
    enum gh_code code;
    uint32_t score;
    uint32_t redactions;            /* outbound: secrets taken out */
    const struct policy_type *type; /* NULL: not known */
    struct judge_span output;       /* when code is GH_CODE_OK: the canonical message */
    struct judge_span id;           /* the client's name for it, when it could be read */
    struct judge_span pointer;      /* to what was refused */
    struct judge_span rule;         /* what refused it */
};

void judge_begin(struct judge *judge);
void judge_message(struct judge *judge, const struct judge_context *context,
                   const struct judge_item *item, struct judgement *ret_judgement);
const char *judge_bytes(const struct judge *judge);

#endif
