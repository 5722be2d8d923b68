/* struct slab: memory for very many things of very many sizes that come and go, as pages of a cache do.
 *
 * Why not the C library's: tens of millions of blocks lie in gigabytes, of which each small page of the address space has
 * to be looked up when it is touched; here they lie in huge pages, which the kernel is asked for (madvise(2)), and a block
 * has no head of its own.  Memory comes in regions, regions in spans; a span holds blocks of one size, and goes back to the
 * others when the last of them is freed.  Any thread, under a lock that is held for a few instructions. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct slab;

enum { SLAB_MOST_B = 64 * 1024 };

/* huge: worth huge pages. */
struct slab *slab_new(bool huge);
/* Memory is given back with the last block. */
void slab_free(struct slab *s);
/* 1 … SLAB_MOST_B bytes, aligned for anything, not zeroed.  Does not fail. */
[[nodiscard, gnu::returns_nonnull]] void *slab_get(struct slab *s, size_t size);
/* A block of slab_get(), whichever slab's. */
void slab_put(void *block);
/* How much a block of this size takes. */
size_t slab_cost_b(size_t size);
/* Of the system: regions. */
uint64_t slab_held_b(struct slab *s);
