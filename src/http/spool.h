/* struct spool: bytes that came in faster than they go out, in blocks of memory.  One loop's.  Who fills it asks first
 * whether it may (spool->held_b against a bound of its own). */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

enum { SPOOL_BLOCK_B = 16 * 1024 };

struct spool_block;
struct spool {
	struct spool_block *first, *last;
	uint64_t held_b;          /* added and not yet dropped */
};

void spool_fini(struct spool *s);
/* A copy of the bytes is put behind the rest. */
void spool_add(struct spool *s, struct str bytes);
/* The oldest bytes, as many as lie together; empty where there are none.  They stay where they are until dropped. */
struct str spool_peek(const struct spool *s);
/* The first n of them are done with. */
void spool_drop(struct spool *s, size_t n);
