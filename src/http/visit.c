/* What a request got of a cache; as JSON, too.  On the request's loop. */
#include "http/visit.h"

enum go visit_goes_by(struct visit *v, enum cached cached, enum forward forward, enum stored why)
{
	v->status.cached = cached;
	v->status.forward = forward;
	v->status.why = why;
	return GO_NEXT;
}

enum cached req_cached(const struct req *r)
{
	return r->visit ? r->visit->status.cached : CACHED_NONE;
}

static void add_member(struct buf *out, const char *name, struct str text)
{
	buf_add_member(out, name, text);
	buf_add_char(out, ',');
}

void req_visit_print(struct req *r, struct buf *out)
{
	const struct visit *v = r->visit;
	if (!v || !v->status.cached) {
		buf_add(out, STR("null"));
		return;
	}
	const struct cache_status *s = &v->status;
	buf_add_char(out, '{');
	add_member(out, "name", v->rules->name);
	add_member(out, "got", cached_name(s->cached));
	add_member(out, "key", v->base);
	add_member(out, "why", s->why ? str_of(stored_sentence(s->why)) : STR(""));
	add_member(out, "status", cache_status_print(&r->arena, s));
	buf_addf(out, "\"stored\":%s}", s->stored ? "true" : "false");
}
