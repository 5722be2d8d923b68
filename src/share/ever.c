/* Ever: two bits for each hash.  See ever.h. */
#include "share/ever.h"

#include <stdatomic.h>
#include <stddef.h>

#include "base/mem.h"

enum { BITS = 1 << 23, WORD = 64 };  /* a megabyte, of which what is never touched costs nothing */

struct ever {
	_Atomic uint64_t words[BITS / WORD];
};

struct ever *ever_new(void)
{
	return MEM_NEW(struct ever);
}

void ever_free(struct ever *s)
{
	mem_free(s);
}

static bool is_set(const struct ever *s, uint64_t bit)
{
	return atomic_load_explicit(&s->words[bit % BITS / WORD], memory_order_relaxed) >> bit % WORD & 1;
}

/* Not written where nothing changes: loops would pass the line to and fro. */
static void set(struct ever *s, uint64_t bit)
{
	if (!is_set(s, bit))
		atomic_fetch_or_explicit(&s->words[bit % BITS / WORD], UINT64_C(1) << bit % WORD, memory_order_relaxed);
}

void ever_add(struct ever *s, uint64_t hash)
{
	set(s, hash);
	set(s, hash >> 32);
}

bool ever_has(const struct ever *s, uint64_t hash)
{
	return is_set(s, hash) && is_set(s, hash >> 32);
}
