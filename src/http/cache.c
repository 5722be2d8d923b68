/* Caches as all loops see them: by name, over snapshots; keys, conditions and purges.  Opened and closed by the control
 * thread; the rest is any loop's. */
#include "http/cache.h"

#include <errno.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/must.h"
#include "base/num.h"
#include "http/slices.h"
#include "http/target.h"
#include "http/visit.h"

struct caches {
	struct epoch *epoch;
	struct disk *disk;
	struct loop *control;
	struct log_ring *ring;
	unsigned loops;
	struct cache *first;
};

/* --- By name. --- */

struct caches *caches_new(struct epoch *e, struct disk *disk, struct loop *control, struct log_ring *ring, unsigned loops)
{
	struct caches *c = MEM_NEW(struct caches);
	*c = (struct caches){ .epoch = e, .disk = disk, .control = control, .ring = ring, .loops = loops };
	return c;
}

static void cache_free(struct cache *cache)
{
	growths_free(cache->growths);
	shelf_free(cache->shelf);
	store_free(cache->store);
	purges_free(cache->purges);
	line_free(cache->line);
	sketch_free(cache->sketch);
	blob_tally_put(cache->bodies);
	ever_free(cache->kept);
	mem_str_free(cache->name);
	mem_str_free(cache->folder);
	mem_free(cache->counts);
	mem_free(cache);
}

void caches_settle(struct caches *c)
{
	for (struct cache *cache = c ? c->first : NULL; cache; cache = cache->next)
		if (cache->shelf)
			shelf_settle(cache->shelf);
}

void caches_free(struct caches *c)
{
	if (!c)
		return;
	for (struct cache *cache = c->first, *next; cache; cache = next) {
		next = cache->next;
		must(!cache->refs);
		cache_free(cache);
	}
	mem_free(c);
}

struct cache *caches_find(struct caches *c, struct str name)
{
	struct cache *cache = c->first;
	while (cache && (!cache->refs || !str_eq(cache->name, name)))
		cache = cache->next;
	return cache;
}

/* Where its pages lie on disk is part of what a cache is. */
static struct cache *find(struct caches *c, const struct cache_rules *rules)
{
	struct cache *cache = c->first;
	while (cache && (!str_eq(cache->name, rules->name) || !str_eq(cache->folder, rules->folder)))
		cache = cache->next;
	return cache;
}

void caches_each(struct caches *c, void (*see)(void *arg, struct cache *cache), void *arg)
{
	for (struct cache *cache = c->first; cache; cache = cache->next)
		if (cache->refs)
			see(arg, cache);
}

static struct cache *cache_new(struct caches *c, const struct cache_rules *rules)
{
	struct cache *cache = MEM_NEW(struct cache);
	cache->name = mem_str(rules->name);
	cache->folder = mem_str(rules->folder);
	cache->epoch = c->epoch;
	cache->store = store_new(c->epoch, rules->memory_b);
	cache->growths = growths_new(c->epoch);
	cache->purges = purges_new(c->epoch);
	cache->line = line_new(rules->fills);
	cache->sketch = sketch_new();
	cache->bodies = blob_tally_new();
	cache->kept = ever_new();
	cache->loops = c->loops;
	cache->control = c->control;
	cache->counts = mem_new(c->loops * sizeof *cache->counts);
	cache->next = c->first;
	c->first = cache;
	return cache;
}

static void open_shelf(struct cache *cache, struct caches *c, const struct cache_rules *rules, const struct commons *with)
{
	const char *why = "the folder could not be opened";
	int fd = with->folders ? with->folders->get(with->folders, rules->folder) : -1;
	struct shelf *shelf;
	int err = fd < 0 ? -EACCES : shelf_open(&shelf, fd, rules->disk_b, c->disk, cache->purges, &why);
	if (!err) {
		shelf_weeds(shelf, cache->store);
		atomic_store(&cache->shelf, shelf);
	} else {
		log_line(c->ring, LOG_LEVEL_ERROR, "cache %.*s: nothing is kept in %.*s: %s: %s", STR_F(rules->name),
		         STR_F(rules->folder), why, strerror(-err));
	}
}

/* --- What is purged, here and elsewhere. --- */

/* Until the journal has it. */
struct note {
	struct shelf_noted noted;
	struct cache_noted *then;
};

static void tell_noted(struct cache_noted *then, int err)
{
	if (then)
		then->noted(then, err);
}

static void noted(struct mail *m)
{
	struct note *n = container_of(m, struct note, noted.mail);
	tell_noted(n->then, n->noted.err);
	mem_free(n);
}

static void note(struct cache *c, const struct purge *what, struct mailbox *to, struct cache_noted *then)
{
	struct note *n = MEM_NEW(struct note);
	n->noted.mail.deliver = noted;
	n->noted.to = to;
	n->then = then;
	shelf_note(c->shelf, what, &n->noted);
}

/* Takes effect here, at once. */
static int apply(struct cache *c, struct purge *what)
{
	int err = purges_add(c->purges, what);
	if (err)
		return err;
	/* What is being fetched was asked for before: of a URL all variants and slices. */
	growths_part(c->growths, what->kind == PURGE_URL ? &what->mark : NULL);
	return 0;
}

/* What another machine purged. */
static void heard(void *arg, struct purge *what)
{
	struct cache *cache = arg;
	/* What can't be added says nothing. */
	if (apply(cache, what) == 0 && cache->shelf)
		note(cache, what, &cache->control->mailbox, NULL);
}

static void close_cluster(struct cache *cache)
{
	counter_set(&cache->clustered, 0);
	if (cache->cluster)
		cluster_close(cache->cluster);
	cache->cluster = NULL;
	cache->memcached = NULL;
}

/* Another pool has another journal. */
static void open_cluster(struct cache *cache, struct caches *c, struct memcached *m)
{
	if (cache->memcached == m)
		return;
	close_cluster(cache);
	cache->memcached = m;
	cache->cluster = m ? cluster_open(m, c->control, cache->name, c->ring, heard, cache) : NULL;
	counter_set(&cache->clustered, m != NULL);
}

struct cache *caches_get(struct caches *c, const struct cache_rules *rules, const struct commons *with)
{
	struct cache *cache = find(c, rules);
	if (!cache)
		cache = cache_new(c, rules);
	if (rules->folder.n && !cache->shelf)
		open_shelf(cache, c, rules, with);
	if (cache->shelf)
		shelf_bound(cache->shelf, rules->disk_b);
	store_bound(cache->store, rules->memory_b);
	line_bound(cache->line, rules->fills);
	open_cluster(cache, c, rules->memcached);
	cache->refs++;
	return cache;
}

void cache_put(struct cache *cache)
{
	if (--cache->refs)
		return;
	store_bound(cache->store, 0);
	close_cluster(cache);
}

/* --- Keys. --- */

/* "utm_*" stands for all that begin so. */
static bool is_ignored(const struct cache_rules *rules, struct str pair)
{
	const struct str *names = rules->ignore.p;
	struct str name = str_head(pair, str_find(pair, '='));
	for (size_t i = 0; i < rules->ignore.count; i++) {
		bool begins = str_ends(names[i], STR("*"));
		if (begins ? str_starts(name, str_head(names[i], names[i].n - 1)) : str_eq(name, names[i]))
			return true;
	}
	return false;
}

static int pair_order(const void *a, const void *b)
{
	const struct str *x = a, *y = b;
	int order = memcmp(x->p, y->p, x->n < y->n ? x->n : y->n);
	return order ? order : (x->n > y->n) - (x->n < y->n);
}

/* The pairs of a query that count, in the order that counts. */
static size_t pairs_of(const struct cache_rules *rules, struct str query, struct str *out)
{
	size_t n = 0;
	while (query.p) {
		struct str pair = str_cut(&query, '&');
		if (pair.n && !is_ignored(rules, pair))
			out[n++] = pair;
	}
	if (rules->sort_query)
		qsort(out, n, sizeof *out, pair_order);
	return n;
}

static size_t count_pairs(struct str query)
{
	size_t n = 1;
	for (size_t i = 0; i < query.n; i++)
		n += query.p[i] == '&';
	return n;
}

static struct str with_pairs(const struct cache_rules *rules, struct str path, struct str query, struct arena *a)
{
	struct str *pairs = arena_raw(a, count_pairs(query) * sizeof *pairs);
	size_t n = pairs_of(rules, query, pairs);
	char *start = arena_raw(a, path.n + 1 + query.n + 1), *at = start;
	memcpy(at, path.p, path.n);
	at += path.n;
	for (size_t i = 0; i < n; i++) {
		*at++ = i ? '&' : '?';
		memcpy(at, pairs[i].p, pairs[i].n);
		at += pairs[i].n;
	}
	return str_make(start, (size_t)(at - start));
}

static struct str target_of(const struct cache_rules *rules, struct str target, struct arena *a)
{
	size_t at = str_find(target, '?');
	if (at == target.n || (!rules->ignore.count && !rules->sort_query))
		return target;
	return with_pairs(rules, str_head(target, at), str_from(target, at + 1), a);
}

struct str cache_target(const struct cache_rules *rules, const struct req *r, struct arena *a)
{
	return target_of(rules, target_origin_form(a, r->ask.target), a);
}

enum { HTTP_PORT = 80, PORT_B = 6 };

/* ":8080", at p: applications make links of it.  Empty where it is the usual one, or none was named. */
static size_t put_port(char *p, uint16_t port)
{
	if (!port || port == HTTP_PORT)
		return 0;
	p[0] = ':';
	return 1 + num_print(p + 1, port);
}

static struct str joined(struct arena *a, const struct ask *ask, struct str target)
{
	struct str host = ask->host;
	char *p = arena_raw(a, host.n + PORT_B + target.n), *at = p;
	if (host.n)
		at = mempcpy(at, host.p, host.n);
	at += put_port(at, ask->port);
	at = mempcpy(at, target.p, target.n);
	return str_make(p, (size_t)(at - p));
}

struct str cache_key(const struct cache_rules *rules, struct req *r)
{
	struct str key = rules->key.count ? tmpl_str(&rules->key, r)
	                                  : joined(&r->arena, &r->ask, cache_target(rules, r, &r->arena));
	/* Of what may come in slices these have to have keys, too. */
	size_t most = rules->slice_b ? IMAGE_KEY_MOST - SLICE_KEY_MORE_B : IMAGE_KEY_MOST;
	return key.n <= most ? key : (struct str){};
}

bool cache_key_of_url(const struct cache_rules *rules, struct str url, struct buf *out)
{
	struct str authority, host, target = url;
	const char *why;
	uint16_t port;
	struct arena a;
	if (rules->key.count)
		return false;
	arena_init(&a, NULL, 0);
	struct str path;
	bool fine = target_take_authority(&target, &authority) && !target_authority(&a, authority, &host, &port);
	struct str origin = target.n ? target : STR("/");
	fine = fine && origin.p[0] == '/' && !target_path(&a, str_head(origin, str_find(origin, '?')), &path, &why);
	if (fine) {
		buf_add(out, host);
		out->n += put_port(buf_room(out, PORT_B), port);
		buf_add(out, target_of(rules, origin, &a));
	}
	arena_fini(&a);
	return fine;
}

bool cache_key_of_location(const struct cache_rules *rules, const struct req *r, struct str url, struct buf *out)
{
	if (rules->key.count)
		return false;
	struct arena a;
	arena_init(&a, NULL, 0);
	struct str front = joined(&a, &r->ask, STR("/"));
	bool here = str_starts(url, STR("/"));
	if (here) {
		buf_add(out, str_head(front, front.n - 1));
		buf_add(out, url);
	} else {
		here = cache_key_of_url(rules, url, out) && str_starts(buf_str(out), front);
	}
	arena_fini(&a);
	return here;
}

bool cache_condition(const struct tmpl *t, struct req *r)
{
	struct str text = tmpl_str(t, r);
	return text.n && !str_eq(text, STR("0"));
}

/* --- Purges. --- */

/* A purge on its way to the control thread, which tells other machines. */
struct told {
	struct mail mail;
	struct cache *cache;
	struct purge what;
	struct str text;         /* own copy */
};

static void tell_others(struct mail *m)
{
	struct told *t = container_of(m, struct told, mail);
	t->what.match = t->text;
	if (t->cache->cluster)
		cluster_purge(t->cache->cluster, &t->what, t->text);
	mem_str_free(t->text);
	mem_free(t);
}

int cache_purge(struct cache *c, struct mailbox *to, enum purge_kind kind, struct str text, bool soft,
                struct cache_noted *then)
{
	struct purge what = { .kind = kind, .soft = soft, .mark = page_hash(text), .match = text };
	int err = apply(c, &what);
	if (err)
		return err;
	if (c->shelf)
		note(c, &what, to, then);
	else
		tell_noted(then, 0);
	if (!counter_get(&c->clustered))
		return 0;
	struct told *t = MEM_NEW(struct told);
	*t = (struct told){ .mail.deliver = tell_others, .cache = c, .what = what, .text = mem_str(text) };
	mailbox_post(&c->control->mailbox, &t->mail);
	return 0;
}

enum cached req_cached(const struct req *r)
{
	return r->visit ? r->visit->status.cached : CACHED_NONE;
}
