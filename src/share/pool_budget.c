/* The budget of retries: when everything fails, retries must not double the load.
 *
 * They may add some percent to the requests of a sliding window (the current one and the one before), and a few more, so
 * that a site with little traffic may retry, too.  Counted under the pool's lock: retries are rare. */
#include "share/pool_in.h"

enum {
	WINDOW_MS = 10000,
	FREE = 30,         /* retries in a window that no percentage bounds */
};

void budget_turn(struct pool *pool, uint64_t now_ms)
{
	struct budget *b = &pool->budget;
	uint64_t since_ms = atomic_load_explicit(&b->since_ms, memory_order_relaxed);
	/* Another one turns it, or waits in the queue: then the next pick will do. */
	if (now_ms < since_ms + WINDOW_MS || pthread_mutex_trylock(&pool->lock))
		return;
	since_ms = atomic_load_explicit(&b->since_ms, memory_order_relaxed);
	if (now_ms >= since_ms + WINDOW_MS) {
		uint64_t requests = pool_requests(pool);
		bool next = now_ms < since_ms + 2ull * WINDOW_MS;
		b->requests_before = next ? requests - b->requests_base : 0;
		b->retries_before = next ? b->retries : 0;
		b->requests_base = requests;
		b->retries = 0;
		atomic_store_explicit(&b->since_ms, now_ms, memory_order_relaxed);
	}
	pthread_mutex_unlock(&pool->lock);
}

bool pool_may_retry(struct pool *pool)
{
	unsigned percent = pool_list(pool)->rules.retry_percent;
	struct budget *b = &pool->budget;
	pthread_mutex_lock(&pool->lock);
	uint64_t requests = pool_requests(pool) - b->requests_base + b->requests_before;
	bool may = percent && b->retries + b->retries_before < FREE + requests * percent / 100;
	if (may)
		b->retries++;
	pthread_mutex_unlock(&pool->lock);
	if (may)
		atomic_fetch_add_explicit(&pool->retries, 1, memory_order_relaxed);
	return may;
}
