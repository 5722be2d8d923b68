/* Heap memory that ends the program instead of failing.  Any thread. */
#include "base/mem.h"

#include <stdlib.h>

#include "base/must.h"

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
