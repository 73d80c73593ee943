#include "wheel.h"

#include <string.h>

void wheel_init(struct wheel *wheel, int64_t now_ms, wheel_fn fn, void *ctx)
{
    memset(wheel, 0, sizeof *wheel);
    wheel->tick = now_ms / WHEEL_TICK_MS;
    wheel->due_end = &wheel->due;
    wheel->fn = fn;
    wheel->ctx = ctx;
}

static void unlink_timer(struct wheel *wheel, struct wheel_timer *timer)
{
    if (wheel->due_end == &timer->next) wheel->due_end = timer->at;
    *timer->at = timer->next;
    if (timer->next != NULL) timer->next->at = timer->at;
    timer->at = NULL;
    timer->next = NULL;
}

static void link_timer(struct wheel_timer **head, struct wheel_timer *timer)
{
    timer->next = *head;
    timer->at = head;
    if (timer->next != NULL) timer->next->at = &timer->next;
    *head = timer;
}

void wheel_set(struct wheel *wheel, struct wheel_timer *timer, int64_t due_ms)
{
    /* Rounded up, so that the slot is turned to when the deadline has passed, not before. */
    int64_t tick = (due_ms + WHEEL_TICK_MS - 1) / WHEEL_TICK_MS;

    if (tick <= wheel->tick) tick = wheel->tick + 1;
    if (timer->at != NULL)
        unlink_timer(wheel, timer);
    else
        wheel->count++;
    timer->due_ms = due_ms;
    link_timer(&wheel->slots[(uint64_t)tick % WHEEL_SLOTS], timer);
}

void wheel_clear(struct wheel *wheel, struct wheel_timer *timer)
{
    if (timer->at == NULL) return;
    unlink_timer(wheel, timer);
    wheel->count--;
}

bool wheel_is_set(const struct wheel_timer *timer)
{
    return timer->at != NULL;
}

/* Moves what is due behind what waits already; what belongs to a later round stays. */
static void gather(struct wheel *wheel, struct wheel_timer **slot, int64_t now_ms)
{
    struct wheel_timer *timer = *slot;

    while (timer != NULL) {
        struct wheel_timer *next = timer->next;

        if (timer->due_ms <= now_ms) {
            unlink_timer(wheel, timer);
            link_timer(wheel->due_end, timer);
            wheel->due_end = &timer->next;
        }
        timer = next;
    }
}

size_t wheel_turn(struct wheel *wheel, int64_t now_ms, size_t max)
{
    int64_t to = now_ms / WHEEL_TICK_MS;
    size_t fired = 0;

    /* After a long stall every slot is visited once at most. */
    if (to - wheel->tick > WHEEL_SLOTS) wheel->tick = to - WHEEL_SLOTS;
    while (wheel->tick < to) {
        wheel->tick++;
        gather(wheel, &wheel->slots[(uint64_t)wheel->tick % WHEEL_SLOTS], now_ms);
    }
    for (; wheel->due != NULL && fired < max; fired++) {
        struct wheel_timer *timer = wheel->due;

        wheel_clear(wheel, timer);
        wheel->fn(wheel->ctx, timer, now_ms);
    }
    return fired;
}

bool wheel_behind(const struct wheel *wheel)
{
    return wheel->due != NULL;
}
