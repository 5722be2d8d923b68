/* struct arena: memory that is freed all at once.
 *
 * Two of the three lifetimes use it: a configuration snapshot (one arena, freed with the last reference) and a request
 * (its arena is reset when the answer is done).  One thread at a time. */
#pragma once

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

struct arena_block;
struct arena {
	char *at;                  /* next free byte of the newest block */
	char *end;
	struct arena_block *last;  /* newest block that came from the heap */
	size_t held_b;             /* bytes of all blocks from the heap */
};

/* Begins with `first` (size bytes, the caller's, outliving the arena) before the heap is asked; first may be NULL. */
void arena_init(struct arena *a, void *first, size_t size);
/* Frees all blocks. */
void arena_fini(struct arena *a);

[[gnu::returns_nonnull]] void *arena_slow(struct arena *a, size_t size);

/* size bytes, aligned for anything, not zeroed. */
[[gnu::returns_nonnull]] static inline void *arena_raw(struct arena *a, size_t size)
{
	size = (size + 15) & ~(size_t)15;
	if ((size_t)(a->end - a->at) < size)
		return arena_slow(a, size);
	void *p = a->at;
	a->at += size;
	return p;
}

/* size bytes, zeroed. */
[[gnu::returns_nonnull]] static inline void *arena_new(struct arena *a, size_t size)
{
	return memset(arena_raw(a, size), 0, size);
}

#define ARENA_NEW(arena, type) ((type *)arena_new(arena, sizeof(type)))

/* What is in `from` lives as long as `a` from now on; `from` is empty.  Its first block, where it was given one, stays its
 * owner's. */
void arena_take(struct arena *a, struct arena *from);
/* A copy of s, with a NUL behind it that is not counted: .p is a C string where s holds no NUL. */
struct str arena_str(struct arena *a, struct str s);
[[gnu::format(printf, 2, 3)]] struct str arena_strf(struct arena *a, const char *format, ...);
