/* What a cache would do with a request, for `petrel ctl explain`: its key, what is kept under it in memory, and whether
 * that would be an answer.  Other tiers are not asked.  On the control thread, which looks at the store as a loop of its
 * own would. */
#include <inttypes.h>

#include "handlers/cache_in.h"
#include "http/home.h"
#include "http/vary.h"

enum { HOPS_MOST = 4, LOOKER = EPOCH_LOOPS - 1 };

struct looking {
	struct req *req;
	const struct cache_rules *rules;
	struct explained *out;
	struct str base, key;        /* without and with what answers depend on */
};

/* --- What is there. --- */

static void say_times(struct explained *out, const struct page *p, uint64_t wall_ms, const char *begin)
{
	uint64_t age_s = page_age_s(p, wall_ms), fresh_s = p->image.fresh_s;
	if (age_s < fresh_s)
		explain_say(out, "%s: %" PRIu64 " s old, fresh for %" PRIu64 " s more", begin, age_s, fresh_s - age_s);
	else
		explain_say(out, "%s: %" PRIu64 " s old, which is %" PRIu64 " s past its time", begin, age_s, age_s - fresh_s);
}

static void say_use(struct looking *l, struct page *p, bool soft)
{
	static const char *const USES[] = {
		[USE_FRESH] = "it is the answer: a hit",
		[USE_STALE] = "it is the answer, and the origin is asked for it anew in the background",
		[USE_VALIDATE] = "its origin is asked first whether it still holds",
		[USE_NOT] = "the request does not want it as it is: its origin is asked",
	};
	uint64_t wall_ms = home_wall_ms(l->req->home);
	say_times(l->out, p, wall_ms, "a page is in memory");
	if (soft)
		explain_say(l->out, "it was purged softly: it counts as stale");
	explain_say(l->out, "%s", USES[freshness_use(p, &l->req->ask, &l->rules->fresh, wall_ms, soft)]);
}

/* True: look again, under the key that the request's fields make. */
static bool follow_vary(struct looking *l, const struct page *p)
{
	struct str key, names = page_field(p, STR("Vary"));
	explain_say(l->out, "answers depend on %.*s", STR_F(names));
	if (vary_key(&l->req->arena, l->base, names, &l->req->ask, &key))
		explain_say(l->out, "what the request says of them is too long for a key: it goes to its origin");
	else if (!str_eq(key, l->key))
		return l->key = key, true;
	return false;
}

static void say_nothing(const struct looking *l)
{
	const struct cache_rules *rules = l->rules;
	if (freshness_only_if_cached(&l->req->ask, &rules->fresh)) {
		explain_say(l->out, "nothing is in memory, and the request wants nothing else: 504");
		return;
	}
	explain_say(l->out, "nothing is in memory: %s%sits origin is asked, once for all who want it now",
	            rules->cache->shelf ? "the disk is looked at, " : "", rules->memcached ? "memcached is asked, " : "");
	if (rules->uses > 1)
		explain_say(l->out, "what comes is kept once it was asked for about %" PRIu64 " times", rules->uses);
}

/* True: look again. */
static bool look_at(struct looking *l, struct page *p)
{
	enum purged purged = page_purged(p, l->rules->cache->purges);
	bool is_mark = p->image.flags & (IMAGE_VARY | IMAGE_PASS);
	if (purged == PURGED_HARD || (purged && is_mark)) {
		explain_say(l->out, "what was kept was purged");
		say_nothing(l);
	} else if (p->image.flags & IMAGE_VARY) {
		return follow_vary(l, p);
	} else if (p->image.flags & IMAGE_PASS) {
		explain_say(l->out, "the last answer could not be kept: requests go to their origin without waiting for "
		                    "each other");
	} else {
		say_use(l, p, purged == PURGED_SOFT);
	}
	return false;
}

static void look(struct looking *l)
{
	struct store *s = l->rules->cache->store;
	struct epoch *e = l->rules->cache->epoch;
	bool again = true;
	epoch_enter(e, LOOKER);
	for (unsigned i = 0; again && i < HOPS_MOST; i++) {
		struct object *o = store_find(s, l->key, store_hash(s, l->key));
		if (!o)
			say_nothing(l);
		again = o && look_at(l, page_of(o));
	}
	epoch_leave(e, LOOKER);
}

/* --- What is asked. --- */

static void say_no_store(const struct looking *l)
{
	const struct tmpl *conditions = l->rules->no_store.p;
	for (size_t i = 0; i < l->rules->no_store.count; i++)
		if (cache_condition(&conditions[i], l->req))
			explain_say(l->out, "what its origin says would not be kept: no_store %.*s", STR_F(conditions[i].text));
}

void cache_explain(struct req *r, const void *values, struct explained *out)
{
	const struct cache_values *v = values;
	struct visit visit = { .rules = v->rules };
	struct looking l = { .req = r, .rules = v->rules, .out = out, .base = cache_key(v->rules, r) };
	l.key = l.base;
	if (l.key.n)
		explain_say(out, "cache %.*s, key %.*s", STR_F(v->rules->name), STR_F(l.key));
	else
		explain_say(out, "cache %.*s: the request's key is too long", STR_F(v->rules->name));
	visit.base = l.key;
	if (cache_is_purge(&r->ask)) {
		explain_say(out, cache_may_purge(r, v->rules) ? "it is purged" : "PURGE is not taken from this client");
	} else if (cache_sort(r, &visit) != GO_WAIT) {
		explain_say(out, "the request goes by it: %s", stored_sentence(visit.status.why));
		if (visit.invalidates)
			explain_say(out, "where it succeeds, what is kept of this URL is out of date");
	} else if (v->rules->cache) {
		say_no_store(&l);
		look(&l);
	}
}
