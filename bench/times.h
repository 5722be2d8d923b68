/* How long things took: a logarithmic histogram, and the longest of all. */
#pragma once

#include <stdint.h>

enum {
	TIMES_STEPS = 64,  /* to each doubling: 1.6 % */
	TIMES_DOUBLINGS = 40,
};

/* Zeroed: empty. */
struct times {
	unsigned long count;
	uint64_t longest_ns;
	unsigned long slots[TIMES_STEPS * TIMES_DOUBLINGS];
};

void times_note(struct times *t, uint64_t ns);
/* The time within which this share of them lay, in microseconds; 0: there were none. */
double times_us(const struct times *t, double share);
