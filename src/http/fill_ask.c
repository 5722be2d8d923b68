/* The request of a fill to its origin: what its client asked, without what is that client's alone.  See fill_in.h. */
#include "http/fill_in.h"

#include "http/slices.h"
#include "http/vary.h"

enum { ADDED = 4 };  /* fields of our own to an origin */

static struct field copied(struct arena *a, const struct field *f)
{
	return (struct field){ arena_str(a, f->name), arena_str(a, f->value), f->id };
}

static void add_field(struct ask *ask, struct field f)
{
	if (!ask->first[f.id] && ask->field_count < UINT8_MAX)
		ask->first[f.id] = (uint8_t)(ask->field_count + 1);
	ask->fields[ask->field_count++] = f;
}

void fill_add_conditions(struct fill *f)
{
	struct arena *a = &f->req.arena;
	struct str etag = page_field(f->stale, STR("ETag")), modified = page_field(f->stale, STR("Last-Modified"));
	if (etag.n)
		add_field(&f->req.ask, (struct field){ STR("If-None-Match"), arena_str(a, etag), FIELD_IF_NONE_MATCH });
	if (modified.n)
		add_field(&f->req.ask, (struct field){ STR("If-Modified-Since"), arena_str(a, modified),
		                                       FIELD_IF_MODIFIED_SINCE });
	if (etag.n || modified.n)
		counter_add(&fill_counts(f)->validations, 1);
}

static struct str slice_wanted(struct fill *f)
{
	uint64_t from_b = f->slice * f->rules->slice_b;
	return arena_strf(&f->req.arena, "bytes=%llu-%llu", (unsigned long long)from_b,
	                  (unsigned long long)(from_b + f->rules->slice_b - 1));
}

/* A GET for all of it, whatever its client wants to have of it. */
void fill_copy_ask(struct fill *f, const struct req *r)
{
	struct arena *a = &f->req.arena;
	struct ask *ask = &f->req.ask;
	*ask = r->ask;
	ask->method = METHOD_GET;
	ask->method_name = STR("GET");
	ask->target = arena_str(a, cache_target(f->rules, r, a));
	ask->path = arena_str(a, r->ask.path);
	size_t at = str_find(ask->target, '?');
	ask->query = at < ask->target.n ? str_from(ask->target, at + 1) : (struct str){};
	ask->host = arena_str(a, r->ask.host);
	ask->framing = FRAMING_NONE;
	ask->expect_continue = false;
	ask->fields = arena_raw(a, (r->ask.field_count + ADDED) * sizeof *ask->fields);
	ask->field_count = 0;
	memset(ask->first, 0, sizeof ask->first);
	for (size_t i = 0; i < r->ask.field_count; i++)
		if (freshness_sends(&r->ask, &r->ask.fields[i]))
			add_field(ask, copied(a, &r->ask.fields[i]));
	struct str encodings = vary_encodings(a, &r->ask);
	if (encodings.n)
		add_field(ask, (struct field){ STR("Accept-Encoding"), encodings, FIELD_ACCEPT_ENCODING });
	if (f->sliced)
		add_field(ask, (struct field){ STR("Range"), slice_wanted(f), FIELD_RANGE });
}
