/* Pages: their memory, what stands where in an image, and bodies made of them.  Pages are immutable once they are ready and
 * belong to nobody; bodies belong to their request. */
#include "http/page.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "base/hash.h"
#include "base/mem.h"
#include "base/must.h"
#include "share/slab.h"
#include "http/file_body.h"
#include "share/segments.h"

enum {
	TAG_B = sizeof(uint64_t),
	PLACE_B = sizeof(uint64_t),
	LENGTHS_B = 2 * sizeof(uint16_t),   /* before each field */
	ALLOCATED_B = 8,                    /* that the C library adds to a block */
	YEAR_10000_MS = 253402300,          /* in 1,000 seconds */
};

uint64_t page_hash(struct str s)
{
	return hash_bytes(s, 0);
}

/* --- What stands where: behind the image, one after the other. --- */

_Static_assert(offsetof(struct page, image) + sizeof(struct image) == sizeof(struct page), "the image goes on behind it");

static size_t key_at(const struct page *p)
{
	return (size_t)TAG_B * p->image.tag_count;
}

static size_t fields_at(const struct page *p)
{
	return key_at(p) + p->image.key_b;
}

static size_t rest_at(const struct page *p)
{
	return fields_at(p) + p->image.fields_b;
}

static const char *look(const struct page *p)
{
	return (const char *)(p + 1);
}

char *page_tags_at(struct page *p)
{
	return (char *)(p + 1);
}

char *page_key_at(struct page *p)
{
	return page_tags_at(p) + key_at(p);
}

char *page_fields_at(struct page *p)
{
	return page_tags_at(p) + fields_at(p);
}

char *page_body_at(struct page *p)
{
	must(p->body_kind == PAGE_INLINE);
	return page_tags_at(p) + rest_at(p);
}

static uint64_t load_64(const char *at)
{
	uint64_t n;
	memcpy(&n, at, sizeof n);
	return n;
}

static uint16_t load_16(const char *at)
{
	uint16_t n;
	memcpy(&n, at, sizeof n);
	return n;
}

void page_place_set(struct page *p, uint64_t offset_b)
{
	must(p->body_kind == PAGE_SEGMENT);
	memcpy(page_tags_at(p) + rest_at(p), &offset_b, sizeof offset_b);
}

uint64_t page_place(const struct page *p)
{
	must(p->body_kind == PAGE_SEGMENT);
	return load_64(look(p) + rest_at(p));
}

struct str page_key(const struct page *p)
{
	return str_make(look(p) + key_at(p), p->image.key_b);
}

struct str page_fields(const struct page *p)
{
	return str_make(look(p) + fields_at(p), p->image.fields_b);
}

uint64_t page_tag(const struct page *p, size_t i)
{
	must(i < p->image.tag_count);
	return load_64(look(p) + i * TAG_B);
}

bool page_field_next(struct str *rest, struct field *out)
{
	if (rest->n < LENGTHS_B)
		return false;
	size_t name_n = load_16(rest->p), value_n = load_16(rest->p + sizeof(uint16_t));
	if (rest->n - LENGTHS_B < name_n + value_n)
		return false;
	out->name = str_make(rest->p + LENGTHS_B, name_n);
	out->value = str_make(rest->p + LENGTHS_B + name_n, value_n);
	out->id = FIELD_OTHER;
	*rest = str_from(*rest, LENGTHS_B + name_n + value_n);
	return true;
}

struct str page_field(const struct page *p, struct str name)
{
	struct str rest = page_fields(p);
	struct field f;
	while (page_field_next(&rest, &f))
		if (str_eq_nocase(f.name, name))
			return f.value;
	return (struct str){ NULL, 0 };
}

uint64_t page_age_s(const struct page *p, uint64_t wall_ms)
{
	uint64_t resident_ms = wall_ms > p->image.came_ms ? wall_ms - p->image.came_ms : 0;
	return p->image.age_s + resident_ms / 1000;
}

/* --- Memory. --- */

static void page_free(struct object *o)
{
	struct page *p = page_of(o);
	if (p->body_kind == PAGE_BLOB)
		blob_put(p->blob);
	else if (p->body_kind == PAGE_SEGMENT)
		segment_put(p->segment);
	if (p->in_slab)
		slab_put(p);
	else
		mem_free(p);
}

struct page *page_new(struct store *s, const struct image *image, enum page_body kind)
{
	size_t n = image_head_b(image) - sizeof *image;
	n += kind == PAGE_INLINE ? image->body_b : kind == PAGE_SEGMENT ? PLACE_B : 0;
	bool small = sizeof(struct page) + n <= SLAB_MOST_B;
	struct page *p = small ? slab_get(store_slab(s), sizeof *p + n) : mem_grow(NULL, sizeof *p + n);
	*p = (struct page){ .body_kind = (uint8_t)kind, .in_slab = small, .image = *image };
	p->object.free = page_free;
	p->object.cost_b = small ? slab_cost_b(sizeof *p + n) : sizeof *p + n + ALLOCATED_B;
	atomic_init(&p->object.refs, 1);
	return p;
}

void page_ready(struct page *p, struct store *s)
{
	p->object.key = page_key(p);
	p->object.hash = store_hash(s, p->object.key);
	if (p->body_kind == PAGE_BLOB && p->blob)
		p->object.cost_b += blob_cost_b(p->blob);
}

struct page *page_whole(const struct page *head, struct store *s, struct blob *blob, uint64_t inline_most_b)
{
	struct image image = head->image;
	image.body_b = blob_size_b(blob);
	bool small = image.body_b <= inline_most_b;
	struct page *p = page_new(s, &image, small ? PAGE_INLINE : PAGE_BLOB);
	memcpy(page_tags_at(p), look(head), rest_at(head));
	if (!small) {
		blob_get(blob);
		p->blob = blob;
	}
	for (uint64_t at_b = 0; small && at_b < image.body_b;) {
		struct str bytes = blob_at(blob, at_b);
		memcpy(page_body_at(p) + at_b, bytes.p, bytes.n);
		at_b += bytes.n;
	}
	page_ready(p, s);
	return p;
}

enum purged page_purged(struct page *p, const struct purges *purges)
{
	uint32_t count = purges_count(purges);
	if (atomic_load_explicit(&p->purges_seen, memory_order_relaxed) == count)
		return PURGED_NOT;
	struct purgeable what = { p->image.asked_ms, p->image.base, look(p), p->image.tag_count, page_key(p) };
	enum purged purged = purges_look(purges, &what);
	if (purged == PURGED_NOT)
		atomic_store_explicit(&p->purges_seen, count, memory_order_relaxed);
	return purged;
}

unsigned page_count_variant(struct page *p)
{
	return atomic_fetch_add_explicit(&p->variants, 1, memory_order_relaxed) + 1u;
}

/* --- What others say is an image. --- */

static bool is_clean(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] == '\r' || s.p[i] == '\n' || s.p[i] == '\0')
			return false;
	return true;
}

static bool fields_are_fine(struct str rest, size_t count)
{
	struct field f;
	size_t n = 0;
	for (; page_field_next(&rest, &f); n++)
		if (!str_is_token(f.name) || !is_clean(f.value))
			return false;
	return n == count && !rest.n;
}

static bool numbers_are_fine(const struct image *i)
{
	uint64_t most_ms = (uint64_t)YEAR_10000_MS * 1000000;
	return i->asked_ms < most_ms && i->came_ms < most_ms && i->tag_count <= IMAGE_TAGS_MOST &&
	       i->key_b <= IMAGE_KEY_MOST && i->fields_b <= IMAGE_FIELDS_MOST && i->body_b <= (uint64_t)INT64_MAX &&
	       i->flags <= IMAGE_FLAGS && (i->flags & (IMAGE_VARY | IMAGE_PASS) || (i->status >= 200 && i->status <= 599));
}

int image_check(const struct image *i, struct str head)
{
	if (!numbers_are_fine(i) || head.n != image_head_b(i))
		return -EBADMSG;
	return fields_are_fine(str_from(head, head.n - i->fields_b), i->field_count) ? 0 : -EBADMSG;
}

/* --- Bodies. --- */

struct page_reader {
	struct body body;
	struct req *req;
	struct page *page;
	bool held;              /* a reference of its own */
	uint64_t at_b, end_b;
};

struct str page_at(const struct page *p, uint64_t at_b)
{
	if (p->body_kind == PAGE_BLOB)
		return blob_at(p->blob, at_b);
	return str_make(look(p) + rest_at(p) + at_b, p->image.body_b - at_b);
}

static enum body_got page_read(struct body *body, struct chunk *out, uint64_t want_b)
{
	struct page_reader *b = container_of(body, struct page_reader, body);
	uint64_t left_b = b->end_b - b->at_b;
	if (!left_b)
		return BODY_END;
	struct str bytes = str_head(page_at(b->page, b->at_b), left_b < want_b ? left_b : want_b);
	b->at_b += bytes.n;
	*out = chunk_of(bytes, b->at_b == b->end_b);
	return BODY_SOME;
}

static void page_keep(struct body *body, struct str *rest)
{
	(void)rest;
	struct page_reader *b = container_of(body, struct page_reader, body);
	if (!b->held)
		object_get(&b->page->object);
	b->held = true;
}

static void page_close(struct body *body)
{
	struct page_reader *b = container_of(body, struct page_reader, body);
	if (b->held)
		object_put(b->req->home->epoch, &b->page->object);
}

static const struct body_ops PAGE_OPS = { .read = page_read, .keep = page_keep, .close = page_close };

struct body *page_body(struct req *r, struct page *p, uint64_t from_b, uint64_t length_b)
{
	must(from_b + length_b <= p->image.body_b);
	if (p->body_kind == PAGE_SEGMENT)
		return file_body(r, &p->object, segment_fd(p->segment), page_place(p) + from_b, length_b);
	struct page_reader *b = arena_raw(&r->arena, sizeof *b);
	*b = (struct page_reader){ .body.ops = &PAGE_OPS, .req = r, .page = p, .at_b = from_b, .end_b = from_b + length_b };
	return &b->body;
}
