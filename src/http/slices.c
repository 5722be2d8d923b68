/* Slices: see slices.h. A body pulls one slice after the other: from the store, or from whoever fetches it; the
 * next one is fetched while this one is sent. On the request's loop. */
#include "http/slices.h"

#include "base/mem.h"
#include "base/must.h"
#include "base/num.h"
#include "http/fill.h"
#include "http/serve.h"

/* --- What a slice says of itself. --- */

static bool take_number(struct str *s, char end, uint64_t *out)
{
	size_t n = str_find(*s, end);
	struct str digits = str_head(*s, n);
	*s = str_from(*s, n < s->n ? n + 1 : n);
	return num_parse(digits, INT64_MAX, out) == 0;
}

bool slice_range_parse(struct str field, struct slice_range *out)
{
	uint64_t last_b;
	if (!str_starts(field, STR("bytes ")))
		return false;
	struct str rest = str_from(field, 6);
	if (!take_number(&rest, '-', &out->from_b) || !take_number(&rest, '/', &last_b) ||
	    num_parse(rest, INT64_MAX, &out->total_b))
		return false;
	out->length_b = last_b - out->from_b + 1;
	return out->from_b <= last_b && last_b < out->total_b;
}

bool slice_of(const struct page *p, struct slice_range *out)
{
	return p->image.status == 206 && slice_range_parse(page_field(p, STR("Content-Range")), out);
}

struct str slice_key(char *to, struct str key, uint64_t slice_b, uint64_t n)
{
	char *at = mempcpy(to, key.p, key.n);
	*at++ = '\2';
	at += num_print(at, slice_b);
	*at++ = '/';
	at += num_print(at, n);
	return str_make(to, (size_t)(at - to));
}

bool slice_has_version(const struct field *fields, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (str_eq_nocase(fields[i].name, STR("Last-Modified")))
			return true;
		if (str_eq_nocase(fields[i].name, STR("ETag")) && !str_starts(fields[i].value, STR("W/")))
			return true;
	}
	return false;
}

/* --- All slices of one thing. --- */

struct thing {
	struct req *req;
	const struct cache_rules *rules;
	struct str url, key;
	char *key_room;              /* for one key at a time: there may be tens of thousands of slices */
	uint64_t total_b;
	struct str etag, modified;   /* of the first slice; copies */
};

static struct str key_of(const struct thing *t, uint64_t n)
{
	return slice_key(t->key_room, t->key, t->rules->slice_b, n);
}

static bool belongs(const struct thing *t, const struct page *p, uint64_t n)
{
	struct slice_range is;
	return slice_of(p, &is) && is.from_b == n * t->rules->slice_b && is.total_b == t->total_b &&
	       (is.length_b == t->rules->slice_b || is.from_b + is.length_b == is.total_b) && p->image.body_b == is.length_b &&
	       str_eq(page_field(p, STR("ETag")), t->etag) && str_eq(page_field(p, STR("Last-Modified")), t->modified);
}

/* Borrowed for the turn; NULL: it is not there, or of another version. */
static struct page *find(const struct thing *t, struct str key, uint64_t n)
{
	struct cache *c = t->rules->cache;
	struct object *o = store_find(c->store, key, store_hash(c->store, key));
	return o && !page_purged(page_of(o), c->purges) && belongs(t, page_of(o), n) ? page_of(o) : NULL;
}

/* With a reference to who fetches it; seat: NULL, or who waits. */
static struct growth *fetch(const struct thing *t, struct str key, uint64_t n, struct growth_seat *seat)
{
	struct cache *c = t->rules->cache;
	struct growth *g;
	if (growths_join(c->growths, key, store_hash(c->store, key), page_hash(t->url), seat, &g) == ROLE_READER)
		return g;
	struct fill_wish wish = { .rules = t->rules, .url = t->url, .base = key, .key = key, .growth = g, .elsewhere = true,
		                  .sliced = true, .slice = n, .behind = !seat };
	growth_get(g);
	fill_begin(t->req, &wish, NULL);
	return g;
}

static uint64_t last_slice(const struct thing *t)
{
	return (t->total_b - 1) / t->rules->slice_b;
}

/* While this one is sent. */
static void fetch_next(const struct thing *t, uint64_t n, uint64_t end_b)
{
	if (n >= last_slice(t) || (n + 1) * t->rules->slice_b >= end_b)
		return;
	struct str key = key_of(t, n + 1);
	if (fill_may_be_behind(t->rules->cache) && !find(t, key, n + 1))
		growth_put(fetch(t, key, n + 1, NULL));
}

/* --- The body. --- */

struct slice_body {
	struct body body;
	const struct thing *thing;
	uint64_t at_b, end_b;
	struct page *page;           /* counted: the slice that at_b lies in; NULL: not there yet */
	struct body *inner;          /* what of it is to be sent */
	struct growth *growth;       /* counted: who fetches it; NULL */
	struct growth_seat *seat;
	bool fetched;                /* by us, once */
};

static struct slice_body *slice_body_of(struct body *b)
{
	return container_of(b, struct slice_body, body);
}

static void slice_wake(void *arg)
{
	struct slice_body *b = arg;
	if (b->body.reader)
		loop_queue(&b->thing->req->home->loop, b->body.reader);
}

static void stand_up(struct slice_body *b)
{
	if (b->seat)
		growth_leave(b->seat);
	if (b->growth)
		growth_put(b->growth);
	b->seat = NULL;
	b->growth = NULL;
}

static void put_page(struct slice_body *b)
{
	if (b->inner)
		body_close(b->inner);
	if (b->page)
		object_put(b->thing->rules->cache->epoch, &b->page->object);
	b->inner = NULL;
	b->page = NULL;
}

static void take_page(struct slice_body *b, struct page *p, uint64_t n)
{
	const struct thing *t = b->thing;
	uint64_t from_b = b->at_b - n * t->rules->slice_b, left_b = p->image.body_b - from_b, wanted_b = b->end_b - b->at_b;
	object_get(&p->object);
	b->page = p;
	b->inner = page_body(t->req, p, from_b, left_b < wanted_b ? left_b : wanted_b);
	b->fetched = false;
	stand_up(b);
	fetch_next(t, n, b->end_b);
}

/* It changed while it was sent: whoever asks next begins with the new version. */
static void forget(const struct thing *t)
{
	must(cache_purge(t->rules->cache, &t->req->home->loop.mailbox, PURGE_URL, t->url, false, NULL) == 0);
}

/* BODY_SOME: look again. */
static enum body_got hear(struct slice_body *b, uint64_t n)
{
	for (;;) {
		enum growing state = growth_state(b->growth);
		if (state <= GROWTH_BYTES) {
			if (growth_wait(b->seat, state, UINT64_MAX))
				return BODY_LATER;
			continue;
		}
		struct object *o = growth_object(b->growth);
		if (o && !belongs(b->thing, page_of(o), n)) {
			forget(b->thing);
			return BODY_BROKEN;
		}
		if ((state != GROWTH_WHOLE && state != GROWTH_AGAIN) || (!o && b->fetched))
			return BODY_BROKEN;
		b->fetched = true;
		if (o)
			take_page(b, page_of(o), n);
		else
			stand_up(b);
		return BODY_SOME;
	}
}

static enum body_got want(struct slice_body *b)
{
	const struct thing *t = b->thing;
	uint64_t n = b->at_b / t->rules->slice_b;
	if (b->growth)
		return hear(b, n);
	struct str key = key_of(t, n);
	struct page *p = find(t, key, n);
	if (p) {
		take_page(b, p, n);
		return BODY_SOME;
	}
	b->seat = growth_seat_new(&t->req->home->loop.mailbox, slice_wake, b);
	b->growth = fetch(t, key, n, b->seat);
	return BODY_SOME;
}

static enum body_got slice_read(struct body *body, struct chunk *out, uint64_t want_b)
{
	struct slice_body *b = slice_body_of(body);
	enum body_got got = BODY_SOME;
	for (;;) {
		if (b->inner) {
			b->inner->reader = body->reader;
			got = body_read(b->inner, out, want_b);
			if (got == BODY_SOME) {
				b->at_b += out->length_b;
				out->last = b->at_b == b->end_b;
			}
			if (got != BODY_END)
				return got;
			put_page(b);
		}
		if (b->at_b == b->end_b)
			return BODY_END;
		got = want(b);
		if (got != BODY_SOME)
			return got;
	}
}

static void slice_keep(struct body *body, struct str *rest)
{
	struct slice_body *b = slice_body_of(body);
	if (b->inner)
		body_keep(b->inner, rest);
}

static void slice_back(struct body *body, uint64_t unused_b)
{
	struct slice_body *b = slice_body_of(body);
	must(b->inner && b->inner->ops->back);
	b->inner->ops->back(b->inner, unused_b);
	b->at_b -= unused_b;
}

static void slice_close(struct body *body)
{
	struct slice_body *b = slice_body_of(body);
	stand_up(b);
	put_page(b);
}

static const struct body_ops SLICE_OPS = { slice_read, slice_keep, slice_back, slice_close };

static struct body *slice_part(struct req *r, void *thing, struct range at)
{
	struct slice_body *b = ARENA_NEW(&r->arena, struct slice_body);
	*b = (struct slice_body){ .body.ops = &SLICE_OPS, .thing = thing, .at_b = at.from_b, .end_b = at.from_b + at.length_b };
	return &b->body;
}

enum go answer_slices(struct req *r, const struct cache_rules *rules, struct str url, struct str key, struct page *first)
{
	struct slice_range is;
	must(slice_of(first, &is));
	struct thing *t = ARENA_NEW(&r->arena, struct thing);
	*t = (struct thing){ .req = r, .rules = rules, .url = url, .key = key, .total_b = is.total_b,
		             .key_room = arena_raw(&r->arena, key.n + SLICE_KEY_MORE_B),
		             .etag = arena_str(&r->arena, page_field(first, STR("ETag"))),
		             .modified = arena_str(&r->arena, page_field(first, STR("Last-Modified"))) };
	return answer_thing(r, first, 200, is.total_b, slice_part, t);
}
