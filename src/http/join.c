/* Bodies one after the other: multipart answers.  Lives in the arena that it is given; one thread. */
#include "http/join.h"

#include "base/mem.h"
#include "base/must.h"

struct joined {
	struct body body;
	struct body **parts;
	size_t at, count;      /* those before `at` are closed */
};

static struct joined *joined_of(struct body *b)
{
	return container_of(b, struct joined, body);
}

static enum body_got joined_read(struct body *b, struct chunk *out, uint64_t want_b)
{
	struct joined *j = joined_of(b);
	for (; j->at < j->count; j->at++) {
		struct body *part = j->parts[j->at];
		part->reader = b->reader;
		enum body_got got = body_read(part, out, want_b);
		if (got == BODY_SOME)
			out->last &= j->at + 1 == j->count;
		if (got != BODY_END)
			return got;
		body_close(part);
	}
	return BODY_END;
}

static void joined_keep(struct body *b, struct str *rest)
{
	struct joined *j = joined_of(b);
	struct str none = {};
	for (size_t i = j->at; i < j->count; i++)
		body_keep(j->parts[i], i == j->at ? rest : &none);
}

static void joined_back(struct body *b, uint64_t unused_b)
{
	struct joined *j = joined_of(b);
	must(j->at < j->count && j->parts[j->at]->ops->back);
	j->parts[j->at]->ops->back(j->parts[j->at], unused_b);
}

static void joined_close(struct body *b)
{
	struct joined *j = joined_of(b);
	for (; j->at < j->count; j->at++)
		body_close(j->parts[j->at]);
}

static const struct body_ops JOINED_OPS = { joined_read, joined_keep, joined_back, joined_close };

struct body *body_join(struct arena *a, struct body **bodies, size_t count)
{
	struct joined *j = ARENA_NEW(a, struct joined);
	*j = (struct joined){ { &JOINED_OPS, NULL }, bodies, 0, count };
	return &j->body;
}
