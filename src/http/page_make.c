/* Pages of answers.  A page belongs to its maker until it is in a store; any thread. */
#include "http/page_make.h"

#include "base/mem.h"
#include "http/date.h"
#include "http/shelf.h"
#include "http/tags.h"

/* --- Tags: each once. --- */

struct marks {
	uint64_t at[IMAGE_TAGS_MOST];
	size_t count;
	bool too_many;
};

static void mark(struct marks *m, uint64_t hash)
{
	for (size_t i = 0; i < m->count; i++)
		if (m->at[i] == hash)
			return;
	if (m->count == IMAGE_TAGS_MOST)
		m->too_many = true;
	else
		m->at[m->count++] = hash;
}

static void see_tag(void *arg, struct str tag)
{
	mark(arg, page_hash(tag));
}

/* --- Fields. --- */

/* Writes fields, or only says how long they would be. */
struct scribe {
	char *at;          /* NULL: says only */
	size_t bytes, count;
	bool too_long;
};

static void write_field(struct scribe *s, struct str name, struct str value)
{
	uint16_t lengths[] = { (uint16_t)name.n, (uint16_t)value.n };
	size_t n = sizeof lengths + name.n + value.n;
	s->too_long |= name.n > UINT16_MAX || value.n > UINT16_MAX;
	s->bytes += n;
	s->count++;
	if (!s->at)
		return;
	s->at = mempcpy(s->at, lengths, sizeof lengths);
	s->at = mempcpy(s->at, name.p, name.n);
	if (value.n)
		s->at = mempcpy(s->at, value.p, value.n);
}

/* What a page's head is made of. */
struct source {
	const struct came *came;
	const struct cache_control *cc;     /* the answer's: its fields are chosen from; NULL: all of them are kept */
	const struct field *fields;
	size_t field_count;
	char date[DATE_B];                  /* empty (its first byte 0): none */
};

static void write_fields(struct scribe *to, const struct source *from)
{
	if (from->date[0])
		write_field(to, STR("Date"), str_make(from->date, DATE_B));
	for (size_t i = 0; i < from->field_count; i++) {
		const struct field *f = &from->fields[i];
		if (!from->cc || freshness_keeps(from->came, from->cc, f))
			write_field(to, f->name, f->value);
	}
}

/* The answer's own date, printed in the one form; else that of its coming (RFC 9110, 6.6.1). */
static void date_of(struct source *s)
{
	const struct came *c = s->came;
	int64_t now_s = (int64_t)(c->came_ms / 1000), date_s;
	struct str said = c->date;
	for (size_t i = 0; i < c->field_count && !said.n; i++)
		if (str_eq_nocase(c->fields[i].name, STR("Date")))
			said = c->fields[i].value;
	if (date_parse(said, now_s, &date_s))
		date_s = now_s;
	date_print(s->date, date_s);
}

/* --- Pages. --- */

/* Its head; the body is for the caller to fill in.  NULL: too large. */
static struct page *page_begin(struct store *s, const struct image *image, struct str key, const struct source *from,
                               const struct marks *tags, enum page_body kind)
{
	struct image i = *image;
	struct scribe measure = {};
	write_fields(&measure, from);
	if (measure.too_long || measure.bytes > IMAGE_FIELDS_MOST || key.n > IMAGE_KEY_MOST || tags->too_many)
		return NULL;
	i.key_b = (uint32_t)key.n;
	i.fields_b = (uint32_t)measure.bytes;
	i.field_count = (uint16_t)measure.count;
	i.tag_count = (uint16_t)tags->count;
	struct page *p = page_new(s, &i, kind);
	struct scribe writer = { .at = page_fields_at(p) };
	memcpy(page_tags_at(p), tags->at, sizeof *tags->at * tags->count);
	memcpy(page_key_at(p), key.p, key.n);
	write_fields(&writer, from);
	return p;
}

static void copy_blob(char *to, const struct blob *b, uint64_t n)
{
	for (uint64_t at = 0; at < n;) {
		struct str some = str_head(blob_at(b, at), n - at);
		memcpy(to + at, some.p, some.n);
		at += some.n;
	}
}

static void body_set(struct page *p, struct blob *blob)
{
	if (p->body_kind == PAGE_BLOB) {
		blob_get(blob);
		p->blob = blob;
	} else if (blob) {
		copy_blob(page_body_at(p), blob, p->image.body_b);
	}
}

struct page *page_of_answer(struct store *s, const struct came *c, const struct image *image, struct str key,
                            enum page_body kind, struct blob *blob)
{
	struct cache_control cc;
	struct marks tags = {};
	struct source from = { .came = c, .cc = &cc, .fields = c->fields, .field_count = c->field_count };
	cache_control_of_answer(c->fields, c->field_count, &cc);
	tags_each(c->fields, c->field_count, see_tag, &tags);
	date_of(&from);
	struct page *p = page_begin(s, image, key, &from, &tags, kind);
	if (!p)
		return NULL;
	body_set(p, blob);
	page_ready(p, s);
	return p;
}

/* What lies on disk stays there, under its older head, which is looked at again when it comes from there. */
static void body_share(struct page *p, const struct page *stored)
{
	if (p->body_kind == PAGE_BLOB) {
		body_set(p, stored->blob);
	} else if (p->body_kind == PAGE_SEGMENT) {
		segment_get(stored->segment);
		p->segment = stored->segment;
		p->shelved = true;
		page_place_set(p, page_place(stored));
	} else {
		memcpy(page_body_at(p), page_fields(stored).p + stored->image.fields_b, p->image.body_b);
	}
}

struct page *page_of_update(struct store *s, const struct page *stored, const struct came *c, const struct image *image,
                            const struct field *fields, size_t field_count)
{
	struct image i = *image;
	struct marks tags = {};
	struct source from = { .came = c, .fields = fields, .field_count = field_count };
	i.body_b = stored->image.body_b;
	i.base = stored->image.base;
	i.flags |= stored->image.flags & IMAGE_CODED;
	tags_each(c->fields, c->field_count, see_tag, &tags);
	for (size_t t = 0; !tags.count && t < stored->image.tag_count; t++)
		mark(&tags, page_tag(stored, t));
	date_of(&from);
	struct page *p = page_begin(s, &i, page_key(stored), &from, &tags, (enum page_body)stored->body_kind);
	if (!p)
		return NULL;
	body_share(p, stored);
	page_ready(p, s);
	return p;
}

struct page *page_of_variant(struct store *s, const struct page *from, struct str key, struct str bytes)
{
	struct image i = { .asked_ms = from->image.asked_ms, .came_ms = from->image.came_ms, .base = from->image.base,
		           .key_b = (uint32_t)key.n, .body_b = bytes.n, .status = from->image.status, .flags = IMAGE_CODED };
	struct page *p = page_new(s, &i, PAGE_INLINE);
	memcpy(page_key_at(p), key.p, key.n);
	if (bytes.n)
		memcpy(page_body_at(p), bytes.p, bytes.n);
	page_ready(p, s);
	return p;
}

bool page_is_variant(const struct page *v, const struct page *from)
{
	return v->image.flags & IMAGE_CODED && v->image.asked_ms == from->image.asked_ms &&
	       v->image.came_ms == from->image.came_ms;
}

struct page *page_of_marker(struct store *s, const struct image *image, struct str key, struct field field)
{
	struct image i = *image;
	struct source from = { .fields = &field, .field_count = field.name.n > 0 };
	struct marks tags = {};
	i.body_b = 0;
	struct page *p = page_begin(s, &i, key, &from, &tags, PAGE_INLINE);
	if (p)
		page_ready(p, s);
	return p;
}
