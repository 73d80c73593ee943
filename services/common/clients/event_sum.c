#include "common/clients/event_sum.h"

#include <stdlib.h>
#include <string.h>

#define PROBES 8u

struct slot {
    bool used;
    enum gh_severity severity;
    uint64_t hash;
    const char *kind;
    const char *code;
    uint8_t address[GH_EVENT_SUM_ADDRESS];
    size_t address_len;
    int64_t end_ms;
    uint32_t passed;
    uint32_t counted;
};

struct gh_event_sum {
    uint64_t seed; /* addresses are the client's choice: it must not choose our collisions */
    unsigned waiting;
    struct slot slots[GH_EVENT_SUM_SLOTS];
};

enum gh_err gh_event_sum_new(uint64_t seed, struct gh_event_sum **ret_sum)
{
    struct gh_event_sum *sum = calloc(1, sizeof(*sum));

    if (sum == NULL) return GH_ERR_NOMEM;
    sum->seed = seed | 1;
    *ret_sum = sum;
    return GH_OK;
}

void gh_event_sum_free(struct gh_event_sum *sum)
{
    free(sum);
}

static uint64_t mix(uint64_t hash, const void *data, size_t len)
{
    const uint8_t *bytes = data;

    for (size_t i = 0; i < len; i++)
        hash = (hash ^ bytes[i]) * 0x100000001b3u;
    hash ^= hash >> 29;
    return hash * 0xbf58476d1ce4e5b9u;
}

static bool same_text(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

bool gh_event_sum_take(struct gh_event_sum *sum, enum gh_severity severity, const char *kind,
                       const struct gh_audit_event *event, int64_t now_ms)
{
    const char *code = event != NULL ? event->code : NULL;
    const uint8_t *address = event != NULL ? event->address.data : NULL;
    size_t address_len = address != NULL ? event->address.len : 0;

    if (address_len > GH_EVENT_SUM_ADDRESS) return true;
    uint64_t hash = mix(sum->seed + (uint64_t)severity, kind, strlen(kind));
    if (code != NULL) hash = mix(hash, code, strlen(code) + 1);
    hash = mix(hash, address, address_len);

    struct slot *vacant = NULL;
    for (unsigned i = 0; i < PROBES; i++) {
        struct slot *slot = &sum->slots[(hash + i) % GH_EVENT_SUM_SLOTS];

        /* An ended second with nothing counted has nothing to give out: the slot is free. */
        if (slot->used && slot->counted == 0 && now_ms >= slot->end_ms) slot->used = false;
        if (!slot->used) {
            if (vacant == NULL) vacant = slot;
            continue;
        }
        if (slot->hash != hash || slot->severity != severity || !same_text(slot->kind, kind) ||
            !same_text(slot->code, code) || slot->address_len != address_len ||
            (address_len > 0 && memcmp(slot->address, address, address_len) != 0))
            continue;
        if (slot->passed < GH_AUDIT_SINGLE_MAX) {
            slot->passed++;
            return true;
        }
        if (slot->counted == UINT32_MAX) return true;
        if (slot->counted++ == 0) sum->waiting++;
        return false;
    }
    if (vacant != NULL) {
        *vacant = (struct slot){ .used = true,
                                 .severity = severity,
                                 .hash = hash,
                                 .kind = kind,
                                 .code = code,
                                 .address_len = address_len,
                                 .end_ms = now_ms + GH_EVENT_SUM_WINDOW_MS,
                                 .passed = 1 };
        if (address_len > 0) memcpy(vacant->address, address, address_len);
    }
    return true;
}

void gh_event_sum_flush(struct gh_event_sum *sum, int64_t now_ms, bool all, gh_event_sum_fn fn,
                        void *ctx)
{
    for (unsigned i = 0; i < GH_EVENT_SUM_SLOTS && sum->waiting > 0; i++) {
        struct slot *slot = &sum->slots[i];

        if (!slot->used || slot->counted == 0 || (!all && now_ms < slot->end_ms)) continue;
        fn(ctx, &(struct gh_event_summed){
                    .severity = slot->severity,
                    .kind = slot->kind,
                    .code = slot->code,
                    .address = { .len = slot->address_len, .data = slot->address },
                    .count = slot->counted });
        slot->used = false;
        sum->waiting--;
    }
}

bool gh_event_sum_waiting(const struct gh_event_sum *sum)
{
    return sum->waiting > 0;
}
