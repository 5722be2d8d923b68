/* cache: the gate before a route's handler that answers from what a cache has (http/look.h), the head hook that says what
 * became of it, and the caches' configuration.  Runs on the request's loop.
 *
 * Everything that goes by the cache goes on to the handler as if there were none. */
#include <errno.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "base/must.h"
#include "handlers/cache_in.h"
#include "handlers/handlers.h"
#include "http/check.h"
#include "http/look.h"
#include "http/memcached.h"
#include "http/tags.h"
#include "net/addr.h"

static bool cache_active(const void *values)
{
	const struct cache_values *v = values;
	return v->rules;
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
		return visit_goes_by(v, CACHED_BYPASS, FORWARD_METHOD, STORED_METHOD);
	}
	if (a->framing != FRAMING_NONE || a->first[FIELD_UPGRADE])
		return visit_goes_by(v, CACHED_BYPASS, FORWARD_BYPASS, STORED_ADDRESSED);
	if (!v->base.n || is_bypassed(r, v->rules))
		return visit_goes_by(v, CACHED_BYPASS, FORWARD_BYPASS, v->base.n ? STORED_CONDITION : STORED_HEAD);
	return GO_WAIT;
}

static enum go cache_gate(struct req *r, const void *values)
{
	const struct cache_values *v = values;
	/* A fill's own way, where it was sent on to another route. */
	if (r->fill)
		return GO_NEXT;
	if (r->state)
		return look_on(r->state);
	struct visit *visit = r->visit = ARENA_NEW(&r->arena, struct visit);
	visit->rules = v->rules;
	visit->status.ttl_s = INT64_MIN;
	visit->base = cache_key(v->rules, r);
	if (cache_is_purge(&r->ask))
		return purge(r, v->rules, visit->base);
	enum go go = cache_sort(r, visit);
	return go == GO_WAIT ? look_begin(r, visit) : go;
}

/* --- What became of it. --- */

/* Whether there is anything of a URL that a purge would be about.  Else each of any number of URLs that clients make up
 * would leave a note.  What is under way first: it is put into memory before it is over.  What other runs or machines have
 * of it nobody knows. */
static bool may_have(struct cache *c, struct str key)
{
	bool old = c->folder.n && !(c->shelf && shelf_is_new(c->shelf));
	uint64_t mark = page_hash(key);
	return old || counter_get(&c->clustered) || growths_have(c->growths, mark) || ever_has(c->kept, mark);
}

static void forget(struct req *r, struct cache *c, struct str key)
{
	if (key.n && may_have(c, key))
		must(cache_purge(c, &r->home->loop.mailbox, PURGE_URL, key, false, NULL) == 0);
}

/* What is stored under the URL of an unsafe request that succeeded, and what that says it changed on the same host, is out
 * of date (RFC 9111, 4.4). */
static void invalidate(struct req *r, const struct visit *v)
{
	static const struct str FIELDS[] = { { "Location", 8 }, { "Content-Location", 16 } };
	struct cache *c = v->rules->cache;
	counter_add(&cache_count(c, r->home)->invalidated, 1);
	forget(r, c, v->base);
	for (size_t i = 0; i < countof(FIELDS); i++) {
		struct buf key = {};
		struct str url = answer_field(r, FIELDS[i]);
		if (url.n && cache_key_of_location(v->rules, r, url, &key))
			forget(r, c, buf_str(&key));
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
	if (s->cached >= CACHED_MISS)
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

/* By its name, or, where that can be looked at, by what it is. */
static bool is_same_folder(const struct checker *c, struct str a, struct str b)
{
	struct stat one, other;
	if (str_eq(a, b))
		return true;
	return check_files(c) && !stat(a.p, &one) && !stat(b.p, &other) && one.st_dev == other.st_dev &&
	       one.st_ino == other.st_ino;
}

/* Two that write into one folder would undo each other's work: the second one would find it locked. */
static void check_folder(struct checker *c, const struct cache_rules *all, const struct cache_rules *rules)
{
	for (const struct cache_rules *other = all; rules->folder.n && other < rules; other++) {
		if (!other->folder.n || !is_same_folder(c, other->folder, rules->folder))
			continue;
		check_error(c, &rules->folder, "cache \"%.*s\" keeps its pages there already", STR_F(other->name));
		check_hint(c, "each cache has a folder of its own");
		return;
	}
}

static void check_caches(struct checker *c, struct cache_values *v)
{
	struct cache_rules *all = v->caches.p;
	for (size_t i = 0; i < v->caches.count; i++) {
		cache_rules_check(c, &all[i]);
		if (rules_of(v, all[i].name) != &all[i])
			check_error(c, &all[i].name, "there is a cache \"%.*s\" already", STR_F(all[i].name));
		check_folder(c, all, &all[i]);
	}
}

static void cache_check(struct checker *c, void *values)
{
	struct cache_values *v = values;
	if (check_scope(c) == SCOPE_MAIN)
		check_caches(c, v);
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
