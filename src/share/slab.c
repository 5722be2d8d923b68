/* Slabs: regions, spans, blocks.  See slab.h.
 *
 * A span is aligned to its size, so that a block's span is found by its address alone. */
#include "share/slab.h"

#include <pthread.h>
#include <sys/mman.h>

#include "base/list.h"
#include "base/mem.h"
#include "base/must.h"

enum {
	SPAN_B = 512 * 1024,
	REGION_B = 32 * 1024 * 1024,
	HUGE_B = 2 * 1024 * 1024,
	SYSTEM_PAGE_B = 4096,
	FREE_MOST_B = 2 * REGION_B, /* what is free past this, and past a quarter of all, goes back to the system */
	FINE_B = 16,              /* sizes up to FINE_MOST_B are told apart so finely, */
	FINE_MOST_B = 1024,
	STEPS = 8,                /* and larger ones by so many steps for each doubling */
	FINE = FINE_MOST_B / FINE_B,
	CLASSES = FINE + 6 * STEPS,
};
_Static_assert(FINE_MOST_B << 6 == SLAB_MOST_B, "the classes reach as far as blocks may");

/* So that AddressSanitizer sees who uses a block that was freed, as it does with the C library's. */
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
static void forbid(void *block, size_t n)
{
	__asan_poison_memory_region(block, n);
}

static void allow(void *block, size_t n)
{
	__asan_unpoison_memory_region(block, n);
}
#else
static void forbid(void *block, size_t n)
{
	(void)block;
	(void)n;
}

static void allow(void *block, size_t n)
{
	(void)block;
	(void)n;
}
#endif

struct block {
	struct block *next;
};

/* At its beginning. */
struct span {
	struct link link;         /* in its class, while it has room; or among the free ones */
	struct slab *slab;
	struct block *free;       /* that were used before */
	char *fresh, *end;        /* what was never used */
	uint32_t used;
	uint32_t class;
};

struct region {
	struct region *next;
	char *p;                  /* REGION_B bytes, aligned to HUGE_B */
	size_t cut_b;             /* into spans */
};

struct slab {
	pthread_mutex_t lock;
	struct link classes[CLASSES];  /* struct span: those that have room */
	struct link spans;             /* free ones */
	uint64_t free_b;               /* of these */
	struct region *regions;        /* the newest one first: spans are cut from that */
	uint64_t held_b, blocks;
	bool huge, closed;
};

/* --- Sizes. --- */

static size_t class_of(size_t size)
{
	if (size <= FINE_MOST_B)
		return (size + FINE_B - 1) / FINE_B - 1;
	size_t doubling = 0, step_b = FINE_MOST_B / STEPS;
	while (size > (size_t)2 * FINE_MOST_B << doubling)
		doubling++;
	step_b <<= doubling;
	return FINE + doubling * STEPS + (size - 1 - ((size_t)FINE_MOST_B << doubling)) / step_b;
}

static size_t class_b(size_t class)
{
	if (class < FINE)
		return (class + 1) * FINE_B;
	size_t doubling = (class - FINE) / STEPS, step = (class - FINE) % STEPS;
	return ((size_t)FINE_MOST_B << doubling) + (step + 1) * ((size_t)(FINE_MOST_B / STEPS) << doubling);
}

size_t slab_cost_b(size_t size)
{
	return class_b(class_of(size));
}

/* --- Regions.  The lock is held. --- */

/* As much more as it takes to cut an aligned one out of it. */
static char *map(size_t size, size_t align)
{
	char *p = mmap(NULL, size + align, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	must(p != MAP_FAILED);
	size_t before = (align - (uintptr_t)p % align) % align;
	if (before)
		munmap(p, before);
	if (align - before)
		munmap(p + before + size, align - before);
	return p + before;
}

static void region_add(struct slab *s)
{
	struct region *r = MEM_NEW(struct region);
	r->p = map(REGION_B, HUGE_B);
	/* Where the kernel has none to give it is an ordinary page. */
	if (s->huge)
		(void)madvise(r->p, REGION_B, MADV_HUGEPAGE);
	r->next = s->regions;
	s->regions = r;
	s->held_b += REGION_B;
}

/* Not touched before it is needed: that is when the system gives the memory. */
static struct span *cut(struct slab *s)
{
	if (!s->regions || s->regions->cut_b == REGION_B)
		region_add(s);
	struct span *span = (struct span *)(void *)(s->regions->p + s->regions->cut_b);
	s->regions->cut_b += SPAN_B;
	return span;
}

static struct span *reuse(struct slab *s)
{
	struct span *span = container_of(s->spans.next, struct span, link);
	link_del(&span->link);
	s->free_b -= SPAN_B;
	return span;
}

static void set_free(struct slab *s, struct span *span)
{
	link_del(&span->link);
	link_add(&s->spans, &span->link);
	s->free_b += SPAN_B;
	if (s->free_b > FREE_MOST_B && s->free_b > s->held_b / 4)
		madvise((char *)span + SYSTEM_PAGE_B, SPAN_B - SYSTEM_PAGE_B, MADV_DONTNEED);
}

static struct span *span_begin(struct slab *s, size_t class)
{
	struct span *span = link_alone(&s->spans) ? cut(s) : reuse(s);
	char *begin = (char *)span;
	allow(begin, SPAN_B);
	size_t head = (sizeof *span + FINE_B - 1) / FINE_B * FINE_B;
	span->slab = s;
	span->free = NULL;
	span->fresh = begin + head;
	span->end = begin + SPAN_B;
	span->used = 0;
	span->class = (uint32_t)class;
	link_add(&s->classes[class], &span->link);
	return span;
}

/* --- Blocks. --- */

static bool has_room(const struct span *span)
{
	return span->free || span->fresh + class_b(span->class) <= span->end;
}

static void *take(struct span *span)
{
	void *block = span->free;
	if (block) {
		allow(block, class_b(span->class));
		span->free = span->free->next;
	} else {
		block = span->fresh;
		span->fresh += class_b(span->class);
	}
	span->used++;
	return block;
}

void *slab_get(struct slab *s, size_t size)
{
	must(size && size <= SLAB_MOST_B);
	size_t class = class_of(size);
	pthread_mutex_lock(&s->lock);
	struct span *span = link_alone(&s->classes[class]) ? span_begin(s, class)
	                                                   : container_of(s->classes[class].next, struct span, link);
	void *block = take(span);
	if (!has_room(span))
		link_del(&span->link);
	s->blocks++;
	pthread_mutex_unlock(&s->lock);
	return block;
}

static void end(struct slab *s)
{
	for (struct region *r = s->regions, *next; r; r = next) {
		next = r->next;
		allow(r->p, REGION_B);
		munmap(r->p, REGION_B);
		mem_free(r);
	}
	pthread_mutex_destroy(&s->lock);
	mem_free(s);
}

void slab_put(void *block)
{
	struct span *span = (struct span *)((uintptr_t)block & ~(uintptr_t)(SPAN_B - 1));
	struct slab *s = span->slab;
	struct block *b = block;
	pthread_mutex_lock(&s->lock);
	b->next = span->free;
	span->free = b;
	forbid(b, class_b(span->class));
	if (--span->used == 0) {
		set_free(s, span);
	} else if (link_alone(&span->link)) {
		link_add(&s->classes[span->class], &span->link);
	}
	bool over = --s->blocks == 0 && s->closed;
	pthread_mutex_unlock(&s->lock);
	if (over)
		end(s);
}

/* --- Slabs. --- */

struct slab *slab_new(bool huge)
{
	struct slab *s = MEM_NEW(struct slab);
	pthread_mutex_init(&s->lock, NULL);
	for (size_t i = 0; i < CLASSES; i++)
		link_init(&s->classes[i]);
	link_init(&s->spans);
	s->huge = huge;
	return s;
}

void slab_free(struct slab *s)
{
	if (!s)
		return;
	pthread_mutex_lock(&s->lock);
	s->closed = true;
	bool over = !s->blocks;
	pthread_mutex_unlock(&s->lock);
	if (over)
		end(s);
}

uint64_t slab_held_b(struct slab *s)
{
	pthread_mutex_lock(&s->lock);
	uint64_t held_b = s->held_b;
	pthread_mutex_unlock(&s->lock);
	return held_b;
}
