/* Memory that is freed all at once.  Owns its blocks; one thread at a time. */
#include "base/arena.h"

#include <stdio.h>

#include "base/mem.h"
#include "base/must.h"

enum { BLOCK_LEAST_B = 8192, BLOCK_MOST_B = 256 * 1024 };

struct arena_block {
	struct arena_block *older;
	_Alignas(16) char bytes[];
};

void arena_init(struct arena *a, void *first, size_t size)
{
	uintptr_t start = ((uintptr_t)first + 15) & ~(uintptr_t)15;
	*a = (struct arena){};
	if (first && size > 15) {
		a->at = (char *)start;
		a->end = (char *)first + size;
	}
}

void arena_fini(struct arena *a)
{
	for (struct arena_block *b = a->last, *older; b; b = older) {
		older = b->older;
		mem_free(b);
	}
	*a = (struct arena){};
}

/* Behind all of a's own blocks: the newest stays the one that is filled. */
void arena_take(struct arena *a, struct arena *from)
{
	struct arena_block **end = &a->last;
	while (*end)
		end = &(*end)->older;
	*end = from->last;
	a->held_b += from->held_b;
	*from = (struct arena){};
}

static void *block(struct arena *a, size_t size)
{
	struct arena_block *b = mem_grow(NULL, sizeof *b + size);
	b->older = a->last;
	a->last = b;
	a->held_b += size;
	return b->bytes;
}

void *arena_slow(struct arena *a, size_t size)
{
	size_t block_b = a->held_b < BLOCK_LEAST_B ? BLOCK_LEAST_B : a->held_b > BLOCK_MOST_B ? BLOCK_MOST_B : a->held_b;
	/* What would fill much of a block gets one of its own, and the current one stays in use. */
	if (size > block_b / 4)
		return block(a, size);
	char *p = block(a, block_b);
	a->at = p + size;
	a->end = p + block_b;
	return p;
}

struct str arena_str(struct arena *a, struct str s)
{
	char *p = arena_raw(a, s.n + 1);
	if (s.n)
		memcpy(p, s.p, s.n);
	p[s.n] = '\0';
	return (struct str){ p, s.n };
}

struct str arena_strf(struct arena *a, const char *format, ...)
{
	va_list args, again;
	va_start(args, format);
	va_copy(again, args);
	int n = vsnprintf(NULL, 0, format, args);
	must(n >= 0);
	char *p = arena_raw(a, (size_t)n + 1);
	vsnprintf(p, (size_t)n + 1, format, again);
	va_end(again);
	va_end(args);
	return (struct str){ p, (size_t)n };
}
