/* Quotas: the second and what was taken of it are one word.  No lock. */
#include "share/quota.h"

#include <stdatomic.h>

#include "base/mem.h"

struct quota {
	_Atomic uint32_t refs;
	uint32_t per_second;
	_Atomic uint64_t taken;      /* the second << 32 | how many of it */
	_Atomic uint64_t refused;
};

struct quota *quota_new(uint32_t per_second)
{
	struct quota *q = MEM_NEW(struct quota);
	atomic_init(&q->refs, 1);
	q->per_second = per_second;
	return q;
}

void quota_get(struct quota *q)
{
	atomic_fetch_add_explicit(&q->refs, 1, memory_order_relaxed);
}

void quota_put(struct quota *q)
{
	if (atomic_fetch_sub_explicit(&q->refs, 1, memory_order_acq_rel) == 1)
		mem_free(q);
}

bool quota_take(struct quota *q, uint64_t now_ms)
{
	uint64_t second = (now_ms / 1000) << 32, taken = atomic_load_explicit(&q->taken, memory_order_relaxed), next;
	do {
		/* A loop whose clock is a little behind takes from the second that has begun. */
		next = taken >= second ? taken : second;
		if ((uint32_t)next >= q->per_second) {
			atomic_fetch_add_explicit(&q->refused, 1, memory_order_relaxed);
			return false;
		}
	} while (!atomic_compare_exchange_weak_explicit(&q->taken, &taken, next + 1, memory_order_relaxed,
	                                                memory_order_relaxed));
	return true;
}

uint64_t quota_refused(const struct quota *q)
{
	return atomic_load_explicit(&q->refused, memory_order_relaxed);
}
