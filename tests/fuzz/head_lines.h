/* Lines of an input as fields of a head, each in memory of its own so that a look past its end is seen.  A line without a
 * colon is a value without a name; bytes that no parser lets through are left out. */
#pragma once

#include "base/mem.h"
#include "base/must.h"
#include "http/head.h"

enum { HEAD_LINES = 40 };

struct head_lines {
	struct field fields[HEAD_LINES];
	char *memory[HEAD_LINES];
	size_t count;
};

static inline void head_lines_init(struct head_lines *h, struct str in)
{
	h->count = 0;
	while (in.p && in.n && h->count < HEAD_LINES) {
		struct str line = str_cut(&in, '\n');
		char *p = h->memory[h->count] = mem_new(line.n);
		size_t n = 0;
		for (size_t i = 0; i < line.n; i++)
			if (line.p[i] == '\t' || ((unsigned char)line.p[i] >= ' ' && line.p[i] != 0x7f))
				p[n++] = line.p[i];
		struct str value = { p, n }, name = str_cut(&value, ':');
		if (!str_is_token(name))
			name = STR("x");
		h->fields[h->count++] = (struct field){ name, str_trim(value.p ? value : STR("")), field_id(name) };
	}
}

/* A request with these fields. */
static inline struct ask head_lines_ask(struct head_lines *h)
{
	struct ask a = { .method = METHOD_GET, .fields = h->fields, .field_count = h->count };
	for (size_t i = 0; i < h->count; i++)
		if (!a.first[h->fields[i].id])
			a.first[h->fields[i].id] = (uint8_t)(i + 1);
	return a;
}

static inline void head_lines_fini(struct head_lines *h)
{
	for (size_t i = 0; i < h->count; i++)
		mem_free(h->memory[i]);
}
