/* Several strings in one system call, and what is left of them when the socket took less. */
#pragma once

#include <sys/uio.h>

#include "base/str.h"

/* Appends s to the vector, unless it is empty; returns the new count. */
static inline size_t part(struct iovec *v, size_t count, struct str s)
{
	if (s.n)
		v[count++] = (struct iovec){ (void *)(uintptr_t)s.p, s.n };
	return count;
}

/* Takes n sent bytes off the front of a string; returns what is left of n. */
static inline size_t took(struct str *s, size_t n)
{
	size_t mine = n < s->n ? n : s->n;
	*s = str_from(*s, mine);
	return n - mine;
}
