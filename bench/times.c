/* See times.h.  The highest set bit gives the doubling, the bits below it the step. */
#include "times.h"

static unsigned slot_of(uint64_t ns)
{
	if (ns < TIMES_STEPS)
		return (unsigned)ns;
	unsigned up = 63 - (unsigned)__builtin_clzll(ns) - 5;
	unsigned slot = up * (TIMES_STEPS / 2) + (unsigned)(ns >> up);
	return slot < TIMES_STEPS * TIMES_DOUBLINGS ? slot : TIMES_STEPS * TIMES_DOUBLINGS - 1;
}

static uint64_t slot_ns(unsigned slot)
{
	if (slot < TIMES_STEPS)
		return slot;
	unsigned up = slot / (TIMES_STEPS / 2) - 1;
	return (uint64_t)(slot - up * (TIMES_STEPS / 2)) << up;
}

void times_note(struct times *t, uint64_t ns)
{
	t->slots[slot_of(ns)]++;
	t->count++;
	if (ns > t->longest_ns)
		t->longest_ns = ns;
}

double times_us(const struct times *t, double share)
{
	unsigned long seen = 0;
	for (unsigned i = 0; t->count && i < TIMES_STEPS * TIMES_DOUBLINGS; i++) {
		seen += t->slots[i];
		if ((double)seen >= share * (double)t->count)
			return (double)slot_ns(i) / 1e3;
	}
	return 0;
}
