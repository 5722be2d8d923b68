/* A request for unit tests: a home without threads or sockets, and fields as a client might have sent them. */
#pragma once

#include "base/mem.h"
#include "http/req.h"

struct asked {
	struct home home;
	struct conf conf;            /* without modules */
	struct conf_use use;
	struct req r;
	struct field fields[16];
};

/* "If-Match: \"a\"\nRange: bytes=0-" */
static inline struct req *asked_init(struct asked *a, enum method method, const char *fields)
{
	struct str rest = str_of(fields);
	*a = (struct asked){};
	a->use.conf = &a->conf;
	a->r.home = &a->home;
	a->r.use = &a->use;
	a->r.id = 0x1234567890abcdef;
	a->r.ask.method = method;
	a->r.ask.fields = a->fields;
	arena_init(&a->r.arena, a->r.first, sizeof a->r.first);
	while (rest.n) {
		struct str value = str_cut(&rest, '\n'), name = str_cut(&value, ':');
		struct field *f = &a->fields[a->r.ask.field_count++];
		*f = (struct field){ name, str_trim(value), field_id(name) };
		if (f->id && !a->r.ask.first[f->id])
			a->r.ask.first[f->id] = (uint8_t)a->r.ask.field_count;
	}
	return &a->r;
}

static inline void asked_fini(struct asked *a)
{
	if (a->r.answer.body)
		body_close(a->r.answer.body);
	arena_fini(&a->r.arena);
}

/* All that the answer's body gives, in pieces of at most want_b bytes. */
static inline enum body_got asked_read(struct asked *a, struct buf *out, uint64_t want_b)
{
	struct chunk c;
	enum body_got got;
	while ((got = body_read(a->r.answer.body, &c, want_b)) == BODY_SOME)
		buf_add(out, c.bytes);
	return got;
}
