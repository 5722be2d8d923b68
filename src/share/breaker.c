/* Breakers.  Any thread; atomics only. */
#include "share/breaker.h"

/* The word `second`: number of the second, operations, failures. */
enum { COUNT_BITS = 20, COUNT_MOST = (1 << COUNT_BITS) - 1 };

static const char *const SENTENCES[] = {
	[BREAKER_NEVER] = "never",
	[BREAKER_UNKNOWN] = "its name has no address",
	[BREAKER_CONNECT] = "can't be connected to",
	[BREAKER_RESET] = "broke a connection",
	[BREAKER_END] = "closed a connection",
	[BREAKER_NONSENSE] = "said what can't be",
	[BREAKER_LATE] = "does not answer in time",
	[BREAKER_RATE] = "fails half of the time",
};

const char *breaker_sentence(enum breaker_why why)
{
	return SENTENCES[why];
}

enum breaker_state breaker_state(const struct breaker *b)
{
	return (enum breaker_state)(atomic_load_explicit(&b->term, memory_order_acquire) & 3);
}

uint64_t breaker_term(const struct breaker *b)
{
	return atomic_load_explicit(&b->term, memory_order_acquire) >> 2;
}

enum breaker_why breaker_why(const struct breaker *b)
{
	return (enum breaker_why)atomic_load_explicit(&b->why, memory_order_relaxed);
}

/* The part that is asked grows with the time since the ramp began; whoever sees its end closes the breaker. */
static bool ramp_admits(struct breaker *b, uint64_t word, uint64_t now_ms, uint32_t dice)
{
	uint64_t began_ms = atomic_load_explicit(&b->ramp_ms, memory_order_relaxed);
	uint64_t ms = now_ms > began_ms ? now_ms - began_ms : 0;
	if (ms < BREAKER_RAMP_MS)
		return dice % 100 < BREAKER_RAMP_PERCENT + (100 - BREAKER_RAMP_PERCENT) * ms / BREAKER_RAMP_MS;
	return atomic_compare_exchange_strong(&b->term, &word, word - BREAKER_RAMP + BREAKER_CLOSED) ||
	       (word & 3) == BREAKER_CLOSED;
}

bool breaker_admits(struct breaker *b, uint64_t now_ms, uint32_t dice)
{
	uint64_t word = atomic_load_explicit(&b->term, memory_order_acquire);
	if ((word & 3) == BREAKER_CLOSED)
		return true;
	return (word & 3) == BREAKER_RAMP && ramp_admits(b, word, now_ms, dice);
}

bool breaker_open(struct breaker *b, uint64_t term, enum breaker_why why)
{
	uint64_t word = atomic_load_explicit(&b->term, memory_order_acquire);
	while (word >> 2 == term && (word & 3) != BREAKER_OPEN) {
		if (!atomic_compare_exchange_weak(&b->term, &word, (term + 1) << 2 | BREAKER_OPEN))
			continue;
		atomic_store_explicit(&b->why, why, memory_order_relaxed);
		atomic_store_explicit(&b->late, 0, memory_order_relaxed);
		atomic_store_explicit(&b->second, 0, memory_order_relaxed);
		return true;
	}
	return false;
}

/* True: of at least so many in this second, half failed. */
static bool count_second(struct breaker *b, bool failed, uint64_t now_ms)
{
	uint64_t was = atomic_load_explicit(&b->second, memory_order_relaxed), is, all, bad;
	uint64_t second = (now_ms / 1000) & ((1 << (64 - 2 * COUNT_BITS)) - 1);
	do {
		bool same = was >> 2 * COUNT_BITS == second;
		all = (same ? was >> COUNT_BITS & COUNT_MOST : 0) + 1;
		bad = (same ? was & COUNT_MOST : 0) + failed;
		if (all > COUNT_MOST)
			return false;
		is = second << 2 * COUNT_BITS | all << COUNT_BITS | bad;
	} while (!atomic_compare_exchange_weak_explicit(&b->second, &was, is, memory_order_relaxed, memory_order_relaxed));
	return all >= BREAKER_RATE_LEAST && bad * 2 >= all;
}

bool breaker_count(struct breaker *b, uint64_t term, enum breaker_outcome outcome, uint64_t now_ms)
{
	if (breaker_term(b) != term)
		return false;
	if (outcome == BREAKER_DEADLINE) {
		if (atomic_fetch_add(&b->late, 1) + 1 >= BREAKER_LATE_MOST)
			return breaker_open(b, term, BREAKER_LATE);
	} else if (atomic_load_explicit(&b->late, memory_order_relaxed)) {
		/* Not written where nothing changes: the loops would pass the line to and fro. */
		atomic_store_explicit(&b->late, 0, memory_order_relaxed);
	}
	return count_second(b, outcome != BREAKER_GOOD, now_ms) && breaker_open(b, term, BREAKER_RATE);
}

void breaker_ramp(struct breaker *b, uint64_t now_ms)
{
	uint64_t word = atomic_load_explicit(&b->term, memory_order_acquire);
	if ((word & 3) != BREAKER_OPEN)
		return;
	atomic_store_explicit(&b->ramp_ms, now_ms, memory_order_relaxed);
	atomic_compare_exchange_strong(&b->term, &word, (word & ~(uint64_t)3) | BREAKER_RAMP);
}
