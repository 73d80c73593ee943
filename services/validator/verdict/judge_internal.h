/*
 * judge_internal - what the steps of a judgement share.
 *
 *   judge.c    JSON, envelope, type, CSRF token, role; the output
 *   content.c  the walk over the payload: keys, sanitizing, redaction
 *   binary.c   messages that are no text
 */
#ifndef VALIDATOR_JUDGE_INTERNAL_H
#define VALIDATOR_JUDGE_INTERNAL_H

#include "common/json/tape.h"
#include "common/json/writer.h"
#include "sanitize/text.h"
#include "schema/schema.h"
#include "signatures/signatures.h"
#include "verdict/envelope.h"
#include "verdict/judge.h"

struct judge {
    const struct policy *policy;
    struct replay *replay;
    struct gh_tape tape;
    struct gh_json_edits edits;
    struct gh_buf out;
    struct gh_buf scratch; /* one decoded string */
    struct gh_buf redacted;
    struct text *text;
    struct schema_scratch *schema;
    const struct signatures *signatures; /* NULL: the policy has none */
    struct signatures_scratch *suspicion;
};

/* What is being judged right now. */
struct trial {
    struct judge *judge;
    const struct judge_context *context;
    const struct judge_item *item;
    struct judgement *result;
    struct envelope env;
};

/* A step returns true when the message may go on, else it has called one of these. */
void judge_refuse(struct trial *t, enum gh_code code, const char *rule, const char *pointer);
void judge_refuse_node(struct trial *t, enum gh_code code, const char *rule, uint32_t node);
/* Copies into judge_bytes(); without memory the verdict stands and the span is empty. */
struct judge_span judge_keep(struct judge *judge, const void *bytes, size_t len);

bool judge_content(struct trial *t);
void judge_binary(struct trial *t);

/* The decoded string of a node; the second form in judge->scratch. NULL: no memory. */
const char *judge_string(struct judge *judge, uint32_t node, size_t *ret_len);

#endif
