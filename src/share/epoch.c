/* Reclaims what no loop looks at any more.  See epoch.h.
 *
 * A clock counts what was retired.  A loop notes the time when it begins to look, and 0 while it does not; what was
 * retired at a time may go once no loop notes an earlier one.  That holds because a pointer is taken out of sight
 * before the clock goes on, and because all of these, the pointers included, are read and written in one order that all
 * threads agree on (memory_order_seq_cst): a loop that the reaper saw asleep can't find the pointer afterwards. */
#include "share/epoch.h"

#include <pthread.h>

#include "base/mem.h"
#include "base/must.h"

/* Apart from each other, so that loops don't pass a cache line to and fro (two lines: the prefetcher fetches pairs). */
struct seat {
	_Atomic uint64_t since;  /* 0: looks at nothing */
	char apart[120];
};

struct epoch {
	struct seat seats[EPOCH_LOOPS];
	_Atomic unsigned seats_used;
	_Atomic uint64_t now;
	_Atomic unsigned waiting;
	pthread_mutex_t lock;     /* of the list, which is in the order of `at` */
	struct retired *oldest;
	struct retired **end;
};

struct epoch *epoch_new(void)
{
	struct epoch *e = MEM_NEW(struct epoch);
	atomic_init(&e->now, 1);
	pthread_mutex_init(&e->lock, NULL);
	e->end = &e->oldest;
	return e;
}

void epoch_enter(struct epoch *e, unsigned index)
{
	must(index < EPOCH_LOOPS);
	unsigned used = atomic_load(&e->seats_used);
	while (used <= index && !atomic_compare_exchange_weak(&e->seats_used, &used, index + 1))
		;
	atomic_store(&e->seats[index].since, atomic_load(&e->now));
}

void epoch_leave(struct epoch *e, unsigned index)
{
	atomic_store_explicit(&e->seats[index].since, 0, memory_order_release);
}

void epoch_retire(struct epoch *e, struct retired *r, void (*free)(struct retired *))
{
	r->next = NULL;
	r->free = free;
	pthread_mutex_lock(&e->lock);
	r->at = atomic_fetch_add(&e->now, 1) + 1;
	*e->end = r;
	e->end = &r->next;
	atomic_fetch_add(&e->waiting, 1);
	pthread_mutex_unlock(&e->lock);
}

/* What was retired at this time or before may go. */
static uint64_t safe_until(struct epoch *e)
{
	uint64_t safe = atomic_load(&e->now);
	unsigned used = atomic_load(&e->seats_used);
	for (unsigned i = 0; i < used; i++) {
		uint64_t since = atomic_load(&e->seats[i].since);
		if (since && since < safe)
			safe = since;
	}
	return safe;
}

/* Takes what may go off the list.  The lock is held. */
static struct retired *take(struct epoch *e, uint64_t safe)
{
	struct retired *first = e->oldest;
	struct retired **end = &first;
	unsigned count = 0;
	for (; *end && (*end)->at <= safe; end = &(*end)->next)
		count++;
	if (count == 0)
		return NULL;
	e->oldest = *end;
	*end = NULL;
	if (!e->oldest)
		e->end = &e->oldest;
	atomic_fetch_sub(&e->waiting, count);
	return first;
}

void epoch_reap(struct epoch *e)
{
	/* Another one reaps, or retires: then it is no matter to wait for. */
	if (atomic_load_explicit(&e->waiting, memory_order_relaxed) == 0 || pthread_mutex_trylock(&e->lock))
		return;
	struct retired *r = take(e, safe_until(e));
	pthread_mutex_unlock(&e->lock);
	while (r) {
		struct retired *next = r->next;
		r->free(r);
		r = next;
	}
}

void epoch_free(struct epoch *e)
{
	if (!e)
		return;
	for (unsigned i = 0; i < EPOCH_LOOPS; i++)
		atomic_store(&e->seats[i].since, 0);
	while (e->oldest)  /* what is freed may retire more */
		epoch_reap(e);
	pthread_mutex_destroy(&e->lock);
	mem_free(e);
}
