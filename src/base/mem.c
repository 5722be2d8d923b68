/* Heap memory that ends the program instead of failing.  Any thread. */
#include "base/mem.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"

/* Fixed, since the C library would raise it by itself, and then keep large blocks in its heap. */
enum { LARGE_B = 256 * 1024 };

void *mem_new(size_t size)
{
	void *p = calloc(1, size ? size : 1);
	must(p && "out of memory");
	return p;
}

void *mem_grow(void *old, size_t size)
{
	void *p = realloc(old, size ? size : 1);
	must(p && "out of memory");
	return p;
}

void mem_free(void *p)
{
	free(p);
}

struct str mem_str(struct str s)
{
	char *copy = mem_new(s.n + 1);
	if (s.n)
		memcpy(copy, s.p, s.n);
	return str_make(copy, s.n);
}

void mem_str_free(struct str s)
{
	mem_free((void *)(uintptr_t)s.p);
}

void mem_setup(void)
{
	mallopt(M_MMAP_THRESHOLD, LARGE_B);
}

void mem_give_back(void)
{
	malloc_trim(0);
}
