/* Looks: see look.h.  Each is a machine of its request's gate: what there is, who brings it, what came of that.  In the
 * request's arena, on its loop. */
#include "http/look.h"

#include "base/mem.h"
#include "http/fill.h"
#include "http/serve.h"
#include "http/slices.h"
#include "http/vary.h"

enum { HOPS_MOST = 4 };  /* looks at what others brought, before a request asks for itself */

/* A request that wants a page: between its turns. */
struct look {
	struct req *req;
	struct visit *visit;
	const struct cache_rules *rules;
	struct cache *cache;
	struct str base, key;
	uint64_t hash;                     /* of the key */
	struct growth *growth;             /* counted, with a seat in it; NULL */
	struct growth_seat *seat;
	struct fill *fill;                 /* which we are the heir of; NULL */
	struct page *stale;                /* counted: what there is; NULL */
	struct timer timer;                /* for as long as we wait for others */
	bool late;
	bool fetched;                      /* what is in the store now came for us */
	unsigned hops;
};

static struct cache_counts *counts(const struct look *l)
{
	return cache_count(l->cache, l->req->home);
}

/* --- Its memory. --- */

static void stand_up(struct look *l)
{
	if (l->seat)
		growth_leave(l->seat);
	if (l->growth)
		growth_put(l->growth);
	l->seat = NULL;
	l->growth = NULL;
}

static void forget_stale(struct look *l)
{
	if (l->stale)
		object_put(l->cache->epoch, &l->stale->object);
	l->stale = NULL;
}

static void look_close(struct req *r, void *state)
{
	(void)r;
	struct look *l = state;
	timer_stop(&l->timer);
	if (l->fill)
		fill_leave(l->fill);
	l->fill = NULL;
	stand_up(l);
	forget_stale(l);
}

static void look_wake(void *arg)
{
	struct look *l = arg;
	loop_queue(&l->req->home->loop, l->req->task);
}

static void look_late(struct timer *t)
{
	struct look *l = container_of(t, struct look, timer);
	l->late = true;
	look_wake(l);
}

/* --- What is said about it. --- */

/* The look is over, and the request goes to its handler. */
static enum go go_on(struct look *l, enum cached cached, enum forward forward, enum stored why)
{
	struct visit *v = l->visit;
	look_close(l->req, l);
	return visit_goes_by(v, cached, forward, why);
}

static int64_t ttl_of(const struct page *p, uint64_t wall_ms)
{
	return (int64_t)p->image.fresh_s - (int64_t)page_age_s(p, wall_ms);
}

/* p stays borrowed for the turn: the look's own references may go. */
static enum go answer_with(struct look *l, struct page *p, enum cached cached)
{
	struct req *r = l->req;
	struct cache_status *s = &l->visit->status;
	s->cached = cached;
	if (cached == CACHED_HIT || cached == CACHED_STALE)
		s->forward = FORWARD_NONE;
	s->ttl_s = ttl_of(p, home_wall_ms(r->home));
	counter_add(&counts(l)->hit_b, p->image.body_b);
	struct slice_range is = {};
	enum go go = slice_of(p, &is) ? answer_slices(r, l->rules, l->visit->base, l->visit->base, p) : answer_page(r, p);
	/* What a loop finds in the store may be looked at until its turn ends; what was brought to us may not. */
	bool brought = l->growth || l->stale;
	/* A thing's head is that of its first slice, whose turn is over before the others'. */
	if (brought || is.total_b)
		answer_hold(r, &p->object, brought);
	look_close(r, l);
	return go;
}

/* --- What there is. --- */

enum found { FOUND_ANSWER, FOUND_STALE, FOUND_NOTHING, FOUND_ELSEWHERE, FOUND_PASS };

static void take_stale(struct look *l, struct page *p)
{
	if (l->stale == p)
		return;
	forget_stale(l);
	object_get(&p->object);
	l->stale = p;
}

/* By the fields that the answers under this URL depend on. */
static enum found follow_vary(struct look *l, struct page *p)
{
	struct req *r = l->req;
	struct str key;
	if (vary_key(&r->arena, l->base, page_field(p, STR("Vary")), &r->ask, &key))
		return FOUND_PASS;
	bool again = !str_eq(key, l->key);
	l->key = key;
	l->hash = store_hash(l->cache->store, key);
	l->visit->status.forward = FORWARD_VARY_MISS;
	return again ? FOUND_ELSEWHERE : FOUND_NOTHING;
}

static bool is_mark(const struct page *p)
{
	return p->image.flags & (IMAGE_PASS | IMAGE_VARY);
}

static enum found judge_mark(struct look *l, struct page *p)
{
	if (p->image.flags & IMAGE_VARY)
		return follow_vary(l, p);
	if (p->image.flags & IMAGE_ALONE && !ask_tells(&l->req->ask))
		return FOUND_NOTHING;
	return ttl_of(p, home_wall_ms(l->req->home)) > 0 ? FOUND_PASS : FOUND_NOTHING;
}

static void refresh_behind(struct look *l, struct page *p);

/* What this page means to this request; on FOUND_ANSWER it is answered with. */
static enum found judge(struct look *l, struct page *p, enum go *go)
{
	struct req *r = l->req;
	enum purged purged = page_purged(p, l->cache->purges);
	if (purged == PURGED_HARD)
		return FOUND_NOTHING;
	if (is_mark(p))
		return purged ? FOUND_NOTHING : judge_mark(l, p);
	enum use use = freshness_use(p, &r->ask, &l->rules->fresh, home_wall_ms(r->home), purged == PURGED_SOFT);
	if (use == USE_STALE)
		refresh_behind(l, p);
	if (use == USE_FRESH || use == USE_STALE) {
		*go = answer_with(l, p, l->fetched ? CACHED_MISS : use == USE_FRESH ? CACHED_HIT : CACHED_STALE);
		return FOUND_ANSWER;
	}
	take_stale(l, p);
	l->visit->status.forward = use == USE_NOT ? FORWARD_REQUEST : FORWARD_STALE;
	return FOUND_STALE;
}

static enum found look_in_store(struct look *l, enum go *go)
{
	struct store *s = l->cache->store;
	for (unsigned i = 0; i < HOPS_MOST; i++) {
		struct object *o = store_find(s, l->key, l->hash);
		if (!o)
			return FOUND_NOTHING;
		enum found found = judge(l, page_of(o), go);
		if (l->cache->shelf && (found == FOUND_ANSWER || found == FOUND_ELSEWHERE))
			shelf_seen(l->cache->shelf, l->req->home, page_of(o));
		if (found != FOUND_ELSEWHERE)
			return found;
	}
	return FOUND_NOTHING;
}

/* --- Fetching. --- */

static struct fill_wish wish_of(const struct look *l, struct growth *g, struct page *stale)
{
	return (struct fill_wish){ .rules = l->rules, .url = l->visit->base, .base = l->base, .key = l->key, .growth = g,
		                   .stale = stale, .elsewhere = !stale, .sliced = l->rules->slice_b };
}

/* Asks for it anew, while this request gets what there is. */
static void refresh_behind(struct look *l, struct page *p)
{
	struct growth *g;
	if (!fill_may_be_behind(l->cache))
		return;
	if (growths_join(l->cache->growths, l->key, l->hash, page_hash(l->visit->base), NULL, &g) == ROLE_READER) {
		growth_put(g);
		return;
	}
	struct fill_wish wish = wish_of(l, g, p);
	wish.behind = true;
	fill_begin(l->req, &wish, NULL);
}

static void join(struct look *l)
{
	struct req *r = l->req;
	l->seat = growth_seat_new(&r->home->loop.mailbox, look_wake, l);
	uint64_t mark = page_hash(l->visit->base);
	enum role role = growths_join(l->cache->growths, l->key, l->hash, mark, l->seat, &l->growth);
	timer_set(&r->home->loop.wheel, &l->timer, r->home->loop.now_ms + l->rules->wait_ms);
	l->visit->status.collapsed = role == ROLE_READER;
	if (role == ROLE_READER)
		return;
	struct fill_wish wish = wish_of(l, l->growth, l->stale);
	growth_get(l->growth);
	fill_begin(r, &wish, &l->fill);
}

static bool asked_too_rarely(const struct look *l)
{
	return l->rules->uses > 1 && !l->stale && sketch_add(l->cache->sketch, l->hash) < l->rules->uses;
}

/* GO_WAIT: joined. */
static enum go look_up(struct look *l)
{
	struct req *r = l->req;
	enum go go = GO_NEXT;
	switch (look_in_store(l, &go)) {
	case FOUND_ANSWER:
		return go;
	case FOUND_PASS:
		return go_on(l, CACHED_PASS, FORWARD_URI_MISS, STORED_YES);
	case FOUND_STALE:
	case FOUND_NOTHING:
	case FOUND_ELSEWHERE:
		break;
	}
	if (freshness_only_if_cached(&r->ask, &l->rules->fresh)) {
		look_close(r, l);
		return req_answer_why(r, 504, "It is not in the cache, and nothing else was asked for.");
	}
	if (asked_too_rarely(l))
		return go_on(l, CACHED_MISS, FORWARD_URI_MISS, STORED_USES);
	join(l);
	return GO_WAIT;
}

/* --- What came of it. --- */

static bool answer_stale(struct look *l, enum go *go)
{
	struct req *r = l->req;
	if (!l->stale || !freshness_use_if_error(l->stale, &r->ask, &l->rules->fresh, home_wall_ms(r->home)))
		return false;
	*go = answer_with(l, l->stale, CACHED_STALE);
	return true;
}

/* Others took too long.  Who asked for it himself gains nothing by asking again. */
static enum go give_up(struct look *l)
{
	enum go go;
	l->late = false;
	if (!answer_stale(l, &go)) {
		if (l->fill && fill_asks(l->fill))
			return GO_WAIT;
		go = go_on(l, CACHED_MISS, l->visit->status.forward, STORED_YES);
	}
	counter_add(&counts(l)->waits_late, 1);
	return go;
}

/* The answer is for this request alone. */
static enum go inherit(struct look *l, enum cached cached, enum stored why)
{
	struct req *r = l->req;
	struct visit *v = l->visit;
	struct fill *f = l->fill;
	l->fill = NULL;
	look_close(r, l);
	visit_goes_by(v, cached, v->status.forward ? v->status.forward : FORWARD_URI_MISS, why);
	fill_take(f, r);
	return GO_ANSWER;
}

static enum go failed(struct look *l)
{
	struct req *r = l->req;
	enum go go;
	if (answer_stale(l, &go))
		return go;
	if (l->fill)
		return inherit(l, CACHED_MISS, STORED_YES);
	int reason;
	unsigned status = growth_status(l->growth, &reason);
	go_on(l, CACHED_MISS, FORWARD_URI_MISS, STORED_YES);
	r->cause = (enum end)reason;
	return status == 503 ? req_shed(r, r->cause) : req_answer(r, status ? status : 502);
}

static enum go passed(struct look *l)
{
	int reason;
	enum stored why = (enum stored)growth_status(l->growth, &reason);
	return l->fill ? inherit(l, CACHED_PASS, why) : go_on(l, CACHED_PASS, FORWARD_URI_MISS, why);
}

/* Somebody brought something from another tier, or found that it stands under another key.  GO_WAIT: there is another
 * growth to wait for. */
static enum go look_again(struct look *l)
{
	enum go go;
	struct object *o = growth_object(l->growth);
	enum found found = o ? judge(l, page_of(o), &go) : FOUND_ELSEWHERE;
	if (found == FOUND_ANSWER)
		return go;
	if (!o) {
		forget_stale(l);
		l->key = l->base;
		l->hash = store_hash(l->cache->store, l->key);
		l->fetched = true;
	}
	stand_up(l);
	if (found == FOUND_PASS || l->hops++ == HOPS_MOST)
		return go_on(l, CACHED_PASS, FORWARD_MISS, STORED_YES);
	if (found == FOUND_ELSEWHERE)
		return look_up(l);
	join(l);
	return GO_WAIT;
}

static enum go read_on(struct look *l)
{
	struct req *r = l->req;
	struct growth_seat *seat = l->seat;
	l->visit->status.cached = l->visit->status.collapsed ? CACHED_JOINED : CACHED_MISS;
	l->visit->status.stored = true;
	l->visit->status.ttl_s = ttl_of(page_of(growth_object(l->growth)), home_wall_ms(r->home));
	l->seat = NULL;
	enum go go = answer_growth(r, page_of(growth_object(l->growth)), l->growth, seat);
	look_close(r, l);
	return go;
}

/* What was just fetched is good for all who waited for it, however short its life. */
static enum go answer_whole(struct look *l)
{
	int reason;
	struct cache_status *s = &l->visit->status;
	bool renewed = growth_status(l->growth, &reason) == 304;
	s->stored = !renewed;
	s->origin_status = renewed ? 304 : 0;
	return answer_with(l, page_of(growth_object(l->growth)),
	                   renewed ? CACHED_RENEWED : s->collapsed ? CACHED_JOINED : CACHED_MISS);
}

enum go look_on(struct look *l)
{
	enum go go;
	for (;;) {
		switch (growth_state(l->growth)) {
		case GROWTH_ASKED:
			go = l->late ? give_up(l) : GO_WAIT;
			if (go != GO_WAIT)
				return go;
			if (growth_wait(l->seat, GROWTH_ASKED, 0))
				return GO_WAIT;
			break;
		case GROWTH_BYTES:
			if (page_of(growth_object(l->growth))->image.status != 206)
				return read_on(l);
			/* A slice is waited for: the answer is more than that. */
			if (growth_wait(l->seat, GROWTH_BYTES, UINT64_MAX))
				return GO_WAIT;
			break;
		case GROWTH_WHOLE:
			return answer_whole(l);
		case GROWTH_AGAIN:
			go = look_again(l);
			if (go != GO_WAIT)
				return go;
			break;
		case GROWTH_PASS:
			return passed(l);
		case GROWTH_FAILED:
		case GROWTH_CUT:
			return failed(l);
		}
	}
}

/* --- Its begin. --- */

static struct str first_slice(struct req *r, const struct visit *v)
{
	char *room = arena_raw(&r->arena, v->base.n + SLICE_KEY_MORE_B);
	return slice_key(room, v->base, v->rules->slice_b, 0);
}

static struct look *look_new(struct req *r, struct visit *v)
{
	struct store *s = v->rules->cache->store;
	struct str key = v->rules->slice_b ? first_slice(r, v) : v->base;
	uint64_t hash = store_hash(s, key);
	store_expect(s, hash);
	struct look *l = ARENA_NEW(&r->arena, struct look);
	l->req = r;
	l->visit = v;
	l->rules = v->rules;
	l->cache = v->rules->cache;
	l->base = l->key = key;
	l->hash = hash;
	timer_init(&l->timer, look_late);
	r->state = l;
	r->state_close = look_close;
	v->status.forward = FORWARD_URI_MISS;
	return l;
}

enum go look_begin(struct req *r, struct visit *v)
{
	struct look *l = look_new(r, v);
	enum go go = look_up(l);
	return go == GO_WAIT ? look_on(l) : go;
}
