/* struct counter: counted by one thread, read by any: without a lock, and for the counting thread without a bus cycle.
 *
 * A reader sees each step some time after it happened, and two counters not of the same instant: good for statistics, and
 * for nothing that is decided upon. */
#pragma once

#include <stdatomic.h>
#include <stdint.h>

struct counter {
	_Atomic uint64_t n;
};

/* The counting thread's. */
static inline void counter_add(struct counter *c, uint64_t n)
{
	atomic_store_explicit(&c->n, atomic_load_explicit(&c->n, memory_order_relaxed) + n, memory_order_relaxed);
}

/* The counting thread's, for what is a state and no count. */
static inline void counter_set(struct counter *c, uint64_t n)
{
	atomic_store_explicit(&c->n, n, memory_order_relaxed);
}

/* Any thread's. */
static inline uint64_t counter_get(const struct counter *c)
{
	return atomic_load_explicit(&c->n, memory_order_relaxed);
}
