/* cache: the gate before a route's handler that answers from what a cache has, and the head hook that says what became of
 * it.  Runs on the request's loop.
 *
 * A request that finds nothing good enough joins whoever fetches the page already, or begins a fill (http/fill.h); either
 * way it is a reader of what comes in.  The one that began it is the fill's heir: where the answer can't be shared, it is
 * his.  Everything that goes by the cache goes on to the handler as if there were none. */
#include <errno.h>

#include "base/mem.h"
#include "base/must.h"
#include "handlers/cache_in.h"
#include "handlers/handlers.h"
#include "http/check.h"
#include "http/memcached.h"
#include "http/fill.h"
#include "http/serve.h"
#include "http/slices.h"
#include "http/tags.h"
#include "http/vary.h"
#include "http/visit.h"
#include "net/addr.h"

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

static bool cache_active(const void *values)
{
	const struct cache_values *v = values;
	return v->rules;
}

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

static enum go goes_by(struct visit *v, enum cached cached, enum forward forward, enum stored why)
{
	v->status.cached = cached;
	v->status.forward = forward;
	v->status.why = why;
	return GO_NEXT;
}

/* The look is over, and the request goes to its handler. */
static enum go go_on(struct look *l, enum cached cached, enum forward forward, enum stored why)
{
	struct visit *v = l->visit;
	look_close(l->req, l);
	return goes_by(v, cached, forward, why);
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
	struct slice_range is;
	enum go go = slice_of(p, &is) ? answer_slices(r, l->rules, l->visit->base, l->visit->base, p) : answer_page(r, p);
	/* What a loop finds in the store may be looked at until its turn ends; what was brought to us may not. */
	if (l->growth || l->stale)
		answer_hold(r, &p->object, true);
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
	if (growths_join(l->cache->growths, l->key, l->hash, &g) == ROLE_READER) {
		growth_put(g);
		return;
	}
	struct fill_wish wish = wish_of(l, g, p);
	fill_begin(l->req, &wish, NULL);
}

static void join(struct look *l)
{
	struct req *r = l->req;
	enum role role = growths_join(l->cache->growths, l->key, l->hash, &l->growth);
	l->seat = growth_sit(l->growth, &r->home->loop.mailbox, look_wake, l);
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

/* Others took too long. */
static enum go give_up(struct look *l)
{
	enum go go;
	counter_add(&counts(l)->waits_late, 1);
	return answer_stale(l, &go) ? go : go_on(l, CACHED_MISS, l->visit->status.forward, STORED_YES);
}

/* The answer is for this request alone. */
static enum go inherit(struct look *l, enum cached cached, enum stored why)
{
	struct req *r = l->req;
	struct visit *v = l->visit;
	struct fill *f = l->fill;
	l->fill = NULL;
	look_close(r, l);
	goes_by(v, cached, v->status.forward ? v->status.forward : FORWARD_URI_MISS, why);
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

static enum go wait_for(struct look *l)
{
	enum go go;
	for (;;) {
		switch (growth_state(l->growth)) {
		case GROWTH_ASKED:
			if (l->late)
				return give_up(l);
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

/* --- Which requests. --- */

struct tag_purge {
	struct cache *cache;
	struct mailbox *to;
	bool soft, any;
};

static void purge_tag(void *arg, struct str tag)
{
	struct tag_purge *p = arg;
	p->any = true;
	must(cache_purge(p->cache, p->to, PURGE_TAG, tag, p->soft, NULL) == 0);
}

bool cache_is_purge(const struct ask *a)
{
	return str_eq(a->method_name, STR("PURGE"));
}

bool cache_may_purge(const struct req *r, const struct cache_rules *rules)
{
	const struct network *networks = rules->purge_from.p;
	for (size_t i = 0; i < rules->purge_from.count; i++)
		if (network_has(&networks[i], &r->peer))
			return true;
	return false;
}

static bool is_soft(const struct ask *a)
{
	for (size_t i = 0; i < a->field_count; i++)
		if (str_eq_nocase(a->fields[i].name, STR("Soft-Purge")))
			return str_eq(a->fields[i].value, STR("1"));
	return false;
}

static enum go purge(struct req *r, const struct cache_rules *rules, struct str key)
{
	if (!cache_may_purge(r, rules))
		return req_answer_why(r, rules->purge_from.count ? 403 : 405, "PURGE is not taken from here.");
	const struct ask *a = &r->ask;
	struct tag_purge tags = { .cache = rules->cache, .to = &r->home->loop.mailbox, .soft = is_soft(a) };
	tags_each(a->fields, a->field_count, purge_tag, &tags);
	if (!tags.any)
		must(cache_purge(rules->cache, tags.to, PURGE_URL, key, tags.soft, NULL) == 0);
	counter_add(&cache_count(rules->cache, r->home)->purges, 1);
	answer_bytes(r, 200, STR("application/json"),
	             arena_strf(&r->arena, "{\"purged\":\"%s\",\"soft\":%s}\n", tags.any ? "tags" : "url",
	                        tags.soft ? "true" : "false"));
	return GO_ANSWER;
}

static bool is_bypassed(struct req *r, const struct cache_rules *rules)
{
	for (size_t i = 0; i < rules->bypass.count; i++)
		if (cache_condition((const struct tmpl *)rules->bypass.p + i, r))
			return true;
	return false;
}

static bool is_safe(const struct ask *a)
{
	return a->method == METHOD_OPTIONS || a->method == METHOD_TRACE;
}

enum go cache_sort(struct req *r, struct visit *v)
{
	const struct ask *a = &r->ask;
	if (a->method != METHOD_GET && a->method != METHOD_HEAD) {
		v->invalidates = !is_safe(a);
		return goes_by(v, CACHED_BYPASS, FORWARD_METHOD, STORED_METHOD);
	}
	if (a->framing != FRAMING_NONE || a->first[FIELD_UPGRADE])
		return goes_by(v, CACHED_BYPASS, FORWARD_BYPASS, STORED_ADDRESSED);
	if (!v->base.n || is_bypassed(r, v->rules))
		return goes_by(v, CACHED_BYPASS, FORWARD_BYPASS, v->base.n ? STORED_CONDITION : STORED_HEAD);
	return GO_WAIT;
}

static struct look *look_new(struct req *r, struct visit *v)
{
	struct look *l = ARENA_NEW(&r->arena, struct look);
	l->req = r;
	l->visit = v;
	l->rules = v->rules;
	l->cache = v->rules->cache;
	l->base = l->key = v->rules->slice_b ? slice_key(&r->arena, v->base, 0) : v->base;
	l->hash = store_hash(l->cache->store, l->key);
	timer_init(&l->timer, look_late);
	r->state = l;
	r->state_close = look_close;
	v->status.forward = FORWARD_URI_MISS;
	return l;
}

static enum go cache_gate(struct req *r, const void *values)
{
	const struct cache_values *v = values;
	struct look *l = r->state;
	/* A fill's own way, where it was sent on to another route. */
	if (r->fill)
		return GO_NEXT;
	if (!l) {
		struct visit *visit = r->visit = ARENA_NEW(&r->arena, struct visit);
		visit->rules = v->rules;
		visit->status.ttl_s = INT64_MIN;
		visit->base = cache_key(v->rules, r);
		if (cache_is_purge(&r->ask))
			return purge(r, v->rules, visit->base);
		enum go go = cache_sort(r, visit);
		if (go != GO_WAIT)
			return go;
		l = look_new(r, visit);
		go = look_up(l);
		if (go != GO_WAIT)
			return go;
	}
	return wait_for(l);
}

/* --- What became of it. --- */

/* What is stored under the URL of an unsafe request that succeeded, and what that says it changed on the same host, is out
 * of date (RFC 9111, 4.4). */
static void invalidate(struct req *r, const struct visit *v)
{
	static const struct str FIELDS[] = { { "Location", 8 }, { "Content-Location", 16 } };
	struct cache *c = v->rules->cache;
	counter_add(&cache_count(c, r->home)->invalidated, 1);
	must(cache_purge(c, &r->home->loop.mailbox, PURGE_URL, v->base, false, NULL) == 0);
	for (size_t i = 0; i < countof(FIELDS); i++) {
		struct buf key = {};
		struct str url = answer_field(r, FIELDS[i]);
		if (url.n && cache_key_of_location(v->rules, r, url, &key))
			must(cache_purge(c, &r->home->loop.mailbox, PURGE_URL, buf_str(&key), false, NULL) == 0);
		buf_fini(&key);
	}
}

/* It was known not to be storable, and now is: the next request stores it. */
static void reconsider(struct req *r, const struct visit *v)
{
	struct image image;
	uint64_t now_ms = home_wall_ms(r->home);
	struct came came = { .ask = &r->ask, .status = r->answer.status, .fields = r->answer.fields,
		             .field_count = r->answer.field_count, .asked_ms = now_ms, .came_ms = now_ms };
	struct store *s = v->rules->cache->store;
	uint64_t hash = store_hash(s, v->base);
	struct object *o = store_find(s, v->base, hash);
	if (o && page_of(o)->image.flags & IMAGE_PASS && r->ask.method == METHOD_GET &&
	    freshness_store(&came, &v->rules->fresh, &image) == STORED_YES)
		store_drop(s, v->base, hash);
}

static void drop_tags(struct req *r)
{
	static const struct str NAMES[] = { { "Surrogate-Key", 13 }, { "Cache-Tag", 9 }, { "xkey", 4 } };
	for (size_t i = 0; i < countof(NAMES); i++)
		answer_remove(r, NAMES[i]);
}

static enum go cache_head(struct req *r, const void *values)
{
	(void)values;
	struct visit *v = r->visit;
	if (!v || v->said)
		return GO_NEXT;
	v->said = true;
	struct cache_status *s = &v->status;
	counter_add(&cache_count(v->rules->cache, r->home)->got[s->cached], 1);
	if (v->invalidates && r->answer.status < 400)
		invalidate(r, v);
	if (s->cached == CACHED_PASS)
		reconsider(r, v);
	if (s->cached >= CACHED_PASS)
		drop_tags(r);
	if (v->rules->show_key)
		s->key = v->base;
	answer_add(r, STR("Cache-Status"), cache_status_print(&r->arena, s));
	return GO_NEXT;
}

/* --- Configuration. --- */

static struct cache_rules *rules_of(const struct cache_values *v, struct str name)
{
	struct cache_rules *all = v->caches.p;
	for (size_t i = 0; i < v->caches.count; i++)
		if (str_eq(all[i].name, name))
			return &all[i];
	return NULL;
}

const struct cache_rules *cache_rules_find(const struct conf *c, struct str name)
{
	for (size_t i = 0; c && i < c->module_count; i++)
		if (c->modules[i] == &CACHE)
			return rules_of(c->values[i], name);
	return NULL;
}

static void check_names(struct checker *c, struct cache_values *v)
{
	struct cache_rules *all = v->caches.p;
	for (size_t i = 0; i < v->caches.count; i++) {
		cache_rules_check(c, &all[i]);
		if (rules_of(v, all[i].name) != &all[i])
			check_error(c, &all[i].name, "there is a cache \"%.*s\" already", STR_F(all[i].name));
	}
}

static void cache_check(struct checker *c, void *values)
{
	struct cache_values *v = values;
	if (check_scope(c) == SCOPE_MAIN)
		check_names(c, v);
	if (!check_was_set(c, &v->name))
		return;
	v->rules = rules_of(v, v->name);
	if (v->rules || str_eq(v->name, STR("off")))
		return;
	check_error(c, &v->name, "there is no cache \"%.*s\"", STR_F(v->name));
	check_hint(c, "it is defined outside of all sites: cache %.*s { memory 256m; }", STR_F(v->name));
}

static void cache_open(void *values, const struct commons *with)
{
	struct cache_values *v = values;
	struct cache_rules *all = v->caches.p;
	for (size_t i = 0; i < v->caches.count; i++) {
		if (all[i].cache)
			continue;
		all[i].memcached = all[i].shared ? all[i].shared->memcached : NULL;
		all[i].cache = caches_get(with->caches, &all[i], with);
	}
}

static void cache_close(void *values, const struct commons *with)
{
	(void)with;
	struct cache_values *v = values;
	struct cache_rules *all = v->caches.p;
	for (size_t i = 0; i < v->caches.count; i++) {
		if (all[i].cache)
			cache_put(all[i].cache);
		all[i].cache = NULL;
	}
}

static const struct directive DIRECTIVES[] = {
	{ .name = "cache", .kind = DIR_LIST, .scopes = SCOPE_MAIN, .offset = offsetof(struct cache_values, caches),
	  .item_size = sizeof(struct cache_rules),
	  .args = ARGS({ "name", &TYPE_WORD, offsetof(struct cache_rules, name) }), .inner = CACHE_ROWS,
	  .doc = "A cache of pages from any handler, by the name that routes use it by: in memory, and where wished on "
	         "disk and "
	         "in memcached.",
	  .example = "cache pages {\n    memory 512m;\n    disk   /var/cache/petrel 20g;\n"
	             "    stale  revalidate 30s error 1h;\n    ignore_query utm_* fbclid;\n}" },
	{ .name = "cache", .scopes = SCOPE_SITE | SCOPE_ROUTE,
	  .args = ARGS({ "name", &TYPE_WORD, offsetof(struct cache_values, name) }),
	  .doc = "Answers of the handler are kept in this cache where they may be, and served from it. off: not here.",
	  .example = "route *.php { cache pages; fastcgi php; }" },
	{},
};

static struct str cache_folder(const void *values, size_t i)
{
	const struct cache_values *v = values;
	const struct cache_rules *all = v->caches.p;
	for (size_t k = 0; k < v->caches.count; k++)
		if (all[k].folder.n && !i--)
			return all[k].folder;
	return (struct str){};
}

const struct module CACHE = {
	.name = "cache",
	.doc = "Pages from any handler are kept as RFC 9111 says, and served from memory. One request fetches a page "
	       "for all who "
	       "want it. Cache-Status (RFC 9211) says of each answer what became of it.",
	.size = sizeof(struct cache_values),
	.directives = DIRECTIVES,
	.active = cache_active,
	.gate = cache_gate,
	.explain = cache_explain,
	.on_head = cache_head,
	.check = cache_check,
	.folder = cache_folder,
	.open = cache_open,
	.close = cache_close,
};
