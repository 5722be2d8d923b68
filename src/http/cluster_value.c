/* Pages as values of memcached.  Functions without state; any loop. */
#include "http/cluster_value.h"

#include <errno.h>

#include "base/hash.h"
#include "base/mem.h"

enum {
	MAGIC = 0x31477050,      /* "PpG1" */
	VERSION = 1,
	AHEAD_MS = 60000,        /* so far clocks of machines may be apart */
};

bool value_is_variant(const struct page *p)
{
	return page_hash(page_key(p)) != p->image.base;
}

size_t value_generations(const struct page *p)
{
	return p->image.tag_count + (size_t)value_is_variant(p);
}

static uint64_t whole_b(const struct page *p)
{
	return image_head_b(&p->image) + p->image.body_b;
}

bool value_may(const struct page *p)
{
	return !(p->image.flags & (IMAGE_ALONE | IMAGE_PASS)) && p->body_kind != PAGE_SEGMENT &&
	       p->image.tag_count <= VALUE_TAGS_MOST && whole_b(p) <= VALUE_MOST_B;
}

static uint64_t check_of(const struct value *v)
{
	XXH3_state_t state;
	XXH3_INITSTATE(&state);
	XXH3_64bits_reset_withSeed(&state, v->head.length_b);
	for (size_t i = 1; i < v->part_count; i++)
		XXH3_64bits_update(&state, v->parts[i].p, v->parts[i].n);
	return XXH3_64bits_digest(&state);
}

static void add(struct value *v, const void *p, size_t n)
{
	if (n)
		v->parts[v->part_count++] = str_make(p, n);
	v->head.length_b += n;
}

int value_make(struct value *v, const struct page *p, const uint64_t *generations, size_t count)
{
	const struct image *i = &p->image;
	v->head = (struct value_head){ .magic = MAGIC, .version = VERSION, .generations = (uint16_t)count };
	v->parts[0] = str_make((const char *)&v->head, sizeof v->head);
	v->part_count = 1;
	if (count)
		memcpy(v->generations, generations, count * sizeof *generations);
	add(v, v->generations, count * sizeof *generations);
	add(v, i, image_head_b(i) + (p->body_kind == PAGE_INLINE ? i->body_b : 0));
	for (uint64_t at_b = 0; p->body_kind == PAGE_BLOB && at_b < i->body_b;) {
		struct str piece = blob_at(p->blob, at_b);
		if (!piece.n || v->part_count == VALUE_PARTS_MOST)
			return -E2BIG;
		piece = str_head(piece, i->body_b - at_b);
		add(v, piece.p, piece.n);
		at_b += piece.n;
	}
	v->head.check = check_of(v);
	return 0;
}

/* --- Back. --- */

static bool head_is_fine(const struct value_head *h, struct str rest)
{
	return h->magic == MAGIC && h->version == VERSION && h->length_b == rest.n &&
	       h->generations <= VALUE_GENERATIONS_MOST && h->generations * sizeof(uint64_t) <= rest.n &&
	       h->check == hash_bytes(rest, rest.n);
}

/* Whoever's clock is ahead would have a page fresh for longer than its origin said. */
static bool image_is_fine(const struct image *i, struct str all, uint64_t wall_ms)
{
	uint64_t head_b = image_head_b(i);
	return head_b <= all.n && !image_check(i, str_head(all, head_b)) && i->body_b == all.n - head_b &&
	       !(i->flags & (IMAGE_ALONE | IMAGE_PASS)) && i->came_ms <= wall_ms + AHEAD_MS &&
	       i->asked_ms <= wall_ms + AHEAD_MS && i->tag_count <= VALUE_TAGS_MOST;
}

struct page *value_read(struct str bytes, struct str key, uint64_t wall_ms, struct store *s, uint64_t *generations,
                        size_t *count)
{
	struct value_head head;
	struct image image;
	if (bytes.n < sizeof head)
		return NULL;
	memcpy(&head, bytes.p, sizeof head);
	struct str rest = str_from(bytes, sizeof head);
	if (!head_is_fine(&head, rest))
		return NULL;
	memcpy(generations, rest.p, head.generations * sizeof *generations);
	rest = str_from(rest, head.generations * sizeof *generations);
	if (rest.n < sizeof image)
		return NULL;
	memcpy(&image, rest.p, sizeof image);
	if (!image_is_fine(&image, rest, wall_ms))
		return NULL;
	struct page *p = page_new(s, &image, PAGE_INLINE);
	memcpy(page_tags_at(p), rest.p + sizeof image, rest.n - sizeof image);
	page_ready(p, s);
	*count = head.generations;
	if (str_eq(page_key(p), key) && *count == value_generations(p))
		return p;
	p->object.free(&p->object);
	return NULL;
}
