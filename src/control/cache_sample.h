/* struct cache_sample: what one cache's counters said at one moment: a part of a sample (control/sample.h).  The control
 * thread. */
#pragma once

#include "http/cache.h"

enum { CACHE_NAME_MOST_B = 64 };

struct cache_sample {
	char name[CACHE_NAME_MOST_B + 1];  /* a copy: a cache may be gone before its sample is */
	uint64_t got[CACHED_BYPASS + 1];   /* requests, by what they got */
	uint64_t hit_b;
	struct store_stats memory;
	uint64_t fills, validations, waits_late, stored, not_stored, invalidated, purged;
	uint64_t filling, waiting;         /* fills now: under way, and in a line */
	struct purges_stats purges;
	bool has_disk, has_memcached;
	struct shelf_stats disk;
};

/* Of all caches, in the order of their names: from mem_new(). */
struct cache_sample *cache_samples_take(struct caches *caches, unsigned *count);
/* Requests that were answered from what is kept, and all that might have been. */
uint64_t cache_sample_hits(const struct cache_sample *s);
uint64_t cache_sample_asked(const struct cache_sample *s);
/* The one of this name, or NULL. */
const struct cache_sample *cache_sample_find(const struct cache_sample *all, unsigned count, const char *name);
/* "name":…,"got":{…}, …: the members of its JSON object, without the braces. */
void cache_sample_print(struct buf *out, const struct cache_sample *s);
/* Its fills by whom they ask, now: an array of objects. */
void cache_lines_print(struct buf *out, struct cache *c);
/* As an array of objects. */
void cache_samples_print(struct buf *out, const struct cache_sample *all, unsigned count);
