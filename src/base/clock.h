/* Clocks.  A loop reads its clock once per turn; these are for the loop itself and for threads without one. */
#pragma once

#include <stdint.h>
#include <time.h>

/* Monotonic, from an arbitrary start. */
static inline uint64_t clock_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static inline uint64_t clock_ms(void)
{
	return clock_ns() / 1000000u;
}

/* The monotonic clock as the kernel's last tick left it, up to 4 ms late: several times cheaper than a look at the clock
 * itself. */
static inline uint64_t clock_tick_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
	return (uint64_t)t.tv_sec * 1000u + (uint64_t)t.tv_nsec / 1000000u;
}

/* Wall time since 1970 in milliseconds; it may jump. */
static inline uint64_t clock_wall_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_REALTIME, &t);
	return (uint64_t)t.tv_sec * 1000u + (uint64_t)t.tv_nsec / 1000000u;
}
