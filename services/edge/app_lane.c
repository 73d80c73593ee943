/* How far the instances of applications are: cursors, for sessions that come back. */
#include "app_link_internal.h"

#include <string.h>

struct app_gone *app_link_gone(struct app_link *link, const struct app_lane *lane)
{
    for (size_t i = 0; i < APP_GONE_MAX; i++)
        if (strcmp(link->gone[i].origin, lane->origin) == 0) return &link->gone[i];
    return NULL;
}

void app_link_keep(struct app_link *link, uint64_t window_ms)
{
    if (window_ms > link->keep_ms) link->keep_ms = window_ms;
}

const char *app_lane_origin(const struct app_lane *lane)
{
    return lane->origin;
}

uint64_t app_lane_cursor(const struct app_lane *lane)
{
    return lane->cursor;
}

void app_lane_passed(struct app_lane *lane, uint64_t number)
{
    if (number > lane->cursor) lane->cursor = number;
}

const struct app_lane *app_link_next_lane(const struct app_link *link, const struct app_lane *lane)
{
    return lane != NULL ? lane->next : link->lanes;
}

size_t app_links_cursors(const struct app_links *links, struct app_cursor *cursors, size_t max)
{
    size_t n = 0;

    for (size_t i = 0; i < links->count; i++) {
        const struct app_link *link = &links->links[i];

        if (link->keep_ms == 0) continue;
        for (const struct app_lane *lane = link->lanes; lane != NULL && n < max; lane = lane->next)
            cursors[n++] = (struct app_cursor){ lane, lane->origin, lane->cursor };
        /* Those out of sight here may be in sight of the edge it comes back to. */
        for (size_t g = 0; g < APP_GONE_MAX && n < max; g++)
            if (link->gone[g].origin[0] != 0)
                cursors[n++] =
                    (struct app_cursor){ NULL, link->gone[g].origin, link->gone[g].cursor };
    }
    return n;
}
