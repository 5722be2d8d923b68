/* Variants: see compress_variant.h.  Made by a thread of the disk engine, kept beside what they were made of; the rest runs
 * on the request's loop. */
#include "handlers/compress_variant.h"

#include "base/mem.h"
#include "event/disk.h"
#include "http/coder.h"
#include "http/hot.h"
#include "http/page_make.h"
#include "http/serve.h"
#include "http/visit.h"

/* What an answer is the whole of, and where its variants are. */
struct source {
	const struct source_ops *ops;
	struct object *object;
	struct store *store;
};

struct source_ops {
	struct str (*key)(struct arena *a, const struct object *from, struct str encoding);
	/* Whether v, found under that key, was made of what `from` is now. */
	bool (*is_variant)(const struct object *v, const struct object *from);
	/* On a thread.  bytes are the variant's, from mem_new(), and taken over; empty: it did not get smaller. */
	struct object *(*make)(struct store *s, struct str key, const struct object *from, struct str encoding,
	                       struct str bytes);
	/* On a thread: `from`'s own; *copy is to be freed. */
	struct str (*bytes)(const struct object *from, struct buf *copy);
	uint64_t (*size_b)(const struct object *variant);
	/* In place of the answer's own. */
	void (*swap_in)(struct req *r, struct object *variant);
};

static struct str file_key(struct arena *a, const struct object *from, struct str encoding)
{
	return hot_variant_key(a, hot_in(from), encoding);
}

static bool file_is_variant(const struct object *v, const struct object *from)
{
	return hot_is_variant(hot_in(v), hot_in(from));
}

static struct object *file_make(struct store *s, struct str key, const struct object *from, struct str encoding,
                                struct str bytes)
{
	return &hot_of_variant(s, key, hot_in(from), encoding, bytes)->object;
}

static struct str file_bytes(const struct object *from, struct buf *copy)
{
	(void)copy;
	return hot_in(from)->bytes;
}

static uint64_t file_size_b(const struct object *variant)
{
	return hot_in(variant)->size_b;
}

static void file_swap_in(struct req *r, struct object *variant)
{
	struct hot *h = hot_of(variant);
	r->answer.body = hot_body(r, h, 0, h->size_b);
	r->answer.hot = h;
	if (answer_field(r, STR("ETag")).p)  /* an error page has none */
		answer_set(r, STR("ETag"), h->etag);
}

static const struct source_ops FILE_OPS = { file_key, file_is_variant, file_make, file_bytes, file_size_b, file_swap_in };

/* No request's key has a byte 1. */
static struct str page_variant_key(struct arena *a, const struct object *from, struct str encoding)
{
	return arena_strf(a, "%.*s\1%.*s", STR_F(from->key), STR_F(encoding));
}

static bool page_has_variant(const struct object *v, const struct object *from)
{
	return page_is_variant(page_in(v), page_in(from));
}

static struct object *page_make(struct store *s, struct str key, const struct object *from, struct str encoding,
                                struct str bytes)
{
	(void)encoding;
	struct page *p = page_of_variant(s, page_in(from), key, bytes);
	mem_str_free(bytes);
	return &p->object;
}

static struct str page_bytes(const struct object *from, struct buf *copy)
{
	const struct page *p = page_in(from);
	struct str first = page_at(p, 0);
	if (first.n == p->image.body_b)
		return first;
	for (uint64_t at_b = 0; at_b < p->image.body_b; at_b = copy->n)
		buf_add(copy, page_at(p, at_b));
	return buf_str(copy);
}

static uint64_t page_size_b(const struct object *variant)
{
	return page_in(variant)->image.body_b;
}

void etag_weaken(struct req *r, struct str name)
{
	struct str etag = answer_field(r, STR("ETag"));
	if (etag.n < 2)
		return;
	struct str opaque = str_head(etag, etag.n - 1);
	answer_set(r, STR("ETag"), arena_strf(&r->arena, "%s%.*s-%.*s\"", str_starts(etag, STR("W/")) ? "" : "W/",
	                                      STR_F(opaque), STR_F(name)));
}

static void page_swap_in(struct req *r, struct object *variant)
{
	struct page *p = page_of(variant);
	struct str key = page_key(p);
	r->answer.body = page_body(r, p, 0, p->image.body_b);
	r->answer.page = p;
	etag_weaken(r, str_from(key, str_find(key, 1) + 1));
}

static const struct source_ops PAGE_OPS = { page_variant_key, page_has_variant, page_make,
	                                    page_bytes,       page_size_b,      page_swap_in };

/* False: it is not the whole of anything that is in memory as it is. */
static bool source_of(const struct req *r, struct source *out)
{
	struct hot *hot = r->answer.hot;
	struct page *page = r->answer.page;
	if (hot && hot->kind == HOT_BYTES && !hot->encoding.n)
		*out = (struct source){ &FILE_OPS, &hot->object, r->home->hot };
	else if (page && r->visit && page->body_kind != PAGE_SEGMENT && page->image.body_b)
		*out = (struct source){ &PAGE_OPS, &page->object, r->visit->rules->cache->store };
	else
		return false;
	return true;
}

/* One that is being made; outlives its request. */
struct variant {
	struct disk_job job;
	struct waiter waiter;
	struct home *home;
	struct conf_use *use;    /* keeps the store */
	struct source from;      /* its object referenced */
	struct object *made;     /* NULL: not yet */
	enum encoding encoding;
	uint64_t hash;
	struct str key;
	char key_bytes[];
};

static void variant_free(struct variant *x)
{
	object_put(x->home->epoch, x->from.object);
	home_conf_put(x->use);
	mem_free(x);
}

/* On a thread.  What does not get smaller is kept as nothing, so that nobody tries again. */
static void variant_call(struct disk_job *job)
{
	struct variant *x = container_of(job, struct variant, job);
	struct buf out = {}, copy = {};
	struct str bytes = x->from.ops->bytes(x->from.object, &copy);
	bytes_encode(x->encoding, bytes, &out);
	if (out.n >= bytes.n)
		buf_fini(&out);
	else
		out.p = mem_grow(out.p, out.n);
	x->made = x->from.ops->make(x->from.store, x->key, x->from.object, encoding_name(x->encoding), buf_str(&out));
	buf_fini(&copy);
}

static void variant_done(struct mail *m)
{
	struct variant *x = container_of(m, struct variant, job.done);
	if (x->made)
		store_put(x->from.store, x->made);
	store_land(x->from.store, x->key, x->hash, x->job.err, NULL);
	variant_free(x);
}

/* Somebody else made it. */
static void variant_joined(struct mail *m)
{
	struct variant *x = container_of(m, struct variant, waiter.mail);
	if (x->waiter.object)
		object_put(x->home->epoch, x->waiter.object);
	variant_free(x);
}

/* Has it made, unless somebody does; nobody waits for it, and where the engine has enough to do it is not made now. */
static void variant_make(struct req *r, const struct source *from, enum encoding e, struct str key, uint64_t hash)
{
	struct home *home = r->home;
	struct variant *x = mem_new(sizeof *x + key.n);
	*x = (struct variant){ .home = home, .use = home_conf_get(home), .from = *from, .encoding = e, .hash = hash };
	memcpy(x->key_bytes, key.p, key.n);
	x->key = str_make(x->key_bytes, key.n);
	object_get(from->object);
	x->waiter.mail.deliver = variant_joined;
	x->waiter.to = &home->loop.mailbox;
	if (store_join(from->store, x->key, hash, &x->waiter) == FLIGHT_JOINED)
		return;
	x->job = (struct disk_job){ .done.deliver = variant_done, .to = &home->loop.mailbox, .op = DISK_CALL,
		                    .call = variant_call };
	/* Before the flight was ours, another may have landed. */
	struct object *now = store_find(from->store, x->key, hash);
	bool there = now && from->ops->is_variant(now, from->object);
	int err = there ? 0 : disk_submit(home->disk, &x->job);
	if (!there && !err)
		return;
	store_land(from->store, x->key, hash, err, NULL);
	variant_free(x);
}

/* The source in this encoding; NULL where it is not known yet. */
static struct object *variant_find(struct req *r, const struct source *from, enum encoding e)
{
	struct str key = from->ops->key(&r->arena, from->object, encoding_name(e));
	uint64_t hash = store_hash(from->store, key);
	struct object *found = store_find(from->store, key, hash);
	if (found && from->ops->is_variant(found, from->object))
		return found;
	variant_make(r, from, e, key, hash);
	return NULL;
}

enum variant_got variant_swap_in(struct req *r, enum encoding e)
{
	struct source from;
	struct object *variant = source_of(r, &from) ? variant_find(r, &from, e) : NULL;
	if (!variant)
		return VARIANT_NONE;
	if (!from.ops->size_b(variant))
		return VARIANT_USELESS;
	struct body *old = r->answer.body;
	from.ops->swap_in(r, variant);
	r->answer.length_b = (int64_t)from.ops->size_b(variant);
	/* The head's fields are still the source's. */
	answer_hold(r, from.object, false);
	body_close(old);
	return VARIANT_SWAPPED;
}
