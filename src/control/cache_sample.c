/* Samples of caches.  See cache_sample.h. */
#include "control/cache_sample.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/mem.h"

/* --- Taking them. --- */

static void count_cache(void *arg, struct cache *c)
{
	(void)c;
	++*(unsigned *)arg;
}

static void add_counts(struct cache_sample *s, const struct cache_counts *c)
{
	for (unsigned i = 0; i < countof(s->got); i++)
		s->got[i] += counter_get(&c->got[i]);
	s->hit_b += counter_get(&c->hit_b);
	s->fills += counter_get(&c->fills);
	s->validations += counter_get(&c->validations);
	s->waits_late += counter_get(&c->waits_late);
	s->stored += counter_get(&c->stored);
	s->not_stored += counter_get(&c->not_stored);
	s->invalidated += counter_get(&c->invalidated);
	s->purged += counter_get(&c->purges);
}

struct taking {
	struct cache_sample *at;
};

static void take_cache(void *arg, struct cache *c)
{
	struct taking *t = arg;
	struct cache_sample *s = t->at++;
	struct line_stats line = lines_sum(c->lines);
	size_t name_b = c->name.n < CACHE_NAME_MOST_B ? c->name.n : CACHE_NAME_MOST_B;
	memcpy(s->name, c->name.p, name_b);
	s->memory = store_stats(c->store);
	s->filling = line.inside;
	s->waiting = line.waiting;
	s->purges = purges_stats(c->purges);
	s->has_memcached = c->memcached;
	s->has_disk = c->shelf;
	if (c->shelf)
		s->disk = shelf_stats(c->shelf);
	for (unsigned i = 0; i < c->loops; i++)
		add_counts(s, &c->counts[i]);
}

static int name_order(const void *a, const void *b)
{
	const struct cache_sample *x = a, *y = b;
	return strcmp(x->name, y->name);
}

struct cache_sample *cache_samples_take(struct caches *caches, unsigned *count)
{
	*count = 0;
	caches_each(caches, count_cache, count);
	struct cache_sample *all = mem_new(*count * sizeof *all + 1);
	struct taking t = { all };
	caches_each(caches, take_cache, &t);
	qsort(all, *count, sizeof *all, name_order);
	return all;
}

/* --- What they say. --- */

uint64_t cache_sample_hits(const struct cache_sample *s)
{
	return s->got[CACHED_HIT] + s->got[CACHED_STALE] + s->got[CACHED_RENEWED] + s->got[CACHED_JOINED];
}

uint64_t cache_sample_asked(const struct cache_sample *s)
{
	return cache_sample_hits(s) + s->got[CACHED_MISS] + s->got[CACHED_PASS];
}

const struct cache_sample *cache_sample_find(const struct cache_sample *all, unsigned count, const char *name)
{
	for (unsigned i = 0; i < count; i++)
		if (!strcmp(all[i].name, name))
			return &all[i];
	return NULL;
}

static void print_got(struct buf *out, const struct cache_sample *s)
{
	buf_add(out, STR(",\"got\":{"));
	for (unsigned i = CACHED_HIT; i < countof(s->got); i++)
		buf_addf(out, "%s\"%.*s\":%" PRIu64, i == CACHED_HIT ? "" : ",", STR_F(cached_name(i)), s->got[i]);
	buf_addf(out, "},\"hits\":%" PRIu64 ",\"asked\":%" PRIu64 ",\"hit_bytes\":%" PRIu64, cache_sample_hits(s),
	         cache_sample_asked(s), s->hit_b);
}

static void print_disk(struct buf *out, const struct cache_sample *s)
{
	const struct shelf_stats *d = &s->disk;
	if (!s->has_disk) {
		buf_add(out, STR(",\"disk\":null"));
		return;
	}
	buf_addf(out,
	         ",\n  \"disk\":{\"bytes\":%" PRIu64 ",\"bound\":%" PRIu64 ",\"segments\":%" PRIu64 ",\"hits\":%" PRIu64
	         ",\"misses\":%" PRIu64 ",\"written\":%" PRIu64 ",\"written_bytes\":%" PRIu64 ",\"dropped\":%" PRIu64
	         ",\"bad\":%" PRIu64 ",\"errors\":%" PRIu64 ",\"off\":%s,",
	         d->bytes, d->bound_b, d->segments, d->hits, d->misses, d->written, d->written_b, d->dropped, d->bad, d->errors,
	         d->off ? "true" : "false");
	buf_add_member(out, "why", d->off && d->err ? str_of(strerror(-d->err)) : STR(""));
	buf_add_char(out, '}');
}

void cache_sample_print(struct buf *out, const struct cache_sample *s)
{
	const struct store_stats *m = &s->memory;
	buf_add_member(out, "name", str_of(s->name));
	print_got(out, s);
	buf_addf(out,
	         ",\n  \"memory\":{\"objects\":%" PRIu64 ",\"bytes\":%" PRIu64 ",\"bound\":%" PRIu64
	         ",\"evicted\":%" PRIu64 "}",
	         m->objects, m->bytes, m->bound_b, m->evicted);
	print_disk(out, s);
	buf_addf(out,
	         ",\"memcached\":%s,\n  \"fills\":{\"all\":%" PRIu64 ",\"under_way\":%" PRIu64 ",\"waiting\":%" PRIu64
	         ",\"validations\":%" PRIu64 ",\"waits_late\":%" PRIu64 "},\"stored\":%" PRIu64 ",\"not_stored\":%" PRIu64
	         ",\"invalidated\":%" PRIu64 ",\n  \"purges\":{\"all\":%" PRIu64 ",\"by_method\":%" PRIu64 ",\"marks\":%" PRIu64
	         ",\"matches\":%" PRIu64 "}",
	         s->has_memcached ? "true" : "false", s->fills, s->filling, s->waiting, s->validations, s->waits_late,
	         s->stored, s->not_stored, s->invalidated, s->purges.added, s->purged, s->purges.marks, s->purges.matches);
}

void cache_lines_print(struct buf *out, struct cache *c)
{
	size_t count;
	struct line_stats *lines = lines_stats(c->lines, &count);
	buf_add_char(out, '[');
	for (size_t i = 0; i < count; i++) {
		buf_add(out, i ? STR(",{") : STR("{"));
		buf_add_member(out, "pool", lines[i].name);
		buf_addf(out, ",\"under_way\":%" PRIu64 ",\"waiting\":%" PRIu64 "}", lines[i].inside, lines[i].waiting);
	}
	buf_add_char(out, ']');
	mem_free(lines);
}

void cache_samples_print(struct buf *out, const struct cache_sample *all, unsigned count)
{
	buf_add_char(out, '[');
	for (unsigned i = 0; i < count; i++) {
		buf_add(out, i ? STR(",\n {") : STR("\n {"));
		cache_sample_print(out, &all[i]);
		buf_add_char(out, '}');
	}
	buf_add_char(out, ']');
}
