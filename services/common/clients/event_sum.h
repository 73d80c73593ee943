/*
 * event_sum - keeps a flood of like events from filling the log.
 *
 * Events are alike when severity, kind, code and address are the same. The first
 * GH_AUDIT_SINGLE_MAX of a second pass, the rest of it are counted and come out as one at its end.
 * With more different ones than there are slots, those without a slot pass.
 * Pure: time is passed in (monotonic milliseconds). kind and code must be fixed strings.
 */
#ifndef GH_EVENT_SUM_H
#define GH_EVENT_SUM_H

#include "common/clients/audit_client.h"

#define GH_EVENT_SUM_SLOTS     256u
#define GH_EVENT_SUM_WINDOW_MS 1000
#define GH_EVENT_SUM_ADDRESS   64u

struct gh_event_sum;

struct gh_event_summed {
    enum gh_severity severity;
    const char *kind;
    const char *code;
    ProtobufCBinaryData address;
    uint32_t count;
};
typedef void (*gh_event_sum_fn)(void *ctx, const struct gh_event_summed *summed);

GH_NODISCARD enum gh_err gh_event_sum_new(uint64_t seed, struct gh_event_sum **ret_sum);
void gh_event_sum_free(struct gh_event_sum *sum);

/* True: let this event pass by itself. False: it was counted and will come out of a flush. */
GH_NODISCARD bool gh_event_sum_take(struct gh_event_sum *sum, enum gh_severity severity,
                                    const char *kind, const struct gh_audit_event *event,
                                    int64_t now_ms);

/* Gives out the sums of all seconds that have ended (all: of every one). */
void gh_event_sum_flush(struct gh_event_sum *sum, int64_t now_ms, bool all, gh_event_sum_fn fn,
                        void *ctx);
bool gh_event_sum_waiting(const struct gh_event_sum *sum); /* something was counted */

#endif
