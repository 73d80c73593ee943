/*
 * tail - the newest lines in memory, and older ones from the files, for those who ask.
 *
 * Keeps at most TAIL_LINES lines and TAIL_BYTES. What is older is read from the segments by a
 * worker thread, so that a question about last year does not stop the intake.
 */
#ifndef AUDIT_TAIL_H
#define AUDIT_TAIL_H

#include "common/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#define TAIL_LINES       1000u
#define TAIL_BYTES       (4u << 20)
#define TAIL_READERS_MAX 4u /* file readings at one time */

struct tail;

struct tail_line {
    const char *text;
    size_t len;
};

/* lines are valid during the call. last_seq: of the last line given, or after_seq when none. */
typedef void (*tail_fn)(void *ctx, enum gh_err err, const struct tail_line *lines, size_t count,
                        uint64_t last_seq);

GH_NODISCARD enum gh_err tail_new(uv_loop_t *loop, const char *dir, struct tail **ret_tail);
/* Readings under way finish first: the loop is run until they have. */
void tail_free(struct tail *tail);

void tail_add(struct tail *tail, uint64_t seq, const char *line, size_t len);

/* limit 1..TAIL_LINES. after_seq 0: the newest `limit`, or the first part of them when they lie in
 * the files: who wants the rest asks again after last_seq. fn is called once, possibly from inside.
 * Errors: GH_ERR_BUSY, GH_ERR_NOMEM. */
GH_NODISCARD enum gh_err tail_ask(struct tail *tail, uint64_t after_seq, uint32_t limit, tail_fn fn,
                                  void *ctx);

#endif
