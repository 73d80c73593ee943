/*
 * clock - the three clocks. Policy modules never call these; handlers do and pass the value in.
 */
#ifndef GH_CLOCK_H
#define GH_CLOCK_H

#include <stdint.h>

int64_t gh_clock_mono_ms(void); /* CLOCK_MONOTONIC: durations and deadlines */
int64_t gh_clock_mono_us(void);
int64_t gh_clock_wall_ms(void); /* CLOCK_REALTIME: what is shown, stored or compared with a token */

#endif
