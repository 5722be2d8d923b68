/* What becomes of the answer to a fill, by its head: kept, renewed, passed on or failed, and under which key.  See
 * fill_in.h. */
#include "http/fill_in.h"

#include <errno.h>

#include "base/must.h"
#include "http/page_make.h"
#include "http/slices.h"
#include "http/trailers.h"
#include "http/vary.h"

enum {
	PASS_S = 60,                 /* so long a page that can't be kept is asked for without waiting for others */
	VARY_S = 3600,               /* so long variants are counted */
	DISK_LEAST_MS = 10 * 1000,   /* what lives shorter is over before anybody looks for it on disk */
	SPARE_LEAST_B = 128 << 20,   /* for bodies that come in, or are still being sent */
};

static bool is_short(const struct page *p)
{
	return image_lives_ms(&p->image) < DISK_LEAST_MS;
}

/* A short-lived page that its origin can be asked about is written, but not again each time that it still holds: what is
 * on disk has to be asked about in any case.  Another one is not, and what it takes the place of is not there any more. */
void fill_shelve(struct fill *f, struct page *page)
{
	struct shelf *shelf = f->cache->shelf;
	bool renewed = f->stale && f->came.status == 304;
	if (!shelf || (renewed && is_short(page) && is_short(f->stale)))
		return;
	if (!is_short(page) || page_field(page, STR("ETag")).n || page_field(page, STR("Last-Modified")).n)
		shelf_put(shelf, fill_home(f), page);
	else
		shelf_drop(shelf, fill_home(f), page_key(page));
}

/* To the other tiers. */
static void offer(struct fill *f, struct page *page)
{
	fill_shelve(f, page);
	if (f->rules->memcached)
		cluster_put(f->rules->memcached, fill_home(f), f->cache->name, page, f->cluster.over ? &f->cluster : NULL);
}

bool fill_keep(struct fill *f, struct page *page)
{
	/* Of what was asked for anew since a purge. */
	if (page_purged(page, f->cache->purges) == PURGED_HARD)
		return false;
	ever_add(f->cache->kept, page_hash(f->url));
	object_get(&page->object);
	store_put(f->cache->store, &page->object);
	counter_add(&fill_counts(f)->stored, 1);
	offer(f, page);
	return true;
}

static void forget(struct fill *f)
{
	store_drop(f->cache->store, f->key, store_hash(f->cache->store, f->key));
	if (f->cache->shelf)
		shelf_drop(f->cache->shelf, fill_home(f), f->key);
}

/* The next ones don't wait for one another, as far as they can expect the same. */
static void mark_pass(struct fill *f, uint16_t flags)
{
	struct image image = { .asked_ms = f->came.asked_ms, .came_ms = f->came.came_ms, .base = page_hash(f->url),
		               .key_b = (uint32_t)f->key.n, .fresh_s = PASS_S, .flags = IMAGE_PASS | flags };
	struct page *page = page_of_marker(f->cache->store, &image, f->key, (struct field){});
	if (page)
		store_put(f->cache->store, &page->object);
}

/* What is kept stays for others where it is this request's own fault. */
static enum go pass(struct fill *f, enum stored why)
{
	/* An origin whose parts can't be put together would be asked for one each time, and then for the whole. */
	enum lasting lasting = f->sliced && !f->slice && why == STORED_RANGE ? LASTS : stored_lasts(why);
	counter_add(&fill_counts(f)->not_stored, 1);
	if (lasting == LASTS && f->stale)
		forget(f);
	if (lasting == LASTS || (lasting == LASTS_ALONE && !f->stale))
		mark_pass(f, lasting == LASTS ? 0 : IMAGE_ALONE);
	return fill_hand_over(f, GROWTH_PASS, (unsigned)why);
}

static bool may_use_stale(const struct fill *f)
{
	return f->stale && freshness_use_if_error(f->stale, &f->req.ask, &f->rules->fresh, f->came.came_ms);
}

/* petrel could not get an answer, or its origin says that it is ill: where what is kept may be used, or nobody asked for
 * it (RFC 9111, 4.3.3), that stays as it is. */
static bool has_failed(const struct fill *f)
{
	unsigned status = f->req.answer.status;
	bool ill = status >= 500 && status <= 504 && status != 501;
	return f->req.cause || f->req.shed || (ill && (may_use_stale(f) || (f->stale && f->behind)));
}

/* What is kept still holds.  Where it is not to be kept any longer it is forgotten, and all who wait look again: who then
 * asks its origin does so without a condition. */
static enum go renew(struct fill *f)
{
	struct image image = {};
	struct field *fields;
	size_t count;
	struct store *s = f->cache->store;
	enum stored why = freshness_update(&f->req.arena, f->stale, &f->came, &f->rules->fresh, &image, &fields, &count);
	struct page *page = why ? NULL : page_of_update(s, f->stale, &f->came, &image, fields, count);
	f->keeps = page && fill_keep(f, page);
	if (!page)
		forget(f);
	fill_end(f, page ? GROWTH_WHOLE : GROWTH_AGAIN, page, page ? 304 : 0, END_DONE);
	return GO_ANSWER;
}

/* What was evicted while slow clients read it is still there, and so is what comes in. */
bool fill_is_crowded(const struct fill *f, uint64_t more_b)
{
	uint64_t memory_b = f->rules->memory_b, spare_b = memory_b > SPARE_LEAST_B ? memory_b : SPARE_LEAST_B;
	return blob_tally_b(f->cache->bodies) + more_b > memory_b + spare_b;
}

/* By what the answer promises.  A slice in the middle has to come all the same: who wants it has sent what stands before
 * it. */
static enum stored size_forbids(const struct fill *f)
{
	int64_t length_b = f->req.answer.length_b;
	if (length_b < 0)
		return STORED_YES;
	if ((uint64_t)length_b > f->rules->object_b)
		return STORED_LARGE;
	bool crowded = length_b > FILL_INLINE_MOST_B && !f->slice && fill_is_crowded(f, (uint64_t)length_b);
	return crowded ? STORED_CROWDED : STORED_YES;
}

static enum stored decide(struct fill *f, struct image *image)
{
	enum stored why = freshness_store(&f->came, &f->rules->fresh, image);
	if (why != STORED_YES)
		return why;
	/* Which the gates of its own route let through, and of no other. */
	if (f->req.again || f->req.passed)
		return STORED_REDIRECTED;
	for (size_t i = 0; i < f->rules->no_store.count; i++)
		if (cache_condition((const struct tmpl *)f->rules->no_store.p + i, &f->req))
			return STORED_CONDITION;
	why = size_forbids(f);
	return !why && f->req.answer.trailers && trailers_expected(f->req.answer.trailers) ? STORED_HEAD : why;
}

static bool is_mark_of(const struct fill *f, struct page *p, struct str list)
{
	return p->image.flags & IMAGE_VARY && str_eq(page_field(p, STR("Vary")), list) &&
	       page_age_s(p, f->came.came_ms) < VARY_S && page_purged(p, f->cache->purges) == PURGED_NOT;
}

/* Says under the URL's own key which fields the answer depends on.  False: there are too many variants, or it can't be
 * said. */
static bool mark_vary(struct fill *f, struct str list)
{
	struct store *s = f->cache->store;
	struct object *o = store_find(s, f->base, store_hash(s, f->base));
	struct page *have = o ? page_of(o) : NULL;
	uint64_t now_ms = f->came.came_ms;
	if (have && is_mark_of(f, have, list))
		return page_count_variant(have) <= f->rules->variants;
	struct image image = { .asked_ms = f->came.asked_ms, .came_ms = now_ms, .base = page_hash(f->url),
		               .key_b = (uint32_t)f->base.n, .fresh_s = VARY_S, .flags = IMAGE_VARY };
	struct page *page = page_of_marker(s, &image, f->base, (struct field){ STR("Vary"), list, FIELD_OTHER });
	if (!page)
		return false;
	offer(f, page);
	if (str_eq(f->key, f->base))
		f->cluster.over = false;
	store_put(s, &page->object);
	return true;
}

/* The answer belongs under another key than was thought: those who wait look again, and find out.  GO_NEXT: go on under
 * the new key; GO_ANSWER: somebody else does. */
static enum go change_key(struct fill *f, struct str key)
{
	struct growth *other;
	struct growths *all = f->cache->growths;
	enum role role = growths_join(all, key, store_hash(f->cache->store, key), page_hash(f->url), NULL, &other);
	growth_end(f->growth, GROWTH_AGAIN, NULL, 0, 0);
	growth_put(f->growth);
	if (f->cluster.over)
		cluster_give_up(f->rules->memcached, &f->cluster);
	f->cluster.over = false;
	f->growth = other;
	f->key = key;
	if (f->heir)
		*f->heir = NULL;
	f->heir = NULL;
	f->ended = role == ROLE_READER;
	return role == ROLE_FILLER ? GO_NEXT : GO_ANSWER;
}

/* GO_NEXT: the page is to be made.  Else the fill's end. */
static enum go sort_variant(struct fill *f)
{
	struct str list, key = f->base;
	int err = vary_of(&f->req.arena, f->came.fields, f->came.field_count, &list);
	if (!err && list.n)
		err = vary_key(&f->req.arena, f->base, list, f->came.ask, &key);
	if (err)
		return pass(f, err == -EPERM ? STORED_VARY_ALL : STORED_HEAD);
	if (list.n && !mark_vary(f, list))
		return pass(f, STORED_VARIANTS);
	return str_eq(key, f->key) ? GO_NEXT : change_key(f, key);
}

static void know_answer(struct fill *f)
{
	const struct answer *a = &f->req.answer;
	f->came.ask = &f->req.ask;
	f->came.status = a->status;
	f->came.fields = a->fields;
	f->came.field_count = a->field_count;
	f->came.date = a->date;
	f->came.slice = f->sliced;
	f->came.came_ms = home_wall_ms(fill_home(f));
	f->decided = true;
}

/* A slice is what was asked for, of a version that can be told; or all of it, where that is no larger.  False: it is of no
 * use. */
static bool sort_slice(struct fill *f)
{
	struct answer *a = &f->req.answer;
	struct slice_range is;
	uint64_t slice_b = f->rules->slice_b;
	if (a->status != 206)
		return f->slice == 0;
	if (!slice_range_parse(answer_field(&f->req, STR("Content-Range")), &is) || is.from_b != f->slice * slice_b ||
	    is.length_b > slice_b || (is.length_b < slice_b && is.from_b + is.length_b != is.total_b) ||
	    (a->length_b >= 0 && (uint64_t)a->length_b != is.length_b))
		return false;
	if (is.length_b < is.total_b)
		return slice_has_version(a->fields, a->field_count) && !answer_field(&f->req, STR("Vary")).p;
	a->status = 200;
	answer_remove(&f->req, STR("Content-Range"));
	know_answer(f);
	return true;
}

/* By the answer's head: GO_NEXT: its body is taken in. */
enum go fill_decide(struct fill *f)
{
	struct image image = {};
	know_answer(f);
	if (has_failed(f))
		return fill_hand_over(f, GROWTH_FAILED, f->req.answer.status);
	enum go go = f->came.status == 304 && f->stale ? renew(f) : GO_NEXT;
	if (go != GO_NEXT)
		return go;
	if (f->sliced && !sort_slice(f))
		return pass(f, STORED_RANGE);
	enum stored why = decide(f, &image);
	if (why != STORED_YES)
		return pass(f, why);
	go = sort_variant(f);
	if (go != GO_NEXT)
		return go;
	image.base = page_hash(f->url);
	image.body_b = f->req.answer.length_b < 0 ? PAGE_LENGTH_UNKNOWN : (uint64_t)f->req.answer.length_b;
	f->blob = blob_new(f->req.answer.length_b > 0 ? (uint64_t)f->req.answer.length_b : 0, f->cache->bodies);
	f->head = page_of_answer(f->cache->store, &f->came, &image, f->key, PAGE_BLOB, f->blob);
	if (!f->head)
		return pass(f, STORED_HEAD);
	f->keeps = true;
	if (f->req.answer.body)
		f->req.answer.body->reader = &f->task;
	return GO_NEXT;
}
