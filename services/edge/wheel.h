/*
 * wheel - many coarse timers for the price of one.
 *
 * A hashed timer wheel (Varghese and Lauck 1987, scheme 6): WHEEL_SLOTS lists, one turned to per
 * tick; a timer further away than one round stays in its slot until its round comes. Setting and
 * clearing are O(1). A timer fires at the first wheel_turn() whose now_ms is at or past its
 * deadline, at most one tick late, or later where more fall due together than one call may fire:
 * the rest waits in order for the next call. Pure: the caller brings the clock (monotonic
 * milliseconds). Callbacks may set and clear any timer, their own too. Single-threaded.
 */
#ifndef EDGE_WHEEL_H
#define EDGE_WHEEL_H

#include "common/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WHEEL_TICK_MS 64
#define WHEEL_SLOTS   1024 /* a round is 65 s */

struct wheel_timer { /* zeroed: not set */
    struct wheel_timer *next;
    struct wheel_timer **at; /* what points to it; NULL: not set */
    int64_t due_ms;
};

typedef void (*wheel_fn)(void *ctx, struct wheel_timer *timer, int64_t now_ms);

struct wheel {
    struct wheel_timer *slots[WHEEL_SLOTS];
    struct wheel_timer *due, **due_end; /* slots turned to, still to be fired */
    int64_t tick;                       /* the last one that was turned to */
    size_t count;
    wheel_fn fn;
    void *ctx;
};

void wheel_init(struct wheel *wheel, int64_t now_ms, wheel_fn fn, void *ctx);
/* Sets or moves. A deadline that has passed fires at the next turn. */
void wheel_set(struct wheel *wheel, struct wheel_timer *timer, int64_t due_ms);
void wheel_clear(struct wheel *wheel, struct wheel_timer *timer); /* unset is a no-op */
bool wheel_is_set(const struct wheel_timer *timer);
/* Fires what is due, at most max; returns how many. A clock that stands still or goes back makes
 * nothing due. */
size_t wheel_turn(struct wheel *wheel, int64_t now_ms, size_t max);
bool wheel_behind(const struct wheel *wheel); /* some that are due were left for the next turn */

#endif
