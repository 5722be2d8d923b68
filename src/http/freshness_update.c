/* What a 304 does to what is stored (RFC 9111, 3.2 and 4.3.4).  No state; memory of the arena. */
#include "base/mem.h"
#include "http/freshness.h"

/* Fields that describe the bytes that are kept.  A 304 has none of them to tell: applications put the default type of their
 * empty answer into it. */
static bool is_of_body(struct str name)
{
	static const struct str THESE[] = { { "content-encoding", 16 }, { "content-length", 14 }, { "content-range", 13 },
		                            { "content-type", 12 } };
	for (size_t i = 0; i < countof(THESE); i++)
		if (str_eq_nocase(name, THESE[i]))
			return true;
	return false;
}

static struct str came_field(const struct came *c, struct str name)
{
	for (size_t i = 0; i < c->field_count; i++)
		if (str_eq_nocase(c->fields[i].name, name))
			return c->fields[i].value;
	return (struct str){ NULL, 0 };
}

/* The opaque part: the origin compared weakly, too (RFC 9110, 13.1.2). */
static struct str opaque(struct str etag)
{
	return str_starts(etag, STR("W/")) ? str_from(etag, 2) : etag;
}

/* Whether it speaks of the version that is kept.  One that names no version at all speaks of what it was asked about. */
static bool is_of_stored(const struct page *stored, const struct came *c)
{
	struct str etag = came_field(c, STR("ETag")), modified = came_field(c, STR("Last-Modified"));
	if (etag.n)
		return str_eq(opaque(etag), opaque(page_field(stored, STR("ETag"))));
	return !modified.n || str_eq(modified, page_field(stored, STR("Last-Modified")));
}

/* Whether it depends on a field that is not in the key under which it is kept. */
static bool varies_anew(const struct page *stored, const struct came *c)
{
	struct str have = page_field(stored, STR("Vary")), now = came_field(c, STR("Vary")), name;
	while (list_next(&now, &name))
		if (!list_has(have, name) && !str_eq(name, STR("*")))
			return true;
	return false;
}

static bool is_replaced(const struct came *c, struct str name)
{
	return !is_of_body(name) && came_field(c, name).p;
}

static size_t page_field_count(const struct page *p)
{
	struct str rest = page_fields(p);
	struct field f;
	size_t n = 0;
	while (page_field_next(&rest, &f))
		n++;
	return n;
}

/* As if this were the head of an answer that came now: what is stored, but for the Date, which is the 304's. */
static struct field *merged(struct arena *a, const struct page *stored, const struct came *c, size_t *count)
{
	struct field *all = arena_raw(a, (page_field_count(stored) + c->field_count + 1) * sizeof *all), f;
	struct str rest = page_fields(stored);
	size_t n = 0;
	while (page_field_next(&rest, &f)) {
		f.id = field_id(f.name);
		if (f.id != FIELD_DATE && !is_replaced(c, f.name))
			all[n++] = f;
	}
	for (size_t i = 0; i < c->field_count; i++)
		if (!is_of_body(c->fields[i].name))
			all[n++] = c->fields[i];
	*count = n;
	return all;
}

static size_t kept(const struct came *c, struct field *fields)
{
	struct cache_control cc;
	size_t n = 0;
	cache_control_of_answer(c->fields, c->field_count, &cc);
	for (size_t i = 0; i < c->field_count; i++)
		if (freshness_keeps(c, &cc, &c->fields[i]))
			fields[n++] = c->fields[i];
	return n;
}

/* Of what was stored for all a 304 tells nobody's secrets: a Cookie beside it changes nothing. */
enum stored freshness_update(struct arena *a, const struct page *stored, const struct came *c,
                             const struct freshness_rules *rules, struct image *out, struct field **fields,
                             size_t *field_count)
{
	struct freshness_rules without_cookies = *rules;
	struct came now = *c;
	if (!is_of_stored(stored, c) || varies_anew(stored, c))
		return STORED_OTHER;
	now.status = stored->image.status;
	now.slice = now.status == 206;
	now.fields = merged(a, stored, c, &now.field_count);
	without_cookies.cookies |= !came_field(c, STR("Set-Cookie")).p;
	enum stored why = freshness_store(&now, &without_cookies, out);
	*fields = arena_raw(a, (now.field_count + 1) * sizeof **fields);
	*field_count = kept(&now, *fields);
	return why;
}
