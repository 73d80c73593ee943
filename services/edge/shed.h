/*
 * shed - when the edge has too much to do, new clients are sent away before the kernel does it.
 *
 * Three things are watched: how late the loop is, how many descriptors are left, how much memory is
 * resident. Past a limit the edge sheds: new sockets get 503 with Retry-After, or are closed
 * without a word when many come, /readyz fails so that a balancer looks elsewhere, and those who
 * are in go on undisturbed. It ends when the value has been clearly below its limit for a while.
 *
 * The judgement (shed_level) is pure; shed_new puts it on the loop with what the kernel says.
 * Single-threaded.
 */
#ifndef EDGE_SHED_H
#define EDGE_SHED_H

#include "common/err.h"

#include <stdbool.h>
#include <stdint.h>

struct edge;
struct shed;

enum shed_cause { SHED_LAG, SHED_DESCRIPTORS, SHED_MEMORY, SHED_CAUSES };

/* --- one thing that is watched ---------------------------------------------------------------- */

#define SHED_HOLD_MS 2000 /* below the lower mark for so long ends it */

struct shed_level {
    bool on;
    int64_t calm_ms; /* since when below the lower mark; 0: it is not */
};

/* high: value at which it begins; low: below which it may end. Returns true when on changed. */
bool shed_level_look(struct shed_level *level, uint64_t value, uint64_t high, uint64_t low,
                     int64_t now_ms);

/* --- on the loop ------------------------------------------------------------------------------ */

GH_NODISCARD enum gh_err shed_new(struct edge *edge, struct shed **ret_shed);
void shed_free(struct shed *shed); /* NULL is a no-op */

/* A socket was accepted. Its number is worth knowing: the kernel gives the lowest free one. */
void shed_accepted(struct shed *shed, int fd);

enum shed_answer {
    SHED_TAKE,
    SHED_TELL,  /* say 503 over HTTP */
    SHED_CLOSE, /* too many to be told: close it */
};
enum shed_answer shed_judge(struct shed *shed);

bool shed_calm(void *shed); /* for the ready check */

#endif
