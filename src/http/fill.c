/* Fills: see fill.h.  Each runs on its loop's thread, in turns of its own task; it frees itself when it is over. */
#include "http/fill.h"

#include <errno.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/must.h"
#include "http/page_make.h"
#include "http/slices.h"
#include "http/upstream.h"
#include "http/vary.h"
#include "http/visit.h"

enum {
	ADDED = 4,                   /* fields of our own to an origin */
	PIECE_B = 64 * 1024,         /* of an answer at a time */
	TURN_MOST_B = 512 * 1024,    /* before others get their turn */
	INLINE_MOST_B = 64 * 1024,   /* a body that is no larger lies behind its head, in one block */
	PASS_S = 60,                 /* so long a page that can't be kept is asked for without waiting for others */
	VARY_S = 3600,               /* so long variants are counted */
	FLOW_MOST_B = 1 << 20,       /* that a flow is ahead of its slowest reader */
	FLOW_MS = 10,                /* how often a flow looks how far its readers are */
};

enum fill_at {
	FILL_SHELF,      /* asks the disk tier */
	FILL_CLUSTER,    /* asks memcached */
	FILL_LINE,       /* waits for its turn */
	FILL_ORIGIN,     /* its request runs */
};

struct fill {
	struct task task;
	struct link link;            /* in home->fetches */
	enum fill_at at;
	const struct cache_rules *rules;
	struct cache *cache;
	struct str url, base, key;   /* as in the wish; in the request's arena */
	bool sliced;
	uint64_t slice;
	struct growth *growth;
	struct page *stale;          /* counted; NULL */
	struct fill **heir;          /* NULL: nobody */
	bool entered;                /* what `at` does was begun */
	bool in_line;                /* it has a place among those that run */
	bool decided;                /* what becomes of the answer */
	bool handed;                 /* it waits for its heir to take the answer over */
	bool ended;                  /* the growth was brought to its end */
	bool keeps;                  /* the page is to be stored */
	struct shelf_ask shelf;
	struct cluster_ask cluster;
	struct line_place place;
	struct timer timer;
	struct came came;
	struct page *head;           /* the page without its body; the growth's */
	struct blob *blob;           /* counted; what of the body came in */
	struct ip local;             /* the address that its client connected to */
	struct req req;              /* has the arena that this lies in */
};

static struct home *home_of(const struct fill *f)
{
	return f->req.home;
}

static struct cache_counts *counts(const struct fill *f)
{
	return cache_count(f->cache, home_of(f));
}

/* --- Its end. --- */

static void fill_end(struct fill *f, enum growing how, struct page *page, unsigned status, enum end reason)
{
	must(!f->ended);
	f->ended = true;
	growth_end(f->growth, how, page ? &page->object : NULL, status, (int)reason);
	if (f->cluster.over && !f->keeps)
		cluster_give_up(f->rules->memcached, &f->cluster);
}

/* All but its memory. */
static void fill_release(struct fill *f)
{
	struct home *h = home_of(f);
	if (!f->ended)
		fill_end(f, growth_state(f->growth) == GROWTH_ASKED ? GROWTH_FAILED : GROWTH_CUT, NULL, 502, END_BROKEN);
	if (f->heir)
		*f->heir = NULL;
	if (f->in_line)
		line_leave(f->cache->line);
	cluster_leave(&f->cluster);
	timer_stop(&f->timer);
	task_stop(&f->task);
	link_del(&f->link);
	growth_put(f->growth);
	if (f->stale)
		object_put(h->epoch, &f->stale->object);
	if (f->blob)
		blob_put(f->blob);
}

static void fill_free(struct fill *f)
{
	struct arena arena = f->req.arena;
	fill_release(f);
	home_conf_put(f->req.use);
	arena_fini(&arena);
}

/* --- What is found in other tiers. --- */

/* Whoever waits looks at it as if it had been in memory. */
static void found(struct fill *f, struct page *page)
{
	object_get(&page->object);
	store_put(f->cache->store, &page->object);
	fill_end(f, GROWTH_AGAIN, page, 0, END_DONE);
}

static bool is_gone(const struct fill *f, struct page *page)
{
	return page_purged(page, f->cache->purges) == PURGED_HARD;
}

/* GO_NEXT: ask elsewhere.  GO_ANSWER: it is over. */
static enum go ask_shelf(struct fill *f)
{
	struct shelf *shelf = f->cache->shelf;
	if (!shelf || f->stale)
		return GO_NEXT;
	if (!f->entered) {
		f->entered = true;
		f->shelf = (struct shelf_ask){ .home = home_of(f), .store = f->cache->store, .task = &f->task, .key = f->key };
		if (!shelf_ask(shelf, &f->shelf, INLINE_MOST_B))
			return GO_WAIT;
	}
	if (!f->shelf.over)
		return GO_WAIT;
	struct page *page = f->shelf.page;
	if (!page)
		return GO_NEXT;
	if (is_gone(f, page)) {
		object_put(home_of(f)->epoch, &page->object);
		return GO_NEXT;
	}
	found(f, page);
	return GO_ANSWER;
}

static enum go ask_cluster(struct fill *f)
{
	struct cluster_ask *a = &f->cluster;
	const struct cache_rules *rules = f->rules;
	if (!rules->memcached)
		return GO_NEXT;
	if (!f->entered) {
		f->entered = true;
		*a = (struct cluster_ask){ .home = home_of(f), .store = f->cache->store, .task = &f->task,
			                   .site = f->cache->name, .key = f->key, .fill_ms = rules->wait_ms };
		if (!cluster_ask(rules->memcached, a))
			return GO_WAIT;
	}
	if (!a->over)
		return GO_WAIT;
	struct page *page = a->page;
	if (!page)
		return GO_NEXT;
	bool renew = a->got == CLUSTER_RENEW || is_gone(f, page) || (f->stale && a->got != CLUSTER_FRESH && f->heir);
	if (!renew) {
		if (f->cache->shelf)
			shelf_put(f->cache->shelf, home_of(f), page);
		found(f, page);
		return GO_ANSWER;
	}
	if (f->stale || is_gone(f, page))
		object_put(home_of(f)->epoch, &page->object);
	else
		f->stale = page;
	return GO_NEXT;
}

/* --- The line of those that may ask an origin. --- */

static void line_came(struct mail *m)
{
	struct fill *f = container_of(m, struct fill, place.mail);
	f->in_line = true;
	loop_queue(&home_of(f)->loop, &f->task);
}

static enum go stand_in_line(struct fill *f)
{
	if (f->in_line)
		return GO_NEXT;
	if (f->entered)
		return GO_WAIT;
	f->entered = true;
	f->place = (struct line_place){ .mail.deliver = line_came, .to = &home_of(f)->loop.mailbox };
	f->in_line = line_enter(f->cache->line, &f->place);
	return f->in_line ? GO_NEXT : GO_WAIT;
}

/* --- The request to the origin. --- */

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

/* What makes its origin answer 304 where what is kept still holds (RFC 9111, 4.3.1). */
static void add_conditions(struct fill *f)
{
	struct arena *a = &f->req.arena;
	struct str etag = page_field(f->stale, STR("ETag")), modified = page_field(f->stale, STR("Last-Modified"));
	if (etag.n)
		add_field(&f->req.ask, (struct field){ STR("If-None-Match"), arena_str(a, etag), FIELD_IF_NONE_MATCH });
	if (modified.n)
		add_field(&f->req.ask, (struct field){ STR("If-Modified-Since"), arena_str(a, modified),
		                                       FIELD_IF_MODIFIED_SINCE });
	if (etag.n || modified.n)
		counter_add(&counts(f)->validations, 1);
}

static struct str slice_wanted(struct fill *f)
{
	uint64_t from_b = f->slice * f->rules->slice_b;
	return arena_strf(&f->req.arena, "bytes=%llu-%llu", (unsigned long long)from_b,
	                  (unsigned long long)(from_b + f->rules->slice_b - 1));
}

/* A GET for all of it, whatever its client wants to have of it. */
static void copy_ask(struct fill *f, const struct req *r)
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

static enum go fill_send(struct req *r);

/* The wire of a request that no client is connected to. */
static void fill_local(struct req *r, struct ip *out)
{
	*out = r->fill->local;
}

static const struct wire FILL_WIRE = { fill_send, fill_local };

static void make_request(struct fill *f, struct req *from)
{
	struct req *r = &f->req;
	r->home = from->home;
	r->wire = &FILL_WIRE;
	r->task = &f->task;
	r->peer = from->peer;
	from->wire->local(from, &f->local);
	r->fill = f;
	r->use = home_conf_get(from->home);
	r->site = from->site;
	r->route = from->route;
	r->captures = from->captures;
	r->step = STEP_HANDLE;
	r->id = from->id;
	r->begin_ns = from->home->loop.now_ns;
	copy_ask(f, from);
	r->upload = body_of_str(&r->arena, STR(""));
}

/* --- The answer. --- */

/* To the other tiers. */
static void offer(struct fill *f, struct page *page)
{
	if (f->cache->shelf)
		shelf_put(f->cache->shelf, home_of(f), page);
	if (f->rules->memcached)
		cluster_put(f->rules->memcached, home_of(f), f->cache->name, page, f->cluster.over ? &f->cluster : NULL);
}

static void keep_page(struct fill *f, struct page *page)
{
	object_get(&page->object);
	store_put(f->cache->store, &page->object);
	counter_add(&counts(f)->stored, 1);
	offer(f, page);
}

static enum go hand_over(struct fill *f, enum growing how, unsigned status)
{
	/* A part is not what its client asked for. */
	f->handed = f->heir && !(f->sliced && (f->req.answer.status == 206 || f->req.answer.status == 416));
	fill_end(f, how, NULL, status, f->req.cause);
	return f->handed ? GO_WAIT : GO_FAIL;
}

static void forget(struct fill *f)
{
	store_drop(f->cache->store, f->key, store_hash(f->cache->store, f->key));
	if (f->cache->shelf)
		shelf_drop(f->cache->shelf, home_of(f), f->key);
}

/* The next ones don't wait for one another, as far as they can expect the same. */
static void mark_pass(struct fill *f, uint16_t flags)
{
	struct image image = { .asked_ms = f->came.asked_ms, .came_ms = f->came.came_ms, .base = page_hash(f->url),
		               .key_b = (uint32_t)f->key.n, .fresh_s = PASS_S, .flags = IMAGE_PASS | flags };
	struct page *page = page_of_marker(f->cache->store, &image, f->key, (struct field){});
	store_put(f->cache->store, &page->object);
}

/* What is kept stays for others where it is this request's own fault. */
static enum go pass(struct fill *f, enum stored why)
{
	enum lasting lasting = stored_lasts(why);
	counter_add(&counts(f)->not_stored, 1);
	if (lasting == LASTS && f->stale)
		forget(f);
	if (lasting == LASTS || (lasting == LASTS_ALONE && !f->stale))
		mark_pass(f, lasting == LASTS ? 0 : IMAGE_ALONE);
	return hand_over(f, GROWTH_PASS, (unsigned)why);
}

static bool may_use_stale(const struct fill *f)
{
	return f->stale && freshness_use_if_error(f->stale, &f->req.ask, &f->rules->fresh, f->came.came_ms);
}

/* petrel could not get an answer, or its origin says that it is ill. */
static bool has_failed(const struct fill *f)
{
	unsigned status = f->req.answer.status;
	return f->req.cause || f->req.shed || (may_use_stale(f) && status >= 500 && status <= 504 && status != 501);
}

/* What is kept still holds.  Where it is not to be kept any longer it is forgotten, and all who wait look again: who then
 * asks its origin does so without a condition. */
static enum go renew(struct fill *f)
{
	struct image image = { .asked_ms = f->came.asked_ms };
	struct field *fields;
	size_t count;
	struct store *s = f->cache->store;
	enum stored why = freshness_update(&f->req.arena, f->stale, &f->came, &f->rules->fresh, &image, &fields, &count);
	struct page *page = why ? NULL : page_of_update(s, f->stale, &f->came, &image, fields, count);
	f->keeps = page;
	if (page)
		keep_page(f, page);
	else
		forget(f);
	fill_end(f, page ? GROWTH_WHOLE : GROWTH_AGAIN, page, page ? 304 : 0, END_DONE);
	return GO_ANSWER;
}

static enum stored decide(struct fill *f, struct image *image)
{
	enum stored why = freshness_store(&f->came, &f->rules->fresh, image);
	if (why != STORED_YES)
		return why;
	if (f->req.again)
		return STORED_REDIRECTED;
	for (size_t i = 0; i < f->rules->no_store.count; i++)
		if (cache_condition((const struct tmpl *)f->rules->no_store.p + i, &f->req))
			return STORED_CONDITION;
	bool large = f->req.answer.length_b >= 0 && (uint64_t)f->req.answer.length_b > f->rules->object_b;
	return large ? STORED_LARGE : f->req.answer.trailers && trailers_expected(f->req.answer.trailers) ? STORED_HEAD : why;
}

static bool is_mark_of(const struct fill *f, struct page *p, struct str list)
{
	return p->image.flags & IMAGE_VARY && str_eq(page_field(p, STR("Vary")), list) &&
	       page_age_s(p, f->came.came_ms) < VARY_S && page_purged(p, f->cache->purges) == PURGED_NOT;
}

/* Says under the URL's own key which fields the answer depends on.  False: there are too many variants. */
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
	offer(f, page);
	f->cluster.over = false;
	store_put(s, &page->object);
	return true;
}

/* The answer belongs under another key than was thought: those who wait look again, and find out.  GO_NEXT: go on under
 * the new key; GO_ANSWER: somebody else does. */
static enum go change_key(struct fill *f, struct str key)
{
	struct growth *other;
	enum role role = growths_join(f->cache->growths, key, store_hash(f->cache->store, key), &other);
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
	f->came.came_ms = home_wall_ms(home_of(f));
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
	return true;
}

/* By the answer's head: GO_NEXT: its body is taken in. */
static enum go decide_all(struct fill *f)
{
	struct image image = { .asked_ms = f->came.asked_ms };
	know_answer(f);
	if (has_failed(f))
		return hand_over(f, GROWTH_FAILED, f->req.answer.status);
	enum go go = f->came.status == 304 && f->stale ? renew(f) : GO_NEXT;
	if (go != GO_NEXT)
		return go;
	if (f->sliced && !sort_slice(f))
		return pass(f, STORED_RANGE);
	know_answer(f);
	enum stored why = decide(f, &image);
	if (why != STORED_YES)
		return pass(f, why);
	go = sort_variant(f);
	if (go != GO_NEXT)
		return go;
	image.asked_ms = f->came.asked_ms;
	image.came_ms = f->came.came_ms;
	image.base = page_hash(f->url);
	image.body_b = f->req.answer.length_b < 0 ? PAGE_LENGTH_UNKNOWN : (uint64_t)f->req.answer.length_b;
	f->blob = blob_new(f->req.answer.length_b > 0 ? (uint64_t)f->req.answer.length_b : 0);
	f->head = page_of_answer(f->cache->store, &f->came, &image, f->key, PAGE_BLOB, f->blob);
	if (!f->head)
		return pass(f, STORED_HEAD);
	f->keeps = true;
	if (f->req.answer.body)
		f->req.answer.body->reader = &f->task;
	return GO_NEXT;
}

/* --- Its body. --- */

static bool add_range(struct fill *f, const struct chunk *c)
{
	char *inbox = home_of(f)->inbox;
	for (uint64_t done_b = 0; done_b < c->length_b;) {
		uint64_t left_b = c->length_b - done_b;
		ssize_t n = pread(c->file_fd, inbox, left_b < LOOP_SCRATCH_B ? (size_t)left_b : LOOP_SCRATCH_B,
		                  (off_t)(c->offset_b + done_b));
		if (n <= 0 || !blob_add(f->blob, str_make(inbox, (size_t)n)))
			return false;
		done_b += (uint64_t)n;
	}
	return true;
}

static bool add_chunk(struct fill *f, const struct chunk *c)
{
	return c->file_fd < 0 ? blob_add(f->blob, c->bytes) : add_range(f, c);
}

static void flow_look(struct timer *t)
{
	struct fill *f = container_of(t, struct fill, timer);
	loop_queue(&home_of(f)->loop, &f->task);
}

/* It turned out to be larger than what is kept: it goes on for those who read it, at the pace of the slowest, and what all
 * have read is forgotten.  False: that has to be waited for. */
static bool may_flow(struct fill *f)
{
	struct home *h = home_of(f);
	uint64_t size_b = blob_size_b(f->blob), slowest_b = growth_slowest_b(f->growth);
	if (size_b <= f->rules->object_b)
		return true;
	if (f->keeps)
		growth_close(f->growth);
	f->keeps = false;
	blob_trim(f->blob, slowest_b < size_b ? slowest_b : size_b);
	if (slowest_b == UINT64_MAX || size_b - slowest_b < FLOW_MOST_B)
		return true;
	timer_set(&h->loop.wheel, &f->timer, h->loop.now_ms + FLOW_MS);
	return false;
}

/* GO_NEXT: all of it is there. */
static enum go pull(struct fill *f)
{
	struct body *body = f->req.answer.body;
	uint64_t begun_b = blob_size_b(f->blob);
	struct chunk c;
	while (body && blob_size_b(f->blob) - begun_b < TURN_MOST_B) {
		if (!may_flow(f))
			return GO_WAIT;
		switch (body_read(body, &c, PIECE_B)) {
		case BODY_SOME:
			if (!add_chunk(f, &c))
				return GO_FAIL;
			break;
		case BODY_LATER:
			return GO_WAIT;
		case BODY_END:
			return GO_NEXT;
		case BODY_BROKEN:
			return GO_FAIL;
		}
	}
	if (!body)
		return GO_NEXT;
	loop_queue(&home_of(f)->loop, &f->task);
	return GO_WAIT;
}

/* Kept as it came, or, where it is small, in one block with its head. */
static struct page *whole_page(struct fill *f)
{
	struct page *page = page_whole(f->head, f->cache->store, f->blob, INLINE_MOST_B);
	if (growth_state(f->growth) == GROWTH_ASKED)
		object_put(home_of(f)->epoch, &f->head->object);
	f->head = NULL;
	return page;
}

static void keep(struct fill *f)
{
	struct page *page = whole_page(f);
	if (page->image.body_b <= f->rules->object_b)
		keep_page(f, page);
	fill_end(f, GROWTH_WHOLE, page, 0, END_DONE);
}

/* As long as promised, or it is not the whole. */
static bool is_whole(const struct fill *f)
{
	int64_t length_b = f->req.answer.length_b;
	return length_b == LENGTH_UNKNOWN || !f->req.answer.body || (uint64_t)length_b == blob_size_b(f->blob);
}

static void show_head(struct fill *f)
{
	if (growth_state(f->growth) != GROWTH_ASKED) {
		growth_more(f->growth);
		return;
	}
	blob_get(f->blob);
	growth_head(f->growth, &f->head->object, f->blob);
}

static enum go take_in(struct fill *f)
{
	enum go go = pull(f);
	if (go == GO_NEXT && is_whole(f)) {
		keep(f);
		return GO_NEXT;
	}
	if (go == GO_WAIT) {
		show_head(f);
		return GO_WAIT;
	}
	counter_add(&counts(f)->not_stored, 1);
	f->keeps = false;
	if (growth_state(f->growth) == GROWTH_ASKED)
		object_put(home_of(f)->epoch, &f->head->object);
	fill_end(f, growth_state(f->growth) == GROWTH_ASKED ? GROWTH_FAILED : GROWTH_CUT, NULL, 502, END_SERVER_BROKE);
	return GO_FAIL;
}

static enum go fill_send(struct req *r)
{
	struct fill *f = r->fill;
	if (f->handed)
		return f->heir ? GO_WAIT : GO_FAIL;
	enum go go = f->decided ? GO_NEXT : decide_all(f);
	if (go == GO_NEXT)
		return take_in(f);
	return go == GO_ANSWER ? GO_NEXT : go;
}

/* --- The machine. --- */

/* GO_ANSWER: it is over. */
static enum go ask_origin(struct fill *f)
{
	if (!f->entered) {
		f->entered = true;
		f->came.asked_ms = purges_now_ms(f->cache->purges, home_wall_ms(home_of(f)));
		if (f->stale)
			add_conditions(f);
		counter_add(&counts(f)->fills, 1);
	}
	return req_run(&f->req) ? GO_ANSWER : GO_WAIT;
}

static enum go (*const PARTS[])(struct fill *) = {
	[FILL_SHELF] = ask_shelf, [FILL_CLUSTER] = ask_cluster, [FILL_LINE] = stand_in_line, [FILL_ORIGIN] = ask_origin,
};

static void fill_run(struct task *t)
{
	struct fill *f = container_of(t, struct fill, task);
	for (;;) {
		enum go go = PARTS[f->at](f);
		if (go == GO_WAIT)
			return;
		if (go == GO_ANSWER) {
			fill_free(f);
			return;
		}
		f->at++;
		f->entered = false;
	}
}

void fill_begin(struct req *r, const struct fill_wish *w, struct fill **heir)
{
	struct arena arena;
	arena_init(&arena, NULL, 0);
	struct fill *f = arena_raw(&arena, sizeof *f);
	memset(f, 0, offsetof(struct fill, req) + offsetof(struct req, first));
	arena_init(&f->req.arena, f->req.first, sizeof f->req.first);
	arena_take(&f->req.arena, &arena);
	task_init(&f->task, fill_run);
	timer_init(&f->timer, flow_look);
	link_init(&f->link);
	link_add(&r->home->fetches, &f->link);
	f->rules = w->rules;
	f->cache = w->rules->cache;
	f->url = arena_str(&f->req.arena, w->url);
	f->base = arena_str(&f->req.arena, w->base);
	f->sliced = w->sliced;
	f->slice = w->slice;
	f->key = arena_str(&f->req.arena, w->key);
	f->growth = w->growth;
	f->stale = w->stale;
	f->heir = heir;
	f->at = w->elsewhere ? FILL_SHELF : FILL_LINE;
	if (w->stale)
		object_get(&w->stale->object);
	make_request(f, r);
	if (heir)
		*heir = f;
	loop_queue(&r->home->loop, &f->task);
}

void fill_take(struct fill *f, struct req *r)
{
	struct req *from = &f->req;
	must(f->handed);
	r->answer = from->answer;
	r->answer.date = (struct str){};
	r->trip = from->trip;
	r->cause = from->cause;
	r->shed = from->shed;
	from->answer.body = NULL;
	if (r->answer.body)
		r->answer.body->reader = r->task;
	if (from->call)
		upstream_adopt(r, from->call);
	/* The answer lies in the fill's arena, as the fill itself does. */
	struct arena arena = from->arena;
	fill_release(f);
	home_conf_put(from->use);
	arena_take(&r->arena, &arena);
}

void fill_leave(struct fill *f)
{
	f->heir = NULL;
	if (f->handed)
		loop_queue(&home_of(f)->loop, &f->task);
}

void fills_cut(struct home *h)
{
	while (!link_alone(&h->fetches)) {
		struct fill *f = container_of(h->fetches.next, struct fill, link);
		if (f->heir)
			*f->heir = NULL;
		f->heir = NULL;
		link_del(&f->link);
		if (f->at == FILL_ORIGIN && f->req.step < STEP_DONE) {
			req_abort(&f->req, END_DRAIN);
			fill_free(f);
		}
	}
}
