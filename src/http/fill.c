/* The machine of a fill, the tiers it asks, its place in the line, its heir and its end.  See fill_in.h. */
#include "http/fill.h"

#include "base/mem.h"
#include "base/must.h"
#include "http/fill_in.h"
#include "http/upstream.h"

enum {
	BEHIND_MOST = 2048,    /* fills of a cache that nobody waits for */
	LINE_LOOK_MS = 1000,
};

/* --- Its end. --- */

void fill_end(struct fill *f, enum growing how, struct page *page, unsigned status, enum end reason)
{
	must(!f->ended);
	f->ended = true;
	growth_end(f->growth, how, page ? &page->object : NULL, status, (int)reason);
	if (f->cluster.over && !f->keeps)
		cluster_give_up(f->rules->memcached, &f->cluster);
}

void fill_leave_line(struct fill *f)
{
	if (f->in_line)
		line_leave(f->cache->lines, &f->place);
	f->in_line = false;
}

static void let_go_of(struct fill *f, struct page **page)
{
	if (*page)
		object_put(fill_home(f)->epoch, &(*page)->object);
	*page = NULL;
}

/* All but its memory. */
static void fill_release(struct fill *f)
{
	if (!f->ended)
		fill_end(f, growth_state(f->growth) == GROWTH_ASKED ? GROWTH_FAILED : GROWTH_CUT, NULL, 502, END_BROKEN);
	if (f->heir)
		*f->heir = NULL;
	fill_leave_line(f);
	cluster_leave(&f->cluster);
	timer_stop(&f->timer);
	task_stop(&f->task);
	link_del(&f->link);
	growth_put(f->growth);
	let_go_of(f, &f->shelf.page);
	let_go_of(f, &f->cluster.page);
	let_go_of(f, &f->stale);
	if (f->blob)
		blob_put(f->blob);
	if (f->behind)
		atomic_fetch_sub_explicit(&f->cache->behind, 1, memory_order_relaxed);
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
static enum go found(struct fill *f, struct page **page)
{
	object_get(&(*page)->object);
	ever_add(f->cache->kept, page_hash(f->url));
	store_put(f->cache->store, &(*page)->object);
	fill_end(f, GROWTH_AGAIN, *page, 0, END_DONE);
	*page = NULL;
	return GO_ANSWER;
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
		f->shelf = (struct shelf_ask){ .home = fill_home(f), .store = f->cache->store, .task = &f->task, .key = f->key };
		if (!shelf_ask(shelf, &f->shelf, FILL_INLINE_MOST_B))
			return GO_WAIT;
	}
	if (!f->shelf.over)
		return GO_WAIT;
	return f->shelf.page && !is_gone(f, f->shelf.page) ? found(f, &f->shelf.page) : GO_NEXT;
}

/* It is for us to have it renewed.  Whoever waits looks at it meanwhile, as if it had been in memory: he may be content
 * with it, or hold it in case that its origin fails; and waits on for what comes of this. */
static enum go renew_behind(struct fill *f, struct page **page)
{
	struct growth *own = f->growth;
	object_get(&(*page)->object);
	object_get(&(*page)->object);
	ever_add(f->cache->kept, page_hash(f->url));
	store_put(f->cache->store, &(*page)->object);
	growth_end(own, GROWTH_AGAIN, &(*page)->object, 0, END_DONE);
	growth_put(own);
	f->stale = *page;
	*page = NULL;
	if (f->heir)
		*f->heir = NULL;
	f->heir = NULL;
	if (!f->behind)
		atomic_fetch_add_explicit(&f->cache->behind, 1, memory_order_relaxed);
	f->behind = true;
	uint64_t hash = store_hash(f->cache->store, f->key);
	f->ended = growths_join(f->cache->growths, f->key, hash, page_hash(f->url), NULL, &f->growth) == ROLE_READER;
	if (!f->ended)
		return GO_NEXT;
	cluster_give_up(f->rules->memcached, &f->cluster);
	return GO_ANSWER;
}

/* What memcached has.  GO_NEXT: its origin is asked. */
static enum go sort_shared(struct fill *f)
{
	struct cluster_ask *a = &f->cluster;
	if (is_gone(f, a->page))
		return GO_NEXT;
	if (a->got != CLUSTER_RENEW && (a->got == CLUSTER_FRESH || !f->stale || !f->heir)) {
		fill_shelve(f, a->page);
		return found(f, &a->page);
	}
	bool is_mark = a->page->image.flags & (IMAGE_PASS | IMAGE_VARY);
	return f->stale || is_mark ? GO_NEXT : renew_behind(f, &a->page);
}

static enum go ask_cluster(struct fill *f)
{
	struct cluster_ask *a = &f->cluster;
	const struct cache_rules *rules = f->rules;
	if (!rules->memcached)
		return GO_NEXT;
	if (!f->entered) {
		f->entered = true;
		*a = (struct cluster_ask){ .home = fill_home(f), .store = f->cache->store, .task = &f->task,
			                   .site = f->cache->name, .key = f->key, .fill_ms = rules->wait_ms };
		if (!cluster_ask(rules->memcached, a))
			return GO_WAIT;
	}
	if (!a->over)
		return GO_WAIT;
	return a->page ? sort_shared(f) : GO_NEXT;
}

/* --- The line of those that may ask an origin: for each backend one, so that who waits for an ill one is in nobody else's
 * way.  What petrel answers by itself has one, too. --- */

static struct str line_name(const struct fill *f)
{
	const struct outward *o = route_outward(f->req.route);
	return o ? o->backend->name : STR("");
}

static void line_came(struct mail *m)
{
	struct fill *f = container_of(m, struct fill, place.mail);
	f->in_line = true;
	timer_stop(&f->timer);
	loop_queue(&fill_home(f)->loop, &f->task);
}

/* Nobody is there any more who wanted it. */
static bool is_forsaken(const struct fill *f)
{
	return !f->behind && growth_forsaken(f->growth);
}

static void enter_line(struct fill *f)
{
	f->entered = true;
	f->place = (struct line_place){ .mail.deliver = line_came, .to = &fill_home(f)->loop.mailbox };
	f->in_line = line_enter(f->cache->lines, line_name(f), &f->place);
}

/* As long as a backend hangs nobody's turn comes: who stands there for nobody looks so himself, now and then. */
static enum go stand_in_line(struct fill *f)
{
	struct loop *l = &fill_home(f)->loop;
	if (!f->entered)
		enter_line(f);
	else if (is_forsaken(f) && (f->in_line || line_quit(f->cache->lines, &f->place)))
		return GO_ANSWER;
	if (f->in_line)
		return GO_NEXT;
	timer_set(&l->wheel, &f->timer, l->now_ms + LINE_LOOK_MS);
	return GO_WAIT;
}

/* --- Its request. --- */

enum go fill_hand_over(struct fill *f, enum growing how, unsigned status)
{
	/* A part is not what its client asked for. */
	f->handed = f->heir && !(f->sliced && (f->req.answer.status == 206 || f->req.answer.status == 416));
	fill_end(f, how, NULL, status, f->req.cause);
	return f->handed ? GO_WAIT : GO_FAIL;
}

static enum go fill_send(struct req *r)
{
	struct fill *f = r->fill;
	if (f->handed)
		return f->heir ? GO_WAIT : GO_FAIL;
	enum go go = f->decided ? GO_NEXT : fill_decide(f);
	if (go == GO_NEXT)
		return fill_take_in(f);
	return go == GO_ANSWER ? GO_NEXT : go;
}

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
	r->use = home_conf_share(from->use);
	r->site = from->site;
	r->route = from->route;
	r->captures = from->captures;
	for (size_t i = 0; i < r->captures.count; i++)
		r->captures.at[i] = arena_str(&r->arena, r->captures.at[i]);
	r->step = STEP_HANDLE;
	r->id = from->id;
	r->begin_ns = from->home->loop.now_ns;
	fill_copy_ask(f, from);
	r->upload = body_of_str(&r->arena, STR(""));
}

/* --- The machine. --- */

/* GO_ANSWER: it is over. */
static enum go ask_origin(struct fill *f)
{
	if (!f->entered) {
		f->entered = true;
		f->came.asked_ms = purges_now_ms(f->cache->purges, home_wall_ms(fill_home(f)));
		if (f->stale)
			fill_add_conditions(f);
		counter_add(&fill_counts(f)->fills, 1);
	}
	if (req_run(&f->req))
		return GO_ANSWER;
	/* It went on to another route, whose answer is not kept: its own backend's part is over. */
	if (f->req.again || f->req.passed)
		fill_leave_line(f);
	return GO_WAIT;
}

static enum go (*const PARTS[])(struct fill *) = {
	[FILL_SHELF] = ask_shelf, [FILL_CLUSTER] = ask_cluster, [FILL_LINE] = stand_in_line, [FILL_ORIGIN] = ask_origin,
};

static void fill_run(struct task *t)
{
	struct fill *f = container_of(t, struct fill, task);
	enum go go = f->cut ? GO_WAIT : GO_NEXT;
	while (go == GO_NEXT) {
		go = PARTS[f->at](f);
		if (go != GO_NEXT)
			break;
		f->at++;
		f->entered = false;
	}
	if (go == GO_ANSWER)
		fill_free(f);
	else if (f->req.answer.body)
		body_keep(f->req.answer.body, &(struct str){});
}

static void fill_look(struct timer *t)
{
	struct fill *f = container_of(t, struct fill, timer);
	loop_queue(&fill_home(f)->loop, &f->task);
}

bool fill_may_be_behind(const struct cache *c)
{
	return atomic_load_explicit(&c->behind, memory_order_relaxed) < BEHIND_MOST;
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
	timer_init(&f->timer, fill_look);
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
	f->behind = w->behind;
	if (w->behind)
		atomic_fetch_add_explicit(&f->cache->behind, 1, memory_order_relaxed);
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
	r->answer.hot = NULL;
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
		loop_queue(&fill_home(f)->loop, &f->task);
}

bool fill_asks(const struct fill *f)
{
	return f->at == FILL_ORIGIN;
}

/* Whether something is on its way to it, for which it has to be there. */
static bool is_awaiting(struct fill *f)
{
	if (f->at == FILL_SHELF)
		return f->entered && !f->shelf.over;
	return f->at == FILL_LINE && f->entered && !f->in_line && !line_quit(f->cache->lines, &f->place);
}

static void fill_cut(struct fill *f)
{
	f->cut = true;
	if (f->heir)
		*f->heir = NULL;
	f->heir = NULL;
	if (fill_asks(f))
		req_abort(&f->req, END_DRAIN);
	else
		fill_end(f, GROWTH_FAILED, NULL, 503, END_DRAIN);
	if (!is_awaiting(f))
		fill_free(f);
}

void fills_cut(struct home *h)
{
	for (struct link *l = h->fetches.next, *next; l != &h->fetches; l = next) {
		next = l->next;
		fill_cut(container_of(l, struct fill, link));
	}
}

void fills_free(struct home *h)
{
	while (!link_alone(&h->fetches))
		fill_free(container_of(h->fetches.next, struct fill, link));
}
