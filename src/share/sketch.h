/* struct sketch: roughly how often something was asked for lately, by its hash, in a fixed amount of memory.
 *
 * Counts of two things may fall together, and then are too high.  All counts are halved each time that so many were added
 * as there are counters.  Any thread, without a lock: a count may get lost. */
#pragma once

#include <stdint.h>

struct sketch;

struct sketch *sketch_new(void);
void sketch_free(struct sketch *s);
/* Counts it once more; the count with this one, at most 255. */
unsigned sketch_add(struct sketch *s, uint64_t hash);
