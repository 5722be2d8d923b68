/* struct cache: a cache of pages as all loops see it, which outlives snapshots: its tiers, what is being fetched
 * for it, and what was purged. struct cache_rules: what a configuration says of it.
 *
 *	memory      store       pages, found without a lock
 *	disk        shelf       NULL: none
 *	memcached   cluster     NULL: none
 *
 * A page that is nowhere in memory is fetched once for all who want it, by a *fill* (http/fill.h).  What a request
 * gets is decided by its *look* (http/look.h). */
#pragma once

#include "http/cache_status.h"
#include "http/cluster.h"
#include "http/shelf.h"
#include "http/vars.h"
#include "share/counter.h"
#include "share/growth.h"
#include "share/line.h"
#include "share/ever.h"
#include "share/sketch.h"

/* `cache NAME { … }`: in a snapshot. */
struct cache_rules {
	struct str name;
	uint64_t memory_b;
	struct str folder;               /* of the disk tier; empty: none */
	uint64_t disk_b;
	struct str memcached_name;       /* of a memcached { } block; empty: none */
	const struct memcached_conf *shared; /* that block; NULL */
	struct memcached *memcached;     /* its pool, while the snapshot is open */
	struct freshness_rules fresh;
	struct tmpl key;                 /* in place of host and target; no pieces: those */
	struct items ignore;             /* struct str: query parameters that are no part of the key; '*' at the end */
	bool sort_query;
	struct items bypass, no_store;   /* struct tmpl: where one is neither empty nor "0": see their rows */
	uint64_t uses;                   /* stored when it was asked for so often */
	uint64_t object_b;               /* the largest answer that is stored */
	uint64_t slice_b;                /* larger ones than this in slices of this size; 0: never */
	uint64_t variants;               /* most of one URL */
	uint64_t fills;                  /* at once, of each backend; the others wait in its line */
	uint64_t wait_ms;                /* a request waits so long for another's fill */
	struct items purge_from;         /* struct network: who may PURGE */
	bool show_key;
	struct cache *cache;             /* while the snapshot is open */
};

struct cache_counts {
	/* One for each request that came by, by what it got: enum cached. */
	struct counter got[CACHED_BYPASS + 1];
	struct counter fills, validations;               /* asked of origins; of these with a condition */
	struct counter waits_late;                       /* that were given up */
	struct counter stored, not_stored, purges, invalidated;
	struct counter hit_b;                            /* of bodies served from what was stored */
};

struct cache {
	struct str name;
	unsigned refs;                   /* the control thread's: snapshots that have it open */
	struct cache *next;              /* in struct caches */
	struct epoch *epoch;
	struct store *store;
	struct growths *growths;
	struct purges *purges;
	_Atomic(struct shelf *) shelf;   /* may come with a reload, while loops look */
	struct str folder;               /* the shelf's */
	struct memcached *memcached;     /* of the newest snapshot; the control thread's, and so is */
	struct cluster *cluster;         /* its part in what is purged there; */
	struct counter clustered;        /* whether it has one: any thread's */
	struct loop *control;
	struct sketch *sketch;           /* how often what is not kept was asked for */
	struct blob_tally *bodies;       /* large ones: kept, coming in, or still being sent to somebody */
	_Atomic unsigned behind;         /* fills that nobody waits for */
	struct ever *kept;               /* page_hash() of each URL of which anything was ever put into memory */
	struct lines *lines;             /* fills at once, for each backend */
	unsigned loops;
	struct cache_counts *counts;     /* by loop */
};

/* All of a worker, by name.  Opened, closed and listed by the control thread, which logs into this ring. */
struct caches;
struct caches *caches_new(struct epoch *e, struct disk *disk, struct loop *control, struct log_ring *ring, unsigned loops);
/* No loop runs any more, and the disk's engine is about to end. */
void caches_settle(struct caches *c);
/* None is open any more. */
void caches_free(struct caches *c);
/* The cache of these rules, as they say it now, until cache_put(): for as long as a snapshot is open. */
struct cache *caches_get(struct caches *c, const struct cache_rules *rules, const struct commons *with);
/* Where no snapshot has it any more its memory is given back; its folder stays open, for the snapshot that has it again. */
void cache_put(struct cache *cache);
void caches_each(struct caches *c, void (*see)(void *arg, struct cache *cache), void *arg);
struct cache *caches_find(struct caches *c, struct str name);

/* The target that the key is made of and the origin is asked for: path and query as they came, without the parameters that
 * are ignored; in the arena, or the request's own. */
struct str cache_target(const struct cache_rules *rules, const struct req *r, struct arena *a);
/* The key of a request in this cache, without what Vary adds; in the arena.  Empty: longer than IMAGE_KEY_MOST. */
struct str cache_key(const struct cache_rules *rules, struct req *r);
/* The key of a URL, or of a path on this host, as `purge` takes it; false where it can't be told from the URL alone. */
bool cache_key_of_url(const struct cache_rules *rules, struct str url, struct buf *out);
/* The key of what an answer's Location names, where that is on the request's host. */
bool cache_key_of_location(const struct cache_rules *rules, const struct req *r, struct str url, struct buf *out);
/* A condition of bypass or no_store: its text is neither empty nor 0. */
bool cache_condition(const struct tmpl *t, struct req *r);

static inline struct cache_counts *cache_count(struct cache *c, const struct home *h)
{
	return &c->counts[h->loop.index];
}

/* Purges take effect at once on all loops and in all tiers of this machine; other machines follow (http/cluster.h).  text:
 * the URL's key, the tag, or the pattern.  The control thread's, or a loop's; to: that one's mailbox.  then: NULL, or who
 * is told, there, when it will survive a restart, unless that went wrong: err; at once where nothing would.  0, -E2BIG,
 * -EINVAL: as purge_check(). */
struct cache_noted {
	void (*noted)(struct cache_noted *then, int err);
};
[[nodiscard]] int cache_purge(struct cache *c, struct mailbox *to, enum purge_kind kind, struct str text, bool soft,
                              struct cache_noted *then);

/* visit.c: what the request got of its route's cache, for logs. */
enum cached req_cached(const struct req *r);
/* The rules of this name in a snapshot; NULL. */
const struct cache_rules *cache_rules_find(const struct conf *c, struct str name);
/* The rows of `cache NAME { }`, whose values are struct cache_rules. */
extern const struct directive CACHE_ROWS[];
/* What the types can't know. */
void cache_rules_check(struct checker *c, struct cache_rules *rules);
