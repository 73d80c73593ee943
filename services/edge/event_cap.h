/*
 * event_cap - how many refused messages of one connection become audit events of their own.
 *
 * A client that sends nothing but refused messages would otherwise write a warning to the spool for
 * each of them. In each second the first EVENT_CAP_SINGLE are told as they are, and the first of
 * each code whatever came before; the others are counted by code, and told as one event a code when
 * the second is over. So nothing of a kind is lost, only the details of repetitions.
 *
 * Pure. now_ms is monotonic milliseconds; a connection that was never refused anything has none.
 */
#ifndef EDGE_EVENT_CAP_H
#define EDGE_EVENT_CAP_H

#include "common/code.h"

#include <stdbool.h>
#include <stdint.h>

#define EVENT_CAP_SINGLE    20
#define EVENT_CAP_WINDOW_MS 1000

struct event_cap { /* zeroed at the start */
    int64_t since_ms;
    uint32_t told;
    uint32_t suppressed; /* in all */
    uint64_t seen;       /* a bit for each code told in this window */
    uint32_t counts[GH_CODE_COUNT];
};

/* One more refusal, in a window that has not ended: is it told? */
bool event_cap_take(struct event_cap *cap, uint32_t code);
bool event_cap_over(const struct event_cap *cap, int64_t now_ms);
/* Begins a new window. What was suppressed in the last one has been told. */
void event_cap_begin(struct event_cap *cap, int64_t now_ms);

_Static_assert(GH_CODE_COUNT <= 64, "codes have a bit each");

#endif
