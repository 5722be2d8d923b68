/* Sketches: two counters for each hash, of which the smaller counts.  See sketch.h. */
#include "share/sketch.h"

#include <stdatomic.h>

#include "base/mem.h"

enum { COUNTERS = 1 << 16, MOST = 255 };

struct sketch {
	_Atomic uint32_t added;
	_Atomic uint8_t counts[COUNTERS];
};

struct sketch *sketch_new(void)
{
	return MEM_NEW(struct sketch);
}

void sketch_free(struct sketch *s)
{
	mem_free(s);
}

static void halve(struct sketch *s)
{
	for (unsigned i = 0; i < COUNTERS; i++) {
		uint8_t n = atomic_load_explicit(&s->counts[i], memory_order_relaxed);
		atomic_store_explicit(&s->counts[i], n / 2, memory_order_relaxed);
	}
}

static unsigned count(_Atomic uint8_t *c)
{
	uint8_t n = atomic_load_explicit(c, memory_order_relaxed);
	if (n < MOST)
		atomic_store_explicit(c, ++n, memory_order_relaxed);
	return n;
}

unsigned sketch_add(struct sketch *s, uint64_t hash)
{
	if (atomic_fetch_add_explicit(&s->added, 1, memory_order_relaxed) % COUNTERS == COUNTERS - 1)
		halve(s);
	unsigned a = count(&s->counts[hash % COUNTERS]), b = count(&s->counts[(hash >> 32) % COUNTERS]);
	return a < b ? a : b;
}
