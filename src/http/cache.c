/* Caches by name, over snapshots: opened, listed and closed by the control thread. */
#include "http/cache_in.h"

#include <errno.h>

#include "base/mem.h"
#include "base/must.h"

struct caches {
	struct epoch *epoch;
	struct disk *disk;
	struct loop *control;
	struct log_ring *ring;
	unsigned loops;
	struct cache *first;
};

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
	lines_free(cache->lines);
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
	cache->lines = lines_new(rules->fills);
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
	lines_bound(cache->lines, rules->fills);
	cache_share(cache, rules->memcached, c->ring);
	cache->refs++;
	return cache;
}

void cache_put(struct cache *cache)
{
	if (--cache->refs)
		return;
	store_bound(cache->store, 0);
	cache_share(cache, NULL, NULL);
}
