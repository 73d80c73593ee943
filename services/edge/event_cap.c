#include "event_cap.h"

#include <string.h>

bool event_cap_over(const struct event_cap *cap, int64_t now_ms)
{
    return now_ms - cap->since_ms >= EVENT_CAP_WINDOW_MS;
}

void event_cap_begin(struct event_cap *cap, int64_t now_ms)
{
    memset(cap, 0, sizeof *cap);
    cap->since_ms = now_ms;
}

bool event_cap_take(struct event_cap *cap, uint32_t code)
{
    const uint32_t row = code < GH_CODE_COUNT ? code : GH_CODE_INTERNAL;
    const uint64_t bit = UINT64_C(1) << row;

    if (cap->told < EVENT_CAP_SINGLE || (cap->seen & bit) == 0) {
        cap->told++;
        cap->seen |= bit;
        return true;
    }
    cap->counts[row]++;
    cap->suppressed++;
    return false;
}
