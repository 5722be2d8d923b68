/* Bytes in blocks of memory, first in, first out.  One loop's. */
#include "http/spool.h"

#include "base/mem.h"

struct spool_block {
	struct spool_block *next;
	size_t from, to, cap;    /* bytes[from … to) wait */
	char bytes[];
};

void spool_fini(struct spool *s)
{
	while (s->first) {
		struct spool_block *b = s->first;
		s->first = b->next;
		mem_free(b);
	}
	*s = (struct spool){};
}

static struct spool_block *block_new(size_t cap)
{
	struct spool_block *b = mem_grow(NULL, sizeof *b + cap);
	*b = (struct spool_block){ .cap = cap };
	return b;
}

/* What is added to an empty spool lies together: it may be in its reader's hands. */
static struct spool_block *block_for(struct spool *s, size_t n)
{
	if (s->last && s->last->to < s->last->cap)
		return s->last;
	struct spool_block *b = block_new(s->last && n < SPOOL_BLOCK_B ? SPOOL_BLOCK_B : n);
	if (s->last)
		s->last->next = b;
	else
		s->first = b;
	s->last = b;
	return b;
}

void spool_add(struct spool *s, struct str bytes)
{
	s->held_b += bytes.n;
	while (bytes.n) {
		struct spool_block *b = block_for(s, bytes.n);
		size_t n = bytes.n < b->cap - b->to ? bytes.n : b->cap - b->to;
		memcpy(b->bytes + b->to, bytes.p, n);
		b->to += n;
		bytes = str_from(bytes, n);
	}
}

struct str spool_peek(const struct spool *s)
{
	const struct spool_block *b = s->first;
	return b ? str_make(b->bytes + b->from, b->to - b->from) : (struct str){};
}

void spool_drop(struct spool *s, size_t n)
{
	s->held_b -= n;
	while (n) {
		struct spool_block *b = s->first;
		size_t mine = n < b->to - b->from ? n : b->to - b->from;
		b->from += mine;
		n -= mine;
		if (b->from < b->to)
			continue;
		s->first = b->next;
		if (!s->first)
			s->last = NULL;
		mem_free(b);
	}
}
