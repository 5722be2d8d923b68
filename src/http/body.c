/* Bodies of bytes that are there already.  Lives in the arena that it is given; one thread. */
#include "http/body.h"

#include "base/mem.h"

struct str_body {
	struct body body;
	struct str rest;
};

static enum body_got str_read(struct body *b, struct chunk *out, uint64_t want_b)
{
	struct str_body *s = container_of(b, struct str_body, body);
	if (!s->rest.n)
		return BODY_END;
	struct str bytes = str_head(s->rest, want_b < s->rest.n ? (size_t)want_b : s->rest.n);
	s->rest = str_from(s->rest, bytes.n);
	*out = chunk_of(bytes, !s->rest.n);
	return BODY_SOME;
}

static void str_close(struct body *b)
{
	(void)b;
}

static const struct body_ops STR_OPS = { .read = str_read, .close = str_close };

struct body *body_of_str(struct arena *a, struct str s)
{
	struct str_body *b = ARENA_NEW(a, struct str_body);
	*b = (struct str_body){ { &STR_OPS, NULL }, s };
	return &b->body;
}
